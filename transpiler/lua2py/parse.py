"""Source to tree.

`grammar` finds the first mistake in Lua's own words; what it accepts, luaparser arranges and `build` turns into
our tree. Never raises for what a script contains, and returns in time linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from antlr4.atn.ParserATNSimulator import ParserATNSimulator
from antlr4.atn.PredictionMode import PredictionMode
from antlr4.dfa.DFA import DFA
from antlr4.error.Errors import ParseCancellationException
from antlr4.error.ErrorStrategy import BailErrorStrategy
from antlr4.PredictionContext import PredictionContextCache
from luaparser.parser.LuaParser import LuaParser

from lua2py import literals
from lua2py.build import Builder
from lua2py.depth import deep_recursion
from lua2py.diagnostics import Diagnostic, in_order, without_allowed
from lua2py.grammar import Mistake, first_mistake
from lua2py.hints import hint
from lua2py.mask import dressed
from lua2py.source import SourceFile
from lua2py.tokens import END, NUMBER, STRING, Lexed, Token, lex
from lua2py.tree import Chunk

# The kind of a mistake to its code.
CODES = {
    "unexpected": "L101",
    "expected": "L102",
    "unclosed": "L103",
    "scan": "L104",
    "statement": "L105",
    "ambiguous": "L106",
    "break": "L107",
    "vararg": "L108",
    "limit": "L109",
}
BYTECODE = "\x1bLua"


def parse(source: SourceFile, std: str = "thr") -> tuple[Chunk | None, list[Diagnostic]]:
    """The tree of a chunk, or None and the mistake; warnings and notes about its text besides.

    std: `thr` for Momentum's Lua, `5.1` for stock Lua.
    """
    if source.text.startswith(BYTECODE):
        return None, [Diagnostic("L110", source.span(0, 4), source.path)]
    lexed = lex(source, std)
    with deep_recursion():
        mistake, ambiguous = first_mistake(lexed.tokens, std)
        if mistake:
            return None, [_diagnostic(source, lexed, mistake, std)]
        try:
            context = arranged(lexed.tokens)
            chunk = Builder(source, lexed.tokens).chunk(context, lexed.comments)
        except (ParseCancellationException, RecursionError) as error:
            args = {"message": f"{type(error).__name__} after the grammar check"}
            return None, [Diagnostic("L190", source.span(0, 0), source.path, args)]
    found = [
        Diagnostic("L201", source.span(token.start, token.end), source.path) for token in ambiguous
    ]
    found += _about_literals(source, lexed.tokens, std)
    return chunk, without_allowed(in_order(found), lexed.comments)


def arranged(tokens: list[Token]) -> Any:
    """luaparser's parse tree of tokens that the grammar accepted.

    SLL prediction takes `f(1)(1)(1)...` in linear time, full LL in quadratic. Where both find a way it is the same;
    but SLL finds none through `a.k, f(x).k = 1, 2`.
    """
    try:
        return parser_of(tokens, PredictionMode.SLL).start_()
    except ParseCancellationException:
        return parser_of(tokens, PredictionMode.LL).start_()


def parser_of(tokens: list[Token], mode: Any) -> Any:
    """luaparser's parser, which stops at the first thing it doesn't understand."""
    parser = LuaParser(dressed(tokens))
    parser.removeErrorListeners()
    parser._errHandler = BailErrorStrategy()
    if mode == PredictionMode.LL:
        # What SLL learned is shared by all parsers and would mislead LL: start afresh.
        states = [DFA(state, number) for number, state in enumerate(parser.atn.decisionToState)]
        parser._interp = ParserATNSimulator(parser, parser.atn, states, PredictionContextCache())
    parser._interp.predictionMode = mode
    return parser


def _diagnostic(source: SourceFile, lexed: Lexed, mistake: Mistake, std: str) -> Diagnostic:
    token = mistake.token
    near = (token.near or token.text or END) if mistake.near else ""
    span = source.span(token.start, token.end)
    args = {
        "message": mistake.message,
        "near": f" near '{near}'" if near else "",
        "line": mistake.line,
        "help": hint(source.text, lexed.tokens, token, mistake.message, std),
    }
    return Diagnostic(CODES[mistake.kind], span, source.path, args)


def _about_literals(source: SourceFile, tokens: list[Token], std: str) -> Iterator[Diagnostic]:
    """Notes about numbers and strings that mean something else than they look like."""
    for token in tokens:
        if token.kind == NUMBER and std == "thr" and literals.is_octal_by_surprise(token.text):
            args = {"text": token.text, "value": token.value}
            yield Diagnostic("L202", source.span(token.start, token.end), source.path, args)
        elif token.kind == STRING and "\\" in token.text and token.text[0] != "[":
            for offset, char in literals.unknown_escapes(token.text[1:-1], std):
                start = token.start + 1 + offset
                yield Diagnostic("L203", source.span(start, start + 2), source.path, {"char": char})


def lua_message(diagnostic: Diagnostic, chunkname: str) -> str:
    """What `loadstring` answers: the place as Lua names chunks, and Lua's message."""
    line = diagnostic.args.get("line", diagnostic.span.line)
    return f"{chunk_id(chunkname)}:{line}: {diagnostic.message}"


def chunk_id(chunkname: str, size: int = 80) -> str:
    """How Lua shows a chunk name: `=name` as it is, `@file` as a file, anything else as its first line."""
    if chunkname.startswith("="):
        return chunkname[1:size]
    if chunkname.startswith("@"):
        name, room = chunkname[1:], size - len(" '...' ") - 1
        return name if len(name) <= room else "..." + name[-room:]
    room = size - len(' [string "..."] ') - 1
    first = re.split(r"[\r\n]", chunkname, maxsplit=1)[0]
    shown = first[:room]
    return f'[string "{shown}"]' if shown == chunkname else f'[string "{shown}..."]'
