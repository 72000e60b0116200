"""Whatever comes in: a bundle or a typed refusal, and nothing of the message in either error or deviation."""

from __future__ import annotations

import random
import re

import pytest

from adapters.errors import AdapterError, Refusal
from adapters.pack import Pack
from tests.adapters.law.test_law import PACKS
from tests.adapters.packs import CONTEXT, sample, samples

TIMES = 120
"""Broken messages for each pack in the suite."""
CANARY = "CANARYxyz"
_JUNK = (b"\r", b"|", b"^", b"~", b"&", b"\\", b'""', b"null", b"{}", b"[]", b'"', b"<a/>", b"\x00", b"\xff", b"9" * 40)


def _breakage(raw: bytes, chance: random.Random) -> bytes:
    broken = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(broken) + 1)
        match chance.randrange(6):
            case 0 if broken and at < len(broken):
                broken[at] ^= 1 << chance.randrange(8)
            case 1:
                del broken[at:]
            case 2:
                del broken[at : at + chance.randrange(30)]
            case 3:
                broken[at:at] = chance.choice(_JUNK)
            case 4:
                broken[at:at] = broken[at : at + chance.randrange(400)]
            case _:
                words = list(re.finditer(rb"[A-Za-z0-9-]{2,}", broken))
                if words:
                    word = chance.choice(words)
                    broken[word.start() : word.end()] = CANARY.encode()
    return bytes(broken)


def _try(pack: Pack, raw: bytes) -> str:
    """Everything that a stranger may see of reading and writing this."""
    try:
        reading = pack.read(raw, CONTEXT)
    except Refusal as refusal:
        return f"{refusal} {refusal.place} {refusal.kind}"
    seen = [*(f"{d.place} {d.why}" for d in reading.deviations), *(f"{loss.place} {loss.why}" for loss in reading.loss)]
    for strand in reading.strands:
        try:
            seen += [f"{loss.place} {loss.why}" for loss in pack.write(strand.bundle, CONTEXT).loss]
        except AdapterError as fault:
            seen.append(str(fault))
    return "\n".join(seen)


@pytest.mark.parametrize("id_", sorted(PACKS))
def test_broken_messages_are_read_or_refused(id_: str) -> None:
    """Bit flips, cuts, doubled parts, junk and strange values: a bundle or a refusal, telling nothing."""
    chance = random.Random(id_)
    for _ in range(TIMES):
        raw = _breakage(sample(id_, chance.choice(samples(id_))), chance)
        seen = _try(PACKS[id_], raw)
        named = re.search(
            rf"<[^>]*{CANARY}|\"{CANARY}\":|\\|{CANARY}[\\^|]".encode(), raw
        )  # a name of theirs, or MSH-9
        if named is None or (raw.startswith(b"MSH") and "is not spoken here" not in seen):
            assert CANARY not in seen


@pytest.mark.parametrize("id_", sorted(PACKS))
def test_great_messages_are_refused_quickly(id_: str) -> None:
    """Ten megabytes of nothing, deep nesting and entity bombs end in a refusal."""
    bomb = b'<!DOCTYPE a [<!ENTITY a "' + b"x" * 1000 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]><a>&b;</a>'
    for raw in (
        b"x" * 10_000_000,
        b"<a>" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        bomb,
        b"MSH|^~\\&" + b"|" * 5_000_000,
    ):
        with pytest.raises(Refusal):
            PACKS[id_].read(raw, CONTEXT)
