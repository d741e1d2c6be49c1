"""HTTP requests of policy, by aiohttp. No redirects, certificates checked, nothing added but what curl adds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from msys.lua.bytestr import to_bytes
from msys.ports import HttpReply, PortError

BODY_MAX = 64 * 1024 * 1024  # chosen: a reply policy can still hold in memory

# First match wins: what went wrong -> the word libcurl has for it
WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ConnectionTimeoutError, "OPERATION_TIMEDOUT"),
    (TimeoutError, "OPERATION_TIMEDOUT"),
    (aiohttp.ClientConnectorDNSError, "COULDNT_RESOLVE_HOST"),
    (aiohttp.ClientConnectorCertificateError, "PEER_FAILED_VERIFICATION"),
    (aiohttp.ClientSSLError, "SSL_CONNECT_ERROR"),
    (aiohttp.ClientConnectorError, "COULDNT_CONNECT"),
    (aiohttp.NonHttpUrlClientError, "UNSUPPORTED_PROTOCOL"),
    (aiohttp.InvalidURL, "URL_MALFORMAT"),
    (aiohttp.ServerDisconnectedError, "GOT_NOTHING"),
    (aiohttp.ClientPayloadError, "PARTIAL_FILE"),
    (aiohttp.ClientResponseError, "WEIRD_SERVER_REPLY"),
    (aiohttp.ClientError, "RECV_ERROR"),
    (OSError, "RECV_ERROR"),
    (ValueError, "URL_MALFORMAT"),
)


def _text(value: str) -> str:
    """aiohttp writes UTF-8: give it the characters that a Lua string's bytes mean."""
    try:
        return to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        return value


def _url(url: str) -> URL:
    """An ASCII URL goes out as it is written; anything else is quoted."""
    return URL(url, encoded=True) if url.isascii() else URL(_text(url))


class HttpClient:
    """The Http port: one connection pool for all policy."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout_s: float | None,
    ) -> HttpReply:
        sent = CIMultiDict((name, _text(value)) for name, value in headers)
        sent.setdefault("Accept", "*/*")
        if body:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            async with asyncio.timeout(timeout_s):
                async with self._open().request(
                    method, _url(url), headers=sent, data=body or None, allow_redirects=False
                ) as reply:
                    content = bytearray()
                    async for piece in reply.content.iter_any():
                        content += piece
                        if len(content) > BODY_MAX:
                            raise PortError(
                                "FILESIZE_EXCEEDED", f"{url}: more than {BODY_MAX} bytes"
                            )
                    return HttpReply(
                        reply.status,
                        reply.reason or "",
                        [
                            (name.decode("latin-1"), value.decode("latin-1"))
                            for name, value in reply.raw_headers
                        ],
                        bytes(content),
                    )
        except tuple(kind for kind, _ in WORDS) as error:
            word = next(word for kind, word in WORDS if isinstance(error, kind))
            detail = str(error) or word.lower().replace("_", " ")
            raise PortError(word, f"{url}: {detail}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
            )
        return self._session
