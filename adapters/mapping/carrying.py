"""Rows that carry a value in other ways than one place to one path: split, joined, in parts, constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.codecs.er7_text import without_formatting
from adapters.codecs.er7_tree import Part
from adapters.errors import Malformed
from adapters.mapping import paths, places
from adapters.mapping.conditions import walker
from adapters.mapping.env import Env
from adapters.mapping.paths import Path
from adapters.mapping.putting import default_of, putter
from adapters.mapping.rows import Row
from adapters.mapping.short import is_plain, text_at
from adapters.mapping.structure import Group
from adapters.mapping.values import Noting, Transform, compile_value
from adapters.mapping.walk import Frame, Reader, Taker
from adapters.mapping.ways import Imposer
from adapters.pack import LossKind
from adapters.tree import Node, State

Put = Callable[[Frame, Any], bool]

ORDINAL = "$ordinal"
"""An `out` that says which repeat of its block a row writes, from 1; read as what says nothing more than the order."""


def transform_of(row: Row, path: Path, env: Env) -> Transform:
    """The row's transform."""
    codes = env.material.codes.get(row.codes)
    return compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict or row.required)


def when_missing(row: Row, env: Env) -> Reader | None:
    """What happens when the source says nothing here; None when nothing does."""
    if row.required:
        place = row.place

        def refuse(frame: Frame) -> bool:
            raise Malformed(_at_place(frame, place), "required", "a value is required here")

        return refuse
    if row.default and row.to and not row.is_block:
        path = env.path(row.to, row)
        put = putter(row, env, path)
        value = default_of(row, path, env)
        return lambda frame: put(frame, dict(value) if isinstance(value, dict) else value) and False
    return None


def _at_place(frame: Frame, place: str) -> str:
    return "/".join(part for part in (frame.node.place, place) if part)


def splitter(row: Row, path: Path, transform: Transform, put: Put) -> Taker:
    """One value into several of a list."""
    if not path.steps[-1].is_list:
        raise row.fail(f"split needs a list, and {path.text} is none")

    def take(frame: Frame, node: Node | None = None) -> bool:
        value, holder = places.leaf(node or frame.node)
        if value is None:
            return False
        pieces = [piece.strip() for piece in str(value).split(row.split)]
        if row.split.join(piece for piece in pieces if piece) != value:
            frame.walk.note(holder.place, LossKind.NORMALISE, "white space between the parts")
        done = False
        for piece in pieces:
            said = transform.read(piece, frame.walk, holder) if piece else None
            done = (said is not None and put(frame, said)) or done
        if done:
            frame.walk.seen.append(holder)
        return done

    return take


def parts_said(node: Node) -> list[Node]:
    """The leaves that say something at a node: itself when it is undivided."""
    found = [leaf for part in node.children() if part.state is not State.EMPTY for leaf in parts_said(part)]
    return found or [node]


def _text(node: Node, walk: Noting) -> tuple[str | None, list[Node]]:
    """All of a field as text, and the leaves that it was; what does not come back as it stood is reported."""
    if not isinstance(node, Part):
        return _leaf(node)
    if node.state is not State.VALUE:
        return None, [node]
    found, marks = parts_said(node), node.syntax.separators
    raw = without_formatting(node.text, marks)
    text = node.syntax.plain(raw, node)
    if found != [node]:
        for leaf in (node, *found):
            walk.note(leaf.place, LossKind.NORMALISE, "a separator that is not escaped is part of the text")
    elif raw != node.text or (marks.escape in text and f"{marks.escape}E{marks.escape}" not in raw):
        walk.note(node.place, LossKind.NORMALISE, "formatting is not kept as such")
    return text or None, found


def texter(transform: Transform, put: Put, where: Imposer | None) -> Taker:
    """One value that is free text."""

    def take(frame: Frame, node: Node | None = None) -> bool:
        value, found = _text(node or frame.node, frame.walk)
        said = None if value is None else transform.read(value, frame.walk, found[0])
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.extend(found)
        if where is not None:
            where(frame.element)
        return True

    return take


def joiner(row: Row, env: Env) -> Reader:
    """All repeats into one value."""
    path, place = env.path(row.to, row), env.place(row.each, row)
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict)
    put, walk_to, missing = putter(row, env, path), walker(place), when_missing(row, env)

    def read(frame: Frame) -> bool:
        found = [_text(node, frame.walk) if row.text else _leaf(node) for node in walk_to(frame)]
        pieces = [(value, holders) for value, holders in found if value is not None]
        if not pieces:
            return missing is not None and missing(frame)
        for value, holders in pieces:
            if row.join in value:
                why = "the mark between repeats stands in a repeat"
                frame.walk.note(holders[0].place, LossKind.NORMALISE, why)
        said = transform.read(row.join.join(value for value, _ in pieces), frame.walk, pieces[0][1][0])
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.extend(holder for _, holders in pieces for holder in holders)
        return True

    return read


def _leaf(node: Node) -> tuple[str | None, list[Node]]:
    value, holder = places.leaf(node)
    return (None if value is None else str(value)), [holder]


def parts_reader(row: Row, env: Env) -> Reader:
    """Several places into one value."""
    path = env.path(row.to, row)
    walkers = [walker(env.place(text, row)) for text in row.parts]
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict)
    put, missing = putter(row, env, path), when_missing(row, env)

    def read(frame: Frame) -> bool:
        found = [places.leaf(nodes[0]) for walk_to in walkers if (nodes := walk_to(frame))]
        pieces = [(str(value), holder) for value, holder in found if value is not None]
        if not pieces:
            return missing is not None and missing(frame)
        if len(pieces) < len(walkers):
            holder = pieces[0][1]
            frame.walk.note(holder.place, LossKind.NORMALISE, "said in part")
        said = transform.read(row.by.join(value for value, _ in pieces), frame.walk, pieces[0][1])
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.extend(holder for _, holder in pieces)
        return True

    return read


def constant(row: Row, env: Env) -> Reader:
    """A canonical constant: `to` and `default` without a place."""
    if not row.default:
        raise row.fail("a row without a place needs a default")
    path = env.path(row.to, row)
    put, value = putter(row, env, path), default_of(row, path, env)

    def read(frame: Frame) -> bool:
        put(frame, dict(value) if isinstance(value, dict) else value)
        return False

    return read


def format_constant(row: Row, env: Env) -> Reader:
    """A constant of the format: `at` and `out` without `to`; on read it is known when it is that."""
    if not row.out:
        raise row.fail("a row without a path needs out")
    place = env.place(row.place, row)
    out, walk_to = row.out, walker(place)
    text_of = text_at(place) if env.short and not place.up and is_plain(out) else None

    def read(frame: Frame) -> bool:
        text = text_of(frame.node) if text_of is not None else None
        if text is not None and (
            text == row.out or (row.out == ORDINAL and text.isdigit() and _is_ordinal(frame, text))
        ):
            frame.walk.spots += (frame.node, place.steps)
            return False
        for node in walk_to(frame):
            value, holder = places.leaf(node)
            said = None if value is None else paths.text_of(value)
            if said == row.out:
                frame.walk.seen.append(holder)
            elif said is not None and row.out == ORDINAL:
                frame.walk.seen.append(holder)
                if not _is_ordinal(frame, said):
                    frame.walk.note(holder.place, LossKind.NORMALISE, "numbered in order")
        return False

    return read


def _is_ordinal(frame: Frame, said: str) -> bool:
    """Whether a number is that of the repeat that a frame stands on, from 1."""
    above = frame.up.node if frame.up is not None else None
    siblings = _named(above, frame.node.name) if isinstance(above, Group) else []
    if not siblings or not said.isascii() or not said.isdigit() or len(said) > 6 or said[0] == "0":
        return said == "1"
    number = int(said)
    return number <= len(siblings) and siblings[number - 1] is frame.node


def _named(group: Group, name: str) -> list[Any]:
    """The repeats that a place of that name has in a group, in it or in groups below it (PR1 in PROCEDURE)."""
    found = group.by.get(name)
    if found:
        return list(found)
    return [node for below in group.nodes if isinstance(below, Group) for node in _named(below, name)]
