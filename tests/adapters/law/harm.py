"""Harm done to messages at random: what arrives when a line is bad, a program is wrong, or a sender is hostile."""

from __future__ import annotations

import io
import random
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from adapters.checking.context import CONTEXT
from adapters.errors import AdapterError, Refusal
from adapters.mapping.bundles import BundlePack
from adapters.mapping.engine import RowPack
from adapters.pack import Pack

CANARY = "CANARYxyz"
SECONDS = 2.0
"""CPU time that any one message may take."""
_JUNK = (
    b"\r", b"\n", b"|", b"^", b"~", b"&", b"\\", b'""', b"null", b"{}", b"[]", b'"', b"<a/>", b"\x00", b"\xff",
    b"9" * 40,
    b"\\X00\\", b"&#0;", b"&a;", b"<![CDATA[", b"]]>", b"\\ud800", b"1e999999", b"NaN", b",", b";", b"\xf0\x9f\x98\x80",
    b"\xef\xbb\xbf", b"'", b"=cmd", b"true", b"-0", b"2026-02-30", b"20260230",
)  # fmt: skip
_CHARSETS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1258", "utf-7", "shift_jis")
_NESTED = (b"[", b'{"a":', b"<a>", b"&", b"\\", b'"')


def seconds_of(work: Callable[[], object]) -> float:
    """CPU seconds that some work takes: where it seems too long, the least of three tries.

    Whatever hangs does so each time; a busy machine, or a collection of others' garbage, does not.
    """
    least = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
        if least < SECONDS:
            break
    return least


def codec_of(pack: Pack) -> str:
    """The codec of a pack: er7, xml, json, csv or fhir."""
    if isinstance(pack, BundlePack):
        return "fhir"
    assert isinstance(pack, RowPack)
    return pack.codec.name


def harmed(raw: bytes, chance: random.Random) -> bytes:
    """The message after one to four harms."""
    broken = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(broken) + 1)
        match chance.randrange(9):
            case 0 if at < len(broken):
                broken[at] ^= 1 << chance.randrange(8)
            case 1:
                del broken[at:]
            case 2:
                del broken[at : at + chance.randrange(30)]
            case 3 | 0:
                broken[at:at] = chance.choice(_JUNK)
            case 4:
                broken[at:at] = broken[at : at + chance.randrange(400)]
            case 5 if chance.random() < 0.1:
                broken[at:at] = chance.choice(_NESTED) * chance.choice((70, 5_000))
            case 6 if chance.random() < 0.2:
                broken = bytearray(broken.decode("utf-8", "replace").encode(chance.choice(_CHARSETS), "replace"))
            case 7 if chance.random() < 0.3:
                broken = bytearray(_shuffled(bytes(broken), chance))
            case _:
                words = list(re.finditer(rb"[A-Za-z0-9-]{2,}", broken))
                if words:
                    word = chance.choice(words)
                    broken[word.start() : word.end()] = CANARY.encode()
    return bytes(broken)


def _shuffled(raw: bytes, chance: random.Random) -> bytes:
    """Its lines (or elements) in another order, one of them perhaps twice."""
    mark = b"\r" if b"\r" in raw else b">" if raw.lstrip()[:1] == b"<" else b","
    pieces = raw.split(mark)
    first, second = chance.randrange(len(pieces)), chance.randrange(len(pieces))
    pieces[first], pieces[second] = pieces[second], pieces[first]
    return mark.join(pieces + pieces[second : second + 1] * chance.randrange(2))


@dataclass(frozen=True)
class Seen:
    """Everything that anybody may see of reading a message and of writing what came of it."""

    text: str
    read: bool


def seen_by_strangers(pack: Pack, raw: bytes, write: bool = True) -> Seen:
    """Read a message and perhaps write it again, and listen to what is said of that."""
    try:
        reading = pack.read(raw, CONTEXT)
    except Refusal as refusal:
        return Seen(f"{refusal} {refusal.place} {refusal.kind} {refusal.why}", read=False)
    seen = [*(f"{d.place} {d.why}" for d in reading.deviations), *(f"{loss.place} {loss.why}" for loss in reading.loss)]
    for strand in reading.strands if write else ():
        try:
            seen += [f"{loss.place} {loss.why}" for loss in pack.write(strand.bundle, CONTEXT).loss]
        except AdapterError as fault:
            seen.append(str(fault))
    return Seen("\n".join(seen), read=True)


def tells(raw: bytes, seen: str) -> bool:
    """Whether a value shows in what strangers see; names (of elements, members, columns, a message type) are none."""
    if CANARY not in seen:
        return False
    canary = CANARY.encode()
    plain = raw.replace(b"\x00", b"")
    named = re.search(rb"<[^>]*" + canary + rb'|"[^"]*' + canary + rb'[^"]*"\s*:|&' + canary, plain)
    heading = canary in plain.lstrip(b"\xef\xbb\xbf\xff\xfe").splitlines()[0] and not plain.lstrip().startswith(b"MSH")
    segment = re.search(rb"(^|[\r\n])" + canary, plain)
    type_ = b"MSH" in plain and "is not spoken here" in seen
    return not (named or heading or segment or type_)


@cache
def bombs() -> dict[str, bytes]:
    """Messages that are small and mean to become great, or are great: every one of them must end in a refusal."""
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    return {
        "ten megabytes of nothing": b"x" * 10_000_000,
        "nested elements": b"<a>" * 100_000,
        "nested lists": b"[" * 100_000,
        "nested objects": b'{"a":' * 100_000,
        "a billion laughs": b'<!DOCTYPE a [<!ENTITY l0 "lol">' + laughs + b"]><a>&l9;</a>",
        "an outside entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
        "a quadratic entity": b'<!DOCTYPE a [<!ENTITY a "' + b"x" * 1000 + b'">]><a>' + b"&a;" * 1000 + b"</a>",
        "many fields": b"MSH|^~\\&" + b"|" * 5_000_000,
        "many repeats": b"MSH|^~\\&|A\rPID|1||" + b"1~" * 2_000_000,
        "many components": b"MSH|^~\\&|A\rPID|1||" + b"1^" * 2_000_000,
        "many escapes": b"MSH|^~\\&|A\rPID|1||" + b"\\F\\" * 2_000_000,
        "a zip bomb": _zip([("row.csv", b"a,b\r\n" + b"0," * 20_000_000)]),
        "a zip of many files": _zip([(f"{n}.csv", b"a\r\n1\r\n") for n in range(3_000)]),
        "a zip that lies": _zip([("a.csv", b"a\r\n1\r\n")])[:-30] + b"\xff" * 30,
        "many cells": b"a,b\r\n" + b"1,2\r\n" * 400_000,
        "a long number": b'{"a":' + b"9" * 5_000_000 + b"}",
    }


def _zip(files: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def swollen(raw: bytes, codec: str) -> Iterator[bytes]:
    """A sound message with ten megabytes of something in it."""
    much = 10_000_000
    if codec == "er7":
        yield raw + b"NTE|1||" + b"x" * much + b"\r"
        yield raw + b"ZZZ|a^b&c~d\r" * (much // 12)
    elif codec == "xml":
        body = raw[raw.index(b"?>") + 2 :] if raw.startswith(b"<?xml") else raw
        yield b"<!--" + b"x" * much + b"-->" + body
        end = body.rindex(b"</")
        yield body[:end] + b"<z>" + b"x" * much + b"</z>" + body[end:]
        yield body[:end] + b"<z/>" * (much // 4) + body[end:]
    elif codec in ("json", "fhir"):
        start = raw.index(b"{") + 1
        yield raw[:start] + b'"zz":"' + b"x" * much + b'",' + raw[start:]
        yield raw[:start] + b'"zz":[' + b"{}," * (much // 3) + b"{}]," + raw[start:]
        yield raw + b" " * much
    elif not raw.startswith(b"PK"):
        yield raw + b"x" * much
        yield raw + (raw.splitlines()[-1] + b"\r\n") * (much // (len(raw.splitlines()[-1]) + 2))
