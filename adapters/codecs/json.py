"""JSON: decimals as they stand, no duplicate names, no NaN; places as JSON pointers.

The items of a list are repeats of its place; an empty list is EMPTY. The items of a top-level list, and of a list in a
list, are named ``""``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from adapters.codecs.common import MAX_DEPTH, MAX_NODES, Parsed, clean, guard_size
from adapters.codecs.json_faults import escaped, first_fault, too_long
from adapters.errors import Malformed, TooLarge
from adapters.pack import Deviation
from adapters.tree import Branch, Node, State


class _Fault(ValueError):
    """Something that JSON allows and we do not."""


def parse(raw: bytes) -> Parsed:
    """The document as a tree.

    Raises :class:`Malformed` for what is not JSON, repeats a name or says NaN, :class:`TooLarge` past the limits.
    """
    guard_size(raw)
    deviations: list[Deviation] = []
    if raw.count(b"{") > MAX_NODES:
        raise TooLarge("", "count", f"more than {MAX_NODES} places")
    if raw.startswith(b"\xef\xbb\xbf"):
        deviations.append(Deviation("", "a byte order mark"))
        raw = raw[3:]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("", "charset", "JSON is UTF-8, and this is not") from None
    try:
        data = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno} column {error.colno}", "syntax", "this is not JSON") from None
    except _Fault:
        fault = first_fault(text)
        assert fault is not None  # the same rules, said once more with the place
        raise Malformed(fault.pointer, "syntax", fault.why) from None
    except RecursionError:
        raise TooLarge("", "depth", f"nested deeper than {MAX_DEPTH}") from None
    if not isinstance(data, dict | list):
        raise Malformed("", "syntax", "a message is an object or a list")
    reading = _Reading()
    root = Branch("")
    reading.fill(root, data, "", 1)
    return Parsed(root, tuple(deviations))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or "" in found or "." in found:
        raise _Fault
    return found


def _number(text: str) -> Decimal:
    if too_long(text):
        raise _Fault
    return Decimal(text)


def _constant(_text: str) -> Any:
    raise _Fault


class _Reading:
    """One document being turned into a tree."""

    def __init__(self) -> None:
        self._count = 0

    def fill(self, node: Branch, value: Any, place: str, depth: int) -> None:
        """Put a value at a node."""
        self._count += 1
        if depth > MAX_DEPTH:
            raise TooLarge(place, "depth", f"nested deeper than {MAX_DEPTH}")
        if self._count > MAX_NODES:
            raise TooLarge(place, "count", f"more than {MAX_NODES} places")
        node.place = place
        if isinstance(value, dict):
            if not value:
                node.state, node.empty = State.EMPTY, "{}"
            for name, item in value.items():
                self._member(node, clean(name, place), item, f"{place}/{escaped(name)}", depth + 1)
        elif isinstance(value, list) and value:
            self._items(node, "", value, place, depth + 1)
        elif value is None:
            node.state = State.NULL
        elif value in ("", []):
            node.state, node.empty = State.EMPTY, "" if value == "" else "[]"
        else:
            node.value = clean(value, place) if isinstance(value, str) else value

    def _member(self, node: Branch, name: str, value: Any, place: str, depth: int) -> None:
        if isinstance(value, list):
            self._items(node, name, value, place, depth)
        else:
            self.fill(node.add(name), value, place, depth)

    def _items(self, node: Branch, name: str, items: list[Any], place: str, depth: int) -> None:
        if not items:
            node.nodes.append(Branch(name, place, None, State.EMPTY, empty="[]"))
        for index, item in enumerate(items):
            child = Branch(name, repeats=True)
            node.nodes.append(child)
            self.fill(child, item, f"{place}/{index}", depth)


def dump(tree: Node) -> bytes:
    """The document as UTF-8 with the members in order."""
    text = "".join(_encode(tree)) if any(True for _ in tree.children()) else "{}"
    return f"{text}\n".encode()


def _encode(node: Node) -> Iterable[str]:
    children = list(node.children())
    if not children:
        yield _scalar(node)
    elif all(child.name == "" for child in children):
        yield from _list(children)
    else:
        members: dict[str, list[Node]] = {}
        for child in children:
            members.setdefault(child.name, []).append(child)
        mark = "{"
        for name, nodes in members.items():
            yield f"{mark}{json.dumps(name, ensure_ascii=False)}:"
            yield from _list(nodes) if len(nodes) > 1 or getattr(nodes[0], "repeats", False) else _encode(nodes[0])
            mark = ","
        yield "}"


def _list(nodes: list[Node]) -> Iterable[str]:
    mark = "["
    for node in nodes:
        yield mark
        yield from _encode(node)
        mark = ","
    yield "]"


def _scalar(node: Node) -> str:
    value = node.value
    if node.state is State.NULL:
        return "null"
    if value is None:
        return getattr(node, "empty", "") or '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
