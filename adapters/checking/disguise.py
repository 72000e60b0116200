"""The same message in other clothes: byte order marks, line ends, separators, character sets that senders use."""

from __future__ import annotations

import codecs
from typing import Final

from adapters.checking.chance import Chance
from adapters.codecs import er7
from adapters.mapping.engine import RowPack
from adapters.tree import Branch

_SEPARATORS: Final = (er7.Separators("|", "^", "~", "\\", "&", "#"), er7.Separators("!", "$", "%", "@", "*"))


def disguised(pack: RowPack, tree: Branch, chance: Chance) -> bytes:
    """The tree's bytes as a less tidy sender would send them; each is read, with a deviation at the most."""
    raw = pack.codec.dump(tree)
    match pack.codec.name:
        case "er7":
            return _er7(tree, raw, chance)
        case "xml":
            return _xml(raw, chance)
        case "json":
            return chance.one((codecs.BOM_UTF8 + raw, b"\n  " + raw + b"\n", _ascii(raw)))
    return raw if raw.startswith(b"PK") else chance.one((codecs.BOM_UTF8 + raw, raw.decode().encode("utf-16")))


def _er7(tree: Branch, raw: bytes, chance: Chance) -> bytes:
    match chance.pick(5):
        case 0:
            return raw.replace(b"\r", b"\r\n")
        case 1:
            return raw.replace(b"\r", b"\n")
        case 2:
            return codecs.BOM_UTF8 + raw
        case 3:
            return raw.decode().encode("utf-16")
    return er7.dump(tree, chance.one(_SEPARATORS))


def _xml(raw: bytes, chance: Chance) -> bytes:
    body = raw[raw.index(b"?>") + 2 :].lstrip()
    match chance.pick(4):
        case 0:
            return body
        case 1:
            return codecs.BOM_UTF8 + raw
        case 2:
            return (
                b"<?xml version='1.0' encoding='UTF-16'?>".decode().encode("utf-16")
                + body.decode().encode("utf-16")[2:]
            )
    return b"<!-- mau -->\n" + body + b"\n"


def _ascii(raw: bytes) -> bytes:
    r"""Everything beyond ASCII as ``\uXXXX``."""
    out: list[str] = []
    for char in raw.decode():
        if char.isascii():
            out.append(char)
        else:
            units = char.encode("utf-16-be")
            out += [f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2)]
    return "".join(out).encode()
