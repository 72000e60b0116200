"""What a `make` says beside its rows: the link or start, the references, the class; checked against the closed list."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.mapping import paths
from adapters.mapping.env import Env, canonical_links, link_steps
from adapters.mapping.ledger import Place
from adapters.mapping.paths import Json, Slot, Step
from adapters.mapping.rows import Row
from adapters.r4 import table


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
    find: tuple[str, ...] = ()
    refs: tuple[tuple[tuple[Step, ...], str], ...] = ()
    data_class: str = ""


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
    if row.find:
        start, *elements = row.find.split(".")
        if start not in known.starts:
            raise row.fail(f"no start is called {start}")
        return Making(row, row.make, find=(start, *elements), refs=tuple(refs), data_class=data_class)
    if not row.link:
        raise row.fail("make needs link or find")
    if row.link not in known.links:
        raise row.fail(f"{row.link} is not in the list of links")
    holder, steps = link_steps(row.link)
    targets = known.links[row.link]
    own = holder == row.make and (row.make not in targets or env.resource in targets - {row.make})
    if not own and row.make not in known.links[row.link]:
        raise row.fail(f"{row.link} does not lead to {row.make}")
    return Making(row, row.make, holder, steps, own, targets, (), tuple(refs), data_class)


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
