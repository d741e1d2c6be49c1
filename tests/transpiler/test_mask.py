"""The dressing for luaparser keeps places and leaves nothing out."""

from __future__ import annotations

from lua2py import mask
from lua2py.grammar import BINARY_OPERATORS, UNARY_OPERATORS
from lua2py.source import SourceFile
from lua2py.tokens import KEYWORDS, lex

# Operators of Lua 5.3's grammar, by what they are worn for: equal strength in both languages.
ALIKE = [("|", "+"), ("&", "+"), ("^^", "+"), ("<<", "*"), (">>", "*"), ("\\", "*"), ("!=", "~=")]


def test_every_token_keeps_its_place() -> None:
    source = SourceFile.of_text("local goto_ = a | 1 -- note\nx = [[\n]] != !y\n")
    tokens = lex(source).tokens
    stream = mask.dressed(tokens)
    stream.fill()
    assert [(one.start, one.stop + 1, one.text) for one in stream.tokens] == [
        (token.start, token.end, token.text) for token in tokens
    ]


def test_every_operator_and_keyword_has_a_dress() -> None:
    for std in ("thr", "5.1"):
        assert set(BINARY_OPERATORS[std]) | UNARY_OPERATORS[std] <= set(mask.TYPES)
    assert set(mask.TYPES) >= KEYWORDS


def test_added_operators_wear_one_of_their_own_strength() -> None:
    strength = BINARY_OPERATORS["thr"]
    for added, worn in ALIKE:
        assert strength[added] == strength[worn]
        plain = {"*": mask.TYPES["*"], "+": mask.TYPES["+"], "~=": mask.TYPES["~="]}[worn]
        assert mask.TYPES[added] == plain
