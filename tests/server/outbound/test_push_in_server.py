"""Push notifications and logins that policy decides, through the whole server."""

from __future__ import annotations

import asyncio
import json
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from moonpost.testing.serving import Serving
from testkit.small_server import small_server, until

MCMT = (
    b"From: a@a.test\r\nTo: x@push.test\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=MCMT\r\n\r\n"
    b"--MCMT\r\nContent-Type: message/vnd.msys.gcm\r\nX-Registration-ID: device-1\r\n\r\n"
    b'{"alert": "You have mail"}\r\n--MCMT--\r\n'
)

POLICY = """
require("msys.core")
require("msys.delivery")
require("msys.httpclnt")
require("msys.gcm")
require("json")
local mod = {}

function mod:gcm_request_eval(req, msg)
  req.json.time_to_live = 99
end

function mod:http_request_eval(sess)
  local msg = msys.delivery.ob_get_current_message(sess.connh)
  sess:request_add_header("X-Recipient", msg:rcptto(), 1)
  sess:request_finalize(1)
  return msys.delivery.DELIVERY_CONTINUE
end

function mod:http_response_eval(sess)
  if sess.response.status_code.buffer == "200" then
    local answer = json.decode(sess.response.body)
    print("answer success=" .. answer.success)
  end
  return msys.delivery.DELIVERY_CONTINUE
end

function mod:gcm_response_eval(resp, msg)
  print("gcm error_code=" .. resp.results.error_code)
end

function mod:generic_delivery_msg_dispose(msg)
  local status = msg:context_get(msys.core.ECMESS_CTX_MESS, "DLV_Response_Status")
  print("dispose status=[" .. status .. "] device=" ..
    msg:context_get(msys.core.ECMESS_CTX_MESS, "DLV_Dest_ID"))
  if status == "5" then
    return msys.delivery.DELIVERY_DONE
  end
  return msys.delivery.DELIVERY_CONTINUE
end

msys.registerModule("push", mod)
"""


class Gateway:
    """An HTTP server that says what a test wants."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answer: Callable[[], tuple[int, dict[str, Any]]] = lambda: (200, {"success": 1})

    @contextmanager
    def listening(self) -> Iterator[int]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gateway.asked.append((self.path, dict(self.headers), json.loads(body)))
                status, answer = gateway.answer()
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            server.server_close()


def submit(server: Serving, content: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        client.sendmail("a@a.test", ["x@push.test"], content)


def logged(folder: Path, name: str) -> str:
    path = folder / "var" / name
    return path.read_text("latin-1") if path.exists() else ""


def test_policy_sees_a_push_notification_through(tmp_path: Path) -> None:
    gateway = Gateway()
    answers = [
        (200, {"success": 1, "failure": 0, "results": [{"message_id": "1"}]}),
        (503, {}),
        (200, {"success": 0, "failure": 1, "results": [{"error": "NotRegistered"}]}),
    ]
    gateway.answer = lambda: answers.pop(0)
    with gateway.listening() as port:
        options = (
            'Domain "127.0.0.1" { Delivery_Method = gcm  HTTP_URI = "/gcm/send"  HTTP_Host = "push.test"\n'
            f'  GCM_Authorization_Token_ID = "k"  Routes = ( "gcm://127.0.0.1?port={port}" ) }}'
        )
        with small_server(tmp_path, {"push": POLICY}, options=options) as server:
            server.start()
            submit(server, MCMT)
            assert until(lambda: "@D@" in logged(tmp_path, "mainlog.ec"))
            submit(server, MCMT)
            assert until(lambda: logged(tmp_path, "mainlog.ec").count("@D@") == 2)
            server.stop()
        panic = server.errors.read_text() + logged(tmp_path, "paniclog.ec")
    path, headers, body = gateway.asked[0]
    assert path == "/gcm/send" and headers["Authorization"] == "key=k"
    assert headers["Host"] == "push.test" and headers["X-Recipient"] == "x@push.test"
    assert body == {
        "data": {"alert": "You have mail"}, "registration_ids": ["device-1"], "time_to_live": 99,
    }  # fmt: skip
    main = logged(tmp_path, "mainlog.ec")
    assert "451 HTTP 503" in main and main.count("@T@") == 1
    assert "answer success=1" in panic and "gcm error_code=5" in panic
    assert "dispose status=[] device=device-1" in panic and "dispose status=[503]" in panic
    assert len(gateway.asked) == 3 and "@P@" not in main


LOGIN = """
require("msys.core")
require("msys.extended.message")
local mod = {}
function mod:outbound_smtp_auth_config(msg)
  msg:context_set(msys.core.ECMESS_CTX_MESS, "outbound_smtp_auth_user", "ann")
  msg:context_set(msys.core.ECMESS_CTX_MESS, "outbound_smtp_auth_pass", "secret of " .. msg:mailfrom())
end
msys.registerModule("login", mod)
"""


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_policy_says_who_mail_is_sent_as(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Handler:
        async def handle_DATA(self, _: SMTP, session: Any, envelope: Any) -> str:
            seen.append(session.auth_data.login + b" " + session.auth_data.password)
            return "250 kept"

    def accept(_: Any, __: Any, ___: Any, ____: str, data: Any) -> AuthResult:
        return AuthResult(success=True, auth_data=data)

    controller = Controller(
        Handler(), hostname="127.0.0.1", port=_free_port(), authenticator=accept,
        auth_require_tls=False, auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        with small_server(tmp_path, {"login": LOGIN}, receiver=controller.port) as server:
            server.start()
            letter = EmailMessage()
            letter["Subject"] = "x"
            submit(server, letter.as_bytes(policy=SMTP_LINES))
            assert until(lambda: "@D@" in logged(tmp_path, "mainlog.ec"))
            server.stop()
    finally:
        controller.stop()
    assert seen == [b"ann secret of a@a.test"]


def _free_port() -> int:
    async def find() -> int:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        server.close()
        return port

    return asyncio.run(find())
