"""Deep checks: what the configuration names must be there, be usable and be safe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from moonpost.config.model import examine
from moonpost.config.validate import endpoint, validate

Check = Callable[[str], list[tuple[str, str]]]
POLICY = "alerting {} inbound_audit {} "


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Codes and messages of a configuration that lies in the temporary folder."""

    def run(text: str) -> list[tuple[str, str]]:
        path = tmp_path / "a.conf"
        path.write_text(text)
        config, problems = examine(str(path))
        assert not [problem for problem in problems if problem.severity == "error"], problems
        return [
            (problem.code, problem.message.replace(str(tmp_path), "DIR"))
            for problem in validate(config)
        ]

    return run


def key_pem(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_sound_configuration_has_no_findings(check: Check, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "first.lua").write_text("return true")
    (tmp_path / "key.pem").write_bytes(key_pem(ed25519.Ed25519PrivateKey.generate()))
    assert (
        check(
            POLICY
            + """
        opendkim_sign = false
        scriptlet "scriptlet" {
          script "boot" { source = "msys.boot" }
          script "a" { source = "policies.first" }
          script "b" { source = "policies/first" }
        }
        opendkim { headerlist = ( from ) key = "key.pem" }
        ESMTP_Listener { Listen ":25" {} Listen "[::1]:25" {} Listen "127.0.0.1:0" { pathway = p } }
        ESMTP_Listener { Listen "127.0.0.2:0" {} }
        Control_Listener { Listen "console.sock" {} }
        Pathway p {}
        ThreadPool mine { concurrency = 1 }
        Datasource d { uri = ( "sqlite:x.db" "pgsql:host=h" ) pool = Mine }
        """
        )
        == []
    )


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("nowhere", "C514", "no script `nowhere` can be found"),
        ("", "C514", 'script "a" has no source'),
        ("../x", "C515", "source '../x': '..' and NUL are not allowed in a script's name"),
        ("open", "C515", "DIR/open.lua: mode 0666 lets others change it"),
    ],
)
def test_scripts(check: Check, tmp_path: Path, source: str, code: str, message: str) -> None:
    (tmp_path / "open.lua").write_text("")
    (tmp_path / "open.lua").chmod(0o666)
    written = f'{{ source = "{source}" }}' if source else "{}"
    found = check(POLICY + f'scriptlet "scriptlet" {{ script "a" {written} }}')
    assert [each[0] for each in found] == [code]
    assert found[0][1].startswith(message)


def test_writable_policy_may_be_allowed(check: Check, tmp_path: Path) -> None:
    (tmp_path / "open.lua").write_text("")
    (tmp_path / "open.lua").chmod(0o666)
    text = POLICY + 'allow_writable_policy = true scriptlet { script "a" { source = open } }'
    assert check(text) == []


def test_signing_keys_must_load(check: Check, tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("no key")
    (tmp_path / "two.test.pem").write_bytes(key_pem(ed25519.Ed25519PrivateKey.generate()))
    found = check(
        """opendkim_sign = false
        opendkim "a" { headerlist = ( from ) key = "none.pem" }
        opendkim "b" { headerlist = ( from ) key = "junk.pem" }
        opendkim "c" { headerlist = ( from ) key = "%{d}.pem"
          dkim_domain "one.test" {} dkim_domain "two.test" {} }
        """
    )
    assert [code for code, _ in found] == ["C516"] * 3
    assert found[0][1] == "DIR/none.pem: No such file or directory"
    assert found[1][1].startswith("DIR/junk.pem is no private key that can be used")
    assert found[2][1] == "DIR/one.test.pem: No such file or directory"


def test_certificates_must_load_with_their_key(check: Check, tmp_path: Path) -> None:
    key, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "c.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(key_pem(key))
    (tmp_path / "o.pem").write_bytes(key_pem(other))
    assert check("ESMTP_Listener { tls_certificate = c.pem tls_key = k.pem }") == []
    found = check("ESMTP_Listener { tls_certificate = c.pem tls_key = o.pem }")
    assert found[0][0] == "C516"
    assert found[0][1].startswith("DIR/c.pem with key DIR/o.pem: ")
    found = check("tls_certificate = none.pem")
    assert found == [("C516", "DIR/none.pem: No such file or directory")]
    assert check("tls_key = k.pem")[0][1] == "TLS_Key stands without TLS_Certificate in this scope"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('ESMTP_Listener { Listen ":70000" {} }', 'Listen ":70000": `70000` is no port'),
        (
            'ESMTP_Listener { Listen "300.1.1.1:25" {} }',
            "Listen \"300.1.1.1:25\": '300.1.1.1' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            'ESMTP_Listener { Listen ":25" {} Listen "*:25" {} }',
            'Listen "*:25": DIR/a.conf:1 listens at the same address',
        ),
        (
            'Control_Listener { Listen "127.0.0.1:2025" {} }',
            'Listen "127.0.0.1:2025": the console listens on sockets in the file system only',
        ),
    ],
)
def test_listening_addresses(check: Check, text: str, message: str) -> None:
    assert check(text) == [("C517", message)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":25", ("*", "25")),
        ("*:25", ("*", "25")),
        ("10.0.0.1:25", ("10.0.0.1", "25")),
        ("[2001:DB8::1]:25", ("[2001:db8::1]", "25")),
        ("[*]:25", ("[*]", "25")),
        ("/run/x:y", ("/run/x:y", "")),
        ("console.sock", ("console.sock", "")),
    ],
)
def test_endpoints(text: str, expected: tuple[str, str]) -> None:
    assert endpoint(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("Datasource d {}", "C518", 'Datasource "d" has no uri'),
        ("Datasource d { uri = csv:x }", "C518", "`csv:x`: moonpost has no driver `csv`"),
        ("Datasource d { uri = sqlit:x }", "C518", "`sqlit:x`: moonpost has no driver `sqlit`"),
        ("Datasource d { uri = x.db }", "C518", "`x.db`: a uri is `driver:rest`"),
        (
            "Datasource d { uri = sqlite:x pool = ME }",
            "C519",
            "`ME` is no configured ThreadPool",
        ),
        ("ESMTP_Listener { pathway = out }", "C519", "`out` is no configured Pathway"),
        (
            'shared_state = "memcached://x"',
            "C530",
            "`memcached://x` is no address of a Redis or Valkey",
        ),
        ("ThreadPool p { concurrency = -1 }", "C508", "-1 threads: a pool has none (0) or some"),
        (
            "workers = 3",
            "C521",
            "3 workers would each count limits for themselves",
        ),
    ],
)
def test_things_that_are_named(check: Check, text: str, code: str, message: str) -> None:
    assert check(text) == [(code, message)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('resolv_conf = "/dev/null"', [("C525", "/dev/null names no name server")]),
        ("resolv_conf = none.conf", [("C525", "DIR/none.conf names no name server")]),
        (
            'resolv_conf = "/dev/null" gateway = "127.0.0.1"',
            [("C525", "/dev/null names no name server")],
        ),
        ('resolv_conf = "/dev/null" nameservers = ( "127.0.0.1:53" "::1" )', []),
        (
            'nameservers = ( "127.0.0.1" ns.test )',
            [
                (
                    "C524",
                    "`ns.test` is no name server: 'ns.test' does not appear to be an IPv4 or IPv6 address",
                )
            ],
        ),
    ],
)
def test_somebody_must_be_there_to_ask(
    check: Check, text: str, expected: list[tuple[str, str]]
) -> None:
    assert check(text) == expected


def test_monitors_have_seconds_and_windows(check: Check) -> None:
    found = check('inbound_audit { monitors = ( "60,10" x "60,0" "0.5, 3" ) }')
    assert found == [("C526", "`x` is no monitor"), ("C526", "`60,0` is no monitor")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adaptive_enabled = true", "Adaptive_Enabled has no effect without its stanza"),
        ("adaptive {} adaptive_sweep_rule a { codes = ( bc:x ) }", 'adaptive_sweep_rule "a": `bc:x` is neither bc:NUMBER nor fbl:CATEGORY'),
        ("adaptive {} Domain a.test { adaptive_retry_interval = ( 9 ) }", "Adaptive_Retry_Interval: two numbers, the lower first, not ( 9 )"),
        ('adaptive {} adaptive_default_suspension = "a while"', "Adaptive_Default_Suspension: `a while` is no duration like `4 hours`"),
    ],
)  # fmt: skip
def test_adaptive_delivery_is_checked(check: Check, text: str, message: str) -> None:
    assert check(text) == [("C527", message)]
    ((code, _),) = check("adaptive_sweep_rule a { codes = ( bc:1 fbl:abuse ) }")
    assert code == "C529"


def test_rules_in_a_file_are_read(check: Check, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("version = 7")
    ((code, message),) = check('adaptive { receiver_rules = "rules.toml" }')
    assert (code, message) == (
        "C527",
        "DIR/rules.toml: version 7, and this moonpost reads 1",
    )
    assert check("adaptive_enabled = true adaptive { use_receiver_rules = false }") == []


def test_formats_of_custom_logger_are_read(check: Check) -> None:
    found = check('custom_logger a { reception_format = "%Q" sanitize = "wash" mainlog = "x" }')
    assert [code for code, _ in found] == ["C528", "C528"]


def test_a_foreign_driver_may_be_accepted(check: Check) -> None:
    assert check('accept_missing = ( "csv" ) Datasource d { uri = "csv:" }') == []
