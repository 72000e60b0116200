"""Whatever comes in: a bundle or a typed refusal, soon, and nothing of the message in what anybody is told."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from adapters.checking.context import CONTEXT
from adapters.errors import Refusal
from tests.adapters.law import harm
from tests.adapters.law.cases import manifests, pack, samples

TIMES = 5_000
"""Harmed messages for each codec in the suite; `make campaign-packs` does 100,000."""
SLICES = 5
"""Tests that share them, so that several processes may."""
CODECS = ("er7", "xml", "json", "csv", "fhir")


def of_codec(codec: str) -> list[str]:
    """The packs of a codec that have samples."""
    return [id_ for id_ in manifests() if samples(id_) and harm.codec_of(pack(id_)) == codec]


def harm_one(codec: str, packs: list[str], seed: str) -> tuple[str, str, float]:
    """Harm one message and read it: the pack, what is wrong ("" when nothing is), and the seconds of CPU."""
    chance = random.Random(seed)
    id_ = chance.choice(packs)
    small = sorted(samples(id_), key=len)[:6]
    raw = harm.harmed(chance.choice(small), chance)
    write, seen = chance.random() < 0.2, ""

    def read() -> None:
        nonlocal seen
        seen = harm.seen_by_strangers(pack(id_), raw, write)

    try:
        took = harm.seconds_of(read)
    except Exception as fault:  # any other end than a refusal is what is looked for
        return id_, f"{type(fault).__name__} is no refusal", 0.0
    wrong = "a value of the message is told" if harm.tells(raw, seen) else ""
    return id_, wrong or (f"took {took:.1f} s" if took > harm.SECONDS else ""), took


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("codec", CODECS)
def test_harmed_messages_are_read_or_refused(codec: str, part: int) -> None:
    """Bit flips, cuts, doubled parts, junk, nesting, other charsets: a bundle or a refusal, which tells nothing."""
    packs = of_codec(codec)
    assert packs, f"no pack speaks {codec}"
    for number in range(part, TIMES, SLICES):
        id_, wrong, _ = harm_one(codec, packs, f"{codec} {number}")
        assert not wrong, f"{id_}, seed '{codec} {number}': {wrong}"


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
