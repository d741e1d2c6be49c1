"""What a person probably meant where Lua found a mistake.

Lua's message says what its grammar missed; these say what to write. One table of patterns over the text just
before and from the mistake, first match wins; a few more that need tokens. A wrong guess costs more than none, so
each pattern is one that hardly means anything else.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise

from lua2py.tokens import KEYWORDS, MISTAKE, NAME, Token

TYPOGRAPHIC = "\xe2\x80[\x98-\x9f]"  # the UTF-8 bytes of curly quotes

# before the mistake, from the mistake on, what to do
PATTERNS: tuple[tuple[str, str, str], ...] = (
    (r"", TYPOGRAPHIC, "these are typographic quotes; write \" or '"),
    (r"", r"\xc2\xa0", "this is a non-breaking space, pasted from a web page; write a plain one"),
    (r"", r"\xc2\xbb", "this sign marks a wrapped line on a web page; join the two lines"),
    (r"^", r"\xef\xbb\xbf", "the file begins with a byte order mark, which Lua refuses; save it without"),
    (r"", r"&&|(?<=&)&", "Lua writes `and`"),
    (r"&", r"&", "Lua writes `and`"),
    (r"\|", r"\|", "Lua writes `or`"),
    (r"", r"\|\|", "Lua writes `or`"),
    (r"", r"[-+*/%]=|\.\.=", "Lua has no such assignment; write `x = x + 1`"),
    (r"\.\.|[-+*/%]", r"=", "Lua has no such assignment; write `x = x + 1`"),
    (r"\+", r"\+", "Lua has no `++`; write `x = x + 1`"),
    (r"", r"\+\+", "Lua has no `++`; write `x = x + 1`"),
    (r"", r"/\*|//", "comments begin with `--`; Momentum's integer division is `\\`"),
    (r"/", r"/", "comments begin with `--`; Momentum's integer division is `\\`"),
    (r"", r"\?", "Lua has no `? :`; write `test and this or that`, or an if"),
    (r"", r"::|:\s*:", "labels and goto are of Lua 5.2; Momentum's Lua is 5.1"),
    (r"\blocal\s+[\w\s,]*\w\s*", r"<\s*(?:const|close)\b", "attributes are of Lua 5.4; leave them out"),
    (r";\s*", r";", "an empty statement is of Lua 5.2; one `;` is enough"),
    (r"\b(?:break|return)\b.*\s", r"\w", "`break` and `return` must come last in their block"),
    (r"", r"==", "`==` compares; to assign, write `=`"),
)  # fmt: skip
# Words of other languages, as the token before the mistake.
WORDS = {
    "goto": "labels and goto are of Lua 5.2; Momentum's Lua is 5.1",
    "continue": "Lua 5.1 has no `continue`; put the rest of the loop into an if",
    "elif": "Lua writes `elseif`",
    "elsif": "Lua writes `elseif`",
    "var": "Lua writes `local`",
    "const": "Lua writes `local`",
}
COMPILED = [
    (re.compile(f"(?:{before})\\Z") if before else None, re.compile(after), hint)
    for before, after, hint in PATTERNS
]
ADDITIONS = frozenset(("!", "&", "|", "~", "\\", "<<", ">>", "^^", "<", ">", "^"))
LINE = 200  # characters before the mistake that patterns see: a line and a little


def hint(text: str, tokens: list[Token], token: Token, message: str, std: str) -> str:
    """What to write instead, or empty. token: where Lua found the mistake; message: what it says."""
    for rule in (_by_message, _by_word, _by_text):
        if found := rule(text, tokens, token, message):
            return found
    if std == "5.1" and token.kind in ADDITIONS and message == "unexpected symbol":
        return "stock Lua 5.1 has no such operator; Momentum's has (`--std thr`)"
    return ""


def _by_message(text: str, tokens: list[Token], token: Token, message: str) -> str:
    if message == "malformed number" and token.near.startswith("0"):
        return "a number that begins with 0 is octal in Momentum's Lua; drop the zero"
    if message == "'then' expected" and token.kind == "=":
        return "to compare, write `==`"
    if message == "'<eof>' expected" and token.kind == "end":
        return "there is one `end` too many here, or a block above ended too early"
    if message == "'<name>' expected" and token.kind in KEYWORDS:
        return f'`{token.kind}` is a reserved word; as a key write t["{token.kind}"]'
    if message.startswith("'(' expected") and token.kind == ".":
        return "a function in a table can't be local; leave `local` out"
    if message.startswith("'end' expected (to close 'if'") and _else_if(tokens):
        return "`else if` opens another if with its own `end`; Lua writes `elseif`"
    if message.startswith("'}' expected"):
        return "a comma may be missing between two entries of the table"
    if message == "unfinished string" and token.kind == MISTAKE:
        return "close the quotes on the same line, or use [[...]] for several lines"
    return ""


def _by_word(text: str, tokens: list[Token], token: Token, message: str) -> str:
    place = bisect_left(tokens, token.start, key=lambda one: one.start)
    before = tokens[place - 1] if place > 0 else None
    return WORDS.get(before.text, "") if before and before.kind == NAME else ""


def _by_text(text: str, tokens: list[Token], token: Token, message: str) -> str:
    head = text[max(0, token.start - LINE) : token.start]
    head = head[max(head.rfind("\n"), head.rfind("\r")) + 1 :] if token.start else ""
    for before, after, meant in COMPILED:
        if (before is None or before.search(head)) and after.match(text, token.start):
            return meant
    return ""


def _else_if(tokens: list[Token]) -> bool:
    """Whether an `else` is followed by an `if` on its line."""
    pairs = pairwise(tokens)
    return any(a.kind == "else" and b.kind == "if" and a.line == b.line for a, b in pairs)
