"""Dresses our tokens as luaparser's, so that its Lua 5.3 grammar reads Momentum's dialect with the right tree.

Position-preserving: token i stays token i, with its offsets. The dialect's binary operators wear the type of
an operator of the same strength (`|` that of `+`, `<<` that of `*`), which gives Momentum's precedence and
not 5.3's; whoever reads the tree looks the real operator up by token index. Words that newer Lua reserved
(`goto`) stay names. Nothing else of luaparser is known here.
"""

from __future__ import annotations

from antlr4 import CommonTokenStream
from antlr4.ListTokenSource import ListTokenSource
from antlr4.Token import CommonToken
from luaparser.parser.LuaParser import LuaParser as Grammar

from lua2py.tokens import END, KEYWORDS, NAME, NUMBER, STRING, Token

TYPES: dict[str, int] = {
    **{word: getattr(Grammar, word.upper()) for word in KEYWORDS},
    NAME: Grammar.NAME,
    NUMBER: Grammar.INT,
    STRING: Grammar.NORMALSTRING,
    END: CommonToken.EOF,
    "+": Grammar.PLUS,
    "-": Grammar.MINUS,
    "|": Grammar.PLUS,
    "&": Grammar.PLUS,
    "^^": Grammar.PLUS,
    "*": Grammar.STAR,
    "/": Grammar.SLASH,
    "%": Grammar.PER,
    "\\": Grammar.STAR,
    "<<": Grammar.STAR,
    ">>": Grammar.STAR,
    "^": Grammar.CARET,
    "..": Grammar.DD,
    "...": Grammar.DDD,
    "<": Grammar.LT,
    ">": Grammar.GT,
    "<=": Grammar.LE,
    ">=": Grammar.GE,
    "==": Grammar.EE,
    "~=": Grammar.SQEQ,
    "!=": Grammar.SQEQ,
    "!": Grammar.NOT,
    "~": Grammar.NOT,
    "#": Grammar.POUND,
    "=": Grammar.EQ,
    ";": Grammar.SEMI,
    ":": Grammar.COL,
    ",": Grammar.COMMA,
    ".": Grammar.DOT,
    "(": Grammar.OP,
    ")": Grammar.CP,
    "[": Grammar.OB,
    "]": Grammar.CB,
    "{": Grammar.OCU,
    "}": Grammar.CCU,
}


def dressed(tokens: list[Token]) -> CommonTokenStream:
    """The stream for luaparser's parser. Every token must be one that `grammar` accepted."""
    return CommonTokenStream(ListTokenSource([_dress(token) for token in tokens]))


def _dress(token: Token) -> CommonToken:
    worn = CommonToken(type=TYPES[token.kind], start=token.start, stop=token.end - 1)
    worn.text = token.text
    worn.line = token.line
    return worn
