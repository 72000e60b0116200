"""A record number says whose it is: one agency's number never stands in another's records as theirs."""

from __future__ import annotations

import pytest

from hub import casework
from hub.bundles import identifiers_of, patient_of, resources
from hub.identity import as_told_to
from tests.fakes.world import (
    HOSPITAL,
    PERSONAL_NUMBER,
    POLICE,
    Json,
    World,
    forensic_request,
    identifier,
    message,
    order,
    patient,
    result,
)


def told(*numbers: Json) -> list[tuple[str, str]]:
    """Type and value of each number as the police hear it."""
    bundle = message("record", "K-1", "child", {"child": {**patient(), "identifier": list(numbers)}})
    child = patient_of(as_told_to(bundle, {POLICE, "CQDT-MAU"}))
    assert child is not None
    return [(each["type"]["coding"][0]["code"], each["value"]) for each in child["identifier"]]


def given(kind: str, value: str, assigner: str = "") -> Json:
    """A number, typed or not, and who gave it."""
    found = identifier(kind, value) if kind else {"value": value}
    return found | ({"assigner": {"display": assigner}} if assigner else {})


@pytest.mark.parametrize("assigner", ["", "BV-MAU"])
@pytest.mark.parametrize("kind", ["MR", "PT", ""])
def test_what_another_agency_gave_is_told_as_external(kind: str, assigner: str) -> None:
    """However its sender typed it, and whether or not it said who gave it."""
    assert told(given(kind, "1234", assigner)) == [("PT", "1234")]


@pytest.mark.parametrize("kind", ["MR", "PT", ""])
def test_what_the_recipient_gave_comes_back_as_its_own(kind: str) -> None:
    """A hospital that says the police's number back says whose it is."""
    assert told(given(kind, "HS-0099", "CQDT-MAU")) == [("MR", "HS-0099")]


def test_other_numbers_are_told_as_they_are() -> None:
    """What is the same everywhere, or is of another kind, is nobody's record number."""
    numbers = [identifier("NI", PERSONAL_NUMBER), identifier("HC", "TE1"), identifier("DL", "B2")]
    assert told(*numbers) == [("NI", PERSONAL_NUMBER), ("HC", "TE1"), ("DL", "B2")]


def test_each_hears_of_the_others_numbers_as_external(world: World) -> None:
    """The police's file number does not look like the hospital's to the hospital, nor the other way round."""
    world.say(POLICE, forensic_request())
    named = {HOSPITAL: ("referral", "demographics"), POLICE: ("forensic", "demographics", "referral")}
    entered = casework.record(world.parts, "can-bo-a", world.case(), "order", order(named))
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    world.say(HOSPITAL, result())
    world.deliver_all()
    for agency, number in ((HOSPITAL, "HS-0099"), (POLICE, "BN-0001")):
        children = [child for heard in world.received(agency) for child in resources(heard, "Patient")]
        assert {value for child in children for value in identifiers_of(child, "PT")} == {number}
        assert not [value for child in children for value in identifiers_of(child, "MR")]
