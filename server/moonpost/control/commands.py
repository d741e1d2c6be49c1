"""The table of console commands, and how a line finds its handler.

Handlers are one-liners over `services`. A word that no row has may be a command that a script
registered; rows of the table cannot be replaced by scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moonpost.config.commands import Refused
from moonpost.config.diagnostics import ConfigurationError
from moonpost.control import adapting, configuring, counting, general, queueing, tracing
from moonpost.control.context import Handler, Session
from moonpost.control.frames import FAILED, OK, Reply, split_words
from moonpost.control.services import CommandFailed


@dataclass(frozen=True, slots=True)
class Command:
    """`arguments` and `summary` are for `help`; `changes`: it does something, so it knows `--dry-run`."""

    words: tuple[str, ...]
    arguments: str
    summary: str
    handler: Handler
    changes: bool = False


def _row(words: str, arguments: str, summary: str, handler: Handler) -> Command:
    return Command(tuple(words.split()), arguments, summary, handler)


def _act(words: str, arguments: str, summary: str, handler: Handler) -> Command:
    return Command(tuple(words.split()), arguments, summary, handler, changes=True)


SCOPE = "[SCOPE [INSTANCE]]..."
DRY_RUN = "--dry-run"
QUEUES = "[--binding BINDING] [--domain DOMAIN] | [--all]"

COMMANDS: Final = (
    _row("config get", f"{SCOPE} OPTION", "an option as that scope sets it", configuring.change("get")),
    _row("config eval", f"{SCOPE} OPTION", "an option with fallback and default", configuring.change("eval")),
    _act("config set", f"{SCOPE} OPTION [=] VALUE", "change an option, until a reload", configuring.change("set")),
    _act("config unset", f"{SCOPE} [OPTION]", "take an option or a whole scope away", configuring.change("unset")),
    _row("config show", SCOPE, "a scope in file syntax", configuring.change("show")),
    _row("config showrecurse", SCOPE, "a scope with everything in it", configuring.change("showrecurse")),
    _row("config locate", "SCOPE [REGEX]", "where scopes of a kind are", configuring.change("locate")),
    _row("config begin", "[from scratch]", "start a transaction of this session", configuring.begin),
    _row("config replay", "", "what the transaction changes", configuring.replay),
    _act("config commit", "", "put the transaction in force", configuring.commit),
    _row("config rollback", "", "forget the transaction", configuring.rollback),
    _act("config reload", "[PATH]", "read configuration and policy again", configuring.reload),
    _act("config writeback", "[PATH]", "keep what was changed", configuring.writeback),
    _act("write config", "FILE", "write the whole configuration to a file", configuring.write_main),
    _row("module list", "", "modules that are configured", configuring.module_list),
    _row("mailq", "", "domains with mail", queueing.mailq),
    _row("active", "[N]", "domains with most mail ready to go", queueing.active),
    _row("delayed", "[N]", "domains with most mail waiting", queueing.delayed),
    _row("domain", "DOMAIN", "one domain", queueing.domain),
    _row("showqueue", "[binding BINDING] DOMAIN [MAX[,OFFSET]]", "messages of a domain", queueing.show_queue),
    _row("binding summary", "", "mail by binding", queueing.binding_summary),
    _act("flush domain", "DOMAIN|all", "make waiting mail due now", queueing.flush_domain),
    _act("refresh domain", "DOMAIN", "forget the hosts of a domain", queueing.refresh_domain),
    _act("fail domain", "DOMAIN [quiet]", "fail the mail of a domain", queueing.fail_domain),
    _act("message retry", "ID", "make a message due now", queueing.message_retry),
    _act("message fail", "ID", "fail a message", queueing.message_fail),
    _act("reroute queue", "OLD NEW", "move mail to another domain's queue", queueing.reroute_queue),
    _act("rebind binding", "BINDING [DOMAIN]", "let policy choose bindings again", queueing.rebind_binding),
    _row("adaptive suspensions", QUEUES, "queues that adaptive delivery suspended or blackholed", adapting.suspensions),
    _act("adaptive override", f"{QUEUES} [enable | ttl SECONDS]", "end suspensions", adapting.override),
    _row("adaptive list", QUEUES, "options that adaptive delivery tuned", adapting.listing),
    _act("adaptive reset", QUEUES, "give tuned options their configured values", adapting.reset),
    _row("adaptive rules", "--binding BINDING --domain DOMAIN", "the rules of a queue", adapting.rules),
    _act("adaptive warmup", "[BINDING [AGE]]", "ages of bindings, or set one", adapting.warmup),
    _act("trace smtp add", tracing.ADD.partition(" add ")[2], "write sessions that begin to a file", tracing.add),
    _row("trace smtp list", "", "what is traced", tracing.listing),
    _act("trace smtp remove", "TRACER_ID", "trace no more", tracing.remove),
    _row("counter list", "", "counters of policy", counting.counter_list),
    _act("counter add", "NAME DELTA", "add to a counter", counting.counter_add),
    _act("counter increment", "NAME", "add one to a counter", counting.counter_increment),
    _act("counter reset", "NAME", "set a counter to zero", counting.counter_reset),
    _act("counter unlink", "NAME", "remove a counter", counting.counter_unlink),
    _row("threads stats", "", "thread pools", counting.threads_stats),
    _row("inbound_audit show ip", "IP[/MASK]", "what the audit counted", counting.audit_show_ip),
    _row("scriptlet eval", "CHUNK", "run a chunk of Lua", general.scriptlet_eval),
    _row("scriptlet generations", "", "generations of policy in use", general.scriptlet_generations),
    _row("paniclog", "", "the latest lines of the panic log", general.paniclog),
    _act("reopen logs", "", "open log files anew", general.reopen_logs),
    _row("authz id", "", "who you are", general.authz_id),
    _row("authz roles list", "", "roles and what they allow", general.authz_roles),
    _row("version", "", "version of the server", general.version),
    _row("pid", "", "process id of the server", general.pid),
    _row("acceptors", "", "processes that accept mail", general.acceptors),
    _row("memory", "", "memory of the server", general.memory),
    _act("shutdown", "", "stop the server", general.shutdown),
    _row("quit", "", "end this session", general.quit_console),
)  # fmt: skip

_BY_WORDS: Final = {command.words: command for command in COMMANDS}
_LONGEST: Final = max(len(words) for words in _BY_WORDS)
_FIRST: Final = frozenset(words[0] for words in _BY_WORDS)


def find(words: list[str]) -> tuple[Command, list[str]] | None:
    """The command with the most leading words, and its arguments. Command words ignore case."""
    lowered = [word.lower() for word in words[:_LONGEST]]
    for length in range(len(lowered), 0, -1):
        command = _BY_WORDS.get(tuple(lowered[:length]))
        if command is not None:
            return command, words[length:]
    return None


async def run(session: Session, line: str) -> Reply:
    """Carry out one line. Every failure is a reply; an exception from here is our own bug."""
    try:
        words = split_words(line)
        if not words:
            return Reply(OK, "")
        return Reply(OK, await _dispatch(session, words), end=session.ended)
    except ValueError as error:
        return Reply(FAILED, f"cannot read the command: {error}")
    except (CommandFailed, Refused, ConfigurationError) as error:
        return Reply(FAILED, str(error))


async def _dispatch(session: Session, words: list[str]) -> str:
    words[0] = words[0].partition(":")[0] if words[0].partition(":")[0] in _FIRST else words[0]
    session.dry_run = DRY_RUN in words
    words = [word for word in words if word != DRY_RUN]
    found = find(words)
    if session.dry_run and (found is None or not found[0].changes):
        raise CommandFailed(
            f"{DRY_RUN} is for commands of the server that change something; nothing was done"
        )
    if found is not None:
        command, arguments = found
        return await command.handler(session, arguments)
    if words[0].lower() == "help":
        return help_text(words[1:])
    if words[-1].lower() == "help" and words[0].lower() in _FIRST:
        return help_text(words[:-1])
    scripts = session.services.scripts
    if scripts is not None and scripts.has_command(words[0]):
        return await scripts.run_command(words)
    if words[0].lower() in _FIRST:
        near = help_text(words[:1])
        raise CommandFailed(f"{' '.join(words)}: no such command; there are\n{near}")
    raise CommandFailed(f"{words[0]}: no such command; `help` lists them")


def help_text(words: list[str]) -> str:
    """The commands that begin with `words`."""
    lowered = tuple(word.lower() for word in words)
    lines: list[str] = []
    for command in COMMANDS:
        if command.words[: len(lowered)] == lowered:
            dry_run = f"[{DRY_RUN}]" if command.changes else ""
            lines += [
                " ".join(filter(None, [*command.words, command.arguments, dry_run])),
                f"\t{command.summary}",
            ]
    return "\n".join(lines) or f"{' '.join(words)}: no such command"
