"""The hotline's contacts as Aselo keeps them, and what the hotline is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from adapters.errors import Refusal, Unsupported
from adapters.pack import Reading
from adapters.r4.validate import validate
from tests.adapters.packs import CONTEXT, classes, expected, loads, pack, plain, resources, sample

ASELO = "hotline/aselo"
INCOMING = ["contact-someone.json", "contact-child.json"]
OUTGOING = ["referral-status.json", "recall.json"]


def read(name: str = "contact-someone.json", change: Callable[[dict[str, Any]], object] = lambda _: None) -> Reading:
    """A sample, changed."""
    contact = json.loads(sample(ASELO, name))
    change(contact)
    return pack(ASELO).read(json.dumps(contact, ensure_ascii=False).encode(), CONTEXT)


@pytest.mark.parametrize("name", INCOMING)
def test_each_incoming_sample_is_its_expected_bundle(name: str) -> None:
    """A contact reads as the valid R4 bundle that stands beside it."""
    (strand,) = pack(ASELO).read(sample(ASELO, name), CONTEXT).strands
    assert plain(strand.bundle) == plain(expected(ASELO, name)[0])
    assert validate(strand.bundle) == ()


@pytest.mark.parametrize("name", OUTGOING)
def test_each_outgoing_sample_is_what_its_bundle_says(name: str) -> None:
    """The bundle beside an outgoing sample is written as that sample."""
    agreed = loads(sample(ASELO, name))
    header = {"message-id": agreed["id"], "sender": agreed["accountSid"], "recipient": agreed["to"]}
    context = replace(CONTEXT, header=header, at=datetime.fromisoformat(agreed["createdAt"]))
    assert plain(loads(pack(ASELO).write(expected(ASELO, name)[0], context).raw)) == plain(agreed)


def test_a_hang_up_is_no_childs_contact() -> None:
    """What was no counselling is not spoken here, and is refused by that reason."""
    with pytest.raises(Unsupported):
        read(change=lambda contact: contact["rawJson"].update(callType="Hang up"))


def test_a_child_who_calls_for_herself_is_nobodys_reporter() -> None:
    """There is no reporter, whatever stands in the caller's part of the form."""
    filled = read("contact-child.json", lambda c: c["rawJson"].update(callerInformation={"firstName": "Mẫu"}))
    assert resources(filled.strands[0].bundle, "RelatedPerson") == []


def test_the_reporter_and_the_account_are_of_classes_of_their_own() -> None:
    """Who called is reporter-identity, what was said is narrative, HIV is sexual-health with its label."""
    (strand,) = read().strands
    assert classes(resources(strand.bundle, "RelatedPerson")[0]) == {"reporter-identity"}
    assert '"narrative"' in json.dumps(resources(strand.bundle, "Communication")[0]["payload"])
    child = read("contact-child.json").strands[0].bundle
    (hiv,) = [one for one in resources(child, "Observation") if one["code"]["coding"][0]["code"] == "hiv"]
    assert classes(hiv) == {"sexual-health"}
    assert "HIV" in {label["code"] for label in hiv["meta"]["security"]}
    assert "hiv" not in json.dumps(resources(child, "QuestionnaireResponse"))


def test_what_the_caller_agrees_to_is_a_claim() -> None:
    """A tick for "may ring back" or "keep it confidential" is what the hotline says, never a permission."""
    header = read().strands[0].bundle["entry"][0]["resource"]
    kinds = [part["valueCode"] for one in header["extension"] for part in one["extension"] if part["url"] == "kind"]
    assert kinds == ["consent", "withdrawal"]
    assert resources(read().strands[0].bundle, "Consent") == []


def test_a_kind_of_violence_that_is_not_on_the_list_is_still_reported() -> None:
    """A new category of the hotline's form never stops a report: it is kept in its own words."""
    reading = read(change=lambda contact: contact["rawJson"]["categories"].update(Violence=["Forced marriage"]))
    (allegation,) = resources(reading.strands[0].bundle, "Condition")
    assert allegation["code"]["coding"][-1]["code"] == "Forced marriage"
    assert validate(reading.strands[0].bundle) == ()


def test_a_flag_that_is_neither_yes_nor_no_does_not_stop_a_report() -> None:
    """Aselo's third state of a tick is left out and reported."""
    reading = read(change=lambda contact: contact["rawJson"]["childInformation"].update(refugee="mixed"))
    assert "/rawJson/childInformation/refugee" in {loss.place for loss in reading.loss}


def test_a_contact_of_the_wrong_shape_is_refused_at_its_place() -> None:
    """The error names the place in the sender's JSON, and nothing of the child."""
    with pytest.raises(Refusal) as refused:
        read(change=lambda contact: contact["rawJson"]["childInformation"].update(firstName=["Mẫu-Canary"]))
    assert "childInformation/firstName" in refused.value.place
    assert "Canary" not in str(refused.value)
