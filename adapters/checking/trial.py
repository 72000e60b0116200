"""A pack tried on messages: its samples and made ones under all six parts of the law."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.checking.chance import Pick
from adapters.checking.crossing import check_crossings
from adapters.checking.generate import messages, types
from adapters.checking.law import check_law
from adapters.checking.problems import Breach, Problem, at_source
from adapters.checking.samples import SAMPLE_CONTEXT, samples_of
from adapters.errors import AdapterError
from adapters.pack import Bundle, Pack
from adapters.r4.validate import has_errors, validate
from consent.vocabulary import Event

_MOST = 12
"""Breaches told for each message type and part: the first ones say enough."""

_ENOUGH = 250
"""Made messages that can show a declared number of losses to be idle: the one that says everything is rare."""


def check_messages(
    pack: Pack, files: Mapping[str, bytes], others: Mapping[str, Pack], pick: Pick, count: int
) -> list[Problem]:
    """Breaches of the law on the pack's samples and on `count` made messages of each type; `others` write its bundles.

    `pick(n)` gives a number below n.
    """
    samples = [sample.raw for sample in samples_of(files)]
    found: list[Problem] = []
    bundles: list[Bundle] = []
    for type_, direction in types(pack):
        if direction == "out":
            continue
        own = [raw for raw in samples if _is(pack, raw, type_)]
        made = list(messages(pack, type_, pick, count, samples)) if count else []
        found += _told(f"law {type_}", check_law(pack, type_, [*own, *made], idle=count >= _ENOUGH), len(own))
        for raw in (*own, *made[: max(count // 4, 1)]):
            bundles += _read(pack, raw)
    for other in {pack.id: pack, **others}.values():
        said = [bundle for bundle in bundles if other.writes(_event(bundle))]
        found += _told(f"law {other.id}", check_crossings(said, other), len(said))
    return found


def _is(pack: Pack, raw: bytes, type_: str) -> bool:
    try:
        return pack.head(raw, SAMPLE_CONTEXT).type == type_
    except AdapterError:
        return False


def _read(pack: Pack, raw: bytes) -> list[Bundle]:
    """The bundles that others' writers are tried on: what is no R4 has been told already."""
    try:
        bundles = [strand.bundle for strand in pack.read(raw, SAMPLE_CONTEXT).strands]
    except AdapterError:
        return []
    return [bundle for bundle in bundles if not has_errors(validate(bundle))]


def _event(bundle: Bundle) -> Event:
    return Event(bundle["entry"][0]["resource"]["eventCoding"]["code"])


def _told(what: str, breaches: list[Breach], samples: int) -> list[Problem]:
    """Each breach once, however many messages show it, and no more than a reader can use."""
    once: dict[tuple[int, str, str, tuple[str, ...]], Breach] = {}
    for breach in breaches:
        once.setdefault((breach.part, breach.place, breach.why, breach.rows), breach)
    found = []
    for breach in list(once.values())[:_MOST]:
        told = "a sample" if 0 <= breach.message < samples else "a made message"
        where = f"part {breach.part}, {breach.place}" if breach.place else f"part {breach.part}"
        if breach.rows:
            first, *others = breach.rows
            beside = f"; {', '.join(others)} beside it" if others else ""
            found.append(at_source(first, "error", f"{breach.why} ({what}: {where}; {told}{beside})"))
        else:
            found.append(Problem(what, where, "error", f"{breach.why} ({told})"))
    if len(once) > _MOST:
        found.append(Problem(what, "", "error", f"and {len(once) - _MOST} more"))
    return found
