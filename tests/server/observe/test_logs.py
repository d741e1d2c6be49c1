"""Log lines as Momentum's tools read them, and the files they go to."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonpost.observe import formats
from moonpost.observe.logs import LogFile, MailLogs, TroubleLogs
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.journal import Attempt
from moonpost.spool.record import Record


def record(**changed: object) -> Record:
    values: dict[str, object] = {
        "id": "00/00-25004-31B987F3", "batch_id": "00/00-03736-F4101B54",
        "conn_id": "00/00-04532-A3456B54", "sender": "info@postalengine.com",
        "recipient": "bob@example.fict", "domain": "example.fict", "created_at": 1064868656.0,
        "next_attempt_at": 0.0, "size": 201, "peer": "10.0.1.1:4711",
    }  # fmt: skip
    return Record(**(values | changed))  # type: ignore[arg-type]


ATTEMPT = Attempt(1064868659.893, "00/00-04533-A3456B54", "10.0.0.1", 31, 1)
REFUSED = Outcome(Fate.FAILED, 552, "552 No such account: try a@b", Stage.AFTER_RCPT)


def test_the_four_lines_of_the_main_log() -> None:
    assert formats.reception(record(), 1064868656.4) == (
        "1064868656@00/00-25004-31B987F3@00/00-03736-F4101B54@00/00-04532-A3456B54@R"
        "@bob@example.fict@info@postalengine.com@10.0.1.1@201@esmtp@default@default"
    )
    begin = "1064868659@00/00-25004-31B987F3@00/00-03736-F4101B54@00/00-04533-A3456B54"
    assert formats.delivery(record(), ATTEMPT) == (
        f"{begin}@D@example.fict@201@default@default@1@3.893@10.0.0.1"
    )
    for kind in "TP":
        assert formats.failure(kind, record(), ATTEMPT, REFUSED) == (
            f"{begin}@{kind}@example.fict@31@default@default@5@1@3.893@10.0.0.1"
            "@552 No such account: try a@b"
        )
    assert formats.bounce("B", record(), ATTEMPT, REFUSED, 10) == (
        f"{begin}@B@bob@example.fict@info@postalengine.com@default@default@5@10@201@10.0.0.1"
        "@552 No such account: try a@b"
    )


def test_mail_made_here_came_from_nobody() -> None:
    fields = formats.reception(record(peer="", protocol="internal", sender=""), 1.0).split("@")
    assert fields[7:12] == ["", "", "unknown", "201", "internal"]


def test_sixteen_digits_when_asked_for() -> None:
    assert formats.timestamp(1064868656.123456, True) == "1064868656123456"
    assert formats.heartbeat(60.0) == "60@@@@M1"


@given(st.text(st.characters(max_codepoint=255)), st.text())
def test_nothing_makes_a_second_field_or_a_second_line(address: str, reply: str) -> None:
    victim = record(recipient=address + "@x.test", sender=address, domain=address, binding=address)
    assert formats.reception(victim, 1.0).count("@") == 13
    outcome = Outcome(Fate.FAILED, 550, reply, Stage.AFTER_RCPT)
    for line in (
        formats.failure("P", victim, ATTEMPT, outcome),
        formats.bounce("B", victim, ATTEMPT, outcome, 1),
        formats.panic(1.0, "scriptlet", reply),
    ):
        assert len(line.splitlines()) == 1 and line.isprintable()
        line.encode("utf-8")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("Gr\xc3\xbc\xc3\x9fe", "Grüße"), ("\xff\x01@\\", r"\xff\x01\x40\x5c"), ("a\r\nb", r"a\x0d\x0ab"),
     ("日本", "日本"), ("\x85", r"\x85")],
)  # fmt: skip
def test_text_stays_readable_where_it_can(value: str, shown: str) -> None:
    assert formats.field(value) == shown


def test_the_reject_log_quotes_values_with_blanks() -> None:
    session = SimpleNamespace(
        remote="10.1.1.1:25", local="10.2.2.2:25", conn_id="00/01", pathway="", pathway_group="g",
        phase="awaiting mailfrom", module="scriptlet", conn={"a b": "c,d", "e": ""}, mess={"k": "v"},
    )  # fmt: skip
    lines: list[str] = []
    log = TroubleLogs(None, SimpleNamespace(write=lines.append), lambda: 12.0)  # type: ignore[arg-type]
    log.reject(session, 550, "no\r\nthanks")
    assert lines == [
        '12: R="10.1.1.1:25" L="10.2.2.2:25" C="00/01" PATH="" PATH_GRP="g" P="awaiting mailfrom" '
        'E=550 M=scriptlet CTXCONN=["a b"="c,d",e=""] CTXMESS=[k=v] no\\x0d\\x0athanks'
    ]


def test_lines_are_written_together_and_a_moved_file_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "mainlog.ec"

    async def main() -> None:
        file = LogFile(path)
        logs = MailLogs(file)
        logs.received(record(), 1.0)
        logs.delivered(record(), ATTEMPT, REFUSED)
        assert path.read_text() == ""
        await asyncio.sleep(0.1)
        assert [line.split("@")[4] for line in path.read_text().splitlines()] == ["R", "D"]
        path.rename(tmp_path / "old")
        logs.heartbeat(5.0)
        file.reopen()
        logs.heartbeat(6.0)
        file.close()

    asyncio.run(main())
    assert (tmp_path / "old").read_text().endswith("5@@@@M1\n")
    assert path.read_text() == "6@@@@M1\n"


def test_a_full_disk_loses_lines_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = LogFile(Path("/dev/full"))
    file.write("x")
    assert file.dropped == 1 and re.search("1 lines lost", caplog.text)


def test_bounces_go_to_their_own_log_with_their_class(tmp_path: Path) -> None:
    main, bounces = LogFile(tmp_path / "main"), LogFile(tmp_path / "bounces")
    seen: list[tuple[str, str]] = []

    def classify(text: str, domain: str) -> int:
        seen.append((text, domain))
        return 10

    logs = MailLogs(main, bounces, classify=classify, log_transient_failures=False)
    logs.deferred(record(), ATTEMPT, REFUSED)
    logs.failed(record(), ATTEMPT, REFUSED)
    main.close()
    bounces.close()
    assert [line.split("@")[4] for line in (tmp_path / "main").read_text().splitlines()] == [
        "T",
        "P",
    ]
    (line,) = (tmp_path / "bounces").read_text().splitlines()
    assert line.split("@")[4] == "B" and line.split("@")[12] == "10"
    assert seen == [(REFUSED.text, "example.fict")]
