"""Which syntax the samples are in, and what to read them with: codec, character set, namespaces, a set of files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from adapters.codecs import charsets, er7
from adapters.codecs import csv as csv_codec
from adapters.codecs import json as json_codec
from adapters.codecs import xml as xml_codec
from adapters.codecs.common import Parsed
from adapters.errors import Malformed

MEDIA_TYPES = {
    "er7": ("x-application/hl7-v2+er7",), "xml": ("application/xml", "text/xml"), "json": ("application/json",),
    "csv": ("text/csv", "application/zip"),
}  # fmt: skip
_BOM = b"\xef\xbb\xbf"
_BUILT_IN = {"http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace"}


@dataclass(frozen=True, slots=True)
class Sources:
    """The samples as messages, and the syntax that they are in."""

    codec: str
    messages: Mapping[str, bytes]
    """File name -> bytes; a set of CSV files is one ZIP."""
    charset: str = "utf-8"
    namespaces: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def parse(self, raw: bytes) -> Parsed:
        """A message as the pack's codec will read it."""
        if self.codec == "er7":
            return er7.parse(raw)
        if self.codec == "json":
            return json_codec.parse(raw)
        if self.codec == "csv":
            return csv_codec.parse(raw, _legacy(self.charset))
        return xml_codec.parse(raw, self.namespaces)


def recognise(samples: Mapping[str, bytes]) -> Sources:
    """Guess the syntax of some samples; raises :class:`Malformed` for none, or several that differ."""
    if not samples:
        raise Malformed("", "empty", "a draft needs a sample")
    kinds = {name: codec_of(raw) for name, raw in samples.items()}
    if len(set(kinds.values())) > 1:
        raise Malformed("", "syntax", "the samples are of several syntaxes: draft one pack for each")
    codec = next(iter(kinds.values()))
    if codec == "csv":
        return _csv(samples)
    notes = tuple(f"{name}: begins with a byte order mark" for name, raw in samples.items() if raw.startswith(_BOM))
    return Sources(codec, dict(samples), "utf-8", _namespaces(samples.values()) if codec == "xml" else {}, notes)


def codec_of(raw: bytes) -> str:
    """``er7``, ``xml``, ``json`` or ``csv``."""
    start = raw.removeprefix(_BOM).lstrip()[:4]
    if raw.startswith(b"PK\x03\x04"):
        return "csv"
    if start[:3] in (b"MSH", b"FHS", b"BHS"):
        return "er7"
    if start[:1] == b"<":
        return "xml"
    return "json" if start[:1] in (b"{", b"[") else "csv"


def _namespaces(documents: object) -> dict[str, str]:
    """Prefixes for the namespaces in use: the sender's own, the most used of a clash; a default one without prefix is
    given a name, for a place cannot be said in it otherwise."""
    said: Counter[tuple[str, str]] = Counter()
    for raw in documents:  # type: ignore[attr-defined]
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(raw, parser)
        except etree.XMLSyntaxError as error:
            raise Malformed(f"line {error.lineno or 0}", "syntax", "this is not well-formed XML") from None
        for element in root.iter(etree.Element):
            for tag in (element.tag, *element.attrib):
                address = etree.QName(str(tag)).namespace
                prefix = next((p for p, a in element.nsmap.items() if a == address and p), "")
                if address and address not in _BUILT_IN:
                    said[(address, prefix)] += 1
    found: dict[str, str] = {}
    for (address, prefix), _ in said.most_common():
        if address in found.values():
            continue
        name = prefix or _short(address)
        while name in found:
            name += "x"
        found[name] = address
    return found


def _short(address: str) -> str:
    """A prefix for a namespace that has none: letters of its last telling part."""
    parts = [part for part in re.split(r"[/:.#-]+", address) if re.fullmatch(r"[A-Za-z]{2,}", part)]
    telling = [part for part in parts if part.lower() not in ("http", "https", "www", "org", "com", "urn", "xml", "ns")]
    return (telling[-1] if telling else "m").lower()[:8]


def _csv(samples: Mapping[str, bytes]) -> Sources:
    charset, notes = "utf-8", []
    for name, raw in samples.items():
        if raw.startswith(_BOM):
            notes.append(f"{name}: begins with a byte order mark")
        if not raw.startswith((b"PK", b"\xff\xfe", b"\xfe\xff")) and not _is_utf8(raw):
            found = charsets.likeliest(raw, charsets.VIETNAMESE)
            charset = found[0] if found is not None else "windows-1258"
            sure = (
                "in which its words are Vietnamese" if found is not None else "a guess: say the right one in `charset`"
            )
            notes.append(f"{name}: is not UTF-8; read as {charset}, {sure}")
    messages = dict(samples)
    if len(samples) > 1 and _differ(samples, charset):
        messages = {"set.zip": csv_codec.zipped(samples)}
    return Sources("csv", messages, charset, {}, tuple(notes))


def _legacy(charset: str) -> tuple[str, ...]:
    """What a CSV file may be in that is not UTF-8."""
    return () if charset == "utf-8" else (charset,)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _differ(samples: Mapping[str, bytes], charset: str) -> bool:
    """Whether the files have other columns each: then they are one set, not several samples of one file."""
    headings = []
    for raw in samples.values():
        rows = list(csv_codec.parse(raw, _legacy(charset)).tree.children())
        headings.append({cell.name for cell in rows[0].children()} if rows else set())
    first = headings[0]
    return any(2 * len(first & other) < max(len(first), len(other), 1) for other in headings[1:])
