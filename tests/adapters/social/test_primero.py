"""The case management pack: its samples, both ways, what it never says, and what it refuses."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Malformed, Refusal, Unwritable
from adapters.library import BUILT_IN
from adapters.r4.validate import validate
from consent.vocabulary import INLINE_LABEL_URL, Event
from hub.bundles import claims_of, recall_bundle
from hub.referrals.reading import said_of
from tests.adapters.packs import (
    CONTEXT,
    classes,
    expected,
    loads,
    pack,
    plain,
    resources,
    said_as_read,
    sample,
    samples,
)

PRIMERO = "social/primero"
TOLD = ["referral.json", "revocation.json", "status-accepted.json", "status-rejected.json"]
"""The samples of our agreed profile: what is read of them is said again as it stood."""
HEADER = {"message-id": "OSH-1", "sender": "hub"}


def read(name: str) -> dict[str, Any]:
    """The bundle of a sample."""
    (strand,) = pack(PRIMERO).read(sample(PRIMERO, name), CONTEXT).strands
    return dict(strand.bundle)


def altered(name: str, **changes: Any) -> bytes:
    """A sample with some of its data said otherwise."""
    message = json.loads(sample(PRIMERO, name))
    message["data"] |= changes
    return json.dumps(message).encode()


def told(bundle: dict[str, Any]) -> dict[str, Any]:
    """What the pack makes of a bundle."""
    return dict(loads(pack(PRIMERO).write(bundle, replace(CONTEXT, header=HEADER)).raw))


@pytest.mark.parametrize("name", samples(PRIMERO))
def test_each_sample_is_read_as_expected(name: str) -> None:
    """Each sample gives the bundle that stands beside it, and it is valid R4 with full bindings."""
    assert plain([read(name)]) == plain(expected(PRIMERO, name))
    assert validate(read(name)) == ()


@pytest.mark.parametrize("name", TOLD)
def test_our_own_messages_come_back(name: str) -> None:
    """A message of the agreed profile is read whole, and written again it says the same."""
    reading = pack(PRIMERO).read(sample(PRIMERO, name), CONTEXT)
    (strand,) = reading.strands
    written = pack(PRIMERO).write(strand.bundle, said_as_read(strand, reading.head.fields))
    assert [loss for loss in reading.loss if loss.kind == "drop"] == []
    assert loads(written.raw) == loads(sample(PRIMERO, name))
    assert plain([found.bundle for found in pack(PRIMERO).read(written.raw, CONTEXT).strands]) == plain([strand.bundle])


def test_names_stand_in_the_order_spoken() -> None:
    """Family, middle names, given name; the nickname is a name of its own."""
    (child,) = resources(read("referral.json"), "Patient")
    assert child["name"] == [
        {"text": "Thử-Nghiệm Thị Ngọc Mẫu", "family": "Thử-Nghiệm", "given": ["Thị", "Ngọc", "Mẫu"]},
        {"text": "Bé Mẫu", "use": "nickname"},
    ]


def test_a_referral_says_who_is_asked_for_what() -> None:
    """The hub finds number, service, classes asked for, performer and deadline where the canonical page puts them."""
    said = said_of(read("referral.json"))
    assert said.placers == ("8a8a8a8a-0000-4000-8000-000000000002",)
    assert (said.service, str(said.state), said.decision) == ("medical", "requested", "11/QĐ-UBND")
    assert [str(each) for each in said.asked] == ["medical-exam"]
    assert "bv-mau" in [value for _, value in said.performer]
    assert said.deadline is not None


def test_where_a_sheltered_child_lives_is_tainted_and_never_said() -> None:
    """The address of a child in a shelter is the shelter's: labelled, and told to nobody by this pack."""
    bundle = read("transfer-as-sent.json")
    (child,) = resources(bundle, "Patient")
    (address,) = child["address"]
    codes = [label["valueCoding"]["code"] for label in address["extension"] if label["url"] == INLINE_LABEL_URL]
    assert codes == ["shelter-location", "shelter-location"]
    said = json.dumps(told(bundle), ensure_ascii=False)
    assert "Thử-Nghiệm Thị Ngọc Mẫu" in said
    assert "đường Kín" not in said


def test_a_suspect_is_a_person_apart() -> None:
    """The alleged perpetrator is a RelatedPerson of its own class and label, the father that he is too."""
    people = {frozenset(classes(person)): person for person in resources(read("case.json"), "RelatedPerson")}
    suspect = people[frozenset({"alleged-perpetrator"})]
    assert [coding["code"] for coding in suspect["relationship"][0]["coding"]] == ["FTH", "alleged-perpetrator"]
    assert frozenset({"demographics"}) in people


@pytest.mark.parametrize("name", ["case.json", "transfer-as-sent.json"])
def test_a_consent_flag_is_a_claim(name: str) -> None:
    """Primero's consent fields are claims with their claimant; there is no Consent, and nobody is told of it."""
    bundle = read(name)
    claims = [claim for claim in claims_of(bundle) if claim.kind == "consent"]
    assert {claim.value for claim in claims} == {"true"}
    assert resources(bundle, "Consent") == []


def test_a_case_has_its_concerns_and_risk() -> None:
    """Concerns are unconfirmed allegations, the risk is an assessment, the episode is open since its registration."""
    bundle = read("case.json")
    concerns = [concern["code"]["coding"][0]["code"] for concern in resources(bundle, "Condition")]
    assert concerns == ["physical", "neglect"]
    assert all(c["verificationStatus"]["coding"][0]["code"] == "unconfirmed" for c in resources(bundle, "Condition"))
    (risk,) = resources(bundle, "RiskAssessment")
    assert risk["prediction"][0]["qualitativeRisk"]["coding"][0]["code"] == "high"
    (episode,) = resources(bundle, "EpisodeOfCare")
    assert (episode["status"], episode["period"]) == ("active", {"start": "2026-03-01"})


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("rri-i12-accepted.hl7", "accepted", None), ("rri-i12-rejected.hl7", "rejected", "no_capacity")],
)
def test_an_answer_of_the_hospital_becomes_a_status(name: str, code: str, reason: str | None) -> None:
    """The hospital's RRI^I12 is said in Primero's words, the reason beside a refusal."""
    raw = sample("health/hl7v2", name)
    said = told(dict(pack("health/hl7v2").read(raw, CONTEXT).strands[0].bundle))
    assert said["data"]["status"] == code
    assert said["data"].get("hub", {}).get("reason_code") == reason


def test_a_police_request_becomes_a_referral() -> None:
    """What the police ask for is a referral with their number, decision and child."""
    raw = sample("police/niem", "forensic-exam-request.xml")
    data = told(dict(pack("police/niem").read(raw, CONTEXT).strands[0].bundle))["data"]
    assert (data["id"], data["service"]) == ("TC-2026-0457", "forensic_service")
    assert data["hub"]["decision"]["number"] == "457/QĐ-CSĐT"
    assert data["record"]["national_id_no"] == "079312000001"


@pytest.mark.parametrize("state", ["expired", "partially-accepted"])
def test_a_state_that_primero_has_not_is_not_said(state: str) -> None:
    """A state without a Primero status is Unwritable, never another one."""
    bundle = read("status-accepted.json")
    (task,) = resources(bundle, "Task")
    task["businessStatus"]["coding"][0]["code"] = state
    with pytest.raises(Unwritable):
        told(bundle)


def test_a_recall_names_the_message_and_nothing_else() -> None:
    """A recall is a revocation that names the earlier message, and nobody."""
    said = told(recall_bundle("OSH-2026-7005", "2026-03-06T08:00:00+07:00"))
    assert said["data"] == {"type": "Revocation"}
    assert said["meta"]["replaces"] == "OSH-2026-7005"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("status-accepted.json", {"status": "SECRET"}),
        ("status-as-sent.json", {"status": "SECRET"}),
        ("referral.json", {"record": {"name": "Mẫu", "sex": "SECRET"}}),
        ("referral.json", {"record": {"name": "Mẫu", "national_id_no": "SECRET"}}),
        ("referral.json", {"id": ""}),
    ],
)
def test_what_is_not_agreed_is_refused(name: str, changes: dict[str, Any]) -> None:
    """A code or number outside what is agreed refuses without repeating it."""
    with pytest.raises(Refusal) as refusal:
        pack(PRIMERO).read(altered(name, **changes), CONTEXT)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize("raw", [b'{"data": ', b'{"data": {"id": 1, "id": 2}}', b'{"data": NaN}'])
def test_what_is_no_safe_json_is_refused(raw: bytes) -> None:
    """Cut JSON, duplicate keys and NaN are refused."""
    with pytest.raises(Malformed):
        pack(PRIMERO).read(raw, CONTEXT)


def test_the_status_codes_are_those_of_the_crosswalk() -> None:
    """The pack's status codes say what the canonical crosswalk says of `primero`."""
    with (BUILT_IN / "canonical" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        agreed = {(row["code"], row["state"]) for row in csv.DictReader(file) if row["format"] == "primero"}
    with (BUILT_IN / PRIMERO / "codes" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        assert {(row["source"], row["code"]) for row in csv.DictReader(file)} == agreed


def test_what_primero_can_be_told() -> None:
    """The pack says referrals, statuses and recalls."""
    assert {event for event in Event if pack(PRIMERO).writes(event)} == {
        Event.REFERRAL_REQUEST, Event.REFERRAL_STATUS, Event.RECALL,
    }  # fmt: skip
