"""The one conformance suite: the law in six parts and the second opinions, for every message type of every pack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from adapters.checking.context import CONTEXT, answering
from adapters.checking.crossing import Bundled, Crossings
from adapters.checking.generate import ACCEPTED
from adapters.checking.law import Law
from adapters.checking.problems import Breach
from adapters.errors import AdapterError
from adapters.r4.validate import has_errors, validate
from tests.adapters.law import oracles
from tests.adapters.law.cases import Case, bundles, cases, manifests, pack

MADE = 20
"""Messages made for each type in the suite; `make campaign-packs` makes 2,000."""
CROSSED = 4
"""Bundles of each type that go through every pack's writer here."""
READ = [case for case in cases() if case.direction != "out"]


@pytest.mark.parametrize("case", READ, ids=str)
def test_a_message_type_keeps_the_law(case: Case) -> None:
    """Samples and made messages keep parts 1 to 5, cross every writer, and what is said passes second opinions."""
    law = Law(case.pack, case.type)
    made = list(case.made(MADE))
    assert len(made) >= MADE * ACCEPTED // 100, "no message of this type could be made: the pack needs a sample of it"
    raws = [*case.samples(), *made]
    broken = [breach for number, raw in enumerate(raws) for breach in law.check(raw, number)]
    broken += law.cap(
        idle=False
    )  # the rare message that says everything is seldom among so few; `hub pack check` makes more
    assert not broken, told(broken)
    assert 100 * law.read >= ACCEPTED * len(raws), f"only {law.read} of {len(raws)} messages are read"
    assert not (crossed := list(crossings(case, raws))), told(crossed)
    assert not (doubted := list(doubts(case, raws))), doubted


def crossings(case: Case, raws: list[bytes]) -> Iterator[Breach]:
    """Part 6 for some of the bundles, through every pack."""
    sound = (bundle for bundle in bundles(case.pack, raws) if not has_errors(validate(bundle)))
    some = [bundle for bundle, _ in zip(sound, range(CROSSED), strict=False)]
    for id_ in manifests():
        writer = Crossings(pack(id_))
        for bundle in map(Bundled, some):
            for breach in writer.cross(bundle).breaches:
                yield Breach(breach.part, f"{id_}: {breach.place}", breach.why)


def doubts(case: Case, raws: list[bytes]) -> Iterator[str]:
    """Second opinions on the bundles read, and on what the pack writes of them."""
    for raw in raws[:CROSSED]:
        try:
            reading = case.pack.read(raw, CONTEXT)
        except AdapterError:
            continue
        for strand in reading.strands:
            yield from oracles.fhir_doubts(strand.bundle)
            if case.direction == "both":
                written = case.pack.write(strand.bundle, answering(reading.head))
                yield from oracles.doubts(case.pack, written.type, written.raw)


def told(breaches: list[Breach]) -> str:
    """The breaches, each once, with how often."""
    counted = Counter((breach.part, breach.place, breach.why) for breach in breaches)
    first = {(breach.part, breach.place, breach.why): breach.message for breach in reversed(breaches)}
    lines = [f"{times}x part {key[0]} at {key[1] or '-'}: {key[2]} (first: message {first[key]})"
             for key, times in counted.most_common(15)]  # fmt: skip
    return "\n".join(["", *lines])
