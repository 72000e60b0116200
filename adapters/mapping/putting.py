"""Where a value goes: into a canonical element on read, into a source node on write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.mapping import paths, places, ways
from adapters.mapping.env import Env
from adapters.mapping.ledger import Place
from adapters.mapping.paths import Path
from adapters.mapping.rows import Row
from adapters.mapping.values import Kept
from adapters.mapping.walk import Frame, extend, label_extensions
from adapters.tree import Branch


def putter(row: Row, env: Env, path: Path) -> Callable[[Frame, Any], bool]:
    """Puts one value at the end of a path, labelled when its class is not the one around."""
    if not path.steps:
        raise row.fail("a value cannot be the element itself")
    before, last = path.steps[:-1], path.steps[-1]
    extensions = _labels(row, env)
    name, is_list, impose = last.name, last.is_list, ways.imposer(last.tests)
    reach = ways.reacher(before) if before else None
    if is_list and not before and impose is None and not extensions and not row.codes:
        return _append(name)
    if is_simple(row, env, path):
        if len(before) == 1 and not before[0].is_list:
            return _simple_below(before[0].name, name)
        return _simple(name, reach)

    def put(frame: Frame, value: Any) -> bool:
        element = frame.element
        if reach is not None:
            element = reach(element, frame.own)
        if isinstance(value, Kept):
            return _keep(element, name, is_list, path, value)
        if impose is not None and isinstance(value, dict):
            impose(value)
        if is_list:
            items = element.setdefault(name, [])
            items.append(value)
            if extensions:
                extend(items, len(items) - 1, name, [dict(extension) for extension in extensions], element)
            return True
        if name in element:
            return False
        element[name] = value
        if extensions:
            extend(element, name, name, [dict(extension) for extension in extensions], element)
        return True

    return put


def _labels(row: Row, env: Env) -> list[dict[str, Any]]:
    data_class = env.class_of(row)
    return label_extensions(data_class if data_class != env.marked else "", row.labels)


def is_simple(row: Row, env: Env, path: Path) -> bool:
    """Whether putting is no more than setting a name: no list, no label of its own, no code that may be kept."""
    return bool(path.steps) and not path.steps[-1].is_list and not row.codes and not _labels(row, env)


def _append(name: str) -> Callable[[Frame, Any], bool]:
    def put(frame: Frame, value: Any) -> bool:
        element = frame.element
        items = element.get(name)
        if items is None:
            element[name] = [value]
        else:
            items.append(value)
        return True

    return put


def _simple(name: str, reach: ways.Reach | None) -> Callable[[Frame, Any], bool]:
    """One value that is no list's and has no label of its own."""
    if reach is None:

        def put(frame: Frame, value: Any) -> bool:
            element = frame.element
            if name in element:
                return False
            element[name] = value
            return True

        return put

    def put_below(frame: Frame, value: Any) -> bool:
        element = reach(frame.element, frame.own)
        if name in element:
            return False
        element[name] = value
        return True

    return put_below


def _simple_below(above: str, name: str) -> Callable[[Frame, Any], bool]:
    """As :func:`_simple`, one plain element further down."""

    def put(frame: Frame, value: Any) -> bool:
        element = frame.element
        below = element.get(above)
        if below is None:
            below = element[above] = {}
        if name in below:
            return False
        below[name] = value
        return True

    return put


def _keep(element: Any, name: str, is_list: bool, path: Path, kept: Kept) -> bool:
    """An unknown code: beside a primitive, or as a Coding that says nothing else."""
    if path.kind == "Coding":
        coding = {"extension": [dict(kept.extension)]}
        if is_list:
            element.setdefault(name, []).append(coding)
        else:
            element.setdefault(name, coding)
        return True
    if is_list or f"_{name}" in element or name in element:
        return False
    element[f"_{name}"] = {"extension": [dict(kept.extension)]}
    return True


def default_of(row: Row, path: Path, env: Env) -> Any:
    """The canonical default: through no map, so it must be in the binding; of a Coding it is ``system|code``."""
    if path.kind == "Coding":
        system, _, code = row.default.rpartition("|")
        return {"system": system, "code": code}
    if path.codes is not None and row.default not in path.codes:
        raise row.fail(f"{row.default} is outside the binding of {path.text}")
    return paths.typed(row.default, path.kind)


def node_maker(row: Row, env: Env) -> Callable[[Place, bool], tuple[Branch, places.Undo]]:
    """Makes the row's source node; with `new`, a further repeat. Beside it, how to take it out again."""
    place = env.place(row.place, row)
    repeats = bool(row.each)

    def make(at: Place, new: bool) -> tuple[Branch, places.Undo]:
        branch, undo = places.make_undoable(at.above(place.up).branch, place.steps, new)
        if repeats:
            branch.repeats = True
        return branch, undo

    return make


def put_value(branch: Branch, value: Any) -> bool:
    """Give a node its value; one that says something else already keeps it."""
    if branch.value is not None or (branch.nodes and not all(child.name.startswith("@") for child in branch.nodes)):
        return bool(places.leaf(branch)[0] == value)
    if branch.nodes:
        branch.add(".", value)
    else:
        branch.value = value
    return True


def nothing() -> None:
    """Nothing was made, so nothing is taken out."""
