"""What the files of one generation have to know of each other, kept beside each compiled module.

A global that one file alone uses becomes a name of its module; one that others use too lives in `_G`. So a module is
right only together with the files it was compiled with: `Facts` says what a file uses, `siblings` what that means for
another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import lua2py


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says about itself that matters to others."""

    requires: tuple[str, ...]
    read: frozenset[str]  # globals
    written: frozenset[str]
    metamethods: frozenset[str]
    dynamic: bool  # it looks at globals by name at run time

    @classmethod
    def of(cls, analysis: lua2py.Analysis) -> Facts:
        return cls(
            requires=tuple(analysis.requires),
            read=analysis.globals_read,
            written=analysis.globals_written,
            metamethods=analysis.metamethods,
            dynamic=analysis.uses_environment,
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Facts:
        return cls(
            requires=tuple(data["requires"]),
            read=frozenset(data["read"]),
            written=frozenset(data["written"]),
            metamethods=frozenset(data["metamethods"]),
            dynamic=data["dynamic"],
        )

    def to_json(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in asdict(self).items()}


def siblings(own: Facts, others: Iterable[Facts]) -> lua2py.Siblings:
    """What other files mean for one, as far as it touches the names of this one."""
    names = own.read | own.written
    rest = list(others)
    return lua2py.Siblings(
        globals=names & _union(facts.read | facts.written for facts in rest),
        written=names & _union(facts.written for facts in rest),
        metamethods=_union(facts.metamethods for facts in rest),
        dynamic=any(facts.dynamic for facts in rest),
    )


def siblings_json(found: lua2py.Siblings) -> dict[str, Any]:
    """For keys and comparison."""
    return {name: _plain(value) for name, value in asdict(found).items()}


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value
