"""Public pairs of one message as HL7 v2 and as FHIR: our bundle beside theirs, field by field.

Resources of one type are paired by how much they share; a field is a path without list numbers and its value. Ids,
labels and what a reference is called are no fields: a reference counts by the type that it leads to.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

from adapters.errors import Refusal
from adapters.pack import Pack
from consent.vocabulary import HUB_BASE, INLINE_LABEL_URL
from tests.conformance.suite import CONTEXT, general, pack_of, problems

FOLDER = "health/fhir-hl7-pairs"
PACK = "health/hl7v2"
TITLE = "health/hl7v2 beside others' FHIR"
CLAIM = (
    "Four messages that their sender gives both as HL7 v2 and as FHIR. Each is read into a valid bundle; what differs "
    "from the sender's own FHIR stands below, field by field, with the reason where one is known."
)

Leaf = tuple[str, str]

NOT_SAID = "the HL7 message does not say it"


def _reasons() -> tuple[tuple[str, str, str], ...]:
    """What differs (`any` of the three), at which path, and why; the first that fits."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return tuple((row["what"], row["path"], row["why"]) for row in csv.DictReader(file))


REASONS = _reasons()


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not equal in the resources of one type."""

    kind: str
    """``ours only``, ``theirs only`` or ``differs``."""
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One pair."""

    file: str
    equal: Counter[str] = field(default_factory=Counter)
    """By resource type."""
    found: Counter[Difference] = field(default_factory=Counter)
    failures: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Pairs:
    """The section of the page."""

    title: str
    results: Sequence[Compared]

    @property
    def failures(self) -> list[str]:
        """What does not hold."""
        return [f"{each.file}: {failure}" for each in self.results for failure in each.failures]

    def lines(self) -> list[str]:
        """The section as Markdown."""
        head = "| pair | equal | ours only | theirs only | differs | unexplained | holds |"
        lines = [f"## {self.title}", "", CLAIM, "", head, "|---|---|---|---|---|---|---|"]
        lines += [_row(each) for each in self.results]
        for each in self.results:
            lines += ["", f"### {each.file}", "", *_differences(each)]
        return lines

    def summary(self) -> list[str]:
        """What the run prints."""
        return [f"{'FAIL' if each.failures else 'ok  '}  {self.title:24} {_row(each)}" for each in self.results]


def _row(each: Compared) -> str:
    kinds = Counter(dict.fromkeys(("ours only", "theirs only", "differs"), 0))
    for one, count in each.found.items():
        kinds[one.kind] += count
    unexplained = sum(count for one, count in each.found.items() if not one.why)
    holds = "no: " + "; ".join(each.failures) if each.failures else "yes"
    counts = [each.equal.total(), *kinds.values(), unexplained]
    return f"| {each.file} | " + " | ".join(str(count) for count in counts) + f" | {holds} |"


def _differences(each: Compared) -> list[str]:
    lines = ["Equal fields: " + ", ".join(f"{count} {kind}" for kind, count in sorted(each.equal.items())) + ".", ""]
    lines += ["| place | what | fields | why |", "|---|---|---|---|"]
    ordered = sorted(each.found.items(), key=lambda item: (item[0].path, item[0].kind))
    return lines + [
        f"| `{one.path}` | {one.kind} | {count} | {one.why or 'no reason known'} |" for one, count in ordered
    ]


def section(samples: Path) -> Pairs:
    """Every pair under `samples`."""
    pack = pack_of(PACK)
    files = sorted((samples / FOLDER).glob("*.fhir"))
    if not files:
        raise FileNotFoundError(f"no pairs under {samples}")
    return Pairs(TITLE, [compared(path, pack) for path in files])


def compared(theirs: Path, pack: Pack) -> Compared:
    """One pair: `theirs` is the FHIR file, the HL7 message stands beside it."""
    raw = theirs.with_suffix(".hl7").read_bytes()
    try:
        reading = pack.read(raw, CONTEXT)
    except Refusal as refusal:
        return Compared(theirs.stem, failures=(f"refused: {refusal}",))
    (strand,) = reading.strands
    equal, found = difference(strand.bundle, json.loads(theirs.read_bytes(), parse_float=Decimal), raw.decode("utf-8"))
    return Compared(theirs.stem, equal, found, problems(strand.bundle))


def difference(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], said: str
) -> tuple[Counter[str], Counter[Difference]]:
    """Equal fields by resource type, and what differs; `said` is the HL7 message's text."""
    equal: Counter[str] = Counter()
    found: Counter[Difference] = Counter()
    mine, other = resources(ours), resources(theirs)
    for kind in sorted({*mine, *other}):
        for one, two in _paired(mine.get(kind, []), other.get(kind, [])):
            equal[kind] += (one & two).total()
            alone = f"a {kind} that we do not make" if not one else f"a {kind} that they do not make" if not two else ""
            found += Counter(_told(kind, one - two, two - one, said, alone))
    return +equal, found


def resources(bundle: Mapping[str, Any]) -> dict[str, list[Counter[Leaf]]]:
    """The fields of each resource, by type."""
    entries = bundle["entry"]
    types = {name: entry["resource"]["resourceType"] for entry in entries for name in _names(entry)}
    found: dict[str, list[Counter[Leaf]]] = defaultdict(list)
    for entry in entries:
        resource = entry["resource"]
        body = {key: value for key, value in resource.items() if key not in ("resourceType", "id", "meta")}
        found[resource["resourceType"]].append(Counter(_leaves(body, "", types)))
    return found


def _names(entry: Mapping[str, Any]) -> tuple[str, str]:
    resource = entry["resource"]
    return entry.get("fullUrl", ""), f"{resource['resourceType']}/{resource.get('id', '')}"


def _leaves(value: Any, path: str, types: Mapping[str, str]) -> Iterator[Leaf]:
    if isinstance(value, dict):
        if value.get("url") == INLINE_LABEL_URL:
            return
        if isinstance(value.get("reference"), str):
            yield path, types.get(value["reference"], "elsewhere")
            return
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key, types)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path, types)
    elif value is not None:
        yield path, _plain(str(value) if not isinstance(value, bool) else str(value).lower())


def _plain(text: str) -> str:
    """One moment is one text, to the second."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", text):
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0).isoformat()
    return text


def _paired(mine: list[Counter[Leaf]], other: list[Counter[Leaf]]) -> Iterator[tuple[Counter[Leaf], Counter[Leaf]]]:
    """Resources of one type, the most alike together; what is left over beside nothing."""
    shared = sorted(
        ((-(mine[i] & other[j]).total(), i, j) for i, j in product(range(len(mine)), range(len(other)))),
    )
    left, right = set(range(len(mine))), set(range(len(other)))
    for _, i, j in shared:
        if i in left and j in right:
            left.discard(i)
            right.discard(j)
            yield mine[i], other[j]
    yield from ((mine[i], Counter()) for i in sorted(left))
    yield from ((Counter(), other[j]) for j in sorted(right))


def _told(kind: str, ours: Counter[Leaf], theirs: Counter[Leaf], said: str, alone: str) -> Iterator[Difference]:
    """What only one side has; a path that both have is one that differs."""
    for path in sorted({path for path, _ in (*ours, *theirs)}):
        mine = [value for (one, value), count in ours.items() if one == path for _ in range(count)]
        other = [value for (one, value), count in theirs.items() if one == path for _ in range(count)]
        both = min(len(mine), len(other))
        place = general(f"{kind}.{path}")
        for _, value in zip(range(both), other, strict=False):
            yield Difference("differs", place, _why("differs", place, value, said))
        for _ in mine[both:]:
            yield Difference("ours only", place, _why("ours only", place, None, said) or alone)
        for value in other[both:]:
            yield Difference("theirs only", place, _why("theirs only", place, value, said) or alone)


def _why(kind: str, path: str, theirs: str | None, said: str) -> str:
    """The reason, "" when none is known; first whether the HL7 message holds their value at all."""
    listed = next((why for one, way, why in REASONS if one in ("any", kind) and re.fullmatch(way, path)), "")
    if kind == "theirs only" and theirs is not None and not listed and not _stands(theirs, said):
        return NOT_SAID
    return listed


def _stands(value: str, said: str) -> bool:
    digits = re.sub(r"\D", "", value)
    plain = value.replace(HUB_BASE, "")
    return plain in said or (len(digits) >= 8 and digits[:8] in said)


MORE = {TITLE: section}
