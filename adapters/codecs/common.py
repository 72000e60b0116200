"""What every codec needs: limits, clean text, and the value that `parse` gives."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from adapters.errors import Malformed, TooLarge
from adapters.pack import Deviation
from adapters.tree import Node

MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest message that any codec reads."""
MAX_NODES: Final = 200_000
"""Most places that a message may have."""
MAX_DEPTH: Final = 60
"""Deepest nesting that a message may have."""

_CONTROLS: Final = frozenset(chr(code) for code in range(0x20)) - {"\t", "\n", "\r"} | {"\x7f"}

_SURROGATES: Final = (chr(0xD800), chr(0xDFFF))


@dataclass(frozen=True, slots=True)
class Parsed:
    """A message as a tree, with what was tolerated on the way."""

    tree: Node
    deviations: tuple[Deviation, ...] = ()
    charset: str = "utf-8"


def guard_size(raw: bytes) -> None:
    """Refuse more than :data:`MAX_BYTES` bytes, and nothing at all."""
    if len(raw) > MAX_BYTES:
        raise TooLarge("", "size", f"the message is larger than {MAX_BYTES // (1024 * 1024)} MiB")
    if not raw or raw.isspace():
        raise Malformed("", "empty", "there is no message")


def clean(text: str, place: str) -> str:
    """The text in NFC; control characters, lone surrogates and non-characters are refused."""
    if text.isascii():
        if text.isprintable() or not _CONTROLS.intersection(text):
            return text
    elif (not _CONTROLS.intersection(text) and text.isprintable()) or (
        not _CONTROLS.intersection(text) and not any(_SURROGATES[0] <= char <= _SURROGATES[1] for char in text)
    ):
        return unicodedata.normalize("NFC", text)
    raise Malformed(
        place, "control-character", "control characters may not stand in a value; send the text without them"
    )
