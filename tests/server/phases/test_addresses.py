"""Paths of MAIL and RCPT: the common form and the full parser agree, and nothing unfit gets through."""

from __future__ import annotations

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given, settings
from hypothesis import strategies as st

from moonpost.phases.addresses import (
    MAIL_PARAMETERS,
    BadParameter,
    Path,
    parse_parameters,
    parse_path,
)


class _Parser:
    local_part_limit = 0


FULL = SMTP._getaddr.__get__(_Parser())


def parse(text: str) -> Path | None:
    return parse_path(text, FULL)


@pytest.mark.parametrize(
    ("text", "address", "domain"),
    [
        ("<ann@client.test>", "ann@client.test", "client.test"),
        ("<>", "", ""),
        ("<postmaster>", "postmaster", ""),
        ('<"ann smith"@client.test>', '"ann smith"@client.test', "client.test"),
        ('<"a\\"b"@client.test>', '"a\\"b"@client.test', "client.test"),
        ('<"a@b"@client.test>', '"a@b"@client.test', "client.test"),
        ("<@a.test,@b.test:ann@client.test>", "ann@client.test", "client.test"),
        ("<ann@[192.0.2.1]>", "ann@[192.0.2.1]", "[192.0.2.1]"),
        ("<ann@[IPv6:2001:db8::1]>", "ann@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
        ("<a+b=c/d@x.test>", "a+b=c/d@x.test", "x.test"),
        ("<ann@localhost>", "ann@localhost", "localhost"),
    ],
)
def test_paths_that_are_fine(text: str, address: str, domain: str) -> None:
    path = parse(text)
    assert path is not None
    assert (path.address, path.domain, path.parameters) == (address, domain, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann@client.test",
        "<ann@client.test",
        "<ann@>",
        "<@client.test>",
        "<ann@@client.test>",
        "<a@b@c>",
        "<ann smith@client.test>",
        "<ann@client test>",
        "<<ann@client.test>>",
        "<ann@client.test>x",
        "<ann(comment)@client.test>",
        "<ann@client.test\r\n>",
        '<"ann\r\nsmith"@client.test>',
        '<"ann\x00"@client.test>',
        "<ann@client.test\x7f>",
        "<ann@[not an address]>",
        "<" + "a" * 300 + "@client.test>",
        "<ann@" + "d" * 256 + ">",
    ],
)
def test_paths_that_are_not(text: str) -> None:
    assert parse(text) is None


@given(st.text(st.sampled_from('<>@"\\ .:,[]()abc\x00\r\n\t;=\xe4'), max_size=20))
@settings(max_examples=500, deadline=None)
def test_nothing_unfit_gets_through(text: str) -> None:
    path = parse(f"<{text}>")
    if path is None:
        return
    assert not any(c in path.address for c in "\r\n\x00\t")
    outside_quotes = path.address
    if path.localpart.startswith('"'):
        outside_quotes = path.domain
    assert not any(c in outside_quotes for c in ' <>,;()"')


def test_parameters_follow_the_path() -> None:
    path = parse("<ann@client.test> SIZE=1 BODY=8BITMIME")
    assert path is not None
    assert path.parameters == "SIZE=1 BODY=8BITMIME"
    assert parse_parameters(path.parameters, MAIL_PARAMETERS) == {"SIZE": "1", "BODY": "8BITMIME"}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("X=1", False),
        ("SIZE", True),
        ("SMTPUTF8=1", True),
        ("SIZE=1 SIZE=1", True),
        ("SIZE=", True),
    ],
)
def test_parameters_that_make_no_sense(text: str, known: bool) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_parameters(text, MAIL_PARAMETERS)
    assert caught.value.known is known
