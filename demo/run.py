"""`make demo`: the whole line, measured while you watch.

Starts the server with the sample configuration on loopback, plays every sample's sessions over real SMTP, changes
policy while sessions are open, kills the server under load, and exits 0 only if everything came out as the samples say.
"""

from __future__ import annotations

import json
import smtplib
import sys
import tempfile
import threading
import time
from pathlib import Path

import dkim

from moonpost.testing.play import Played, differences, play
from moonpost.testing.sink import Received
from moonpost.testing.stage import Stage, headers_of, recipients_of
from moonpost.testing.stories import Act, read

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
            time.sleep(act.after_s)
            wrong = perform(stage, act, story.parent)
            for text in wrong:
                failures.append(f"{story.parent.name}: {act.title}: {text}")


def perform(stage: Stage, act: Act, folder: Path) -> list[str]:
    """Play an act, look at what arrived, and print one row."""
    arrived_before = len(stage.receiver.received)
    lines_before = len(stage.log("mainlog.ec").splitlines())
    played = Played()
    wrong: list[str] = []
    for _ in range(act.repeat):
        played = play(act, folder, "127.0.0.1", stage.port)
        wrong += differences(act, played)
    expected = len(act.deliveries or []) * act.repeat
    if expected:
        stage.wait_until_delivered(arrived_before + expected)
    elif act.deliveries is not None:
        time.sleep(0.2)
    arrived = stage.receiver.received[arrived_before:]
    wrong += delivery_differences(stage, act, arrived, lines_before)
    decided = decided_by(stage) if act.decided_by else ""
    if act.decided_by and decided != act.decided_by:
        wrong.append(f"decided by {decided or 'nobody'}, expected {act.decided_by}")
    row(str(played.last[0]), decided or f"{folder.name}/policy.lua", result_of(act, wrong))
    return wrong


def result_of(act: Act, wrong: list[str]) -> str:
    return f"{act.title}{'' if not wrong else '   <-- NOT AS THE SAMPLE SAYS'}"


def decided_by(stage: Stage) -> str:
    """Who decided the last refusal, from the event stream."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        for line in reversed(stage.log("events.json").splitlines()):
            event = json.loads(line)
            if event["event"] == "reject":
                return str(event.get("decided_by", ""))
        time.sleep(0.02)
    return ""


def delivery_differences(
    stage: Stage, act: Act, arrived: list[Received], lines_before: int
) -> list[str]:
    if act.deliveries is None:
        return []
    wanted = sorted(delivery.to for delivery in act.deliveries) * act.repeat
    found = sorted(recipients_of(arrived))
    if sorted(wanted) != found:
        return [f"delivered to {found}, expected {sorted(wanted)}"]
    wrong = []
    for delivery in act.deliveries:
        message = next(m for m in arrived if delivery.to in m.recipients)
        headers = headers_of(message.content)
        body = message.content.decode("latin-1")
        for name, pattern in delivery.headers:
            if not any(pattern.fullmatch(value) for value in headers.get(name.lower(), [])):
                wrong.append(f"{delivery.to}: {name}: {headers.get(name.lower())}")
        wrong += [
            f"{delivery.to}: has {name}" for name in delivery.without if name.lower() in headers
        ]
        wrong += [
            f"{delivery.to}: body has no {p.pattern}" for p in delivery.body if not p.search(body)
        ]
        if delivery.through and not delivered_through(stage, delivery.through, lines_before):
            wrong.append(f"{delivery.to}: not delivered through {delivery.through}")
        if act.dkim and not verified(stage, message.content):
            wrong.append(f"{delivery.to}: the DKIM signature does not verify")
    return wrong


def delivered_through(stage: Stage, binding: str, lines_before: int) -> bool:
    """Whether the main log soon has a new D line with this binding."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        lines = stage.log("mainlog.ec").splitlines()[lines_before:]
        if any("@D@" in line and f"@{binding}@" in line for line in lines):
            return True
        time.sleep(0.02)
    return False


def verified(stage: Stage, content: bytes) -> bool:
    """Whether dkimpy, which did not make it, accepts the signature."""

    def txt(name: bytes, timeout: int = 5) -> bytes:
        return stage.public_key.replace('" "', "").strip('"').encode()

    return bool(dkim.verify(content, dnsfunc=txt))


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
