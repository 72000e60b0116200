"""What a bundle holds, as items that a decision can judge: each resource, and each element with a label of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from consent.codings import as_list, codes_of
from consent.matching import LABEL_SYSTEMS
from consent.model import Code, Item
from consent.moments import interval
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass
from consent.walk import at_path, elements, inline_labels, references, resources_of, shadow

ZONE: Final = "Asia/Ho_Chi_Minh"
_OWN_CODES: Final = ("code", "medicationCodeableConcept", "vaccineCode")
_KINDS: Final = ("type", "category")
_MADE_BY: Final = (
    "performer.reference", "performer.actor.reference", "author.reference", "recorder.reference", "asserter.reference",
    "requester.reference", "sender.reference", "agent.who.reference", "custodian.reference",
)  # fmt: skip
_DATED: Final = (
    "effectiveDateTime", "effectivePeriod.start", "effectiveInstant", "performedDateTime", "performedPeriod.start",
    "occurrenceDateTime", "onsetDateTime", "authoredOn", "authored", "recordedDate", "period.start", "date", "sent",
    "start", "issued", "created", "recorded", "collection.collectedDateTime",
)  # fmt: skip


def items_of(bundle: dict[str, Any], author: str = "") -> tuple[Item, ...]:
    """The items of a labelled bundle; `author` is the agency that said it, where a resource's ``meta.source`` does not.

    The MessageHeader is the envelope, not an item.
    """
    found = [(place, one) for place, one in resources_of(bundle) if one.get("resourceType") != "MessageHeader"]
    episodes = {place: _episode(resource) for place, resource in found}
    ties = Ties(found)
    return tuple(item for place, resource in found for item in _items(place, resource, episodes, author, ties))


class Ties:
    """Who refers to whom in a bundle, to any depth and by every name."""

    def __init__(self, found: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.alias = {place: _alias(resource) for place, resource in found}
        place_of = {name: place for place, name in self.alias.items() if name} | {place: place for place, _ in found}
        self.said = {place: set(references(resource)) for place, resource in found}
        direct = {place: {place_of[one] for one in said if one in place_of} for place, said in self.said.items()}
        self.below = {place: _reached(place, direct) for place in direct}
        self.above: dict[str, set[str]] = {place: set() for place in direct}
        for place, below in self.below.items():
            for one in below:
                self.above[one].add(place)

    def refs(self, place: str) -> tuple[str, ...]:
        """Everything that a resource refers to."""
        said = self.said[place].union(*(self.said[one] for one in self.below[place]))
        return tuple(sorted(said | self._named(self.below[place])))

    def cited_by(self, place: str) -> tuple[str, ...]:
        """Everything that refers to a resource."""
        return tuple(sorted(self._named(self.above[place])))

    def _named(self, places: set[str]) -> set[str]:
        return places | {self.alias[one] for one in places if self.alias[one]}


def _alias(resource: Mapping[str, Any]) -> str:
    own = resource.get("id")
    return f"{resource.get('resourceType')}/{own}" if isinstance(own, str) else ""


def _reached(start: str, direct: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(direct[start])
    while waiting:
        one = waiting.pop()
        if one not in reached and one != start:
            reached.add(one)
            waiting += direct[one]
    return reached


def _items(
    place: str, resource: dict[str, Any], episodes: Mapping[str, str], author: str, ties: Ties
) -> Iterable[Item]:
    meta = resource.get("meta")
    security = as_list(meta.get("security")) if isinstance(meta, dict) else []
    source = meta.get("source") if isinstance(meta, dict) else None
    classes, labels = _split(security)
    encounter = next(at_path(resource, "encounter.reference"), "")
    own_codes, kinds = _codes(resource, _OWN_CODES), _codes(resource, _KINDS)
    whole = Item(
        place=place,
        data_class=classes[0] if classes else None,
        labels=labels,
        type=str(resource.get("resourceType", "")),
        codes=tuple(dict.fromkeys((*own_codes, *kinds))),
        at=_when(resource),
        author=source if isinstance(source, str) and source else author,
        episode=episodes.get(place, "") or episodes.get(encounter, ""),
        refs=ties.refs(place),
        classes=classes[1:],
        names=(ties.alias[place],) if ties.alias[place] else (),
        cited_by=ties.cited_by(place),
        authors=_authors(resource),
        kinds=tuple(code for code in kinds if code not in own_codes),
    )
    yield whole
    for path, parent, key, index in elements(resource):
        own = inline_labels(shadow(parent, key, index))
        if own:
            classes, more = _split(own)
            yield replace(
                whole,
                place=f"{place}#{path}",
                data_class=classes[0] if classes else whole.data_class,
                labels=labels | more,
                classes=classes[1:] if classes else whole.classes,
            )


def _codes(resource: dict[str, Any], names: Iterable[str]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys(code for name in names for code in codes_of(resource.get(name))))


def _authors(resource: dict[str, Any]) -> tuple[str, ...]:
    """Who made the resource, as far as it says."""
    found = (text for path in _MADE_BY for text in at_path(resource, path) if isinstance(text, str))
    return tuple(dict.fromkeys(found))


def _split(codings: Iterable[Any]) -> tuple[tuple[DataClass, ...], frozenset[str]]:
    """Data classes in the order given, and all other labels; an unknown class is a label that nothing permits."""
    classes: list[DataClass] = []
    labels: set[str] = set()
    for coding in codings:
        if not isinstance(coding, Mapping) or not isinstance(coding.get("code"), str):
            continue
        system, code = str(coding.get("system", "")), coding["code"]
        if system == DATA_CLASS_SYSTEM and code in DataClass._value2member_map_:
            classes.append(DataClass(code))
        elif LABEL_SYSTEMS.get(code) == system:
            labels.add(code)
        else:
            labels.add(f"{system}|{code}")
    return tuple(dict.fromkeys(classes)), frozenset(labels)


def _when(resource: dict[str, Any]) -> datetime | date | None:
    """The clinical date: a moment where it has a time, a date where it has a day, nothing where it has less."""
    for path in _DATED:
        for text in at_path(resource, path):
            found = interval(text, ZONE)
            if found is not None and len(text) >= 10:
                return found[0] if "T" in text else date.fromisoformat(text)
    return None


def _episode(resource: dict[str, Any]) -> str:
    for path in ("episodeOfCare.reference", "context.related.reference"):
        for reference in at_path(resource, path):
            if isinstance(reference, str) and "EpisodeOfCare" in reference:
                return reference
    return next((text for text in at_path(resource, "episodeOfCare.reference") if isinstance(text, str)), "")
