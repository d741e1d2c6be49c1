"""custom_logger: formats, and what is escaped in them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from moonpost.app.starting import CannotStart
from moonpost.app.storage import Logs, open_logs
from moonpost.config.model import examine
from moonpost.observe.custom import BadFormat, Facts, compile_format, sanitizer
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.queue.journal import Attempt
from moonpost.spool.record import Record

AT = 1_700_000_000.123456
RECORD = Record(
    "01/02-3", "ann@a.test", "b.b@b.test", "mx.test", AT - 12.345, AT, binding="fast", binding_group="g",
    batch_id="01/02-1", conn_id="00/02-9", size=77, peer="192.0.2.1:4711", user="ann",
    conn={"pathway": "in"}, mess={"colour": "blue@x", "evil": "a\r\nb"},
)  # fmt: skip
REFUSED = Outcome(Fate.FAILED, 550, "550 5.1.1 no\x07 such user", Stage.AFTER_RCPT)
FACTS = Facts(
    "permanent_failure", AT, RECORD, Attempt(AT, "02/02-4", "198.51.100.7", 3, 2), REFUSED, 10
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%t@%i@R@%r@%R", "1700000000@01/02-3@R@b.b@b.test"),
        ("%m %M %b %g %B %BI %CI %OC", "ann a.test fast g 77 01/02-1 00/02-9 02/02-4"),
        ("%d %H %U %p %P", "mx.test 198.51.100.7 ann esmtp in"),
        ("%n|%C|%c|%s|%S|%N", "550 5.1.1 no\\x07 such user|10|The recipient is invalid.|after RCPT TO|5|3"),
        ("%T %T{0} %T{4} %us{6} %us{1}", "12.35 12 12.3450 1700000000.123456 1700000000.1"),
        ("%t{%Y}", "2023"),
        ("%vctx_mess{colour} %vctx_mess{none} %vctx_conn{pathway}", "blue@x  in"),
        ("%vctx_mess{evil}", "a\\x0d\\x0ab"),
        ("100%% of %B", "100% of 77"),
        ("", ""),
    ],
)  # fmt: skip
def test_specifiers(text: str, line: str) -> None:
    assert compile_format(text)(FACTS) == line


@pytest.mark.parametrize("text", ["%Q", "%h{Subject}", "%T{9}", "%us{0}", "50% of", "%"])
def test_a_format_that_cannot_be_filled_is_refused(text: str) -> None:
    with pytest.raises(BadFormat):
        compile_format(text)


@pytest.mark.parametrize(
    ("option", "text", "wanted"),
    [
        ("", "a b", "a b"),
        ("non_printable", "a\x07b", "ab"),
        ("special_characters", "a\nb", "a\\x0ab"),
        ("tr/ /_/", "a b c", "a_b_c"),
        ("non_printable, tr/ab/x/", "aab\x01c", "xxxc"),
    ],
)
def test_sanitize(option: str, text: str, wanted: str) -> None:
    assert sanitizer(option)(text) == wanted
    with pytest.raises(BadFormat):
        sanitizer("wash")


def logs(folder: Path, stanza: str) -> Logs:
    path = folder / "a.conf"
    path.write_text(f'ec_logger {{ mainlog = "main.ec" }}\n{stanza}')
    config, problems = examine(str(path))
    assert not [one for one in problems if one.severity == "error"], problems
    return open_logs(config, lambda: AT, lambda _text, _domain: 10)


def test_each_stage_has_its_line(tmp_path: Path) -> None:
    opened = logs(
        tmp_path,
        """
        custom_logger "one" {
          mainlog = "all.cl"
          reception_format = "R %i"
          delivery_format = "D %i"
          delivery_logfile = "delivered.cl"
          transient_failure_format = "T %n"
          permanent_failure_format = "P %C"
          rejection_format = "X %m %n %H"
          log_transient_failures = off
        }
        custom_logger "two" { reception_format = "two %i" }
        """,
    )
    deferred = Outcome(Fate.DEFERRED, 450, "450 later", Stage.AFTER_RCPT)
    assert FACTS.attempt is not None
    opened.mail.received(RECORD, AT)
    opened.mail.delivered(RECORD, FACTS.attempt, Outcome(Fate.DELIVERED, 250, "250 ok", Stage.IDLE))
    opened.mail.deferred(RECORD, FACTS.attempt, deferred)
    opened.mail.failed(RECORD, FACTS.attempt, REFUSED)
    refusal = SimpleNamespace(
        message_id="", sender="s@x", recipient="", batch_id="", conn_id="c", remote="10.0.0.9:1", local="l",
        conn={}, mess={}, pathway="", pathway_group="", phase="p", module="m",
    )  # fmt: skip
    opened.troubles.reject(refusal, 550, "5.7.1 no")
    opened.close()
    assert (tmp_path / "all.cl").read_text() == "R 01/02-3\nP 10\nX s 550 5.7.1 no 10.0.0.9\n"
    assert (tmp_path / "delivered.cl").read_text() == "D 01/02-3\n"
    assert (tmp_path / "mainlog.cl").read_text() == "two 01/02-3\n"
    assert [line.split("@")[4] for line in (tmp_path / "main.ec").read_text().splitlines()] == list(
        "RDTP"
    )


def test_lines_of_the_main_log_can_be_left_out(tmp_path: Path) -> None:
    path = 'ec_logger { mainlog = "main.ec" log_receptions = off log_permanent_failures = off log_rejections = off }'
    (tmp_path / "a.conf").write_text(path)
    config, _ = examine(str(tmp_path / "a.conf"))
    opened = open_logs(config, lambda: AT, lambda _text, _domain: 10)
    assert FACTS.attempt is not None
    opened.mail.received(RECORD, AT)
    opened.mail.failed(RECORD, FACTS.attempt, REFUSED)
    opened.mail.delivered(RECORD, FACTS.attempt, Outcome(Fate.DELIVERED, 250, "250 ok", Stage.IDLE))
    opened.close()
    assert [line.split("@")[4] for line in (tmp_path / "main.ec").read_text().splitlines()] == ["D"]
    assert not (tmp_path / "rejectlog.ec").exists()


def test_a_wrong_format_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"a\.conf:2.*%h\{Subject\}.*vctx_mess"):
        logs(tmp_path, 'custom_logger "one" { reception_format = "%h{Subject}" }')
