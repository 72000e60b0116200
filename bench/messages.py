"""Synthetic messages: every one about one of a few hundred children who do not exist (numbers begin with 999)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

RECORD: Final = Path(__file__).parent.parent / "hub" / "demo" / "messages" / "exam-record.hl7"
CHILDREN: Final = 100
"""So many children are spoken of, in turn; the warm-up makes all of them known."""
FACILITY: Final = "BENCH"
_NUMBER: Final = b"@NUMBER@"
_CHILD: Final = b"@CHILD@"
_RUN: Final = b"@RUN@"
_GIVEN: Final = "Thị Thử An"
"""Of the child in the record; each child of the bench has another, or all would be one uncertain child."""
_OWN_WORDS: Final = "https://hub.onestop.example/fhir"
_PATIENT: Final = "urn:uuid:00000000-0000-4000-8000-00000000000a"


class Mould:
    """Makes message after message of one kind, each with its own number and cheaply: two or three replacements."""

    def __init__(self, kind: str, run: str, children: int = CHILDREN) -> None:
        """`kind` is ``oru``, ``bundle`` or ``observation``; `run` makes the numbers of this process its own."""
        self._text, self._children = MAKERS[kind]().replace(_RUN, run.encode()), children

    def cast(self, number: int) -> bytes:
        """Message `number`."""
        return self._text.replace(_NUMBER, b"%d" % number).replace(_CHILD, b"%05d" % (number % self._children))


def personal_number(child: int) -> str:
    """Of a child in an ORU^R01."""
    return f"9991{child:05d}000"


def oru() -> bytes:
    """An ORU^R01 with 30 OBX, as the hospital of the demo sends it."""
    text = RECORD.read_text("utf-8").replace("\n", "\r")
    words = {
        "facility": FACILITY,
        "at": datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000"),
        "control": "@RUN@-@NUMBER@",
        "run": "@RUN@-@NUMBER@",
        "mr": "BN-@CHILD@",
        "ni": "9991@CHILD@000",
        "hc": "TE19991@CHILD@000",
        "born": "20141201",
        "secret_appearance": "Tỉnh, tiếp xúc được (dữ liệu thử)",
        "secret_note": "Ghi chú thử nghiệm",
    }
    filled = re.sub(r"\$\{(\w+)\}", lambda found: words[found[1]], text).replace(_GIVEN, "Thử @CHILD@")
    if filled.count("\rOBX|") != 30 or "PID|1||BN-@CHILD@" not in filled or "Thử @CHILD@" not in filled:
        raise ValueError("exam-record.hl7 no longer is an ORU^R01 with 30 OBX that this module can fill")
    return filled.encode()


def observation_resource(subject: str) -> dict[str, Any]:
    """One heart rate."""
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://bench.example/result", "value": "@RUN@-@NUMBER@"}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                        "display": "Vital Signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-03-05T13:40:00+07:00",
        "issued": "2026-03-05T13:45:00.000+07:00",
        "valueQuantity": {"value": 96, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
        "referenceRange": [
            {
                "low": {"value": 60, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
                "high": {"value": 100, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
            }
        ],
    }


def observation() -> bytes:
    """The Observation alone, as a FHIR server takes it."""
    return _dump(observation_resource("Patient/@CHILD@"))


def bundle() -> bytes:
    """The same Observation in a message Bundle, with the header and the child that the hub needs to know."""
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": f"{_OWN_WORDS}/CodeSystem/event", "code": "exam-record"},
        "source": {"name": "Bench", "endpoint": "https://bench.example/fhir"},
        "focus": [{"reference": "urn:uuid:00000000-0000-4000-8000-00000000000b"}],
    }
    number = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NI"}]}
    patient = {
        "resourceType": "Patient",
        "identifier": [
            {"type": number, "system": f"{_OWN_WORDS}/NamingSystem/personal-number", "value": "9992@CHILD@000"}
        ],
        "name": [{"use": "official", "family": "Thử-Nghiệm", "given": ["Mẫu", "@CHILD@"]}],
        "gender": "female",
        "birthDate": "2014-12-01",
    }
    found = observation_resource(_PATIENT)
    entries = zip((9, 10, 11), (header, patient, found), strict=True)
    message = {
        "resourceType": "Bundle",
        "type": "message",
        "identifier": {"system": "https://bench.example/message", "value": "@RUN@-@NUMBER@"},
        "timestamp": "2026-03-06T08:00:00+07:00",
        "entry": [
            {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-{place:012x}", "resource": each} for place, each in entries
        ],
    }
    return _dump(message)


def _dump(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()


MAKERS: Final = {"oru": oru, "bundle": bundle, "observation": observation}
