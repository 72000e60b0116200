"""Character sets by the names that senders give them: Python's own decoders, and single-byte tables that are data.

`vietnamese.csv` beside this module (``charset,byte,text``; the byte as two hex digits) holds what Python has no decoder
for: VISCII and TCVN3 (ABC). Bytes below 0x80 that it does not name are ASCII.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

TABLES: Final = "vietnamese.csv"


@cache
def tables() -> Mapping[str, tuple[str, ...]]:
    """The single-byte tables by charset: 256 texts each, "\\ufffd" where the set has no character."""
    source = files("adapters.codecs").joinpath(TABLES)
    found: dict[str, list[str]] = {}
    if source.is_file():
        for row in csv.DictReader(io.StringIO(source.read_text("utf-8"))):
            table = found.setdefault(row["charset"], [chr(code) if code < 0x80 else "\ufffd" for code in range(256)])
            table[int(row["byte"], 16)] = row["text"]
    return {name: tuple(table) for name, table in found.items()}


def decode(raw: bytes, name: str) -> str:
    """The text of `raw`; UnicodeDecodeError when a byte is in no such set, LookupError for a name that is unknown."""
    table = tables().get(name)
    if table is None:
        return raw.decode(name)
    if any(table[byte] == "\ufffd" for byte in set(raw)):
        raise UnicodeDecodeError(name, raw, 0, 1, "a byte that the character set does not have")
    return raw.decode("latin-1").translate(dict(enumerate(table)))
