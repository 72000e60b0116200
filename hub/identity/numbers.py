"""Whose record number a number is: what is an agency's own may not stand in another's records as theirs.

A format has one place for "the record number", and whoever reads it takes it for its own: the hospital's 1234 would
open the shelter's file 1234, which is another child's. So ``MR`` says to each recipient: yours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from hub.bundles import V2_IDENTIFIER_TYPE, Json

OWN: Final = "MR"
EXTERNAL: Final = "PT"
"""Patient external identifier: a number that somebody else gave (HL7 v2 table 0203)."""
_SAID_SO: Final = frozenset({OWN, EXTERNAL, ""})
"""Types by which senders give a record number; many give none."""


def as_told_to(bundle: dict[str, Any], recipient: Set[str]) -> dict[str, Any]:
    """A copy for an agency, by all its names, that did not send it: record numbers that it gave itself are ``MR``, all
    others ``PT``."""
    entries = [_told(entry, recipient) for entry in bundle.get("entry", ())]
    return {**bundle, "entry": entries} if entries else bundle


def _told(entry: Json, recipient: Set[str]) -> dict[str, Any]:
    patient = entry.get("resource", {})
    if patient.get("resourceType") != "Patient" or not patient.get("identifier"):
        return dict(entry)
    numbers = [_typed(each, recipient) for each in patient["identifier"]]
    return {**entry, "resource": {**patient, "identifier": numbers}}


def _typed(number: Json, recipient: Set[str]) -> dict[str, Any]:
    codings = number.get("type", {}).get("coding", ())
    kinds = {str(each.get("code", "")) for each in codings} or {""}
    if not kinds & _SAID_SO or not number.get("value"):
        return dict(number)
    code = OWN if set(_assigners(number)) & recipient else EXTERNAL
    said = {key: value for key, value in number.get("type", {}).items() if key != "coding"}
    others = [each for each in codings if each.get("code") not in _SAID_SO]
    return {**number, "type": {**said, "coding": [{"system": V2_IDENTIFIER_TYPE, "code": code}, *others]}}


def _assigners(number: Mapping[str, Any]) -> Iterator[str]:
    """Who gave it, in every way in which a format may say so."""
    assigner = number.get("assigner", {})
    for said in (assigner.get("display"), assigner.get("identifier", {}).get("value"), number.get("system")):
        if said:
            yield str(said)
