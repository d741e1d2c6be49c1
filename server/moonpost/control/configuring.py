"""Handlers of `config ...` and `write config`: thin over moonpost.config.live."""

from __future__ import annotations

import asyncio

from moonpost.config.commands import run
from moonpost.config.diagnostics import ConfigurationError
from moonpost.control.context import Handler, Session
from moonpost.control.frames import join_words
from moonpost.control.services import CommandFailed, ReloadFailed

POLICY_REFUSED = (
    "Module 'scriptlet' instance 'scriptlet' initialization failed while preparing to commit."
)


def change(verb: str) -> Handler:
    """The handler of `config get`, `config set`, ..."""

    async def handler(session: Session, words: list[str]) -> str:
        if session.dry_run:
            transaction = session.transaction
            working = transaction.working if transaction else session.configuration.current
            return f"would answer, and change nothing else:\n{run(working, [verb, *words]).text}"
        target = session.transaction or session.configuration
        return target.run([verb, *words]).text

    return handler


async def begin(session: Session, words: list[str]) -> str:
    if session.transaction is not None:
        raise CommandFailed("a transaction is open already; commit or roll back first")
    if words not in ([], ["from", "scratch"]):
        raise CommandFailed("usage: config begin [from scratch]")
    session.transaction = session.configuration.begin(from_scratch=bool(words))
    return "Transaction started"


def _open(session: Session) -> None:
    if session.transaction is None:
        raise CommandFailed("no transaction is open; `config begin` starts one")


async def commit(session: Session, words: list[str]) -> str:
    _open(session)
    assert session.transaction is not None
    if session.dry_run:
        session.configuration.check(session.transaction)
        return f"would put in force:\n{await replay(session, words)}"
    transaction, session.transaction = session.transaction, None
    session.configuration.commit(transaction)
    return "Transaction committed"


async def rollback(session: Session, words: list[str]) -> str:
    _open(session)
    session.transaction = None
    return "Transaction rolled back"


async def replay(session: Session, words: list[str]) -> str:
    _open(session)
    assert session.transaction is not None
    return "\n".join(f"config {join_words(given)}" for given in session.transaction.commands)


async def reload(session: Session, words: list[str]) -> str:
    """Read the files again; configuration and policy change together or not at all."""
    if session.transaction is not None:
        raise CommandFailed("config reload: a transaction is open; commit or roll back first")
    path = words[0] if words else None
    live = session.configuration
    if session.dry_run:
        try:
            prepared = await asyncio.to_thread(live.prepare, path)
        except ConfigurationError as error:
            raise CommandFailed(f"{error}\nReconfigure would fail.") from None
        return (
            f"{prepared.path} can be read and would be adopted, if policy loads: "
            f"`moonpost check {prepared.path}` says so without a server"
        )
    try:
        if session.services.reload is not None:
            lines = list(await session.services.reload(path))
        else:
            lines = []
            live.adopt(await asyncio.to_thread(live.prepare, path))
    except ConfigurationError as error:
        raise CommandFailed(f"{error}\nReconfigure failed.") from None
    except ReloadFailed as failed:
        why = f"\n{POLICY_REFUSED}" if failed.policy else ""
        raise CommandFailed(f"{failed}{why}\nReconfigure failed.") from None
    notes = [note.render() for note in live.current.notes if note.severity == "warning"]
    return "\n".join([*notes, *lines, "Reconfigure complete."])


async def writeback(session: Session, words: list[str]) -> str:
    live = session.configuration
    if session.dry_run:
        target = words[0] if words else live.current.option("local_changes_file")
        return f"would write {target}" if target else "Local_Changes_File is not set: give a PATH"
    try:
        write = (live.write, words[0]) if words else (live.write_back,)
        warnings = await asyncio.to_thread(*write)
    except OSError as error:
        raise CommandFailed(f"{error.filename}: {error.strerror}; nothing was written") from None
    return "\n".join([*(f"warning: {text}" for text in warnings), "Configuration written"])


async def write_main(session: Session, words: list[str]) -> str:
    if not words:
        raise CommandFailed("usage: write config FILE")
    return await writeback(session, words[:1])


async def module_list(session: Session, words: list[str]) -> str:
    blocks = []
    for node in session.configuration.current.root.children.values():
        if not node.row.module:
            continue
        instance = f":{node.instance}" if node.instance else ""
        enabled = "false" if node.get("enabled") is False else "true"
        blocks.append(
            f"Module: {node.row.name}{instance}\n"
            f"\tScope_Name: {node.row.name}\n"
            f"\tInstance_Name: {node.instance or ''}\n"
            f"\tEnabled: {enabled}\n"
            f"\tProvided: {node.row.support}"
        )
    return "\n".join(blocks)
