"""Which CSV records belong together: a key that repeats in one file, keys of one file that stand in another."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from adapters.drafting.planning import find_child
from adapters.drafting.survey import Spot
from adapters.drafting.words import slug

_ROW = "row"
_COVERED = 0.8


def csv_groups(root: Spot) -> list[dict[str, Any]]:
    """`group` steps for a file, or a set of files; [] when each record stands for itself."""
    if _ROW in root.spots:
        row = root.spots[_ROW]
        key = _key_column(row)
        return [{"each": _ROW, "by": [key], "as": "child"}] if key and _repeats(row, key) else []
    files = {name: spot.spots[_ROW] for name, spot in root.spots.items() if _ROW in spot.spots}
    child = find_child(root)
    main = next((name for name, row in files.items() if row is child), "")
    key = _key_column(files[main]) if main else ""
    if not key:
        return []
    steps: list[dict[str, Any]] = [{"each": f"{main}/{_ROW}", "as": "child"}]
    known = set(files[main].spots[key].values)
    for name, row in files.items():
        column = "" if name == main else _foreign_key(row, known)
        if column:
            label = slug(PurePosixPath(name).stem)
            steps.append({"each": f"{name}/{_ROW}", "on": {column: key}, "under": "child", "as": label})
    return steps


def _repeats(row: Spot, key: str) -> bool:
    return len(row.spots[key].values) < sum(row.spots[key].values.values())


def _key_column(row: Spot) -> str:
    """The column that names the child: the first whose name says a record or personal number, else a person's id."""
    from adapters.drafting.matching import match
    from adapters.drafting.vocabulary import vocabulary

    words = vocabulary()
    best: tuple[float, str] = (0.0, "")
    for name, spot in row.spots.items():
        found = match(spot, (), words.roles["child"], words)
        full = sum(spot.values.values()) == row.count
        if found is not None and found.role.name == "child" and full:
            to = str(found.attribute.row["to"])
            if to.startswith("identifier") and found.sure > best[0]:
                best = (found.sure, name)
    return best[1]


def _foreign_key(row: Spot, known: set[str]) -> str:
    """The column whose values are keys of the other file."""
    for name, spot in row.spots.items():
        values = set(spot.values)
        if values and len(values & known) >= _COVERED * len(values):
            return name
    return ""
