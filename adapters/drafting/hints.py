"""What schemas (XSD, JSON Schema) say of places: documentation, allowed codes with their meanings, what may repeat."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from adapters.drafting.survey import Spot
from adapters.drafting.words import words_of
from adapters.errors import BrokenPack

_XS = "{http://www.w3.org/2001/XMLSchema}"
_DOC_WORDS = 14
_DEPTH = 30


@dataclass(slots=True)
class Hint:
    """What schemas say of one name."""

    doc: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    repeats: bool = False
    whole: bool = False
    """Whether it is a whole number."""


def gather(start: str, fetch: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """A schema and every schema file that it includes or imports by a relative address, by path.

    `fetch` gives a file's bytes, or None when there is none; nothing is fetched from elsewhere.
    """
    found: dict[str, bytes] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        raw = fetch(name) if name not in found else None
        if raw is None:
            continue
        found[name] = raw
        if name.endswith(".xsd"):
            root = _xml(raw, name)
            for element in root.iter(f"{_XS}import", f"{_XS}include", f"{_XS}redefine"):
                said = element.get("schemaLocation", "")
                if said and "://" not in said:
                    waiting.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), said)))
    return _rooted(found)


def _rooted(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same files without the folders that all of them stand in."""
    if not files:
        return {}
    base = posixpath.commonpath([posixpath.dirname(name) or "." for name in files])
    return {posixpath.relpath(name, base) if base else name: raw for name, raw in files.items()}


def apply(root: Spot, schemas: Mapping[str, bytes]) -> None:
    """Tell a survey what schemas say of its places; a schema that cannot be read is a :class:`BrokenPack`."""
    xsd = {name: raw for name, raw in schemas.items() if name.endswith(".xsd")}
    if xsd:
        hints = _xsd_hints(xsd)
        for spot in root.below():
            _tell(spot, hints.get(spot.name.lstrip("@").rpartition(":")[2].rpartition("}")[2]))
    for name, raw in schemas.items():
        if name.endswith(".json"):
            try:
                whole = json.loads(raw)
            except ValueError:
                raise BrokenPack(f"{name}: is no JSON Schema") from None
            _json_hints(root, whole, whole, 0)


def _tell(spot: Spot, hint: Hint | None) -> None:
    if hint is None:
        return
    spot.doc = spot.doc or hint.doc
    spot.words = spot.words or words_of(" ".join(hint.doc.split()[:_DOC_WORDS]))
    spot.codes = spot.codes or dict(hint.codes)
    spot.may_repeat = spot.may_repeat or hint.repeats
    spot.whole = spot.whole or hint.whole


# --- XSD -------------------------------------------------------------------------------------------------------------


def _xml(raw: bytes, name: str) -> etree._Element:
    try:
        return etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError:
        raise BrokenPack(f"{name}: is no XSD") from None


def _xsd_hints(schemas: Mapping[str, bytes]) -> dict[str, Hint]:
    """By the local name of elements and attributes; two things of one name are rare, and people read the draft."""
    roots = [_xml(raw, name) for name, raw in schemas.items()]
    types = {
        str(node.get("name")): node
        for root in roots
        for node in root.iter(f"{_XS}simpleType", f"{_XS}complexType")
        if node.get("name")
    }
    hints: dict[str, Hint] = {}
    for root in roots:
        for node in root.iter(f"{_XS}element", f"{_XS}attribute"):
            name = node.get("name") or node.get("ref", "").rpartition(":")[2]
            if not name:
                continue
            hint = hints.setdefault(name, Hint())
            hint.doc = hint.doc or _doc(node)
            hint.repeats = hint.repeats or node.get("maxOccurs", "1") not in ("0", "1")
            hint.codes = hint.codes or _codes(node, types, 0)
    return hints


def _doc(node: etree._Element) -> str:
    said = node.find(f"{_XS}annotation/{_XS}documentation")
    return " ".join(str(said.text or "").split()) if said is not None else ""


def _codes(node: etree._Element, types: Mapping[str, etree._Element], depth: int) -> dict[str, str]:
    """Enumerations of an element's or type's own, its base's and its members' types."""
    found = {}
    for one in node.iter(f"{_XS}enumeration"):
        found[str(one.get("value"))] = _doc(one)
    named = [node.get("type", "")]
    for inner in node.iter(f"{_XS}extension", f"{_XS}restriction"):
        named.append(inner.get("base", ""))
    for name in named:
        base = types.get(name.rpartition(":")[2])
        if not found and base is not None and base is not node and depth < _DEPTH and _is_simple(base):
            found = _codes(base, types, depth + 1)
    return found


def _is_simple(node: etree._Element) -> bool:
    return node.tag == f"{_XS}simpleType" or node.find(f"{_XS}simpleContent") is not None


# --- JSON Schema -----------------------------------------------------------------------------------------------------


def _json_hints(spot: Spot, schema: Any, whole: Any, depth: int) -> None:
    """Walk a survey and a JSON Schema side by side."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    schema = _resolved(schema, whole)
    if schema.get("type") == "array" or "items" in schema:
        spot.may_repeat = spot.above is not None
        schema = _resolved(schema.get("items", {}), whole)
    doc = schema.get("description") or schema.get("title") or ""
    kinds = schema.get("type")
    whole = "integer" in (kinds if isinstance(kinds, list) else [kinds])
    _tell(spot, Hint(str(doc), _json_codes(schema), whole=whole))
    branches = [schema, *(one for key in ("allOf", "oneOf", "anyOf") for one in schema.get(key, ()))]
    for branch in branches:
        branch = _resolved(branch, whole)
        for name, below in branch.get("properties", {}).items():
            if name in spot.spots:
                _json_hints(spot.spots[name], below, whole, depth + 1)


def _resolved(schema: Any, whole: Any) -> dict[str, Any]:
    for _ in range(8):
        if not isinstance(schema, dict):
            return {}
        if "$ref" not in schema:
            return schema
        target = whole
        for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            target = target.get(part, {}) if isinstance(target, dict) else {}
        schema = target
    return {}


def _json_codes(schema: Mapping[str, Any]) -> dict[str, str]:
    """`enum`, or `oneOf` of constants with titles."""
    if "enum" in schema:
        return {str(code): "" for code in schema["enum"] if isinstance(code, str | int) and not isinstance(code, bool)}
    found = {}
    for one in schema.get("oneOf", ()):
        if isinstance(one, dict) and "const" in one:
            found[str(one["const"])] = str(one.get("title") or one.get("description") or "")
    return found
