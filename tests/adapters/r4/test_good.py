"""Sound resources pass, and two independent libraries agree that they are sound."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import fhirkit
import pytest
from fhir.resources import R4B

from adapters.r4.validate import has_errors, to_operation_outcome, validate
from tests.adapters.r4 import samples

GOOD = {**samples.SINGLE, "message": samples.message(), "transaction": samples.transaction()}


def as_json(resource: dict[str, Any]) -> str:
    """Write a sample as it would come over the wire."""
    return json.dumps(resource, default=lambda number: float(number) if isinstance(number, Decimal) else None)


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_resource_passes(name: str) -> None:
    """Nothing is said about a sound resource."""
    assert validate(GOOD[name]) == ()


@pytest.mark.parametrize("name", GOOD)
def test_fhir_resources_agrees(name: str) -> None:
    """What passes here also passes the models of fhir.resources (R4B, the nearest it has)."""
    model = R4B.get_fhir_model_class(GOOD[name]["resourceType"])
    model.model_validate(json.loads(as_json(GOOD[name])))


@pytest.mark.parametrize("name", GOOD)
def test_fhirkit_agrees(name: str) -> None:
    """What passes here also passes fhirkit, an exact R4 in Rust."""
    assert [str(issue) for issue in fhirkit.validate(as_json(GOOD[name]))] == []


def test_decimals_may_be_of_any_kind() -> None:
    """Decimal, int and float are all JSON numbers."""
    for number in (Decimal("1.50"), 1, 1.5, Decimal("1E+3"), -0.0):
        observation = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "valueQuantity": {"value": number},
        }
        assert validate(observation) == ()


def test_nothing_to_say_is_an_outcome_too() -> None:
    """An OperationOutcome has at least one issue, and is itself R4."""
    outcome = to_operation_outcome(())
    assert outcome["issue"][0]["severity"] == "information"
    assert validate(outcome) == ()


def test_findings_become_a_sound_outcome() -> None:
    """The OperationOutcome of a refusal is R4 itself and names the place."""
    issues = validate({"resourceType": "Patient", "gender": "xx"})
    outcome = to_operation_outcome(issues)
    assert has_errors(issues)
    assert outcome["issue"][0]["expression"] == ["Patient.gender"]
    assert validate(outcome) == ()
    assert [str(issue) for issue in fhirkit.validate(outcome)] == []
