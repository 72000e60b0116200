"""Whatever comes in: a bundle or a typed refusal, soon, and nothing of the message in what anybody is told."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import pytest

from adapters.checking.context import CONTEXT
from adapters.errors import Refusal
from tests.adapters.law import harm
from tests.adapters.law.cases import cases, manifests, pack, samples

TIMES = 5_000
"""Harmed messages for each codec in the suite; `make campaign-packs` does 100,000."""
SLICES = 5
"""Tests that share them, so that several processes may."""
CODECS = ("er7", "xml", "json", "csv", "fhir")


def of_codec(codec: str) -> list[str]:
    """The packs of a codec that have samples."""
    return [id_ for id_ in manifests() if samples(id_) and harm.codec_of(pack(id_)) == codec]


@dataclass(frozen=True)
class Harmed:
    """What became of one harmed message."""

    pack: str
    wrong: str
    """What is wrong with that; "" when nothing is."""
    seconds: float
    """CPU time."""
    read: bool
    """Whether it was read all the same."""


@cache
def sound(id_: str) -> tuple[bytes, ...]:
    """What is harmed: a pack's six smallest samples, and as many messages made of each type that it reads."""
    made = [raw for case in cases() if case.pack_id == id_ and case.direction != "out" for raw in case.made(6, "harm")]
    return (*sorted(samples(id_), key=len)[:6], *made)


def harm_one(packs: list[str], seed: str) -> Harmed:
    """Harm one message of one of the packs and read it; a fifth of those that are read are written again."""
    chance = random.Random(seed)
    id_ = chance.choice(packs)
    raw = harm.harmed(chance.choice(sound(id_)), chance)
    write, seen = chance.random() < 0.2, harm.Seen("", read=False)

    def read() -> None:
        nonlocal seen
        seen = harm.seen_by_strangers(pack(id_), raw, write)

    try:
        took = harm.seconds_of(read)
    except Exception as fault:  # any other end than a refusal is what is looked for
        return Harmed(id_, f"{type(fault).__name__} is no refusal", 0.0, read=False)
    wrong = "a value of the message is told" if harm.tells(raw, seen.text) else ""
    return Harmed(id_, wrong or (f"took {took:.1f} s" if took > harm.SECONDS else ""), took, seen.read)


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("codec", CODECS)
def test_harmed_messages_are_read_or_refused(codec: str, part: int) -> None:
    """Bit flips, cuts, doubled parts, junk, nesting, other charsets: a bundle or a refusal, which tells nothing."""
    packs = of_codec(codec)
    assert packs, f"no pack speaks {codec}"
    read = 0
    for number in range(part, TIMES, SLICES):
        harmed = harm_one(packs, f"{codec} {number}")
        assert not harmed.wrong, f"{harmed.pack}, seed '{codec} {number}': {harmed.wrong}"
        read += harmed.read
    assert read > TIMES // SLICES // 20, (
        f"only {read} are read: the harm stops at the door, and what is behind is not tried"
    )


@pytest.mark.parametrize("id_", sorted(manifests()))
def test_bombs_are_refused_soon(id_: str) -> None:
    """Bombs of every kind end in a refusal, within two seconds of CPU."""
    for name, raw in harm.bombs().items():

        def refuse(raw: bytes = raw) -> None:
            with pytest.raises(Refusal):
                pack(id_).read(raw, CONTEXT)

        assert harm.seconds_of(refuse) < harm.SECONDS, f"{name} took too long"


@pytest.mark.parametrize("codec", CODECS)
def test_swollen_messages_end_soon(codec: str) -> None:
    """A sound message with ten megabytes of something in it is read or refused, within two seconds of CPU."""
    for id_ in of_codec(codec)[:2]:
        for raw in harm.swollen(samples(id_)[0], codec):

            def read(id_: str = id_, raw: bytes = raw) -> None:
                with suppress(Refusal):
                    pack(id_).read(raw, CONTEXT)

            assert harm.seconds_of(read) < harm.SECONDS, f"{id_}: {len(raw)} bytes took too long"
