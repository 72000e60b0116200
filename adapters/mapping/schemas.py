"""The agreed schema of a message: XSD (with lxml), JSON Schema or a table of columns, compiled when first asked."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from lxml import etree

from adapters.errors import BrokenPack, Malformed, Unwritable
from adapters.mapping.columns import MISSING, Columns
from adapters.tree import Node


class _Folder(etree.Resolver):
    """Gives the pack's own schema files to the XSD compiler; nothing is fetched."""

    def __init__(self, files: Mapping[str, bytes], base: str) -> None:
        super().__init__()
        self._files = files
        self._base = base

    def resolve(self, url: str, public_id: str, context: Any = None) -> Any:
        """The file that an import names, relative to the schema or by its path in the pack."""
        said = url.removeprefix("file://").removeprefix("pack:/")
        for name in (said.lstrip("/"), posixpath.normpath(posixpath.join(self._base, said))):
            if name in self._files:
                return self.resolve_string(self._files[name], context, base_url=f"pack:/{name}")
        raise BrokenPack(f"{self._base}: the schema asks for a file that is not in the pack")


class Schema:
    """One schema file of a pack."""

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        if name not in files:
            raise BrokenPack(f"manifest.yaml: there is no schema {name}")
        self.name = name
        self._files = files
        self._xsd: etree.XMLSchema | None = None
        self._json: Any = None
        self._columns: Columns | None = None

    def compile(self) -> None:
        """Read the schema; one that cannot be is a :class:`BrokenPack`."""
        if self._xsd is not None or self._json is not None or self._columns is not None:
            return
        if self.name.endswith(".csv"):
            self._columns = Columns(self.name, self._files[self.name])
        elif self.name.endswith(".json"):
            self._json = self._compile_json()
        else:
            self._xsd = self._compile_xsd()

    def _compile_json(self) -> Any:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError

        try:
            schema = json.loads(self._files[self.name])
            Draft202012Validator.check_schema(schema)
        except (ValueError, SchemaError):
            raise BrokenPack(f"{self.name}: is no JSON Schema") from None
        return Draft202012Validator(schema)

    def _compile_xsd(self) -> etree.XMLSchema:
        parser = etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)
        parser.resolvers.add(_Folder(self._files, posixpath.dirname(self.name)))
        try:
            tree = etree.fromstring(self._files[self.name], parser, base_url=f"pack:/{self.name}")
            return etree.XMLSchema(etree=tree)
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
            raise BrokenPack(f"{self.name}: is no XSD ({type(error).__name__}: {error})") from None

    def check_inbound(self, tree: Node, raw: bytes) -> None:
        """Refuse a message that breaks the schema, naming the place and the rule, never the value."""
        for place, why, _ in self._faults(raw, closed=False):
            raise Malformed(place, "schema", why)

    def check_outbound(self, raw: bytes) -> None:
        """Refuse to send what breaks the schema: of kind ``required`` where something is wanting, ``value`` where the
        schema has no word for what is said, else ``schema``."""
        for place, why, wanting in self._faults(raw, closed=True):
            kind = "required" if wanting else "value" if _of_value(why) else "schema"
            raise Unwritable(place, kind, why)

    def _faults(self, raw: bytes, closed: bool) -> list[tuple[str, str, bool]]:
        """The first fault, and whether something is wanting; `closed`: a column that a table does not name is one
        (others say so themselves)."""
        self.compile()
        if self._columns is not None:
            return [(place, why, why == MISSING) for place, why in self._columns.faults(raw, closed)][:1]
        if self._xsd is not None:
            document = etree.fromstring(raw, etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False))
            if self._xsd.validate(document):
                return []
            log: Any = self._xsd.error_log
            first = log[0]
            wanted = self._wanting(document, first) or _ended(str(first.message))
            said = f"{wanted} is missing" if wanted else _rule(first.type_name)
            return [(_no_values(str(first.path or "")), f"breaks the agreed schema: {said}", bool(wanted))]
        fault = next(iter(self._json.iter_errors(json.loads(raw))), None)
        if fault is None:
            return []
        pointer = "".join(f"/{part}" for part in fault.absolute_path)
        missing = _missing(fault)
        return [(pointer, f"breaks the agreed schema: {fault.validator}{missing}", bool(missing))]

    def _wanting(self, document: Any, fault: Any) -> str:
        """The element whose absence is the fault, by the message's own prefix; "an element" when any of several would
        do; "" when the fault is another.

        What stands before its time is in its place once all that has to come before it is put there: then that was
        missing, else it stands where it may not.
        """
        names, wildcard = _expected(fault)
        if "Missing child" in fault.message:
            return _prefixed(names[0], document) if len(names) == 1 and not wildcard else _ANY
        if not names:
            return ""
        prefixes = {name: uri for name, uri in document.nsmap.items() if name}
        found = document.xpath(fault.path, namespaces=prefixes) if fault.path else []
        if not found:
            return _ANY
        here, put = found[0], []
        for _ in range(_MOST_WANTING):
            put.append((etree.Element(names[-1]), names))
            here.addprevious(put[-1][0])
            again = self._unexpected(document, here)
            if again is None:
                return self._needed(document, here, put)
            names, _ = _expected(again)
            if not names:
                break
        return ""

    def _unexpected(self, document: Any, *elements: Any) -> Any:
        """The fault that one of some elements stands before its time; None when none does."""
        assert self._xsd is not None
        self._xsd.validate(document)
        log: Any = self._xsd.error_log
        paths = {document.getroottree().getpath(element) for element in elements}
        return next((one for one in log if one.path in paths and "not expected" in one.message), None)

    def _needed(self, document: Any, here: Any, put: list[tuple[Any, list[str]]]) -> str:
        """The first of the elements put before `here` without which something stands before its time: those before it
        were not missing (libxml2 names no more than ten, and of these the optional ones first)."""
        for number, (node, names) in enumerate(put):
            rest = [one for one, _ in put[number + 1 :]]
            after, parent = node.getnext(), node.getparent()
            parent.remove(node)
            if self._unexpected(document, *rest, here) is None:
                continue
            for other in names[:-1]:
                instead = etree.Element(other)
                after.addprevious(instead)
                if self._unexpected(document, instead, *rest, here) is None:
                    return _ANY
                parent.remove(instead)
            return _prefixed(node.tag, document)
        return ""


_ANY = "an element"
_MOST_WANTING = 20
"""How many elements are tried before one that stands before its time."""
_RULES = {
    "ENUMERATION": "the value is none of the agreed ones",
    "PATTERN": "the value has not the agreed form",
    "MINLENGTH": "the value is too short",
    "MAXLENGTH": "the value is too long",
    "LENGTH": "the value has not the agreed length",
    "DATATYPE": "the value is not of the agreed type",
    "ELEMENT_CONTENT": "an element stands where it may not",
    "COMPLEX_TYPE_3": "an attribute stands where it may not",
    "COMPLEX_TYPE_4": "an attribute is missing",
}


_VALUES = ("type", "enum", "const", "pattern", "format", "minLength", "maxLength", "minimum", "maximum")
"""JSON Schema's rules of a value."""


def _of_value(why: str) -> bool:
    """Whether the fault is a value's, not that of where something stands."""
    said = why.partition(": ")[2]
    return said.startswith("the value") or said in _VALUES or said == "this may not stand here"


def _rule(name: str) -> str:
    """libxml2's rule in words."""
    return next((said for part, said in _RULES.items() if part in name), name.lower())


def _expected(fault: Any) -> tuple[list[str], bool]:
    """What libxml2 would have instead of what stands there or of the end, in the schema's order, as far as it tells;
    and whether something of another namespace would do."""
    _, _, listed = str(fault.message).partition("Expected is ")
    names = [name.strip() for name in listed.partition("(")[2].partition(" )")[0].split(",")]
    return [name for name in names if name and "*" not in name], any("*" in name for name in names)


def _prefixed(name: str, document: Any) -> str:
    """A name in Clark's form, by the message's own prefix."""
    qualified = etree.QName(name)
    prefix = next((said for said, uri in document.nsmap.items() if uri == qualified.namespace), None)
    return f"{prefix}:{qualified.localname}" if prefix else qualified.localname


def _ended(message: str) -> str:
    """What is wanted where an element ends too early and one of several might have stood: nothing is out of place."""
    return _ANY if message.partition(": ")[2].startswith("Missing child element") else ""


def _missing(fault: Any) -> str:
    """Names of required members that are not there (names of the schema, not of the message)."""
    if fault.validator != "required" or not isinstance(fault.instance, dict):
        return ""
    return " " + ", ".join(name for name in fault.validator_value if name not in fault.instance)


def _no_values(path: str) -> str:
    return re.sub(r"\*|[^\w/:\[\].@-]", "", path)
