"""The process that parses policy, so that the mail server does not stop for it.

Reads one JSON request a line, fills the compile cache, answers with one JSON line: `{"problems": [...]}`. Ends with its
standard input.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from moonpost.policy.cache import CompileCache
from moonpost.policy.compiling import Compilation

T = TypeVar("T")

STACK_BYTES = 512 * 1024 * 1024  # measured: Lua's 200 levels of nesting need about a tenth
RECURSION = 200_000


def with_deep_stack(work: Callable[[], T]) -> T:
    """Run `work` in a thread that can nest as deep as Lua source may."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)

    before_stack, before_limit = threading.stack_size(STACK_BYTES), sys.getrecursionlimit()
    sys.setrecursionlimit(RECURSION)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before_stack)
        sys.setrecursionlimit(before_limit)
    if errors:
        raise errors[0]
    return answers[0]


def compile_request(request: dict[str, Any]) -> dict[str, Any]:
    """Compile one generation's scripts into the cache."""
    compilation = Compilation(
        [Path(root) for root in request["roots"]],
        CompileCache(Path(request["cache"])),
        std=request["std"],
        allow_writable=request["allow_writable"],
    )
    compiled = with_deep_stack(lambda: compilation.run(request["names"]))
    return {"problems": compiled.problems, "warnings": compiled.warnings}


def main() -> None:
    for line in sys.stdin:
        try:
            answer = compile_request(json.loads(line))
        except (
            Exception
        ) as error:  # our own mistake: the server reports it and keeps the old generation
            answer = {"problems": [f"internal error in the compiler: {error!r}"], "warnings": []}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
