"""Text to tokens, as Lua's own scanner cuts it.

One pass; comments go beside the tokens. The scan stops at the first thing Lua's scanner refuses: that place
becomes a token of kind MISTAKE which whoever reaches it reports. Columns are found later, from offsets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lua2py import literals
from lua2py.source import LINE_END, SourceFile
from lua2py.tree import Comment

NAME, NUMBER, STRING, END, MISTAKE = "<name>", "<number>", "<string>", "<eof>", "<mistake>"

KEYWORDS = frozenset(
    (
        "and",
        "break",
        "do",
        "else",
        "elseif",
        "end",
        "false",
        "for",
        "function",
        "if",
        "in",
        "local",
        "nil",
        "not",
        "or",
        "repeat",
        "return",
        "then",
        "true",
        "until",
        "while",
    )
)
OPERATORS = {"5.1": r"\.\.\.|\.\.|==|<=|>=|~=", "thr": r"\.\.\.|\.\.|==|<=|>=|~=|!=|<<|>>|\^\^"}
STDS = tuple(OPERATORS)


def _scanner(operators: str) -> re.Pattern[str]:
    return re.compile(
        r"(?P<space>[ \t\n\v\f\r]+)"
        r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
        r"|(?P<comment>--)"
        r"|(?P<number>\.?[0-9][0-9.]*(?:[eE][+-]?)?[A-Za-z0-9_]*)"
        r"|(?P<string>[\"'])"
        r"|(?P<long>\[=*\[)"
        r"|(?P<badlong>\[=+)"
        rf"|(?P<operator>{operators}|[\s\S])"
    )


SCANNERS = {std: _scanner(operators) for std, operators in OPERATORS.items()}
LONG_OPEN = re.compile(r"\[(=*)\[")
REST_OF_LINE = re.compile(r"[^\r\n]*")
# The inside of a quoted string, up to its end or to what Lua refuses; by quote.
INSIDE = {
    quote: re.compile(rf"(?:[^\\\r\n{quote}]|\\(?:\r\n|\n\r|[\s\S]))*") for quote in ("'", '"')
}


@dataclass(frozen=True, slots=True)
class Token:
    """kind: a keyword, an operator, or one of NAME, NUMBER, STRING, END, MISTAKE.

    value: what the literal means. near: how Lua quotes the token in a message, where that is not its text.
    """

    kind: str
    text: str
    start: int
    end: int
    line: int
    end_line: int
    value: str | int | float | None = None
    near: str = ""
    message: str = ""  # of a MISTAKE


@dataclass(frozen=True, slots=True)
class Lexed:
    tokens: list[Token]
    comments: list[Comment]


def lex(source: SourceFile, std: str = "thr") -> Lexed:
    """All tokens up to END or to the first MISTAKE, and all comments before it."""
    return _Scan(source, std).run()


class _Scan:
    def __init__(self, source: SourceFile, std: str) -> None:
        self.source = source
        self.text = source.text
        self.std = std
        self.tokens: list[Token] = []
        self.comments: list[Comment] = []

    def run(self) -> Lexed:
        text, match = self.text, SCANNERS[self.std].match
        at, line, size = self.source.code_start, 1, len(self.text)
        tokens = self.tokens
        while at < size:
            found = match(text, at)
            assert found is not None  # the last alternative takes any character
            kind, piece, end = found.lastgroup, found.group(), found.end()
            if kind == "space":
                line += lines_in(piece)
                at = end
                continue
            if kind == "comment":
                end = self.comment(at, end, line)
                if tokens and tokens[-1].kind == MISTAKE:
                    break
                line += lines_in(text, at, end)
                at = end
                continue
            if kind == "name":
                token = Token(piece if piece in KEYWORDS else NAME, piece, at, end, line, line)
            elif kind == "operator":
                control = len(piece) == 1 and (ord(piece) < 32 or ord(piece) == 127)
                near = f"char({ord(piece)})" if control else ""
                token = Token(piece, piece, at, end, line, line, near=near)
            elif kind == "number":
                token = self.number(piece, at, end, line)
            elif kind == "string":
                token = self.quoted(piece, at, line)
            elif kind == "long":
                token = self.long(at, line, "string")
            else:
                message = "invalid long string delimiter"
                token = _mistake(message, at, end, line, line, near=piece)
            tokens.append(token)
            if token.kind == MISTAKE:
                break
            at, line = token.end, token.end_line
        else:
            tokens.append(Token(END, "", size, size, line, line))
        return Lexed(tokens, self.comments)

    def number(self, piece: str, at: int, end: int, line: int) -> Token:
        value = literals.decode_number(piece, self.std)
        if value is None:
            return _mistake("malformed number", at, end, line, line, near=piece)
        return Token(NUMBER, piece, at, end, line, line, value)

    def quoted(self, quote: str, at: int, line: int) -> Token:
        found = INSIDE[quote].match(self.text, at + 1)
        assert found is not None  # it matches the empty text
        inside, end = found.group(), found.end()
        end_line = line + lines_in(inside)
        try:
            value = literals.decode_short(inside, self.std)
        except literals.BadLiteral as bad:
            where = at + 1 + bad.offset
            bad_line = line + lines_in(inside, 0, bad.offset)
            near = quote + bad.so_far
            return _mistake(bad.message, where, at + 1 + bad.end, bad_line, bad_line, near=near)
        if self.text[end : end + 1] == quote:
            text = self.text[at : end + 1]
            return Token(STRING, text, at, end + 1, line, end_line, value, quote + value + quote)
        at_end = end >= len(self.text) or self.text[end] == "\\"
        near = END if at_end else quote + value
        return _mistake("unfinished string", at, end, end_line, end_line, near=near)

    def long(self, at: int, line: int, what: str) -> Token:
        """The long bracket that begins at `at`, for a string or a comment."""
        opening = LONG_OPEN.match(self.text, at)
        assert opening is not None
        level = opening[1]
        inside = opening.end()
        close = self.text.find(f"]{level}]", inside)
        if not level:
            nested = self.text.find("[[", inside, close if close >= 0 else len(self.text))
            if nested >= 0:
                message = "nesting of [[...]] is deprecated"
                end_line = line + lines_in(self.text, at, nested)
                return _mistake(message, nested, nested + 2, end_line, end_line, near="[")
        if close < 0:
            end_line = line + lines_in(self.text, at)
            return _mistake(f"unfinished long {what}", at, inside, end_line, end_line, near=END)
        end = close + 2 + len(level)
        end_line = line + lines_in(self.text, inside, close)
        value = literals.decode_long(self.text[inside:close])
        text = self.text[at:end]
        near = f"[{level}[{value}]{level}]"
        return Token(STRING, text, at, end, line, end_line, value, near)

    def comment(self, at: int, inside: int, line: int) -> int:
        """Read the comment at `at`; its end. An unfinished one leaves a MISTAKE and ends the text."""
        text = self.text
        if LONG_OPEN.match(text, inside):
            token = self.long(inside, line, "comment")
            if token.kind == MISTAKE:
                self.tokens.append(token)
                return len(text)
            self.note(at, token.end, str(token.value), line, long=True)
            return token.end
        rest = REST_OF_LINE.match(text, inside)
        assert rest is not None
        self.note(at, rest.end(), rest.group(), line, long=False)
        return rest.end()

    def note(self, at: int, end: int, text: str, line: int, *, long: bool) -> None:
        before = self.tokens[-1].end if self.tokens else 0
        trailing = before > self.source.line_starts[line - 1]
        self.comments.append(Comment(self.source.span(at, end), text, trailing, long))


def lines_in(text: str, start: int = 0, end: int | None = None) -> int:
    """How many line ends text[start:end] has."""
    if end is not None or start:
        text = text[start:end]
    if "\r" not in text:
        return text.count("\n")
    return sum(1 for _ in LINE_END.finditer(text))


def _mistake(message: str, start: int, end: int, line: int, end_line: int, *, near: str) -> Token:
    return Token(MISTAKE, "", start, end, line, end_line, near=near, message=message)
