"""What tests of packs share: the built-in packs, one fixed context, samples with their expected bundles, comparing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from adapters.library import BUILT_IN, load_pack, read_folder
from adapters.pack import Context, Pack, Strand

CONTEXT = Context(at=datetime.fromisoformat("2026-03-06T08:00:00+07:00"), agency="sample-agency", salt=b"sample")
"""The context in which every expected bundle was read."""


@cache
def pack(id_: str) -> Pack:
    """A built-in pack."""
    return load_pack(read_folder(BUILT_IN / id_), lazy=True)


def sample(id_: str, name: str) -> bytes:
    """A sample message of a pack."""
    return (BUILT_IN / id_ / "samples" / name).read_bytes()


def samples(id_: str) -> list[str]:
    """The names of a pack's sample messages."""
    folder = BUILT_IN / id_ / "samples"
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".bundle.json"))


def expected(id_: str, name: str) -> list[dict[str, Any]]:
    """The bundles that stand beside a sample, one for each strand."""
    path = BUILT_IN / id_ / "samples" / f"{Path(name).stem}.bundle.json"
    found = loads(path.read_bytes())
    return found if isinstance(found, list) else [found]


def loads(raw: bytes) -> Any:
    """Parsed JSON whose decimals keep their digits."""
    return json.loads(raw, parse_float=Decimal)


def plain(value: Any) -> Any:
    """A value with decimals as text, so that 1.50 is not 1.5."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Decimal | int) and not isinstance(value, bool) else value


def said_as_read(strand: Strand, fields: Mapping[str, str]) -> Context:
    """The context that says a message's own header again."""
    return replace(CONTEXT, header=fields, at=datetime.fromisoformat(fields.get("at") or CONTEXT.at.isoformat()))


def resources(bundle: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The resources of one type."""
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def classes(resource: Mapping[str, Any]) -> set[str]:
    """The data classes of a resource."""
    return {c["code"] for c in resource["meta"]["security"] if c["system"].endswith("/data-class")}


def references(value: Any) -> Iterator[str]:
    """Every literal reference below."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("reference"), str):
            yield item["reference"]
        yield from references(item)


def without(bundle: dict[str, Any], *unwanted: str) -> dict[str, Any]:
    """The bundle without resources of some data classes and without references to them, as a release would leave it."""
    kept = [
        e for e in bundle["entry"] if not e["resource"].get("meta", {}).get("security") or not unwanted_in(e, unwanted)
    ]
    urls = {entry["fullUrl"] for entry in kept}

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            if "reference" in value and value["reference"] not in urls:
                return None
            items = {key: clean(item) for key, item in value.items()}
            return {key: item for key, item in items.items() if item is not None}
        if isinstance(value, list):
            return [item for item in map(clean, value) if item is not None] or None
        return value

    found = clean({**bundle, "entry": kept})
    assert isinstance(found, dict)
    return found


def unwanted_in(entry: Mapping[str, Any], unwanted: tuple[str, ...]) -> bool:
    """Whether an entry is of an unwanted class."""
    return bool(classes(entry["resource"]) & set(unwanted))


def xml(raw: bytes) -> list[tuple[str, str]]:
    """An XML document as its elements in order with their text: what it says, without how it is laid out."""
    root = etree.fromstring(raw)
    return [(str(element.tag), (element.text or "").strip()) for element in root.iter()]
