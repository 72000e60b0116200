"""What a hospital says: every sample reads as the bundle beside it, valid, classed, linked, in Vietnamese."""

from __future__ import annotations

import unicodedata
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle as R4BBundle

from adapters.pack import Context, LossKind, Reading
from adapters.r4.validate import validate
from consent.vocabulary import Event
from tests.adapters import packs

ID = "health/hl7v2"
SAMPLES = packs.samples(ID)


def read(name: str) -> Reading:
    return packs.pack(ID).read(packs.sample(ID, name), packs.CONTEXT)


def bundle(name: str) -> dict[str, Any]:
    return read(name).strands[0].bundle


def labels(resource: dict[str, Any]) -> set[str]:
    return {coding["code"] for coding in resource["meta"]["security"]}


def observation(found: dict[str, Any], code: str) -> dict[str, Any]:
    return next(o for o in packs.resources(found, "Observation") if o["code"]["coding"][0]["code"] == code)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_reads_as_the_bundle_beside_it(name: str) -> None:
    """A sample gives exactly the expected bundles, decimals to the digit."""
    found = [strand.bundle for strand in read(name).strands]
    assert packs.plain(found) == packs.plain(packs.expected(ID, name))


@pytest.mark.parametrize("name", SAMPLES)
def test_each_bundle_is_valid_r4(name: str) -> None:
    """Each bundle passes the hub's validator and fhir.resources."""
    for strand in read(name).strands:
        assert [issue for issue in validate(strand.bundle) if issue.severity == "error"] == []
        R4BBundle.model_validate(strand.bundle)


@pytest.mark.parametrize("name", SAMPLES)
def test_everything_is_reached_and_classed(name: str) -> None:
    """Each resource but the MessageHeader has one data class, and a reference of the bundle leads to or from it."""
    for strand in read(name).strands:
        entries = strand.bundle["entry"]
        pointed = {url for entry in entries for url in packs.references(entry["resource"])}
        for entry in entries[1:]:
            assert len(packs.classes(entry["resource"])) == 1
            assert entry["fullUrl"] in pointed or any(packs.references(entry["resource"]))


@pytest.mark.parametrize("name", SAMPLES)
def test_vietnamese_text_is_kept(name: str) -> None:
    """Whatever is said in Vietnamese arrives composed (NFC), tones intact."""
    text = str([strand.bundle for strand in read(name).strands])
    assert text == unicodedata.normalize("NFC", text)
    assert "Mẫu" in text


def test_decomposed_names_are_composed() -> None:
    """A name sent in decomposed form (NFD) is the same name."""
    raw = packs.sample(ID, "rri-i12-accepted.hl7")
    decomposed = unicodedata.normalize("NFD", raw.decode()).encode()
    assert decomposed != raw
    found = packs.pack(ID).read(decomposed, packs.CONTEXT).strands[0].bundle
    assert (
        packs.resources(found, "Patient")[0]["name"]
        == packs.resources(bundle("rri-i12-accepted.hl7"), "Patient")[0]["name"]
    )


def test_an_exam_is_thirty_results_each_of_its_own_class() -> None:
    """Of thirty results the HIV test, the infections, the PHQ-9 and the note are of narrower classes than the rest."""
    found = bundle("oru-r01-exam.hl7")
    assert read("oru-r01-exam.hl7").head.event is Event.EXAM_RECORD
    assert len(packs.resources(found, "Observation")) == 30
    assert labels(observation(found, "75622-1")) == {"sexual-health", "HIV"}
    assert labels(observation(found, "20507-0")) == {"sexual-health", "STD"}
    assert labels(observation(found, "44261-6")) == {"mental-health", "PSY"}
    assert labels(observation(found, "34109-9")) == {"narrative"}
    medical = [o for o in packs.resources(found, "Observation") if labels(o) == {"medical-exam"}]
    assert len(medical) == 24


def test_what_was_ordered_is_as_narrow_as_its_result() -> None:
    """No request of an unasked exam is a referral: that a test was ordered says as much as its result."""
    found = bundle("oru-r01-exam.hl7")
    requests = {entry["fullUrl"]: entry["resource"] for entry in found["entry"]}
    for report in packs.resources(found, "DiagnosticReport"):
        for reference in report["basedOn"]:
            assert packs.classes(requests[reference["reference"]]) == packs.classes(report)


def test_a_decimal_keeps_its_digits() -> None:
    """36.80 is not 36.8, and a comparator is no part of the number."""
    found = bundle("oru-r01-exam.hl7")
    assert str(observation(found, "8310-5")["valueQuantity"]["value"]) == "36.80"
    assert packs.plain(observation(found, "1988-5")["valueQuantity"])["value"] == "5"
    assert observation(found, "1988-5")["valueQuantity"]["comparator"] == "<"


def test_identifiers_are_strings_in_their_own_systems() -> None:
    """The personal number, the insurance card and the record number keep every digit and say what they are."""
    child = packs.resources(bundle("oru-r01-exam.hl7"), "Patient")[0]
    found = {each["type"]["coding"][0]["code"]: each for each in child["identifier"]}
    assert found["NI"]["value"] == "999312000001"
    assert found["NI"]["system"].endswith("/NamingSystem/personal-number")
    assert found["HC"]["system"].endswith("/NamingSystem/insurance-card")
    assert found["MR"]["assigner"] == {"display": "BV-MAU"}


def test_given_names_stand_in_the_order_spoken() -> None:
    """Middle names come before the given name, whether sent together or in XPN-3 with assembly order F."""
    together = packs.sample(ID, "rri-i12-accepted.hl7")
    apart = together.replace("Mẫu^Thị Thử An^".encode(), "Mẫu^An^Thị Thử".encode())
    assert apart != together
    for raw in (together, apart):
        child = packs.resources(packs.pack(ID).read(raw, packs.CONTEXT).strands[0].bundle, "Patient")[0]
        assert child["name"][0]["given"] == ["Thị", "Thử", "An"]
    western = together.replace("Mẫu^Thị Thử An^^^^^L^^^^F".encode(), b"EVERYMAN^ADAM^A^^^^L")
    child = packs.resources(packs.pack(ID).read(western, packs.CONTEXT).strands[0].bundle, "Patient")[0]
    assert child["name"][0]["given"] == ["ADAM", "A"]


def test_a_note_is_narrative_whole() -> None:
    """An MDM^T02's text arrives as plain text in a DocumentReference of class narrative."""
    document = packs.resources(bundle("mdm-t02-note.hl7"), "DocumentReference")[0]
    assert labels(document) == {"narrative"}
    text = b64decode(document["content"][0]["attachment"]["data"]).decode("utf-8")
    assert text == "Dữ liệu thử: trẻ đến khám cùng người thân.\nKhông có thật."


def test_t74_is_an_unconfirmed_allegation() -> None:
    """T74.2 is an allegation of sexual abuse that nobody has confirmed; a contusion beside it stays medical."""
    conditions = packs.resources(bundle("adt-a04-register.hl7"), "Condition")
    allegation, contusion = conditions
    assert labels(allegation) == {"allegation"}
    assert allegation["verificationStatus"]["coding"][0]["code"] == "unconfirmed"
    assert [coding["code"] for coding in allegation["code"]["coding"]] == ["sexual", "T74.2"]
    assert labels(contusion) == {"medical-exam"}
    assert labels(packs.resources(bundle("adt-a08-update.hl7"), "Condition")[1]) == {"mental-health", "PSY"}


def test_an_accepted_referral_names_what_it_answers() -> None:
    """RRI^I12: MSA-2 is the request's control id, RF1-6 the requester's number, RF1-1 the state."""
    reading = read("rri-i12-accepted.hl7")
    found = reading.strands[0].bundle
    task = packs.resources(found, "Task")[0]
    assert reading.head.answers == "HUB-000001"
    assert found["entry"][0]["resource"]["response"]["identifier"] == "HUB-000001"
    assert task["identifier"][0]["value"] == "GD-2026-0001"
    assert task["status"] == "accepted"
    assert task["businessStatus"]["coding"][0]["code"] == "accepted"
    rejected = packs.resources(bundle("rri-i12-rejected.hl7"), "Task")[0]
    assert (rejected["status"], rejected["statusReason"]["coding"][0]["code"]) == ("rejected", "no-capacity")
    assert rejected["note"][0]["extension"][0]["valueCoding"]["code"] == "narrative"


def test_a_result_is_tied_to_the_referral_that_asked_for_it() -> None:
    """ORC-2 of the result is the same resource as RF1-6 of the request, and the report is based on it."""
    result, request = bundle("oru-r01-forensic-result.hl7"), bundle("ref-i12-forensic.hl7")
    urls = {entry["fullUrl"] for entry in request["entry"] if entry["resource"]["resourceType"] == "ServiceRequest"}
    report = packs.resources(result, "DiagnosticReport")[0]
    assert read("oru-r01-forensic-result.hl7").head.event is Event.RESULT
    assert {reference["reference"] for reference in report["basedOn"]} == urls
    assert packs.classes(report) == {"forensic"}
    assert labels(observation(result, "75622-1")) == {"sexual-health", "HIV"}


def test_a_decision_number_is_a_claim() -> None:
    """What AUT says of a decision is a claim of the sender's and a reference for the reader, never an order."""
    found = bundle("ref-i12-forensic.hl7")
    claim = found["entry"][0]["resource"]["extension"][0]
    said = {part["url"]: next(v for k, v in part.items() if k != "url") for part in claim["extension"]}
    assert said["kind"] == "decision"
    assert said["value"] == "45/QĐ-CQĐT"
    assert packs.resources(found, "ServiceRequest")[0]["supportingInfo"][0]["identifier"]["value"] == "45/QĐ-CQĐT"
    assert not packs.resources(found, "DocumentReference")


def test_two_children_in_one_message_never_mix() -> None:
    """Each child's strand holds that child's results and nothing of the other's."""
    first, second = (strand for strand in read("oru-r01-two-children.hl7").strands)
    assert "BN-0003" not in str(first) + str(dict(first.leaves))
    assert "BN-0002" not in str(second) + str(dict(second.leaves))
    assert packs.plain(observation(second.bundle, "29463-7")["valueQuantity"])["value"] == "28.50"


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"])
def test_every_agreed_version_is_read(version: str) -> None:
    """Versions 2.3 to 2.8 read alike, without a deviation."""
    raw = packs.sample(ID, "oru-r01-exam.hl7").replace(b"|P|2.5.1|", f"|P|{version}|".encode())
    reading = packs.pack(ID).read(raw, packs.CONTEXT)
    assert reading.head.version == version
    assert reading.deviations == ()
    assert len(packs.resources(reading.strands[0].bundle, "Observation")) == 30


def test_a_later_message_finds_the_same_resources() -> None:
    """An agency's record has the same addresses at any time; another agency's has others."""
    later = Context(at=datetime(2027, 1, 1, tzinfo=UTC), agency=packs.CONTEXT.agency, salt=b"other")
    other = Context(at=packs.CONTEXT.at, agency="another", salt=b"sample")
    raw = (
        packs.sample(ID, "oru-r01-exam.hl7")
        .replace(b"^^^BV-MAU^MR", b"^^^^MR")
        .replace(b"~999312000001^^^CCCD^NI", b"")
    )
    raw = raw.replace(b"~TE1999900000001^^^BHXH^HC", b"")
    mine, mine_later, theirs = (
        packs.pack(ID).read(raw, context).strands[0].bundle for context in (packs.CONTEXT, later, other)
    )
    assert [entry["fullUrl"] for entry in mine["entry"]] == [entry["fullUrl"] for entry in mine_later["entry"]]
    child = [packs.resources(found, "Patient")[0]["id"] for found in (mine, theirs)]
    assert child[0] != child[1]


def test_a_visit_that_is_not_applicable_and_says_where_is_a_visit() -> None:
    """PV1-2 N alone says that there is no visit; with a place and a doctor it is one, of no known class."""
    raw = packs.sample(ID, "adt-a04-register.hl7").decode()
    line = next(line for line in raw.split("\r") if line.startswith("PV1"))
    fields = line.split("|")
    full = packs.pack(ID).read(raw.replace(line, "|".join([*fields[:2], "N", *fields[3:]])).encode(), packs.CONTEXT)
    assert packs.resources(full.strands[0].bundle, "Encounter")[0]["class"]["code"] == "NA"
    bare = packs.pack(ID).read(raw.replace(line, "PV1|1|N").encode(), packs.CONTEXT)
    assert not packs.resources(bare.strands[0].bundle, "Encounter")


def test_an_organisation_without_name_and_number_is_nobody() -> None:
    """OBX-15 that says only where its code is from names no laboratory: none is made, and what it said is loss."""
    lines = packs.sample(ID, "oru-r01-exam.hl7").decode().replace("\n", "\r").split("\r")
    at = next(place for place, line in enumerate(lines) if line.startswith("OBX"))
    fields = [*lines[at].split("|"), *[""] * 16][:16]
    lines[at] = "|".join([*fields[:15], "^^99LAB"])
    reading = packs.pack(ID).read("\r".join(lines).encode(), packs.CONTEXT)
    bundle = reading.strands[0].bundle
    assert all(one.keys() & {"name", "identifier"} for one in packs.resources(bundle, "Organization"))
    assert "OBX[1]-15.3" in {loss.place for loss in reading.loss}


def test_a_word_that_means_what_silence_means_goes_back_to_its_sender() -> None:
    """OBX-11 `unknown` is said by saying nothing; the word is in the loss, so its sender gets it back."""
    raw = packs.sample(ID, "oru-r01-exam.hl7").decode().replace("|||||F|||", "|||||unknown|||", 1)
    assert "unknown" in raw
    reading = packs.pack(ID).read(raw.encode(), packs.CONTEXT)
    assert [loss.kind for loss in reading.loss if loss.place.endswith("]-11")] == [LossKind.DROP]
