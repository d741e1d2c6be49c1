"""`msys.validate.opendkim`: checking and making DKIM signatures as libopendkim does.

Getters answer the value first and a `DKIM_STAT` number second; on nil the value is nil and the number
`DKIM_STAT_INVALID`. A getter on a bad signature is still `DKIM_STAT_OK`: its fate is in the flags and the
error text. The numbers are in `require("opendkim.dkim")`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msys.arguments import check_class, check_integer, check_string
from msys.catalog.binding import documented
from msys.lua import ABSENT, Userdata
from msys.message import Message
from msys.opendkim import dkim as lib
from msys.ports import current
from msys.validate import signing
from msys.validate.verifying import Signature
from msys.validate.verifying import verify as verify_message

__all__ = [
    "Dkim",
    "DkimSig",
    "get_num_sigs",
    "get_sig",
    "get_sig_canons",
    "get_sig_domain",
    "get_sig_errorstr",
    "get_sig_flags",
    "get_sig_hdrsigned",
    "get_sig_identity",
    "get_sig_keysize",
    "get_sig_selector",
    "get_sig_signalg",
    "sign",
    "verify",
]

T = TypeVar("T")

NIL = "nil gives nil and DKIM_STAT_INVALID"
SHOWN_ALGORITHMS = ("rsa-sha1", "rsa-sha256")  # what get_sig_signalg may answer


class DkimSig(Userdata):
    """One signature, as `get_sig` gives it."""

    __slots__ = ("signature",)
    lua_type = "opendkim.dkim:DKIM_SIGINFO"

    def __init__(self, signature: Signature) -> None:
        self.signature = signature


class Dkim(Userdata):
    """The signatures of one message, as `verify` gives them."""

    __slots__ = ("signatures",)
    lua_type = "opendkim.dkim:DKIM"

    def __init__(self, signatures: list[DkimSig]) -> None:
        self.signatures = signatures


def _get(dkim_sig: Any, read: Callable[[Signature], T]) -> tuple[T | None, int]:
    """A value of a signature and DKIM_STAT_OK; nil and DKIM_STAT_INVALID without one."""
    if not isinstance(dkim_sig, DkimSig):
        return None, lib.DKIM_STAT_INVALID
    return read(dkim_sig.signature), lib.DKIM_STAT_OK


@documented(
    "msys.validate.opendkim.verify",
    assumed="OK when any signature passes, NOSIG without one, else the first one's failure; adds no header",
)
def verify(m: Message | None) -> tuple[Dkim | None, int]:
    """Check every DKIM signature of a message (nil: the one in hand); waits for DNS.

    A handle for the getters, and DKIM_STAT_NOSIG without a signature, DKIM_STAT_OK when at least one
    passes, else the first one's failure. Source: lua.ref.msys.validate.opendkim.verify.
    """
    message = current().message if m is None else m
    if message is None:
        return None, lib.DKIM_STAT_INVALID
    signatures = verify_message(check_class("verify", 1, message, Message, "message"))
    handle = Dkim([DkimSig(one) for one in signatures])
    if not signatures:
        return handle, lib.DKIM_STAT_NOSIG
    passed = any(one.passed for one in signatures)
    return handle, lib.DKIM_STAT_OK if passed else signatures[0].status


@documented("msys.validate.opendkim.get_num_sigs", assumed=NIL)
def get_num_sigs(dkim: Dkim | None) -> tuple[int | None, int]:
    """How many signatures the message has. Source: lua.ref.msys.validate.opendkim.get_num_sigs."""
    if not isinstance(dkim, Dkim):
        return None, lib.DKIM_STAT_INVALID
    return len(dkim.signatures), lib.DKIM_STAT_OK


@documented(
    "msys.validate.opendkim.get_sig",
    assumed="without a number the first that passed, else the first; out of range is nil, DKIM_STAT_INVALID",
)
def get_sig(dkim: Dkim | None, num: Any = ABSENT) -> tuple[DkimSig | None, int]:
    """A signature by its number from 0; without a number the first that passed, else the first.

    Source: lua.ref.msys.validate.opendkim.get_sig.
    """
    if not isinstance(dkim, Dkim):
        return None, lib.DKIM_STAT_INVALID
    found = dkim.signatures
    if num is ABSENT or num is None:
        best = next((one for one in found if one.signature.passed), found[0] if found else None)
        return (best, lib.DKIM_STAT_OK) if best is not None else (None, lib.DKIM_STAT_INVALID)
    number = check_integer("get_sig", 2, num)
    if 0 <= number < len(found):
        return found[number], lib.DKIM_STAT_OK
    return None, lib.DKIM_STAT_INVALID


@documented("msys.validate.opendkim.get_sig_canons", assumed=NIL)
def get_sig_canons(dkim_sig: DkimSig | None) -> tuple[str | None, int]:
    """The canonicalisation of the header, `simple` or `relaxed`.

    Source: lua.ref.msys.validate.opendkim.get_sig_canons.
    """
    return _get(dkim_sig, lambda one: one.canons[0])


@documented("msys.validate.opendkim.get_sig_domain", assumed=NIL)
def get_sig_domain(dkim_sig: DkimSig | None) -> tuple[str | None, int]:
    """The signing domain, `d=`. Source: lua.ref.msys.validate.opendkim.get_sig_domain."""
    return _get(dkim_sig, lambda one: one.domain)


@documented("msys.validate.opendkim.get_sig_errorstr", assumed=NIL)
def get_sig_errorstr(dkim_sig: DkimSig | None) -> tuple[str | None, int]:
    """What is wrong with the signature; `no signature error` for a good one.

    Source: lua.ref.msys.validate.opendkim.get_sig_errorstr.
    """
    return _get(dkim_sig, lambda one: one.error)


@documented("msys.validate.opendkim.get_sig_flags", assumed=NIL)
def get_sig_flags(dkim_sig: DkimSig | None) -> tuple[int | None, int]:
    """`DKIM_SIGFLAG_…` bits: processed, passed, test key, no subdomains, key loaded.

    Source: lua.ref.msys.validate.opendkim.get_sig_flags.
    """
    return _get(dkim_sig, lambda one: one.flags)


@documented("msys.validate.opendkim.get_sig_hdrsigned", assumed=NIL)
def get_sig_hdrsigned(dkim_sig: DkimSig | None, header_name: str) -> tuple[bool | None, int]:
    """Whether `h=` names the header, in any case. Source: lua.ref.msys.validate.opendkim.get_sig_hdrsigned."""
    name = check_string("get_sig_hdrsigned", 2, header_name).strip().lower()
    return _get(dkim_sig, lambda one: name in one.signed_names)


@documented("msys.validate.opendkim.get_sig_identity", assumed="without i= it is @ and the domain")
def get_sig_identity(dkim: Dkim | None, dkim_sig: DkimSig | None) -> tuple[str | None, int]:
    """The identity, `i=`; `@` and the domain when there is none.

    Source: lua.ref.msys.validate.opendkim.get_sig_identity.
    """
    return _get(dkim_sig, lambda one: one.identity)


@documented(
    "msys.validate.opendkim.get_sig_keysize", assumed="0 and NOKEY when the key was not found"
)
def get_sig_keysize(dkim_sig: DkimSig | None) -> tuple[int | None, int]:
    """The size of the key in bits; 0 and DKIM_STAT_NOKEY or DKIM_STAT_KEYFAIL when there is none.

    Source: lua.ref.msys.validate.opendkim.get_sig_keysize.
    """
    if isinstance(dkim_sig, DkimSig) and dkim_sig.signature.record is None:
        failed = dkim_sig.signature.status == lib.DKIM_STAT_KEYFAIL
        return 0, lib.DKIM_STAT_KEYFAIL if failed else lib.DKIM_STAT_NOKEY
    return _get(dkim_sig, lambda one: 0 if one.record is None else one.record.bits)


@documented("msys.validate.opendkim.get_sig_selector", assumed=NIL)
def get_sig_selector(dkim_sig: DkimSig | None) -> tuple[str | None, int]:
    """The selector, `s=`. Source: lua.ref.msys.validate.opendkim.get_sig_selector."""
    return _get(dkim_sig, lambda one: one.tags.get("s", ""))


@documented("msys.validate.opendkim.get_sig_signalg", assumed="an Ed25519 signature is `unknown`")
def get_sig_signalg(dkim_sig: DkimSig | None) -> tuple[str | None, int]:
    """`rsa-sha1`, `rsa-sha256` or `unknown`. Source: lua.ref.msys.validate.opendkim.get_sig_signalg."""

    def shown(one: Signature) -> str:
        algorithm = one.tags.get("a", "")
        return algorithm if algorithm in SHOWN_ALGORITHMS else "unknown"

    return _get(dkim_sig, shown)


@documented(
    "msys.validate.opendkim.sign",
    assumed="1 when a signature was added, else 0 (logged); once per domain and selector; `headerlist` is "
    "honoured",
)
def sign(msg: Message | None, vctx: Any, options: Any = ABSENT) -> int:
    """Put a DKIM-Signature in front of the message (nil: the one in hand), in core_final_validation.

    options, over those of the `opendkim` stanza: `base_domain` (or `signing_domain`), `selector`,
    `keyfile` (`%{d}` and `%{s}` filled) or `keybuf` (bare Base64), `header_canon`, `body_canon`, `digest`
    (`rsa-sha1`, `rsa-sha256`), `headerlist`, `identity`, `body_length_limit`, `lifetime` hours. An
    Ed25519 key signs as `ed25519-sha256`. 1 when a signature was added, 0 when not, which is logged.
    Source: lua.ref.msys.validate.opendkim.sign.
    """
    return signing.sign("sign", "opendkim", msg, options)
