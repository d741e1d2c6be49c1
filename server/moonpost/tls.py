"""Versions of TLS in the words of the option TLS_Protocols, for listeners and for delivery. Pure."""

from __future__ import annotations

import ssl

VERSIONS = {
    "TLSV1.0": ssl.TLSVersion.TLSv1,
    "TLSV1.1": ssl.TLSVersion.TLSv1_1,
    "TLSV1.2": ssl.TLSVersion.TLSv1_2,
    "TLSV1.3": ssl.TLSVersion.TLSv1_3,
}
OLDEST = ssl.TLSVersion.TLSv1_2  # unless a configuration names an older one: RFC 8996
GONE = frozenset(("SSLV2", "SSLV3"))  # known to Momentum, no longer to OpenSSL


def version_range(protocols: str) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """Oldest and newest version. ValueError: not understood, none left, or one in between left out.

    `+ALL` is what Python's library still speaks safely: 1.2 and newer. An older one must be named.
    """
    every = list(VERSIONS.values())
    chosen = {version for version in every if version >= OLDEST} if not protocols else set()
    for word in protocols.split(":"):
        name = word.strip().lstrip("+-").upper()
        if name == "ALL":
            named = {version for version in every if version >= OLDEST}
        elif name in GONE or not name:
            named = set()
        elif name in VERSIONS:
            named = {VERSIONS[name]}
        else:
            raise ValueError(f"`{word}` is no version of TLS; known: {', '.join(VERSIONS)}")
        chosen = chosen - named if word.strip().startswith("-") else chosen | named
    if not chosen:
        raise ValueError(f"`{protocols}` leaves no version of TLS")
    oldest, newest = min(chosen), max(chosen)
    if {version for version in every if oldest <= version <= newest} != chosen:
        raise ValueError(f"`{protocols}` leaves out a version between two others")
    return oldest, newest
