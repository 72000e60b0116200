"""Fifty entries released to the treating hospital, and to police under an order; and the same parsed by others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

import consent
from bench.figures import Unmeasurable
from consent.model import (
    Decision,
    Disclosure,
    FactRef,
    Facts,
    Order,
    OrderItem,
    Party,
    Span,
    Treating,
)
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, Event, Purpose, Sector

AT: Final = datetime(2026, 6, 15, 9, tzinfo=UTC)
ENTRIES: Final = 50
LOINC: Final = "http://loinc.org"


def bundle() -> dict[str, Any]:
    """A header, a child, a report and 47 observations of one exam, labelled as readers and rules label them."""
    entries = [_header(), _patient(), *(_observation(number) for number in range(ENTRIES - 3)), _report(ENTRIES - 3)]
    policy = consent.read_policy(consent.policy_documents())
    return consent.label({"resourceType": "Bundle", "type": "message", "entry": entries}, policy)


def _meta(data_class: DataClass) -> dict[str, Any]:
    return {"security": [{"system": DATA_CLASS_SYSTEM, "code": data_class.value}]}


def _header() -> dict[str, Any]:
    resource = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": "urn:event", "code": "result"},
        "source": {"endpoint": "urn:hospital", "name": "Bệnh viện Mẫu"},
        "focus": [{"reference": "urn:uuid:report"}],
    }
    return {"fullUrl": "urn:uuid:header", "resource": resource}


def _patient() -> dict[str, Any]:
    resource = {
        "resourceType": "Patient",
        "meta": _meta(DataClass.DEMOGRAPHICS),
        "identifier": [{"system": "urn:mrn", "value": "MAU-1"}],
        "name": [{"family": "Thử-Nghiệm", "given": ["Mẫu"]}],
        "gender": "female",
        "birthDate": "2014-03-01",
        "address": [{"text": "1 Phố Mẫu", "city": "Hà Nội"}],
    }
    return {"fullUrl": "urn:uuid:patient", "resource": resource}


def _observation(number: int) -> dict[str, Any]:
    resource = {
        "resourceType": "Observation",
        "id": f"o{number}",
        "meta": _meta(DataClass.MEDICAL_EXAM),
        "status": "final",
        "category": [{"coding": [{"system": "urn:category", "code": "exam"}]}],
        "code": {"coding": [{"system": LOINC, "code": f"{1000 + number}-0", "display": "Chỉ số mẫu"}]},
        "subject": {"reference": "urn:uuid:patient"},
        "effectiveDateTime": "2026-06-10T08:00:00+07:00",
        "issued": "2026-06-10T09:00:00+07:00",
        "valueQuantity": {"value": number, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"},
        "interpretation": [{"coding": [{"system": "urn:interpretation", "code": "N"}]}],
        "referenceRange": [{"low": {"value": 1}, "high": {"value": 99}}],
        "note": [{"text": "Ghi chú mẫu"}],
    }
    return {"fullUrl": f"urn:uuid:o{number}", "resource": resource}


def _report(count: int) -> dict[str, Any]:
    resource = {
        "resourceType": "DiagnosticReport",
        "meta": _meta(DataClass.MEDICAL_EXAM),
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "11502-2"}]},
        "subject": {"reference": "urn:uuid:patient"},
        "result": [{"reference": f"urn:uuid:o{number}"} for number in range(count)],
        "conclusion": "Kết luận mẫu",
    }
    return {"fullUrl": "urn:uuid:report", "resource": resource}


def _decision(labelled: dict[str, Any], recipient: Party, facts: Facts) -> Decision:
    disclosure = Disclosure(
        sender=Party("sender"),
        recipient=recipient,
        person="person-child",
        case="case",
        event=Event.RESULT,
        purposes=frozenset({Purpose.TREAT}),
        items=consent.items_of(labelled, "sender"),
    )
    return consent.decide(disclosure, facts, consent.read_policy(consent.policy_documents()), AT)


def _permitted(labelled: dict[str, Any]) -> list[Decision]:
    """Two decisions on it: everything leaves to the treating hospital, a summary to police under an order."""
    since = Span(datetime(2026, 1, 1, tzinfo=UTC))
    known = Facts(person="person-child", birth_date=date(2014, 3, 1))
    treating = replace(known, treating=(Treating(FactRef("treating", "1", 1), "health", since),))
    lines = tuple(OrderItem(each, recipient="police") for each in (DataClass.MEDICAL_EXAM, DataClass.DEMOGRAPHICS))
    order = Order(
        FactRef("order", "1", 1), "12/QĐ", "procuracy", date(2026, 6, 1), lines, entered_by="a", verified_by="b"
    )
    return [
        _decision(labelled, Party("health", Sector.HEALTH), treating),
        _decision(labelled, Party("police", Sector.POLICE), replace(known, orders=(order,))),
    ]


def ours() -> dict[str, Callable[[], Any]]:
    """Release of the whole to the treating hospital, and of its summary to police."""
    labelled = bundle()
    whole, summary = _permitted(labelled)
    for decision in (whole, summary):
        left = consent.release(labelled, decision)
        if len(left["entry"]) != ENTRIES:
            raise Unmeasurable(f"{len(left['entry'])} of {ENTRIES} entries are released")
    return {
        "whole": lambda: consent.release(labelled, whole),
        "summary": lambda: consent.release(labelled, summary),
    }


def peer() -> dict[str, Callable[[], Any]]:
    """fhir.resources, R4B: the same bundle, from its text."""
    from fhir.resources.R4B.bundle import Bundle

    text = json.dumps(bundle()).encode()
    if len(Bundle.model_validate_json(text).entry) != ENTRIES:
        raise Unmeasurable("fhir.resources does not find the entries")
    return {"parse": lambda: Bundle.model_validate_json(text)}
