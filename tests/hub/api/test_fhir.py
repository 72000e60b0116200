"""POST /fhir: errors are OperationOutcomes whose expressions lead to the place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.api.problems import expression
from tests.fakes.door import Door
from tests.fakes.plain import PlainPack
from tests.fakes.world import HOSPITAL, POLICE, exam, patient


class FhirPack(PlainPack):
    """The plain pack under FHIR's media type."""

    id = "test/fhir"
    media_types = ("application/fhir+json",)


@pytest.fixture
def door(door: Door) -> Door:
    """The hospital speaks FHIR, the police do not."""
    door.parts.packs["test/fhir"] = FhirPack()  # type: ignore[index]
    door.know(HOSPITAL, packs={"in": ["test/plain", "test/fhir"], "out": "test/plain"})
    door.know(POLICE)
    return door


def say(door: Door, body: Any, media_type: str = "application/fhir+json", who: str = HOSPITAL) -> Any:
    """Post a bundle."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return door.ask(who, "POST", "/fhir", content=raw, headers={"content-type": media_type})


def test_a_bundle_is_kept(door: Door) -> None:
    """202 with an OperationOutcome of information, and a place to ask."""
    answer = say(door, exam())
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.json()["issue"][0]["severity"] == "information"
    assert door.ask(HOSPITAL, "GET", answer.headers["location"]).status_code == 200


def test_what_is_wrong_is_named_by_expression(door: Door) -> None:
    """An invalid element is a warning of a quarantined message, with its FHIRPath."""
    answer = say(door, exam(child={**patient(), "gender": "girl"}))
    assert answer.status_code == 202
    found = [place for issue in answer.json()["issue"] for place in issue.get("expression", ())]
    assert any(place.endswith("gender") for place in found)


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"{", "application/fhir+json", 400, "structure"),
        (b"<Bundle/>", "application/fhir+xml", 415, "not-supported"),
        (b"{}", "application/merge-patch+json", 415, "not-supported"),
    ],
)
def test_errors_are_operation_outcomes(door: Door, body: bytes, media_type: str, status: int, code: str) -> None:
    """Under /fhir nobody hears problem+json."""
    answer = say(door, body, media_type)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert answer.json()["issue"][0]["code"] == code


def test_strangers_hear_an_operation_outcome_too(door: Door) -> None:
    """Without a token 401; an agency that is not registered for FHIR 403."""
    stranger = door.http.post("/fhir", content=b"{}")
    assert (stranger.status_code, stranger.json()["issue"][0]["code"]) == (401, "login")
    other = say(door, exam(), who=POLICE)
    assert (other.status_code, other.json()["issue"][0]["code"]) == (403, "forbidden")


def test_json_pointers_become_expressions() -> None:
    """A pack that names places by JSON pointer is understood by FHIR clients."""
    assert expression("/entry/0/resource/name/1/family") == "Bundle.entry[0].resource.name[1].family"
    assert expression("Bundle.entry[2]") == "Bundle.entry[2]"
    assert expression("PID[1]-8") == "PID[1]-8"
