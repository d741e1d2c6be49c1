"""Which of the two context dictionaries a number means."""

from __future__ import annotations

from typing import Any

from msys.arguments import bad_argument, string_or_none
from msys.constants import VCTX_CONN, VCTX_MESS
from msys.lua import ABSENT
from msys.running import panic

MEANINGS = {VCTX_CONN: "conn", VCTX_MESS: "mess", str(VCTX_CONN): "conn", str(VCTX_MESS): "mess"}


def dictionary(
    function: str, conn: dict[str, str], mess: dict[str, str], kind: Any
) -> dict[str, str] | None:
    """The dictionary that a VCTX_* or ECMESS_CTX_* number means.

    None, and a line in the panic log, for anything else. nil raises: it is a constant misspelled.
    """
    if kind is None or kind is ABSENT:
        raise bad_argument(function, 1, "VCTX_CONN or VCTX_MESS expected, got nil")
    if not isinstance(kind, bool):
        number = kind if isinstance(kind, int | float) else string_or_none(kind)
        meaning = MEANINGS.get(number) if number is not None else None
        if meaning is not None:
            return conn if meaning == "conn" else mess
    panic(f"context access out of bounds: {kind} is neither VCTX_CONN nor VCTX_MESS")
    return None
