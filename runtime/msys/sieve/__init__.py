"""`msys.runSieveScript`: a Sieve script over the message and the session of the running callout.

The script says what it wants (`evaluate`); here is what may be asked in which phase, and how it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msys import constants as core
from msys.addresses import header_addresses
from msys.arguments import check_integer, check_string
from msys.catalog.binding import documented
from msys.constants import VCTX_MESS
from msys.lua import ABSENT, LuaError, Table
from msys.lua.bytestr import to_str
from msys.message import Message, fields, text
from msys.message.content import Content
from msys.message.headers import policy_value
from msys.ports import PortError, current, wait
from msys.sieve.evaluate import ACTIONS, CONTROL, TESTS, Wishes, evaluate, matcher_of
from msys.sieve.parsing import Script, SieveError, parse
from msys.vctx import ValidationContext

__all__ = ["runSieveScript"]

# phase word (`data`, `data_phase1`, `data_phase2`) -> its flag; 0: there is none
PHASES: Mapping[str, int] = {
    "accept": core.SIEVEREQ_PHASE_ACCEPT,
    "connect": core.SIEVEREQ_PHASE_CONNECT,
    "ehlo": core.SIEVEREQ_PHASE_EHLO,
    "mailfrom": core.SIEVEREQ_PHASE_MAILFROM,
    "rcptto": core.SIEVEREQ_PHASE_RCPTTO,
    "data": core.SIEVEREQ_PHASE_DATA,
    "spool": core.SIEVEREQ_PHASE_SPOOL,
    "each_rcpt": core.SIEVEREQ_PHASE_EACH_RCPT,
    "set_binding": 0,
}
ALL_PHASES = sum(PHASES.values())
WITH_MESSAGE = frozenset(("data", "spool", "each_rcpt", "set_binding"))

# command or test -> the flag it needs, and its name
NEEDS: Mapping[str, tuple[int, str]] = {
    **dict.fromkeys(("address", "exists", "header", "size"), (core.SIEVEREQ_MSG, "SIEVEREQ_MSG")),
    "body": (core.SIEVEREQ_MSG_BODY, "SIEVEREQ_MSG_BODY"),
    "reject": (core.SIEVEREQ_550_OK, "SIEVEREQ_550_OK"),
}
ENVELOPE_NEEDS: Mapping[str, tuple[int, str]] = {
    "from": (core.SIEVEREQ_ENV_FROM, "SIEVEREQ_ENV_FROM"),
    "to": (core.SIEVEREQ_ENV_TO, "SIEVEREQ_ENV_TO"),
}
FOLDER_KEY = "sieve_fileinto"
DISCARDED = "250 2.0.0 discarded by a Sieve script"
REJECTION = 550


@documented(
    "msys.runSieveScript",
    assumed="keep, discard, redirect and reject end the script, as in Momentum's Sieve; fileinto sets the message "
    "context `sieve_fileinto`; a command without its capability is an error before anything is done; Momentum's "
    "own `ec_` commands are not provided",
)
def runSieveScript(
    scriptfilename: Any = ABSENT, phase: Any = ABSENT, capabilities: Any = ABSENT
) -> tuple[bool, str | None]:
    """Run a Sieve script over the message and session of this callout. May wait for the file.

    scriptfilename: looked for as `msys.readfile` does. phase: `data`, `data_phase1`, `data_phase2`, likewise
    accept, connect, ehlo, mailfrom, rcptto, spool, each_rcpt and set_binding. capabilities: SIEVEREQ_* flags
    together; with SIEVEREQ_PHASE_* flags among them the phase must be one of those. true, or false and
    what went wrong: the script cannot be read, has a mistake (with its line), needs a capability that is not
    given, or wants what this phase cannot do. Then nothing is done.

    RFC 5228 with envelope, relational, variables, copy, subaddress, reject and body; `require` is not needed.
    reject sets the reply to 550 and its text. discard discards. redirect replaces the recipients (in each_rcpt
    this copy's); with `:copy` it adds one. Source: lua.ref.msys.runSieveScript.
    """
    name = check_string("runSieveScript", 1, scriptfilename)
    word = check_string("runSieveScript", 2, phase)
    flags = check_integer("runSieveScript", 3, capabilities)
    try:
        moment = _phase(word, flags)
        try:
            script = parse(wait(current().ports.files.read(name)))
            check(script, flags, moment)
            _perform(evaluate(script, _mail()), moment)
        except SieveError as error:
            raise SieveError(f"{name}: {error}") from None
    except (PortError, SieveError) as error:
        return False, str(error)
    return True, None


def _phase(word: str, flags: int) -> str:
    """The phase a word means."""
    moment = word.removesuffix("_phase1").removesuffix("_phase2")
    if moment not in PHASES:
        raise SieveError(f"unknown phase '{word}' (one of {', '.join(PHASES)})")
    if flags & ALL_PHASES and not flags & PHASES[moment]:
        raise SieveError(f"the capabilities do not allow phase '{word}'")
    return moment


def check(script: Script, flags: int, moment: str) -> None:
    """SieveError for what the script may not use, or cannot."""
    for node in script.walk():
        if not any(node.name in known for known in (ACTIONS, TESTS, CONTROL)):
            raise SieveError(f"'{node.name}' is not provided")
        needs = [NEEDS[node.name]] if node.name in NEEDS else []
        if node.name == "envelope":
            parts = (part.lower() for part in node.strings["header-list"])
            needs = [ENVELOPE_NEEDS[part] for part in parts if part in ENVELOPE_NEEDS]
        for flag, called in needs:
            if not flags & flag:
                raise SieveError(f"'{node.name}' needs the capability msys.core.{called}")
        if node.name == "redirect" and moment not in ("data", "each_rcpt"):
            raise SieveError(f"redirect cannot be used in {moment}: use data or each_rcpt")
        if "key-list" in node.strings:
            matcher_of(node)


class SessionMail:
    """The message of a callout as Sieve's tests see it. Before the content came, it has none."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._content = Content(message.content)
        self.sender = message.sender
        self.recipient = message.recipient
        self.size = self._content.size

    def headers(self, name: str) -> list[str]:
        raw = self._content.values(name.strip().encode("latin-1"))
        return [policy_value(value).strip() for value in raw]

    def addresses(self, name: str) -> list[str]:
        raw = self._content.values(name.strip().encode("latin-1"))
        return [a for value in raw for a in header_addresses(to_str(fields.unfolded(value)))]

    def bodies(self, transform: str, types: Sequence[str]) -> list[str]:
        if transform == "raw":
            return [to_str(self._content.body)]
        top = self._message.mime()
        leaves = [] if top is None else [part for part in top.walk() if not part.is_container]
        if transform == "text":
            chosen = [part for part in leaves if part.kind.is_text]
        else:
            wanted = [kind.lower() for kind in types]
            chosen = [part for part in leaves if _asked_for(part.kind.mimetype, wanted)]
        return [to_str(text.text_bytes(part) or b"") for part in chosen]


def _asked_for(mimetype: str, wanted: Sequence[str]) -> bool:
    return any(kind in ("", mimetype, mimetype.partition("/")[0]) for kind in wanted)


def _mail() -> SessionMail:
    message = current().message
    return SessionMail(Message() if message is None else message)


# Doing it


def _perform(wishes: Wishes, moment: str) -> None:
    """Do what a script wants."""
    call = current()
    message, vctx = call.message, call.vctx
    if wishes.rejection is not None:
        if not isinstance(vctx, ValidationContext):
            raise SieveError("reject: there is no session to answer")
        vctx.set_code(REJECTION, wishes.rejection.rstrip("\r\n") or "5.7.1 rejected")
        return
    if not (wishes.folders or wishes.redirects or not wishes.keep):
        return
    if message is None:
        raise SieveError("there is no message to do something with")
    try:
        if wishes.redirects:
            REDIRECT[moment](message, vctx, wishes)
        elif not wishes.keep and not wishes.folders:
            message.discard(DISCARDED)
        if wishes.folders:
            message.context_set(VCTX_MESS, FOLDER_KEY, ", ".join(wishes.folders))
    except LuaError as error:
        raise SieveError(str(error)) from None


def _redirect_all(message: Message, vctx: Any, wishes: Wishes) -> None:
    """Before copies are made: change the list of recipients."""
    if not isinstance(vctx, ValidationContext):
        raise SieveError("redirect: there is no session whose recipients could change")
    addresses = Table.array(*wishes.redirects)
    if wishes.keep or wishes.folders:
        vctx.add_recipient(addresses)
    else:
        vctx.recipient_list(addresses)


def _redirect_copy(message: Message, vctx: Any, wishes: Wishes) -> None:
    """One recipient's copy: change whom it is for, send more copies where that is not enough."""
    others = list(wishes.redirects)
    if not wishes.keep and not wishes.folders:
        message.rcptto(others.pop(0))
    if others:
        message.inject(message.sender, ",".join(others))


REDIRECT: Mapping[str, Callable[[Message, Any, Wishes], None]] = {
    "data": _redirect_all,
    "each_rcpt": _redirect_copy,
}
