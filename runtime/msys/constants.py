"""The constants of `msys.core`.

Published values are theirs; the rest are ours and stay as they are, because scripts only compare them.
Sources: contract pages named beside each group. Nothing here may depend on anything of ours.
"""

from __future__ import annotations

import os
import socket
from typing import Final

# Verdicts of callouts, and of hooks that answer with a number
VALIDATE_CONT: Final = 0
VALIDATE_DONE: Final = 1
VALIDATE_AGAIN: Final = 2
EC_HOOK_CONT: Final = 0
EC_HOOK_DONE: Final = 1
EC_HOOK_RETRY: Final = 2

# Context dictionaries: scripts mix the two spellings, so they are equal
VCTX_CONN: Final = 0
VCTX_MESS: Final = 1
ECMESS_CTX_CONN: Final = 0
ECMESS_CTX_MESS: Final = 1
STANDARD_KEY_MAILFROM_DOMAIN: Final = "mailfrom_domain"

# get_envelope2: bit flags
EC_MSG_ENV_FROM: Final = 1
EC_MSG_ENV_TO: Final = 2
EC_MSG_ENV_COMPLETE: Final = 4

# Transfer encodings of makePart
EC_MIME_TE_7BIT: Final = 0
EC_MIME_TE_8BIT: Final = 1
EC_MIME_TE_BINARY: Final = 2
EC_MIME_TE_QUOTED_PRINTABLE: Final = 3
EC_MIME_TE_BASE64: Final = 4

# render_to_string: bit flags
EC_MSG_RENDER_OMIT_DOT: Final = 1
EC_MSG_RENDER_HEADERS_ONLY: Final = 2
EC_MSG_RENDER_OMIT_HEADERS: Final = 4
EC_MSG_RENDER_UNSTUFFED: Final = 8

# io_wrapper_open: the platform's; one page misspells O_RDWR, and scripts copied it
O_RDONLY: Final = os.O_RDONLY
O_WRONLY: Final = os.O_WRONLY
O_RDWR: Final = os.O_RDWR
O_RDRW: Final = os.O_RDWR
O_CREAT: Final = os.O_CREAT
O_APPEND: Final = os.O_APPEND
O_TRUNC: Final = os.O_TRUNC
O_EXCL: Final = os.O_EXCL
O_BINARY: Final = 0

# How a message came in (msg.recv_method, accept.protocol)
P_INTERNAL: Final = 0
P_ECSTREAM: Final = 1
P_ESMTP: Final = 2
P_SMPP: Final = 3
P_MM7: Final = 4
PROTOCOLS: Final = {
    P_INTERNAL: "INTERNAL",
    P_ECSTREAM: "ECSTREAM",
    P_ESMTP: "ESMTP",
    P_SMPP: "SMPP",
    P_MM7: "MM7",
}

# msg.delivered
EM_TRYING: Final = 0
EM_SUCCEEDED: Final = 1
EM_FAILED: Final = 2

# Answers of authentication hooks; -1 is "go on with standard authentication"
EC_AUTH_OK: Final = 1
EC_AUTH_FAIL: Final = 0
EC_AUTH_ERROR: Final = 2

# Answers of delivery and enqueue hooks
DELIVERY_CONTINUE: Final = 0
DELIVERY_DONE: Final = 1
DELIVERY_SUCCESS: Final = 2
DELIVERY_TEMPFAILED: Final = 3
DELIVERY_PERMFAILED: Final = 4
EC_MESSAGE_ENQUEUE_HOOK_CONT: Final = 0
EC_MESSAGE_ENQUEUE_HOOK_OK: Final = 1
EC_MESSAGE_ENQUEUE_HOOK_ERR: Final = 2

# Kinds of ec_string
STRING_TYPE_STATIC: Final = -100
STRING_TYPE_DISK_BACKED: Final = -101
STRING_TYPE_IO_OBJECT: Final = -102
STRING_TYPE_GROWBUF: Final = -103
STRING_TYPE_GROWABLE_STATIC: Final = -104

# Where a session was refused (phase argument of core_log_rejection)
MC_STATE_START: Final = 0
MC_STATE_START_RESPONSE: Final = 1
MC_STATE_EHLO: Final = 2
MC_STATE_EHLO_RESPONSE: Final = 3
MC_STATE_MAILFROM: Final = 4
MC_STATE_MAILFROM_RESPONSE: Final = 5
MC_STATE_RCPTTO: Final = 6
MC_STATE_RCPTTO_RESPONSE: Final = 7
MC_STATE_DATA: Final = 8
MC_STATE_BODY: Final = 9
MC_STATE_BODY_RESPONSE: Final = 10
MC_STATE_ASYNC_BODY_RESPONSE: Final = 11
MC_STATE_OK: Final = 12
MC_STATE_RELAYING_DENIED: Final = 13
MC_STATE_EXTENSION_1: Final = 14
MC_STATE_EXTENSION_2: Final = 15
MC_STATE_EXTENSION_3: Final = 16
MC_STATE_EXTENSION_4: Final = 17
MC_STATE_CONCURRENCY_LIMIT: Final = 18
MC_STATE_RCPTTO_LIST_RESPONSE: Final = 19
MC_STATE_RCPTTO_LIST_FINAL_RESPONSE: Final = 20
MC_STATE_SETUP: Final = 21
MC_STATE_MCMT_FIXUP: Final = 22
MC_STATE_COUNT: Final = 23

# Actions of delivery reports (RFC 3464 section 2.3.3)
FAILED: Final = 0
DELAYED: Final = 1
DELIVERED: Final = 2
RELAYED: Final = 3
EXPANDED: Final = 4

# Severities, as syslog numbers them
LOG_EMERG: Final = 0
LOG_ALERT: Final = 1
LOG_CRIT: Final = 2
LOG_ERR: Final = 3
LOG_ERROR: Final = 3
LOG_WARNING: Final = 4
LOG_NOTICE: Final = 5
LOG_INFO: Final = 6
LOG_DEBUG: Final = 7

# Address families of ec_sockaddr_family
AF_INET: Final = int(socket.AF_INET)
AF_INET6: Final = int(socket.AF_INET6)

# Where the answer of an asynchronous job is delivered
ECTP_COMPLETE_CALLBACK: Final = 1
ECTP_COMPLETE_CALLBACK_SCHED: Final = 2

# What a sieve script may use (msys.runSieveScript): bit flags
SIEVEREQ_MSG: Final = 1 << 0
SIEVEREQ_ENV_FROM: Final = 1 << 1
SIEVEREQ_ENV_TO: Final = 1 << 2
SIEVEREQ_AC: Final = 1 << 3
SIEVEREQ_550_OK: Final = 1 << 4
SIEVEREQ_PHASE_CONNECT: Final = 1 << 5
SIEVEREQ_PHASE_EHLO: Final = 1 << 6
SIEVEREQ_PHASE_MAILFROM: Final = 1 << 7
SIEVEREQ_PHASE_RCPTTO: Final = 1 << 8
SIEVEREQ_PHASE_DATA: Final = 1 << 9
SIEVEREQ_PHASE_SPOOL: Final = 1 << 10
SIEVEREQ_PHASE_EACH_RCPT: Final = 1 << 11
SIEVEREQ_DNS_LOOKUP_OK: Final = 1 << 12
SIEVEREQ_MSG_BODY: Final = 1 << 13
SIEVEREQ_PHASE_ACCEPT: Final = 1 << 14
