"""The last look at a generated module: that Python compiles it.

That the text says what the tree says has been proven by `linemap`; what is left are limits of CPython that show
only when it compiles.
"""

from __future__ import annotations

from lua2py.diagnostics import Diagnostic
from lua2py.source import SourceFile


def verify(python: str, source: SourceFile) -> list[Diagnostic]:
    """Compile the text; what Python refuses is a diagnostic, at the start of the file."""
    try:
        compile(python, source.path + ".py", "exec", dont_inherit=True)
    except (SyntaxError, RecursionError, MemoryError, OverflowError) as error:
        args = {"message": str(error)}
        return [Diagnostic("L290", source.span(0, 0), source.path, args)]
    return []
