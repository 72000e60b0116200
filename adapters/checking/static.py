"""What can be said of a pack at rest: does it load, do its rows fit one another, R4, the canonical page, its schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from adapters.checking.blame import rows_behind
from adapters.checking.canon import canonical_problems
from adapters.checking.context import answering
from adapters.checking.coverage import unknown_codes, unread_leaves
from adapters.checking.problems import Problem, broken
from adapters.checking.rowchecks import row_problems
from adapters.checking.samples import SAMPLE_CONTEXT, Sample, plain, samples_of
from adapters.checking.saying import unsaid
from adapters.checking.stands import Stand, implies, stands_of
from adapters.errors import BrokenPack, Refusal, Unwritable
from adapters.library import load_pack
from adapters.mapping.engine import RowPack
from adapters.mapping.env import Env, Material
from adapters.mapping.message import Message
from adapters.mapping.places import Cursor
from adapters.mapping.reader import compile_rows as compile_reader
from adapters.mapping.rows import Row
from adapters.mapping.writer import compile_rows as compile_writer
from adapters.pack import LossKind, Pack, Reading
from adapters.r4.validate import validate
from consent.vocabulary import Event

_ORDER = {"error": 0, "warning": 1}
_SHOWN = 8
_WRITING = replace(SAMPLE_CONTEXT, header={"message-id": "SAMPLE", "sender": "HUB", "replaces": "EARLIER"})


def check_static(files: Mapping[str, bytes]) -> list[Problem]:
    """Every problem of a pack's files (path -> bytes), errors first; none is a pack that may be tried on messages."""
    found = list(_file_problems(files))
    try:
        pack: Pack | None = load_pack(files)
    except BrokenPack as fault:
        pack = None
        found += _load_problems(files, fault)
    if isinstance(pack, RowPack):
        found += _pack_problems(pack, files)
    if pack is not None:
        found += _sample_problems(pack, files)
    return sorted(dict.fromkeys(found), key=lambda one: (_ORDER[one.severity], one.file, one.row, one.what))


def _file_problems(files: Mapping[str, bytes]) -> Iterator[Problem]:
    if "README.md" not in files:
        yield Problem(
            "README.md", "", "error", "says what maps, what does not and why, and whose law applies; there is none"
        )
    if not any(True for _ in samples_of(files)):
        yield Problem("samples", "", "error", "there is no sample")


# --- loading ---------------------------------------------------------------------------------------------------------


def _load_problems(files: Mapping[str, bytes], fault: BrokenPack) -> Iterator[Problem]:
    """The fault that stopped loading, and those of other rows that can be seen all the same."""
    yield broken(str(fault))
    try:
        pack = load_pack(files, lazy=True)
    except BrokenPack:
        return
    if not isinstance(pack, RowPack):
        return
    for dialect in pack.dialects.values():
        for message in dialect.messages:
            for row in message.rows:
                yield from _row_faults(pack, message, row)


def _row_faults(pack: RowPack, message: Message, row: Row) -> Iterator[Problem]:
    """What one top row breaks, read and written."""
    material = Material(pack.id, pack.codec.name, message.shapes, pack.codes)
    env = Env(material, (Cursor(pack.codec.name, message.grammar),))
    ways: list[tuple[str, Any]] = [("in", compile_reader), ("out", compile_writer)]
    for direction, compile_rows in ways:
        if message.direction in ("both", direction):
            try:
                compile_rows((row,), env)
            except BrokenPack as fault:
                yield broken(str(fault))


# --- rows ------------------------------------------------------------------------------------------------------------


def _pack_problems(pack: RowPack, files: Mapping[str, bytes]) -> Iterator[Problem]:
    prefixes, used = _manifest(files).get("namespaces", {}), _Used()
    for dialect in pack.dialects.values():
        for message in dialect.messages:
            if message.schema is not None:
                try:
                    message.schema.compile()
                except BrokenPack as fault:
                    yield broken(str(fault))
                    continue
            stands = stands_of(pack, message)
            yield from row_problems(stands, pack.codes)
            yield from canonical_problems(pack.id, message, stands, pack.codes)
            yield from unread_leaves(message, _told(pack, message), stands, files, prefixes)
            yield from unknown_codes(message, stands, pack.codes, files, prefixes)
            used.note(message, stands)
        yield from _message_shadows(dialect.messages)
    yield from _unused(used, files)


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    found = yaml.load(files["manifest.yaml"].decode("utf-8"), Loader=yaml.CBaseLoader)
    return found if isinstance(found, dict) else {}


def _told(pack: RowPack, message: Message) -> list[str]:
    """Places that the manifest itself reads."""
    event = [message.event_at] if message.event_at else []
    return [*(leaf.place for leaf in pack.leaves), *pack.key, *message.when, *message.put, *event]


def _message_shadows(messages: Sequence[Message]) -> Iterator[Problem]:
    """Message types that are never recognised, because an earlier one is."""
    for number, later in enumerate(messages):
        for earlier in messages[:number]:
            first = {place: frozenset(values) for place, values in earlier.when.items()}
            second = {place: frozenset(values) for place, values in later.when.items()}
            if (not earlier.root or earlier.root == later.root) and implies(second, first):
                what = f"is never recognised: whatever is a {later.type} is a {earlier.type} first"
                yield Problem("manifest.yaml", f"message {later.type}", "error", what)


@dataclass(slots=True)
class _Used:
    """Shapes and code maps that rows use."""

    shapes: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)

    def note(self, message: Message, stands: Sequence[Stand]) -> None:
        """What the rows of a message type use."""
        if message.event_codes is not None:
            self.codes.add(message.event_codes.name)
        for stand in (one for top in stands for one in top.walk()):
            self.codes |= {row.codes for row in _with_parts(stand)}
            self.shapes.add(stand.row.shape)


def _unused(used: _Used, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Shapes, code maps, maps and schemas that nothing uses."""
    for name in sorted(files):
        if name.startswith("codes/") and name.endswith(".csv") and name not in used.codes:
            yield Problem(name, "", "warning", "no row uses this code map")
        if name.startswith("maps/"):
            said = yaml.load(files[name].decode("utf-8"), Loader=yaml.CBaseLoader)
            for shape in said.get("shapes", {}) if isinstance(said, dict) else ():
                if shape not in used.shapes:
                    yield Problem(name, f"shape {shape}", "warning", "no row uses this shape")
    yield from _unread_files(files)


def _with_parts(stand: Stand) -> Iterator[Row]:
    """A row, what a claim says beside it, and what stands beside its link."""
    yield stand.row
    yield from stand.row.rows or ()
    yield from stand.row.item


def _unread_files(files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Maps and schemas that neither the manifest nor another map or schema names."""
    manifest = files["manifest.yaml"].decode("utf-8", "replace")
    for name in sorted(files):
        if name.startswith(("maps/", "schemas/")) and not name.endswith(".md"):
            last = name.rpartition("/")[2]
            others = (raw for other, raw in files.items() if other != name and other.startswith(("maps/", "schemas/")))
            if name not in manifest and not any(last.encode() in raw for raw in others):
                yield Problem(name, "", "warning", "neither the manifest nor another file names this file")


# --- samples ---------------------------------------------------------------------------------------------------------


def _sample_problems(pack: Pack, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Samples that are refused, are not what stands beside them, or become what is not valid; types without one."""
    types = set()
    for sample in samples_of(files):
        try:
            reading = pack.read(sample.raw, SAMPLE_CONTEXT)
        except Refusal as refusal:
            if refusal.kind == "unsupported" and (found := _as_written(pack, sample)) is not None:
                yield from found
            else:
                yield Problem(sample.name, refusal.place, "error", f"is refused: {refusal.why}")
            continue
        yield from _unread_problems(pack, sample, reading, reading.head.type in types)
        yield from _unsaid_problems(pack, sample, reading)
        types.add(reading.head.type)
        bundles = [strand.bundle for strand in reading.strands]
        for bundle in bundles:
            issues = [issue for issue in validate(bundle) if issue.severity == "error"]
            if issues:
                rows = rows_behind(pack, reading.head.type, bundle, issues[0].expression)
                what = f"becomes no valid bundle: {issues[0].diagnostics}" + (f" ({', '.join(rows)})" if rows else "")
                yield Problem(sample.name, issues[0].expression, "error", what)
        if sample.expected is None:
            yield Problem(sample.name, "", "error", "has no expected bundle (.bundle.json) beside it")
        elif plain(bundles) != plain(sample.expected):
            first = _difference(plain(bundles), plain(sample.expected))
            yield Problem(sample.name, first, "error", "is read into another bundle than the one beside it")
    if isinstance(pack, RowPack):
        for message in pack.messages:
            if message.direction != "out" and message.type not in types:
                yield Problem("samples", message.type, "warning", "no sample is of this message type")


def _unread_problems(pack: Pack, sample: Sample, reading: Reading, known: bool) -> Iterator[Problem]:
    """Children of whom nothing is read; without a schema, what no row reads of a first sample (`known`: no first)."""
    for strand in reading.strands:
        header, *rest = strand.bundle["entry"]
        said = header["resource"]
        if not rest and reading.head.event is not Event.RECALL and not said.get("extension"):
            yield Problem(sample.name, "", "error", "nothing of it is read: its bundle is a lone MessageHeader")
            return
    unread = [loss.place for loss in reading.loss if loss.kind is LossKind.DROP]
    if unread and not known and isinstance(pack, RowPack) and _without_schema(pack, reading.head.type):
        more = f", and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
        what = f"{len(unread)} places are read by no row: {'; '.join(unread[:_SHOWN])}{more}"
        yield Problem(sample.name, "", "warning", what)


def _without_schema(pack: RowPack, type_: str) -> bool:
    """Whether no schema says what a type's leaves are, so that only the samples do."""
    return all(message.schema is None for message in pack.messages if message.type == type_)


def _as_written(pack: Pack, sample: Sample) -> list[Problem] | None:
    """What is wrong with a sample of a type that is only written; None when it is none: what its bundle is written as
    is of another type, or is nothing."""
    if not isinstance(pack, RowPack):
        return None
    try:
        written = [pack.write(bundle, _WRITING) for bundle in sample.expected or ()]
    except Unwritable:
        return None
    if not written or not all(_recognised(pack, sample.raw, each.type) for each in written):
        return None
    otherwise = unsaid(pack, written[0].type, sample.raw, [each.raw for each in written])
    what = "the bundle beside it is written as something else here"
    return [Problem(sample.name, place, "error", what) for place in otherwise]


def _unsaid_problems(pack: Pack, sample: Sample, reading: Reading) -> Iterator[Problem]:
    """Where a sample of one child does not come back as it stands, if its type goes both ways."""
    if not isinstance(pack, RowPack) or len(reading.strands) != 1:
        return
    if all(message.direction != "both" for message in pack.messages if message.type == reading.head.type):
        return
    try:
        written = pack.write(reading.strands[0].bundle, answering(reading.head))
    except Unwritable as fault:
        yield Problem(sample.name, fault.place, "error", f"is read and cannot be written: {fault.why}")
        return
    except BrokenPack:  # a schema that is none, which is told already
        return
    for place in unsaid(pack, reading.head.type, sample.raw, [written.raw]):
        yield Problem(sample.name, place, "warning", "comes back otherwise than it stands in the sample")


def _recognised(pack: RowPack, raw: bytes, type_: str) -> bool:
    """Whether bytes are a message of a type, whatever its direction."""
    message = next(message for message in pack.messages if message.type == type_)
    try:
        pack.recognise(raw, message, SAMPLE_CONTEXT)
    except (Refusal, Unwritable):
        return False
    return True


def _difference(one: Any, other: Any, place: str = "") -> str:
    """The first place at which two values differ; never the values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                return _difference(one.get(key), other.get(key), f"{place}.{key}" if place else key)
    if isinstance(one, list) and isinstance(other, list):
        for number, (first, second) in enumerate(zip(one, other, strict=False)):
            if first != second:
                return _difference(first, second, f"{place}[{number}]")
        return f"{place}[{min(len(one), len(other))}]"
    return re.sub(r"^\[(\d+)\]\.?", r"bundle \1: ", place) or "the number of bundles"


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Those that a pack must not have."""
    return [problem for problem in problems if problem.severity == "error"]
