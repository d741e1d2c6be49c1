"""`/metrics` and `/health` of a real server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from testkit.receiver import receiver
from testkit.small_server import callout, connect, small_server, until

POLICY = callout(
    "validate_mailfrom",
    "str, ac, vctx",
    '  if tostring(str):match("bad") then vctx:set_code(550, "5.7.1 no") end',
    script="policy",
)
OPTIONS = 'metrics { metrics_address = "127.0.0.1:0" }'


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_server_tells_its_figures_and_its_health(tmp_path: Path) -> None:
    with (
        receiver() as host,
        small_server(tmp_path, {"policy": POLICY}, receiver=host.port, options=OPTIONS) as server,
    ):
        (address,) = server.start()["listeners"]["metrics"]
        with connect(server.port) as client:
            assert client.mail("bad@a.test")[0] == 550
        with connect(server.port) as client:
            client.sendmail("a@a.test", ["b@b.test"], "Subject: x\r\n\r\nhi\r\n")

        def samples() -> dict[str, float]:
            status, text = get(address, "/metrics")
            assert status == 200
            return {
                sample.name + "".join(sorted(sample.labels.values())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }

        assert until(
            lambda: samples().get("moonpost_messages_delivered_total127.0.0.1default") == 1
        )
        found = samples()
        assert found["moonpost_messages_received_total127.0.0.1default"] == 1
        refused = {name: n for name, n in found.items() if "rejections_total" in name}
        assert list(refused.values()) == [1] and "5xx" in next(iter(refused))
        assert found["moonpost_callout_seconds_countvalidate_mailfrom"] == 2
        assert found["moonpost_policy_generation"] == 1
        assert found["process_resident_memory_bytes"] > 1e6
        status, text = get(address, "/health")
        said = json.loads(text)
        assert status == 200 and said["status"] == "ok" and said["queued"] == 0
        assert get(address, "/")[0] == 404
