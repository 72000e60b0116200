"""The police pack: its samples, both ways, its story with the hospital, and what it refuses."""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import replace

import pytest

from adapters.errors import Malformed, Refusal, Unmappable, Unsupported, Unwritable
from adapters.library import BUILT_IN
from adapters.r4.validate import validate
from consent.vocabulary import CLAIM_URL, INLINE_LABEL_URL, Event
from hub.bundles import claims_of, recall_bundle
from hub.referrals.reading import said_of
from tests.adapters.packs import (
    CONTEXT,
    classes,
    expected,
    pack,
    plain,
    resources,
    said_as_read,
    sample,
    samples,
    without,
    xml,
)

NIEM = "police/niem"
CP = "{https://hub.onestop.example/niem/child-protection/1.0/}"
DECLARED_UNSAID = {f"{CP}ConsentIndicator"}
"""Read as a claim and never said to anybody."""
DECLARED_ADDED = [(f"{CP}RedisclosureCode", "NORDSCLCD"), (f"{CP}NoticeCode", "CO-THE-KHONG-DAY-DU")]
"""Constants that stand in everything that is told to the police, but for a recall."""


def read(name: str) -> dict:
    """The one bundle of a sample."""
    (strand,) = pack(NIEM).read(sample(NIEM, name), CONTEXT).strands
    return strand.bundle


def altered(name: str, old: str, new: str) -> bytes:
    """A sample with one thing changed."""
    text = sample(NIEM, name).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize("name", samples(NIEM))
def test_each_sample_is_its_expected_bundle(name: str) -> None:
    """A sample reads as the bundle that stands beside it, digits and tone marks included."""
    found = [strand.bundle for strand in pack(NIEM).read(sample(NIEM, name), CONTEXT).strands]
    assert plain(found) == plain(expected(NIEM, name))


@pytest.mark.parametrize("name", samples(NIEM))
def test_each_sample_is_valid_r4(name: str) -> None:
    """What is read is valid R4 with full bindings."""
    assert validate(read(name)) == ()


@pytest.mark.parametrize("name", samples(NIEM))
def test_each_sample_is_read_whole(name: str) -> None:
    """Nothing of a sample is dropped on the way in."""
    assert [loss for loss in pack(NIEM).read(sample(NIEM, name), CONTEXT).loss if loss.kind == "drop"] == []


@pytest.mark.parametrize("name", samples(NIEM))
def test_each_sample_comes_back(name: str) -> None:
    """Written again it says the same, in order; only a consent flag is not said on."""
    reading = pack(NIEM).read(sample(NIEM, name), CONTEXT)
    (strand,) = reading.strands
    written = pack(NIEM).write(strand.bundle, said_as_read(strand, reading.head.fields))
    told = [leaf for leaf in xml(written.raw) if leaf not in DECLARED_ADDED]
    assert told == [leaf for leaf in xml(sample(NIEM, name)) if leaf[0] not in DECLARED_UNSAID]
    assert name == "recall.xml" or [leaf for leaf in xml(written.raw) if leaf in DECLARED_ADDED] == DECLARED_ADDED


@pytest.mark.parametrize("name", samples(NIEM))
def test_reading_is_stable(name: str) -> None:
    """Read, written and read again it is the same bundle, fullUrls included, but for the consent claim."""
    reading = pack(NIEM).read(sample(NIEM, name), CONTEXT)
    (strand,) = reading.strands
    context = said_as_read(strand, reading.head.fields)
    again = pack(NIEM).read(pack(NIEM).write(strand.bundle, context).raw, CONTEXT).strands[0].bundle
    first = {**strand.bundle, "entry": [dict(entry) for entry in strand.bundle["entry"]]}
    header = first["entry"][0]["resource"] = dict(first["entry"][0]["resource"])
    kept = [claim for claim in header.pop("extension", []) if claim["extension"][0]["valueCode"] != "consent"]
    first["entry"][0]["resource"] |= {"extension": kept} if kept else {}
    assert plain(again) == plain(first)


def test_names_are_nfc_in_the_order_spoken() -> None:
    """A name sent decomposed is the same name, family first, the given name last."""
    decomposed = unicodedata.normalize("NFD", sample(NIEM, "forensic-exam-request.xml").decode()).encode()
    (strand,) = pack(NIEM).read(decomposed, CONTEXT).strands
    name = resources(strand.bundle, "Patient")[0]["name"][0]
    assert name == {"family": "Thử-Nghiệm", "given": ["Thị", "Mẫu"], "text": "Thử-Nghiệm Thị Mẫu"}


def test_a_decision_and_a_consent_flag_are_claims() -> None:
    """The decision number and the consent flag stand as claims of the sender; there is no Consent."""
    bundle = read("forensic-exam-request.xml")
    claims = {claim.kind: claim for claim in claims_of(bundle)}
    assert claims["decision"].value == "457/QĐ-CSĐT"
    assert claims["decision"].by == "PC02-MAU"
    assert claims["decision"].date == "2026-03-04"
    assert claims["consent"].value == "true"
    assert resources(bundle, "Consent") == []


def test_a_request_says_who_is_asked_for_what() -> None:
    """The hub finds number, service, classes asked for, performer and deadline where the canonical page puts them."""
    said = said_of(read("forensic-exam-request.xml"))
    assert said.placers == ("TC-2026-0457",)
    assert (said.service, str(said.state)) == ("forensic", "requested")
    assert [str(each) for each in said.asked] == ["forensic", "medical-exam"]
    assert "BV-MAU" in [value for _, value in said.performer]
    assert said.deadline is not None
    assert said.deadline.isoformat() == "2026-03-14T17:00:00+07:00"


def test_a_suspect_is_a_person_apart() -> None:
    """The suspect is a RelatedPerson of its own, of its own class and label, and so is the reporter."""
    bundle = read("incident-report.xml")
    people = {frozenset(classes(person)): person for person in resources(bundle, "RelatedPerson")}
    suspect = people[frozenset({"alleged-perpetrator"})]
    assert {coding["code"] for coding in suspect["meta"]["security"]} == {"alleged-perpetrator", "SDV"}
    assert suspect["identifier"][0]["value"] == "079085000002"
    assert frozenset({"reporter-identity"}) in people
    assert frozenset({"demographics"}) in people


def test_free_text_is_narrative() -> None:
    """What is written in words is of class narrative, as a whole item or as a labelled element."""
    comment = resources(read("forensic-exam-request.xml"), "ServiceRequest")[0]["note"][0]
    assert [label["valueCoding"]["code"] for label in comment["extension"] if label["url"] == INLINE_LABEL_URL] == [
        "narrative"
    ]
    texts = [
        item for item in resources(read("forensic-exam-result-values.xml"), "Observation") if "valueString" in item
    ]
    assert [classes(item) for item in texts] == [{"narrative"}]


def test_an_unknown_code_is_refused() -> None:
    """A status that is not agreed is refused, with its place and without its value."""
    with pytest.raises(Refusal) as refusal:
        pack(NIEM).read(altered("referral-status-accepted.xml", ">CN<", ">SECRET<"), CONTEXT)
    assert "ReferralStatusCode" in refusal.value.place
    assert "SECRET" not in str(refusal.value)


def test_a_personal_number_is_twelve_digits() -> None:
    """A personal number of another shape is refused on the way in."""
    with pytest.raises(Refusal):
        pack(NIEM).read(altered("forensic-exam-request.xml", "079312000001", "7931200000X"), CONTEXT)


def test_another_message_is_not_spoken() -> None:
    """An unknown document element is refused by its name."""
    with pytest.raises(Unsupported, match="ArrestReport"):
        pack(NIEM).read(
            b'<cp:ArrestReport xmlns:cp="https://hub.onestop.example/niem/child-protection/1.0/"/>', CONTEXT
        )


@pytest.mark.parametrize(
    "raw",
    [b"<cp:Recall", b"\xff\xfe\x00", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ids=["cut", "charset", "entity"],
)
def test_what_is_no_safe_xml_is_refused(raw: bytes) -> None:
    """Cut, undecodable and entity-bearing documents are refused, not crashed on."""
    with pytest.raises((Malformed, Unmappable, Unsupported)):
        pack(NIEM).read(raw, CONTEXT)


def test_a_request_becomes_a_referral_message_of_the_hospital() -> None:
    """A police request is said to the hospital as REF^I12: its number, the decision, the child."""
    header = {"message-id": "OSH-1", "sender": "HUB", "recipient": "HIS"}
    written = pack("health/hl7v2").write(read("forensic-exam-request.xml"), replace(CONTEXT, header=header))
    text = written.raw.decode()
    assert written.type == "REF^I12"
    for said in ("TC-2026-0457", "457/QĐ-CSĐT", "079312000001", "Thử-Nghiệm^Thị Mẫu", "BV-MAU"):
        assert said in text


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("rri-i12-accepted.hl7", "CN", []), ("rri-i12-rejected.hl7", "TC", ["no-capacity"])],
)
def test_an_answer_of_the_hospital_becomes_a_status(name: str, code: str, reason: list[str]) -> None:
    """The hospital's RRI^I12 is said to the police as their ReferralStatus, the reason beside a refusal."""
    raw = sample("health/hl7v2", name)
    bundle = pack("health/hl7v2").read(raw, CONTEXT).strands[0].bundle
    written = pack(NIEM).write(bundle, replace(CONTEXT, header={"message-id": "OSH-2", "sender": "hub"}))
    said = xml(written.raw)
    assert written.type == "ReferralStatus"
    assert (f"{CP}ReferralStatusCode", code) in said
    assert [text for tag, text in said if tag == f"{CP}CodeID"] == reason


def test_a_result_says_only_what_was_released() -> None:
    """Of the hospital's result the police are told what remained: nothing sexual, mental or in free words."""
    raw = sample("health/hl7v2", "oru-r01-forensic-result.hl7")
    bundle = pack("health/hl7v2").read(raw, CONTEXT).strands[0].bundle
    released = without(bundle, "sexual-health", "mental-health", "narrative")
    written = pack(NIEM).write(released, replace(CONTEXT, header={"message-id": "OSH-3", "sender": "hub"}))
    text = written.raw.decode()
    assert written.type == "ForensicExamResult"
    assert "GDPY-TL" in text
    for withheld in ("HIV", "75622-1", "kết luận giám định không có thật"):
        assert withheld in raw.decode()
        assert withheld not in text


def test_a_recall_names_the_message_and_nothing_else() -> None:
    """A recall says which message is taken back, by whom and when."""
    written = pack(NIEM).write(
        recall_bundle("OSH-2026-7005", "2026-03-06T08:00:00+07:00"),
        replace(CONTEXT, header={"message-id": "OSH-9", "sender": "hub"}),
    )
    assert sorted(text for _, text in xml(written.raw) if text) == [
        "2026-03-06T08:00:00+07:00", "OSH-2026-7005", "OSH-9", "hub",
    ]  # fmt: skip


def test_a_bundle_without_its_number_cannot_be_said() -> None:
    """A request that has lost its number is not written: the schema needs it."""
    bundle = read("forensic-exam-request.xml")
    for kind in ("ServiceRequest", "Task"):
        resources(bundle, kind)[0]["identifier"] = []
    with pytest.raises(Unwritable):
        pack(NIEM).write(bundle, replace(CONTEXT, header={"message-id": "OSH-4", "sender": "hub"}))


def test_the_status_codes_are_those_of_the_crosswalk() -> None:
    """The pack's status codes say what the canonical crosswalk says of `niem`."""
    with (BUILT_IN / "canonical" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        agreed = {(row["code"], row["state"]) for row in csv.DictReader(file) if row["format"] == "niem"}
    with (BUILT_IN / NIEM / "codes" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        mapped = {(row["source"], row["code"]) for row in csv.DictReader(file)}
    assert mapped == agreed


@pytest.mark.parametrize(
    "event",
    [Event.REFERRAL_REQUEST, Event.REFERRAL_STATUS, Event.RESULT, Event.EXAM_RECORD, Event.REPORT, Event.RECALL],
)
def test_what_the_police_can_be_told(event: Event) -> None:
    """The pack says each of these events, and no support need."""
    assert pack(NIEM).writes(event)
    assert not pack(NIEM).writes(Event.SCHOOL_SUPPORT)


def test_claims_are_not_said_on() -> None:
    """What one agency claims is not repeated to another as its claim."""
    bundle = read("forensic-exam-request.xml")
    assert any(extension["url"] == CLAIM_URL for extension in bundle["entry"][0]["resource"]["extension"])
    written = pack(NIEM).write(bundle, replace(CONTEXT, header={"message-id": "OSH-5", "sender": "hub"}))
    assert b"ConsentIndicator" not in written.raw
