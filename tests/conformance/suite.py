"""What a format's module says of its public samples (`Suite`), and how one message of them is judged."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fhir.resources.R4B.bundle import Bundle as R4BBundle
from pydantic import ValidationError

from adapters.errors import BrokenPack, Refusal
from adapters.library import BUILT_IN, load_pack, read_folder
from adapters.mapping.engine import RowPack
from adapters.mapping.residual import leaves_of
from adapters.pack import Context, LossKind, Pack, Reading
from adapters.r4.validate import has_errors, validate
from tests.conformance.result import FileResult, Section, Share

REPOSITORY = Path(__file__).parents[2]
EXTERNAL = REPOSITORY / "examples" / "packs"
"""Packs outside the source tree, `<sector>/<pack>` below it."""
CONTEXT = Context(at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC), agency="conformance", id_key=b"k" * 32)

Split = Callable[[str], tuple[str, str]]
"""A leaf's place as (what holds the field, the field): ``PID[1]-5.1`` gives the segment ``PID[1]``, ``PID[1]-5``."""


def one_file(paths: Sequence[Path]) -> bytes:
    """A message that is one file."""
    (path,) = paths
    return path.read_bytes()


@dataclass(frozen=True, slots=True)
class Case:
    """One message of the samples."""

    label: str
    """What the page calls it, usually the file's name."""
    files: tuple[str, ...]
    """Below SAMPLES; several files are one message when the suite's `read` says how."""
    type: str = ""
    """In the sender's terms; "" = what the pack says (unknown of a refused one)."""
    least: float | None = None
    """Least share of fields, in percent, where it differs from the suite's."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Public samples of one format, and what is claimed of them."""

    title: str
    pack: str
    """Id: a folder of `adapters/` or of `examples/packs/`."""
    claim: str
    cases: Sequence[Case]
    least: float = 80.0
    """Least share, in percent, of the populated fields of mapped segments or elements."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Label -> why this file may be refused. Short and fixed; one that translates after all does not hold."""
    read: Callable[[Sequence[Path]], bytes] = one_file
    """The bytes of a message from its files."""
    split: Split | None = None
    """How a leaf's place is cut; left out, by the pack's codec."""
    notes: Sequence[str] = ()
    """Paragraphs of the page after the claim."""


def run(suite: Suite, samples: Path) -> Section:
    """Every case of a suite; a pack that does not load is a failure of each."""
    try:
        pack = pack_of(suite.pack)
    except BrokenPack as broken:
        why = f"the pack does not load: {broken}"
        results = [FileResult(case.label, case.type, "not read", failures=(why,)) for case in suite.cases]
    else:
        results = [judge(suite, case, pack, samples) for case in suite.cases]
    return Section(suite.title, suite.claim, results, notes=suite.notes)


def pack_of(id_: str) -> Pack:
    """A built-in or external pack by its id."""
    folder = BUILT_IN / id_
    return load_pack(read_folder(folder if folder.is_dir() else EXTERNAL / id_), lazy=True)


def judge(suite: Suite, case: Case, pack: Pack, samples: Path) -> FileResult:
    """One message: translated, or refused; and what does not hold of it."""
    raw = suite.read([samples / name for name in case.files])
    broken = suite.broken.get(case.label)
    try:
        reading = pack.read(raw, CONTEXT)
    except Refusal as refusal:
        failures = () if broken else ("should translate",)
        why = f"; broken: {broken}" if broken else ""
        return FileResult(case.label, case.type, f"refused: {refusal}{why}", failures=failures)
    return translated(case, raw, pack, reading, suite)


def translated(case: Case, raw: bytes, pack: Pack, reading: Reading, suite: Suite) -> FileResult:
    """What a reading maps, loses and breaks."""
    split = suite.split or split_of(pack)
    leaves = places(pack, raw)
    lost = Lost(loss.place for loss in reading.loss if loss.kind is LossKind.DROP)
    known = mapped_holders(leaves, lost, split)
    share = share_of_fields([place for place in leaves if split(place)[0] in known], lost, split)
    bundles = [strand.bundle for strand in reading.strands]
    failures = [problem for bundle in bundles for problem in problems(bundle)]
    least = suite.least if case.least is None else case.least
    if share.percent < least:
        failures.append(f"less than {least:.0f} % of the fields are mapped")
    if case.label in suite.broken:
        failures.append("is said to be broken, and translates")
    losses = Counter(f"`{general(loss.place)}` {loss.kind}" for loss in reading.loss if split(loss.place)[0] in known)
    names = {general(name) for name in known}
    return FileResult(
        case.label,
        case.type or reading.head.type,
        "translated",
        Counter(entry["resource"]["resourceType"] for bundle in bundles for entry in bundle["entry"]),
        share,
        Share(sum(place not in lost for place in leaves), len(leaves)),
        [f"{text} ({count})" if count > 1 else text for text, count in losses.items()],
        sorted({general(split(place)[0]) for place in leaves} - names),
        [f"{deviation.place} {deviation.why}".strip() for deviation in reading.deviations],
        failures,
        len(bundles),
    )


class Lost:
    """Places that did not arrive; what stands below a lost place did not either."""

    def __init__(self, dropped: Iterable[str]) -> None:
        self._places = frozenset(dropped)

    def __contains__(self, place: object) -> bool:
        assert isinstance(place, str)
        if place in self._places:
            return True
        cuts = (index for index, char in enumerate(place) if char in "./")
        return any(place[:cut] in self._places for cut in cuts)


def places(pack: Pack, raw: bytes) -> list[str]:
    """Every populated leaf of a message; none of a pack whose codec copies."""
    return [place for place, _ in leaves_of(pack.codec.parse(raw).tree)] if isinstance(pack, RowPack) else []


def mapped_holders(leaves: Iterable[str], lost: Lost, split: Split) -> set[str]:
    """The segments, elements or records of which some field arrives."""
    return {split(place)[0] for place in leaves if place not in lost}


def share_of_fields(leaves: Iterable[str], lost: Lost, split: Split) -> Share:
    """Fields (each repetition one) of which at least one leaf arrives."""
    fields: Mapping[tuple[str, str], list[bool]] = defaultdict(list)
    for place in leaves:
        fields[split(place)].append(place not in lost)
    return Share(sum(any(arrived) for arrived in fields.values()), len(fields))


_FIELD = re.compile(r"^(?P<segment>[A-Z][A-Z0-9]{2}\[\d+\])-(?P<field>\d+(?:\[\d+\])?)")


def split_er7(place: str) -> tuple[str, str]:
    """Segment and field (repetitions apart); ("", place) outside segments."""
    match = _FIELD.match(place)
    return (match["segment"], match[0]) if match else ("", place)


def split_path(place: str) -> tuple[str, str]:
    """XML, JSON: the element or object that holds the leaf, and the leaf."""
    return place.rpartition("/")[0], place


def split_record(place: str) -> tuple[str, str]:
    """CSV: ``row 3, Column``."""
    return place.rpartition(", ")[0], place


_SPLITS: Mapping[str, Split] = {"er7": split_er7, "xml": split_path, "json": split_path, "csv": split_record}


def split_of(pack: Pack) -> Split:
    """How the places of a pack's codec are cut."""
    return _SPLITS[pack.codec.name] if isinstance(pack, RowPack) else split_path


_NUMBERS = re.compile(r"\[\d+\]|(?<=/)\d+(?=/|$)|row \d+")


def general(place: str) -> str:
    """A place without its numbers, so that the page says once what happens a hundred times."""
    return _NUMBERS.sub(lambda match: "" if match[0][0] == "[" else "*" if match[0].isdigit() else "row", place)


def problems(bundle: dict[str, Any]) -> list[str]:
    """What is wrong with a bundle, by the hub's validator and by `fhir.resources`."""
    found = [f"{issue.expression}: {issue.diagnostics}" for issue in validate(bundle) if has_errors((issue,))]
    try:
        R4BBundle.model_validate(bundle)
    except ValidationError as error:
        found += [".".join(str(part) for part in each["loc"]) + ": " + each["type"] for each in error.errors()]
    return found
