"""Codes and identifiers as Consents write them, leniently read, and which of them the engine knows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from consent.model import Code
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    ACT_REASON_SYSTEM,
    CONFIDENTIALITY_SYSTEM,
    DATA_CLASS_SYSTEM,
    TAINT_SYSTEM,
    Action,
    Confidentiality,
    DataClass,
    Sensitivity,
    Taint,
)

RESOURCE_TYPE_SYSTEM: Final = "http://hl7.org/fhir/resource-types"
ACTION_SYSTEMS: Final = frozenset(
    {
        "http://terminology.hl7.org/CodeSystem/consentaction",
        "http://hl7.org/fhir/consentaction",
        "http://terminology.hl7.org/CodeSystem/consentaction/",
    }
)
PURPOSES_OF_USE: Final = frozenset(
    {
        "PurposeOfUse", "HMARKT", "HOPERAT", "CAREMGT", "DONAT", "FRAUD", "GOV", "HACCRED", "HCOMPL",
        "HDECD", "HDIRECT", "HDM", "HLEGAL", "HOUTCOMS", "HPRGRP", "HQUALIMP", "HSYSADMIN", "LABELING",
        "METAMGT", "MEMADMIN", "MILCDM", "PATADMIN", "PATSFTY", "PERFMSR", "RECORDMGT", "SYSDEV",
        "HTEST", "TRAIN", "HPAYMT", "CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM", "ELIGVER", "ENROLLM",
        "MILDCRG", "REMITADV", "HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC",
        "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH", "PATRQT", "FAMRQT", "PWATRNY", "SUPNWK",
        "PUBHLTH", "DISASTER", "THREAT", "TREAT", "CLINTRL", "COC", "ETREAT", "BTG", "ERTREAT",
        "POPHLTH", "TREATDS",
    }
)  # fmt: skip
"""The v3-ActReason codes below PurposeOfUse; any other code in `purpose` cannot be read."""

KNOWN_LABELS: Final = frozenset(
    [Code(ACT_CODE_SYSTEM, label.value) for label in Sensitivity]
    + [Code(CONFIDENTIALITY_SYSTEM, label) for label in ("U", "L", "M", *(one.value for one in Confidentiality))]
    + [Code(TAINT_SYSTEM, taint.value) for taint in Taint]
)
"""Labels that labelling can put on an item; a consent that names another one cannot be read in full."""


def as_list(value: Any) -> list[Any]:
    """A list as it is, nothing as an empty list, anything else as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def codes_of(value: Any) -> tuple[Code, ...]:
    """The codes of a Coding, a CodeableConcept, a list of either, or an R5 CodeableReference."""
    if value is None:
        return ()
    found: list[Code] = []
    for one in value if isinstance(value, list) else (value,):
        if isinstance(one, dict):
            code = one.get("code")
            if "coding" in one or "concept" in one:
                found += codes_of(one.get("coding")) or codes_of(one.get("concept"))
            elif isinstance(code, str):
                found.append(code_of(text_of(one.get("system")), code))
        elif isinstance(one, str):
            found.append(code_of("", one))
    return tuple(found)


@lru_cache(maxsize=8192)
def code_of(system: str, code: str) -> Code:
    """The Code of these two words; the same few stand in every Consent and every bundle."""
    return Code(system, code)


def identifiers_of(value: Any) -> list[Code]:
    """Business identifiers as (system, value), from an object or a list."""
    return [
        code_of(text_of(one.get("system")), one["value"])
        for one in as_list(value)
        if isinstance(one, dict) and isinstance(one.get("value"), str)
    ]


def text_of(value: Any) -> str:
    """A string as it is, anything else as none."""
    return value if isinstance(value, str) else ""


_ACTIONS: Final = frozenset(action.value for action in Action)
_DATA_CLASSES: Final = frozenset(data_class.value for data_class in DataClass)


def known_label(code: Code) -> bool:
    """Whether labelling can put this label on an item."""
    return code in KNOWN_LABELS


def known_purpose(code: Code) -> bool:
    """Whether this is a purpose of use."""
    return code.code in PURPOSES_OF_USE and code.system in ("", ACT_REASON_SYSTEM, "http://hl7.org/fhir/v3/ActReason")


def known_action(code: Code) -> bool:
    """Whether this is a consent action."""
    return code.code in _ACTIONS and (not code.system or code.system in ACTION_SYSTEMS)


def known_class(code: Code) -> bool:
    """Whether this names a data class, a resource type or a document type."""
    if code.system == DATA_CLASS_SYSTEM:
        return code.code in _DATA_CLASSES
    return code.system in (RESOURCE_TYPE_SYSTEM, "http://hl7.org/fhir/fhir-types", "http://loinc.org") or (
        not code.system and code.code[:1].isupper()
    )
