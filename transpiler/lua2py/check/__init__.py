"""What is probably wrong with a script, without running it.

`check` runs every rule of `RULES` over the tree, its scopes and the catalogue. Rules speak only of what the text
proves, so that well-written policy gives no finding. A `-- moonpost: allow CODE` comment silences a line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from lua2py import tree
from lua2py.check import arguments, modules, names, nils, phases, verdicts
from lua2py.check.subject import Subject
from lua2py.depth import deep_recursion
from lua2py.diagnostics import Diagnostic, in_order, without_allowed
from lua2py.scopes import Scopes
from lua2py.source import SourceFile
from lua2py.verify import internal_error

Rule = Callable[[Subject], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    names.unknown_names,
    names.unknown_methods,
    names.bare_constants,
    names.misspelled_globals,
    arguments.wrong_count,
    arguments.numbers_as_truth,
    arguments.strings_of_callouts,
    nils.nil_where_it_fails,
    phases.wrong_phase,
    verdicts.verdicts,
    modules.modules,
    modules.without_self,
    modules.never_passed,
    modules.defined_twice,
    modules.undeclared_globals,
)


def check(
    source: SourceFile,
    chunk: tree.Chunk,
    scopes: Scopes,
    *,
    provided: Collection[str] | None = None,
    script_name: str | None = None,
) -> list[Diagnostic]:
    """All findings of one script, in source order.

    provided: the names of the catalogue that have a function here (`msys.pcre.match`, `msg:header`); None to ask
    nothing of that. script_name: the name of the configuration stanza that loads the script.
    """
    with deep_recursion():
        subject = Subject(source, chunk, scopes, script_name)
        found = [finding for rule in RULES for finding in _findings(rule, subject)]
        if provided is not None:
            found += names.not_provided(subject, frozenset(provided))
    return without_allowed(in_order(found), chunk.comments)


def _findings(rule: Rule, subject: Subject) -> list[Diagnostic]:
    """What a rule finds; a mistake of ours in one must not hide what the others find."""
    try:
        return list(rule(subject))
    except Exception as error:
        return [internal_error(error, subject.source)]
