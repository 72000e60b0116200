"""What a `make` says beside its rows: the link or start, the references, the class; checked against the closed list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.mapping import paths
from adapters.mapping.env import Env, canonical_links, canonical_people, link_steps
from adapters.mapping.ledger import Place
from adapters.mapping.paths import Json, Slot, Step
from adapters.mapping.rows import Row
from adapters.mapping.walk import label_codings
from adapters.mapping.ways import Find, finder
from adapters.r4 import table
from consent.vocabulary import HUB_BASE

_PERSON_ROLES = f"{HUB_BASE}/CodeSystem/person-role"


@dataclass(frozen=True, slots=True)
class Key:
    """One way to know a resource again."""

    text: str = ""
    """The path of an Identifier or plain value; "" for a key within an owner's."""
    find: Find | None = None
    of: str = ""
    """The owner's role."""
    by: tuple[Find, ...] = ()
    """What tells it from its siblings; empty: its ordinal."""


@dataclass(frozen=True, slots=True, eq=False)
class Making:
    """What a `make` says beside its rows; used when a walk is finished, and by the writer."""

    row: Row
    type: str
    link_type: str = ""
    link: tuple[Step, ...] = ()
    own_link: bool = False
    """The made resource holds the link (``RelatedPerson.patient`` inside Patient)."""
    targets: frozenset[str] = frozenset()
    item: str = ""
    """R4 type of the backbone element that holds the reference, when the row says what stands beside it."""
    find: tuple[str, ...] = ()
    refs: tuple[tuple[tuple[Step, ...], str], ...] = ()
    data_class: str = ""
    keys: tuple[Key, ...] = ()
    codings: tuple[Mapping[str, str], ...] = ()
    """Its class and labels, for meta.security."""


def making(row: Row, env: Env) -> Making:
    """Check a `make` against R4 and the closed list of links."""
    if table.kind(row.make) != "resource":
        raise row.fail(f"R4 has no resource {row.make}")
    known = canonical_links()
    if row.role and row.role not in known.roles:
        raise row.fail(f"no role is called {row.role}")
    refs = []
    for element, role in row.ref.items():
        if role not in known.roles:
            raise row.fail(f"no role is called {role}")
        refs.append((paths.parse(element, row.make).steps, role))
    data_class = env.class_of(row)
    more: Any = {"data_class": data_class, "keys": _keys(row), "codings": tuple(label_codings(data_class, row.labels))}
    if row.find:
        start, *elements = row.find.split(".")
        if start not in known.starts:
            raise row.fail(f"no start is called {start}")
        return Making(row, row.make, find=(start, *elements), refs=tuple(refs), **more)
    if not row.link:
        raise row.fail("make needs link or find")
    if row.link not in known.links:
        raise row.fail(f"{row.link} is not in the list of links")
    holder, steps = link_steps(row.link)
    targets = known.links[row.link]
    own = holder == row.make and (row.make not in targets or env.resource in targets - {row.make})
    if not own and row.make not in known.links[row.link]:
        raise row.fail(f"{row.link} does not lead to {row.make}")
    item = _item(row, env, holder, steps) if row.item else ""
    return Making(row, row.make, holder, steps, own, targets, item, (), tuple(refs), **more)


def _keys(row: Row) -> tuple[Key, ...]:
    keys = []
    for key in row.key:
        if isinstance(key, str):
            keys.append(Key(key, finder(paths.parse(key, row.make).steps)))
        else:
            by = tuple(finder(paths.parse(path, row.make).steps) for path in key.get("by", ()))
            keys.append(Key(of=key["of"], by=by))
    return tuple(keys)


def _item(row: Row, env: Env, holder: str, steps: tuple[Step, ...]) -> str:
    """The type of the list item that a link's reference stands in; the block around must make who holds it."""
    if len(steps) < 2 or not steps[-2].is_list:
        raise row.fail(f"{row.link} has no list of elements that an item could stand in")
    if env.resource != holder:
        raise row.fail(f"item needs the block around to make the {holder} that holds it")
    return paths.parse(".".join(step.name for step in steps[:-1]), holder).node


def may_say(made: Making, resource: Json) -> bool:
    """Whether a row may say a person: who is alleged to have harmed, or who reported, is said by rows of that class
    alone, never as one of the family (`adapters/canonical/people.yaml`)."""
    if made.type != "RelatedPerson":
        return True
    codings = (coding for one in resource.get("relationship", ()) for coding in one.get("coding", ()))
    roles = {coding.get("code") for coding in codings if coding.get("system") == _PERSON_ROLES}
    people = canonical_people()
    return all(made.data_class == people[role]["class"] for role in roles & people.keys())


def item_tests(made: Making) -> tuple[paths.Test, ...]:
    """What the constants of `item` say, so that rows of one link are told apart on the way out."""
    tests = []
    for row in made.row.item:
        if row.place or row.is_block or not row.to or not row.default:
            continue
        path = paths.parse(row.to, made.item)
        value = row.default
        if path.kind == "Coding":
            system, _, value = value.rpartition("|")
            path = paths.parse(f"{row.to}[system={system}].code" if system else f"{row.to}.code", made.item)
        tests.append(paths.Test(path, (value,)))
    return tuple(tests)


def linked(made: Making, at: Place) -> list[tuple[Slot | None, Json, Json]]:
    """Where the writer finds what to make: (the reference, the resource, who holds the reference)."""
    ledger = at.ledger
    if made.find:
        return [(None, resource, ledger.header) for resource in ledger.start(made.find)]
    if made.link_type == "MessageHeader":
        return [(slot, resource, ledger.header) for slot, resource in ledger.referred(ledger.header, made.link)]
    if made.own_link:
        holder = next((r for r in reversed(at.resources) if r.get("resourceType") in made.targets), None)
        return [
            (slot, resource, holder)
            for resource in ledger.resources
            if holder is not None and resource.get("resourceType") == made.type
            for slot, target in ledger.referred(resource, made.link)
            if target is holder
        ] or [
            (slot, resource, ledger.header)
            for resource in ledger.resources
            if holder is None and resource.get("resourceType") == made.type
            for slot, _ in ledger.referred(resource, made.link)
        ]
    holder = next((r for r in reversed(at.resources) if r.get("resourceType") == made.link_type), None)
    holders = [holder] if holder else [r for r in ledger.resources if r.get("resourceType") == made.link_type]
    return [(slot, resource, one) for one in holders for slot, resource in ledger.referred(one, made.link)]
