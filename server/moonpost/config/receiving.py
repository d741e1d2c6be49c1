"""Deep checks of what listeners are told: TLS beyond the certificate, proxies, aliases, replies of conntrol.

One of the checks of `validate`; reads files and changes nothing.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

from moonpost.config.diagnostics import Diagnostic, diagnostic, did_you_mean
from moonpost.config.model import Config
from moonpost.tls import version_range


def _issuers(path: str) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)


def _ciphers(text: str) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(text)


# option -> raises OSError or ValueError when its value is no good
TLS_TRIALS: Final[dict[str, Callable[[str], Any]]] = {
    "tls_client_ca": _issuers,
    "tls_ciphers": _ciphers,
    "tls_protocols": version_range,
}

# option of conntrol -> what its text must look like, in words and as a pattern
REPLIES: Final = {
    "banner": ("`220-Welcome` or `220 Welcome`", re.compile(r"220[- ]\S.*", re.DOTALL)),
    "disconnect_ratware": (
        "a reply like `421 not before the banner`",
        re.compile(r"[45]\d\d \S.*"),
    ),
}


def receiving(config: Config) -> Iterator[Diagnostic]:
    """What would keep a listener from speaking as its configuration says."""
    yield from _tls(config)
    yield from _aliases(config)
    yield from _proxies(config)
    for node in config.root.named("conntrol"):
        for name, (wanted, pattern) in REPLIES.items():
            setting = node.settings.get(name)
            if setting is not None and setting.value and not pattern.fullmatch(setting.value):
                text = f"{setting.row.name} wants {wanted}; this is `{setting.value}`"
                yield diagnostic("C508", setting.written.place, text)


def _proxies(config: Config) -> Iterator[Diagnostic]:
    """A header that nobody reads would be taken for a request."""
    for listener in ("http_listener", "control_listener"):
        for top in config.root.named(listener):
            for _, node in top.walk():
                setting = node.settings.get("proxy_protocol")
                if setting is not None and setting.value:
                    text = f"PROXY headers are read at an ESMTP_Listener, not at a {top.row.name}"
                    yield diagnostic("C508", setting.written.place, text)


MACROS: Final = frozenset(("localpart", "domain", "rcptto"))


def _aliases(config: Config) -> Iterator[Diagnostic]:
    """Every scheme asks a datasource, and every name of Alias_Schemes is one of theirs."""
    sources = [node.instance or "" for node in config.root.named("datasource")]
    schemes = [scheme for stanza in config.root.named("alias") for scheme in stanza.named("scheme")]
    for scheme in schemes:
        for name in ("query", "cache"):
            if not scheme.get(name):
                text = f'Scheme "{scheme.instance}" has no {name}'
                yield diagnostic("C519", scheme.place, text)
        cache = scheme.settings.get("cache")
        if cache is not None and cache.value and cache.value not in sources:
            text = f"`{cache.value}` is no configured Datasource"
            yield diagnostic("C519", cache.written.place, text, did_you_mean(cache.value, sources))
        words = scheme.settings.get("map")
        for text in words.value.values() if words is not None else ():
            unknown = set(re.findall(r"%\{([^}]*)\}", text)) - MACROS
            if words is not None and unknown:
                text = f"`{text}`: a map knows %{{rcptto}}, %{{localpart}} and %{{domain}} only"
                yield diagnostic("C508", words.written.place, text)
    known = [scheme.instance or "" for scheme in schemes]
    for _, node in config.root.walk():
        named = node.settings.get("alias_schemes")
        for word in named.written.words if named is not None else ():
            if word.text not in known:
                text = f"`{word.text}` is no configured Scheme"
                yield diagnostic("C519", word.place, text, did_you_mean(word.text, known))


def _tls(config: Config) -> Iterator[Diagnostic]:
    for _, node in config.root.walk():
        for name, trial in TLS_TRIALS.items():
            setting = node.settings.get(name)
            if setting is None or not setting.value:
                continue
            try:
                trial(str(setting.value))
            except (OSError, ValueError) as error:
                reason = (isinstance(error, OSError) and error.strerror) or str(error)
                text = f"{setting.row.name} `{setting.value}`: {reason}"
                yield diagnostic("C516", setting.written.place, text)
        mode = node.settings.get("tls_verify_mode")
        if mode is not None and mode.value == "require" and not _names_issuers(config):
            text = "certificates of clients are required, and no TLS_Client_CA names their issuers"
            yield diagnostic("C516", mode.written.place, text)


def _names_issuers(config: Config) -> bool:
    return any(node.get("tls_client_ca") for _, node in config.root.walk())
