"""Push notifications: the request that a message becomes, and what an answer means."""

from __future__ import annotations

from typing import Any

import pytest

from moonpost.outbound.answers import Fate
from moonpost.outbound.push import (
    OPTIONS,
    NoNotification,
    meaning,
    notification,
    request,
    servers,
)

NONE: dict[str, Any] = {
    **dict.fromkeys(OPTIONS, ""), "gcm_ttl": -1, "gcm_delay_while_idle": False, "gcm_dry_run": False,
    "http_method": "post",
}  # fmt: skip
MESSAGE = (
    b"From: a@a.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=MCMT\r\n\r\n"
    b"--MCMT\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    b"--MCMT\r\nContent-Type: message/vnd.msys.gcm\r\nX-Registration-ID: device-1\r\n"
    b'X-Time-To-Live: 60\r\nX-Collapse-Key: news\r\n\r\n{"alert": "You have mail", "n": 2}\r\n'
    b"--MCMT--\r\n"
)
ALERT = {"alert": "You have mail", "n": 2}


def test_the_push_part_becomes_json() -> None:
    assert notification(MESSAGE, NONE, "") == {
        "data": ALERT, "registration_ids": ["device-1"], "time_to_live": 60, "collapse_key": "news",
    }  # fmt: skip


def test_headers_go_before_options_and_the_context_says_the_device() -> None:
    options = {**NONE, "gcm_ttl": 7, "gcm_dry_run": True, "gcm_application_id": "com.example"}
    bare = MESSAGE.replace(b"X-Registration-ID: device-1\r\n", b"")
    assert notification(bare, options, "device-2") == {
        "data": ALERT, "registration_ids": ["device-2"], "time_to_live": 60, "collapse_key": "news",
        "restricted_package_name": "com.example", "dry_run": True,
    }  # fmt: skip


def test_a_message_may_be_the_part_itself() -> None:
    whole = b"Content-Type: Message/vnd.msys.gcm\r\nContent-Transfer-Encoding: base64\r\n\r\neyJhIjogMX0=\r\n"
    assert notification(whole, NONE, "")["data"] == {"a": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: x\r\n\r\nhello\r\n",
        b"Content-Type: message/vnd.msys.gcm\r\n\r\n \r\n",
        b"Content-Type: message/vnd.msys.apn\r\n\r\n{}\r\n",
        b"",
    ],
)
def test_a_message_without_a_notification_cannot_be_pushed(content: bytes) -> None:
    with pytest.raises(NoNotification):
        notification(content, NONE, "")


def test_the_request_says_who_asks() -> None:
    made = request("{}", {**NONE, "gcm_authorization_token_id": "k", "http_uri": "/gcm/send"})
    assert (made.method, made.uri) == ("POST", "/gcm/send")
    assert ("Authorization", "key=k") in made.headers and ("Content-Length", "2") in made.headers
    made = request("{}", {**NONE, "http_basic_auth": "ann:secret", "http_host": "push.test"})
    assert ("Authorization", "Basic YW5uOnNlY3JldA==") in made.headers and made.uri == "/"
    assert ("Host", "push.test") in made.headers


def test_routes_name_servers() -> None:
    routes = ("gcm://a.test?port=8443", "http://b.test", "smtp://c.test", "gcm://[::1]", "d.test")
    assert servers(routes, True) == [
        "https://a.test:8443",
        "https://b.test:80",
        "https://[::1]:443",
    ]
    assert servers(routes[:1], False) == ["http://a.test:8443"]


@pytest.mark.parametrize(
    ("status", "body", "fate", "word"),
    [
        (200, b'{"success": 1, "results": [{"message_id": "1"}]}', Fate.DELIVERED, ""),
        (200, b"fine", Fate.DELIVERED, ""),
        (204, b"", Fate.DELIVERED, ""),
        (200, b'{"results": [{"error": "NotRegistered"}]}', Fate.FAILED, "5"),
        (200, b'{"results": [{"error": "Unavailable"}]}', Fate.DEFERRED, "1"),
        (200, b'{"results": "odd"}', Fate.DELIVERED, ""),
        (400, b"", Fate.FAILED, "400"),
        (401, b"", Fate.FAILED, "401"),
        (429, b"", Fate.DEFERRED, "429"),
        (503, b"", Fate.DEFERRED, "503"),
        (302, b"", Fate.FAILED, "302"),
    ],
)
def test_an_answer_means_something(status: int, body: bytes, fate: Fate, word: str) -> None:
    found = meaning(status, "why\r\nnot", body)
    assert found.outcome.fate is fate and found.status == word
    assert found.outcome.text.startswith(f"{found.outcome.code} HTTP {status} why not")
