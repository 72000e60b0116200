"""A forensic result with photographs, and orders that name an officer."""

from __future__ import annotations

from consent.vocabulary import HUB_BASE
from tests.fakes.world import (
    POLICE,
    Json,
    coded,
    identifier,
    labelled,
    message,
    observation,
    order,
    organization,
    patient,
    reference,
    report,
    request,
)

PICTURE = "c3ludGhldGljLXBpY3R1cmU="
WORDS = "Ghi chú thử nghiệm"


def photograph(content_type: str = "image/jpeg") -> Json:
    """A picture of an injury, as every format brings it; its title and its description are somebody's words."""
    resource = {
        "resourceType": "DocumentReference",
        "identifier": [identifier("FILL", "ANH-1")],
        "status": "current",
        "type": coded(f"{HUB_BASE}/CodeSystem/document-category", "photograph"),
        "category": [coded(f"{HUB_BASE}/CodeSystem/document-category", "photograph")],
        "subject": reference("child"),
        "date": "2026-11-22T09:00:00+07:00",
        "description": WORDS,
        "content": [{"attachment": {"contentType": content_type, "data": PICTURE, "title": WORDS}}],
    }
    return labelled(resource, "photographs")


def evidence(key: str = "EV-1", more: Json | None = None) -> Json:
    """The hospital's forensic result, with photographs."""
    parts = {
        "child": patient(),
        "request": request(status="completed"),
        "performer": organization("BV-MAU"),
        "report": report(["trace"], "forensic", placer=True),
        "trace": observation("74384-9", "258500001", "forensic"),
        "photo": photograph(),
    }
    return message("result", key, "report", parts | (more or {}))


def for_officer(officer: str, *names: str, recipient: str = POLICE, number: str = "501/QĐ-MẪU") -> Json:
    """An order that opens classes of data to one officer."""
    found = order({recipient: names}, number)
    return found | {"items": [each | {"officer": officer} for each in found["items"]]}
