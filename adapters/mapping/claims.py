"""A sender's claims, both ways: an extension of the MessageHeader, never a permission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.mapping import paths, places
from adapters.mapping.conditions import asserter, matcher, walker
from adapters.mapping.env import Env
from adapters.mapping.ledger import Ledger
from adapters.mapping.ledger import Place as Writing
from adapters.mapping.places import Place
from adapters.mapping.putting import node_maker, nothing, put_value
from adapters.mapping.rows import Row
from adapters.mapping.values import Transform, compile_value
from adapters.mapping.walk import Frame, Reader
from adapters.tree import Branch, Node

Writer = Callable[[Writing], bool]


def claim_reader(row: Row, env: Env) -> Reader:
    """A sender's claim: an extension of the MessageHeader, never a permission."""
    env.class_of(row)
    place = env.place(row.place, row) if row.place else None
    match = matcher(row, env, place)
    walk_to = walker(place) if place else (lambda frame: [frame.node])
    parts = claim_parts(row, env, place)
    if not parts:

        def take_leaf(frame: Frame, node: Node) -> list[Any]:
            value, holder = places.leaf(node)
            if value is None:
                return []
            frame.walk.seen.append(holder)
            return [{"url": "value", "valueString": paths.text_of(value)}]
    else:

        def take_leaf(frame: Frame, node: Node) -> list[Any]:
            found = []
            for url, at, transform in parts:
                for below in places.walk(node, at.steps)[:1]:
                    value, holder = places.leaf(below)
                    said = None if value is None else transform.read(value, frame.walk, holder)
                    if said is not None:
                        frame.walk.seen.append(holder)
                        found.append({"url": url, "valueDate" if url == "date" else "valueString": said})
            return found

    def read(frame: Frame) -> bool:
        for node in walk_to(frame):
            told = match(frame, node)
            if told is not None and (found := take_leaf(frame, node)):
                frame.walk.tell(told)
                frame.walk.claims.append({"kind": row.claim, "parts": found})
        return False

    return read


def claim_parts(row: Row, env: Env, place: Place | None) -> list[tuple[str, Place, Transform]]:
    """The parts of a claim: `value`, `by` and `date`, each at its place."""
    inner = env.under(place, node="Extension")
    parts = []
    for part in row.rows or ():
        if part.to not in ("value", "by", "date"):
            raise part.fail("a claim has value, by and date")
        path = paths.parse("valueDate" if part.to == "date" else "valueString", "Extension")
        codes = env.material.codes.get(part.codes)
        transform = compile_value(part, path, codes, env.material.pack_id, env.material.native, False)
        parts.append((part.to, inner.place(part.place, part), transform))
    return parts


def claim_writer(row: Row, env: Env) -> Writer:
    """Says the claims of the row's kind that nobody has said yet."""
    place = env.place(row.place, row) if row.place else None
    make = node_maker(row, env) if place is not None else None
    parts, assert_when = claim_parts(row, env, place), asserter(row, env)

    def write(at: Writing) -> bool:
        done = False
        for slot in at.ledger.claims(row.claim):
            said = {part.get("url"): part for part in slot[0][slot[1]].get("extension", [])}
            branch, undo = make(at, bool(row.each)) if make else (at.branch, nothing)
            if not _say_claim(branch, said, parts, at.ledger):
                undo()
                continue
            at.ledger.use(*slot)
            assert_when(at, branch)
            done = True
            if not row.each:
                break
        return done

    return write


def _say_claim(
    branch: Branch, said: dict[Any, Any], parts: list[tuple[str, places.Place, Transform]], ledger: Ledger
) -> bool:
    if not parts:
        value = (said.get("value") or {}).get("valueString")
        return isinstance(value, str) and put_value(branch, value)
    done = False
    for url, place, transform in parts:
        part = said.get(url) or {}
        key = "valueDate" if part.get("valueDate") else "valueString"
        held = part.get(key)
        value = None if held is None else transform.write(held, ledger, (part, key))
        if value is not None:
            done = put_value(places.make(branch, place.steps, False), value) or done
    return done
