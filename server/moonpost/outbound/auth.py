"""Logging in to a receiving host (RFC 4954): PLAIN, LOGIN, CRAM-MD5 and XOAUTH2 as the client speaks them.

Pure: challenges in, responses out. What the host answers, and what follows from it, is `opening`'s business.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

AUTOMATIC = ("CRAM-MD5", "PLAIN", "LOGIN")  # best first; XOAUTH2 wants a token, not a password


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we say we are. Strings are Latin-1, one character per byte."""

    user: str
    password: str = field(repr=False)
    mechanism: str = ""  # empty: the best that the host offers

    @property
    def usable(self) -> bool:
        """A NUL separates the parts of PLAIN, so none can stand in them."""
        return "\0" not in self.user + self.password


Response = Callable[[Credentials, bytes], bytes]  # (who, the challenge) -> what to say


class Mechanism(NamedTuple):
    """What the client says: at once, and to each challenge in turn."""

    first: Response | None
    then: tuple[Response, ...] = ()


def _user(who: Credentials, _: bytes) -> bytes:
    return who.user.encode("latin-1")


def _password(who: Credentials, _: bytes) -> bytes:
    return who.password.encode("latin-1")


def _plain(who: Credentials, _: bytes) -> bytes:  # RFC 4616 section 2
    return f"\0{who.user}\0{who.password}".encode("latin-1")


def _digest(who: Credentials, challenge: bytes) -> bytes:  # RFC 2195 section 2
    return (
        _user(who, b"") + b" " + hmac.digest(_password(who, b""), challenge, "md5").hex().encode()
    )


def _token(who: Credentials, _: bytes) -> bytes:
    return f"user={who.user}\x01auth=Bearer {who.password}\x01\x01".encode("latin-1")


def _nothing(_: Credentials, __: bytes) -> bytes:
    return b""


MECHANISMS: Mapping[str, Mechanism] = {
    "CRAM-MD5": Mechanism(None, (_digest,)),
    "PLAIN": Mechanism(_plain, (_plain,)),  # some hosts ask again although it was said at once
    "LOGIN": Mechanism(None, (_user, _password)),
    "XOAUTH2": Mechanism(_token, (_nothing,)),  # the challenge is a refusal that wants an answer
}


def choose(who: Credentials, offered: str) -> str:
    """The mechanism to use of those in the host's AUTH line; empty: none suits."""
    names = offered.upper().split()
    wanted = (who.mechanism.upper(),) if who.mechanism else AUTOMATIC
    return next((name for name in wanted if name in names and name in MECHANISMS), "")


def command(who: Credentials, mechanism: str) -> bytes:
    """The AUTH line without its line ending."""
    first = MECHANISMS[mechanism].first
    words = [b"AUTH", mechanism.encode()]
    if first is not None:
        words.append(b64encode(first(who, b"")))
    return b" ".join(words)


def respond(who: Credentials, mechanism: str, step: int, challenge: str) -> bytes:
    """The answer to the host's challenge number `step` from 0; `*` gives up, as RFC 4954 section 4 has it."""
    then = MECHANISMS[mechanism].then
    if step >= len(then):
        return b"*"
    try:
        asked = b64decode(challenge.encode("latin-1"), validate=True)
    except binascii.Error:
        return b"*"
    return b64encode(then[step](who, asked))
