"""Records that belong together and stand apart: CSV (and NIEM's associations) say by keys what others say by nesting.

A manifest's `group` is a list of steps, each done on what the one before left:

    group:
      - {each: users.csv/row, when: {role: student}, as: student}
      - {each: demographics.csv/row, on: {sourcedId: sourcedId}, under: student, as: demographics}
      - {each: users.csv/row, on: {sourcedId: agentSourcedIds}, split: ",", under: student, as: guardian}
      - {each: row, by: [CHILD], as: child}

A record that no step takes stays where it stood: nobody maps it, so it is in the loss list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.errors import BrokenPack
from adapters.mapping.rows import texts
from adapters.tree import Branch, Node

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: which records, and whom they go below."""

    each: tuple[str, ...]
    name: str
    when: Mapping[str, tuple[str, ...]]
    by: tuple[str, ...]
    """Columns: records of equal values come below one new node of that name, which says these columns itself."""
    under: tuple[str, ...]
    on: Mapping[str, str]
    """Own column -> the holder's: a record goes below every holder that has its values."""
    split: str
    """What separates several values in a holder's column; "" when there is one."""


def steps(raw: Sequence[Mapping[str, Any]], source: str) -> tuple[Step, ...]:
    """The steps of a manifest; raises :class:`BrokenPack` when one says both or neither of `by` and `under`."""
    found = []
    for number, step in enumerate(raw, 1):
        if ("by" in step) and ("under" in step):
            raise BrokenPack(f"{source} group[{number}]: says by or under, not both")
        if ("under" in step) != ("on" in step):
            raise BrokenPack(f"{source} group[{number}]: under needs on, and on needs under")
        found.append(
            Step(
                each=tuple(step["each"].split("/")),
                name=step["as"],
                when={column: texts(values) for column, values in step.get("when", {}).items()},
                by=texts(step.get("by")),
                under=tuple(step.get("under", "").split("/")) if "under" in step else (),
                on=step.get("on", {}),
                split=step.get("split", ""),
            )
        )
    return tuple(found)


def group(tree: Node, plan: Sequence[Step]) -> Branch:
    """The same records, below whom they belong to; nothing is lost, and places stay as they were."""
    root = _copied(tree)
    for step in plan:
        _take(root, step)
    return root


def _copied(node: Node) -> Branch:
    """The nodes above the records copied, the records themselves too: cells are shared."""
    copy = Branch(node.name, node.place, node.value, node.state)
    copy.repeats = getattr(node, "repeats", False)
    for child in node.children():
        assert isinstance(child, Branch)
        copy.nodes.append(_copied(child) if child.nodes else child)
    return copy


def _take(root: Branch, step: Step) -> None:
    parent, name = _parent(root, step.each), step.each[-1]
    if parent is None:
        return
    chosen = [record for record in parent.all(name) if _is(record, step.when)]
    if step.under:
        taken = _below_holders(root, step, chosen)
    else:
        taken = {id(record) for record in chosen}
        root.nodes += _folded(step, chosen) if step.by else [_named(record, step.name) for record in chosen]
    parent.nodes = [record for record in parent.nodes if id(record) not in taken]


def _parent(root: Branch, each: tuple[str, ...]) -> Branch | None:
    found: Branch | None = root
    for name in each[:-1]:
        found = next(found.all(name), None) if found is not None else None
    return found


def _is(record: Branch, when: Mapping[str, tuple[str, ...]]) -> bool:
    return all(_cell(record, column) in values for column, values in when.items())


def _cell(record: Branch, column: str) -> str:
    """What a record says in a column; in XML and JSON the column may stand deeper (``j:Victim/@s:ref``)."""
    found = _all(record, tuple(column.split("/")))
    return next((str(cell.value) for cell in found if cell.value is not None), "")


def _named(record: Branch, name: str, without: tuple[str, ...] = ()) -> Branch:
    kept = [cell for cell in record.nodes if cell.name not in without]
    return Branch(name, record.place, nodes=kept, repeats=True)


def _folded(step: Step, records: Sequence[Branch]) -> Iterator[Branch]:
    """One node for each key, which holds the columns of `by`, in the order of their first records."""
    found: dict[Key, Branch] = {}
    for record in records:
        key = tuple(_cell(record, column) for column in step.by)
        if key not in found:
            said = [cell for cell in record.nodes if cell.name in step.by]
            found[key] = Branch(step.name, record.place, nodes=said, repeats=True)
        found[key].nodes.append(_named(record, record.name, step.by))
    yield from found.values()


def _below_holders(root: Branch, step: Step, records: Sequence[Branch]) -> set[int]:
    """Put each record below every holder that has its values; which records found one."""
    holders: dict[Key, list[Branch]] = {}
    for holder in _all(root, step.under):
        for key in _keys(holder, step):
            holders.setdefault(key, []).append(holder)
    taken = set()
    for record in records:
        key = tuple(_cell(record, column) for column in step.on)
        for holder in holders.get(key, ()) if all(key) else ():
            if holder is not record:
                holder.nodes.append(_named(record, step.name, tuple(step.on)))
                taken.add(id(record))
    return taken


def _keys(holder: Branch, step: Step) -> Iterator[Key]:
    said = [_cell(holder, column) for column in step.on.values()]
    if not step.split:
        yield tuple(said)
        return
    for one in said[0].split(step.split):
        yield (one.strip(), *said[1:])


def _all(root: Branch, under: tuple[str, ...]) -> Iterator[Branch]:
    found = [root]
    for name in under:
        found = [child for node in found for child in node.all(name)]
    yield from found
