"""A configuration file as written: items with their places, nothing resolved or checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from moonpost.config.diagnostics import Place

Kind = Literal["scalar", "list", "dict"]


@dataclass(frozen=True, slots=True)
class Word:
    """A bareword or a quoted string, quotes and escapes undone."""

    text: str
    place: Place
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """What stands behind `=`. A dictionary has its keys and values in turn in `words`."""

    kind: Kind
    words: tuple[Word, ...]
    place: Place

    @property
    def text(self) -> str:
        """The first word; what a scalar is."""
        return self.words[0].text if self.words else ""

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]

    @property
    def pairs(self) -> dict[str, str]:
        texts = self.texts
        return dict(zip(texts[::2], texts[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Option:
    name: Word
    value: Value


@dataclass(frozen=True, slots=True)
class Include:
    path: Word
    readonly: bool


@dataclass(frozen=True, slots=True)
class Scope:
    name: Word
    instance: Word | None
    items: tuple[Item, ...] = field(repr=False)


Item = Option | Include | Scope
