"""The last look at a generated module: that Python compiles it; and what to say when the compiler itself failed.

That the text says what the tree says has been proven by `linemap`; what is left are limits of CPython that show
only when it compiles.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath

from lua2py.diagnostics import Diagnostic
from lua2py.linemap import Refused
from lua2py.lower.context import Failed
from lua2py.source import SourceFile

_TOO_DEEP = (
    "too many "  # nested parentheses; levels of indentation: the words of Python's tokenizer
)


def verify(python: str, source: SourceFile) -> list[Diagnostic]:
    """Compile the text; what Python refuses is a diagnostic, at the start of the file."""
    try:
        compile(python, source.path + ".py", "exec", dont_inherit=True)
    except (SyntaxError, RecursionError, MemoryError, OverflowError) as error:
        args = {"message": str(error)}
        return [Diagnostic("L290", source.span(0, 0), source.path, args)]
    return []


def internal_error(error: Exception, source: SourceFile) -> Diagnostic:
    """A mistake of the compiler's own, at the statement it was at."""
    if isinstance(error, Refused) and str(error).startswith(_TOO_DEEP):
        return Diagnostic(
            "L211", error.span or source.span(0, 0), source.path, {"message": str(error)}
        )
    span = error.span if isinstance(error, Failed) else source.span(0, 0)
    cause = error.__cause__ if isinstance(error, Failed) and error.__cause__ else error
    frame = traceback.extract_tb(cause.__traceback__)[-1]
    where = f"{PurePath(frame.filename).name}:{frame.lineno}"
    words = f"{type(cause).__name__}: {cause}".removeprefix("AssertionError: internal error: ")
    return Diagnostic("L299", span, source.path, {"message": words, "where": where})
