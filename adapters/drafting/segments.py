"""HL7 v2 samples: the standard says what the places mean, so only the structure and the known segments are drafted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.drafting.codemaps import MapDraft, canonical_map, list_of
from adapters.drafting.manifest import MessageDraft
from adapters.drafting.rows import Doubt, DraftRow, guessed
from adapters.drafting.survey import Spot
from adapters.drafting.vocabulary import vocabulary
from adapters.drafting.words import slug
from adapters.mapping import places
from adapters.mapping.places import Cursor
from adapters.tree import Node


def er7_type(tree: Node) -> str:
    """``ORU^R01`` of a message."""
    return "^".join(part for part in (_said(tree, "MSH-9.1"), _said(tree, "MSH-9.2")) if part) or "message"


def _said(tree: Node, place: str) -> str:
    steps = places.parse(place, (Cursor("er7"),)).steps
    for node in places.walk(tree, steps)[:1]:
        value = places.leaf(node)[0]
        return str(value or "")
    return ""


def er7_message(
    type_: str, names: list[str], trees: Sequence[Node], maps: dict[str, MapDraft]
) -> tuple[MessageDraft, Mapping[str, Any]]:
    """A message type with the rows of its known segments, and the head leaves of HL7 v2."""
    words = vocabulary()
    order = [segment.name for segment in trees[0].children()]
    known = {name: said for name, said in words.er7.items() if name != "head"}
    structure, grouped = structure_of([name for name in order if name == "MSH" or name in known])
    rows, doubts = [], []
    for name in dict.fromkeys(order):
        if name in known and name not in grouped:
            rows.append(_rows(name, known[name], trees, maps))
        elif name not in ("MSH", "EVN", "MSA"):
            doubts.append(Doubt(name, "a segment that drafts know nothing of; see the pack health/hl7v2"))
    verb, _, trigger = type_.partition("^")
    message = MessageDraft(
        type=type_, slug=slug(type_), samples=names, title=f"{type_} -> record: a first draft; look at every guess",
        recognise={"when": {"MSH-9.1": verb, **({"MSH-9.2": trigger} if trigger else {})}}, event="record",
        structure=structure, rows=[row for row in rows if row.rows], doubts=doubts,
    )  # fmt: skip
    children = [row for row in message.rows if row.fields["make"] == "Patient"]
    message.rows = children + [row for row in message.rows if row not in children]
    return message, words.er7["head"]


def _rows(name: str, said: Mapping[str, Any], trees: Sequence[Node], maps: dict[str, MapDraft]) -> DraftRow:
    role = vocabulary().roles[said["role"]]
    start = {} if "link" in role.make else {"link": "MessageHeader.focus[]"}
    fields = {"each" if said.get("each") else "at": name, **role.make, **start}
    said_here = {row["to"] for row in said["rows"]}
    inner = [DraftRow({"to": to, "default": value}) for to, value in role.constants.items() if to not in said_here]
    for raw in said["rows"]:
        row = dict(raw)
        if row.get("codes"):
            row |= _codes(row["codes"], str(row.get("at")), trees, maps)
        if row["to"] in role.constants:
            row["default"] = role.constants[row["to"]]
        inner.append(DraftRow(row, None, guessed(0.8, "HL7 v2"), (str(row.get("at") or row.get("each")),)))
    return DraftRow(fields, inner, guessed(0.8, role.name), (name,))


def _codes(name: str, place: str, trees: Sequence[Node], maps: dict[str, MapDraft]) -> dict[str, str]:
    spot = Spot(place, codes=dict(vocabulary().er7_tables.get(name, {})))
    for tree in trees:
        segment, _, rest = place.partition("-")
        for node in tree.all(segment):
            for found in places.walk(node, tuple(rest.split("."))):
                value = places.leaf(found)[0]
                if value is not None:
                    spot.values[str(value)] = 1
    path = f"codes/{name}.csv"
    drafted = canonical_map(path, spot, list_of(name))
    if drafted.rows:
        maps[path] = drafted
    return {"codes": path, "unknown": "keep"}


def structure_of(order: Sequence[str]) -> tuple[str, frozenset[str]]:
    """A grammar that the segments of one message fit, and the segments that stand in its repeated group."""
    seen: dict[str, int] = {}
    runs = [name for number, name in enumerate(order) if number == 0 or order[number - 1] != name]
    for name in runs:
        seen[name] = seen.get(name, 0) + 1
    again = [name for name in runs if seen[name] > 1]
    if not again:
        return " ".join(name if name == "MSH" else f"{name}*" for name in runs), frozenset()
    first = runs.index(again[0])
    last = max(number for number, name in enumerate(runs) if name in again)
    inside = list(dict.fromkeys(runs[first : last + 1]))
    before = [name if name == "MSH" else f"{name}*" for name in dict.fromkeys(runs[:first])]
    after = [f"{name}*" for name in runs[last + 1 :] if name not in inside]
    group = " ".join([inside[0], *(f"{name}*" for name in inside[1:])])
    return " ".join([*before, f"GROUP({group})*", *after]), frozenset(inside)
