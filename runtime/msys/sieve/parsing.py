"""Sieve text to a tree of our own. sievelib parses; what it leaves quoted is unquoted here.

Pure. Scripts in Momentum need no `require`: every extension that we have is loaded before the first line. What a
script requires and we have not is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sievelib import commands
from sievelib.parser import Parser

from msys.lua.bytestr import to_str

EXTENSIONS = frozenset(
    (
        "body", "comparator-i;ascii-casemap", "comparator-i;ascii-numeric", "comparator-i;octet",
        "copy", "envelope", "fileinto", "reject", "relational", "subaddress", "variables",
    )
)  # fmt: skip
MAX_NESTING = 32  # chosen: RFC 5228 section 2.10.5 asks for 15
CACHED = 200  # scripts; what Momentum's cache_size is by default

MULTILINE = re.compile(r"text:[ \t]*(?:#[^\n]*)?\r?\n(.*?)\r?\n?\.\r?\Z", re.DOTALL)
ENDS = ("semicolon", "right_cbracket")
FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class SieveError(Exception):
    """A script that cannot be run, or cannot go on; the text says why."""


class StringCommand(commands.TestCommand):  # type: ignore[misc]
    """`string` of RFC 5229 section 5, which sievelib has not got."""

    extension = "variables"
    args_definition = [
        commands.comparator,
        commands.match_type,
        {"name": "source", "type": ["string", "stringlist"], "required": True},
        {"name": "key-list", "type": ["string", "stringlist"], "required": True},
    ]


# sievelib knows neither subaddresses (RFC 5233) nor numbers as a comparator (RFC 4790 section 9.1)
commands.add_commands([StringCommand])
commands.address_part["extension_values"] = {":user": "subaddress", ":detail": "subaddress"}
if '"i;ascii-numeric"' not in commands.comparator["extra_arg"]["values"]:
    commands.comparator["extra_arg"]["values"].append('"i;ascii-numeric"')


@dataclass(frozen=True, slots=True)
class Node:
    """A command or a test: strings and tags by argument name, tags without their colon and in lower case."""

    name: str
    strings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    tests: tuple[Node, ...] = ()
    block: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for node in (*self.tests, *self.block):
            yield from node.walk()


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script. interpolates: whether `${name}` in its strings means a variable."""

    commands: tuple[Node, ...]
    interpolates: bool

    def walk(self) -> Iterator[Node]:
        """Every command and test."""
        for node in self.commands:
            yield from node.walk()


@lru_cache(maxsize=CACHED)
def parse(text: bytes) -> Script:
    """The tree of a script; SieveError names the line of a mistake."""
    parser = Parser()
    loaded = ", ".join(f'"{name}"' for name in sorted(EXTENSIONS))
    if not parser.parse(b"require [%b]; " % loaded.encode() + text):
        raise SieveError(parser.error)
    kinds = [kind for kind, _ in parser.lexer.scan(text) if not kind.endswith("comment")]
    nodes = [_node(command, 0) for command in parser.result[1:]]
    # sievelib drops a last command that does not end, and a test that no command asked for
    if kinds and kinds[-1] not in ENDS:
        raise SieveError("the last command has no ';' at its end")
    if kinds.count("identifier") != sum(1 for node in nodes for _ in node.walk()):
        raise SieveError("a test stands where none is wanted")
    required = {
        name for node in nodes if node.name == "require" for name in node.strings["capabilities"]
    }
    if missing := sorted(required - EXTENSIONS):
        raise SieveError(f"extension '{missing[0]}' is not provided")
    script = Script(tuple(node for node in nodes if node.name != "require"), False)
    used = {node.name for node in script.walk()}
    return Script(script.commands, "variables" in required or bool(used & {"set", "string"}))


def _node(command: Any, depth: int) -> Node:
    if depth > MAX_NESTING:
        raise SieveError(f"more than {MAX_NESTING} blocks and tests in each other")
    strings: dict[str, tuple[str, ...]] = {}
    tags: dict[str, str] = {}
    tests: list[Node] = []
    number = 0
    for name, value in [*command.arguments.items(), *_extra(command)]:
        values = value if isinstance(value, list) else [value]
        if any(isinstance(each, commands.Command) for each in values):
            tests += [_node(each, depth + 1) for each in values]
        elif isinstance(value, str) and value.startswith(":"):
            tags[name] = value[1:].lower()
        elif isinstance(value, str) and value[:1].isdigit():
            number = (
                int(value.rstrip("KMGkmg")) * FACTORS[value[len(value.rstrip("KMGkmg")) :].lower()]
            )
        else:
            strings[name] = tuple(map(unquoted, values))
    block = tuple(_node(child, depth + 1) for child in command.children)
    return Node(command.name, strings, tags, number, tuple(tests), block)


def _extra(command: Any) -> list[tuple[str, Any]]:
    """What stands behind a tag: the comparator's name, the relation, the content types."""
    return [(f"{name} argument", value) for name, value in command.extra_arguments.items()]


def unquoted(text: str) -> str:
    """The content of a string as it stands in the script, as a Lua string of UTF-8."""
    multiline = MULTILINE.fullmatch(text)
    if multiline is not None:
        lines = multiline[1].replace("\r\n", "\n").split("\n")
        whole = "\r\n".join(line[1:] if line.startswith("..") else line for line in lines)
        return to_str((whole + "\r\n" if whole else "").encode())
    if text[:1] == text[-1:] == '"' and len(text) > 1:
        text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return to_str(text.encode())
