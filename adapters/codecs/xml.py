"""XML through lxml: no DTD, no entities, no network; names by the pack's own prefixes, places as XPath.

An element with attributes or children and text keeps its text in a child named ``.``; attributes are children
named ``@name``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from adapters.codecs.common import MAX_DEPTH, MAX_NODES, Parsed, clean, guard_size
from adapters.errors import BrokenPack, Malformed, TooLarge
from adapters.tree import Branch, Node, State

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
XML: Final = "http://www.w3.org/XML/1998/namespace"
_BUILT_IN: Final = {XSI: "xsi", XML: "xml"}
_PROLOG: Final = re.compile(rb"<[A-Za-z_]")
_DECLARED: Final = re.compile(rb"<!DOCTYPE|<!ENTITY")


def parse(raw: bytes, namespaces: Mapping[str, str]) -> Parsed:
    """The document element as a tree; `namespaces` maps the pack's prefixes to addresses.

    Raises :class:`Malformed` for what is not well-formed or has a DTD, :class:`TooLarge` past the limits.
    """
    guard_size(raw)
    if raw.count(b"<") > 2 * MAX_NODES:  # before libxml2 makes them all: each element has two at the most
        raise TooLarge("", "count", f"more than {MAX_NODES} places")
    start = _PROLOG.search(raw)
    if declared := _DECLARED.search(raw[: start.start() if start else None]):
        raise _no_doctype(raw.count(b"\n", 0, declared.start()) + 1)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
        if "depth" in str(error).lower() or "huge" in str(error).lower():
            raise TooLarge(f"line {line}", "depth", f"nested deeper than {MAX_DEPTH}") from None
        raise Malformed(f"line {line}", "syntax", "this is not well-formed XML") from None
    except (ValueError, LookupError):
        raise Malformed("", "syntax", "this is not well-formed XML") from None
    info: Any = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise _no_doctype(_line_of_doctype(raw, info.encoding or "utf-8"))
    prefixes = {address: prefix for prefix, address in namespaces.items()} | _BUILT_IN
    return Parsed(_Reading(prefixes).branch(root, "", 1), (), (info.encoding or "utf-8").lower())


def _no_doctype(line: int) -> Malformed:
    return Malformed(f"line {line}", "doctype", "a document type (DTD) or entities may not be declared; leave them out")


def _line_of_doctype(raw: bytes, encoding: str) -> int:
    """The line, from 1, of a document type in a set of more than one byte a character."""
    return raw.decode(encoding, "replace").partition("<!DOCTYPE")[0].count("\n") + 1


class _Reading:
    """One document being turned into a tree."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self._prefixes = prefixes
        self._count = 0

    def _name(self, tag: str) -> str:
        if tag[0] != "{":
            return tag
        address, _, local = tag[1:].partition("}")
        prefix = self._prefixes.get(address)
        if prefix is None:
            return tag
        return f"{prefix}:{local}" if prefix else local

    def branch(self, element: etree._Element, above: str, depth: int, number: int = 0) -> Branch:
        """The element and what is below it."""
        if depth > MAX_DEPTH:
            raise TooLarge(above, "depth", f"nested deeper than {MAX_DEPTH}")
        name = self._name(str(element.tag))
        place = f"{above}/{name}" + (f"[{number}]" if number else "")
        self._count += 1 + len(element.attrib)
        if self._count > MAX_NODES:
            raise TooLarge(place, "count", f"more than {MAX_NODES} places")
        node = Branch(name, place)
        for key, value in element.attrib.items():
            said = self._name(str(key))
            text = clean(str(value), f"{place}/@{said}")
            node.add(f"@{said}", text or None, f"{place}/@{said}", State.VALUE if text else State.EMPTY)
        self._content(element, node, depth)
        return node

    def _content(self, element: etree._Element, node: Branch, depth: int) -> None:
        text = element.text or ""
        if len(element):
            often = Counter(child.tag for child in element)
            seen: Counter[object] = Counter()
            for child in element:
                if not isinstance(child.tag, str):
                    raise Malformed(node.place, "entity", "entities may not be used")
                seen[child.tag] += 1
                number = seen[child.tag] if often[child.tag] > 1 else 0
                node.nodes.append(self.branch(child, node.place, depth + 1, number))
                text += child.tail or ""
        text = clean(text.strip(), node.place)
        if element.get(f"{{{XSI}}}nil") in ("true", "1"):
            node.state = State.NULL
            node.nodes = [child for child in node.nodes if child.name != "@xsi:nil"]
        elif node.nodes and text:
            node.add(".", text, node.place)
        elif text:
            node.value = text
        elif not node.nodes:
            node.state = State.EMPTY


def dump(tree: Node, namespaces: Mapping[str, str]) -> bytes:
    """The document as UTF-8 with a declaration; a prefix that the pack does not declare is a :class:`BrokenPack`."""
    known = {**namespaces, "xsi": XSI, "xml": XML}
    used: set[str] = set()
    root = _element(tree, known, used)
    document = _with_namespaces(root, {prefix: known[prefix] for prefix in sorted(used - {"xml"})})
    return bytes(etree.tostring(document, xml_declaration=True, encoding="UTF-8"))


def _tag(name: str, known: Mapping[str, str], used: set[str], attribute: bool = False) -> str:
    if name.startswith("{"):
        return name
    prefix, colon, local = name.rpartition(":")
    if not colon and (attribute or "" not in known):
        return name
    if prefix not in known:
        raise BrokenPack(f"manifest.yaml: the prefix {prefix} is not among the namespaces")
    used.add(prefix)
    return f"{{{known[prefix]}}}{local}"


def _element(node: Node, known: Mapping[str, str], used: set[str]) -> etree._Element:
    element = etree.Element(_tag(node.name, known, used))
    if node.state is State.NULL:
        used.add("xsi")
        element.set(f"{{{XSI}}}nil", "true")
    if node.value is not None:
        element.text = _text(node)
    for child in node.children():
        if child.name == ".":
            element.text = _text(child)
        elif child.name.startswith("@"):
            element.set(_tag(child.name[1:], known, used, True), _text(child))
        else:
            element.append(_element(child, known, used))
    return element


def _text(node: Node) -> str:
    value = node.value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _with_namespaces(root: etree._Element, prefixes: Mapping[str, str]) -> etree._Element:
    """The root again, with every prefix declared on it."""
    declared: dict[Any, str] = {(prefix or None): address for prefix, address in prefixes.items()}
    attributes: Any = dict(root.attrib)
    fresh = etree.Element(root.tag, attrib=attributes, nsmap=declared)
    fresh.text = root.text
    fresh.extend(list(root))
    etree.cleanup_namespaces(fresh, keep_ns_prefixes=[prefix for prefix in prefixes if prefix])
    return fresh
