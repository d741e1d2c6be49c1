"""Modules that judge mail by themselves, in the real server: what they write, what scripts read, what is mailed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from moonpost.testing.serving import Serving
from moonpost.testing.stage import BackgroundSink, headers_of
from moonpost.testing.zone import ZoneServer
from testkit.small_server import connect, reply_to_mail, small_server, until

MODULES = """
hostname = "mx.example.test"
dkim_validate "dkim" {}
spf_v1 "spf" {}
senderid "sid" { add_headers = false }
"""
RECORDS = {
    ("example.test", "TXT"): ['"v=spf1 ip4:127.0.0.0/8 -all"'],
    ("elsewhere.test", "TXT"): ['"v=spf1 a:mx.elsewhere.test -all exp=why.elsewhere.test"'],
    ("mx.elsewhere.test", "A"): ["192.0.2.1"],
    ("why.elsewhere.test", "TXT"): ['"%{i} is not ours"'],
    ("broken.test", "TXT"): ['"v=spf1 ipv4:1.2.3.4"'],
    ("list.test", "TXT"): ['"spf2.0/pra -all"', '"v=spf1 +all"'],
}
POLICY = """
require("msys.core")
require("msys.extended.message")
require("msys.extended.vctx")
require("msys.validate.dkim")
local mod = {}
function mod:validate_mailfrom(str, ac, vctx)
  if vctx:get(msys.core.VCTX_MESS, "spf_status") == "fail" then
    vctx:set_code(550, "5.7.23 not allowed to send for that domain")
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end
function mod:validate_rcptto(msg, str, ac, vctx)
  local said = msys.validate.dkim.reflect(nil, vctx, "post@mx.example.test",
    "ann@example.test; eva@example.test", "How your signature fared", "Dear Ann,")
  vctx:set(msys.core.VCTX_MESS, "reflected", tostring(said))
  return msys.core.VALIDATE_CONT
end
function mod:validate_data(msg, ac, vctx)
  msg:header("X-Seen", table.concat({
    vctx:get(msys.core.VCTX_MESS, "reflected"),
    tostring(msys.validate.dkim.reflect(msg, vctx, "post@mx.example.test", "ann@example.test")),
    tostring(#msg:header("Authentication-Results")),
    msys.validate.dkim.get_domains(msg, vctx),
  }, " "))
  local seen = {}
  for _, key in ipairs({ "spf_status", "senderid_status", "senderid_pra_status" }) do
    seen[#seen + 1] = vctx:get(msys.core.VCTX_MESS, key)
  end
  msg:header("X-Sender", table.concat(seen, " "))
  return msys.core.VALIDATE_CONT
end
msys.registerModule("policy", mod)
"""
KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
PLAIN = b"From: Ann <ann@example.test>\r\nTo: bob@b.test\r\nSubject: lunch\r\n\r\nToday?\r\n"


@pytest.fixture(scope="module")
def receiver() -> Iterator[BackgroundSink]:
    sink = BackgroundSink()
    yield sink
    sink.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, receiver: BackgroundSink) -> Iterator[Serving]:
    folder: Path = tmp_path_factory.mktemp("judging")
    key = {("s1._domainkey.example.test", "TXT"): [f'"v=DKIM1; k=rsa; p={PUBLIC}"']}
    zone = ZoneServer({**RECORDS, **key})
    with small_server(
        folder, {"policy": POLICY}, receiver=receiver.port, options=MODULES
    ) as serving:
        serving.edit("127.0.0.1:1", zone.address)
        serving.start()
        yield serving
    zone.close()


def deliver(
    server: Serving,
    receiver: BackgroundSink,
    content: bytes,
    recipient: str,
    sender: str = "ann@example.test",
) -> bytes:
    """What arrives at the next server."""
    with connect(server.port) as client:
        client.sendmail(sender, [recipient], content)
    assert until(lambda: any(recipient in str(one.recipients) for one in receiver.received))
    return next(one.content for one in receiver.received if recipient in str(one.recipients))


def signature() -> bytes:
    made: bytes = dkimpy.sign(
        PLAIN, b"s1", b"example.test", PEM, include_headers=[b"From", b"Subject"]
    )
    return made


@pytest.mark.row("msys.validate.dkim.reflect")
def test_signatures_are_judged_before_scripts_and_told_by_mail(
    server: Serving, receiver: BackgroundSink
) -> None:
    forged = b"Authentication-Results: mx.example.test; dkim=pass header.d=bank.test\r\n"
    arrived = deliver(server, receiver, forged + signature() + PLAIN, "signed@b.test")
    assert headers_of(arrived)["authentication-results"] == [
        "mx.example.test; sender-id=pass header.from=ann@example.test",
        "mx.example.test; spf=pass smtp.mailfrom=ann@example.test",
        "mx.example.test; dkim=pass header.d=example.test header.i=@example.test header.s=s1 header.a=rsa-sha256",
    ]
    assert headers_of(arrived)["x-seen"] == ["1 -2 3 example.test"]
    assert until(lambda: any("eva@" in str(one.recipients) for one in receiver.received))
    reports = [one for one in receiver.received if "@example.test" in str(one.recipients)]
    assert "eva@example.test" in str([one.recipients for one in reports])
    report = reports[0]
    assert report.sender.startswith("<>")
    read = message_from_bytes(report.content)
    assert (read["From"], read["To"]) == ("<post@mx.example.test>", "<ann@example.test>")
    assert read["Subject"] == "How your signature fared"
    assert "eva@" not in report.content.partition(b"\r\n\r\n")[0].decode()
    text, headers = read.get_payload()
    assert text.get_payload().startswith("Dear Ann,\r\n")
    assert "domain example.test, selector s1: pass" in text.get_payload()
    assert "Subject: lunch" in headers.get_payload()


def test_a_broken_signature_gets_its_reason(server: Serving, receiver: BackgroundSink) -> None:
    broken = (signature() + PLAIN).replace(b"Today", b"Tonight")
    arrived = deliver(server, receiver, broken, "broken@b.test")
    said = headers_of(arrived)["authentication-results"][-1]
    assert said.startswith(
        'mx.example.test; dkim=fail reason="signature verification failed" header.d='
    )


def test_unsigned_mail_gets_no_results(server: Serving, receiver: BackgroundSink) -> None:
    arrived = deliver(server, receiver, PLAIN, "unsigned@b.test")
    assert "dkim" not in " ".join(headers_of(arrived)["authentication-results"])
    assert headers_of(arrived)["x-seen"] == ["1 -2 2"]


def test_scripts_find_who_may_send(server: Serving, receiver: BackgroundSink) -> None:
    arrived = deliver(server, receiver, PLAIN, "spf@b.test")
    assert headers_of(arrived)["x-sender"] == ["pass pass pass"]
    (said,) = headers_of(arrived)["received-spf"]
    assert said.startswith(
        "pass (mx.example.test: example.test designates 127.0.0.1 as permitted sender) client-ip=127.0.0.1; "
        "envelope-from=ann@example.test; helo=client.example.test;"
    )
    assert said.endswith("identity=mailfrom; mechanism=ip4:127.0.0.0/8")


@pytest.mark.parametrize(
    ("sender", "header", "seen"),
    [
        ("ann@unknown.test", "Ann <ann@example.test>", "neutral neutral pass"),
        ("ann@broken.test", "ann@example.test, eva@example.test", "permerror permerror permerror"),
        ("ann@list.test", "ann@list.test", "pass pass fail"),
        ("", "ann@elsewhere.test", "neutral neutral fail"),
    ],
)
def test_every_outcome_reaches_the_script(
    server: Serving, receiver: BackgroundSink, sender: str, header: str, seen: str
) -> None:
    content = b"From: %b\r\nSubject: x\r\n\r\nx\r\n" % header.encode()
    recipient = f"outcome-{seen.replace(' ', '-')}-{sender.partition('@')[2]}@b.test"
    arrived = deliver(server, receiver, content, recipient, sender)
    assert headers_of(arrived)["x-sender"] == [seen]


def test_policy_refuses_what_spf_fails(server: Serving) -> None:
    assert reply_to_mail(server.port, "ann@elsewhere.test") == (
        550,
        "5.7.23 not allowed to send for that domain",
    )


def test_a_script_cannot_take_the_name_of_a_module(tmp_path: Path) -> None:
    policy = POLICY.replace('registerModule("policy"', 'registerModule("dkim_validate"')
    with (
        small_server(tmp_path, {"policy": policy}, options=MODULES) as serving,
        pytest.raises(RuntimeError, match="'dkim_validate' is a module of the configuration"),
    ):
        serving.start()


def test_a_listener_leaves_a_module_out(tmp_path: Path, receiver: BackgroundSink) -> None:
    with small_server(tmp_path, {}, receiver=receiver.port, options=MODULES) as serving:
        serving.edit(
            'Listen "127.0.0.1:0" {}',
            'Listen "127.0.0.1:0" {} context = [ __bypass_dkim_validate = "true" __bypass_spf_v1 = TRUE __bypass_senderid = true ]',
        )
        serving.start()
        arrived = deliver(serving, receiver, signature() + PLAIN, "bypassed@b.test")
    assert "authentication-results" not in headers_of(arrived)
