"""What policy calls, for benchmarks: as little as gives answers, the same work as programs/host.lua does in Lua.

Times nothing and knows no compiler. `Host` makes one piece of work out of a program, whoever wrote it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from msys.lua import Table, tostring

Array = Callable[
    ..., Any
]  # what makes a list of the host language from a sequence, or an empty one
ROW = Table({"used": "3", "quota": "10"})
CASES: Sequence[dict[str, Any]] = (  # one message each; plain data, so that it can be written as Lua
    {
        "sender": "ann.miller@example.com",
        "recipient": "bob@old.example.test",
        "remote": "192.0.2.7:4711",
        "size": 40960,
        "card": True,
        "values": {"limit": "12", "rcptto_domain": "grey.example.test", "ehlo_domain": "MX.example.test",
                   "mailfrom_domain": "eager.example.test"},
        "headers": {
            "From": ["Ann Miller <ann.miller@Example.COM>"],
            "To": ["Bob <bob@example.org>", "carl@example.net"],
            "Date": ["Mon, 1 Jan 2024 00:00:00 +0000"],
            "Subject": ["Minutes of the meeting on Monday"],
            "Received": ["from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000"] * 3,
            "Precedence": ["bulk"],
            "List-Id": ["list-42.example.com"],
            "References": ["<1@example.com>", "<2@example.com>", "<3@example.com>"],
            "MIME-Version": ["1.0"],
        },
    },
    {
        "sender": "shop@shop.example.net",
        "recipient": "noreply@example.test",
        "remote": "198.51.100.9:25",
        "size": 1200,
        "card": False,
        "values": {"ehlo_domain": "client.example.net", "mailfrom_domain": "corp.example.test"},
        "headers": {
            "From": ["offers@shop.example.net"],
            "To": ["bob@example.org"],
            "Subject": ["Everything must go"],
            "Received": ["from shop.example.net by mx.example.org; Mon, 1 Jan 2024 00:00:00 +0000"],
            "List-Unsubscribe": ["<mailto:leave@shop.example.net>"],
            "Sender": ["bulk@shop.example.net"],
            "X-Pool": ["Newsletter"],
            "X-Priority": ["1"],
        },
    },
    {
        "sender": "eve@signed.example.test",
        "recipient": "dan@example.test",
        "remote": "203.0.113.1:99",
        "size": 500,
        "card": False,
        "values": {"limit": "3", "ehlo_domain": "c.example", "mailfrom_domain": "c.example"},
        "headers": {"From": ["Eve <eve.smith@c.example>"], "Date": ["today"], "Subject": ["x"]},
    },
)  # fmt: skip


class Message:
    """A message whose headers are ready."""

    def __init__(self, case: dict[str, Any], number: int, array: Array) -> None:
        self._array = array
        self.headers: dict[str, Any] = {name: array(v) for name, v in case["headers"].items()}
        self.context: dict[str, str] = {}
        self.sender = case["sender"]
        self.recipient = case["recipient"]
        self.size = case["size"]
        self.card = case["card"]
        self.id, self.conn_id = f"id{number}", f"conn{number}"
        self.rewritten = self.masked = self.discarded = self.bound = self.priority = None

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def header(self, name: str, value: Any = None, how: Any = None) -> Any:
        if value is None:
            return self.headers.get(name) or self._array()
        self.headers[name] = self._array((value,))

    def context_set(self, _: int, name: str, value: str) -> None:
        self.context[name] = value

    def mailfrom(self) -> Any:
        return self.sender

    def rcptto(self, address: Any = None) -> Any:
        if address is None:
            return self.recipient
        self.rewritten = address

    def get_message_size(self) -> Any:
        return self.size

    def text_match(self, pattern: str) -> Any:
        return self.card, None

    def text_replace(self, pattern: str, text: Any) -> None:
        self.masked = text

    def discard(self, why: Any) -> None:
        self.discarded = why

    def binding(self, name: Any) -> bool:
        self.bound = name
        return True


class Context:
    """A validation context."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.values: dict[str, Any] = dict(case["values"])
        self.code = self.note = self.tarpit_s = None

    def get(self, _: int, name: str) -> Any:
        return self.values.get(name)

    def set(self, _: int, name: str, value: Any) -> None:
        self.values[name] = value

    def set_code(self, code: Any, text: Any) -> None:
        self.code = code
        self.note = text

    disconnect = set_code

    def tarpit(self, seconds: Any) -> None:
        self.tarpit_s = seconds


def array(values: Sequence[str] = ()) -> Table:
    """A Lua table of values; of one or of none as cheaply as Lua makes them."""
    if len(values) > 1:
        return Table.array(*values)
    return Table({1: values[0]}) if values else Table()


def _dns_lookup(name: str, kind: str) -> Any:
    return (array(("listed",)), None) if kind == "TXT" else (array(("127.0.0.2",)), None)


STUB = SimpleNamespace(  # the functions of `msys` that the samples call
    core=SimpleNamespace(
        VALIDATE_CONT=0, VALIDATE_DONE=1, VCTX_CONN=0, VCTX_MESS=1, get_now_ts=lambda: 1700000000
    ),
    cidr=SimpleNamespace(query=lambda name: "outside"),
    audit_series=SimpleNamespace(add=lambda *_: None, count=lambda *_: 2),
    validate=SimpleNamespace(opendkim=SimpleNamespace(sign=lambda *_: None)),
    db=SimpleNamespace(fetch_row=lambda *_: (ROW, None)),
    dnsLookup=_dns_lookup,
)


class Host:
    """Sessions to call callouts with, and what the callouts did to them.

    callouts: name and argument names of each. array: what makes the host language's list.
    """

    def __init__(
        self,
        callouts: Sequence[tuple[str, Sequence[str]]],
        *,
        array: Array = array,
        table: Callable[[], Any] = Table,
    ) -> None:
        self._callouts = callouts
        self.sessions: list[dict[str, Any]] = []
        for number, case in enumerate(copy.deepcopy(CASES), start=1):
            self.sessions.append(
                {
                    "self": table(),
                    "msg": Message(case, number, array),
                    "str": case["sender"],
                    "accept": SimpleNamespace(remote_addr=case["remote"]),
                    "vctx": Context(case),
                }
            )
        self.verdicts: list[Any] = []

    def work_of(self, functions: Any) -> Callable[[], None]:
        """Call every callout on every session."""
        calls = [
            (functions[name], (session["self"], *(session[word] for word in words)))
            for session in self.sessions
            for name, words in self._callouts
        ]

        def work() -> None:
            self.verdicts = [function(*arguments) for function, arguments in calls]

        return work

    def answer(self) -> str:
        """Everything the callouts left behind, as programs/host.lua writes it."""
        lines: list[str] = []
        for number, session in enumerate(self.sessions, start=1):
            msg, vctx = session["msg"], session["vctx"]
            rest = {name: getattr(vctx, name) for name in ("code", "note", "tarpit_s")} | {
                name: getattr(msg, name)
                for name in ("rewritten", "masked", "discarded", "bound", "priority")
            }
            for values, what in (
                (msg.headers, " header "), (msg.context, " context "), (vctx.values, " session "), (rest, " ")
            ):  # fmt: skip
                lines += [
                    f"{number}{what}{name}={_text(value)}"
                    for name, value in values.items()
                    if value is not None
                ]
        return "\n".join([*sorted(lines), " ".join(map(_text, self.verdicts))])


def _text(value: Any) -> str:
    if isinstance(value, str | int | float | None):
        return str(tostring(value))
    return ",".join(value.values())


def lua_literal(value: Any) -> str:
    """Plain data as Lua source."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f'["{k}"] = {lua_literal(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "{" + ", ".join(map(lua_literal, value)) + "}"
    return str(value)
