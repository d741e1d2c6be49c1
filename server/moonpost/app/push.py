"""Delivers push notifications: the request, policy's say before and after it, and what becomes of the message.

Callouts, in order: gcm_request_eval(req, msg), http_request_eval(sess), http_response_eval(sess),
gcm_response_eval(resp, msg), generic_delivery_msg_dispose(msg). An error in one of them holds the message.
"""

from __future__ import annotations

import json
from inspect import isawaitable
from typing import Any

from moonpost.app.delivery_hooks import message_of
from moonpost.app.events import EventStream
from moonpost.outbound import push
from moonpost.outbound.answers import Fate, Outcome, Stage
from moonpost.outbound.letters import NO
from moonpost.outbound.push import Meaning, PushRequest
from moonpost.policy.interface import DONE, Policy, PolicyState
from moonpost.policy.interface import Outcome as Ran
from moonpost.queue.options import QueueOptions
from moonpost.spool.record import Record
from msys import json as lua_json
from msys.constants import DELIVERY_CONTINUE
from msys.gcm import gcm_get_result_error_code
from msys.httpclnt import HttpRequest, HttpResponse, HttpSession
from msys.lua import Table
from msys.lua.bytestr import to_bytes, to_str
from msys.message import Message
from msys.ports import Http, HttpReply, Log, PortError

TAKEN_OVER = Outcome(
    Fate.DELIVERED,
    250,
    "250 [internal] dealt with by generic_delivery_msg_dispose",
    Stage.CONFIRMATION,
)
REFUSED = "451 4.3.5 [internal] http_request_eval did not let the request go"
BROKEN = "451 4.3.5 [internal] policy error in a callout of push delivery"


class PolicyBroke(Exception):
    """A callout failed; its error has been told."""


class Push:
    """One for the server. `send` is what queues call for `delivery_method = "gcm"`."""

    def __init__(self, policy: Policy, http: Http, log: Log, events: EventStream) -> None:
        self._policy, self._http, self._log, self._events = policy, http, log, events

    async def send(self, record: Record, content: bytes, options: QueueOptions) -> Outcome:
        """Push one message; never raises for what servers or policy do."""
        message = message_of(record, content)
        context = message.mess
        for key in ("DLV_Response_Status", "DLV_Response_Status_Detail"):
            context.pop(key, None)
        context["DLV_Dest_Addr"] = record.recipient
        generation = self._policy.current()
        generation.hold()
        try:
            return await self._send(message, content, options)
        except PolicyBroke:
            return Outcome(Fate.DEFERRED, 451, BROKEN, Stage.NOT_CONNECTED)
        finally:
            generation.release()

    async def _send(self, message: Message, content: bytes, options: QueueOptions) -> Outcome:
        context = message.mess
        try:
            found = push.notification(content, options.push, str(context.get("DLV_Dest_ID", "")))
        except push.NoNotification:
            return Outcome(Fate.FAILED, 550, push.NO_PART, Stage.NOT_CONNECTED)
        body = await self._ask_gcm(found, message)
        session = _session(push.request(body, options.push), message)
        answers = (await self._run("http_request_eval", (session,), message)).results
        if any(answer not in (None, DELIVERY_CONTINUE) for answer in answers):
            return Outcome(Fate.DEFERRED, 451, REFUSED, Stage.NOT_CONNECTED)
        context["DLV_Msg_Length"] = str(len(session.request.data))
        meant = await self._exchange(session, options)
        if session.response is not None:
            await self._run("http_response_eval", (session,), message)
            await self._tell_gcm(session.response, message)
        if meant.status:
            context["DLV_Response_Status"] = meant.status
            context["DLV_Response_Status_Detail"] = meant.detail
        disposed = await self._run("generic_delivery_msg_dispose", (message,), message)
        return TAKEN_OVER if disposed.verdict == DONE else meant.outcome

    async def _ask_gcm(self, found: dict[str, Any], message: Message) -> str:
        """The body, after policy has seen the notification: `req.json` may be changed."""
        text = json.dumps(found)
        decoded, *_ = lua_json.decode(text)
        req = Table({"json": decoded})
        await self._run("gcm_request_eval", (req, message), message)
        changed = req["json"]
        body = changed if isinstance(changed, str) else lua_json.encode(changed).lua_tostring()
        ids = push.answered(to_bytes(body)).get("registration_ids") or [""]
        message.mess["DLV_Dest_ID"] = str(ids[0]) if isinstance(ids, list) else ""
        return body

    async def _exchange(self, session: HttpSession, options: QueueOptions) -> Meaning:
        request = session.request
        why = "routes name no server for push notifications: gcm://host?port=443"
        for server in push.servers(options.routes, options.tls != NO):
            headers = [one for one in request.headers if one[0].lower() != "content-length"]
            try:
                later = self._http.request(
                    request.method, f"{server}{request.uri}", headers, to_bytes(request.body),
                    options.response_timeout_s,
                )  # fmt: skip
                reply = await later if isawaitable(later) else later
            except PortError as error:
                why = str(error)
                continue
            session.response = _response(reply)
            session.message.mess["DLV_Remote_IP_Address"] = server.rpartition("//")[2]  # type: ignore[union-attr]
            return push.meaning(reply.status, reply.reason, reply.body)
        return push.unsent(why)

    async def _tell_gcm(self, response: HttpResponse, message: Message) -> None:
        if str(response.status_code) != "200" or not self._policy.current().has(
            "gcm_response_eval"
        ):
            return
        body = to_bytes(response.body)
        whole, first = push.answered(body), push.result_of(body)
        results = Table({name: value for name, value in first.items() if isinstance(value, str)})
        results["error_code"] = gcm_get_result_error_code(first.get("error"))
        resp = Table({name: whole.get(name, 0) for name in ("success", "failure", "canonical_ids")})
        resp["results"] = results
        await self._run("gcm_response_eval", (resp, message), message)

    async def _run(self, callout: str, args: tuple[Any, ...], message: Message) -> Ran:
        generation = self._policy.current()
        if not generation.has(callout):
            return Ran()
        answer = generation.run(callout, PolicyState(), args, message)
        ran = answer if isinstance(answer, Ran) else await answer
        if ran.error is not None:
            self._log.panic("scriptlet", f"{callout} error: {ran.error.text}")
            self._events.policy_failed_for(message, generation.number, callout, ran.error)
            raise PolicyBroke
        return ran


def _session(made: PushRequest, message: Message) -> HttpSession:
    request = HttpRequest(made.method, made.uri, "HTTP/1.1", list(made.headers), made.body)
    request.serialise()
    return HttpSession(request, message)


def _response(reply: HttpReply) -> HttpResponse:
    return HttpResponse(reply.status, reply.reason, list(reply.headers), to_str(reply.body))
