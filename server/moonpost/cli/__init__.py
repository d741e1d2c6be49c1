"""The `moonpost` command: one file per subcommand, loaded when it is asked for.

Exit codes: 0 clean, 1 findings or a failed program, 2 bad usage or unusable configuration.
"""

from __future__ import annotations

import importlib
import keyword
from importlib.metadata import version

import click

# subcommand -> what it does; the order is the order of the help page
COMMANDS = {
    "check": "diagnostics for scripts and configurations, nothing else",
    "compile": "turn Lua scripts into Python modules",
    "lua": "run a plain Lua program as `lua FILE` would",
    "serve": "run the mail server in the foreground",
    "sim": "play one SMTP session against policy, without a network",
    "debug": "step through policy, in Lua or in Python",
    "console": "talk to a running server",
    "top": "show what a running server does, also while it is stuck",
    "drain": "hand the spool of a stopped server to another one",
    "spool": "say which messages of a spool are whole",
    "import": "say what an existing tree of configuration becomes here",
    "why": "tell the life of a message from the event log",
    "explain": "explain a diagnostic, at length",
}


class LazyGroup(click.Group):
    """Imports a subcommand's module only when it runs: `moonpost lua` does not pay for the mail server."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"moonpost.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("moonpost"), prog_name="moonpost")
def main() -> None:
    """Runs the Lua policy of a Momentum mail server as readable, typed Python."""
