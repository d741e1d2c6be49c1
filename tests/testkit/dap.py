"""A small client of the Debug Adapter Protocol: sends requests, keeps events, waits for what a test names."""

from __future__ import annotations

import json
from collections import deque
from typing import IO, Any


class DapError(AssertionError):
    """The adapter said no, or went away."""


class DapClient:
    """Over a pair of binary streams: a socket's, or a process's."""

    def __init__(self, reader: IO[bytes], writer: IO[bytes]) -> None:
        self._reader, self._writer = reader, writer
        self._number = 0
        self._events: deque[dict[str, Any]] = deque()
        self._replies: dict[int, dict[str, Any]] = {}

    def send(self, command: str, **arguments: Any) -> int:
        """A request; its number."""
        self._number += 1
        message = {"seq": self._number, "type": "request", "command": command}
        body = json.dumps({**message, "arguments": arguments}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._writer.flush()
        return self._number

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """A request and the body of its reply."""
        return self.reply(self.send(command, **arguments))

    def reply(self, number: int) -> dict[str, Any]:
        while number not in self._replies:
            self._receive()
        reply = self._replies.pop(number)
        if not reply["success"]:
            raise DapError(f"{reply['command']}: {reply.get('message')}")
        body: dict[str, Any] = reply.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """The body of the next event of that name; others before it are dropped."""
        while True:
            while self._events:
                event = self._events.popleft()
                if event["event"] == name:
                    body: dict[str, Any] = event.get("body") or {}
                    return body
            self._receive()

    def _receive(self) -> None:
        length = 0
        while line := self._reader.readline():
            if line == b"\r\n":
                break
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        if not length:
            raise DapError("the adapter closed the connection")
        message = json.loads(self._reader.read(length))
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._replies[message["request_seq"]] = message

    # --- what every session does

    def attach(self, **breakpoints: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Attach, set breakpoints by path, let the program go; the adapter's answers by path."""
        self.ask("initialize", adapterID="test", linesStartAt1=True, columnsStartAt1=True)
        attached = self.send("attach", justMyCode=True)
        self.event("initialized")
        answers = {
            path: self.ask("setBreakpoints", source={"path": path}, breakpoints=wanted)[
                "breakpoints"
            ]
            for path, wanted in breakpoints.items()
        }
        self.ask("configurationDone")
        self.reply(attached)
        return answers

    def stopped(self) -> list[dict[str, Any]]:
        """Wait for a stop; the stack's frames, innermost first."""
        self.thread: int = self.event("stopped")["threadId"]
        frames: list[dict[str, Any]] = self.ask("stackTrace", threadId=self.thread)["stackFrames"]
        return frames

    def go(self, how: str) -> None:
        """continue, next, stepIn, stepOut"""
        self.ask(how, threadId=self.thread)

    def variables(self, frame: dict[str, Any]) -> tuple[int, dict[str, str]]:
        """Reference and values of a frame's locals."""
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        reference = next(s["variablesReference"] for s in scopes if s["name"] == "Locals")
        found = self.ask("variables", variablesReference=reference)["variables"]
        return reference, {variable["name"]: variable["value"] for variable in found}
