"""`make demo`: the whole line, measured while you watch.

Starts the server with the sample configuration on loopback, plays every sample's sessions over real SMTP, changes
policy while sessions are open, kills the server under load, and exits 0 only if everything came out as the samples say.
"""

from __future__ import annotations

import smtplib
import sys
import tempfile
import threading
import time
from pathlib import Path

from moonpost.testing.perform import perform
from moonpost.testing.sink import Received
from moonpost.testing.stage import Stage, headers_of
from moonpost.testing.stories import read

ROOT = Path(__file__).parent.parent
SESSIONS = 20
MESSAGES = 500


class Failures(list[str]):
    """What did not come out as the samples say."""

    def expect(self, claim: bool, text: str) -> None:
        if not claim:
            self.append(text)


def row(*cells: str) -> None:
    print(f"{cells[0]:<7}{cells[1]:<31}{cells[2]}", flush=True)


def compiled(stage: Stage, ready: dict[str, object], seconds: float) -> None:
    lines = sum(len(path.read_bytes().splitlines()) for path in stage.folder.rglob("*.lua"))
    scripts = len(list(stage.folder.rglob("*.lua")))
    print(
        f"{scripts} scripts, {lines} Lua lines -> typed Python, server ready after {seconds:.1f} s"
    )


def play_samples(stage: Stage, failures: Failures) -> None:
    row("REPLY", "DECIDED BY", "RESULT")
    for story in sorted(stage.folder.glob("*/session.txt")):
        for act in read(story):
            performed = perform(stage, act, story.parent)
            mark = "   <-- NOT AS THE SAMPLE SAYS" if performed.wrong else ""
            decided_by = performed.decided_by or f"{story.parent.name}/policy.lua"
            row(str(performed.reply), decided_by, act.title + mark)
            for text in performed.wrong:
                failures.append(f"{story.parent.name}: {act.title}: {text}")


def reload_under_load(stage: Stage, failures: Failures) -> None:
    """Sessions stay open across a reload, and the new verdict is there soon after."""
    sessions = [smtplib.SMTP("127.0.0.1", stage.port, timeout=30) for _ in range(SESSIONS)]
    failed = 0
    for session in sessions:
        session.ehlo("client.example.test")
    policy = stage.folder / "discard" / "policy.lua"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(
        text.replace(
            "function mod:validate_data_spool_each_rcpt",
            "function mod:validate_mailfrom(str, ac, vctx)\n"
            '  if vctx:get(msys.core.VCTX_MESS, "mailfrom_domain") == "closed.example.test" then\n'
            '    vctx:set_code(550, "5.7.1 closed")\n'
            "  end\n"
            "  return msys.core.VALIDATE_CONT\n"
            "end\n\n"
            "function mod:validate_data_spool_each_rcpt",
        ),
        encoding="utf-8",
    )
    began = time.monotonic()
    stage.reload()
    probe = smtplib.SMTP("127.0.0.1", stage.port, timeout=30)
    probe.ehlo("probe.example.test")
    while time.monotonic() - began < 10:
        code, _ = probe.mail("ann@closed.example.test")
        probe.rset()
        if code == 550:
            break
        time.sleep(0.002)
    else:
        failures.append("reload: the new policy did not become active")
    elapsed_ms = (time.monotonic() - began) * 1000
    for session in sessions:
        try:
            good = session.mail("ann@example.test")[0] == 250 and session.rset()[0] == 250
            refused = session.mail("ann@closed.example.test")[0] == 550
            session.quit()
            failed += not (good and refused)
        except (smtplib.SMTPException, OSError):
            failed += 1
    probe.quit()
    failures.expect(failed == 0, f"reload: {failed} sessions failed")
    print(
        f"RELOAD   {SESSIONS} open sessions, {failed} failed, new verdict after {elapsed_ms:.0f} ms"
    )


def kill_under_load(stage: Stage, failures: Failures) -> None:
    """What was acknowledged before kill -9 is delivered after the restart."""
    acknowledged: set[str] = set()
    lock = threading.Lock()
    numbers = iter(range(100_000))

    def send() -> None:
        try:
            with smtplib.SMTP("127.0.0.1", stage.port, timeout=30) as session:
                session.ehlo("load.example.test")
                while len(acknowledged) < MESSAGES:
                    with lock:
                        name = (
                            f"kill-{next(numbers)}@load{int(time.time() * 1000) % 97}.example.com"
                        )
                    session.mail(f"load@{name.partition('@')[2]}")
                    session.rcpt("bob@example.test")
                    code, _ = session.data(
                        f"From: load@example.com\r\nDate: Mon, 2 Feb 2026 10:00:00 +0000\r\n"
                        f"Message-ID: <{name}>\r\n\r\n{name}\r\n"
                    )
                    if code == 250:
                        with lock:
                            acknowledged.add(name)
        except (smtplib.SMTPException, OSError):
            pass  # the server is gone: what matters is what it said before

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < MESSAGES and any(thread.is_alive() for thread in threads):
        time.sleep(0.001)
    stage.kill()
    for thread in threads:
        thread.join()
    stage.start()
    deadline = time.monotonic() + 30
    delivered: list[str] = []
    while time.monotonic() < deadline:
        delivered = [
            name for name in map(message_id, stage.receiver.received) if name in acknowledged
        ]
        if len(set(delivered)) == len(acknowledged):
            break
        time.sleep(0.02)
    lost = len(acknowledged) - len(set(delivered))
    duplicates = len(delivered) - len(set(delivered))
    failures.expect(lost == 0, f"kill -9: {lost} acknowledged messages were lost")
    print(
        f"KILL -9  {len(acknowledged)} acknowledged, {len(set(delivered))} delivered, "
        f"{lost} lost, {duplicates} duplicate{'s' if duplicates != 1 else ''}"
    )


def message_id(message: Received) -> str:
    ids = headers_of(message.content).get("message-id", [""])
    return ids[0].strip("<>")


def main() -> int:
    failures = Failures()
    with (
        tempfile.TemporaryDirectory(prefix="moonpost-demo-") as folder,
        Stage(ROOT / "samples", Path(folder)) as stage,
    ):
        began = time.monotonic()
        ready = stage.start()
        compiled(stage, ready, time.monotonic() - began)
        play_samples(stage, failures)
        reload_under_load(stage, failures)
        kill_under_load(stage, failures)
        code = stage.stop()
        failures.expect(code == 0, f"the server stopped with exit code {code}")
    for text in failures:
        print(f"FAILED   {text}", file=sys.stderr)
    print("NEXT     .venv/bin/moonpost debug samples/dnsbl")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
