"""Sound R4 resources of the kinds that the hub speaks; all people and places are invented."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

Json = dict[str, Any]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
THO = "http://terminology.hl7.org/CodeSystem/"


def urn(number: int) -> str:
    """Make a fullUrl."""
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


PATIENT: Json = {
    "resourceType": "Patient",
    "id": "tre-em-1",
    "meta": {
        "security": [{"system": f"{THO}v3-Confidentiality", "code": "R"}],
        "lastUpdated": "2026-05-04T08:30:00+07:00",
    },
    "text": {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Trẻ&nbsp;em <b>mẫu</b></p></div>',
    },
    "identifier": [{"type": {"coding": [{"system": f"{THO}v2-0203", "code": "NI"}]}, "value": "079300000001"}],
    "active": True,
    "name": [{"use": "official", "text": "Mẫu Thị Thử", "family": "Mẫu", "given": ["Thị", "Thử"]}],
    "telecom": [{"system": "phone", "value": "+84 28 0000 0000", "rank": 1}],
    "gender": "female",
    "birthDate": "2016-02-29",
    "_birthDate": {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                "valueDateTime": "2016-02-29T14:35:45+07:00",
            }
        ]
    },
    "deceasedBoolean": False,
    "contact": [{"relationship": [{"text": "mẹ"}], "name": {"text": "Mẫu Thị Mẹ"}}],
    "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "vi"}]}, "preferred": True}],
}

RELATED_PERSON: Json = {
    "resourceType": "RelatedPerson",
    "patient": {"reference": "Patient/tre-em-1"},
    "relationship": [{"coding": [{"system": f"{THO}v3-RoleCode", "code": "MTH"}]}],
    "name": [
        {"given": ["Thị", None], "_given": [None, {"extension": [{"url": "https://e.example/q", "valueCode": "IN"}]}]}
    ],
    "period": {"start": "2016", "end": "2026-05"},
}

OBSERVATION: Json = {
    "resourceType": "Observation",
    "contained": [{"resourceType": "Specimen", "id": "mau", "type": {"text": "máu"}}],
    "status": "final",
    "code": {"coding": [{"system": LOINC, "code": "718-7", "display": "Hemoglobin"}]},
    "subject": {"reference": "Patient/tre-em-1", "type": "Patient"},
    "effectiveDateTime": "2026-05-04T08:30:00.123+07:00",
    "valueQuantity": {
        "value": Decimal("11.50"),
        "comparator": "<",
        "unit": "g/dL",
        "system": UCUM,
        "code": "g/dL",
    },
    "specimen": {"reference": "#mau"},
    "referenceRange": [{"low": {"value": 11}, "high": {"value": 15.5}, "text": "11-15.5"}],
}

CONDITION: Json = {
    "resourceType": "Condition",
    "clinicalStatus": {"coding": [{"system": f"{THO}condition-clinical", "code": "active"}]},
    "verificationStatus": {"coding": [{"system": f"{THO}condition-ver-status", "code": "unconfirmed"}]},
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "T74.1"}], "text": "nghi bị ngược đãi"},
    "subject": {"reference": "Patient/tre-em-1"},
    "onsetAge": {"value": 9, "system": UCUM, "code": "a"},
}

TASK: Json = {
    "resourceType": "Task",
    "status": "in-progress",
    "intent": "order",
    "focus": {"reference": "ServiceRequest/gd-1"},
    "for": {"reference": "Patient/tre-em-1"},
    "authoredOn": "2026-05-04T08:30:00+07:00",
    "lastModified": "2026-05-04T01:31:00Z",
    "restriction": {"repetitions": 1, "period": {"end": "2026-05-11"}},
    "input": [{"type": {"text": "số quyết định"}, "valueString": "01/QĐ-CQĐT"}],
}

SERVICE_REQUEST: Json = {
    "resourceType": "ServiceRequest",
    "id": "gd-1",
    "status": "active",
    "intent": "order",
    "priority": "urgent",
    "code": {"text": "giám định pháp y"},
    "subject": {"reference": "Patient/tre-em-1"},
    "occurrenceTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00"]}},
    "requester": {"display": "Cơ quan điều tra (mẫu)"},
}

CONSENT: Json = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": f"{THO}consentscope", "code": "patient-privacy"}]},
    "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
    "patient": {"reference": "Patient/tre-em-1"},
    "dateTime": "2026-05-04",
    "policyRule": {"coding": [{"system": f"{THO}v3-ActCode", "code": "OPTIN"}]},
    "provision": {
        "type": "permit",
        "period": {"start": "2026-05-04", "end": "2027-05-04"},
        "provision": [
            {
                "type": "deny",
                "actor": [
                    {"role": {"text": "nhận"}, "reference": {"identifier": {"value": "a"}, "type": "Organization"}}
                ],
                "provision": [{"type": "permit", "purpose": [{"system": f"{THO}v3-ActReason", "code": "TREAT"}]}],
            }
        ],
    },
}

QUESTIONNAIRE_RESPONSE: Json = {
    "resourceType": "QuestionnaireResponse",
    "questionnaire": "https://hub.example/Questionnaire/form-01|1.0",
    "status": "completed",
    "item": [
        {
            "linkId": "1",
            "item": [
                {"linkId": "1.1", "answer": [{"valueBoolean": True, "item": [{"linkId": "1.1.1"}]}]},
                {"linkId": "1.2", "answer": [{"valueDecimal": Decimal("0.10")}]},
            ],
        }
    ],
}

RISK_ASSESSMENT: Json = {
    "resourceType": "RiskAssessment",
    "status": "final",
    "subject": {"reference": "Patient/tre-em-1"},
    "prediction": [{"outcome": {"text": "nguy cơ cao"}, "probabilityDecimal": 80}],
}

DOCUMENT: Json = {
    "resourceType": "DocumentReference",
    "status": "current",
    "type": {"text": "kết luận giám định"},
    "content": [
        {
            "attachment": {
                "contentType": "application/pdf",
                "data": "JVBERi0xLjQ=",
                "size": 8,
                "hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            }
        }
    ],
    "context": {"period": {"start": "2026-05-04T08:30:00+07:00"}},
}

COMPOSITION: Json = {
    "resourceType": "Composition",
    "status": "final",
    "type": {"coding": [{"system": LOINC, "code": "34117-2"}]},
    "date": "2026-05-04",
    "author": [{"display": "Bệnh viện mẫu"}],
    "title": "Hồ sơ khám",
    "confidentiality": "R",
    "section": [{"title": "Khám", "section": [{"entry": [{"reference": "Observation/o-1"}]}]}],
}

PROVENANCE: Json = {
    "resourceType": "Provenance",
    "target": [{"reference": "Specimen/s-1"}],
    "recorded": "2026-05-04T08:30:00.5+07:00",
    "agent": [{"who": {"display": "người giao mẫu"}}],
    "signature": [{"type": [{"code": "x"}], "when": "2026-05-04T08:30:00Z", "who": {"display": "x"}, "data": "AAAA"}],
}

ENCOUNTER: Json = {
    "resourceType": "Encounter",
    "status": "finished",
    "class": {"system": f"{THO}v3-ActCode", "code": "EMER"},
    "length": {"value": 90, "system": UCUM, "code": "min"},
    "location": [{"location": {"display": "phòng khám"}, "physicalType": {"text": "ro"}}],
}

HEADER: Json = {
    "resourceType": "MessageHeader",
    "eventCoding": {"system": "https://hub.example/CodeSystem/event", "code": "exam-record"},
    "source": {"name": "HIS", "endpoint": "https://hub.example/Endpoint/bv-1"},
    "focus": [{"reference": urn(3)}],
}

SINGLE: dict[str, Json] = {
    str(sample["resourceType"]): sample
    for sample in (
        PATIENT,
        RELATED_PERSON,
        OBSERVATION,
        CONDITION,
        TASK,
        SERVICE_REQUEST,
        CONSENT,
        QUESTIONNAIRE_RESPONSE,
        RISK_ASSESSMENT,
        DOCUMENT,
        COMPOSITION,
        PROVENANCE,
        ENCOUNTER,
    )
}


def message() -> Json:
    """Make a message Bundle: header, child, observation, and an attached collection with entries of its own."""
    patient, observation = copy.deepcopy(PATIENT), copy.deepcopy(OBSERVATION)
    observation["subject"] = {"reference": urn(2)}
    inner: Json = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": urn(11), "resource": {"resourceType": "Organization", "name": "Trường mẫu"}},
            {
                "fullUrl": urn(12),
                "resource": {
                    "resourceType": "Location",
                    "managingOrganization": {"reference": urn(11)},
                    "partOf": {"reference": "https://elsewhere.example/Location/1"},
                },
            },
        ],
    }
    return {
        "resourceType": "Bundle",
        "type": "message",
        "timestamp": "2026-05-04T08:30:00+07:00",
        "entry": [
            {"fullUrl": urn(1), "resource": copy.deepcopy(HEADER)},
            {"fullUrl": urn(2), "resource": patient},
            {"fullUrl": urn(3), "resource": observation},
            {"fullUrl": urn(4), "resource": inner},
        ],
    }


def transaction() -> Json:
    """Make a transaction Bundle with RESTful addresses."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": "https://his.example/fhir/Patient/tre-em-1",
                "resource": copy.deepcopy(PATIENT),
                "request": {"method": "PUT", "url": "Patient/tre-em-1"},
            },
            {"request": {"method": "DELETE", "url": "Task/t-1"}},
        ],
    }
