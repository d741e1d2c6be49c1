"""The process that parses policy, so that the mail server does not stop for it.

Reads one JSON request a line, fills the compile cache, answers with one JSON line: `{"problems": [...]}`. Ends with its
standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from moonpost.policy.cache import CompileCache
from moonpost.policy.compiling import Compilation
from moonpost.policy.deep import with_deep_stack


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
