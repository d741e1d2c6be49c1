"""Making DKIM signatures: what the options and the module's stanza say, and the field that comes of it.

Used by `msys.validate.dkim` and `msys.validate.opendkim`. A signature that cannot be made is logged; the
message goes on without it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from msys.arguments import string_or_none
from msys.lua import ABSENT, Table
from msys.lua.bytestr import to_bytes
from msys.message import Message, fields
from msys.options import Options
from msys.ports import current
from msys.validate import canonical
from msys.validate.keys import BadKey, private_key, signature_of

DIGESTS = {"rsa-sha1": "sha1", "rsa-sha256": "sha256", "ed25519-sha256": "sha256"}
SUFFIXES = "?*+"
# RFC 6376 section 5.4.1, for when nothing is configured
RECOMMENDED = (
    "From:Reply-To?:Subject:Date:To?:Cc?:Message-ID?:In-Reply-To?:References?:MIME-Version?:Content-Type?:"
    "Content-Transfer-Encoding?:List-Id?:List-Help?:List-Unsubscribe?:List-Subscribe?:List-Post?:List-Owner?:List-Archive?"
)


class CannotSign(Exception):
    """Why a message stays unsigned."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to sign. headerlist: names with suffixes, see `header_names`."""

    domain: str = ""
    selector: str = ""
    keyfile: str = ""
    keybuf: str = ""
    header_canon: str = "simple"
    body_canon: str = "simple"
    digest: str = "rsa-sha256"
    headerlist: str = RECOMMENDED
    oversign: str = ""
    skip: str = ""
    identity: str = ""
    body_length_limit: bool = False
    lifetime_h: float = 0.0


# option of the call or of the stanza -> field of Settings
TEXTS = {
    "base_domain": "domain",
    "signing_domain": "domain",
    "selector": "selector",
    "key": "keyfile",
    "keyfile": "keyfile",
    "keybuf": "keybuf",
    "header_canon": "header_canon",
    "body_canon": "body_canon",
    "digest": "digest",
    "headerlist": "headerlist",
    "oversign_headerlist": "oversign",
    "skip_headerlist": "skip",
    "identity": "identity",
}


def from_stanza(stanza: Mapping[str, Any] | None) -> Settings:
    """Settings of a module's stanza; defaults where it says nothing."""
    found: dict[str, Any] = {}
    for option, value in (stanza or {}).items():
        name = TEXTS.get(option.lower())
        if name is not None and value is not None:
            found[name] = (
                ":".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            )
    given = {option.lower(): value for option, value in (stanza or {}).items()}
    if given.get("body_length_limit") in (True, "true", "enabled", 1):
        found["body_length_limit"] = True
    if given.get("lifetime"):
        found["lifetime_h"] = float(given["lifetime"])
    return Settings(**found)


def with_options(settings: Settings, function: str, options: Any) -> Settings:
    """The call's options over the stanza's. The keyfile of a call is not overruled by a stanza's keybuf."""
    chosen = Options(function, 3, options)
    found: dict[str, Any] = {}
    for option, name in TEXTS.items():
        if chosen.table[option] is not None:
            found[name] = _text(chosen, option)
    if "keyfile" in found and "keybuf" not in found:
        found["keybuf"] = ""
    limit = chosen.table["body_length_limit"]
    if limit is not None and limit != -1:
        found["body_length_limit"] = limit is not False and limit != 0
    found["lifetime_h"] = float(chosen.number("lifetime", settings.lifetime_h))
    return replace(settings, **found)


def _text(chosen: Options, option: str) -> str:
    """A text option; a list of names may be an array."""
    value = chosen.table[option]
    if isinstance(value, Table) and option.endswith("headerlist"):
        return ":".join(string_or_none(item) or "" for item in value.values())
    return chosen.text(option, "") or ""


def names_in(text: str) -> list[str]:
    """The names of a list written with colons, commas or blanks."""
    return text.replace(",", ":").replace(" ", ":").replace("\t", ":").split(":")


def header_names(headers: list[canonical.Header], settings: Settings) -> list[bytes]:
    """The `h=` list, in lower case and repeated as needed.

    `name` signs one and asserts absence when there is none; `name?` one, without assertion; `name*` all,
    asserting when none; `name+` all, without assertion.
    """
    skipped = {name.lower() for name in names_in(settings.skip) if name}
    present = [name.rstrip().lower() for name, _ in headers]
    found: list[bytes] = []
    for word in names_in(settings.headerlist):
        name = word.rstrip(SUFFIXES).lower()
        if not name or name in skipped:
            continue
        suffix, key = word[len(name) :], to_bytes(name)
        count = present.count(key)
        if suffix in ("*", "+"):
            found += [key] * (count or suffix == "*")
        elif count or suffix != "?":
            found.append(key)
    for name in names_in(settings.oversign):
        key = to_bytes(name.lower())
        if key:
            found += [key] * (present.count(key) + 1 - found.count(key))
    return found


def _checked(settings: Settings) -> Settings:
    """The settings with what is missing or impossible named."""
    for value, what in (settings.domain, "base_domain"), (settings.selector, "selector"):
        if not value:
            raise CannotSign(f"{what} is not set")
    if not (settings.keyfile or settings.keybuf):
        raise CannotSign("neither keyfile nor keybuf is set")
    if settings.digest not in DIGESTS:
        raise CannotSign(f"digest '{settings.digest}' is none of {', '.join(DIGESTS)}")
    for canon in settings.header_canon, settings.body_canon:
        if canon not in canonical.CANONICAL:
            raise CannotSign(
                f"canonicalisation '{canon}' is none of {', '.join(canonical.CANONICAL)}"
            )
    domain = settings.identity.rpartition("@")[2].lower()
    if (
        settings.identity
        and domain != settings.domain.lower()
        and not domain.endswith("." + settings.domain.lower())
    ):
        raise CannotSign(f"identity '{settings.identity}' is not in {settings.domain}")
    path = settings.keyfile.replace("%{d}", settings.domain).replace("%{s}", settings.selector)
    if (
        ".." in f"{settings.domain}/{settings.selector}"
        or "/" in settings.domain + settings.selector
    ):
        raise CannotSign("domain and selector cannot be parts of a path")
    return settings if path == settings.keyfile else replace(settings, keyfile=path)


def signature_field(message: Message, settings: Settings) -> bytes:
    """The whole DKIM-Signature field for a message. CannotSign or BadKey when there can be none."""
    ready = _checked(settings)
    ports = current().ports
    key = private_key(ports, ready.keyfile, ready.keybuf)
    algorithm = "ed25519-sha256" if isinstance(key, ed25519.Ed25519PrivateKey) else ready.digest
    if algorithm not in DIGESTS or (algorithm.startswith("rsa")) != (
        key.__class__.__name__.startswith("RSA")
    ):
        raise CannotSign(f"digest '{ready.digest}' does not fit the key")
    digest = DIGESTS[algorithm]
    headers = canonical.headers_of(message.header_block)
    names = header_names(headers, ready)
    if b"from" not in names:
        raise CannotSign("From must be signed: it is missing from headerlist")
    if not any(name.rstrip().lower() == b"from" for name, _ in headers):
        raise CannotSign("the message has no From")
    length = (
        len(canonical.canonical_body(message.body_block, ready.body_canon))
        if ready.body_length_limit
        else None
    )
    hashed = canonical.body_hash(message.body_block, ready.body_canon, digest, length)
    now = int(ports.clock.now())
    tags = [
        "v=1",
        f"a={algorithm}",
        f"c={ready.header_canon}/{ready.body_canon}",
        f"d={ready.domain}",
        f"s={ready.selector}",
        f"t={now}",
    ]
    if ready.lifetime_h > 0:
        tags.append(f"x={now + int(ready.lifetime_h * 3600)}")
    if length is not None:
        tags.append(f"l={length}")
    if ready.identity:
        tags.append(f"i={ready.identity}")
    tags += [
        "h=" + ":".join(name.decode("latin-1") for name in names),
        f"bh={base64.b64encode(hashed).decode('ascii')}",
        "b=",
    ]
    value = b" " + folded(tags)
    data = canonical.signed_data(
        headers, names, ready.header_canon, (b"DKIM-Signature", value + b"\r\n")
    )
    text = base64.b64encode(signature_of(key, data, digest)).decode("ascii")
    lines = "\r\n\t ".join(text[at : at + 72] for at in range(0, len(text), 72))
    return b"DKIM-Signature:" + value + lines.encode("ascii") + b"\r\n"


def folded(tags: list[str], width: int = 76) -> bytes:
    """Tags joined by `; `, folded between tags and inside the `h=` list."""
    lines = [""]
    for number, tag in enumerate(tags):
        ended = tag if number == len(tags) - 1 else tag + ";"
        for piece in _pieces(ended):
            blank = " " if lines[-1] and not piece[0] else ""
            if lines[-1] and len(lines[-1]) + len(blank) + len(piece[1]) > width:
                lines.append("")
                blank = ""
            lines[-1] += blank + piece[1]
    return "\r\n\t".join(lines).encode("latin-1")


def _pieces(tag: str) -> list[tuple[bool, str]]:
    """A tag as pieces that stay whole: (continues the one before, text)."""
    if not tag.startswith("h="):
        return [(False, tag)]
    words = tag.split(":")
    texts = [word + ":" for word in words[:-1]] + [words[-1]]
    return [(number > 0, text) for number, text in enumerate(texts)]


def sign(function: str, module: str, msg: Any, options: Any) -> int:
    """Sign the message given, or the one in hand: 1 when a signature was added, 0 when not (logged)."""
    call = current()
    message = call.message if msg is None or msg is ABSENT else msg
    if not isinstance(message, Message):
        call.ports.log.panic(module, f"{function}: there is no message to sign")
        return 0
    settings = with_options(from_stanza(call.ports.configuration.module(module)), function, options)
    done: set[tuple[str, str]] = vars(message).setdefault("signed_by", set())
    if (settings.domain, settings.selector) in done:
        return 0
    try:
        field = signature_field(message, settings)
    except (CannotSign, BadKey) as error:
        call.ports.log.panic(module, f"message {message.id.text} stays unsigned: {error}")
        return 0
    message._set_head(fields.with_first(message.header_block, field), structural=False)
    done.add((settings.domain, settings.selector))
    return 1
