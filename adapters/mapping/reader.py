"""Rows compiled for reading: closures from a source frame to canonical elements, made once for each message type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from adapters.errors import Malformed, Unmappable
from adapters.mapping import paths, places, ways
from adapters.mapping.choosing import dispatch
from adapters.mapping.claims import claim_reader
from adapters.mapping.conditions import matcher, walker
from adapters.mapping.env import Env
from adapters.mapping.making import making
from adapters.mapping.paths import Path
from adapters.mapping.places import Place
from adapters.mapping.plain import Leaf, cell_reader, leaf_reader
from adapters.mapping.plans import ALWAYS, Need, need, planned
from adapters.mapping.putting import default_of, is_simple, putter
from adapters.mapping.rows import Row
from adapters.mapping.structure import Group
from adapters.mapping.values import Transform, compile_value
from adapters.mapping.walk import Frame, Made, Reader
from adapters.pack import Deviation, LossKind
from adapters.tree import Node, State

ORDINAL = "$ordinal"
"""An `out` that says which repeat of its block a row writes, from 1; read as what says nothing more than the order."""


def compile_rows(rows: Sequence[Row], env: Env) -> Reader:
    """All rows of a list; those with `each` on one place share its repeats, the first that matches takes each."""
    return env.once(rows, _compile_rows)


def _compile_rows(rows: Sequence[Row], env: Env) -> Reader:
    readers: list[tuple[Need, Reader]] = []
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        if row.reads and row.each and not row.join:
            grouped.setdefault(row.each, []).append(row)
    for row in rows:
        if not row.reads:
            continue
        if row.each and not row.join:
            group = grouped.pop(row.each, None)
            if group is not None:
                always = any(need(one, env) is ALWAYS for one in group)
                readers.append((ALWAYS if always else need(row, env), _each(group, env)))
        else:
            readers.append((need(row, env), _compile(row, env)))
    return planned(readers, env)


def _compile(row: Row, env: Env) -> Reader:
    if row.choose:
        return _choose(row, env)
    if row.claim:
        return claim_reader(row, env)
    if row.parts:
        return _parts(row, env)
    if row.join:
        return _join(row, env)
    if not row.is_block and not row.place:
        return _constant(row, env)
    if not row.is_block and not row.to:
        return _format_constant(row, env)
    if not row.place:
        place, take = None, _taker(row, env, None)
        match = matcher(row, env, None)

        def read_here(frame: Frame) -> bool:
            return match(frame, frame.node) and take(frame, frame.node)

        return read_here
    place = env.place(row.place, row)
    return _at(row, env, place)


def _at(row: Row, env: Env, place: Place) -> Reader:
    take, match, walk_to = _taker(row, env, place), matcher(row, env, place), walker(place)
    missing = _missing(row, env)
    strict = env.strict
    if not row.when:

        def read_plain(frame: Frame) -> bool:
            nodes = walk_to(frame)
            if nodes:
                if strict and len(nodes) > 1:
                    raise Unmappable(nodes[1].place, "repeated", "one value is expected here, and there are several")
                if take(frame, nodes[0]):
                    return True
            return missing(frame)

        return (_short(row, env, place, take, read_plain) if env.short else None) or read_plain

    def read(frame: Frame) -> bool:
        nodes = walk_to(frame)
        taken = None
        for node in nodes:
            if match(frame, node):
                if taken is not None and strict:
                    raise Unmappable(node.place, "repeated", "one value is expected here, and there are several")
                taken = taken or node
        if taken is not None and take(frame, taken):
            return True
        return missing(frame)

    return read


def _short(row: Row, env: Env, place: Place, take: Callable[[Frame, Node], bool], long: Reader) -> Reader | None:
    """The row on raw text; None when its place has no such way."""
    missing = _missing(row, env) if row.required or row.default else None
    if row.make or row.is_block:
        return cell_reader(place, take, missing, long)
    if row.split:
        return None
    path = env.path(row.to, row)
    put = putter(row, env, path)
    name = path.steps[-1].name if is_simple(row, env, path) and len(path.steps) == 1 else ""
    leaf = Leaf(_transform(row, path, env), put, name, ways.imposer(env.tests(row.where, row)), missing)
    return leaf_reader(place, leaf, long)


def _transform(row: Row, path: Path, env: Env) -> Transform:
    codes = env.material.codes.get(row.codes)
    return compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict or row.required)


def _each(group: list[Row], env: Env) -> Reader:
    place = env.place(group[0].each, group[0])
    takers = [(matcher(row, env, place), _taker(row, env, place)) for row in group]
    walk_to, missing = walker(place), [_missing(row, env) for row in group]

    def read(frame: Frame) -> bool:
        put = False
        for node in walk_to(frame):
            for match, take in takers:
                if match(frame, node):
                    put = take(frame, node) or put
                    break
        if not put:
            for fill in missing:
                put = fill(frame) or put
        return put

    return read


def _missing(row: Row, env: Env) -> Reader:
    """What happens when the source says nothing here."""
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
    return lambda frame: False


def _at_place(frame: Frame, place: str) -> str:
    return "/".join(part for part in (frame.node.place, place) if part)


def _taker(row: Row, env: Env, place: Place | None) -> Callable[[Frame, Node], bool]:
    """What is done with one node of the row."""
    if row.make:
        return _maker(row, env, place)
    if row.is_block:
        return _element(row, env, place)
    return _value(row, env)


def _value(row: Row, env: Env) -> Callable[[Frame, Node], bool]:
    path = env.path(row.to, row)
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict or row.required)
    put, where = putter(row, env, path), ways.imposer(env.tests(row.where, row))
    leaf, read_value = places.leaf, transform.read
    if row.split:
        return _splitter(row, path, transform, put)

    def take(frame: Frame, node: Node) -> bool:
        value, holder = leaf(node)
        if value is None:
            if env.strict and node.state is State.VALUE:
                raise Unmappable(node.place, "value", "a plain value is expected here")
            return False
        said = read_value(value, frame.walk, holder)
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.append(holder)
        if where is not None:
            where(frame.element)
        return True

    return take


def _splitter(
    row: Row, path: Path, transform: Transform, put: Callable[[Frame, Any], bool]
) -> Callable[[Frame, Node], bool]:
    if not path.steps[-1].is_list:
        raise row.fail(f"split needs a list, and {path.text} is none")

    def take(frame: Frame, node: Node) -> bool:
        value, holder = places.leaf(node)
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


def _join(row: Row, env: Env) -> Reader:
    path, place = env.path(row.to, row), env.place(row.each, row)
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict)
    put, walk_to, missing = putter(row, env, path), walker(place), _missing(row, env)

    def read(frame: Frame) -> bool:
        found = [places.leaf(node) for node in walk_to(frame)]
        pieces = [(str(value), holder) for value, holder in found if value is not None]
        if not pieces:
            return missing(frame)
        for value, holder in pieces:
            if row.join in value:
                frame.walk.note(holder.place, LossKind.NORMALISE, "the mark between repeats stands in a repeat")
        said = transform.read(row.join.join(value for value, _ in pieces), frame.walk, pieces[0][1])
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.extend(holder for _, holder in pieces)
        return True

    return read


def _parts(row: Row, env: Env) -> Reader:
    path = env.path(row.to, row)
    walkers = [walker(env.place(text, row)) for text in row.parts]
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict)
    put, missing = putter(row, env, path), _missing(row, env)

    def read(frame: Frame) -> bool:
        found = [places.leaf(nodes[0]) for walk_to in walkers if (nodes := walk_to(frame))]
        pieces = [(str(value), holder) for value, holder in found if value is not None]
        if not pieces:
            return missing(frame)
        if len(pieces) < len(walkers):
            holder = pieces[0][1]
            frame.walk.note(holder.place, LossKind.NORMALISE, "said in part")
        said = transform.read(row.by.join(value for value, _ in pieces), frame.walk, pieces[0][1])
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.extend(holder for _, holder in pieces)
        return True

    return read


def _constant(row: Row, env: Env) -> Reader:
    """A canonical constant: `to` and `default` without a place."""
    if not row.default:
        raise row.fail("a row without a place needs a default")
    path = env.path(row.to, row)
    put, value = putter(row, env, path), default_of(row, path, env)

    def read(frame: Frame) -> bool:
        put(frame, dict(value) if isinstance(value, dict) else value)
        return False

    return read


def _format_constant(row: Row, env: Env) -> Reader:
    """A constant of the format: `at` and `out` without `to`; on read it is known when it is that."""
    if not row.out:
        raise row.fail("a row without a path needs out")
    walk_to = walker(env.place(row.place, row))

    def read(frame: Frame) -> bool:
        for node in walk_to(frame):
            value, holder = places.leaf(node)
            said = None if value is None else paths.text_of(value)
            if said == row.out:
                frame.walk.seen.append(holder)
            elif said is not None and row.out == ORDINAL:
                frame.walk.seen.append(holder)
                if said != str(_ordinal(frame)):
                    frame.walk.note(holder.place, LossKind.NORMALISE, "numbered in order")
        return False

    return read


def _ordinal(frame: Frame) -> int:
    """Which repeat of its block a frame stands on, from 1."""
    above = frame.up.node if frame.up is not None else None
    siblings = above.by.get(frame.node.name, []) if isinstance(above, Group) else []
    return next((number for number, node in enumerate(siblings, 1) if node is frame.node), 1)


def _element(row: Row, env: Env, place: Place | None) -> Callable[[Frame, Node], bool]:
    """A block that fills an element, or only moves the cursor."""
    if not row.to:
        rows, inner = env.under(place, data_class=row.data_class or env.data_class).content(row)
        read_rows, impose = compile_rows(rows, inner), ways.imposer(env.tests(row.where, row) if env.node else ())

        def move(frame: Frame, node: Node) -> bool:
            under = frame if place is None else Frame(node, frame, frame.element, frame.own, frame.made, frame.walk)
            done = read_rows(under)
            if done and impose is not None:
                impose(frame.element)
            return done

        return move
    path = env.path(row.to, row)
    if not path.node or not path.steps:
        raise row.fail(f"{path.text} is {path.kind}, which holds no elements")
    data_class = env.class_of(row)
    marked = data_class if data_class != env.marked else env.marked
    rows, inner = env.under(place, node=path.node, data_class=data_class, marked=marked).content(row)
    read_rows, impose = compile_rows(rows, inner), ways.imposer(inner.tests(row.where, row))
    put = putter(row, env, path)

    def take(frame: Frame, node: Node) -> bool:
        element: dict[str, Any] = {}
        seen, read = frame.walk.seen, len(frame.walk.seen)
        below = Frame(node, frame, element, {}, frame.made, frame.walk)
        if place is None:
            below = Frame(frame.node, frame.up, element, {}, frame.made, frame.walk)
        if not read_rows(below):
            return False
        if impose is not None:
            impose(element)
        if put(frame, element):
            return True
        del seen[read:]  # the element is filled already: what was read for it is loss
        return False

    return take


def _maker(row: Row, env: Env, place: Place | None) -> Callable[[Frame, Node], bool]:
    made_by = making(row, env)
    inner = env.under(place, node=row.make, resource=row.make, data_class=made_by.data_class, marked=made_by.data_class)
    rows, inner = inner.content(row)
    read_rows, impose = compile_rows(rows, inner), ways.imposer(inner.tests(row.where, row))
    always = place is not None
    read_item = compile_rows(row.item, env.under(place, node=made_by.item)) if row.item else None

    def take(frame: Frame, node: Node) -> bool:
        walk = frame.walk
        resource: dict[str, Any] = {"resourceType": row.make}
        made = Made(resource, frame.made, made_by, node, len(walk.made))
        walk.made.append(made)
        up = frame if place is not None else frame.up
        put = read_rows(Frame(node, up, resource, {}, made, walk))
        if not put and not (always and node.state is State.VALUE):
            del walk.made[made.number :]  # nothing under it said anything
            return False
        if impose is not None:
            impose(resource)
        if read_item is not None:
            made.inside = {}
            read_item(Frame(node, up, made.inside, {}, frame.made, walk))
        return True

    return take


def _choose(row: Row, env: Env) -> Reader:
    """The first alternative whose `when` holds; none refuses."""
    inner = env.under(None, strict=True, data_class=row.data_class or env.data_class)
    options = [option for option in row.choose if option.reads]
    alternatives = [(matcher(option, inner, None), _option(option, inner)) for option in options]
    of = env.place(row.of, row) if row.of else None
    few = dispatch(options, alternatives, inner)

    def choose(frame: Frame) -> bool:
        for match, read in few(frame):
            if match(frame, frame.node):
                return read(frame)
        nodes = walker(of)(frame) if of is not None else []
        at = nodes[0].place if nodes else frame.node.place
        raise Unmappable(at, "no-alternative", "a value of this kind is not among the agreed ones")

    return choose


def _option(option: Row, env: Env) -> Reader:
    """An alternative's rows, its `when` already tested; without rows only its `where` is said."""
    if option.rows or option.shape or option.place or option.choose or option.parts:
        return _compile(replace(option, when={}), env)
    tests = env.tests(option.where, option)
    impose = ways.imposer(tests)

    def say(frame: Frame) -> bool:
        if impose is not None:
            impose(frame.element)
        return bool(tests)

    return say


def repeated(place: str) -> Deviation:
    """A key that stands twice in one message."""
    return Deviation(place, "the same identifier stands twice in this message; both are kept")
