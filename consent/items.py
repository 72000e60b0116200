"""What a bundle holds, as items that a decision can judge: each resource, and each element with a label of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from consent.fhir import as_list, codes_of
from consent.matching import LABEL_SYSTEMS
from consent.model import Item
from consent.moments import interval
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass
from consent.walk import at_path, elements, inline_labels, references, resources_of, shadow

ZONE: Final = "Asia/Ho_Chi_Minh"
_CODED: Final = ("code", "type", "category", "medicationCodeableConcept", "vaccineCode")
_DATED: Final = (
    "effectiveDateTime", "effectivePeriod.start", "effectiveInstant", "performedDateTime", "performedPeriod.start",
    "occurrenceDateTime", "onsetDateTime", "authoredOn", "authored", "recordedDate", "period.start", "date", "sent",
    "start", "issued", "created", "recorded", "collection.collectedDateTime",
)  # fmt: skip


def items_of(bundle: dict[str, Any], author: str = "") -> tuple[Item, ...]:
    """The items of a labelled bundle; `author` is the agency that said it, where a resource's ``meta.source`` does not.

    The MessageHeader is the envelope, not an item.
    """
    found = list(resources_of(bundle))
    episodes = {place: _episode(resource) for place, resource in found}
    return tuple(
        item
        for place, resource in found
        if resource.get("resourceType") != "MessageHeader"
        for item in _items(place, resource, episodes, author)
    )


def _items(place: str, resource: dict[str, Any], episodes: Mapping[str, str], author: str) -> Iterable[Item]:
    meta = resource.get("meta")
    security = as_list(meta.get("security")) if isinstance(meta, dict) else []
    source = meta.get("source") if isinstance(meta, dict) else None
    classes, labels = _split(security)
    encounter = next(at_path(resource, "encounter.reference"), "")
    whole = Item(
        place=place,
        data_class=classes[0] if classes else None,
        labels=labels,
        type=str(resource.get("resourceType", "")),
        codes=tuple(dict.fromkeys(code for name in _CODED for code in codes_of(resource.get(name)))),
        at=_when(resource),
        author=source if isinstance(source, str) and source else author,
        episode=episodes.get(place, "") or episodes.get(encounter, ""),
        refs=tuple(sorted(set(references(resource)))),
        classes=classes[1:],
    )
    yield whole
    for path, parent, key, index in elements(resource):
        own = inline_labels(shadow(parent, key, index))
        if own:
            classes, more = _split(own)
            yield Item(
                place=f"{place}#{path}",
                data_class=classes[0] if classes else whole.data_class,
                labels=labels | more,
                type=whole.type,
                codes=whole.codes,
                at=whole.at,
                author=whole.author,
                episode=whole.episode,
                refs=whole.refs,
                classes=classes[1:] if classes else whole.classes,
            )


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
