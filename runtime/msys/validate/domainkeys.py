"""DomainKeys signatures (RFC 4870), the forerunner of DKIM. Pure but for the key it is given."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from msys.validate.canonical import Header

CANONICAL = ("simple", "nofws")
BLANKS = b" \t\r\n"


def canonical_content(headers: list[Header], body: bytes, canon: str) -> bytes:
    """Header and body as they are signed: `simple` as they stand, `nofws` without any white space.

    Empty lines at the end of the body do not count (RFC 4870 section 3.4.2).
    """
    lines = body.split(b"\r\n")
    fields = [name + b":" + value for name, value in headers]
    if canon == "nofws":
        lines = [line.translate(None, BLANKS) for line in lines]
        fields = [field.translate(None, BLANKS) + b"\r\n" for field in fields]
    while lines and not lines[-1]:
        lines.pop()
    # Without a body there is no blank line either: nothing separates what is not there.
    text = b"\r\n" + b"".join(line + b"\r\n" for line in lines) if lines else b""
    return b"".join(fields) + text


def signature_field(
    headers: list[Header],
    body: bytes,
    key: rsa.RSAPrivateKey,
    domain: str,
    selector: str,
    canon: str,
) -> bytes:
    """The whole DomainKey-Signature field; it covers every header field below it."""
    made = key.sign(canonical_content(headers, body, canon), padding.PKCS1v15(), hashes.SHA1())
    text = base64.b64encode(made).decode("ascii")
    lines = "\r\n\t".join(text[at : at + 72] for at in range(0, len(text), 72))
    value = f"DomainKey-Signature: a=rsa-sha1; c={canon}; d={domain}; s={selector}; q=dns;\r\n\tb={lines}\r\n"
    return value.encode("latin-1")
