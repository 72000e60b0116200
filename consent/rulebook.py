"""Compiles dated policy data into frozen tables. Nothing here decides; it only refuses data that contradicts itself.

A document is one YAML file: ``part`` (matrix, law, projections, labels, texts), ``effective_from``, ``source``,
``confirmed``, and its tables. Several editions of a part may stand side by side; :meth:`Policy.at` picks for each
part the latest one in force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from consent.errors import UnreadablePolicy
from consent.labelling import Labelling, read_labelling
from consent.vocabulary import Action, Basis, DataClass, Event, Purpose, Sector, Sensitivity, Taint, View

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Where `effective_from` begins."""

PARTS: Final = ("matrix", "law", "projections", "labels", "texts")

NEEDS: Final = frozenset(
    {
        "own", "examiner", "exam-owner", "case-owner-or-shelter", "shelter-clinician", "named-officer", "sealed",
        "named-codes", "transport", "receiver", "employed-there",
    }
)  # fmt: skip
"""Conditions that a cell may put beside its basis; their meaning is in :mod:`consent.law`."""

STEPS: Final = ("absolute-never", "P", "never-flow", "R", "V", "refusal", "D", "T", "own", "C")


@dataclass(frozen=True, slots=True)
class Grant:
    """One way through a cell: a view, the bases of which one must be proven, and conditions that must all hold."""

    view: View
    bases: frozenset[Basis]
    needs: tuple[str, ...] = ()
    projection: str = ""
    via_referral: bool = False
    """The order number of the recipient's own open referral proves an order too."""
    rule: str = ""
    """Where it does not come from the matrix: the rule that grants it."""
    confirmed: bool = False
    citation: str = ""
    place: str = ""
    """The cell of the matrix that it stands in: ``matrix:police/forensic``."""


@dataclass(frozen=True, slots=True)
class Never:
    """A flow that is closed; an absolute one even to an order."""

    id: str
    rule: str
    classes: frozenset[DataClass] = frozenset()
    labels: frozenset[str] = frozenset()
    sectors: frozenset[Sector] = frozenset()
    to: str = ""
    """``linked`` or ``family``; "" = by sector."""
    unless: str = ""
    """``author`` or ``author-or-receiver``."""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """Whose consent counts below an age in full years (None: from there on)."""

    rule: str
    below: int | None
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Edition:
    """Everything in force at one moment, ready to be read by the engine."""

    version: str
    matrix: Mapping[tuple[DataClass, Sector], tuple[Grant, ...]]
    precedence: tuple[str, ...]
    absolute_never: tuple[Never, ...]
    never_flow: tuple[Never, ...]
    clinical: frozenset[DataClass]
    bands: tuple[Band, ...]
    unknown_age: Band
    explicit_bases: frozenset[Basis]
    inherent: Mapping[str, frozenset[DataClass]]
    """Every sensitive label, and the classes of which naming the class names the label."""
    uncertain_withheld: frozenset[DataClass]
    report_also: Mapping[tuple[DataClass, Sector], tuple[Grant, ...]]
    vital_also: Mapping[tuple[DataClass, Sector], tuple[Grant, ...]]
    told_grants: Mapping[tuple[DataClass, Sector], tuple[Grant, ...]]
    told_events: frozenset[Event]
    report_events: frozenset[Event]
    dataless_events: frozenset[Event]
    break_glass_never: frozenset[DataClass]
    override_against: frozenset[str]
    """Reasons for which a consent no longer permits and which an override may set aside all the same."""
    purposes: frozenset[Purpose]
    actions: frozenset[Action]
    numbers: Mapping[str, int]
    """Every number of the law part by its path: ``report.under``, ``vital.hours``, ``consent.months``, ..."""
    account: Mapping[str, Any]
    projections: Mapping[str, tuple[str, ...]]
    notice: Mapping[str, str]
    labels: Mapping[str, Any]
    labelling: Labelling
    """The same, compiled."""
    texts: Mapping[str, Mapping[str, str]]
    citations: Mapping[str, str]
    """Rule or cell -> where it comes from."""
    words: Mapping[str, Any] = field(default_factory=dict)
    """The whole `texts` part: what an explanation is made of, in each language."""
    confirmed: frozenset[str] = frozenset()
    """Rules and cells that counsel has confirmed."""

    sensitive: frozenset[str] = frozenset()
    """The labels that need an explicit ground."""
    ways: Mapping[tuple[DataClass, Sector, Basis], tuple[Grant, ...]] = field(default_factory=dict)
    """What each basis opens: the ways through the cell that name it, and what the law opens beside the matrix."""
    absolute: Mapping[tuple[DataClass, Sector | None], tuple[Never, ...]] = field(default_factory=dict)
    """The absolute nevers that may close a class to a recipient of a sector (None: of no sector)."""
    nevers: Mapping[tuple[DataClass, Sector | None], tuple[Never, ...]] = field(default_factory=dict)
    """The same of the other nevers."""
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Projection -> resource types of which it keeps something."""

    def ways_by(self, data_class: DataClass, sector: Sector | None, basis: Basis) -> tuple[Grant, ...]:
        """The ways that a proof of `basis` opens; none for a recipient without a sector."""
        return self.ways.get((data_class, sector, basis), ()) if sector else ()

    def says(self, label: str, system: str, code: str) -> bool:
        """Whether a code lies in the value set that makes a thing sensitive by `label`."""
        wanted = [
            one
            for rule in self.labels["sensitivity"]
            if rule["label"] == label
            for one in rule["codes"].get(system, ())
        ]
        return any(code == one or (one.endswith("*") and code.startswith(one[:-1])) for one in wanted)

    def cell(self, data_class: DataClass, sector: Sector | None) -> tuple[Grant, ...]:
        """The ways through one cell of the matrix; none for N and for a recipient without a sector."""
        return self.matrix.get((data_class, sector), ()) if sector else ()


@dataclass(frozen=True, slots=True)
class Policy:
    """All editions of the policy, oldest first."""

    version: str
    editions: tuple[tuple[datetime, Edition], ...] = field(hash=False)

    def at(self, moment: datetime) -> Edition:
        """The edition in force at `moment` (aware).

        Raises :class:`UnreadablePolicy` when none is in force yet.
        """
        for start, edition in reversed(self.editions):
            if start <= moment:
                return edition
        raise UnreadablePolicy("no policy is in force at the time asked about")


def read_policy(documents: Mapping[str, Any]) -> Policy:
    """Compile parsed policy documents (name -> content) into a :class:`Policy`.

    Raises :class:`UnreadablePolicy`, naming file and row, for data that is incomplete or names something unknown.
    """
    parts: dict[str, list[tuple[datetime, str, Mapping[str, Any]]]] = {part: [] for part in PARTS}
    for name in sorted(documents):
        content = documents[name]
        if not isinstance(content, Mapping) or content.get("part") not in PARTS:
            raise UnreadablePolicy(f"{name}: `part` must be one of {', '.join(PARTS)}")
        for needed in ("effective_from", "source", "confirmed"):
            if needed not in content:
                raise UnreadablePolicy(f"{name}: `{needed}` is missing")
        parts[content["part"]].append((_start(name, content["effective_from"]), name, content))
    for part, found in parts.items():
        if not found:
            raise UnreadablePolicy(f"no document says `part: {part}`")
        found.sort(key=lambda one: (one[0], one[1]))
    first = max(found[0][0] for found in parts.values())
    # Moments are compared with these at every decision: cheap in one zone.
    starts = sorted({start for found in parts.values() for start, _, _ in found if start >= first} | {first})
    editions = tuple((start, _edition(start, _in_force(parts, start))) for start in starts)
    return Policy(version=editions[-1][1].version, editions=editions)


def _start(name: str, value: Any) -> datetime:
    """Midnight of the day in the country's zone, as UTC."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise UnreadablePolicy(f"{name}: `effective_from` is not a date") from None
    if not isinstance(value, date):
        raise UnreadablePolicy(f"{name}: `effective_from` is not a date")
    return datetime.combine(value, time(), ZONE).astimezone(UTC)


def _in_force(
    parts: Mapping[str, list[tuple[datetime, str, Mapping[str, Any]]]], start: datetime
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    return {
        part: [(name, content) for since, name, content in found if since <= start][-1] for part, found in parts.items()
    }


def _edition(start: datetime, documents: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Edition:
    canonical = json.dumps({part: documents[part][1] for part in PARTS}, sort_keys=True, default=str).encode()
    day = start.astimezone(ZONE).date()
    version = f"{day.isoformat()}.{hashlib.sha256(canonical).hexdigest()[:8]}"
    law_name, law = documents["law"]
    projections_name, projection_part = documents["projections"]
    projections = _projections(projections_name, projection_part)
    citations: dict[str, str] = {"law": str(law["source"])}
    matrix = _matrix(*documents["matrix"], projections=projections, citations=citations)
    texts = documents["texts"][1]
    for rule, row in texts.get("rules", {}).items():
        citations[str(rule)] = str(row.get("source", law["source"]))
    try:
        absolute = tuple(_never(law_name, row) for row in law["absolute_never"])
        never_flow = tuple(_never(law_name, row) for row in law["never_flow"])
        report_also = _also(law_name, law["report"]["also"], Basis.REPORT, "R18", projections)
        vital_also = _also(law_name, law["vital"]["also"], Basis.VITAL, "R20", projections)
        return Edition(
            version=version,
            matrix=matrix,
            precedence=_precedence(law_name, law["precedence"]),
            absolute_never=absolute,
            never_flow=never_flow,
            clinical=_classes(law_name, law["clinical"]),
            bands=tuple(_band(row) for row in law["bands"]),
            unknown_age=_band(law["unknown_age"]),
            explicit_bases=frozenset(Basis(basis) for basis in law["sensitive"]["explicit_bases"]),
            inherent=_inherent(law_name, law["sensitive"]["inherent"]),
            sensitive=frozenset(label.value for label in Sensitivity),
            uncertain_withheld=_classes(law_name, law["uncertain_match"]["withheld"]),
            report_also=report_also,
            vital_also=vital_also,
            ways=_ways(
                matrix,
                {
                    Basis.REPORT: report_also,
                    Basis.VITAL: vital_also,
                    Basis.ORDER: _unforeseen(law_name, law["order"]["unforeseen"], matrix, projections),
                },
            ),
            absolute=_by_cell(absolute),
            nevers=_by_cell(never_flow),
            kinds={name: frozenset(path.split(".")[0] for path in paths) for name, paths in projections.items()},
            told_grants=_also(
                law_name,
                [{**row, "sectors": law["told"]["sectors"]} for row in law["told"]["grants"]],
                Basis.REPORT,
                "R23",
                projections,
            ),
            told_events=frozenset(Event(event) for event in law["told"]["events"]),
            report_events=frozenset(Event(event) for event in law["report"]["events"]),
            dataless_events=frozenset(Event(event) for event in law["dataless_events"]),
            break_glass_never=_classes(law_name, law["break_glass"]["never"]),
            override_against=frozenset(str(code) for code in law["override"]["against"]),
            purposes=frozenset(Purpose(purpose) for purpose in law["bases"]["purposes"]),
            actions=frozenset(Action(action) for action in law["bases"]["actions"]),
            numbers=dict(_numbers("", law)),
            account=_account(law_name, law["account"], projections),
            projections=projections,
            notice={str(lang): str(text) for lang, text in law["notice"].items()},
            labels=documents["labels"][1],
            labelling=read_labelling(*documents["labels"]),
            texts={str(code): dict(row) for code, row in texts["reasons"].items()},
            citations=citations,
            words=texts,
            confirmed=_confirmed(documents["matrix"][1], texts),
        )
    except KeyError as missing:
        raise UnreadablePolicy(f"{law_name}: {missing} is missing") from None
    except ValueError as wrong:
        raise UnreadablePolicy(f"{law_name}: {wrong}") from None


def _confirmed(matrix: Mapping[str, Any], texts: Mapping[str, Any]) -> frozenset[str]:
    """The rules and cells of which counsel said yes: a row by itself, or the whole part."""
    rules = [rule for rule, row in texts.get("rules", {}).items() if row.get("confirmed", texts["confirmed"])]
    cells = [
        f"matrix:{sector.value}/{data_class}"
        for data_class, row in matrix["rows"].items()
        if row.get("confirmed", matrix["confirmed"])
        for sector in Sector
    ]
    return frozenset((*rules, *cells))


def _classes(name: str, values: Iterable[Any]) -> frozenset[DataClass]:
    try:
        return frozenset(DataClass(value) for value in values)
    except ValueError as wrong:
        raise UnreadablePolicy(f"{name}: {wrong}") from None


def _projections(name: str, content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for projection, types in content["projections"].items():
        found[str(projection)] = tuple(f"{kind}.{path}" for kind, paths in types.items() for path in paths)
    found["@envelope"] = tuple(content["envelope"])
    found["@extensions"] = tuple(f"{url} {code}" for url, codes in content["extensions"].items() for code in codes)
    found["@totals"] = tuple(f"{kind} {counts}" for kind, counts in content["totals"].items())
    found["@codes"] = tuple(f"{system} {code}" for system, codes in content["code_lists"].items() for code in codes)
    found["@content"] = tuple(f"{url} {value}" for url, value in content["content_extensions"].items())
    if any(not paths for paths in found.values()):
        raise UnreadablePolicy(f"{name}: a projection keeps nothing")
    return found


def _grant(place: str, row: Mapping[str, Any], projections: Mapping[str, Any], citation: str) -> Grant:
    try:
        view = View(row["view"])
        bases = frozenset(Basis(basis) for basis in row["basis"])
    except (KeyError, ValueError) as wrong:
        raise UnreadablePolicy(f"{place}: {wrong}") from None
    needs = tuple(row.get("needs", ()))
    projection = str(row.get("projection", ""))
    if not bases or view is View.NONE:
        raise UnreadablePolicy(f"{place}: a way through needs a view and a basis; N is an empty list")
    if unknown := set(needs) - NEEDS:
        raise UnreadablePolicy(f"{place}: unknown condition {sorted(unknown)}")
    if (view is not View.FULL and not projection) or (projection and projection not in projections):
        raise UnreadablePolicy(f"{place}: summary and flag name a known projection, full may name one")
    return Grant(
        view=view,
        bases=bases,
        needs=needs,
        projection=projection,
        via_referral=row.get("via") == "referral",
        rule=str(row.get("rule", "")),
        confirmed=bool(row.get("confirmed", False)),
        citation=citation,
    )


def _matrix(
    name: str, content: Mapping[str, Any], projections: Mapping[str, Any], citations: dict[str, str]
) -> dict[tuple[DataClass, Sector], tuple[Grant, ...]]:
    rows = content["rows"]
    if set(rows) != {data_class.value for data_class in DataClass}:
        raise UnreadablePolicy(f"{name}: the matrix needs exactly the {len(DataClass)} data classes")
    matrix: dict[tuple[DataClass, Sector], tuple[Grant, ...]] = {}
    for data_class in DataClass:
        row = rows[data_class.value]
        citation = str(row.get("source", content["source"]))
        for sector in Sector:
            place = f"matrix:{sector.value}/{data_class.value}"
            if sector.value not in row:
                raise UnreadablePolicy(f"{name}: {place} is missing")
            citations[place] = citation
            matrix[data_class, sector] = tuple(
                replace(_grant(f"{name}: {place}", one, projections, citation), place=place)
                for one in row[sector.value]
            )
    return matrix


def _ways(
    matrix: Mapping[tuple[DataClass, Sector], tuple[Grant, ...]],
    also: Mapping[Basis, Mapping[tuple[DataClass, Sector], tuple[Grant, ...]]],
) -> dict[tuple[DataClass, Sector, Basis], tuple[Grant, ...]]:
    found: dict[tuple[DataClass, Sector, Basis], tuple[Grant, ...]] = {}
    for (data_class, sector), cell in matrix.items():
        for basis in Basis:
            ways = tuple(grant for grant in cell if basis in grant.bases)
            found[data_class, sector, basis] = ways + also.get(basis, {}).get((data_class, sector), ())
    return found


def _unforeseen(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    matrix: Mapping[tuple[DataClass, Sector], tuple[Grant, ...]],
    projections: Mapping[str, Any],
) -> dict[tuple[DataClass, Sector], tuple[Grant, ...]]:
    """What an order opens in the cells that foresee none: the cell's widest view at most, on the class's conditions."""
    stated = {
        DataClass(row["class"]): _grant(f"{name}: order", {**row, "basis": ["P"], "rule": "R22"}, projections, "")
        for row in rows
    }
    found: dict[tuple[DataClass, Sector], tuple[Grant, ...]] = {}
    for (data_class, sector), cell in matrix.items():
        if any(Basis.ORDER in grant.bases for grant in cell):
            continue
        grant = stated.get(data_class, Grant(View.FULL, frozenset({Basis.ORDER}), rule="R22"))
        widest = max(cell, key=lambda one: one.view.rank, default=grant)
        if widest.view.rank < grant.view.rank:
            grant = replace(grant, view=widest.view, projection=widest.projection)
        found[data_class, sector] = (grant,)
    return found


def _by_cell(rows: tuple[Never, ...]) -> dict[tuple[DataClass, Sector | None], tuple[Never, ...]]:
    return {
        (data_class, sector): tuple(
            row
            for row in rows
            if (not row.classes or data_class in row.classes) and (row.to or not row.sectors or sector in row.sectors)
        )
        for data_class in DataClass
        for sector in (None, *Sector)
    }


def _inherent(name: str, rows: Mapping[str, Iterable[Any]]) -> dict[str, frozenset[DataClass]]:
    if set(rows) != {label.value for label in Sensitivity}:
        raise UnreadablePolicy(f"{name}: `sensitive.inherent` needs exactly the {len(Sensitivity)} sensitive labels")
    return {str(label): _classes(name, classes) for label, classes in rows.items()}


def _also(
    name: str, rows: Iterable[Mapping[str, Any]], basis: Basis, rule: str, projections: Mapping[str, Any]
) -> dict[tuple[DataClass, Sector], tuple[Grant, ...]]:
    found: dict[tuple[DataClass, Sector], tuple[Grant, ...]] = {}
    for row in rows:
        grant = _grant(f"{name}: {rule}", {**row, "basis": [basis.value], "rule": rule}, projections, "")
        for sector in row["sectors"]:
            found[DataClass(row["class"]), Sector(sector)] = (grant,)
    return found


def _never(name: str, row: Mapping[str, Any]) -> Never:
    labels = frozenset(str(label) for label in row.get("labels", ()))
    known = {label.value for label in Sensitivity} | {taint.value for taint in Taint}
    if labels - known:
        raise UnreadablePolicy(f"{name}: {row.get('id')}: unknown label")
    if row.get("to", "") not in ("", "linked", "family") or row.get("unless", "") not in (
        "",
        "author",
        "author-or-receiver",
    ):
        raise UnreadablePolicy(f"{name}: {row.get('id')}: unknown `to` or `unless`")
    return Never(
        id=str(row["id"]),
        rule=str(row["rule"]),
        classes=_classes(name, row.get("classes", ())),
        labels=labels,
        sectors=frozenset(Sector(sector) for sector in row.get("sectors", ())),
        to=str(row.get("to", "")),
        unless=str(row.get("unless", "")),
        citation=str(row.get("source", "")),
    )


def _band(row: Mapping[str, Any]) -> Band:
    return Band(rule=str(row["rule"]), below=row.get("below"), needs=frozenset(row["needs"]))


def _precedence(name: str, steps: Iterable[Any]) -> tuple[str, ...]:
    order = tuple(str(step) for step in steps)
    if sorted(order) != sorted(STEPS):
        raise UnreadablePolicy(f"{name}: `precedence` must order exactly {', '.join(STEPS)}")
    if order[0] != "absolute-never" or order.index("refusal") < order.index("never-flow"):
        raise UnreadablePolicy(f"{name}: nevers come first")
    return order


def _account(name: str, row: Mapping[str, Any], projections: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "grant": _grant(f"{name}: account", {**row, "basis": ["own"], "rule": "R41"}, projections, ""),
        "classes": _classes(name, row["classes"]),
        "purposes": frozenset(Purpose(purpose) for purpose in row["purposes"]),
    }


def _numbers(path: str, value: Any) -> Iterable[tuple[str, int]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value
