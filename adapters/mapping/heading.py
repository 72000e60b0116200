"""What a message's header says, and of which type it therefore is: seen from the whole message, before any row."""

from __future__ import annotations

from functools import cache
from typing import Any

from adapters.mapping import places
from adapters.mapping.message import Message
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import Cursor
from adapters.tree import Node, leaves


def said_at(codec: str, tree: Node, place: str, nodes: list[Node]) -> str:
    """The text at a header place, and its node among `nodes`; "" when there is none."""
    tellers: list[tuple[Node, bool]] = []
    for found in places.walk(tree, steps_of(codec, place), tellers):
        value, holder = places.leaf(found)
        if value is not None:
            nodes += [holder, *[teller for teller, _ in tellers]]
            return ("true" if value else "false") if isinstance(value, bool) else str(value)
        break
    return ""


def is_of(codec: str, message: Message, tree: Node, nodes: list[Node]) -> bool:
    """Whether a message is of a type, by its root and its `when`; what says so is among `nodes` then."""
    if message.root and tree.name != message.root:
        return False
    found: list[Node] = []
    for place, values in message.when.items():
        said = said_at(codec, tree, place, found)
        if values == (PRESENT,):
            if not places.walk(tree, steps_of(codec, place)):
                return False
        elif values == (ABSENT,):
            if _says(tree, steps_of(codec, place)):
                return False
        elif said not in values and (said or ABSENT not in values):
            return False
    nodes += found
    return True


def _says(tree: Node, steps: tuple[str, ...]) -> bool:
    """Whether something is said at a place, itself or below it."""
    return any(said.value is not None for found in places.walk(tree, steps) for said in leaves(found))


@cache
def steps_of(codec: str, place: str) -> Any:
    """The way to a header leaf."""
    return places.parse(place, (Cursor(codec),)).steps
