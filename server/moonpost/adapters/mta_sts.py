"""MTA-STS policies of receiving domains: asked for, kept in memory and on disk.

A policy that cannot be fetched again holds until it is too old (RFC 8461 section 5.1): who can spoil DNS or HTTPS for
an hour must not be able to switch it off.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import socket
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isawaitable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from moonpost.outbound.mta_sts import BadPolicy, Policy, announced, read
from msys.ports import Dns, PortError

log = logging.getLogger("moonpost.outbound")

FETCH_TIMEOUT_S = 60.0  # section 3.3: a minute
POLICY_BYTES = 65_536  # section 3.3: 64 KB
REFRESH_S = 86_400.0  # section 3.3: daily; Momentum too
AGAIN_S = 300.0  # section 3.3: not more often than every five minutes after a failure
MOST_KEPT = 10_000  # chosen: domains in memory, a few hundred bytes each
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


@dataclass(slots=True)
class Kept:
    """What is known of a domain. `id` is that of the TXT record when it was fetched."""

    id: str = ""
    text: str = ""
    policy: Policy | None = None
    fetched_at: float = 0.0
    tried_at: float = float("-inf")

    def current(self, now: float) -> Policy | None:
        """The policy while it may be kept."""
        if self.policy is None or now >= self.fetched_at + self.policy.max_age_s:
            return None
        return self.policy


class NotFetched(Exception):
    """Why there is no policy where one was announced."""


class Policies:
    """Policies by domain.

    folder: where they survive a restart, None: nowhere. now: UTC seconds. port and ca are for tests: policies are
    served at 443, and the certificate is checked against the system's authorities.
    """

    def __init__(
        self,
        dns: Dns,
        folder: Path | None,
        now: Callable[[], float],
        *,
        port: int = 443,
        ca: str | None = None,
    ) -> None:
        self._dns, self._folder, self._now = dns, folder, now
        self._port, self._ca = port, ca
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Policy | None]] = {}

    async def policy(self, domain: str) -> Policy | None:
        """The policy in force for a domain; None: it has none. Never raises; questions at once are asked once."""
        domain = domain.lower().rstrip(".")
        if not _DOMAIN.fullmatch(domain):
            return None
        asking = self._asking.get(domain)
        if asking is None:
            asking = asyncio.ensure_future(self._look(domain))
            self._asking[domain] = asking
            asking.add_done_callback(lambda _: self._asking.pop(domain, None))
        return await asyncio.shield(asking)

    async def _look(self, domain: str) -> Policy | None:
        kept = await self._known(domain)
        now = self._now()
        found = await self._announced(domain)
        fresh = kept.id == found and now < kept.fetched_at + REFRESH_S
        if not found or (fresh and kept.current(now) is not None):
            return kept.current(now)
        if now < kept.tried_at + AGAIN_S:
            return kept.current(now)
        kept.tried_at = now
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                text = await self._fetch(domain)
            policy = read(text)
        except (NotFetched, BadPolicy, TimeoutError, aiohttp.ClientError, OSError) as error:
            held = kept.current(now)
            log.warning(
                "MTA-STS policy not fetched domain=%s reason=%s; %s", domain, error or "timed out",
                "the one we have holds" if held else "mail goes as without one",
            )  # fmt: skip
            return held
        kept.id, kept.text, kept.policy, kept.fetched_at = found, text, policy, now
        await asyncio.to_thread(self._write, domain, kept)
        return kept.current(now)

    async def _announced(self, domain: str) -> str:
        try:
            later = self._dns.lookup(f"_mta-sts.{domain}", "TXT")
            answers = await later if isawaitable(later) else later
        except PortError:
            return ""
        return announced(answer.text for answer in answers)

    async def _fetch(self, domain: str) -> str:
        host = f"mta-sts.{domain}"
        port = "" if self._port == 443 else f":{self._port}"
        url = f"https://{host}{port}/.well-known/mta-sts.txt"
        connector = aiohttp.TCPConnector(
            resolver=_Names(self._dns), ssl=ssl.create_default_context(cafile=self._ca)
        )
        async with (
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.get(url, allow_redirects=False) as reply,
        ):
            if reply.status != 200:  # section 3.3: a redirect is not followed
                raise NotFetched(f"{url} answered {reply.status}")
            if reply.content_type != "text/plain":  # section 3.2
                raise NotFetched(f"{url} is {reply.content_type}, not text/plain")
            content = bytearray()
            async for piece in reply.content.iter_any():
                content += piece
                if len(content) > POLICY_BYTES:
                    raise NotFetched(f"{url} has more than {POLICY_BYTES} bytes")
        return content.decode("latin-1")

    # keeping

    async def _known(self, domain: str) -> Kept:
        kept = self._kept.get(domain)
        if kept is None:
            kept = self._kept[domain] = await asyncio.to_thread(self._read, domain)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(domain)
        return kept

    def _read(self, domain: str) -> Kept:
        if self._folder is None:
            return Kept()
        try:
            found: Any = json.loads((self._folder / f"{domain}.json").read_text("utf-8"))
            text = str(found["policy"])
            return Kept(str(found["id"]), text, read(text), float(found["fetched_at"]))
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("MTA-STS policy not read domain=%s reason=%s; it is fetched", domain, error)
            return Kept()

    def _write(self, domain: str, kept: Kept) -> None:
        if self._folder is None:
            return
        text = json.dumps({"id": kept.id, "fetched_at": kept.fetched_at, "policy": kept.text})
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, self._folder / f"{domain}.json")
        except OSError as error:
            log.warning(
                "MTA-STS policy not kept domain=%s reason=%s; it is in force", domain, error
            )


class _Names(AbstractResolver):
    """Host names for aiohttp through our DNS."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            later = self._dns.lookup(host, "A")
            answers = await later if isawaitable(later) else later
        except PortError as error:
            raise OSError(str(error)) from None
        return [
            ResolveResult(
                hostname=host, host=answer.text, port=port, family=socket.AF_INET, proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for answer in answers
        ]  # fmt: skip

    async def close(self) -> None:
        pass
