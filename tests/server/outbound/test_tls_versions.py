"""TLS_Protocols: what its words mean, and that delivery goes by them."""

from __future__ import annotations

from ssl import TLSVersion as V
from types import SimpleNamespace

import pytest

from moonpost.outbound.tls import context_for
from moonpost.tls import version_range


@pytest.mark.parametrize(
    ("text", "oldest", "newest"),
    [
        ("", V.TLSv1_2, V.TLSv1_3),
        ("+ALL", V.TLSv1_2, V.TLSv1_3),
        ("+ALL:-SSLv3:-TLSv1.0:-TLSv1.1", V.TLSv1_2, V.TLSv1_3),
        ("+ALL:+TLSv1.1", V.TLSv1_1, V.TLSv1_3),
        ("+TLSv1.2", V.TLSv1_2, V.TLSv1_2),
        ("+tlsv1.3", V.TLSv1_3, V.TLSv1_3),
        ("+ALL:-TLSv1.2", V.TLSv1_3, V.TLSv1_3),
    ],
)
def test_words_of_the_option(text: str, oldest: V, newest: V) -> None:
    assert version_range(text) == (oldest, newest)
    made = context_for(
        SimpleNamespace(  # type: ignore[arg-type]
            tls_ca="", tls_certificate="", tls_key="", tls_ciphers="", tls_protocols=text
        ),
        SimpleNamespace(verify="no"),  # type: ignore[arg-type]
    )
    if text:
        assert (made.minimum_version, made.maximum_version) == (oldest, newest)


@pytest.mark.parametrize("text", ["+TLSv9", "-ALL", "+ALL:+TLSv1.0", "TLS", "+SSLv3"])
def test_words_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"TLS|version"):
        version_range(text)
