"""The law of packs, part by part, as functions that answer what is broken; of a pack that keeps it, nothing is.

Parts 1 to 5 are a pack's own (part 3 stands in `adapters.checking.stability`); part 6 (`adapters.checking.crossing`)
takes two. Nothing here repeats a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from adapters.checking.blame import rows_behind
from adapters.checking.canon import focus_faults, person_faults, status_faults
from adapters.checking.context import CONTEXT, answering
from adapters.checking.declared import Declared, declared
from adapters.checking.generate import FOREIGN, types
from adapters.checking.places import bare, said, unnumbered
from adapters.checking.problems import Breach
from adapters.checking.stability import stability_breaches
from adapters.codecs import json as json_codec
from adapters.codecs.common import Parsed
from adapters.errors import AdapterError, Refusal, Unwritable
from adapters.mapping.bundles import BundlePack
from adapters.mapping.engine import RowPack
from adapters.pack import Bundle, LossKind, Pack, Reading, Strand, Writing
from adapters.r4.validate import validate
from adapters.tree import Node, leaves

_OF_ENTRIES: Final = frozenset({"fullUrl", "request", "response"})
_OF_RESOURCES: Final = frozenset({"id", "meta"})
_MARGIN: Final = 6
"""How far a declared number of losses may stand above thrice what any message lost: the rarest need many messages."""


@dataclass(slots=True)
class Law:
    """The law for one message type of a pack; remembers what its messages lost."""

    pack: Pack
    type: str
    direction: str = ""
    declared: Declared = field(init=False)
    read: int = 0
    refused: int = 0
    lost: int = 0
    """The most places that one message lost."""
    sound: list[Bundle] = field(default_factory=list)
    """The last message's bundles that are R4: what part 6 takes."""

    def __post_init__(self) -> None:
        self.direction = dict(types(self.pack))[self.type]
        self.declared = declared(self.pack, self.type)

    def check(self, raw: bytes, number: int = -1) -> list[Breach]:
        """Parts 1 to 5 on one message; what is refused only has to be refused by type."""
        self.sound = []
        try:
            reading = self.pack.read(raw, CONTEXT)
        except Refusal:
            self.refused += 1
            return []
        except Exception as fault:  # whatever is not a refusal is the breach itself
            return [Breach(5, "", f"reading fails with {type(fault).__name__}, which is no refusal", number)]
        self.read += 1
        found = list(self._parts(raw, reading))
        return [replace(breach, message=number) for breach in dict.fromkeys(found)]

    def _parts(self, raw: bytes, reading: Reading) -> Iterator[Breach]:
        yield from codec_breaches(self.pack, raw)
        for strand in reading.strands:
            invalid = list(validity_breaches(strand.bundle, self.pack, reading.head.type))
            yield from invalid
            yield from (Breach(5, "MessageHeader.focus", fault) for fault in focus_faults(strand.bundle))
            yield from (Breach(5, "RelatedPerson", fault) for fault in person_faults(strand.bundle))
            yield from (Breach(5, "Task.status", fault) for fault in status_faults(strand.bundle))
            self.sound += [] if invalid else [strand.bundle]
        if reading.head.type != self.type:
            yield Breach(2, "", "the message is read as another type than the one that it was made for")
        lost = {bare(loss.place, self.declared.codec) for loss in reading.loss if FOREIGN not in loss.place}
        if self.direction == "both":
            for strand in reading.strands:
                checked = _Return(self.pack, self.declared, raw, reading, strand)
                yield from checked.breaches()
                lost |= checked.lost
        self.lost = max(self.lost, len(lost))

    def cap(self, idle: bool = True) -> list[Breach]:
        """Part 2's number: no message lost more places than it, and (`idle`) it is no idle one."""
        declared_loss = loss_of(self.pack, self.type)
        if self.direction == "out":
            return []
        if declared_loss is None:
            return [Breach(2, "manifest.yaml", f"{self.type} does not say its loss; a message lost {self.lost} places")]
        if self.lost > declared_loss:
            return [Breach(2, "manifest.yaml", f"a message lost {self.lost} places; loss says {declared_loss}")]
        if idle and declared_loss > 3 * self.lost + _MARGIN:
            return [Breach(2, "manifest.yaml", f"loss says {declared_loss}; no message lost more than {self.lost}")]
        return []


def check_law(pack: Pack, type_: str, messages: Iterable[bytes], idle: bool = True) -> list[Breach]:
    """Parts 1 to 5 of the law on the messages of a type: every way in which it is broken, none when it is kept.

    Few messages cannot show that a declared number of losses is idle: then say so by `idle`.
    """
    law = Law(pack, type_)
    found = [breach for number, raw in enumerate(messages) for breach in law.check(raw, number)]
    return found + law.cap(idle)


def loss_of(pack: Pack, type_: str) -> int | None:
    """How many places the manifest says that a message of the type may lose."""
    if isinstance(pack, RowPack):
        return next(message.loss for message in pack.messages if message.type == type_)
    assert isinstance(pack, BundlePack)
    return pack.losses.get(type_.removeprefix("Bundle/"))


# --- part 1


def parser_of(pack: Pack) -> tuple[Any, Any]:
    """How bytes become a tree and back in a pack's format."""
    if isinstance(pack, BundlePack):
        return json_codec.parse, json_codec.dump
    assert isinstance(pack, RowPack)
    return pack.codec.parse, pack.codec.dump


def codec_breaches(pack: Pack, raw: bytes) -> Iterator[Breach]:
    """Part 1: parse(dump(parse(b))) == parse(b), order included."""
    parse, dump = parser_of(pack)
    try:
        before: Parsed = parse(raw)
        after: Parsed = parse(dump(before.tree))
    except AdapterError as fault:
        yield Breach(1, getattr(fault, "place", ""), f"what was written cannot be read: {type(fault).__name__}")
        return
    for one, other in zip(_listed(before.tree), _listed(after.tree), strict=False):
        if one != other:
            yield Breach(1, one[0], "is another after parse(dump(parse(b)))")
            return
    if sum(1 for _ in leaves(before.tree)) != sum(1 for _ in leaves(after.tree)):
        yield Breach(1, "", "there are more or fewer leaves after parse(dump(parse(b)))")


def _listed(tree: Node) -> Iterator[tuple[str, str]]:
    return ((node.place, said(node)) for node in leaves(tree))


# --- part 5


def validity_breaches(bundle: Bundle, pack: Pack | None = None, type_: str = "") -> Iterator[Breach]:
    """Part 5: the canonical bundle is R4, required bindings and invariants included; `pack` is told which of its rows
    wrote what is not."""
    for issue in validate(bundle):
        if issue.severity in ("error", "fatal"):
            rows = rows_behind(pack, type_, bundle, issue.expression) if pack is not None else ()
            yield Breach(5, unnumbered(issue.expression), f"{issue.code}: {issue.diagnostics}", rows=rows)


# --- parts 2, 3 and 4


@dataclass(slots=True)
class _Return:
    """One strand on its way back to the format that it came from."""

    pack: Pack
    declared: Declared
    raw: bytes
    reading: Reading
    strand: Strand
    lost: set[str] = field(default_factory=set)
    """Canonical places that were lost on the way out."""

    def breaches(self) -> Iterator[Breach]:
        """Parts 2, 3 and 4."""
        context = answering(self.reading.head)
        try:
            written = self.pack.write(self.strand.bundle, context)
        except Unwritable as fault:
            yield Breach(2, fault.place, f"what it reads it cannot write: {fault.kind}: {fault.why}")
            return
        except Exception as fault:  # whatever is not Unwritable is the breach itself
            yield Breach(2, "", f"writing fails with {type(fault).__name__}, which is not Unwritable")
            return
        if written.type != self.reading.head.type and len(self.reading.strands) == 1:
            yield Breach(2, "", f"what was read as {self.reading.head.type} is written as {written.type}")
            return
        self.lost = {unnumbered(loss.place) for loss in written.loss}
        yield from self._source(written)
        others = [other for other in self.reading.strands if other is not self.strand]
        yield from stability_breaches(self.pack, self.declared, self.strand, written, context, others)

    def _source(self, written: Writing) -> Iterator[Breach]:
        """Parts 2 and 4: each source leaf comes back, stands in the residual, or matches a declaration."""
        parse, _ = parser_of(self.pack)
        codec, declared = self.declared.codec, self.declared
        values = {node.place: said(node) for node in leaves(parse(self.raw).tree)}
        mine = [(place, values.get(place, text)) for place, text in self.strand.leaves.items()]
        theirs = [(node.place, said(node)) for node in leaves(parse(written.raw).tree)]
        after_values = dict(theirs)
        before = Counter((bare(place, codec), text) for place, text in mine if not self._head(place, values))
        after = Counter((bare(place, codec), text) for place, text in theirs if not self._head(place, after_values))
        reported: dict[str, set[LossKind]] = {}
        for loss in self.reading.loss:
            reported.setdefault(bare(loss.place, codec), set()).add(loss.kind)
        moved = {place for one in before for place in declared.moved_to(one[0])}
        there = {place for place, _ in after}
        gone, came = {place for place, _ in before - after}, after - before
        texts = {text for _, text in mine}
        for place in sorted(gone):
            kinds = _kinds(place, reported)
            if kinds & {LossKind.DROP, LossKind.MERGE} or (kinds and place in there):
                continue  # in the residual, joined with another, or said in another form
            if place in declared.numbered and (place in there or _alone(place, mine, codec)):
                continue  # the list came back in another order, or it is the number of a thing that says nothing else
            if place in there and place in declared.said and declared.reads(place) and not declared.written(place):
                yield Breach(2, place, "is read, and then something that nobody said is written in its place")
            elif place in moved or (declared.targets.get(place) and not declared.written(place)):
                continue
            elif declared.lost_in(place, self.lost):
                if self._joined(place, reported):
                    continue  # the resource that it was read into was joined with another, and says that one's
                yield Breach(4, place, "is read and then dropped on the way out, so the residual does not hold it")
            else:
                yield Breach(2, place, "comes back neither as it was nor as a declared loss")
        new = {place for place, text in came if not (text in texts and self._joined(place, reported))}
        for place in sorted(new):
            if place in declared.said or place in moved:
                continue
            if not _kinds(place, reported) - {LossKind.DROP}:
                yield Breach(2, place, "appears, and no default, context or where declares it")

    def _joined(self, place: str, reported: dict[str, set[LossKind]]) -> bool:
        """Whether what is written at a place was read at one that is only read, and joined there with what stands
        elsewhere: it then says what the other said, as it would at its own place. So does each place of a resource that
        was joined of two.
        """
        joined = [other for other in self.declared.targets if LossKind.MERGE in _kinds(other, reported)]
        made = {self.declared.made_of(other) for other in joined}
        moved = any(place in self.declared.moved_to(other) for other in joined)
        return moved or bool(made & {self.declared.made_of(place)} - {frozenset()})

    def _head(self, place: str, values: Mapping[str, str]) -> bool:
        if isinstance(self.pack, BundlePack):
            return _of_the_hub(place, values)
        return bare(place, self.declared.codec) in self.declared.head


def _of_the_hub(place: str, values: Mapping[str, str]) -> bool:
    """Whether a bundle's place is what the hub says: the bundle's own, addresses, identities, labels, the header."""
    parts = place.split("/")
    if len(parts) < 4 or parts[1] != "entry" or parts[3] in _OF_ENTRIES or parts[-1] == "reference":
        return True
    header = values.get(f"/entry/{parts[2]}/resource/resourceType") == "MessageHeader"
    return header or (len(parts) > 4 and parts[4] in _OF_RESOURCES)


def _alone(place: str, said_: Sequence[tuple[str, str]], codec: str) -> bool:
    """Whether a bare place stands somewhere as the only thing that its segment or element says (``NK1|1``)."""
    holders = (other[: max(map(other.rfind, "-/,")) + 1] for other, _ in said_ if bare(other, codec) == place)
    return any(sum(other.startswith(holder) for other, _ in said_) == 1 for holder in holders)


def _kinds(place: str, reported: dict[str, set[LossKind]]) -> set[LossKind]:
    """The losses reported at a place, above it or below it."""
    found: set[LossKind] = set()
    for other, kinds in reported.items():
        above = place == other or place.startswith((f"{other}.", f"{other}/", f"{other}-", f"{other}, "))
        if above or other.startswith((f"{place}.", f"{place}/")):
            found |= kinds
    return found


def accepted(pack: Pack, messages: Sequence[bytes]) -> int:
    """How many messages of a hundred the pack reads."""
    count = 0
    for raw in messages:
        try:
            pack.read(raw, CONTEXT)
        except Refusal:
            continue
        count += 1
    return 100 * count // len(messages) if messages else 100
