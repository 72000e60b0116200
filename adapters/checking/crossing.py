"""Part 6 of the law: what a bundle loses on its way through another pack's format, measured on the bundle itself.

The loss is leaves(bundle) minus leaves(read(write(bundle))), never what the engine says of itself. The way may narrow a
bundle; it may not widen it: whatever comes back was there, or is a constant of the pack that wrote it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from adapters.checking.context import CONTEXT
from adapters.checking.declared import constants
from adapters.checking.law import validity_breaches
from adapters.checking.places import canonical_leaves, unlabelled, unnumbered
from adapters.checking.problems import Breach
from adapters.errors import AdapterError, Unwritable
from adapters.mapping import paths
from adapters.mapping.engine import RowPack
from adapters.pack import Bundle, Context, Pack
from consent.vocabulary import Event

_OF_THE_HUB: Final = ("id", "meta", "fullUrl", "reference", "url", "resourceType")
_WORD: Final = re.compile(r"\d+|[^\W\d_]+")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T.*|\d{4}(-\d{2}){0,2}")
_WANTING: Final = ("required", "unsayable", "type", "structure", "value")
"""Kinds of Unwritable that say what a bundle lacks, or what the format has no word for, rather than that it is said
badly."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """One bundle through one writer."""

    leaves: int
    """How many leaves the bundle has, without what the hub says itself."""
    lost: int
    """How many of them do not come back."""
    written: bool
    breaches: tuple[Breach, ...] = ()
    refusal: str = ""
    """Kind and place of the Unwritable."""


@dataclass(slots=True)
class Bundled:
    """A bundle about to cross, with what is compared when it comes back."""

    bundle: Bundle
    leaves: Counter[tuple[str, str]] = field(init=False)
    words: set[str] = field(init=False)
    moments: set[datetime] = field(init=False)

    def __post_init__(self) -> None:
        self.leaves = Counter(_leaves(self.bundle))
        texts = [value for _, value in canonical_leaves(self.bundle)]
        self.words = {word for text in texts for word in _words(text)}
        self.moments = {moment for text in texts if (moment := _moment(text))}


@dataclass(slots=True)
class Crossings:
    """The way through one pack's format, for bundles of any other."""

    writer: Pack
    _said: set[str] = field(default_factory=set)

    def cross(self, one: Bundled) -> Crossing:
        """Write a bundle, read it again, and compare; a typed Unwritable is no breach where something is wanting."""
        bundle, total = one.bundle, sum(one.leaves.values())
        context = replace(CONTEXT, header={"message-id": "TN6", "sender": "MAU"})
        try:
            written = self.writer.write(bundle, context)
        except Unwritable as fault:
            breaches = tuple(self._unwritable(bundle, fault))
            return Crossing(total, total, False, breaches, f"{fault.kind} {fault.place}")
        except Exception as fault:  # whatever is not Unwritable is the breach itself
            why = f"writing fails with {type(fault).__name__}, which is not Unwritable"
            return Crossing(total, total, False, (Breach(6, "", why),))
        if self._only_written(written.type):
            return Crossing(total, total, True)
        try:
            strands = self.writer.read(written.raw, CONTEXT).strands
        except AdapterError as fault:
            why = f"what it wrote as {written.type} it cannot read: {type(fault).__name__}"
            return Crossing(total, total, True, (Breach(6, getattr(fault, "place", ""), why),))
        found = [breach for strand in strands for breach in self._back(one, strand.bundle, context)]
        after = Counter(leaf for strand in strands for leaf in _leaves(strand.bundle))
        return Crossing(total, sum((one.leaves - after).values()), True, tuple(found))

    def _only_written(self, type_: str) -> bool:
        if not isinstance(self.writer, RowPack):
            return False
        return any(message.type == type_ and message.direction == "out" for message in self.writer.messages)

    def _unwritable(self, bundle: Bundle, fault: Unwritable) -> Iterator[Breach]:
        """Unwritable is allowed for an event that the pack does not know, or when what it names is missing: an element
        that is not there, or a resource of which the format can say nothing."""
        event = bundle["entry"][0]["resource"].get("eventCoding", {}).get("code", "")
        if event not in set(Event) or not self.writer.writes(Event(event)):
            return
        if fault.kind not in _WANTING:
            yield Breach(6, fault.place, f"{event} is spoken here, and is Unwritable all the same: {fault.why}")
        elif fault.kind == "required" and _stands(bundle, fault.place):
            yield Breach(6, fault.place, "is said to be missing, and stands in the bundle")

    def _back(self, before: Bundled, after: Bundle, context: Context) -> Iterator[Breach]:
        for breach in validity_breaches(after):
            yield Breach(6, breach.place, f"what came back is no R4: {breach.why}")
        if not self._said:
            self._said = {word for text in constants(self.writer) for word in _words(text)}
        known = before.words | self._said
        known |= {word for text in (*context.header.values(), CONTEXT.agency) for word in _words(text)}
        for place, value in _leaves(after):
            if _MOMENT.fullmatch(value) and (_moment(value) in before.moments or _said_in(value, before.moments)):
                continue
            if not set(_words(value)) <= known:
                yield Breach(6, place, "comes back, and was neither in the bundle nor is it a constant of the pack")


def check_crossings(bundles: Iterable[Bundle], writer: Pack) -> list[Breach]:
    """Part 6 for some bundles through one writer."""
    crossings = Crossings(writer)
    return [
        replace(breach, message=number)
        for number, bundle in enumerate(bundles)
        for breach in crossings.cross(Bundled(bundle)).breaches
    ]


def _leaves(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The leaves of a bundle's resources that say something of the child: (place without indices, text)."""
    for entry in bundle["entry"][1:]:
        resource = entry["resource"]
        for place, value in canonical_leaves(unlabelled(resource), str(resource.get("resourceType"))):
            parts = unnumbered(place).split(".")
            if parts[1] not in ("id", "meta") and parts[-1] not in _OF_THE_HUB:
                yield ".".join(parts), value


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _moment(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text) or "T" not in text:
        return None
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None


def _said_in(text: str, moments: Iterable[datetime]) -> bool:
    """Whether a date is that of one of the moments, anywhere on earth."""
    return "T" not in text and any(abs((moment - _day(text)).total_seconds()) < 2 * 86400 for moment in moments)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}-01-01"[:10]).replace(tzinfo=UTC)


def _only_systems(value: Any) -> bool:
    """Whether an element is a concept whose codings name their systems and nothing else: no format has words for it."""
    codings = value.get("coding", ()) if isinstance(value, dict) else ()
    return bool(codings) and not any({"code", "display"} & coding.keys() for coding in codings)


def _stands(bundle: Bundle, place: str) -> bool:
    """Whether something stands at a canonical place as an Unwritable names it (``Patient.name.family``), in each
    resource of that type; neither a code nor a whole resource counts, since the recipient may have no word for it."""
    kind, _, way = place.partition(".")
    resources = [entry["resource"] for entry in bundle["entry"] if entry["resource"].get("resourceType") == kind]
    try:
        path = paths.parse(way, kind) if way else None
    except AdapterError:
        return False
    if path is None or path.kind in ("Coding", "code"):
        return False
    held = [[container[key] for container, key in paths.slots(each, path.steps)] for each in resources]
    return bool(held) and all(values and not any(map(_only_systems, values)) for values in held)
