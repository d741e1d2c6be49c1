"""Signatures: ours against dkimpy and the opendkim daemon, theirs against ours, and what policy is told."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

import msys
from msys.lua import LuaError, Table
from msys.message import Message
from msys.opendkim import dkim as lib
from msys.ports import PortError
from msys.testing.policy import Policy
from msys.validate.automatic import registrations
from msys.vctx import ValidationContext

DOMAIN, SELECTOR = "example.test", "s1"
NAME = f"{SELECTOR}._domainkey.{DOMAIN}"

PLAIN = (
    b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    b"From: Ann <ann@example.test>\r\nTo: bob@b.test,\r\n  carl@c.test\r\nSubject:  two   blanks \r\n"
    b"Subject: a second one\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n"
    b"Hello  you \t\r\n\r\n .dot\r\nend\r\n\r\n\r\n"
)
UNENDED = "no last line end"  # other programs lose the unfinished line; SMTP never has one
MESSAGES = {
    "plain": PLAIN,
    "no body": b"From: ann@example.test\r\nSubject: x\r\n\r\n",
    "no blank line": b"From: ann@example.test\r\nSubject: x\r\n",
    "only blank lines": b"From: ann@example.test\r\n\r\n\r\n\r\n",
    UNENDED: b"From: ann@example.test\r\n\r\nabc",
    "eight bits": "From: ann@example.test\r\nSubject: grüß\r\n\r\nSchön\r\n".encode(),
    "long": b"From: ann@example.test\r\n\r\n" + b"x" * 900 + b"\r\n" * 5 + b"y \t \r\n" * 200,
}

ENDED = {name: content for name, content in MESSAGES.items() if name != UNENDED}


def pem(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def record(key: Any) -> str:
    public = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@pytest.fixture(scope="module")
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@pytest.fixture
def signer(here: Policy, rsa_key: rsa.RSAPrivateKey, ed_key: ed25519.Ed25519PrivateKey) -> Policy:
    here.ports.files.content["/keys/example.test/s1.pem"] = pem(rsa_key)
    here.ports.files.content["/keys/ed.pem"] = pem(ed_key)
    here.ports.dns.add(NAME, "TXT", [record(rsa_key)])
    here.ports.clock.advance(
        time.time() - here.ports.clock.now()
    )  # the others look at the real clock
    return here


def options(**given: Any) -> Table:
    basic = {"base_domain": DOMAIN, "selector": SELECTOR, "keyfile": "/keys/%{d}/%{s}.pem"}
    return Table({**basic, **given})


def dkimpy_says(content: bytes, text: str) -> bool:
    return dkimpy.verify(content, dnsfunc=lambda name, timeout=5: text.encode(), minkey=512)


@pytest.mark.parametrize("content", MESSAGES.values(), ids=MESSAGES.keys())
@pytest.mark.parametrize(
    "canon", ["simple/simple", "relaxed/relaxed", "relaxed/simple", "simple/relaxed"]
)
def test_dkimpy_accepts_what_we_sign(signer: Policy, rsa_key, content: bytes, canon: str) -> None:
    header, body = canon.split("/")
    message = Message(content=content)
    chosen = options(header_canon=header, body_canon=body, headerlist="From:To?:Subject*:Date?:Cc")
    assert msys.validate.opendkim.sign(message, None, chosen) == 1
    assert message.content.rstrip().endswith(content.rstrip())
    assert dkimpy_says(message.content, record(rsa_key))


@pytest.mark.row("msys.validate.dkim.sign")
@pytest.mark.parametrize(
    "given",
    [
        {"digest": "rsa-sha1"},
        {"identity": "list@sub.example.test"},
        {"body_length_limit": 1},
        {"lifetime": 24},
        {"headerlist": "from, to, subject, date, subject, subject"},
        {"headerlist": "From+:Subject+:X-None+:X-Other?:To*"},
    ],
)
def test_options_make_signatures_that_dkimpy_accepts(signer: Policy, rsa_key, given: dict) -> None:
    message = Message(content=PLAIN)
    assert msys.validate.dkim.sign(message, None, options(**given)) == 1
    assert dkimpy_says(message.content, record(rsa_key))


@pytest.mark.row("msys.validate.opendkim.get_sig_signalg")
def test_ed25519_and_keybuf(signer: Policy, rsa_key, ed_key) -> None:
    message = Message(content=PLAIN)
    assert msys.validate.opendkim.sign(message, None, options(keyfile="/keys/ed.pem")) == 1
    assert b"a=ed25519-sha256" in message.content
    signer.ports.dns.add(NAME, "TXT", [record(ed_key)])
    handle, status = msys.validate.opendkim.verify(message)
    assert status == lib.DKIM_STAT_OK
    assert (
        msys.validate.opendkim.get_sig_signalg(msys.validate.opendkim.get_sig(handle)[0])[0]
        == "unknown"
    )
    bare = "".join(pem(rsa_key).decode().splitlines()[1:-1])
    message = Message(content=PLAIN)
    assert msys.validate.opendkim.sign(message, None, options(keybuf=bare)) == 1
    assert dkimpy_says(message.content, record(rsa_key))


def test_the_stanza_serves_and_the_call_overrules_it(signer: Policy) -> None:
    signer.ports.configuration.modules["opendkim"] = {
        "base_domain": "other.test",
        "selector": SELECTOR,
        "key": "/keys/example.test/s1.pem",
        "headerlist": ["from", "subject"],
        "oversign_headerlist": "from",
        "header_canon": "relaxed",
    }
    signer.call.message = message = Message(content=PLAIN)
    assert msys.validate.opendkim.sign(None, None, Table({"signing_domain": DOMAIN})) == 1
    assert b"d=example.test" in message.content and b"c=relaxed/simple" in message.content
    assert b"h=from:subject:from" in message.content
    assert (
        msys.validate.opendkim.sign(None, None, Table({"signing_domain": DOMAIN})) == 0
    )  # once is enough
    assert message.content.count(b"DKIM-Signature") == 1


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"selector": ""}, "selector is not set"),
        ({"keyfile": "/none.pem"}, "No such file"),
        ({"keybuf": "AAAA"}, "keybuf: not a private key"),
        ({"digest": "rsa-md5"}, "digest 'rsa-md5'"),
        ({"header_canon": "loose"}, "canonicalisation 'loose'"),
        ({"identity": "a@evil.test"}, "is not in example.test"),
        ({"headerlist": "Subject"}, "From must be signed"),
        ({"base_domain": "../etc"}, "parts of a path"),
    ],
)
def test_what_cannot_be_signed_stays_unsigned_and_is_logged(
    signer: Policy, given: dict, problem: str
) -> None:
    message = Message(content=PLAIN)
    assert msys.validate.opendkim.sign(message, None, options(**given)) == 0
    assert message.content == PLAIN
    assert problem in signer.ports.log.text


def test_a_message_without_from_stays_unsigned(signer: Policy) -> None:
    assert (
        msys.validate.opendkim.sign(Message(content=b"To: a@b\r\n\r\nx\r\n"), None, options()) == 0
    )
    with pytest.raises(LuaError, match="string expected for option 'selector'"):
        msys.validate.opendkim.sign(Message(content=PLAIN), None, options(selector=Table()))


def signed(signer: Policy, **given: Any) -> bytes:
    message = Message(content=PLAIN)
    assert msys.validate.opendkim.sign(message, None, options(**given)) == 1
    return message.content


def verdict(content: bytes) -> tuple[int, str | None, Any]:
    handle, status = msys.validate.opendkim.verify(Message(content=content))
    one, _ = msys.validate.opendkim.get_sig(handle)
    return status, msys.validate.opendkim.get_sig_errorstr(one)[0], one


def test_verify_tells_good_from_changed(signer: Policy) -> None:
    content = signed(signer)
    assert verdict(content)[:2] == (lib.DKIM_STAT_OK, "no signature error")
    for changed in (
        content.replace(b"Hello", b"Hallo"),
        content.replace(b"ann@example", b"eve@example"),
    ):
        assert verdict(changed)[:2] == (lib.DKIM_STAT_BADSIG, "signature verification failed")


@pytest.mark.row("msys.validate.opendkim.verify")
@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        (None, lib.DKIM_STAT_NOKEY, "key not found in DNS"),
        ("v=DKIM1; p=", lib.DKIM_STAT_REVOKED, "key revoked"),
        ("v=DKIM1; p=AAAA", lib.DKIM_STAT_CANTVRFY, "unable to apply public key"),
        ("v=DKIM1; k=dsa; p=AAAA", lib.DKIM_STAT_SYNTAX, "unknown key type"),
        ("nonsense", lib.DKIM_STAT_SYNTAX, "key DNS reply corrupt"),
        ("{key}; h=sha1", lib.DKIM_STAT_SYNTAX, "unknown key hash"),
        ("{key}; s=tlsrpt", lib.DKIM_STAT_SYNTAX, "not an e-mail key"),
    ],
)
def test_verify_says_what_is_wrong_with_the_key(
    signer: Policy, rsa_key, text, status: int, error: str
) -> None:
    content = signed(signer)
    signer.ports.dns.records.clear()
    if text is not None:
        signer.ports.dns.add(NAME, "TXT", [text.replace("{key}", record(rsa_key))])
    assert verdict(content)[:2] == (status, error)


def test_verify_says_what_is_wrong_with_the_signature(signer: Policy) -> None:
    content = signed(signer, lifetime=1)
    signer.ports.clock.advance(3601)
    assert verdict(content)[1] == "signature expired"
    assert verdict(content.replace(b" s=s1;", b"", 1))[1] == "selector tag missing"
    assert (
        verdict(content.replace(b"a=rsa-sha256", b"a=rsa-md5"))[1] == "signature algorithm invalid"
    )
    assert verdict(content.replace(b"v=1", b"v=9"))[1] == "unsupported signature version"


@pytest.mark.row("msys.validate.opendkim.get_sig_canons")
@pytest.mark.row("msys.validate.opendkim.get_sig_domain")
@pytest.mark.row("msys.validate.opendkim.get_sig_flags")
@pytest.mark.row("msys.validate.opendkim.get_sig_hdrsigned")
@pytest.mark.row("msys.validate.opendkim.get_sig_identity")
@pytest.mark.row("msys.validate.opendkim.get_sig_keysize")
@pytest.mark.row("msys.validate.opendkim.get_sig_selector")
def test_getters(signer: Policy, rsa_key) -> None:
    v = msys.validate.opendkim
    signer.ports.dns.add(NAME, "TXT", [record(rsa_key) + "; t=y"])
    handle, _ = v.verify(Message(content=signed(signer, header_canon="relaxed")))
    assert v.get_num_sigs(handle) == (1, lib.DKIM_STAT_OK)
    one, status = v.get_sig(handle, 0)
    assert status == lib.DKIM_STAT_OK
    assert v.get_sig(handle, 1) == (None, lib.DKIM_STAT_INVALID)
    answers = {
        v.get_sig_canons: "relaxed",
        v.get_sig_domain: DOMAIN,
        v.get_sig_selector: SELECTOR,
        v.get_sig_signalg: "rsa-sha256",
        v.get_sig_keysize: 1024,
        v.get_sig_flags: lib.DKIM_SIGFLAG_PROCESSED
        | lib.DKIM_SIGFLAG_PASSED
        | lib.DKIM_SIGFLAG_TESTKEY
        | lib.DKIM_SIGFLAG_KEYLOADED,
    }
    for function, expected in answers.items():
        assert function(one) == (expected, lib.DKIM_STAT_OK)
        assert function(None) == (None, lib.DKIM_STAT_INVALID)
    assert v.get_sig_identity(handle, one)[0] == "@example.test"
    assert v.get_sig_hdrsigned(one, "SUBJECT")[0] is True
    assert v.get_sig_hdrsigned(one, "X-Other")[0] is False


@pytest.mark.row("msys.validate.opendkim.get_num_sigs")
@pytest.mark.row("msys.validate.opendkim.get_sig")
def test_an_unsigned_message(signer: Policy) -> None:
    handle, status = msys.validate.opendkim.verify(Message(content=PLAIN))
    assert status == lib.DKIM_STAT_NOSIG
    assert msys.validate.opendkim.get_num_sigs(handle)[0] == 0
    assert msys.validate.opendkim.get_sig(handle) == (None, lib.DKIM_STAT_INVALID)


@pytest.mark.row("msys.validate.dkim.get_domains")
@pytest.mark.row("msys.validate.dkim.get_responsible_domain")
@pytest.mark.row("msys.validate.dkim.get_verify_results")
@pytest.mark.row("msys.validate.dkim.verify_results_get_count")
@pytest.mark.row("msys.validate.dkim.verify_results_get_item")
@pytest.mark.row("msys.validate.dkim.verify_status_to_string")
def test_the_older_package_reads_outcomes_when_its_module_is_configured(signer: Policy) -> None:
    old = msys.validate.dkim
    content = signed(signer, identity="x@news.example.test")
    signer.call.message = Message(content=content)
    assert (old.get_domains(), old.get_verify_results()[0]) == ("", 0)
    signer.ports.configuration.modules["dkim_validate"] = {}
    signer.call.message = Message(content=content)
    assert old.get_domains() == "news.example.test"
    assert old.get_responsible_domain(None, None) == DOMAIN
    count, results = old.get_verify_results()
    assert count == 1 and old.verify_results_get_count(results) == (1, None)
    item, problem = old.verify_results_get_item(results, 0)
    assert problem is None and item is not None
    assert old.verify_status_to_string(item.status) == ("pass", None)
    assert (item["diagnostic"], item["algorithm"], item["query"]) == (
        "no signature error",
        "rsa-sha256",
        None,
    )
    assert old.verify_results_get_item(results, 1)[1].startswith("Index value is greater")
    assert old.verify_results_get_item(None, 0)[1] == "No verification results to get item from"
    assert old.verify_results_get_item(results, None)[1] == "Index value not specified"
    assert old.verify_results_get_count(None)[1] == "No verification results to count."
    assert old.verify_status_to_string(None)[1] == "No status code is passed in"


def needs(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        pytest.skip(f"needs the Debian program {program}")
    return found


def needs_perl() -> str:
    program = needs("perl")
    if subprocess.run([program, "-MMail::DKIM", "-e", "1"], capture_output=True).returncode:
        pytest.skip("needs the Debian package libmail-dkim-perl")
    return program


@pytest.mark.row("msys.validate.opendkim.sign")
def test_the_opendkim_daemon_accepts_what_we_sign(signer: Policy, rsa_key, tmp_path: Path) -> None:
    program = needs("opendkim")
    (tmp_path / "keys").write_text(f"{NAME} {record(rsa_key)}\n")
    (tmp_path / "conf").write_text(f"Mode v\nTestPublicKeys {tmp_path}/keys\nMinimumKeyBits 512\n")
    for name, content in ENDED.items():
        message = Message(content=content)
        chosen = options(header_canon="relaxed", body_canon="relaxed")
        assert msys.validate.opendkim.sign(message, None, chosen) == 1
        (tmp_path / "mail").write_bytes(message.content)
        done = subprocess.run(
            [program, "-x", str(tmp_path / "conf"), "-t", str(tmp_path / "mail")],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert "verification (s=s1, d=example.test, 1024-bit key) succeeded" in done.stdout, (
            name,
            done,
        )


@pytest.mark.row("msys.validate.opendkim.get_sig_errorstr")
@pytest.mark.parametrize("content", MESSAGES.values(), ids=MESSAGES.keys())
@pytest.mark.parametrize("canon", ["simple/simple", "relaxed/relaxed"])
def test_we_accept_what_dkimpy_signs(signer: Policy, rsa_key, content: bytes, canon: str) -> None:
    key = rsa_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    header, body = canon.encode().split(b"/")
    made = dkimpy.sign(
        content, SELECTOR.encode(), DOMAIN.encode(), key, canonicalize=(header, body)
    )
    assert verdict(made + content)[:2] == (lib.DKIM_STAT_OK, "no signature error")


def test_we_accept_what_mail_dkim_signs(signer: Policy, rsa_key, tmp_path: Path) -> None:
    program = needs_perl()
    (tmp_path / "key.pem").write_bytes(pem(rsa_key))
    script = """
        use Mail::DKIM::Signer; my ($key, $method) = @ARGV; binmode STDIN;
        my $s = Mail::DKIM::Signer->new(Algorithm => "rsa-sha256", Method => $method,
            Domain => "example.test", Selector => "s1", KeyFile => $key);
        my $mail = do { local $/; <STDIN> }; $s->PRINT($mail); $s->CLOSE; print $s->signature->as_string;
    """
    for method in "relaxed/relaxed", "simple/simple", "relaxed":
        done = subprocess.run(
            [program, "-e", script, str(tmp_path / "key.pem"), method],
            input=PLAIN,
            capture_output=True,
            timeout=20,
        )
        assert done.returncode == 0, done
        content = done.stdout.strip() + b"\r\n" + PLAIN
        assert verdict(content)[:2] == (lib.DKIM_STAT_OK, "no signature error"), (method, done)


@pytest.mark.parametrize("canon", ["simple", "nofws"])
@pytest.mark.parametrize("content", ENDED.values(), ids=ENDED.keys())
def test_mail_dkim_accepts_our_domainkeys(
    signer: Policy, rsa_key, content: bytes, canon: str
) -> None:
    program = needs_perl()
    signer.ports.configuration.modules["dk_sign"] = {"canon": canon}
    message = Message(content=content)
    assert msys.validate.dk.sign(message, None, options()) == 1
    text = record(rsa_key).removeprefix("v=DKIM1; ")
    script = """
        use Mail::DKIM::Verifier; use Mail::DKIM::DkPolicy; use Mail::DKIM::PublicKey;
        no warnings; my $text = shift;
        *Mail::DKIM::PublicKey::fetch_async = sub { my ($c, %p) = @_;
            return sub { my $k = Mail::DKIM::PublicKey->parse($text); $p{Callbacks}{Success}->($k); $k } };
        my $v = Mail::DKIM::Verifier->new; binmode STDIN; local $/; $v->PRINT(<STDIN>); $v->CLOSE;
        print join(",", map { $_->result } $v->signatures);
    """
    done = subprocess.run(
        [program, "-e", script, text], input=message.content, capture_output=True, timeout=20
    )
    assert done.stdout == b"pass", done


@pytest.mark.row("msys.validate.dk.get_responsible_domain")
@pytest.mark.row("msys.validate.dk.sign")
def test_domainkeys_refuses_what_it_cannot_sign(signer: Policy) -> None:
    message = Message(content=PLAIN)
    assert msys.validate.dk.sign(message, None, options(keyfile="/keys/ed.pem")) == 0
    assert msys.validate.dk.sign(message, None, options(keyfile="/x")) == 0
    assert message.content == PLAIN
    assert "needs an RSA key" in signer.ports.log.text
    assert msys.validate.dk.get_responsible_domain(message) == DOMAIN
    assert msys.validate.dk.get_responsible_domain(Message(content=b"X: y\r\n\r\n")) is None


# --- dk_validate ---


def dk_status(signer: Policy, content: bytes) -> tuple[str | None, Message]:
    """What the module puts into the context, and the message after it."""
    signer.ports.configuration.modules["dk_validate"] = {}
    message = Message(content=content)
    vctx = ValidationContext(conn=message.conn, mess=message.mess)
    (module,) = registrations(signer.ports.configuration.module)
    module.table["validate_data"](None, message, None, vctx)
    return message.mess.get("dk_status"), message


def domainkeys_signed(signer: Policy, canon: str = "nofws", content: bytes = PLAIN) -> bytes:
    signer.ports.configuration.modules["dk_sign"] = {"canon": canon}
    message = Message(content=content)
    assert msys.validate.dk.sign(message, None, options()) == 1
    signer.ports.configuration.modules.clear()
    return message.content


@pytest.mark.parametrize("canon", ["simple", "nofws"])
@pytest.mark.parametrize("content", ENDED.values(), ids=ENDED.keys())
def test_our_domainkeys_are_good(signer: Policy, content: bytes, canon: str) -> None:
    signed_content = domainkeys_signed(signer, canon, content)
    forged = b"DomainKey-Status: good\r\nReceived: later\r\n"
    status, message = dk_status(signer, forged + signed_content)
    assert status == "good"
    assert message.content == b"DomainKey-Status: good\r\nReceived: later\r\n" + signed_content


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Hello  you", b"Hello  me", "bad"),
        (b"From: Ann", b"From: Eve", "bad"),
        (b"Ann <ann@example.test>", b"Ann <ann@bank.test>", "bad"),
        (b"c=nofws", b"c=odd", "bad (malformed signature)"),
        (b"a=rsa-sha1", b"a=rsa-md5", "bad (malformed signature)"),
        (b"s=s1", b"s=", "bad (malformed signature)"),
        (b"q=dns", b"q=http", "bad (unsupported query type)"),
        (b"s=s1", b"s=none", "bad (no key)"),
    ],
)
def test_what_is_wrong_with_domainkeys(signer: Policy, old: bytes, new: bytes, status: str) -> None:
    broken = domainkeys_signed(signer).replace(old, new)
    found, message = dk_status(signer, broken)
    assert found == status
    assert message.content.startswith(b"DomainKey-Status: bad\r\n")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (["k=rsa; p="], "bad (key revoked)"),
        (["k=dsa; p=AAAA"], "bad (key type)"),
        (["k=rsa; p=AAAA"], "bad (public key)"),
        (PortError("TIMEOUT", "no"), "error"),
    ],
)
def test_keys_that_domainkeys_cannot_use(signer: Policy, answer: Any, status: str) -> None:
    content = domainkeys_signed(signer)
    signer.ports.dns.add(NAME, "TXT", answer)
    assert dk_status(signer, content)[0] == status


def test_domainkeys_of_mail_dkim_are_good(signer: Policy, rsa_key, tmp_path: Path) -> None:
    program = needs_perl()
    (tmp_path / "key").write_bytes(
        rsa_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    script = """
        use Mail::DKIM::Signer; use Mail::DKIM::DkSignature; my ($key, $method, $list) = @ARGV; binmode STDIN;
        my $s = Mail::DKIM::Signer->new(KeyFile => $key, Policy => sub { my $d = shift;
            $d->add_signature(Mail::DKIM::DkSignature->new(Algorithm => "rsa-sha1", Method => $method,
                Headers => $d->headers, Domain => "example.test", Selector => "s1")); return; });
        local $/; $s->PRINT(<STDIN>); $s->CLOSE; print map { $_->as_string . "\\r\\n" } $s->signatures;
    """
    for method in "simple", "nofws":
        done = subprocess.run(
            [program, "-e", script, str(tmp_path / "key"), method],
            input=PLAIN,
            capture_output=True,
            timeout=20,
        )
        assert b"DomainKey-Signature:" in done.stdout, done
        assert dk_status(signer, done.stdout + PLAIN)[0] == "good", method


def test_unsigned_mail_has_no_domainkeys_status(signer: Policy) -> None:
    status, message = dk_status(signer, b"DomainKey-Status: good\r\n" + PLAIN)
    assert (status, message.content) == (None, PLAIN)
