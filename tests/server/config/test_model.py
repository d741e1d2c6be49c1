"""What a configuration comes to: merged scopes, fallback, types, defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moonpost.config.diagnostics import ConfigurationError
from moonpost.config.model import Config, examine, load

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def config() -> Config:
    return load(str(HERE / "everything.conf"))


def of(text: str) -> Config:
    config, problems = examine("/etc/moonpost.conf", text=text)
    assert not [item for item in problems if item.severity == "error"], "\n".join(
        map(str, problems)
    )
    return config


def test_only_what_has_no_effect_is_noted(config: Config) -> None:
    assert {note.code for note in config.notes} == {"C511"}
    assert "PCRE_Cache_Size" in config.notes[-1].message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hostname", "mx1.example.net"),
        ("Message_Expiration", 604800),
        ("max_retries", 12),
        ("relay_domains", ["example.com", "*.example.com"]),
        ("relay_hosts", ["127.0.0.0/8", "2001:db8::/32"]),
        ("prohibited_hosts", ["10.0.0.0/8"]),
        ("outbound_throttle_messages", (600, 60)),
        ("tls", "ifavailable"),
        ("spoolbase", str(HERE / "var/spool")),
        ("missing_return", "cont"),
        ("nameservers", ["127.0.0.1:5353"]),
        # defaults
        ("max_retry_interval", 43200),
        ("blackhole", False),
        ("outbound_throttle_connections", None),
        ("bounce_domains", []),
        ("spool_mode", 0o640),
    ],
)
def test_global_options_are_typed(config: Config, name: str, value: object) -> None:
    assert config.option(name) == value


@pytest.mark.parametrize(
    ("binding", "domain", "seconds", "why"),
    [
        ("bulk-1", "example.org", 1, "domain in binding in group"),
        ("bulk-1", "EXAMPLE.org.", 1, "domains ignore case and the final dot"),
        ("bulk-2", "example.org", 3, "domain in group"),
        ("bulk-1", "elsewhere.test", 4, "a binding's own value beats global domain stanzas"),
        ("bulk-2", "elsewhere.test", 1800, "the group"),
        ("plain", "example.org", 6, "global domain"),
        ("plain", "mx7.example.net", 60, "the first pattern that sets it"),
        ("plain", "an-example.test", 61, "the second pattern, not anchored"),
        ("plain", "mx1.example.org", 60, "the exact stanza does not set it, a pattern does"),
        ("plain", "elsewhere.test", 600, "global"),
        ("unheard of", "elsewhere.test", 600, "a binding that is not configured"),
    ],
)
def test_delivery_options_fall_back(
    config: Config, binding: str, domain: str, seconds: int, why: str
) -> None:
    assert config.delivery_option("retry_interval", binding, domain) == seconds, why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1200),
        ("{7}", 7),
        ("{7} Domain d { {6} }", 6),
        ("Domain d { {6} } Binding_Group g { {5} Binding b {} }", 5),
        ("Binding_Group g { {5} Binding b {} } Binding b { {4} }", 4),
        ("Binding b { {4} } Binding_Group g { Binding b {} Domain d { {3} } }", 3),
        ("Binding_Group g { Binding b {} Domain d { {3} } } Binding b { Domain d { {2} } }", 2),
        ("Binding b { Domain d { {2} } } Binding_Group g { Binding b { Domain d { {1} } } }", 1),
    ],
)
def test_each_more_specific_scope_wins(text: str, expected: int) -> None:
    written = re.sub(r"\{(\d)\}", r"retry_interval = \1", text)
    assert of(written).delivery_option("retry_interval", "b", "d") == expected


def test_a_host_is_asked_beside_the_domain(config: Config) -> None:
    assert (
        config.delivery_option("max_outbound_connections", "plain", "x.test", "mx9.example.org")
        == 2
    )
    assert config.delivery_option("max_outbound_connections", "plain", "x.test") == 32


def test_scopes_that_share_a_value_share_its_throttle() -> None:
    config = of(
        'outbound_throttle_messages = 9 Domain "/a/" { outbound_throttle_messages = 5 } Binding b {}'
    )
    scope = config.delivery_scope
    name = "outbound_throttle_messages"
    assert scope(name, "b", "a1.test") == scope(name, "default", "a2.test") != ""
    assert scope(name, "b", "x.test") == scope(name, "c", "y.test") != scope(name, "b", "a1.test")
    assert scope("outbound_throttle_connections", "b", "x.test") == ""


@pytest.mark.parametrize(
    ("name", "listen", "peer", "value"),
    [
        ("max_message_size", "[::1]:2525", "10.1.2.3", 2016),
        ("max_message_size", "[::1]:2525", "10.2.2.3", 2008),
        ("max_message_size", "[::1]:2525", "192.0.2.1", 2000),
        ("max_message_size", ":25", "10.1.2.3", 1000),
        ("max_recipients_per_message", "[::1]:2525", "10.2.2.3", 8),
        ("max_recipients_per_message", "[::1]:2525", "::ffff:10.2.2.3", 8),
        ("banner_hostname", ":25", "192.0.2.1", None),
        ("static_banner", ":25", "192.0.2.1", "hello from the pathway"),
        ("received_hostname", ":25", "192.0.2.1", "group.example.net"),
        ("static_banner", "[::1]:2525", "192.0.2.1", None),
        ("relay_hosts", ":25", "192.0.2.1", ["127.0.0.0/8", "2001:db8::/32"]),
        ("context", ":25", "", {"origin": "outside", "two words": "yes"}),
        ("idle_time", ":25", "", 300),
    ],
)
def test_listener_options_fall_back(
    config: Config, name: str, listen: str, peer: str, value: object
) -> None:
    assert config.listener_option(name, "ESMTP_Listener", listen, peer) == value


def test_bindings_and_groups(config: Config) -> None:
    assert config.binding_names() == ["default", "plain", "bulk-1", "bulk-2"]
    assert config.binding_group("bulk") == ["bulk-1", "bulk-2"]
    assert config.binding_group("Bulk") is None, "instance names keep their case"
    assert config.group_of("bulk-2") == "bulk"
    assert config.group_of("plain") == "default"


def test_scripts_come_in_file_order_without_the_built_in_ones(config: Config) -> None:
    assert [(script.name, script.source) for script in config.scripts()] == [
        ("first", "policies/first"),
        ("second", "policies.second"),
    ]
    scriptlet = config.module("scriptlet")
    assert scriptlet is not None and scriptlet["script_ttl"] == 30


def test_a_module_that_is_switched_off_is_not_there() -> None:
    assert of("opendkim { enabled = false }").module("opendkim") is None
    assert of("").module("opendkim") is None


def test_a_module_shows_its_options_and_inner_scopes(config: Config) -> None:
    opendkim = config.module("opendkim")
    assert opendkim is not None
    assert opendkim["header_canon"] == "simple"
    assert opendkim["key"] == str(HERE / "keys/%{d}/%{s}.pem")
    assert opendkim["dkim_domain"] == {"example.org": {"selector": "two"}}


def test_logs_without_a_path_lie_beside_the_main_log(config: Config) -> None:
    logger = config.module("ec_logger")
    assert logger is not None
    assert logger["rejectlog"] == str(HERE / "var/rejectlog.ec")
    elsewhere = of("ec_logger {}").module("ec_logger")
    assert elsewhere is not None and elsewhere["rejectlog"] == "/var/log/ecelerity/rejectlog.ec"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("relay_for_sending_domains = ()", []),
        ("relay_for_sending_domains = a.test", ["a.test"]),
    ],
)
def test_relaying_for_everyone_must_be_asked_for(text: str, value: object) -> None:
    """An empty list lets every sender relay; leaving the option out must not."""
    config = of(f"ESMTP_Listener {{ {text} }}")
    assert config.listener_option("relay_for_sending_domains") == value


def test_thread_pools(config: Config) -> None:
    pools = config.thread_pools()
    assert (pools["IO"].concurrency, pools["CPU"].concurrency) == (3, 4)
    assert (pools["mine"].concurrency, pools["mine"].backlog) == (2, 7)


def test_a_configuration_with_errors_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("retry_interval = soon\nblackhole = maybe\n")
    with pytest.raises(ConfigurationError) as caught:
        load(str(path))
    assert [problem.place.line for problem in caught.value.diagnostics] == [1, 2]
    assert "Retry_Interval wants a number of seconds; this is `soon`" in str(caught.value)
