"""Text of one configuration file to items, with every syntax mistake reported, not only the first.

Pure: gets a Source, gives items and diagnostics. After a mistake the reader leaves the item it is in,
skips the rest of the line (and a block that opens on it) and goes on.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

from lark import Lark, Token, Transformer, UnexpectedInput

from moonpost.config.diagnostics import Diagnostic, Place, Source, diagnostic, in_order
from moonpost.config.mistakes import explain, neither, recover
from moonpost.config.tree import Include, Item, Option, Scope, Value, Word

INCLUDES: Final = {"include": False, "readonly_include": True}

_ESCAPE: Final = re.compile(r"""\\(["'\\])""")


def parse(source: Source) -> tuple[list[Item], list[Diagnostic]]:
    """The items of a file and what is wrong with its syntax."""
    problems: list[Diagnostic] = []
    text = source.text if source.text.endswith("\n") else source.text + "\n"

    def on_error(error: UnexpectedInput) -> bool:
        problems.append(explain(source, error))
        return recover(text, error)

    try:
        tree = _parser().parse(text, on_error=on_error)
    except UnexpectedInput:  # reported; at the end of the file there is nothing to go on with
        return [], in_order(problems)
    reader = _Reader(source, problems)
    items = list(reader.transform(tree))
    return items, in_order(problems)


@cache
def _parser() -> Lark:
    grammar = files("moonpost.config").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=True)


class _Reader(Transformer[Token, Any]):
    def __init__(self, source: Source, problems: list[Diagnostic]) -> None:
        super().__init__()
        self._source = source
        self._problems = problems

    def _word(self, token: Token) -> Word:
        quoted = token.type == "QUOTED"
        text = str(token)
        length = len(text.split("\n", 1)[0])
        place = Place(self._source, token.line or 1, token.column or 1, length)
        return Word(_ESCAPE.sub(r"\1", text[1:-1]) if quoted else text, place, quoted)

    def start(self, children: list[Any]) -> list[Item]:
        return [child for child in children if child is not None]

    def option(self, children: list[Any]) -> Option:
        name, _equal, value = children
        return Option(self._word(name), value)

    def scope(self, children: list[Any]) -> Scope:
        words = [self._word(item) for item in _tokens(children, "NAME", "BARE", "QUOTED")]
        items = tuple(item for item in children if isinstance(item, Option | Scope | Include))
        return Scope(words[0], words[1] if len(words) > 1 else None, items)

    def directive(self, children: list[Token]) -> Include | None:
        name, argument = (self._word(token) for token in children)
        readonly = INCLUDES.get(name.text.lower())
        if readonly is not None:
            return Include(argument, readonly)
        self._problems.append(neither(name.place, f"{name.text} {argument.text}"))
        return None

    def scalar(self, children: list[Token]) -> Value:
        word = self._word(children[0])
        return Value("scalar", (word,), word.place)

    def list_value(self, children: list[Token]) -> Value:
        words = tuple(self._word(token) for token in _tokens(children, "BARE", "QUOTED"))
        for word in words:
            if not word.quoted and word.text.endswith(","):
                self._problems.append(
                    diagnostic(
                        "C501",
                        word.place,
                        f"comma after `{word.text.rstrip(',')}`",
                        "list items are separated by blanks",
                    )
                )
        return Value("list", words, self._word(children[0]).place)

    def pair(self, children: list[Token]) -> tuple[Word, Word]:
        key, value = _tokens(children, "BARE", "QUOTED")
        return self._word(key), self._word(value)

    pair_with_equal = pair

    def dict_value(self, children: list[Any]) -> Value:
        words = tuple(word for pair in children if isinstance(pair, tuple) for word in pair)
        return Value("dict", words, self._word(children[0]).place)


def _tokens(children: list[Any], *types: str) -> list[Token]:
    return [child for child in children if isinstance(child, Token) and child.type in types]
