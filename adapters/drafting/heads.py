"""What a message says of itself: how its type is recognised, its id, when it was made, who sent it to whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapters.drafting.matching import spot_look
from adapters.drafting.rows import Doubt
from adapters.drafting.survey import Spot
from adapters.drafting.vocabulary import HeadWord, vocabulary
from adapters.drafting.words import best_cover, words_of

_CONTAINER = 0.6
_LEAF = 0.5
_ID = ("id", "uuid", "ma")


@dataclass(slots=True)
class HeadDraft:
    """The head leaves of one message type."""

    leaves: dict[str, Any] = field(default_factory=dict)
    spots: list[Spot] = field(default_factory=list)
    """Places of the head: rows leave them alone."""
    doubts: list[Doubt] = field(default_factory=list)


def head_of(root: Spot, child: Spot | None) -> HeadDraft:
    """Guess the head leaves; everything in a header's container belongs to the head."""
    draft, words = HeadDraft(), vocabulary()
    containers = [spot for spot in _upper(root) if _is_head(spot)]
    inside = [leaf for spot in containers for leaf in spot.leaves()]
    top = [spot for spot in root.spots.values() if spot.is_leaf and not spot.spots] if child is not root else []
    best: dict[str, tuple[float, Spot]] = {}
    for leaf in (*inside, *top):
        for head in words.head_words:
            sure = _sure(leaf, head, leaf in inside)
            if sure >= _LEAF and sure > best.get(head.leaf, (0.0, leaf))[0]:
                best[head.leaf] = (sure, leaf)
    if "message-id" not in best:
        plain = next((leaf for leaf in top if "".join(words_of(leaf.name)) in _ID), None)
        if plain is not None:
            best["message-id"] = (_LEAF, plain)
    used: set[int] = set()
    for name, (_, leaf) in sorted(best.items(), key=lambda item: -item[1][0]):
        if id(leaf) in used:
            continue
        used.add(id(leaf))
        seen = spot_look(leaf)
        draft.leaves[name] = {"place": leaf.place, "date": _one(seen.forms)} if name == "at" else leaf.place
        draft.spots.append(leaf)
    draft.spots += containers
    draft.doubts += [Doubt(leaf.place, "in the header, and none of the header leaves") for leaf in inside
                     if id(leaf) not in used and leaf.values]  # fmt: skip
    return draft


def _one(forms: tuple[str, ...]) -> Any:
    return list(forms) if len(forms) > 1 else (forms[0] if forms else "iso")


def _upper(root: Spot) -> Iterator[Spot]:
    for spot in root.spots.values():
        if spot.spots and not spot.repeats:
            yield spot


def _is_head(spot: Spot) -> bool:
    words = vocabulary()
    return best_cover(words_of(spot.name), words.head_containers, frozenset()) >= _CONTAINER


def _sure(leaf: Spot, head: HeadWord, inside: bool) -> float:
    seen = spot_look(leaf)
    if (head.value == "date") != (seen.kind == "date") or not leaf.values:
        return 0.0
    words = vocabulary()
    chain = words_of(leaf.name)
    above = leaf.above
    sure = best_cover(chain, head.phrases, frozenset())
    while inside and above is not None and above.above is not None and above.above.above is not None:
        chain = (*words_of(above.name), *chain)
        sure = max(sure, 0.9 * best_cover(chain, head.phrases, words.noise))
        above = above.above
    return sure if inside else (sure if sure >= 0.8 else 0.0)


def type_of(root: Spot) -> tuple[str, Spot] | None:
    """A place at the top, or in a header there, that says the message's type by one token, and the token."""
    words = vocabulary()
    inside = (leaf for spot in _upper(root) if _is_head(spot) for leaf in spot.spots.values())
    for spot in (*root.spots.values(), *inside):
        values = list(spot.values)
        if len(values) == 1 and best_cover(words_of(spot.name), words.type_words, frozenset()) >= 0.9:
            return values[0], spot
    return None


def event_of(names: Iterator[str]) -> str:
    """The canonical event that names speak of; `record` when they speak of none."""
    said = [words_of(name) for name in names]
    for event, phrases in vocabulary().events:
        if any(best_cover(words, phrases, frozenset()) >= _LEAF for words in said):
            return event
    return "record"
