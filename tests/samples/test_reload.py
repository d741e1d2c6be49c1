"""Policy changes, breaks and is mended while mail flows: no session fails, no transaction sees two versions."""

from __future__ import annotations

import re
import smtplib
import threading
from dataclasses import dataclass, field
from pathlib import Path

from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink, headers_of
from testkit.small_server import connect, small_server, until, write_policy

SENDERS = 6
PER_SESSION = 5  # transactions; the next session follows at once

# Every callout of a transaction leaves the version it belongs to; `helper` is a second file of the generation.
VERSIONED = """\
require("msys.core")
require("msys.extended.message")
local helper = require("helper")
local mod = {}
local VERSION = "@N@"
function mod:validate_mailfrom(str, ac, vctx)
  vctx:set(msys.core.VCTX_MESS, "seen", VERSION .. helper.version)
  return msys.core.VALIDATE_CONT
end
function mod:validate_rcptto(msg, str, ac, vctx)
  vctx:set(msys.core.VCTX_MESS, "seen",
    vctx:get(msys.core.VCTX_MESS, "seen") .. " " .. VERSION .. helper.version)
  return msys.core.VALIDATE_CONT
end
function mod:validate_data(msg, ac, vctx)
  msg:header("X-Seen",
    vctx:get(msys.core.VCTX_MESS, "seen") .. " " .. VERSION .. helper.version)
  return msys.core.VALIDATE_CONT
end
msys.registerModule("versioned", mod)
"""
HELPER = 'module("helper", package.seeall)\nversion = "@N@"\n'
BROKEN = "local = 1\n"


@dataclass(slots=True)
class Load:
    """Sessions that follow each other until they are told to stop."""

    port: int
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with connect(self.port) as client:
                    for _ in range(PER_SESSION):
                        self.transaction(client)
            except (smtplib.SMTPException, OSError) as error:
                with self.lock:
                    self.failures.append(repr(error))

    def transaction(self, client: smtplib.SMTP) -> None:
        replies = [client.mail("ann@example.test"), client.rcpt("bob@example.test")]
        replies.append(client.data(b"Subject: reload\r\n\r\nhello\r\n"))
        with self.lock:
            self.sent += 1
            self.failures += [str(reply) for reply in replies if reply[0] != 250]


def seen(receiver: BackgroundSink) -> list[str]:
    return [headers_of(message.content)["x-seen"][0] for message in list(receiver.received)]


def publish(server: Serving, version: str) -> None:
    write_policy(server.folder / "versioned.lua", VERSIONED.replace("@N@", version))
    write_policy(server.folder / "helper.lua", HELPER.replace("@N@", version))
    server.reload()


def test_no_session_fails_and_no_transaction_sees_two_versions(tmp_path: Path) -> None:
    receiver = BackgroundSink()
    write_policy(tmp_path / "helper.lua", HELPER.replace("@N@", "1"))
    first = VERSIONED.replace("@N@", "1")
    with small_server(tmp_path, {"versioned": first}, receiver=receiver.port) as server:
        server.start()
        load = Load(server.port)
        threads = [threading.Thread(target=load.run) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        try:
            for version in ("1", "2", "3"):
                publish(server, version)
                assert until(lambda v=version: f"{v}{v} {v}{v} {v}{v}" in seen(receiver))
            write_policy(server.folder / "versioned.lua", BROKEN)
            server.reload()
            assert until(lambda: "versioned.lua:1" in server.errors.read_text(encoding="utf-8"))
            before = load.sent
            assert until(lambda: load.sent > before + 50)
            publish(server, "4")
            assert until(lambda: "44 44 44" in seen(receiver))
        finally:
            load.stopping.set()
            for thread in threads:
                thread.join()
        assert load.failures == []
        assert until(lambda: len(receiver.received) == load.sent)
        for text in seen(receiver):
            assert re.fullmatch(r"(\d)\1 \1\1 \1\1", text), text
        order = [text[0] for text in seen(receiver)]
        assert set(order) == {"1", "2", "3", "4"}
        assert server.stop() == 0
    receiver.close()
