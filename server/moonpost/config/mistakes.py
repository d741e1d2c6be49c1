"""Says what a syntax mistake is, and puts the parser behind it so that the next one is found too.

Knows lark's parser state (stacks of terminals) and nothing of files or options.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lark import Token, UnexpectedCharacters, UnexpectedInput
from lark.exceptions import UnexpectedToken

from moonpost.config.diagnostics import Diagnostic, Place, Source, diagnostic

# Where an item may begin the parser takes NAME and no EQUAL.
_ITEM_START: Final = "NAME"

_SKIP: Final = re.compile(
    r"""(?P<string>"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*')
    |(?P<comment>\#[^\n]*|/\*[\s\S]*?\*/)
    |(?P<open>\{)|(?P<close>\})|(?P<line>\n)|(?P<other>[\s\S])""",
    re.VERBOSE,
)


def _place(source: Source, error: UnexpectedInput) -> Place:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        last = source.text.rstrip("\n").count("\n") + 1
        return Place(source, last, max(1, len(source.line(last))))
    length = len(error.token) if isinstance(error, UnexpectedToken) else 1
    return Place(source, max(1, error.line), max(1, error.column), length)


def _split_header(error: UnexpectedInput) -> tuple[Token, Token] | None:
    """A stray word and the option of the next line, read together as `scope instance =`."""
    parser: Any = error.interactive_parser
    last = [item for item in parser.parser_state.value_stack[-3:] if isinstance(item, Token)]
    if [item.type for item in last] not in (["NAME", "BARE", "EQUAL"], ["NAME", "QUOTED", "EQUAL"]):
        return None
    return (last[0], last[1]) if last[0].line != last[1].line else None


_CLOSED_BY: Final = {
    "LPAR": ("list", "close it with `)`; its items are separated by blanks"),
    "LSQB": ("dictionary", "close it with `]`"),
}


def _open_value(error: UnexpectedInput) -> Token | None:
    """The parenthesis or bracket of an earlier line that this mistake shows to be open still."""
    parser: Any = error.interactive_parser
    opening = next(
        (
            item
            for item in reversed(parser.parser_state.value_stack)
            if isinstance(item, Token) and item.type in (*_CLOSED_BY, "LBRACE")
        ),
        None,
    )
    if opening is None or opening.type == "LBRACE":
        return None
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    return opening if at_end or opening.line != error.line else None


def neither(place: Place, text: str) -> Diagnostic:
    """The diagnostic for words that are no item."""
    message = f"`{text}` is neither an option nor a scope"
    return diagnostic("C501", place, message, f"{NO_ITEM}; {QUOTE}")


def explain(source: Source, error: UnexpectedInput) -> Diagnostic:
    split = _split_header(error)
    if split is not None:
        name = split[0]
        return neither(Place(source, name.line or 1, name.column or 1, len(name)), str(name))
    opening = _open_value(error)
    if opening is not None:
        what, help = _CLOSED_BY[opening.type]
        where = Place(source, opening.line or 1, opening.column or 1)
        return diagnostic("C502", where, f"the {what} that begins here is never closed", help)
    place = _place(source, error)
    expected = _expected(error)
    if isinstance(error, UnexpectedCharacters):
        char = source.line(place.line)[place.column - 1 : place.column]
        if char and char in "\"'":
            rest = source.line(place.line)[place.column - 1 :]
            place = Place(source, place.line, place.column, len(rest))
            return diagnostic("C502", place, "the string that begins here is never closed")
        return diagnostic("C501", place, f"`{char}` is not expected here", _help(expected, ""))
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        opened = _innermost_open(source)
        if opened is not None:
            return diagnostic(
                "C502", opened, "the block that begins here is never closed", "add the closing `}`"
            )
        return diagnostic("C501", place, "the file ends in the middle of an item", _help(expected))
    text = str(error.token) if isinstance(error, UnexpectedToken) else ""
    if text == "}" and _ITEM_START in expected:
        return diagnostic("C501", place, "this `}` closes nothing")
    return diagnostic("C501", place, f"syntax error near `{text}`", _help(expected, text))


def _expected(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedToken):
        return set(error.accepts or error.expected)
    return set(getattr(error, "allowed", None) or ())


QUOTE: Final = "a value holding blanks or one of # ( ) [ ] { } = needs quotes"
NO_ITEM: Final = "an option needs `= value`, a scope needs `{`"
_HELP: Final = (  # first row whose terminals are all expected
    ({"EQUAL", "LBRACE"}, NO_ITEM),
    ({"EQUAL", "BARE"}, "a dictionary needs a value for each key"),
    ({"LPAR", "LSQB"}, 'a value is a word, a "quoted string", a ( list ) or a [ dictionary ]'),
    ({"RPAR"}, "close the list with `)`; its items are separated by blanks"),
    ({"RSQB"}, "close the dictionary with `]`"),
    ({"LBRACE"}, "a scope needs `{`; a value holding blanks needs quotes"),
    ({"NAME"}, QUOTE),
)


def _help(expected: set[str], found: str = "") -> str:
    return next((text for terminals, text in _HELP if terminals <= expected), "")


def _innermost_open(source: Source) -> Place | None:
    opened: list[int] = []
    for match in _SKIP.finditer(source.text):
        if match.lastgroup == "open":
            opened.append(match.start())
        elif match.lastgroup == "close" and opened:
            opened.pop()
    if not opened:
        return None
    at = opened[-1]
    return Place(source, source.text.count("\n", 0, at) + 1, at - source.text.rfind("\n", 0, at))


# --- going on after a mistake


def recover(text: str, error: UnexpectedInput) -> bool:
    """Put parser and lexer behind the broken item; False when the file is at its end."""
    parser: Any = error.interactive_parser
    line = parser.lexer_thread.state.line_ctr
    split = _split_header(error)
    begun_earlier = _open_value(error) is not None
    start = (split[1].start_pos if split else error.pos_in_stream) or 0
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return False
    unwound = _unwind(parser)
    closes = text[start : start + 1] == "}"
    if closes and unwound:
        target = start  # the brace ends the scope around the broken item
    elif closes:
        target = start + 1  # it closes nothing
    elif split:
        target = start
    elif begun_earlier:
        target = text.rfind("\n", 0, start) + 1
    else:
        target = _end_of_item(text, start)
    _move(line, text, target)
    return True


def _unwind(parser: Any) -> bool:
    """Drop parser states up to where an item may begin; whether there were any to drop."""
    state = parser.parser_state
    dropped = False
    while not _at_item_start(state):
        state.state_stack.pop()
        state.value_stack.pop()
        dropped = True
    return dropped


def _at_item_start(state: Any) -> bool:
    row = state.parse_conf.states[state.position]
    return "NAME" in row and "EQUAL" not in row and "LBRACE" not in row


def _end_of_item(text: str, start: int) -> int:
    """Offset of the next line end, or of the end of a block that opens before it."""
    depth = 0
    for match in _SKIP.finditer(text, start):
        kind = match.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            if depth == 0:
                return match.start()
            depth -= 1
            if depth == 0:
                return match.end()
        elif kind == "line" and depth == 0:
            return match.start()
    return len(text)


def _move(counter: Any, text: str, target: int) -> None:
    counter.char_pos = target
    counter.line = text.count("\n", 0, target) + 1
    counter.line_start_pos = text.rfind("\n", 0, target) + 1
    counter.column = target - counter.line_start_pos + 1
