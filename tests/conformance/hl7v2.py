"""The public HL7 v2 samples: what is spoken translates to a valid bundle, the rest is refused by name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fhir.resources.R4B.bundle import Bundle as R4BBundle
from pydantic import ValidationError

from adapters.codecs import er7
from adapters.errors import Refusal, Unsupported
from adapters.pack import Context, LossKind, Pack, Reading
from adapters.r4.validate import has_errors, validate
from tests.conformance.result import FileResult, Section, Share

SPOKEN = ("ORU^R01", "MDM^T02", "ADT^A04", "ADT^A08", "REF^I12")
LEAST_PERCENT = 90.0
FIELD = re.compile(r"^(?P<segment>[A-Z0-9]{3}\[\d+\])-(?P<field>\d+(?:\[\d+\])?)")
CONTEXT = Context(at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC), agency="conformance", id_key=b"k" * 32)


def section(samples: Path, pack: Pack) -> Section:
    """Every file of ``health/hl7v2`` under `samples`."""
    files = sorted((samples / "health" / "hl7v2").glob("*.hl7"))
    if not files:
        raise FileNotFoundError(f"no HL7 v2 samples under {samples}")
    claim = (
        f"By MSH-9, never by the file's name: {', '.join(SPOKEN)} translate to a valid bundle with at least "
        f"{LEAST_PERCENT:.0f} % of the fields of mapped segments; any other type is refused by name."
    )
    return Section("health/hl7v2", claim, [judge(path, pack) for path in files])


def judge(path: Path, pack: Pack) -> FileResult:
    """One file."""
    raw = path.read_bytes()
    message = er7.parse(raw).tree
    assert isinstance(message, er7.Message)
    said = type_of(message)
    try:
        reading = pack.read(raw, CONTEXT)
    except Refusal as refusal:
        by_name = isinstance(refusal, Unsupported) and said in refusal.why
        holds = said not in SPOKEN and by_name
        failures = () if holds else (f"should {'translate' if said in SPOKEN else 'be refused by name'}",)
        return FileResult(path.name, said, f"refused: {refusal}", failures=failures)
    return translated(path.name, said, message, reading)


def type_of(message: er7.Message) -> str:
    """MSH-9 as ``ADT^A04``."""
    parts = message.segments[0].fields[9].split(message.separators.component)
    return "^".join(parts[:2])


def translated(file: str, said: str, message: er7.Message, reading: Reading) -> FileResult:
    """What a reading maps, loses and breaks."""
    leaves = [place for place, _ in er7.places(message.segments)]
    lost = {loss.place for loss in reading.loss if loss.kind is LossKind.DROP}
    known = mapped_segments(leaves, lost)
    fields = [place for place in leaves if segment_of(place) in known]
    found = share_of_fields(fields, lost)
    bundles = [strand.bundle for strand in reading.strands]
    failures = [problem for bundle in bundles for problem in problems(bundle)]
    if said not in SPOKEN:
        failures.append("is not said to be spoken, and translates")
    if found.percent < LEAST_PERCENT:
        failures.append(f"less than {LEAST_PERCENT:.0f} % of the fields are mapped")
    resources = Counter(entry["resource"]["resourceType"] for bundle in bundles for entry in bundle["entry"])
    losses = [f"`{loss.place}` {loss.kind}" for loss in reading.loss if segment_of(loss.place) in known]
    unmapped = sorted({segment_of(place).split("[")[0] for place in leaves} - {name.split("[")[0] for name in known})
    return FileResult(
        file,
        said,
        "translated",
        resources,
        found,
        Share(sum(place not in lost for place in leaves), len(leaves)),
        losses,
        unmapped,
        [f"{deviation.place} {deviation.why}".strip() for deviation in reading.deviations],
        failures,
    )


def segment_of(place: str) -> str:
    """``PID[1]`` of ``PID[1]-5.1``; "" for a place outside segments."""
    match = FIELD.match(place)
    return match["segment"] if match else ""


def mapped_segments(leaves: Iterable[str], lost: set[str]) -> set[str]:
    """The segments of which some leaf arrives."""
    return {segment_of(place) for place in leaves if place not in lost}


def share_of_fields(leaves: Iterable[str], lost: set[str]) -> Share:
    """Fields (each repetition one) of which at least one leaf arrives."""
    fields: Mapping[str, list[bool]] = defaultdict(list)
    for place in leaves:
        match = FIELD.match(place)
        assert match, place
        fields[match[0]].append(place not in lost)
    return Share(sum(any(arrived) for arrived in fields.values()), len(fields))


def problems(bundle: dict[str, Any]) -> list[str]:
    """What is wrong with a bundle, by the hub's validator and by `fhir.resources`."""
    found = [f"{issue.expression}: {issue.diagnostics}" for issue in validate(bundle) if has_errors((issue,))]
    try:
        R4BBundle.model_validate(bundle)
    except ValidationError as error:
        found += [".".join(str(part) for part in each["loc"]) + ": " + each["type"] for each in error.errors()]
    return found
