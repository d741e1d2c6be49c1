"""The life of a message whose queue adaptive delivery held back."""

from __future__ import annotations

import json
from typing import Any

from moonpost.observe.life import read, tell

QUEUE = {"binding": "default", "domain": "b.test"}
ID = "01/00-1"


def line(event: str, at: float, **facts: Any) -> str:
    return json.dumps({"event": event, "at": at, **facts})


def adaptive(at: float, action: str, text: str, **queue: str) -> str:
    return line("adaptive", at, action=action, text=text, **(QUEUE | queue))


def mail(event: str, at: float, id: str = ID, **facts: Any) -> str:
    return line(event, at, message_id=id, recipient="b@b.test", **QUEUE, **facts)


def told(*lines: str) -> list[str]:
    return [" ".join(text.split()[2:]) for text in tell(read(lines, ID))][1:]


def test_what_held_the_queue_back_is_part_of_the_life() -> None:
    assert told(
        adaptive(1, "suspend", "an old one"),
        adaptive(2, "resume", "suspension over"),
        adaptive(3, "suspend", "suspension for 14400 s: 421 no"),
        adaptive(4, "suspend", "another queue", domain="c.test"),
        mail("received", 5, protocol="esmtp"),
        adaptive(6, "throttle", "outbound_throttle_messages 100 -> 90"),
        adaptive(7, "override", "suspension off: an operator"),
        mail("delivered", 8, code=250, text="250 ok", remote="192.0.2.1"),
        adaptive(9, "suspend", "after it was gone"),
    ) == [
        "adaptive queue default/b.test: suspension for 14400 s: 421 no",
        "received by esmtp, queued for default/b.test, for <b@b.test>",
        "adaptive queue default/b.test: outbound_throttle_messages 100 -> 90",
        "adaptive queue default/b.test: suspension off: an operator",
        "delivered 250 ok by 192.0.2.1, attempt 1, for <b@b.test>",
    ]


def test_other_mail_is_not_told_of() -> None:
    assert told(adaptive(1, "suspend", "x"), mail("received", 2, id="other")) == []
    life = read([adaptive(1, "suspend", "x")], ID)
    assert life.events == []
