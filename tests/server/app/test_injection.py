"""Injection over HTTP in a whole server: configured, judged by a script, kept through kill -9, logged."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

from testkit.small_server import small_server, until

SCRIPT = """
require("msys.core")
require("msys.extended.message")
local mod = {}
function mod:msg_gen_data_spool(msg)
  msg:header("X-Judged", "yes")
  return msys.core.VALIDATE_CONT
end
function mod:validate_data_spool(msg, ac, vctx)
  vctx:set_code(550, "never over http")
  return msys.core.VALIDATE_DONE
end
msys.registerModule("judge", mod)
"""
REQUEST = {
    "recipients": [{"address": "bob@example.test"}, {"address": "carol@example.test"}],
    "content": {"from": "ann@client.test", "subject": "hello", "text": "x"},
}


def test_mail_over_http_is_mail(tmp_path: Path) -> None:
    options = """Control_Listener { Listen "var/console.sock" {} }
    HTTP_Listener { Listen "127.0.0.1:0" { Max_Request_Size = 1000 } }"""
    with small_server(tmp_path, {"judge": SCRIPT}, options=options) as serving:
        (where,) = serving.start()["listeners"]["http"]
        status, told = post(where, REQUEST)
        assert (status, told["results"]["total_accepted_recipients"]) == (200, 2)
        assert post(where, {**REQUEST, "return_path": "x" * 1000})[0] == 413
        assert until(lambda: len(received(serving.log("mainlog.ec"))) == 2)
        lines = received(serving.log("mainlog.ec"))
        assert {line[2] for line in lines} == {told["results"]["id"]}
        assert {line[11] for line in lines} == {"rest"}
        serving.kill()
        again = serving.start()
        waiting = serving.console("mailq").splitlines()[1].split()
        assert int(waiting[1]) + int(waiting[2]) == 2, waiting
        serving.edit('relay_hosts = ( "127.0.0.0/8" )', "")
        serving.edit("Max_Request_Size = 1000", "Max_Request_Size = 10")
        (where,) = again["listeners"]["http"]
        serving.reload()
        assert until(lambda: post(where, {})[0] == 403)
        assert post(where, REQUEST)[0] == 413


def received(log: str) -> list[list[str]]:
    lines = [line.split("@") for line in log.splitlines()]
    return [line for line in lines if len(line) > 11 and line[4] == "R"]


def post(where: str, request: object) -> tuple[int, dict[str, dict[str, object]]]:
    connection = http.client.HTTPConnection(where, timeout=10)
    connection.request(
        "POST",
        "/api/v1/transmissions",
        json.dumps(request),
        {"Content-Type": "application/json"},
    )
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else {}
