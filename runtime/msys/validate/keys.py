"""Private keys for signing, loaded once; public keys as DNS publishes them.

The files port reads, `cryptography` understands. What could not be loaded is remembered for a while too,
so that a missing key costs nothing per message.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from dkim.util import InvalidTagValueList, parse_tag_value

from msys.lua.bytestr import to_bytes
from msys.ports import PortError, Ports, wait

POSITIVE_TTL_S = 300.0  # the opendkim module's pos_keycache_ttl
NEGATIVE_TTL_S = 60.0  # chosen: a key that is put in place is found within a minute
HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class BadKey(Exception):
    """No usable key: why."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: PrivateKey | None
    problem: str
    until: float


def parse_private(content: bytes) -> PrivateKey:
    """A key from PEM, or from the bare Base64 that `keybuf` holds (DER, or 32 bytes of Ed25519 seed)."""
    try:
        if b"-----BEGIN" in content:
            found = serialization.load_pem_private_key(content, None)
        else:
            raw = base64.b64decode(b"".join(content.split()), validate=True)
            if len(raw) == 32:
                return ed25519.Ed25519PrivateKey.from_private_bytes(raw)
            found = serialization.load_der_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error) as error:
        raise BadKey(f"not a private key: {error}") from None
    if not isinstance(found, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise BadKey("neither an RSA nor an Ed25519 key")
    return found


def private_key(ports: Ports, path: str, keybuf: str) -> PrivateKey:
    """The key in `keybuf`, or else in the file `path`; BadKey says why there is none."""
    cache: dict[str, _Kept] = ports.services.setdefault("msys.validate.keys", {})
    name = keybuf or path
    now = ports.clock.monotonic()
    kept = cache.get(name)
    if kept is None or kept.until <= now:
        kept = cache[name] = _load(ports, path, keybuf, now)
    if kept.key is None:
        raise BadKey(kept.problem)
    return kept.key


def _load(ports: Ports, path: str, keybuf: str, now: float) -> _Kept:
    try:
        content = to_bytes(keybuf) if keybuf else wait(ports.files.read(path))
        return _Kept(parse_private(content), "", now + POSITIVE_TTL_S)
    except (PortError, BadKey) as error:
        return _Kept(None, str(error) if not keybuf else f"keybuf: {error}", now + NEGATIVE_TTL_S)


def signature_of(key: PrivateKey, data: bytes, digest: str) -> bytes:
    """The signature: PKCS #1 v1.5 over the hash, or Ed25519 over the SHA-256 (RFC 8463 section 3)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), HASHES[digest]())
    return key.sign(_sha256(data))


def _sha256(data: bytes) -> bytes:
    found = hashes.Hash(hashes.SHA256())
    found.update(data)
    return found.finalize()


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A public key record of DNS (RFC 6376 section 3.6.1)."""

    key: PublicKey | None  # None: revoked
    kind: str  # k=
    hashes: frozenset[str]  # h=, empty: any
    services: frozenset[str]  # s=
    testing: bool  # t=y
    exact_domain: bool  # t=s

    @property
    def bits(self) -> int:
        if self.key is None:
            return 0
        return self.key.key_size if isinstance(self.key, rsa.RSAPublicKey) else 256

    def verifies(self, signature: bytes, data: bytes, digest: str) -> bool:
        """Whether `signature` is this key's over `data`."""
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, data, padding.PKCS1v15(), HASHES[digest]())
            elif self.key is not None:
                self.key.verify(signature, _sha256(data))
        except InvalidSignature:
            return False
        return self.key is not None


def parse_record(text: str) -> KeyRecord:
    """A record's text; BadKey with libopendkim's words when it cannot be used."""
    try:
        tags = {
            name.decode(): value.decode("latin-1")
            for name, value in parse_tag_value(to_bytes(text)).items()
        }
    except (InvalidTagValueList, UnicodeDecodeError):
        raise BadKey("key DNS reply corrupt") from None
    if tags.get("v", "DKIM1") != "DKIM1":
        raise BadKey("unknown key version")
    kind = tags.get("k", "rsa").lower()
    if kind not in ("rsa", "ed25519"):
        raise BadKey("unknown key type")
    if "p" not in tags:
        raise BadKey("key DNS reply corrupt")
    flags = _list(tags.get("t", ""))
    return KeyRecord(
        key=_public(kind, "".join(tags["p"].split())),
        kind=kind,
        hashes=_list(tags.get("h", "")),
        services=_list(tags.get("s", "*")),
        testing="y" in flags,
        exact_domain="s" in flags,
    )


def _list(value: str) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in value.split(":") if word.strip())


def _public(kind: str, text: str) -> PublicKey | None:
    if not text:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
        if kind == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(raw)
        try:
            found = serialization.load_der_public_key(raw)
        except ValueError:  # a bare RSAPublicKey, which RFC 6376 also allows
            found = serialization.load_pem_public_key(
                b"-----BEGIN RSA PUBLIC KEY-----\n%b\n-----END RSA PUBLIC KEY-----\n"
                % text.encode("ascii")
            )
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raise BadKey("unable to apply public key") from None
    if not isinstance(found, rsa.RSAPublicKey):
        raise BadKey("unable to apply public key")
    return found
