"""The court pack: its samples, both ways, what it never says, and what it refuses."""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Malformed, Refusal, Unsupported, Unwritable
from adapters.library import BUILT_IN
from adapters.r4.validate import validate
from consent.vocabulary import INLINE_LABEL_URL, Event
from hub.bundles import claims_of, recall_bundle
from hub.referrals.reading import said_of
from tests.adapters.packs import CONTEXT, classes, expected, pack, plain, resources, said_as_read, sample, samples, xml

ECF = "court/ecf"
NC = "{http://release.niem.gov/niem/niem-core/4.0/}"
ECF_NS = "{https://docs.oasis-open.org/legalxml-courtfiling/ns/v5.0/ecf}"
TOLD = ["cancel.xml", "docketing.xml", "filing.xml", "review-accepted.xml", "review-partly-accepted.xml",
        "review-rejected.xml"]  # fmt: skip
"""The samples of our agreed profile: what is read of them is said again as it stood."""
HEADER = {"message-id": "OSH-1", "sender": "hub", "recipient": "TAND-MAU"}


def read(name: str) -> dict[str, Any]:
    """The bundle of a sample with one child or none."""
    (strand,) = pack(ECF).read(sample(ECF, name), CONTEXT).strands
    return dict(strand.bundle)


def altered(name: str, old: str, new: str) -> bytes:
    """A sample with one thing said otherwise."""
    text = sample(ECF, name).decode()
    assert old in text
    return text.replace(old, new).encode()


def told(bundle: dict[str, Any]) -> list[tuple[str, str]]:
    """What the pack makes of a bundle."""
    return xml(pack(ECF).write(bundle, replace(CONTEXT, header=HEADER)).raw)


@pytest.mark.parametrize("name", samples(ECF))
def test_each_sample_is_read_as_expected(name: str) -> None:
    """Each sample gives the bundles that stand beside it, and they are valid R4 with full bindings."""
    found = [strand.bundle for strand in pack(ECF).read(sample(ECF, name), CONTEXT).strands]
    assert plain(found) == plain(expected(ECF, name))
    assert [validate(bundle) for bundle in found] == [()] * len(found)


@pytest.mark.parametrize("name", TOLD)
def test_our_own_messages_come_back_word_for_word(name: str) -> None:
    """A message of the agreed profile is read whole, and written again it says the same, in order."""
    reading = pack(ECF).read(sample(ECF, name), CONTEXT)
    (strand,) = reading.strands
    written = pack(ECF).write(strand.bundle, said_as_read(strand, reading.head.fields))
    assert [loss for loss in reading.loss if loss.kind == "drop"] == []
    assert xml(written.raw) == xml(sample(ECF, name))
    again = pack(ECF).read(written.raw, CONTEXT)
    assert plain([found.bundle for found in again.strands]) == plain([strand.bundle])


def test_each_child_of_a_case_has_a_bundle_of_its_own() -> None:
    """Two children in one filing are two bundles; neither holds anything of the other, and both hold the mother."""
    girl, boy = (
        dict(strand.bundle) for strand in pack(ECF).read(sample(ECF, "filing-two-children.xml"), CONTEXT).strands
    )
    names = [
        [name["text"] for child in resources(bundle, "Patient") for name in child["name"]] for bundle in (girl, boy)
    ]
    assert names == [["Thử-Nghiệm Thị Ngọc Mẫu"], ["Thử-Nghiệm Văn Em"]]
    assert "079218000003" not in str(girl)
    assert "079314000001" not in str(boy)
    assert [len(resources(bundle, "RelatedPerson")) for bundle in (girl, boy)] == [1, 1]


def test_names_are_nfc_in_the_order_spoken() -> None:
    """A name sent decomposed is the same name: family, middle names, given name."""
    decomposed = unicodedata.normalize("NFD", sample(ECF, "filing.xml").decode()).encode()
    (strand,) = pack(ECF).read(decomposed, CONTEXT).strands
    (child,) = resources(strand.bundle, "Patient")
    assert child["name"] == [
        {"family": "Thử-Nghiệm", "given": ["Thị", "Ngọc", "Mẫu"], "text": "Thử-Nghiệm Thị Ngọc Mẫu"}
    ]


def test_the_accused_is_a_person_apart() -> None:
    """A defendant is of a class and label of his own, the father that he is too; the others are not."""
    people = resources(read("filing.xml"), "RelatedPerson")
    (accused,) = [person for person in people if "alleged-perpetrator" in classes(person)]
    assert [coding["code"] for coding in accused["relationship"][0]["coding"]] == ["FTH", "alleged-perpetrator"]
    assert "SDV" in [label["code"] for label in accused["meta"]["security"]]
    assert [classes(person) for person in people if person is not accused] == [{"demographics"}] * 2


def test_a_filing_is_a_referral_with_its_number() -> None:
    """The hub finds number, state, classes asked for and the court where the canonical page puts them."""
    said = said_of(read("filing.xml"))
    assert said.placers == ("HS-2026-0088",)
    assert (said.service, str(said.state), said.decision) == ("alternative-care", "requested", "457/QĐ-CSĐT")
    assert [str(each) for each in said.asked] == ["forensic", "statement"]
    assert "TAND-MAU" in [value for _, value in said.performer]
    assert said.deadline is not None
    assert said.deadline.isoformat() == "2026-03-07T17:00:00+07:00"


def test_a_filing_without_a_number_has_that_of_its_message() -> None:
    """What a court answers to it later names the message, and finds the filing by it."""
    first = pack(ECF).read(sample(ECF, "filing-two-children.xml"), CONTEXT).strands[0]
    assert said_of(dict(first.bundle)).placers == ("VKS-2026-0302",)
    assert said_of(read("review-as-sent.xml")).placers == ("VKS-2026-0302",)


def test_a_protected_address_is_tainted_and_never_said() -> None:
    """An address that the court says it protects is a shelter's: labelled, and this pack tells it to nobody."""
    bundle = read("filing-protected-address.xml")
    (child,) = resources(bundle, "Patient")
    for held in (*child["address"], *child["telecom"]):
        codes = [label["valueCoding"]["code"] for label in held["extension"] if label["url"] == INLINE_LABEL_URL]
        assert codes == ["shelter-location", "shelter-location"]
    (accused,) = resources(bundle, "RelatedPerson")
    assert [label["url"] for label in accused["address"][0]["extension"] if label["url"] == INLINE_LABEL_URL] == []
    said = str(told(bundle))
    assert "34 đường Khác" in said
    for hidden in ("01 đường Kín", "Phường Giấu", "02800000009"):
        assert hidden not in said


def test_a_placement_is_hidden_and_never_said() -> None:
    """Where a court has placed a child is a stay of class and taint shelter-location; this pack does not repeat it."""
    bundle = read("filing-delinquency.xml")
    stays = [*resources(bundle, "Encounter"), *resources(bundle, "Location")]
    assert [classes(stay) for stay in stays] == [{"shelter-location"}] * 2
    assert all("shelter-location" in str(stay["meta"]["security"]) for stay in stays)
    assert "Nhà tạm lánh Mẫu" not in str(told(bundle))


def test_a_juvenile_is_the_child_and_nobodys_suspect() -> None:
    """The defendant of a delinquent act, found by reference, is the child and no alleged perpetrator."""
    bundle = read("filing-delinquency.xml")
    (child,) = resources(bundle, "Patient")
    assert child["name"][0]["text"] == "Mẫu Văn Tám"
    assert all("alleged-perpetrator" not in classes(person) for person in resources(bundle, "RelatedPerson"))
    assert resources(bundle, "Condition") == []


def test_a_case_of_adults_names_no_child() -> None:
    """Where nobody is named as a child nobody is made one: the filing is about whom its number says."""
    bundle = read("filing-no-child.xml")
    assert resources(bundle, "Patient") == []
    (request,) = resources(bundle, "ServiceRequest")
    assert request["subject"] == {"type": "Patient", "identifier": {"value": "15/2026/TLST-HNGĐ"}}
    with pytest.raises(Unwritable):
        told(bundle)


def test_an_order_is_a_claim() -> None:
    """An order is kept as a paper and a claim with its number, body and date; nothing of it counts or consents."""
    bundle = read("order.xml")
    (claim,) = claims_of(bundle)
    assert (claim.kind, claim.value, claim.by, claim.date) == (
        "decision", "03/2026/QĐ-CTX", "Tòa án nhân dân khu vực Mẫu", "2026-03-06",
    )  # fmt: skip
    (paper,) = resources(bundle, "DocumentReference")
    assert (paper["docStatus"], classes(paper)) == ("preliminary", {"court-orders"})
    assert paper["context"]["period"] == {"start": "2026-03-06", "end": "2026-07-06"}
    assert [flag["status"] for flag in resources(bundle, "Flag")] == ["inactive"]
    assert resources(bundle, "Consent") == []
    with pytest.raises(Unwritable):
        told(bundle)


@pytest.mark.parametrize(
    ("name", "state", "status"),
    [
        ("review-accepted.xml", "accepted", "accepted"),
        ("review-rejected.xml", "rejected", "rejected"),
        ("review-partly-accepted.xml", "partially-accepted", "accepted"),
        ("docketing.xml", "in-progress", "in-progress"),
        ("docketing-as-sent.xml", "in-progress", "in-progress"),
        ("filing-status-response.xml", "completed", "completed"),
        ("message-status.xml", "received", "received"),
    ],
)
def test_what_a_court_answers_is_a_state(name: str, state: str, status: str) -> None:
    """Each answer of a court is one referral state and the FHIR status that belongs to it."""
    bundle = read(name)
    assert str(said_of(bundle).state) == state
    assert [task["status"] for task in resources(bundle, "Task")] == [status]


def test_a_message_that_a_machine_cannot_take_is_a_rejection() -> None:
    """An error of the court's machine is a rejection with a reason, so that somebody sees it."""
    raw = altered("message-status.xml", ">Success<", ">InvalidSchema<")
    bundle = dict(pack(ECF).read(raw, CONTEXT).strands[0].bundle)
    assert str(said_of(bundle).state) == "rejected"
    (task,) = resources(bundle, "Task")
    assert task["statusReason"]["coding"][0]["code"] == "incomplete"


def test_a_machine_that_only_tries_is_not_believed() -> None:
    """A status of a test or a simulation is no answer."""
    with pytest.raises(Unsupported):
        pack(ECF).read(altered("message-status.xml", ">Ops<", ">Test<"), CONTEXT)


def test_a_hearing_is_an_appointment_with_its_zone() -> None:
    """The court's calendar becomes appointments; a local time is one of the place."""
    first, second = resources(read("schedule.xml"), "Appointment")
    assert (first["status"], first["start"]) == ("booked", "2026-03-12T08:00:00+07:00")
    assert (second["status"], second["start"]) == ("pending", "2026-03-19T08:00:00+07:00")


def test_a_recall_cancels_the_message() -> None:
    """A recall is a cancelling that names the earlier message, and nobody."""
    said = told(recall_bundle("OSH-2026-7005", "2026-03-06T08:00:00+07:00"))
    numbers = [text for tag, text in said if tag == f"{NC}IdentificationID"]
    assert numbers == ["OSH-1", "OSH-2026-7005", "hub", "TAND-MAU"]


def test_a_police_request_is_filed() -> None:
    """What the police ask of a court is a filing with their number, decision and child."""
    raw = sample("police/niem", "forensic-exam-request.xml")
    said = [text for _, text in told(dict(pack("police/niem").read(raw, CONTEXT).strands[0].bundle))]
    for expected_text in ("TC-2026-0457", "457/QĐ-CSĐT", "079312000001", "Thử-Nghiệm", "ForensicExamination"):
        assert expected_text in said


def test_a_relative_who_is_only_styled_is_no_reason_to_lose_a_request() -> None:
    """NIEM 4.0 asks for no part of a PersonName: a title and a suffix alone are filed with the rest."""
    bundle = dict(
        pack("police/niem").read(sample("police/niem", "forensic-exam-request.xml"), CONTEXT).strands[0].bundle
    )
    (child,) = resources(bundle, "Patient")
    relative = {
        "resourceType": "RelatedPerson",
        "id": "1",
        "meta": child["meta"],
        "name": [{"prefix": ["Bà"], "suffix": ["Mẫu"]}],
        "patient": {"reference": f"urn:uuid:{child['id']}"},
    }
    bundle["entry"] = [*bundle["entry"], {"fullUrl": "urn:uuid:1", "resource": relative}]
    assert (f"{NC}PersonNameSuffixText", "Mẫu") in told(bundle)


def test_an_answer_of_the_hospital_is_a_review() -> None:
    """The hospital's refusal is said to a court that asked as a rejected review with its reason."""
    raw = sample("health/hl7v2", "rri-i12-rejected.hl7")
    said = told(dict(pack("health/hl7v2").read(raw, CONTEXT).strands[0].bundle))
    assert (f"{ECF_NS}FilingReviewStatusCode", "rejected") in said
    assert (f"{NC}StatusText", "no-capacity") in said


def test_free_text_is_narrative() -> None:
    """What is asked in words and every paper is of class narrative."""
    bundle = read("filing.xml")
    note = resources(bundle, "ServiceRequest")[0]["note"][0]
    assert [label["valueCoding"]["code"] for label in note["extension"]] == ["narrative"]
    assert [classes(paper) for paper in resources(bundle, "DocumentReference")] == [{"narrative"}] * 2


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("review-accepted.xml", ">accepted<", ">SECRET<", "FilingReviewStatusCode"),
        ("review-as-sent.xml", ">received<", ">SECRET<", "FilingReviewStatusCode"),
        ("filing.xml", ">M<", ">SECRET<", "PersonSexCode"),
        ("filing.xml", ">1985-09-09<", ">SECRET<", "Date"),
    ],
)
def test_what_is_not_agreed_is_refused_by_its_place(name: str, old: str, new: str, place: str) -> None:
    """A code or date outside what is agreed refuses, with its place and without its value."""
    with pytest.raises(Refusal) as refusal:
        pack(ECF).read(altered(name, old, new), CONTEXT)
    assert place in refusal.value.place
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("filing-status-response.xml", "ecf:MatchingFiling"),
        ("filing-status-response.xml", "ecf:FilingReviewStatusCode"),
        ("filing-status-request.xml", "filingstatusrequest:FilingStatusQueryCriteria"),
        ("filing-status-request.xml", "j:CaseNumberText"),
        ("case-request.xml", "caserequest:CaseQueryCriteria"),
        ("case-request.xml", "j:CaseNumberText"),
        ("schedule.xml", "xcal:vevent"),
    ],
)
def test_a_message_about_nothing_is_refused_by_what_it_lacks(name: str, element: str) -> None:
    """A status without a filing, a query about no case, a calendar without a date: ECF asks for each, and so do we."""
    text = sample(ECF, name).decode()
    assert f"<{element}" in text
    raw = re.sub(rf"<{element}\b.*</{element}>", "", text, flags=re.S).encode()
    with pytest.raises(Malformed) as refusal:
        pack(ECF).read(raw, CONTEXT)
    assert refusal.value.place.endswith(element)


@pytest.mark.parametrize("name", ["filing-protected-address.xml", "filing-delinquency.xml", "filing-no-child.xml"])
def test_a_filing_that_says_next_to_nothing_is_followed_all_the_same(name: str) -> None:
    """Without number, date and deadline a filing still is a referral: its Task is there to be answered."""
    text = sample(ECF, name).decode()
    for element in ("nc:DocumentIdentification", "nc:DocumentFiledDate", "nc:ActivityDisposition"):
        text = re.sub(rf"<{element}>.*?</{element}>", "", text, flags=re.S)
    for strand in pack(ECF).read(text.encode(), CONTEXT).strands:
        assert len(resources(dict(strand.bundle), "Task")) == 1


@pytest.mark.parametrize("name", ["review-as-sent.xml", "docketing-as-sent.xml"])
def test_a_status_that_names_its_case_alone_keeps_that_number(name: str) -> None:
    """Some courts say no number of the filing: the case's is no key, but what a person can look for."""
    case = (
        "<nc:Case><ecf:CaseAugmentation><ecf:CaseTrackingID><nc:IdentificationID>TD-01</nc:IdentificationID>"
        "</ecf:CaseTrackingID><j:CaseNumberText>01/2026</j:CaseNumberText></ecf:CaseAugmentation></nc:Case>"
    )
    text = re.sub(r"<nc:Case>.*</nc:Case>|<nc:Case/>", "", sample(ECF, name).decode(), flags=re.S)
    end = text.rindex("</")
    (strand,) = pack(ECF).read((text[:end] + case + text[end:]).encode(), CONTEXT).strands
    (task,) = resources(dict(strand.bundle), "Task")
    assert {"01/2026", "TD-01"} <= {identifier["value"] for identifier in task["identifier"]}


@pytest.mark.parametrize("raw", [b"<filing:FilingMessage", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_what_is_no_safe_xml_is_refused(raw: bytes) -> None:
    """Cut and entity-bearing documents are refused, not crashed on."""
    with pytest.raises(Malformed):
        pack(ECF).read(raw, CONTEXT)


def test_the_status_codes_are_those_of_the_crosswalk() -> None:
    """The pack's review codes say what the canonical crosswalk says; `submitted`, said by some courts, is only read."""
    with (BUILT_IN / "canonical" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        agreed = {(row["code"], row["state"]) for row in csv.DictReader(file) if row["format"] == "ecf-review"}
    with (BUILT_IN / ECF / "codes" / "review-status.csv").open(encoding="utf-8", newline="") as file:
        mapped = {(row["source"], row["code"]) for row in csv.DictReader(file)}
    assert mapped - {("submitted", "requested")} == agreed


def test_what_a_court_can_be_told() -> None:
    """The pack says filings, statuses and recalls; results, records and orders it does not."""
    assert {event for event in Event if pack(ECF).writes(event)} == {
        Event.REFERRAL_REQUEST, Event.REFERRAL_STATUS, Event.RECALL,
    }  # fmt: skip
