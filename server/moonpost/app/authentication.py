"""SMTP AUTH against the schemes that policy registered with `msys.registerAuth`.

A listener names the scheme: `AuthLoginParameters = [ uri = "directory://staff" ]`. Its `authenticate` runs as policy
and may wait. A scheme that nobody registered, and one that fails, is our fault: the client hears 454 and may try again.
CRAM-MD5 never sends a password, so a scheme for it has a function of its own, `clearPassword`, which gives the one that
is on file.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

from moonpost.inbound.interface import Credentials
from moonpost.policy import blame
from moonpost.policy.bridge import Bridge
from moonpost.policy.generation import Generation
from moonpost.policy.host import Host
from msys.constants import EC_AUTH_ERROR, EC_AUTH_OK
from msys.lua import Table, first, tostring
from msys.lua.bytestr import to_bytes, to_str
from msys.lua.environment import enter
from msys.ports import Call, PolicyLimit, Ports, enter_call

CRAM_MD5 = "CRAM-MD5"
OPTIONS = {
    "PLAIN": "authplainparameters",
    "LOGIN": "authloginparameters",
    CRAM_MD5: "authcrammd5parameters",
}


class NotChecked(Exception):
    """Credentials that could not be checked: why, and what to do."""


def mechanisms(option: Callable[[str], Any]) -> tuple[str, ...]:
    """What a listener offers: the mechanisms whose parameters name a scheme."""
    if not option("enable_authentication"):
        return ()
    return tuple(name for name, key in OPTIONS.items() if (option(key) or {}).get("uri"))


class SchemeAuthenticator:
    """`moonpost.inbound.interface.Authenticator` for one listener."""

    def __init__(
        self, host: Host, bridge: Bridge, ports: Ports, option: Callable[[str], Any]
    ) -> None:
        self._host = host
        self._bridge = bridge
        self._ports = ports
        self._option = option

    async def check(self, credentials: Credentials) -> bool:
        """Whether the scheme of this mechanism says EC_AUTH_OK."""
        parameters = self._option(OPTIONS[credentials.mechanism]) or {}
        scheme, _, rest = str(parameters.get("uri", "")).partition("://")
        generation = self._host.current()
        table = generation.environment.auth_schemes.get(scheme)
        challenged = credentials.mechanism == CRAM_MD5
        needed = "clearPassword" if challenged else "authenticate"
        function = table[needed] if table is not None else None
        if function is None:
            raise NotChecked(
                f"authentication scheme '{scheme}' cannot check {credentials.mechanism}; a script's init must call "
                f"msys.registerAuth('{scheme}', ...) with a table that has {needed}"
            )
        args = [table, to_str(rest.encode()), _table(parameters), to_str(credentials.user)]
        if not challenged:
            args.append(to_str(credentials.password))
        answer = await self._run(generation, lambda: first(function(*args)))
        if answer == EC_AUTH_ERROR and not isinstance(answer, bool):
            raise NotChecked(f"authentication scheme '{scheme}' answered EC_AUTH_ERROR")
        if challenged:
            return isinstance(answer, str) and answers(credentials.password, to_bytes(answer))
        return bool(answer == EC_AUTH_OK)

    async def groups(self, user: bytes) -> tuple[str, ...]:
        """The user's groups, as `enumGroups` of the scheme that checks LOGIN says; none where it says nothing."""
        parameters = self._option(OPTIONS["LOGIN"]) or {}
        scheme = str(parameters.get("uri", "")).partition("://")[0]
        generation = self._host.current()
        table = generation.environment.auth_schemes.get(scheme)
        function = table["enumGroups"] if table is not None else None
        if function is None:
            return ()
        answer = await self._run(generation, lambda: first(function(table, to_str(user))))
        if answer == EC_AUTH_ERROR and not isinstance(answer, bool):
            raise NotChecked(f"authentication scheme '{scheme}' answered EC_AUTH_ERROR for groups")
        if not isinstance(answer, Table):
            return ()
        return tuple(to_bytes(tostring(one)).decode("utf-8", "replace") for one in answer.values())

    async def _run(self, generation: Generation, function: Callable[[], Any]) -> Any:
        def enter_and_run() -> Any:
            enter(generation.environment)
            enter_call(
                Call(self._ports, generation.environment, callout="authenticate", phase="auth")
            )
            return function()

        generation.hold()
        try:
            answer = self._bridge.start(enter_and_run)
            return await answer if isawaitable(answer) else answer
        except Exception as error:
            raise NotChecked(blame.of_exception(error, "", "authenticate").text) from None
        except PolicyLimit as limit:
            raise NotChecked(blame.of_limit(limit, "", "authenticate").text) from None
        finally:
            generation.release()


def answers(presented: bytes, password: bytes) -> bool:
    """Whether `challenge digest` is the answer of somebody who knows the password (RFC 2195)."""
    challenge, _, digest = presented.rpartition(b" ")
    wanted = hmac.new(password, challenge, "md5").hexdigest().encode("ascii")
    return hmac.compare_digest(digest.lower(), wanted)


def _table(parameters: Mapping[str, str]) -> Table:
    return Table(
        {to_str(name.encode()): to_str(str(value).encode()) for name, value in parameters.items()}
    )
