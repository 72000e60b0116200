"""Rows compiled for reading: closures from a source frame to canonical elements, made once for each message type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapters.errors import Unmappable
from adapters.mapping import places, ways
from adapters.mapping.carrying import (
    constant,
    format_constant,
    joiner,
    parts_reader,
    parts_said,
    splitter,
    texter,
    transform_of,
    when_missing,
)
from adapters.mapping.choosing import Open, Switch, switch
from adapters.mapping.claims import claim_reader
from adapters.mapping.conditions import matcher, walker
from adapters.mapping.env import Env
from adapters.mapping.making import making
from adapters.mapping.places import Place
from adapters.mapping.plain import Leaf, cell_reader, leaf_reader
from adapters.mapping.plans import ALWAYS, Need, climbs, need, planned
from adapters.mapping.putting import is_simple, putter
from adapters.mapping.rows import Row
from adapters.mapping.short import NULL
from adapters.mapping.walk import NOTHING_TOLD, Frame, Made, Reader, Taker, Told
from adapters.pack import Deviation
from adapters.r4.invariants import INVARIANTS
from adapters.tree import Node, State


def compile_rows(rows: Sequence[Row], env: Env) -> Reader:
    """All rows of a list; those with `each` on one place share its repeats, the first that matches takes each."""
    return env.once(rows, _compile_rows)


def _compile_rows(rows: Sequence[Row], env: Env) -> Reader:
    return planned(_readers(rows, env), env)


def _readers(rows: Sequence[Row], env: Env) -> list[tuple[Need, Reader]]:
    """Each row's reader and what it needs; a block that moves neither cursor nor element is its rows."""
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
        elif _is_bracket(row):
            place = env.place(row.place, row) if row.place else None
            below, inner = env.under(place, data_class=row.data_class or env.data_class).content(row)
            if place is not None and climbs(below, inner):
                readers.append((need(row, env), _compile(row, env)))
            else:
                readers += inner.once(below, _readers)
        else:
            readers.append((need(row, env), _compile(row, env)))
    return readers


def _is_bracket(row: Row) -> bool:
    """Whether a block is no more than its rows."""
    stays = row.place in ("", ".")
    return row.is_block and stays and not (row.to or row.make or row.when or row.where or row.claim or row.required)


def _compile(row: Row, env: Env) -> Reader:
    if row.choose:
        return _choose(row, env)
    if row.claim:
        return claim_reader(row, env)
    if row.parts:
        return parts_reader(row, env)
    if row.join:
        return joiner(row, env)
    if not row.is_block and not row.place:
        return constant(row, env)
    if not row.is_block and not row.to:
        return format_constant(row, env)
    if not row.place:
        return _here(row, env)
    return _at(row, env, env.place(row.place, row))


def _here(row: Row, env: Env) -> Reader:
    """A block without a place: at the cursor around."""
    if _is_bracket(row):
        rows, inner = env.under(None, data_class=row.data_class or env.data_class).content(row)
        return compile_rows(rows, inner)
    take = _taker(row, env, None)
    if not row.when:
        return take
    match = matcher(row, env, None)

    def read(frame: Frame) -> bool:
        told = match(frame, frame.node)
        if told is None or not take(frame):
            return False
        frame.walk.tell(told)
        return True

    return read


def _at(row: Row, env: Env, place: Place) -> Reader:
    """The first repeat that matches; a second is loss, and inside a `choose` a refusal."""
    take, missing = _taker(row, env, place), when_missing(row, env)
    if row.when:
        return _at_when(row, env, place, take, missing)
    if not place.steps and not place.up and missing is None and (row.make or row.is_block):
        return take
    walk_to, strict = walker(place), env.strict

    def read(frame: Frame) -> bool:
        nodes = walk_to(frame)
        if nodes:
            if strict and len(nodes) > 1:
                raise Unmappable(nodes[1].place, "repeated", "one value is expected here, and there are several")
            if take(frame, nodes[0]):
                return True
        return missing is not None and missing(frame)

    return (_short(row, env, place, take, read) if env.short else None) or read


def _at_when(row: Row, env: Env, place: Place, take: Taker, missing: Reader | None) -> Reader:
    match, walk_to, strict = matcher(row, env, place), walker(place), env.strict

    def read(frame: Frame) -> bool:
        taken: tuple[Node, Told] | None = None
        for node in walk_to(frame):
            told = match(frame, node)
            if told is not None:
                if taken is not None and strict:
                    raise Unmappable(node.place, "repeated", "one value is expected here, and there are several")
                taken = taken or (node, told)
        if taken is not None and take(frame, taken[0]):
            frame.walk.tell(taken[1])
            return True
        return missing is not None and missing(frame)

    return read


def _short(row: Row, env: Env, place: Place, take: Taker, long: Reader) -> Reader | None:
    """The row on raw text; None when its place has no such way."""
    missing = when_missing(row, env)
    if row.make or row.is_block:
        return cell_reader(place, take, missing, long)
    if row.split:
        return None
    path = env.path(row.to, row)
    put = putter(row, env, path)
    name = path.steps[-1].name if is_simple(row, env, path) and len(path.steps) == 1 else ""
    leaf = Leaf(transform_of(row, path, env), put, name, ways.imposer(env.tests(row.where, row)), missing)
    return leaf_reader(place, leaf, long)


def _each(group: list[Row], env: Env) -> Reader:
    place = env.place(group[0].each, group[0])
    takers = [(matcher(row, env, place) if row.when else None, _taker(row, env, place)) for row in group]
    walk_to, missing = walker(place), [fill for row in group if (fill := when_missing(row, env)) is not None]

    by = switch(group, [take for _, take in takers], env, place)
    text_of = by.text_of if by is not None else _untold
    table, others, steps = (by.table, by.others, by.steps) if by is not None else ({}, (), ())
    unsaid: Sequence[Open] = [(match, None, take) for match, take in takers]

    def read(frame: Frame) -> bool:
        put = False
        for node in walk_to(frame):
            text = text_of(node)
            if text is None or "\\" in text or "^" in text or "&" in text or text == NULL:
                options: Sequence[Open] = unsaid
            else:
                options = table.get(text, others)
            for match, said, take in options:
                told = match(frame, node) if match is not None else NOTHING_TOLD
                if told is not None:
                    if take(frame, node):
                        put = True
                        if told:
                            frame.walk.tell(told)
                        if said is not None:
                            frame.walk.tell(((node, steps, said),))
                    break
        if not put:
            for fill in missing:
                put = fill(frame) or put
        return put

    return read


def _untold(node: Node) -> None:
    """The text of nothing: every row is asked."""


def _taker(row: Row, env: Env, place: Place | None) -> Taker:
    """What is done with one node of the row (the cursor's own, when none is given)."""
    if row.make:
        return _maker(row, env, place)
    if row.is_block:
        return _element(row, env, place)
    return _value(row, env)


def _value(row: Row, env: Env) -> Taker:
    path = env.path(row.to, row)
    transform = transform_of(row, path, env)
    put, where = putter(row, env, path), ways.imposer(env.tests(row.where, row))
    leaf, read_value = places.leaf, transform.read
    if row.split:
        return splitter(row, path, transform, put)
    if row.text:
        return texter(transform, put, where)
    whole = env.strict and row.required

    def take(frame: Frame, node: Node | None = None) -> bool:
        node = node or frame.node
        value, holder = leaf(node)
        if value is None:
            if env.strict and node.state is State.VALUE:
                raise Unmappable(node.place, "value", "a plain value is expected here")
            return False
        if whole and holder is not node and len(parts_said(node)) > 1:
            raise Unmappable(node.place, "parts", "one value is expected here, and it has parts")
        said = read_value(value, frame.walk, holder)
        if said is None or not put(frame, said):
            return False
        frame.walk.seen.append(holder)
        if where is not None:
            where(frame.element)
        return True

    return take


def _element(row: Row, env: Env, place: Place | None) -> Taker:
    """A block that fills an element, or only moves the cursor."""
    if not row.to:
        return _mover(row, env, place)
    path = env.path(row.to, row)
    if not path.node or not path.steps:
        raise row.fail(f"{path.text} is {path.kind}, which holds no elements")
    data_class = env.class_of(row)
    marked = data_class if data_class != env.marked else env.marked
    rows, inner = env.under(place, node=path.node, data_class=data_class, marked=marked).content(row)
    read_rows, impose = compile_rows(rows, inner), ways.imposer(inner.tests(row.where, row))
    put, climbing = putter(row, env, path), place is not None and climbs(rows, inner)

    def take(frame: Frame, node: Node | None = None) -> bool:
        element: dict[str, Any] = {}
        walk = frame.walk
        seen, spots = len(walk.seen), len(walk.spots)
        if climbing:
            done = read_rows(Frame(node or frame.node, frame, element, {}, frame.made, frame.walk))
        else:  # nobody below looks up to this frame, so it is lent rather than copied
            held, around, own = frame.node, frame.element, frame.own
            if node is not None:
                frame.node = node
            frame.element, frame.own = element, {}
            done = read_rows(frame)
            frame.node, frame.element, frame.own = held, around, own
        if done:
            if impose is not None:
                impose(element)
            if put(frame, element):
                return True
        # Nothing was put, or the element is filled already: what was read for it is loss, the format's constants too.
        del walk.seen[seen:], walk.spots[spots:]
        return False

    return take


def _mover(row: Row, env: Env, place: Place | None) -> Taker:
    rows, inner = env.under(place, data_class=row.data_class or env.data_class).content(row)
    read_rows, impose = compile_rows(rows, inner), ways.imposer(env.tests(row.where, row) if env.node else ())
    climbing = place is not None and climbs(rows, inner)
    if not climbing and impose is None and (place is None or not (place.steps or place.up)):
        return lambda frame, node=None: read_rows(frame)

    def move(frame: Frame, node: Node | None = None) -> bool:
        if climbing:
            done = read_rows(Frame(node or frame.node, frame, frame.element, frame.own, frame.made, frame.walk))
        else:
            held = frame.node
            if node is not None:
                frame.node = node
            done = read_rows(frame)
            frame.node = held
        if done and impose is not None:
            impose(frame.element)
        return done

    return move


def _maker(row: Row, env: Env, place: Place | None) -> Taker:
    made_by = making(row, env)
    inner = env.under(place, node=row.make, resource=row.make, data_class=made_by.data_class, marked=made_by.data_class)
    rows, inner = inner.content(row)
    read_rows, impose = compile_rows(rows, inner), ways.imposer(inner.tests(row.where, row))
    always = place is not None
    read_item = compile_rows(row.item, env.under(place, node=made_by.item)) if row.item else None
    identified = [rule.holds for rule in INVARIANTS.get(row.make, ()) if rule.identifies]

    def take(frame: Frame, node: Node | None = None) -> bool:
        walk = frame.walk
        node = node or frame.node
        before = len(walk.seen), len(walk.spots), len(walk.tested), len(walk.loss)
        resource: dict[str, Any] = {"resourceType": row.make}
        made = Made(resource, frame.made, made_by, node, len(walk.made))
        walk.made.append(made)
        up = frame if always else frame.up
        put = read_rows(Frame(node, up, resource, {}, made, walk)) or (always and node.state is State.VALUE)
        if put and impose is not None:
            impose(resource)
        if not put or not all(holds(resource) for holds in identified):
            # Nothing under it said anything, or it is nobody: what was read for it is loss.
            seen, spots, tested, loss = before
            del walk.made[made.number :], walk.seen[seen:], walk.spots[spots:], walk.tested[tested:], walk.loss[loss:]
            return False
        if read_item is not None:
            made.inside = {}
            read_item(Frame(node, up, made.inside, {}, frame.made, walk))
        return True

    return take


def _choose(row: Row, env: Env) -> Reader:
    """The first alternative whose `when` holds; none refuses."""
    inner = env.under(None, strict=True, data_class=row.data_class or env.data_class)
    options = [option for option in row.choose if option.reads]
    readers = [_option(option, inner) for option in options]
    checks = [matcher(option, inner, None) if option.when else None for option in options]
    alternatives = list(zip(checks, readers, strict=True))
    of = walker(env.place(row.of, row)) if row.of else None

    def choose(frame: Frame) -> bool:
        for match, read in alternatives:
            told = match(frame, frame.node) if match is not None else NOTHING_TOLD
            if told is not None:
                done = read(frame)
                if done and told:
                    frame.walk.tell(told)
                return done
        nodes = of(frame) if of is not None else []
        at = nodes[0].place if nodes else frame.node.place
        raise Unmappable(at, "no-alternative", "a value of this kind is not among the agreed ones")

    short = switch(options, readers, inner)
    return choose if short is None else _switched(short, choose)


def _switched(by: Switch, long: Reader) -> Reader:
    """A `choose` that looks its alternatives up by one text; whatever none of them takes, `long` judges."""
    text_of, steps, table, others = by.text_of, by.steps, by.table, by.others

    def choose(frame: Frame) -> bool:
        node = frame.node
        text = text_of(node)
        if text is None or "\\" in text or "^" in text or "&" in text or text == NULL:
            return long(frame)
        for match, said, read in table.get(text, others):
            told = match(frame, node) if match is not None else NOTHING_TOLD
            if told is not None:
                done: bool = read(frame)
                if done:
                    if told:
                        frame.walk.tell(told)
                    if said is not None:
                        frame.walk.tell(((node, steps, said),))
                return done
        return long(frame)

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
