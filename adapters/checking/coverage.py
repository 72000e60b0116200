"""Which leaves of the agreed schema no row reads, and which of its codes no code map knows: what nobody maps."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lxml import etree

from adapters.checking.problems import Problem
from adapters.checking.stands import Stand
from adapters.mapping.codes import CodeMap
from adapters.mapping.message import Message

_XS = "{http://www.w3.org/2001/XMLSchema}"
_DEPTH = 14
_MOST = 4000
_SHOWN = 8

Leaf = tuple[str, ...]


def unread_leaves(
    message: Message,
    places: Sequence[str],
    stands: Sequence[Stand],
    files: Mapping[str, bytes],
    prefixes: Mapping[str, str],
) -> Iterator[Problem]:
    """One warning for a message type whose schema has leaves that no row reads; `places` are those of its head."""
    if message.schema is None or message.direction == "out" or message.group:
        return
    leaves = _schema_leaves(message, files, prefixes)
    read = {_plain(way) for way in _read(stands)} | {_plain(tuple(place.split("/"))) for place in places}
    whole = {way for way in read if way}
    missing = [leaf for leaf in leaves if not _is_read(_plain(leaf), whole)]
    if missing:
        said = ", ".join("/".join(leaf) for leaf in missing[:_SHOWN])
        more = f", and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        what = f"{message.type}: {len(missing)} of {len(leaves)} leaves are read by no row: {said}{more}"
        yield Problem(message.schema.name, "", "warning", what)


def unknown_codes(
    message: Message,
    stands: Sequence[Stand],
    codes: Mapping[str, CodeMap],
    files: Mapping[str, bytes],
    prefixes: Mapping[str, str],
) -> Iterator[Problem]:
    """One error for each code map that a place uses whose schema lists codes that the map does not read, or does not
    list codes that it writes: what was agreed is refused, or what we say is."""
    if message.schema is None or message.group:
        return
    used: dict[Leaf, list[Stand]] = {}
    for stand in (one for top in stands for one in top.walk()):
        if stand.row.codes and stand.row.place:
            used.setdefault(_plain(_from_message(stand)), []).append(stand)
    listed = {_plain(leaf): values for leaf, values in _listed(message, files, prefixes).items()}
    for way in sorted(used.keys() & listed.keys()):
        maps = {stand.row.codes: codes[stand.row.codes] for stand in used[way] if stand.row.codes in codes}
        read = {code for found in maps.values() for code in found.reads}
        said = {code for found in maps.values() for code in found.writes.values()}
        name = f"{message.type}: {'/'.join(way)}"
        known, verb = (said, "says") if message.direction == "out" else (read, "reads")
        if missing := listed[way] - known:
            yield Problem(min(maps), "", "error", f"{name}: the schema lists {_named(missing)}, and no map {verb} it")
        if message.direction != "in" and (strange := said - listed[way]):
            yield Problem(min(maps), "", "error", f"{name}: writes {_named(strange)}, which the schema does not list")


def _named(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)[:_SHOWN])


def _is_read(leaf: Leaf, read: set[Leaf]) -> bool:
    return leaf in read or any(leaf[:size] in read for size in range(1, len(leaf)) if leaf[size:] == (".",))


def _plain(way: Iterable[str]) -> Leaf:
    """Steps without what picks among repeats."""
    return tuple(step.partition("[")[0] for step in way if step not in ("", "."))


def _read(stands: Sequence[Stand]) -> Iterator[Leaf]:
    """The places of all rows, seen from the message."""
    for stand in (one for top in stands for one in top.walk()):
        if stand.reads and (stand.row.place or stand.row.parts):
            base = _from_message(stand)
            yield base
            for part in stand.row.parts:
                yield (*base, *part.split("/"))
            if stand.row.claim and stand.row.rows:
                for row in stand.row.rows:
                    yield (*base, *row.place.split("/"))


def _from_message(stand: Stand) -> Leaf:
    above = stand.repeat
    if above is None or above is stand:
        return stand.place
    return (*_from_message(above), *stand.place)


def _schema_leaves(message: Message, files: Mapping[str, bytes], prefixes: Mapping[str, str]) -> list[Leaf]:
    assert message.schema is not None
    name = message.schema.name
    found: Iterator[Leaf]
    if name.endswith(".json"):
        whole = json.loads(files[name])
        found = _json_leaves(whole, whole, (), 0)
    elif name.endswith(".csv"):
        table = csv.DictReader(io.StringIO(files[name].decode("utf-8-sig")))
        found = (tuple(step for step in (row["file"], "row", row["column"]) if step) for row in table)
    else:
        found = _Xsd(name, files, prefixes).leaves(message.root)
    return list(dict.fromkeys(leaf for _, leaf in zip(range(_MOST), found, strict=False) if leaf))


def _listed(message: Message, files: Mapping[str, bytes], prefixes: Mapping[str, str]) -> dict[Leaf, set[str]]:
    """The codes that the schema lists, by leaf."""
    assert message.schema is not None
    name = message.schema.name
    if name.endswith(".json"):
        whole = json.loads(files[name])
        return dict(_json_codes(whole, whole, (), 0))
    return {} if name.endswith(".csv") else _Xsd(name, files, prefixes).codes(message.root)


# --- JSON Schema -----------------------------------------------------------------------------------------------------


def _json_leaves(schema: Any, whole: Any, way: Leaf, depth: int) -> Iterator[Leaf]:
    schema = _resolved(schema, whole)
    if depth > _DEPTH:
        return
    if "items" in schema:
        yield from _json_leaves(schema["items"], whole, way, depth + 1)
        return
    branches = [_resolved(one, whole) for key in ("allOf", "oneOf", "anyOf") for one in schema.get(key, ())]
    names = {name: below for branch in (schema, *branches) for name, below in branch.get("properties", {}).items()}
    if not names:
        if way and "const" not in schema:
            yield way
        return
    for name, below in names.items():
        yield from _json_leaves(below, whole, (*way, name), depth + 1)


def _json_codes(schema: Any, whole: Any, way: Leaf, depth: int) -> Iterator[tuple[Leaf, set[str]]]:
    schema = _resolved(schema, whole)
    if depth > _DEPTH:
        return
    if "enum" in schema:
        yield way, {str(value) for value in schema["enum"] if value is not None}
    if "items" in schema:
        yield from _json_codes(schema["items"], whole, way, depth + 1)
    for name, below in schema.get("properties", {}).items():
        yield from _json_codes(below, whole, (*way, name), depth + 1)


def _resolved(schema: Any, whole: Any) -> dict[str, Any]:
    for _ in range(8):
        if not isinstance(schema, dict):
            return {}
        if "$ref" not in schema:
            return schema
        target: Any = whole
        for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            target = target.get(part, {}) if isinstance(target, dict) and part else target
        schema = target
    return {}


# --- XSD -------------------------------------------------------------------------------------------------------------


class _Xsd:
    """A set of XSD files, enough of it to say which leaves a document may have."""

    def __init__(self, start: str, files: Mapping[str, bytes], prefixes: Mapping[str, str]) -> None:
        self._prefixes = {address: prefix for prefix, address in prefixes.items()}
        self._elements: dict[str, tuple[etree._Element, str]] = {}
        self._types: dict[str, tuple[etree._Element, str]] = {}
        self._groups: dict[str, tuple[etree._Element, str]] = {}
        self._codes: dict[Leaf, set[str]] = {}
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in files:
                continue
            seen.add(name)
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
            root = etree.fromstring(files[name], parser)
            self._learn(root)
            for node in root.iter(f"{_XS}import", f"{_XS}include"):
                waiting.append(
                    posixpath.normpath(posixpath.join(posixpath.dirname(name), node.get("schemaLocation", "")))
                )

    def _learn(self, root: etree._Element) -> None:
        target = root.get("targetNamespace", "")
        types = self._types
        kinds = (("element", self._elements), ("complexType", types), ("simpleType", types), ("group", self._groups))
        for tag, known in kinds:
            for node in root.findall(f"{_XS}{tag}"):
                known.setdefault(f"{{{target}}}{node.get('name')}", (node, target))

    def leaves(self, root: str) -> Iterator[Leaf]:
        """Ways below the document element."""
        prefix, colon, local = root.rpartition(":")
        address = next((a for a, p in self._prefixes.items() if p == prefix), "") if colon else ""
        found = self._elements.get(f"{{{address}}}{local}")
        if found is not None:
            yield from self._element(found[0], found[1], (), 0, ())

    def codes(self, root: str) -> dict[Leaf, set[str]]:
        """The codes that simple types list, by way."""
        for _ in zip(range(_MOST), self.leaves(root), strict=False):
            pass
        return self._codes

    def _note(self, way: Leaf, simple: etree._Element | None) -> None:
        """A leaf's codes, when its simple type is a list of them."""
        listed = () if simple is None else simple.findall(f"{_XS}restriction/{_XS}enumeration")
        if listed:
            self._codes.setdefault(way, set()).update(str(one.get("value")) for one in listed)

    def _name(self, node: etree._Element, target: str) -> str:
        local = str(node.get("name"))
        prefix = self._prefixes.get(target, "")
        form = node.get("form") or str(node.getroottree().getroot().get("elementFormDefault", "unqualified"))
        top = node.getparent() is node.getroottree().getroot()
        return f"{prefix}:{local}" if prefix and (top or form == "qualified") else local

    def _qualified(self, node: etree._Element, name: str) -> str:
        prefix, colon, local = name.rpartition(":")
        return f"{{{node.nsmap.get(prefix if colon else None, '')}}}{local}"

    def _element(self, node: etree._Element, target: str, way: Leaf, depth: int, types: Leaf) -> Iterator[Leaf]:
        """The leaves of an element at a way."""
        inline = node.find(f"{_XS}complexType")
        if inline is not None:
            yield from self._type(inline, target, way, depth, types)
            return
        name = self._qualified(node, node.get("type", ""))
        found = self._types.get(name)
        if found is None or found[0].tag == f"{_XS}simpleType":
            self._note(way, node.find(f"{_XS}simpleType") if found is None else found[0])
            yield way
        elif name not in types and depth < _DEPTH:
            yield from self._type(found[0], found[1], way, depth, (*types, name))

    def _type(self, node: etree._Element, target: str, way: Leaf, depth: int, types: Leaf) -> Iterator[Leaf]:
        """The leaves of a complex type: of its base first."""
        for inner in node.findall(f"{_XS}complexContent/{_XS}extension"):
            name = self._qualified(inner, inner.get("base", ""))
            base = self._types.get(name)
            if base is not None and name not in types:
                yield from self._type(base[0], base[1], way, depth, (*types, name))
        for inner in node.findall(f"{_XS}simpleContent/{_XS}extension"):
            base = self._types.get(self._qualified(inner, inner.get("base", "")))
            self._note(way, base[0] if base is not None and base[0].tag == f"{_XS}simpleType" else None)
        if node.find(f"{_XS}simpleContent") is not None:
            yield way
        yield from self._content(node, target, way, depth, types)

    def _content(self, node: etree._Element, target: str, way: Leaf, depth: int, types: Leaf) -> Iterator[Leaf]:
        for child in node:
            if child.tag == f"{_XS}element":
                if child.get("ref"):
                    found = self._elements.get(self._qualified(child, child.get("ref", "")))
                    if found is not None and found[0].get("abstract") != "true":
                        yield from self._element(*found, (*way, self._name(*found)), depth + 1, types)
                elif child.get("name"):
                    yield from self._element(child, target, (*way, self._name(child, target)), depth + 1, types)
            elif child.tag == f"{_XS}group" and child.get("ref"):
                group = self._groups.get(self._qualified(child, child.get("ref", "")))
                if group is not None and depth < _DEPTH:
                    yield from self._content(group[0], group[1], way, depth + 1, types)
            elif isinstance(child.tag, str) and child.tag not in (f"{_XS}annotation", f"{_XS}simpleContent"):
                yield from self._content(child, target, way, depth, types)
