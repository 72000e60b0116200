"""FHIR bundles made from sample bundles: what R4 lets go goes, what repeats repeats, codes and texts change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.checking.chance import Chance, Pick
from adapters.checking.context import CONTEXT
from adapters.checking.values import Making, date_text
from adapters.errors import AdapterError, Refusal
from adapters.mapping.bundles import BundlePack
from adapters.r4 import table
from adapters.r4.validate import has_errors, validate

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_FREE: Final = ("string", "markdown")
_REPEATED: Final = ("HumanName", "ContactPoint", "Address", "Annotation")
_HELD: Final = frozenset(
    {"resourceType", "id", "fullUrl", "reference", "url", "system", "meta", "entry", "resource", "focus", "eventCoding",
     "type", "contained", "request", "linkId", "extension", "status"}
)  # fmt: skip
"""Members that are left alone: what they hold together is not said in one place."""


class BundleMaker:
    """Makes bundles of one type."""

    def __init__(self, pack: BundlePack, type_: str, samples: Iterable[bytes]) -> None:
        self.pack = pack
        self.type = type_
        self.seeds = [data for raw in samples if (data := self._seed(raw)) is not None]

    def _seed(self, raw: bytes) -> Any:
        try:
            if self.pack.read(raw, CONTEXT).head.type != self.type:
                return None
        except AdapterError:
            return None
        return json.loads(raw.decode("utf-8-sig"), parse_float=Decimal)

    def make(self, pick: Pick, count: int) -> Iterator[bytes]:
        """So many bundles; what is refused is tried again, more gently."""
        chance = Chance(pick)
        for _ in range(count if self.seeds else 0):
            raw = b""
            for attempt in range(4):
                data = deepcopy(chance.one(self.seeds))
                Changer(chance, (10, 5, 2, 0)[attempt]).bundle(data)
                raw = _ENCODER.encode(data)
                if self._fits(raw):
                    break
            yield raw

    def _fits(self, raw: bytes) -> bool:
        """Whether it is still R4 (a period may have been turned round) and read."""
        try:
            strands = self.pack.read(raw, CONTEXT).strands
        except Refusal:
            return False
        return not any(has_errors(validate(strand.bundle)) for strand in strands)


class Changer:
    """Changes one bundle in place."""

    def __init__(self, chance: Chance, often: int) -> None:
        """`often`: how much of what may be taken away or changed is, in per cent."""
        self.chance = chance
        self.making = Making(chance)
        self.often = often
        self.keys: dict[str, str] = {}

    def bundle(self, data: Any) -> None:
        """Every resource of a bundle but the header; whole resources stay, since others refer to them."""
        if isinstance(data.get("identifier"), dict):
            data["identifier"]["value"] = f"TN{self.chance.pick(10**8)}"
        for entry in data.get("entry", []):
            resource = entry.get("resource", {})
            if resource.get("resourceType") != "MessageHeader":
                self.element(resource, str(resource.get("resourceType")))

    def element(self, element: Any, node: str) -> None:
        """The members of one element."""
        for name in list(element):
            found = table.element(f"{node}.{name}") if not name.startswith("_") else None
            if name in _HELD or found is None:
                continue
            if not found.min and not self._used(element, name) and self.chance.yes(self.often):
                del element[name]
                element.pop(f"_{name}", None)
                continue
            self._member(element, name, found)

    def _used(self, element: Any, name: str) -> bool:
        """Whether another member means this one: taking it away alone would break an invariant."""
        held = element[name]
        items = held if isinstance(held, list) else [held]
        return len(element) < 2 or any(isinstance(item, dict) and "reference" in item for item in items)

    def _member(self, element: Any, name: str, found: table.Element) -> None:
        held = element[name]
        if found.node:
            for item in held if isinstance(held, list) else [held]:
                if isinstance(item, dict):
                    self.element(item, found.node)
            if isinstance(held, list) and found.types[0] in _REPEATED and self.chance.yes(self.often):
                held.append(deepcopy(self.chance.one(held)))
            return
        if self.chance.yes(100 - 6 * self.often):
            return
        if isinstance(held, list):
            element[name] = [self._value(item, found) for item in held]
        else:
            element[name] = self._value(held, found)

    def _value(self, value: Any, found: table.Element) -> Any:
        kind = found.types[0]
        if kind in _FREE and isinstance(value, str):
            if found.name == "value":  # a number that stands twice stays the same number
                return self.keys.setdefault(value, self.making.key())
            return self.making.text()
        if kind in ("date", "dateTime", "instant") and isinstance(value, str):
            said = date_text(self.making, "iso", kind)
            return said if "T" not in said or said[-1] == "Z" or "+" in said or said[-6] == "-" else f"{said}+07:00"
        codes = table.required_codes(found.path)
        if codes and isinstance(value, str):
            return self.chance.one(sorted(codes))
        return value
