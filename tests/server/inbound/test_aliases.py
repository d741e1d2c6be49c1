"""The module alias: recipients that a database puts others in the place of."""

from __future__ import annotations

import asyncio
import smtplib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from moonpost.adapters.clock import LoopClock
from moonpost.app.aliases import AliasError, Aliases, filled
from moonpost.app.listeners import esmtp_listeners
from moonpost.app.ports import databases
from moonpost.config.model import Config, load
from moonpost.config.validate import validate
from testkit.smtp_server import client, receiving

CONFIGURATION = """
ESMTP_Listener { Open_Relay = true Listen "127.0.0.1:0" {} }
Datasource "people" { uri = ( "sqlite:people.db" ) no_cache = true }
alias "alias1" {
  Scheme "lists" {
    query = "SELECT name, expansion FROM lists WHERE address = :address" cache = "people"
    column = "expansion" map = [ address = "%{rcptto}" ]
  }
  Scheme "catch_all" {
    query = "SELECT mailbox FROM everything WHERE domain = :d AND local <> :l" cache = "people"
    map = [ d = "%{domain}" l = "%{localpart}" ]
  }
}
Alias_Schemes = ( "lists" )
Domain "all.test" { Alias_Schemes = ( "lists" "catch_all" ) }
Domain "none.test" { Alias_Schemes = () }
"""
ROWS = {
    "staff@x.test": ["ann@x.test", "bob@x.test", "desk@x.test"],
    "desk@x.test": ["carol@y.test", "staff@x.test"],
    "one@x.test": ["two@x.test"],
    "two@x.test": ["one@x.test"],
    "keep@x.test": ["keep@x.test", "ann@x.test"],
    "ill@x.test": ["not an address"],
    "quoted@x.test": ['"a b"@x.test'],
    "staff@none.test": ["ann@x.test"],
}


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    with sqlite3.connect(tmp_path / "people.db") as people:
        people.execute("CREATE TABLE lists (address, name, expansion)")
        people.execute("CREATE TABLE everything (domain, local, mailbox)")
        people.execute("INSERT INTO everything VALUES ('all.test', 'postmaster', 'box@x.test')")
        for address, behind in ROWS.items():
            people.executemany(
                "INSERT INTO lists VALUES (?, 'n', ?)", [(address, one) for one in behind]
            )
    people.close()
    path = tmp_path / "ecelerity.conf"
    path.write_text(CONFIGURATION, encoding="utf-8")
    yield load(str(path))


def behind(config: Config, *recipients: str) -> dict[str, list[str]]:
    async def scenario() -> dict[str, list[str]]:
        sources = databases(config, LoopClock())
        try:
            return await Aliases(lambda: config, sources).expand(recipients, "default")
        finally:
            await sources.close()

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("recipient", "addresses"),
    [
        ("nobody@x.test", None),
        ("staff@x.test", ["ann@x.test", "bob@x.test", "carol@y.test"]),
        ("Staff@x.test", None),  # the query decides whether case matters
        ("keep@x.test", ["ann@x.test"]),  # what was expanded does not come back
        ("quoted@x.test", ['"a b"@x.test']),
        ("anybody@all.test", ["box@x.test"]),
        ("postmaster@all.test", None),
        ("staff@none.test", None),
    ],
)
def test_what_is_behind_a_recipient(
    config: Config, recipient: str, addresses: list[str] | None
) -> None:
    found = behind(config, recipient)
    assert found == ({} if addresses is None else {recipient: addresses})


@pytest.mark.parametrize("recipient", ["one@x.test", "ill@x.test"])
def test_nonsense_is_an_error_and_not_a_lost_recipient(config: Config, recipient: str) -> None:
    with pytest.raises(AliasError, match=recipient):
        behind(config, recipient)


def test_a_macro_in_an_address_is_no_macro() -> None:
    assert filled("<%{rcptto}> %{other}", "%{domain}@x.test") == "<%{domain}@x.test> %{other}"


def test_mail_goes_to_who_is_behind_the_alias(config: Config, tmp_path: Path) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            smtp.sendmail(
                "a@client.test",
                ["staff@x.test", "bob@x.test", "dave@x.test"],
                b"Subject: x\r\n\r\nx\r\n",
                rcpt_options=["NOTIFY=FAILURE"],
            )

    def refused(port: int) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
            try:
                smtp.sendmail("a@client.test", ["staff@x.test"], b"\r\nx\r\n")
            except smtplib.SMTPDataError as error:
                return error.smtp_code
        return 250

    async def scenario() -> None:
        sources = databases(config, LoopClock())
        (settings,) = esmtp_listeners(config)
        async with receiving(settings) as here:
            here.service.expander = Aliases(lambda: config, sources)
            here.generation.on("validate_data_spool_each_rcpt", lambda msg, ac, vctx: 0)
            await client(send, here.port)
            assert [message.recipient for message in here.kept.messages] == [
                "ann@x.test",
                "bob@x.test",
                "carol@y.test",
                "dave@x.test",
            ]
            asked = here.generation.ran.count("validate_data_spool_each_rcpt")
            assert asked == 4
            told = here.kept.receptions[0].recipient_parameters
            assert told["carol@y.test"] == {"NOTIFY": "FAILURE"}
            (tmp_path / "people.db").unlink()
            await sources.close()
            assert await client(refused, here.port) == 451
            assert "alias: " in here.kept.panics[0]
            assert len(here.kept.messages) == 4
            await sources.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Alias_Schemes = ( "list" )', "`list` is no configured Scheme"),
        ('alias { Scheme "x" { query = "q" cache = "poeple" } }', "did you mean `people`"),
        ('alias { Scheme "x" { cache = "people" } }', "has no query"),
        (
            'alias { Scheme "x" { query = "q" cache = "people" map = [ a = "%{a}" ] } }',
            "a map knows",
        ),
    ],
)
def test_mistakes_are_told_before_the_start(
    config: Config, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "wrong.conf"
    path.write_text(
        CONFIGURATION.replace(
            'Alias_Schemes = ( "lists" )\n', "" if "Alias" in text else "\\g<0>"
        ).replace("\\g<0>", 'Alias_Schemes = ( "lists" )\n')
        + text,
        encoding="utf-8",
    )
    problems = [str(problem) for problem in validate(load(str(path)))]
    assert any(words in problem for problem in problems), problems
