"""The canary search must find what it is meant to find; a blind search would prove nothing."""

from __future__ import annotations

import base64
import gzip
import unicodedata
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.fakes.canaries import fold, found_in

CANARY = "Thử-Nghiệm Ngọc Chim-Bạc"
UTF8 = CANARY.encode()

WRAPPED: dict[str, Callable[[], bytes]] = {
    "plain": lambda: UTF8,
    "nfd": lambda: unicodedata.normalize("NFD", CANARY).encode(),
    "toneless": lambda: b"Thu-Nghiem Ngoc Chim-Bac",
    "upper": lambda: CANARY.upper().encode(),
    "base64": lambda: base64.b64encode(b"x" + UTF8 + b"yz"),
    "base64url-unpadded": lambda: base64.urlsafe_b64encode(UTF8).rstrip(b"="),
    "base64-shifted": lambda: b"q7" + base64.b64encode(UTF8),
    "hex": lambda: b"0x" + UTF8.hex().encode(),
    "gzip": lambda: b"head" + gzip.compress(b"record: " + UTF8) + b"tail",
    "zlib": lambda: zlib.compress(UTF8),
    "gzip-base64": lambda: base64.b64encode(gzip.compress(UTF8)),
    "url": lambda: quote(CANARY).encode(),
    "url-plus": lambda: quote_plus(CANARY).encode(),
    "er7-hex": lambda: b"PID|\\X" + UTF8.hex().upper().encode() + b"\\|",
    "json": lambda: b'{"a": "' + CANARY.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00") + b'"}',
    "xml": lambda: CANARY.encode("ascii", "xmlcharrefreplace"),
    "utf-16": lambda: CANARY.encode("utf-16-le"),
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_a_canary_is_found_however_it_is_wrapped(wrapping: str) -> None:
    """Every encoding in which a personal string might leak is seen through."""
    data = b"log line 17: " + WRAPPED[wrapping]() + b" end" if wrapping != "utf-16" else WRAPPED[wrapping]()
    assert found_in([CANARY], data) == {CANARY}


def test_nothing_is_found_where_nothing_is() -> None:
    """Another child's name, random bytes and half of the canary are not the canary."""
    assert found_in([CANARY], b"Thu-Nghiem Ngoc Chim-Vang " + bytes(range(256)) * 4) == set()


def test_folding_keeps_words_apart() -> None:
    """Folding takes away tones and marks, nothing else."""
    assert fold("Đặng Lân") == "dang lan"
