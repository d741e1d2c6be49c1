"""Ids that are no ids: the console names them, reads no file, and the server goes on."""

from __future__ import annotations

from pathlib import Path

from testkit.small_server import callout, small_server

NOTHING = callout("validate_data", "msg, ac, vctx", "  local x = 1", script="nothing")
IDS = [
    "../../../../etc/passwd",
    "..",
    "/etc/passwd",
    "var/spool/data.mdb",
    "00/00-1-1\x1b[2J",
    "00/00-00000-00000000\ndrain",
    "x" * 5000,
    "' or 1=1 --",
    "%2e%2e%2fetc",
    "é",
]


def test_odd_ids_lead_nowhere(tmp_path: Path) -> None:
    options = 'Control_Listener { Listen "var/console.sock" {} }'
    with small_server(tmp_path, {"nothing": NOTHING}, options=options) as serving:
        serving.start()
        for verb in ("retry", "fail"):
            for odd in IDS:
                said = serving.console("message", verb, odd)
                assert "root:" not in said and "Traceback" not in said, said
                assert (
                    "no message" in said.lower()
                    or "not in the spool" in said
                    or "usage" in said.lower()
                ), said
        assert "empty" in serving.console("mailq").lower()
        assert serving.stop() == 0
