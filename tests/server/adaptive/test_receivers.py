"""The file of rules that stand below those of policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from moonpost.adaptive.engine import matching
from moonpost.adaptive.receivers import BadRules, read_receivers
from msys.adaptive import Action, DomainRules, rules_of
from msys.lua.environment import Environment


def test_the_shipped_rules_are_good_and_aliases_lead_somewhere() -> None:
    rules = rules_of(Environment(), read_receivers(None))
    assert set(rules) >= {"gmail.com", "googlemail.com", "hotmail.com", "aol.com"}
    assert rules["hotmail.com"] is rules["outlook.com"]
    for name, target in read_receivers(None).items():
        assert isinstance(target, DomainRules) or target in rules, name


@pytest.mark.parametrize(
    ("domain", "text", "action"),
    [
        ("yahoo.com", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", "suspend"),
        ("gmail.com", "421-4.7.28 [192.0.2.1] Our system has detected an unusual rate", "suspend"),
        (
            "outlook.com",
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. (S3150)",
            "suspend",
        ),
        ("outlook.com", "550 5.5.0 Requested action not taken: mailbox unavailable", None),
    ],
)
def test_refusals_that_are_known(domain: str, text: str, action: str | None) -> None:
    rule = matching(rules_of(Environment(), read_receivers(None))[domain], text)
    assert (rule.actions[0].name if rule else None) == action


def test_an_own_file_replaces_them(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        'version = 1\n["a.test"]\nconfiguration = {max_outbound_connections = [1, 5]}\n'
        '[["a.test".responses]]\ncode = "^4"\ntrigger = "3/10"\naction = ["suspend", "1 hours", "transcode", "454"]\n'
    )
    rules = read_receivers(str(path))["a.test"]
    assert isinstance(rules, DomainRules)
    assert rules.configuration == {"max_outbound_connections": (1, 5)}
    assert rules.responses[0].actions == (Action("suspend", 3600), Action("transcode", 454))
    assert (rules.responses[0].events, rules.responses[0].seconds) == (3, 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = 2", "version 2"),
        ("version = ", "rules.toml"),
        ('version = 1\n[["a".responses]]\ncode = "("\naction = ["suspend", "1 hours"]', "a: "),
        ('version = 1\n[["a".responses]]\ncode = "x"\naction = ["suspend"]', "no run of actions"),
        (
            'version = 1\n[["a".responses]]\ncode = "x"\naction = ["dance", "1"]',
            "no run of actions",
        ),
        ('version = 1\n[["a".responses]]\naction = ["suspend", "1 hours"]', "code"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(BadRules, match=says):
        read_receivers(str(path))
    with pytest.raises(BadRules, match=r"missing\.toml"):
        read_receivers(str(tmp_path / "missing.toml"))
