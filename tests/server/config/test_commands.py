"""The `config` commands: what they print, word for word, and the configuration they lead to."""

from __future__ import annotations

import shlex

import pytest

from moonpost.config.commands import Answer, Refused, run
from moonpost.config.model import Config, examine

TEXT = """
Message_Expiration = 86400
EHLO_Hostname = "smtp-01.com"
Relay_Hosts = ( 10.0.0.0/8 )
Domain "Yahoo.com" { Max_Outbound_Connections = 20 }
Binding_Group g { Retry_Interval = 5 Binding b { Domain d { Retry_Interval = 1 } } }
ESMTP_Listener {
  Max_Message_Size = 7
  Context = [ a = b ]
  Listen ":25" { Listen_Backlog = 9 Peer 10.0.0.0/8 { Banner_Hostname = x } }
}
ec_logger "ec_logger" { mainlog = "main.ec" }
"""


@pytest.fixture
def config() -> Config:
    found, problems = examine("/etc/a.conf", text=TEXT)
    assert not problems
    return found


def config_command(config: Config, line: str) -> Answer:
    return run(config, shlex.split(line))


@pytest.mark.parametrize(
    ("line", "text", "value"),
    [
        ("get message_expiration", "Message_Expiration = 86400", "86400"),
        ("get EHLO_HOSTNAME", 'EHLO_Hostname = "smtp-01.com"', "smtp-01.com"),
        ("get blackhole", "Option 'Blackhole' is not set in scope ''.", None),
        ("get relay_hosts", 'Relay_Hosts = (\n  "10.0.0.0/8"\n  )', ["10.0.0.0/8"]),
        ("get domain yahoo.com max_outbound_connections", "\tMax_Outbound_Connections = 20", "20"),
        (
            "get domain Yahoo.com retry_interval",
            "Option 'Retry_Interval' is not set in scope 'Domain:Yahoo.com:'.",
            None,
        ),
        ("get ec_logger mainlog", '\tMainLog = "main.ec"', "main.ec"),
        ("get ec_logger ec_logger mainlog", '\tMainLog = "main.ec"', "main.ec"),
        ("get esmtp_listener context", '\tContext = [\n\t  "a" = "b"\n\t  ]', {"a": "b"}),
        ("eval blackhole", "Blackhole = 0", "0"),
        ("eval never_retry", "Never_Retry = 0", "0"),
        ("eval gateway", 'Gateway = ""', None),
        ("eval domain nowhere.test retry_interval", "Retry_Interval = 1200", "1200"),
        ("eval binding b domain d retry_interval", "Retry_Interval = 1", "1"),
        ("eval binding b domain e retry_interval", "Retry_Interval = 5", "5"),
        ("eval binding_group g retry_interval", "Retry_Interval = 5", "5"),
        ("eval binding_group g domain d retry_interval", "Retry_Interval = 5", "5"),
        (
            "eval esmtp_listener listen :25 peer 10.0.0.0/8 max_message_size",
            "Max_Message_Size = 7",
            "7",
        ),
        ("eval ec_logger heartbeat", "Heartbeat = 60", "60"),
    ],
)
def test_get_shows_one_scope_and_eval_the_fallback(
    config: Config, line: str, text: str, value: object
) -> None:
    answer = config_command(config, line)
    assert (answer.text, answer.value) == (text, value)
    assert answer.changed is None


@pytest.mark.parametrize(
    ("line", "text", "option", "value"),
    [
        ("set suspend_delivery true", "Suspend_Delivery = true", "suspend_delivery", True),
        ("set Suspend_Delivery = on", "Suspend_Delivery = on", "suspend_delivery", True),
        ("set gateway mail.test", 'Gateway = "mail.test"', "gateway", "mail.test"),
        (
            "set relay_hosts ( 10.0.0.0/8 192.0.2.1 )",
            'Relay_Hosts = (\n  "10.0.0.0/8"\n  "192.0.2.1"\n  )',
            "relay_hosts",
            ["10.0.0.0/8", "192.0.2.1/32"],
        ),
        (
            "set relay_domains a.test",
            'Relay_Domains = (\n  "a.test"\n  )',
            "relay_domains",
            ["a.test"],
        ),
        (
            "set pidfile run/x.pid",
            'PidFile = "run/x.pid"\nPidFile takes effect at the next start.',
            "pidfile",
            "/etc/run/x.pid",
        ),
    ],
)
def test_set_echoes_and_leads_to_the_next_generation(
    config: Config, line: str, text: str, option: str, value: object
) -> None:
    before = config.option(option)
    answer = config_command(config, line)
    assert answer.text == text
    assert answer.changed is not None
    assert answer.changed.option(option) == value
    assert answer.changed.number == config.number + 1
    assert config.option(option) == before, "the old configuration is not touched"


def test_set_makes_a_scope_that_is_not_there(config: Config) -> None:
    answer = config_command(config, "set binding b domain new.test blackhole internal")
    assert answer.text == 'Blackhole = "internal"'
    assert answer.changed is not None
    assert answer.changed.delivery_option("blackhole", "b", "new.test") == "internal"
    assert answer.changed.delivery_option("blackhole", "b", "old.test") is False
    assert config.root.child("binding", "b") is None


def test_unset_shows_the_effective_value(config: Config) -> None:
    answer = config_command(config, "unset domain Yahoo.com max_outbound_connections")
    assert answer.text == (
        '"Max_Outbound_Connections" has been unset. Effective value is now:\n'
        "\tMax_Outbound_Connections = 32"
    )
    assert answer.changed is not None
    assert answer.changed.delivery_option("max_outbound_connections", "b", "yahoo.com") == 32


def test_unset_without_option_clears_the_scope(config: Config) -> None:
    answer = config_command(config, "unset binding_group g")
    assert answer.text == "Scope 'Binding_Group:g:' has been cleared."
    assert answer.changed is not None
    assert answer.changed.binding_group("g") == []


def test_show_abbreviates_inner_scopes(config: Config) -> None:
    assert config_command(config, "show esmtp_listener").text == (
        'Max_Message_Size = 7\nContext = [\n  "a" = "b"\n  ]\nListen ":25" { ... }'
    )


def test_showrecurse_is_a_file_that_says_the_same(config: Config) -> None:
    text = config_command(config, "showrecurse").text
    again, problems = examine("/etc/a.conf", text=text)
    assert not problems
    assert config_command(again, "showrecurse").text == text
    assert again.delivery_option("retry_interval", "b", "d") == 1


def test_locate_names_the_path_of_each_scope(config: Config) -> None:
    assert config_command(config, "locate listen").text == (
        'Listen ":25"\n  is at ESMTP_Listener::Listen:\\:25:'
    )
    assert config_command(config, "locate domain ^d$").text == (
        'Domain "d"\n  is at Binding_Group:g:Binding:b:Domain:d:'
    )
    assert config_command(config, "locate host").text == "No scope 'host' is configured."


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("", "config : no such command; there are get, eval, set, unset, show, showrecurse, locate"),
        ("get", "an option name is missing after scope 'Global'"),
        ("get gatewax", "'gatewax' is not a valid option name in scope 'Global'. did you mean `Gateway`?"),
        ("get binding", "Binding needs an instance name"),
        ("get binding zz retry_interval", "Scope 'Binding:zz:' does not exist."),
        ("set retry_interval", "config set Retry_Interval: a value is missing"),
        ("set retry_interval soon", "Retry_Interval wants a number of seconds; nothing was changed"),
        ("set gateway a b", "Gateway takes one value; put quotes around one that holds blanks"),
        ("set relay_hosts ( 10.0.0.0/8", "Relay_Hosts: the list that begins here is never closed; nothing was changed"),
        ("set cluster_max_outbound_connections 5", "moonpost does not provide Cluster_Max_Outbound_Connections; nothing was changed"),
        ("unset", "the global scope cannot be unset as a whole"),
        ("locate listen (", "the pattern `(` does not compile: missing ), unterminated subpattern at position 0"),
    ],
)  # fmt: skip
def test_refusals_say_what_is_wrong(config: Config, line: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        config_command(config, line)
    assert str(caught.value) == text
