"""`opendkim.dkim`: the numbers of libopendkim's public header."""

from __future__ import annotations

from typing import Final

# What became of a call (DKIM_STAT)
DKIM_STAT_OK: Final = 0
DKIM_STAT_BADSIG: Final = 1
DKIM_STAT_NOSIG: Final = 2
DKIM_STAT_NOKEY: Final = 3
DKIM_STAT_CANTVRFY: Final = 4
DKIM_STAT_SYNTAX: Final = 5
DKIM_STAT_NORESOURCE: Final = 6
DKIM_STAT_INTERNAL: Final = 7
DKIM_STAT_REVOKED: Final = 8
DKIM_STAT_INVALID: Final = 9
DKIM_STAT_NOTIMPLEMENT: Final = 10
DKIM_STAT_KEYFAIL: Final = 11
DKIM_STAT_CBREJECT: Final = 12
DKIM_STAT_CBINVALID: Final = 13
DKIM_STAT_CBTRYAGAIN: Final = 14
DKIM_STAT_CBERROR: Final = 15
DKIM_STAT_MULTIDNSREPLY: Final = 16
DKIM_STAT_SIGGEN: Final = 17

# What is known of a signature: bit flags
DKIM_SIGFLAG_IGNORE: Final = 0x01
DKIM_SIGFLAG_PROCESSED: Final = 0x02
DKIM_SIGFLAG_PASSED: Final = 0x04
DKIM_SIGFLAG_TESTKEY: Final = 0x08
DKIM_SIGFLAG_NOSUBDOMAIN: Final = 0x10
DKIM_SIGFLAG_KEYLOADED: Final = 0x20
