"""What is known only as a fact about the child: an Observation under the strictest class that its words allow."""

from __future__ import annotations

from typing import Any

from adapters.drafting.rows import DraftRow, guessed
from adapters.drafting.survey import Spot
from adapters.drafting.values import Look
from adapters.drafting.words import slug

FACT = 0.3
_START = frozenset({"start", "begin", "from", "opened", "decom", "tu"})
_END = frozenset({"end", "until", "closure", "closed", "dec", "den"})
_YES = ("true", "1", "y", "yes", "x", "co", "có")
_NO = ("false", "0", "n", "no", "khong", "không")


def value_row(place: str, seen: Look, spot: Spot, codes: str) -> dict[str, Any] | None:
    """A value as one alternative of ``value[x]``; None for what only people can tell (text)."""
    at = {"at": place}
    if seen.kind == "code" and codes:
        kept = {} if spot.codes else {"unknown": "keep"}
        return {**at, "to": "valueCodeableConcept.coding", "codes": codes, **kept, **as_number(spot)}
    if seen.kind == "date":
        return {**at, "to": "valueDateTime", "date": list(seen.forms) if len(seen.forms) > 1 else seen.forms[0]}
    if seen.kind == "flag":
        return {**at, "to": "valueBoolean", "bool": flags(spot)}
    if seen.kind == "number" and spot.whole:
        return {**at, "to": "valueInteger", "integer": "yes"}
    if seen.kind == "number":
        return {**at, "to": "valueQuantity.value", "decimal": "," if any("," in v for v in spot.values) else "."}
    return None


def as_number(spot: Spot) -> dict[str, str]:
    """What a row says beside when the format has its codes or keys as numbers."""
    return {"integer": "yes"} if spot.native == {"number"} else {}


def flags(spot: Spot) -> dict[str, Any]:
    """What of the values (and of what a schema allows) means yes, and what no."""
    if "bool" in spot.native:
        return {"true": "$true", "false": "$false"}
    said = [*spot.values, *(code for code in spot.codes if code not in spot.values)]
    yes = [value for value in said if value.lower() in _YES]
    no = [value for value in said if value.lower() in _NO]
    if not yes or not no:
        pairs = (("true", "false"), ("1", "0"), ("yes", "no"), ("y", "n"), ("có", "không"), ("co", "khong"), ("x", "-"))
        low = {value.lower() for value in said}
        pair = next((pair for pair in pairs if low & set(pair)), pairs[0])
        upper = any(value.isupper() for value in said)
        yes, no = yes or [pair[0].upper() if upper else pair[0]], no or [pair[1].upper() if upper else pair[1]]
    return {"true": yes if len(yes) > 1 else yes[0], "false": no if len(no) > 1 else no[0]}


def local_code(pack_id: str, system: str, spot: Spot) -> str:
    """The agency's own code of a fact, as a default says it."""
    return f"${{hub}}/CodeSystem/local/{pack_id}/{system}|{slug(spot.name)}"


def fact(pack_id: str, place: str, spot: Spot, data_class: str, value: dict[str, Any], why: str) -> DraftRow:
    """One leaf as an Observation of its own."""
    inner = {**value, "at": "."}
    fields = {
        "each" if spot.many else "at": place,
        "make": "Observation",
        "link": "Observation.subject",
        "class": data_class,
        "key": [{"of": "child", "by": ["code.coding.code", _path_of(value)]}],
        "where": {f"code.coding[system=${{hub}}/CodeSystem/local/{pack_id}/fact].code": slug(spot.name)},
    }
    status = DraftRow({"to": "status", "default": "unknown"})
    return DraftRow(fields, [status, DraftRow(inner, None, "", (spot.place,))], guessed(FACT, why), (spot.place,))


def _path_of(value: dict[str, Any]) -> str:
    return f"{value['to']}.code" if value["to"].endswith(".coding") else str(value["to"])


def component(pack_id: str, place: str, spot: Spot, value: dict[str, Any]) -> DraftRow:
    """One leaf as a component of a fact that has several."""
    inner = {**value, "at": "."}
    fields = {
        "each" if spot.many else "at": place,
        "to": "component",
        "where": {f"code.coding[system=${{hub}}/CodeSystem/local/{pack_id}/fact].code": slug(spot.name)},
        "rows": [inner],
    }
    return DraftRow(fields, None, guessed(FACT, "a part of this fact"), (spot.place,))


def period_end(words: tuple[str, ...]) -> str:
    """Which end of a period a date's words say: ``start``, ``end`` or ""."""
    if set(words) & _END:
        return "end"
    return "start" if set(words) & _START else ""
