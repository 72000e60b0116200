"""Planted personal strings, and a search that finds them however they were wrapped.

Instead of guessing every encoding of each canary, the search unwraps what it looks through (gzip, zlib, base64, hex,
URL, ER7, JSON and XML escapes, UTF-16) and compares without tones, marks and case: NFD and toneless copies are found.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import html
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")
_ER7_HEX = re.compile(rb"\\X((?:[0-9A-Fa-f]{2})+)\\")
_JSON = re.compile(r"\\u([0-9a-fA-F]{4})")
_ER7 = {b"\\F\\": b"|", b"\\S\\": b"^", b"\\T\\": b"&", b"\\R\\": b"~", b"\\E\\": b"\\", b"\\.br\\": b"\n"}
_DEPTH = 3


def fold(text: str) -> str:
    """Without tones, marks and case; đ is d."""
    spread = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(sign for sign in spread if not unicodedata.combining(sign))


def found_in(canaries: Iterable[str], data: bytes, depth: int = _DEPTH) -> set[str]:
    """Which canaries stand in `data`, wrapped (up to `depth` times) or not."""
    texts = {fold(text) for layer in unwrap(data, depth) for text in _texts(layer)}
    return {canary for canary in canaries if any(fold(canary) in text for text in texts)}


def unwrap(data: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """`data` and everything that it wraps."""
    yield data
    if depth:
        for inner in _inside(data):
            if inner and inner != data:
                yield from unwrap(inner, depth - 1)


def _texts(layer: bytes) -> Iterator[str]:
    text = layer.decode("utf-8", "ignore")
    yield text
    if "\\u" in text:
        yield _JSON.sub(lambda escape: chr(int(escape[1], 16)), text)
    if "&" in text:
        yield html.unescape(text)
    if b"\0" in layer:
        yield layer.decode("utf-16-le", "ignore")


def _inside(data: bytes) -> Iterator[bytes]:
    for magic, bits in ((b"\x1f\x8b\x08", 31), (b"\x78\x01", 15), (b"\x78\x9c", 15), (b"\x78\xda", 15)):
        at = data.find(magic)
        while at >= 0:
            with contextlib.suppress(zlib.error):
                yield zlib.decompressobj(bits).decompress(data[at:], 1_000_000)
            at = data.find(magic, at + 1)
    for run in _BASE64.findall(data):
        for shift in range(4):
            cut = run[shift : shift + (len(run) - shift) // 4 * 4].replace(b"-", b"+").replace(b"_", b"/")
            tail = run[shift + len(cut) :].replace(b"-", b"+").replace(b"_", b"/")
            try:
                yield base64.b64decode(cut + (tail + b"=" * (4 - len(tail)) if len(tail) > 1 else b""))
            except (binascii.Error, ValueError):
                yield base64.b64decode(cut)
    for run in _HEX.findall(data):
        yield binascii.unhexlify(run)
    if b"%" in data:
        yield unquote_to_bytes(data.replace(b"+", b" "))
    if b"\\" in data:
        plain = _ER7_HEX.sub(lambda escape: binascii.unhexlify(escape[1]), data)
        for escape, sign in _ER7.items():
            plain = plain.replace(escape, sign)
        yield plain
