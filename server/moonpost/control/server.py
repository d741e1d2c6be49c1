"""The console's sockets: who connected, one line in, one reply out, and the record of it.

Sockets in the file system only, of mode 0600 unless configured otherwise: whoever can open one may
stop the server and change where mail goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import logging
import os
import pwd
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from moonpost.control.access import NOT_AUTHORIZED, Authorization, Caller, Entry, Journal
from moonpost.control.commands import run
from moonpost.control.context import Session
from moonpost.control.frames import FAILED, MAX_REQUEST, Reply, encode
from moonpost.control.login import WORD, Login, enter, is_login, shown
from moonpost.control.services import Services

LOG = logging.getLogger("moonpost.control")
STOP_GRACE_S = 2.0  # chosen: a command in progress may finish its reply


class CannotListen(Exception):
    """A console socket that cannot be opened: which, why, what to do."""


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """One console socket. idle_time_s: a silent session is closed after it; 0: never. login: who checks; None: none is
    asked for.
    """

    path: str
    file_mode: int = 0o600
    idle_time_s: float = 60.0
    authorization: Authorization = field(default_factory=Authorization)
    login: Login | None = None


class ControlServer:
    """All console sockets of the server."""

    def __init__(
        self, services: Services, *, now: Callable[[], float], journal: Journal | None = None
    ) -> None:
        self._services = services
        self._journal = journal
        self._now = now
        self._servers: list[asyncio.Server] = []
        self._paths: list[str] = []
        self._sessions: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()  # those that wait for a command

    async def start(self, sockets: Sequence[ControlSettings]) -> None:
        """Open every socket; CannotListen when one cannot be, and then none is open."""
        try:
            for settings in sockets:
                await self._listen(settings)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the sockets, let replies in progress go out, end the sessions."""
        for server in self._servers:
            server.close()
        for task in self._idle:
            task.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=STOP_GRACE_S)
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self._servers.clear()
        self._paths.clear()

    async def _listen(self, settings: ControlSettings) -> None:
        listening = open_socket(settings.path, settings.file_mode)
        self._paths.append(settings.path)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._sessions.add(task)
            try:
                await self._serve(settings, reader, writer, task)
            except (ConnectionError, asyncio.CancelledError):
                pass  # the client went away, or the server is stopping
            finally:
                self._sessions.discard(task)
                writer.close()

        self._servers.append(
            await asyncio.start_unix_server(serve, sock=listening, limit=MAX_REQUEST)
        )

    async def _serve(
        self,
        settings: ControlSettings,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        task: asyncio.Task[None],
    ) -> None:
        caller = caller_of(writer.get_extra_info("socket"))
        session = Session(self._services, caller, settings.authorization)
        guest = settings.login is not None  # nobody yet, as far as commands go
        while True:
            self._idle.add(task)
            try:
                wait = reader.readline()
                raw = await asyncio.wait_for(wait, settings.idle_time_s or None)
            except TimeoutError:
                return
            except ValueError:
                writer.write(encode(Reply(FAILED, f"a command has at most {MAX_REQUEST} octets")))
                await writer.drain()
                return
            finally:
                self._idle.discard(task)
            if not raw.endswith(b"\n"):
                return  # the client closed
            line = raw[:-1].decode("utf-8", "replace").strip()
            if guest or is_login(line):
                guest = not await self._enter(settings, session, line, writer)
                if guest and writer.is_closing():
                    return
                continue
            reply = await self._answer(settings, session, line)
            writer.write(encode(reply))
            await writer.drain()
            if reply.end:
                return

    async def _enter(
        self, settings: ControlSettings, session: Session, line: str, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer a login, or whatever came in its place; whether the session may go on to commands."""
        before = self._state()
        reply, caller = await enter(settings.login, session.caller, line)
        session.caller = caller or session.caller
        self._record(settings, session.caller, shown(line), WORD if caller else None, reply, before)
        writer.write(encode(reply))
        await writer.drain()
        if reply.end:
            writer.close()
        return caller is not None or settings.login is None

    async def _answer(self, settings: ControlSettings, session: Session, line: str) -> Reply:
        role = session.authorization.role_for(session.caller, line)
        before = self._state()
        if role is None:
            reply = Reply(FAILED, NOT_AUTHORIZED)
        else:
            try:
                reply = await run(session, line)
            except Exception:
                LOG.exception("internal error in the console command %r", line)
                reply = Reply(FAILED, "internal error; the server's log has the traceback")
        self._record(settings, session.caller, line, role, reply, before)
        return reply

    def _state(self) -> tuple[int, str]:
        scripts = self._services.scripts
        policy = scripts.policy_hash() if scripts is not None else ""
        return self._services.configuration.current.number, policy

    def _record(
        self,
        settings: ControlSettings,
        caller: Caller,
        line: str,
        role: str | None,
        reply: Reply,
        before: tuple[int, str],
    ) -> None:
        if self._journal is None or not line:
            return
        after = self._state()
        entry = Entry(
            at=self._now(),
            listener=settings.path,
            caller=caller,
            allowed=role is not None,
            succeeded=reply.ok,
            command=line,
            role=role or "",
            generation=(before[0], after[0]),
            policy=(before[1], after[1]),
        )
        try:
            self._journal.append(entry)
        except OSError as error:
            # The command has run; losing its record must be seen, not hidden behind its reply.
            LOG.error("the console command %r could not be recorded: %s", line, error)


def open_socket(path: str, mode: int) -> socket.socket:
    """A listening socket at `path` that never was more open than `mode`."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.setblocking(False)
    old_mask = os.umask(0o777 & ~mode)
    try:
        try:
            listening.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or _alive(path):
                raise
            os.unlink(path)  # left behind by a server that died
            listening.bind(path)
        os.chmod(path, mode)
    except OSError as error:
        listening.close()
        raise CannotListen(f"console socket {path}: {_reason(path, error)}") from None
    finally:
        os.umask(old_mask)
    return listening


def _reason(path: str, error: OSError) -> str:
    if error.errno is None:  # Python refuses the path itself
        return f"{error}; a socket's path has at most 107 octets, this one {len(os.fsencode(path))}"
    if error.errno == errno.EADDRINUSE:
        return "another process listens there; stop it, or configure another path"
    return os.strerror(error.errno)


def _alive(path: str) -> bool:
    """Whether somebody answers at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError as error:
            return error.errno != errno.ECONNREFUSED
    return True


_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7), SO_PEERCRED


def caller_of(connection: socket.socket) -> Caller:
    """The process at the other end, from the kernel."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    try:
        user = pwd.getpwuid(uid).pw_name
        groups = [group.gr_name for group in grp.getgrall() if user in group.gr_mem]
    except KeyError:
        return Caller(f"uid {uid}", (), pid)
    with contextlib.suppress(KeyError):
        groups.insert(0, grp.getgrgid(gid).gr_name)
    return Caller(user, tuple(dict.fromkeys(groups)), pid)
