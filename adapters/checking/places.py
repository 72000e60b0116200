"""Places without their numbers, and leaves by place: what both the makers of messages and the law compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.tree import Node, State, leaves
from consent.vocabulary import INLINE_LABEL_URL

_REPEAT = re.compile(r"\[\d+\]")
_POINTER = re.compile(r"/\d+(?=/|$)")
_ROW = re.compile(r"\brow \d+")
_FIRST = re.compile(r"(\.1)+$")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_INDEX = re.compile(r"\[\d+\]")


def bare(place: str, codec: str) -> str:
    """A source place without what order decides: repeats may change theirs, a lone component is its field."""
    if codec == "er7":
        return _FIRST.sub("", _REPEAT.sub("", place))
    if codec == "xml":
        return _REPEAT.sub("", place)
    if codec == "csv":
        return _ROW.sub("row", place)
    return _POINTER.sub("", place)


def below(pattern: str, step: str, codec: str) -> str:
    """The bare place of a step below a bare place."""
    if codec == "er7":
        if not step.isdigit():
            return step if _SEGMENT.fullmatch(step) else pattern
        return f"{pattern}.{step}" if "-" in pattern else f"{pattern}-{step}"
    if step == "." or (step == "" and codec == "json"):
        return pattern
    if codec == "csv":
        return f"{pattern}, {step}" if pattern else step
    if codec == "json":
        return f"{pattern}/{step.replace('~', '~0').replace('/', '~1')}"
    return f"{pattern}/{step}"


def source_leaves(tree: Node, codec: str) -> Iterator[tuple[str, str]]:
    """Every populated leaf of a message as (bare place, what it says)."""
    for node in leaves(tree):
        yield bare(node.place, codec), said(node)


def said(node: Node) -> str:
    """What a leaf says, as a text; ``null`` of a kind of its own."""
    if node.state is State.NULL:
        return "\x00null"
    value = node.value
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def canonical_leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf below a canonical element as (place with list indices, text)."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from canonical_leaves(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from canonical_leaves(inner, f"{place}[{index}]")
    elif value is not None:
        yield place, ("true" if value else "false") if isinstance(value, bool) else str(value)


def unlabelled(value: Any) -> Any:
    """An element without the hub's own labels."""
    if isinstance(value, dict):
        return {name: bare for name, item in value.items() if (bare := unlabelled(item)) != []}
    if isinstance(value, list):
        return [unlabelled(item) for item in value if not isinstance(item, dict) or item.get("url") != INLINE_LABEL_URL]
    return value


def unnumbered(place: str) -> str:
    """A canonical place without list indices."""
    return _INDEX.sub("", place)
