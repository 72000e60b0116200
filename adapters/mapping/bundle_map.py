"""What a fhir pack's data says of bundles (`docs/packs.md`): classes, events, focus and claims, checked once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import BrokenPack
from adapters.mapping import paths
from adapters.mapping.env import canonical_links
from adapters.mapping.paths import Json, Path, Test
from adapters.mapping.rows import CLASSES, LABELS, texts
from adapters.r4 import table
from consent.vocabulary import Event


@dataclass(frozen=True, slots=True)
class Kind:
    """Resources of one type of which a condition holds."""

    type: str
    tests: tuple[Test, ...] = ()

    def holds(self, resource: Json) -> bool:
        """Whether `resource` is of this kind."""
        return resource.get("resourceType") == self.type and paths.holds(resource, self.tests)


@dataclass(frozen=True, slots=True)
class ClassRow:
    """The data class of a kind of resource, where its key stands, and elements that are of another class."""

    kind: Kind
    data_class: str
    labels: tuple[str, ...]
    keys: tuple[Path, ...]
    inline: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, slots=True)
class EventRow:
    """The event of a bundle that states none: all these types are there."""

    holds: tuple[str, ...]
    first: Kind
    event: Event


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """What a resource says and does not grant."""

    kind: Kind
    at: Path | None
    claim: str
    value: Path
    by: tuple[Path, ...]
    date: Path | None
    drop: bool


@dataclass(frozen=True, slots=True)
class BundleMap:
    """All of it."""

    classes: Mapping[str, tuple[ClassRow, ...]]
    drop: frozenset[str]
    shared: frozenset[str]
    """Types that belong to nobody: they go with whoever refers to them, and join nothing."""
    codes: Mapping[tuple[str, str], Event]
    events: tuple[EventRow, ...]
    focus: Mapping[Event, tuple[Kind, ...]] = field(default_factory=dict)
    claims: tuple[ClaimRow, ...] = ()

    def class_row(self, resource: Json) -> ClassRow | None:
        """The first row that matches; None when the resource is not spoken here."""
        rows = self.classes.get(str(resource.get("resourceType")), ())
        return next((row for row in rows if row.kind.holds(resource)), None)

    def knows(self, resource: Json) -> bool:
        """Whether a resource may stand in a bundle at all, if only as a claim."""
        return self.class_row(resource) is not None or any(row.kind.holds(resource) for row in self.claims)

    def event_of(self, resources: Sequence[Json]) -> Event | None:
        """The event that the resources of a bundle show."""
        present = {resource.get("resourceType") for resource in resources}
        for row in self.events:
            if present.issuperset(row.holds) and any(row.first.holds(resource) for resource in resources):
                return row.event
        return None


def bundle_map(data: Mapping[str, Any], source: str) -> BundleMap:
    """The map from its YAML (every scalar a string); what cannot be is a :class:`BrokenPack` that names the row."""
    reader = _Reader(source)
    classes: dict[str, list[ClassRow]] = {}
    for number, raw in enumerate(data["classes"], 1):
        row = reader.class_row(raw, f"classes[{number}]")
        classes.setdefault(row.kind.type, []).append(row)
    return BundleMap(
        classes={name: tuple(rows) for name, rows in classes.items()},
        drop=frozenset(data.get("drop", ())),
        shared=frozenset(data.get("shared", ())),
        codes={(row.get("system", ""), row["code"]): reader.event(row["event"]) for row in data.get("codes", ())},
        events=tuple(reader.event_row(raw, f"events[{n}]") for n, raw in enumerate(data.get("events", ()), 1)),
        focus={reader.event(name): tuple(reader.focus(name, kinds)) for name, kinds in data.get("focus", {}).items()},
        claims=tuple(reader.claim_row(raw, f"claims[{n}]") for n, raw in enumerate(data.get("claims", ()), 1)),
    )


class _Reader:
    """Turns rows into values and names them in errors."""

    def __init__(self, source: str) -> None:
        self._source = source

    def _fail(self, where: str, why: str) -> BrokenPack:
        return BrokenPack(f"{self._source} {where}: {why}")

    def kind(self, raw: Mapping[str, Any], where: str) -> Kind:
        """`make` and `where`."""
        if raw["make"] not in table.resource_types():
            raise self._fail(where, f"R4 has no resource {raw['make']}")
        return Kind(raw["make"], paths.parse_tests(raw["where"], raw["make"]) if raw.get("where") else ())

    def class_row(self, raw: Mapping[str, Any], where: str) -> ClassRow:
        """One row of `classes`."""
        kind = self.kind(raw, where)
        if kind.type == "Consent":
            raise self._fail(where, "a pack cannot make consent: say it as a claim")
        labels = texts(raw.get("label"))
        for name in (raw["class"], *raw.get("inline", {}).values()):
            if name not in CLASSES:
                raise self._fail(where, f"no data class is called {name}")
        if unknown := [label for label in labels if label not in LABELS]:
            raise self._fail(where, f"no label is called {unknown[0]}")
        return ClassRow(
            kind=kind,
            data_class=raw["class"],
            labels=labels,
            keys=tuple(paths.parse(text, kind.type) for text in texts(raw.get("key"))),
            inline=tuple((paths.parse(text, kind.type), name) for text, name in raw.get("inline", {}).items()),
        )

    def event(self, name: str) -> Event:
        """An event by its code."""
        if name not in set(Event):
            raise self._fail("event", f"no event is called {name}")
        return Event(name)

    def event_row(self, raw: Mapping[str, Any], where: str) -> EventRow:
        """One row of `events`; its `where` is one of the first type."""
        first = {"make": raw["holds"][0], **({"where": raw["where"]} if "where" in raw else {})}
        return EventRow(tuple(raw["holds"]), self.kind(first, where), self.event(raw["event"]))

    def focus(self, event: str, kinds: Sequence[Any]) -> Iterator[Kind]:
        """What an event is about; only what the closed list lets a MessageHeader point at."""
        allowed = canonical_links().links["MessageHeader.focus[]"]
        for raw in kinds:
            kind = self.kind({"make": raw} if isinstance(raw, str) else raw, f"focus {event}")
            if kind.type not in allowed:
                raise self._fail(f"focus {event}", f"MessageHeader.focus[] does not lead to {kind.type}")
            yield kind

    def claim_row(self, raw: Mapping[str, Any], where: str) -> ClaimRow:
        """One row of `claims`; its paths start at `at` when it has one."""
        kind = self.kind(raw, where)
        at = paths.parse(raw["at"], kind.type) if "at" in raw else None
        start = at.node if at is not None else kind.type
        return ClaimRow(
            kind=kind,
            at=at,
            claim=raw["kind"],
            value=paths.parse(raw["value"], start),
            by=tuple(paths.parse(text, start) for text in texts(raw.get("by"))),
            date=paths.parse(raw["date"], start) if "date" in raw else None,
            drop=raw.get("drop") == "yes",
        )
