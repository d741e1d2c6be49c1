"""`msys.idn`: internationalised domain names, to ASCII and back. Pure.

UTS 46 mapping with IDNA 2008 rules, by the idna package. A name that is all ASCII and no `xn--` label is
returned as it is.
"""

from __future__ import annotations

import idna

from msys.arguments import check_string
from msys.catalog.binding import documented
from msys.lua.bytestr import to_bytes, to_str

__all__ = ["to_idn", "to_utf8"]


@documented("msys.idn.to_idn", assumed="failure is nil and a text")
def to_idn(name: str) -> tuple[str | None, str | None]:
    """The ASCII (`xn--`) form of a UTF-8 domain; nil and a text when there is none.

    Source: lua.ref.msys.idn.
    """
    domain = check_string("to_idn", 1, name)
    if domain.isascii():
        return domain, None
    try:
        encoded = idna.encode(to_bytes(domain).decode("utf-8"), uts46=True, transitional=False)
    except (idna.IDNAError, UnicodeError) as error:
        return None, f"cannot convert to IDN: {error}"
    return encoded.decode("ascii"), None


@documented("msys.idn.to_utf8", assumed="failure is nil and a text")
def to_utf8(name: str) -> tuple[str | None, str | None]:
    """The UTF-8 form of an `xn--` domain; nil and a text when it is none. Source: lua.ref.msys.idn_utf8."""
    domain = check_string("to_utf8", 1, name)
    if "xn--" not in domain.lower():
        return domain, None
    try:
        decoded = idna.decode(domain, uts46=True)
    except (idna.IDNAError, UnicodeError) as error:
        return None, f"cannot convert from IDN: {error}"
    return to_str(decoded.encode("utf-8")), None
