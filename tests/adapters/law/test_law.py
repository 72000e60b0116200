"""The law of packs, parts 2, 3, 5 and 6, on every sample of every pack and on poorer messages made from them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from adapters.errors import Refusal, Unwritable
from adapters.library import load_packs
from adapters.mapping.engine import RowPack
from adapters.mapping.residual import leaves_of
from adapters.pack import Bundle, Context, Pack, Reading, Strand
from adapters.r4.validate import validate
from adapters.tree import Branch, Node
from tests.adapters.packs import CONTEXT, sample, samples

PACKS = load_packs()
ALL = [(id_, name) for id_ in sorted(PACKS) for name in samples(id_)]
POORER = 6
"""Poorer messages made from each sample in the suite."""


def _context(reading: Reading) -> Context:
    """Says the message's own header again."""
    fields = reading.head.fields
    at = datetime.fromisoformat(fields.get("at") or CONTEXT.at.isoformat())
    return replace(CONTEXT, at=at, header=fields, dialect=reading.head.dialect)


def _readings(id_: str, name: str) -> Iterator[tuple[Pack, bytes, Reading]]:
    """A sample as read, and messages poorer by some of its leaves; what is refused is not spoken or not complete."""
    pack, raw = PACKS[id_], sample(id_, name)
    for message in (raw, *_poorer(pack, raw, f"{id_}/{name}")):
        try:
            yield pack, message, pack.read(message, CONTEXT)
        except Refusal:
            assert message is not raw or _only_written(pack, raw)


def _only_written(pack: Pack, raw: bytes) -> bool:
    """Whether a sample is of a type that this pack only writes."""
    if not isinstance(pack, RowPack):
        return False
    tree = pack.codec.parse(raw).tree
    return any(m.direction == "out" and pack._is(m, tree, []) for m in pack.messages)


def _poorer(pack: Pack, raw: bytes, seed: str) -> Iterator[bytes]:
    if not isinstance(pack, RowPack):
        return
    chance = random.Random(seed)
    for _ in range(POORER):
        tree = pack.codec.parse(raw).tree
        yield pack.codec.dump(_thinned(tree, chance, 0))


def _thinned(node: Node, chance: random.Random, depth: int) -> Branch:
    """A copy without some of its parts; the header stays."""
    copy = Branch(node.name, node.place, node.value, node.state, repeats=getattr(node, "repeats", False))
    for child in node.children():
        header = child.name in ("MSH", "os:Message", "type", "version") or depth == 0
        if header or chance.random() > 0.08:
            copy.nodes.append(_thinned(child, chance, depth + 1) if child.name != "MSH" else _whole(child))
    return copy


def _whole(node: Node) -> Branch:
    copy = Branch(node.name, node.place, node.value, node.state)
    copy.nodes = [_whole(child) for child in node.children()]
    return copy


def _written(pack: Pack, strand: Strand, context: Context) -> bytes | None:
    try:
        return pack.write(strand.bundle, context).raw
    except Unwritable:
        return None


def _without_header_leaves(bundle: Bundle) -> Any:
    """The bundle without what the context says: who sends to whom, and the id that follows from it."""
    header = dict(bundle["entry"][0]["resource"])
    for name in ("id", "meta", "source", "sender", "destination"):
        header.pop(name, None)
    return {**bundle, "entry": [header, *bundle["entry"][1:]]}


@pytest.mark.parametrize(("id_", "name"), ALL)
def test_part_five_every_bundle_is_valid(id_: str, name: str) -> None:
    """What a pack reads is valid R4 with full bindings."""
    for _, _, reading in _readings(id_, name):
        for strand in reading.strands:
            assert not validate(strand.bundle)


@pytest.mark.parametrize(("id_", "name"), ALL)
def test_part_three_reading_what_was_written_changes_nothing(id_: str, name: str) -> None:
    """read(write(read(m))) == read(m), fullUrls included, where nothing was lost; a second write is byte-equal."""
    for pack, _, reading in _readings(id_, name):
        context = _context(reading)
        for strand in reading.strands:
            if not pack.writes(reading.head.event):  # type: ignore[arg-type]
                continue
            try:
                written = pack.write(strand.bundle, context)
            except Unwritable:
                continue
            (again,) = pack.read(written.raw, CONTEXT).strands
            if len(reading.strands) > 1 and "never-matches" in str(strand.bundle):
                continue  # salted by its place in the message, which it does not keep
            if not written.loss:
                assert _without_header_leaves(again.bundle) == _without_header_leaves(strand.bundle)
            if isinstance(pack, RowPack) or len(reading.strands) == 1:
                assert _written(pack, again, context) == written.raw


@pytest.mark.parametrize(("id_", "name"), [one for one in ALL if isinstance(PACKS[one[0]], RowPack)])
def test_part_two_each_leaf_comes_back_or_is_declared(id_: str, name: str) -> None:
    """Each source leaf comes back with its value, or stands in a loss list."""
    for pack, raw, reading in _readings(id_, name):
        if len(reading.strands) != 1 or not pack.writes(reading.head.event):  # type: ignore[arg-type]
            continue
        assert isinstance(pack, RowPack)
        try:
            written = pack.write(reading.strands[0].bundle, _context(reading))
        except Unwritable:
            continue
        if written.type != reading.head.type:
            continue
        said = {_place(place) for place in (loss.place for loss in reading.loss)}
        before = [(_place(place), value) for place, value in leaves_of(pack.codec.parse(raw).tree)]
        after = [(_place(place), value) for place, value in leaves_of(pack.codec.parse(written.raw).tree)]
        gone = [place for place, value in before if (place, value) not in after and place not in said]
        gone = [place for place in gone if not _set_id(place)]
        assert not written.loss or len(gone) <= len(written.loss)
        assert written.loss or not gone


def _set_id(place: str) -> bool:
    """HL7's number of a segment among its kind: what it says is the order, and alone it says nothing."""
    return place in ("NTE[]-1", "OBX[]-1", "OBR[]-1", "NK1[]-1", "PID[]-1", "PV[]-1", "DG[]-1", "AL[]-1")


def _place(place: str) -> str:
    """A place without what order decides: repeats may change theirs."""
    return "".join("" if char.isdigit() and inside else char for char, inside in _brackets(place)).removesuffix(".1")


def _brackets(text: str) -> Iterator[tuple[str, bool]]:
    inside = False
    for char in text:
        inside = char == "[" or (inside and char != "]")
        yield char, inside


@pytest.mark.parametrize(("id_", "name"), ALL)
def test_part_six_every_bundle_goes_through_every_writer(id_: str, name: str) -> None:
    """Any pack writes or refuses what any other reads, by name; what it wrote it reads again as valid R4."""
    pack = PACKS[id_]
    try:
        reading = pack.read(sample(id_, name), CONTEXT)
    except Refusal:
        assert _only_written(pack, sample(id_, name))
        return
    for other in PACKS.values():
        for strand in reading.strands:
            raw = _written(other, strand, replace(_context(reading), dialect=""))
            if raw is None:
                continue
            if _only_written(other, raw):
                continue
            again = other.read(raw, CONTEXT)
            assert all(not validate(found.bundle) for found in again.strands)
