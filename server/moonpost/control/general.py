"""Handlers of commands about the server as a whole, and of policy."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

from moonpost.control.context import Session, need, usage
from moonpost.control.services import CommandFailed
from moonpost.control.tables import table


async def version(session: Session, words: list[str]) -> str:
    return f"moonpost version: {session.services.version}"


async def pid(session: Session, words: list[str]) -> str:
    return str(os.getpid())


async def memory(session: Session, words: list[str]) -> str:
    """Of the process that answers: memory, and what leaks would show in."""
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        f"resident memory: {pages * resource.getpagesize() // 1024} KiB\n"
        f"peak resident memory: {peak_kib} KiB\n"
        f"open descriptors: {len(os.listdir('/proc/self/fd'))}\n"
        f"tasks: {len(asyncio.all_tasks())}"
    )


async def shutdown(session: Session, words: list[str]) -> str:
    shut_down = need(session.services.shutdown, "shutdown")
    if session.dry_run:
        return (
            "the server would finish what it is sending, and stop; queued mail stays in the spool"
        )
    shut_down()
    session.ended = True
    return "shutting down"


async def reopen_logs(session: Session, words: list[str]) -> str:
    reopen = need(session.services.reopen_logs, "reopening logs")
    if session.dry_run:
        return "logs would be reopened"
    reopen()
    return "logs reopened"


async def paniclog(session: Session, words: list[str]) -> str:
    """The last ten lines of each level."""
    levels = need(session.services.panic_lines, "the panic log")()
    blocks = [
        "\n".join([f"{level}:", *(f"\t{line}" for line in lines[-10:])])
        for level, lines in levels.items()
        if lines
    ]
    return "\n".join(blocks) or "the panic log is empty"


async def authz_id(session: Session, words: list[str]) -> str:
    caller = session.caller
    return f"user: {caller.user}\nroles: {' '.join(caller.groups)}"


async def authz_roles(session: Session, words: list[str]) -> str:
    lines = []
    for name, patterns in session.authorization.roles.items():
        lines += [name, *(f"\tallow {pattern}" for pattern in patterns)]
    return "\n".join(lines) or "no roles are configured"


async def quit_console(session: Session, words: list[str]) -> str:
    session.ended = True
    return ""


ACCEPTORS = {
    "acceptor": "Acceptor", "process": "Process", "up_s": "Up", "restarts": "Restarts", "sessions": "Sessions",
    "messages": "Messages", "rejections": "Rejections", "generation": "Generation",
}  # fmt: skip


async def acceptors(session: Session, words: list[str]) -> str:
    rows = need(session.services.acceptors, "the list of acceptors")()
    return (
        table(rows, ACCEPTORS)
        if rows
        else "this process accepts mail itself; Workers starts others"
    )


async def scriptlet_eval(session: Session, words: list[str]) -> str:
    if not words:
        raise usage('scriptlet eval "CHUNK"')
    if not session.configuration.option("allow_scriptlet_eval"):
        raise CommandFailed("scriptlet eval is off; Allow_Scriptlet_Eval switches it on")
    return await need(session.services.scripts, "policy").evaluate(" ".join(words))


async def scriptlet_generations(session: Session, words: list[str]) -> str:
    scripts = need(session.services.scripts, "policy")
    columns = {"number": "Generation", "current": "Current", "sessions": "Sessions"}
    return f"{table(scripts.generations(), columns)}\npolicy {scripts.policy_hash()}"
