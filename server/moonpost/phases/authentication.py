"""AUTH, once the client has said who it is: the hooks that may decide, the check, the reply.

The exchange itself (mechanisms, base64) is the driver's. Secrets are passed on and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from moonpost.phases import replies
from moonpost.phases.actions import AuthStatus, CheckCredentials, Note, Steps
from moonpost.phases.answering import close
from moonpost.phases.asking import tell
from moonpost.phases.state import SessionState
from moonpost.phases.table import AUTH
from msys import constants
from msys.ecstring import EcString

# What a hook's number means; anything else leaves the decision to the next.
HOOK_ANSWERS = {
    constants.EC_AUTH_OK: AuthStatus.PASS,
    constants.EC_AUTH_FAIL: AuthStatus.FAIL,
    constants.EC_AUTH_ERROR: AuthStatus.ERROR,
}
REPLIES = {
    AuthStatus.PASS: replies.AUTH_GOOD,
    AuthStatus.FAIL: replies.AUTH_BAD,
    AuthStatus.ERROR: replies.AUTH_UNAVAILABLE,
}

MOST_FAILURES = 5  # chosen: enough for a person's typing; RFC 4954 section 4 lets a server hang up


def credentials(session: SessionState, mechanism: str, user: str, password: str) -> Steps:
    """Decide on what the client presented, tell policy, answer."""
    response = EcString()
    status = yield from _decide(session, mechanism, user, password, response)
    conn = session.vctx.conn
    conn["auth_name"], conn["auth_status"] = mechanism, status.value
    if user:
        conn["auth_user"] = user
    if status is AuthStatus.PASS:
        session.auth_user = user
        conn["can_relay"] = "true"
    session.vctx.begin(AUTH.positive)
    values = {"vctx": session.vctx, "auth_info": user, "auth_status": status.value}
    yield from tell(session.generation, "core_validate_auth", values)
    if status is not AuthStatus.PASS:
        yield Note(535, "authentication failed", AUTH.log_phase, AUTH.state, "auth")
    yield _custom(str(response)) or REPLIES[status]
    if session.vctx.disconnect_flag:
        yield from close(session)


def count_failure(session: SessionState) -> Steps:
    """After too many failed attempts the session ends: guessing takes a connection for every few."""
    session.auth_failures += 1
    if session.auth_failures >= MOST_FAILURES:
        yield replies.closing(session.options.hostname, "too many failed log-ins")
        yield from close(session)


def _decide(
    session: SessionState, mechanism: str, user: str, password: str, response: EcString
) -> Generator[Any, Any, AuthStatus]:
    """The first that knows: the general hook, the scripted check, the configured one."""
    hooks: dict[str, dict[str, Any]] = {
        "core_pre_esmtp_auth": {
            "accept": session.accept,
            "mc": session.accept.message_construct(),
            "vctx": session.vctx,
        },
        "ac_auth_perform_auth": {
            "username": user,
            "password": password,
            "accept": session.accept,
            "response": response,
        },
    }
    for hook, values in hooks.items():
        outcome = yield from tell(session.generation, hook, values)
        for answer in outcome.results if outcome is not None else ():
            if answer in HOOK_ANSWERS and not isinstance(answer, bool):
                return HOOK_ANSWERS[answer]
    status: AuthStatus = yield CheckCredentials(mechanism, user, password)
    if status is not AuthStatus.PASS:
        values = {"username": user, "accept": session.accept, "response": response}
        yield from tell(session.generation, "ac_auth_log_auth_failure", values)
    return status


def _custom(text: str) -> bytes | None:
    """A reply that a script wrote, if it is one."""
    code, _, words = text.strip("\r\n").partition(" ")
    return replies.reply(int(code), words) if len(code) == 3 and code.isdigit() else None
