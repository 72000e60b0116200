"""The FHIR pack: bundles of four types in, message bundles out; identities, references, children, claims, refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.errors import BrokenPack, Malformed, Refusal, Unmappable, Unsupported, Unwritable
from adapters.library import BUILT_IN, load_pack, read_folder
from adapters.mapping.identity import NEVER_MATCHES
from adapters.pack import Reading
from adapters.r4.validate import validate
from consent.vocabulary import HUB_BASE, INLINE_LABEL_URL, Event
from hub.bundles import claims_of, event_of, recall_bundle
from tests.adapters.packs import (
    CONTEXT,
    classes,
    expected,
    loads,
    pack,
    plain,
    references,
    resources,
    said_as_read,
    sample,
    samples,
)

FHIR = "health/fhir"
ENCODE = msgspec.json.Encoder(decimal_format="number").encode
HEADER = {"message-id": "OSH-1", "sender": "hub", "recipient": "tam-lanh"}


def read(bundle: dict[str, Any]) -> Reading:
    """A bundle as the pack reads it."""
    return pack(FHIR).read(ENCODE(bundle), CONTEXT)


def exam() -> dict[str, Any]:
    """The exam record as a hospital sends it."""
    found = loads(sample(FHIR, "message-exam-record.json"))
    assert isinstance(found, dict)
    return found


def of_type(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first resource of a type."""
    return resources(bundle, kind)[0]


def added(resource: dict[str, Any], url: str = "urn:uuid:22222222-2222-4222-8222-222222222222") -> dict[str, Any]:
    """The exam record with one more entry."""
    bundle = exam()
    bundle["entry"].append({"fullUrl": url, "resource": resource})
    return bundle


@pytest.mark.parametrize("name", samples(FHIR))
def test_each_sample_is_its_expected_bundle(name: str) -> None:
    """A sample reads as the valid R4 bundles that stand beside it, one for each child."""
    found = [strand.bundle for strand in pack(FHIR).read(sample(FHIR, name), CONTEXT).strands]
    assert plain(found) == plain(expected(FHIR, name))
    assert [validate(bundle) for bundle in found] == [()] * len(found)


@pytest.mark.parametrize("name", samples(FHIR))
def test_every_bundle_holds_together(name: str) -> None:
    """In each strand every reference leads to one of its own entries, and every resource has a class."""
    for strand in pack(FHIR).read(sample(FHIR, name), CONTEXT).strands:
        urls = {entry["fullUrl"] for entry in strand.bundle["entry"]}
        assert {found for found in references(strand.bundle) if not found.startswith("http")} <= urls
        assert all(classes(entry["resource"]) for entry in strand.bundle["entry"][1:])


@pytest.mark.parametrize("name", samples(FHIR))
def test_reading_is_stable(name: str) -> None:
    """Read, written and read again each strand is the same, fullUrls included; a second writing is byte-equal."""
    reading = pack(FHIR).read(sample(FHIR, name), CONTEXT)
    for strand in reading.strands:
        context = said_as_read(strand, reading.head.fields)
        written = pack(FHIR).write(strand.bundle, context).raw
        (again,) = pack(FHIR).read(written, CONTEXT).strands
        for bundle in (strand.bundle, again.bundle):
            for part in ("sender", "destination", "source"):
                bundle["entry"][0]["resource"].pop(part, None)
        assert plain(again.bundle) == plain(strand.bundle)
        assert pack(FHIR).write(again.bundle, context).raw == pack(FHIR).write(strand.bundle, context).raw


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("message-exam-record.json", "exam-record"),
        ("message-school-support.json", "school-support"),
        ("message-shelter-transfer.json", "shelter-transfer"),
        ("message-recall.json", "recall"),
        ("transaction-referral.json", "referral-request"),
        ("document-exam.json", "exam-record"),
        ("collection-two-children.json", "result"),
    ],
)
def test_the_event_is_recognised(name: str, event: str) -> None:
    """A message says its event; other bundles show it by what they hold."""
    reading = pack(FHIR).read(sample(FHIR, name), CONTEXT)
    assert str(reading.head.event) == event
    assert {event_of(strand.bundle) for strand in reading.strands} == {event}


def test_two_children_are_two_strands() -> None:
    """Each child's strand holds that child's resources, that child's source leaves, and nothing of the other's."""
    first, second = pack(FHIR).read(sample(FHIR, "collection-two-children.json"), CONTEXT).strands
    for mine, other, number in ((first, second, "079312000001"), (second, first, "079314000002")):
        assert number in str(mine.bundle)
        assert number not in str(other.bundle)
        assert number in mine.leaves.values()
        assert number not in other.leaves.values()
        assert [entry["resource"]["resourceType"] for entry in mine.bundle["entry"]] == [
            "MessageHeader", "Patient", "DiagnosticReport", "Observation",
        ]  # fmt: skip


def test_a_resource_about_two_children_is_refused() -> None:
    """What leads from one child's record into another's is sent back, not guessed at."""
    bundle = loads(sample(FHIR, "collection-two-children.json"))
    reports = resources(bundle, "DiagnosticReport")
    reports[0]["result"] += reports[1]["result"]
    with pytest.raises(Unmappable, match="child"):
        read(bundle)


def test_linked_patients_are_one_child() -> None:
    """Two Patients that link to each other are one strand: the same child twice."""
    bundle = loads(sample(FHIR, "collection-two-children.json"))
    urls = [entry["fullUrl"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"]
    resources(bundle, "Patient")[0]["link"] = [{"other": {"reference": urls[1]}, "type": "seealso"}]
    assert len(read(bundle).strands) == 1


def test_the_same_record_sent_twice_is_the_same_resource() -> None:
    """Identities come from identifiers, whatever ids the sender gave, and depend on the key."""
    first = of_type(read(exam()).strands[0].bundle, "DiagnosticReport")
    text = ENCODE(exam()).replace(b"urn:uuid:11111111", b"urn:uuid:99999999")
    second = of_type(pack(FHIR).read(text, CONTEXT).strands[0].bundle, "DiagnosticReport")
    other = of_type(pack(FHIR).read(text, replace(CONTEXT, id_key=b"k" * 32)).strands[0].bundle, "DiagnosticReport")
    assert first["id"] == second["id"]
    assert first["id"] != other["id"]


def test_nameless_children_never_become_one() -> None:
    """Two Patients without identifiers are two, each marked as never matching."""
    bundle = loads(sample(FHIR, "collection-two-children.json"))
    for patient in resources(bundle, "Patient"):
        del patient["identifier"]
    found = [of_type(strand.bundle, "Patient") for strand in read(bundle).strands]
    assert len({patient["id"] for patient in found}) == 2
    assert all(NEVER_MATCHES in patient["meta"]["tag"] for patient in found)


def test_a_key_that_stands_twice_keeps_both() -> None:
    """Two observations of one identifier are kept apart, and it is reported."""
    double = copy.deepcopy(of_type(exam(), "Observation"))
    reading = read(added(double))
    found = resources(reading.strands[0].bundle, "Observation")
    assert len({each["id"] for each in found}) == 2
    assert any("twice" in deviation.why for deviation in reading.deviations)


def test_decimals_and_unknown_extensions_are_kept() -> None:
    """1.50 stays 1.50 on both ways, and an extension that nobody knows is copied as it stands."""
    bundle = read(exam()).strands[0].bundle
    observation = of_type(bundle, "Observation")
    assert str(observation["valueQuantity"]["value"]) == "1.50"
    assert observation["extension"][0]["valueString"] == "Thước Mẫu 1"
    assert b'"value":1.50' in pack(FHIR).write(bundle, replace(CONTEXT, header=HEADER)).raw


@pytest.mark.parametrize(
    "reference",
    ["Patient/tre-1", "https://ctxh.example/fhir/Patient/tre-1", "Patient/tre-1/_history/3"],
    ids=["relative", "absolute", "versioned"],
)
def test_references_follow_their_entry(reference: str) -> None:
    """Relative, absolute and versioned references lead to the keyed fullUrl."""
    bundle = loads(sample(FHIR, "transaction-referral.json"))
    of_type(bundle, "ServiceRequest")["subject"]["reference"] = reference
    found = read(bundle).strands[0].bundle
    patient = next(e["fullUrl"] for e in found["entry"] if e["resource"]["resourceType"] == "Patient")
    assert of_type(found, "ServiceRequest")["subject"]["reference"] == patient


def test_a_reference_out_of_the_bundle_becomes_a_logical_one() -> None:
    """What is not in the bundle is named by identifier, and that is reported."""
    bundle = exam()
    of_type(bundle, "Observation")["performer"] = [{"reference": "Practitioner/9", "display": "Bác-Sĩ Mẫu"}]
    reading = read(bundle)
    performer = of_type(reading.strands[0].bundle, "Observation")["performer"][0]
    assert "reference" not in performer
    assert performer["identifier"]["value"] == "Practitioner/9"
    assert [loss.kind for loss in reading.loss if loss.place.endswith("performer/0/reference")] == ["normalise"]


def test_a_dangling_urn_is_refused() -> None:
    """A urn:uuid that leads nowhere is a mistake of the sender's."""
    bundle = exam()
    of_type(bundle, "Observation")["subject"]["reference"] = "urn:uuid:00000000-0000-4000-8000-999999999999"
    with pytest.raises(Unmappable) as refusal:
        read(bundle)
    assert refusal.value.place == "/entry/3/resource/subject"


def test_contained_resources_stand_on_their_own() -> None:
    """A contained resource becomes an entry of its own class, and its reference follows."""
    bundle = exam()
    observation = of_type(bundle, "Observation")
    observation["contained"] = [{"resourceType": "Practitioner", "id": "bs", "name": [{"text": "Bác-Sĩ Mẫu"}]}]
    observation["performer"] = [{"reference": "#bs"}]
    found = read(bundle).strands[0].bundle
    practitioner = next(e for e in found["entry"] if e["resource"]["resourceType"] == "Practitioner")
    assert classes(practitioner["resource"]) == {"referral"}
    assert of_type(found, "Observation")["performer"] == [{"reference": practitioner["fullUrl"]}]
    assert "contained" not in of_type(found, "Observation")


CONSENT = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"code": "patient-privacy"}]},
    "category": [{"coding": [{"code": "59284-0"}]}],
    "patient": {"reference": "urn:uuid:11111111-1111-4111-8111-111111111101"},
    "dateTime": "2026-03-05T09:00:00+07:00",
    "performer": [{"display": "Mẹ Mẫu"}],
    "policyRule": {"coding": [{"code": "OPTIN"}]},
}


@pytest.mark.parametrize("where", ["entry", "contained"])
def test_a_consent_is_a_claim_and_never_a_permission(where: str) -> None:
    """A Consent, an entry or contained, is left out of the bundle; what remains is the sender's claim."""
    if where == "entry":
        bundle = added(CONSENT)
    else:
        bundle = exam()
        of_type(bundle, "Observation")["contained"] = [{**CONSENT, "id": "dy"}]
        of_type(bundle, "Observation")["extension"] = [
            {"url": "https://x.example", "valueReference": {"reference": "#dy"}}
        ]
    reading = read(bundle)
    found = reading.strands[0].bundle
    (claim,) = claims_of(found)
    assert (claim.kind, claim.value, claim.by, claim.date) == ("consent", "active", "Mẹ Mẫu", "2026-03-05")
    assert "Consent" not in [entry["resource"]["resourceType"] for entry in found["entry"]]
    assert any("claim" in loss.why for loss in reading.loss)
    assert validate(found) == ()


def test_a_consent_of_one_child_is_no_claim_for_another() -> None:
    """What is claimed of one child stands in that child's strand alone."""
    bundle = loads(sample(FHIR, "collection-two-children.json"))
    url = bundle["entry"][0]["fullUrl"]
    consent = {**CONSENT, "patient": {"reference": url}}
    bundle["entry"].append({"fullUrl": "urn:uuid:33333333-3333-4333-8333-333333333333", "resource": consent})
    first, second = read(bundle).strands
    assert [claim.kind for claim in claims_of(first.bundle)] == ["consent"]
    assert claims_of(second.bundle) == ()


def test_an_orders_number_is_a_claim() -> None:
    """The decision that a request rests on stands as a claim in the MessageHeader, as with any pack."""
    police = pack("police/niem").read(sample("police/niem", "forensic-exam-request.xml"), CONTEXT).strands[0].bundle
    police["entry"][0]["resource"].pop("extension")
    found = pack(FHIR).read(pack(FHIR).write(police, replace(CONTEXT, header=HEADER)).raw, CONTEXT).strands[0].bundle
    assert [(claim.kind, claim.value) for claim in claims_of(found)] == [("decision", "457/QĐ-CSĐT")]


def test_narrative_does_not_travel() -> None:
    """Generated narrative is dropped, and that is reported."""
    reading = pack(FHIR).read(sample(FHIR, "transaction-referral.json"), CONTEXT)
    assert "text" not in of_type(reading.strands[0].bundle, "Patient")
    assert ("/entry/0/resource/text", "drop") in {(loss.place, loss.kind) for loss in reading.loss}


def inline(element: dict[str, Any]) -> list[str]:
    """The inline classes of an element."""
    return [label["valueCoding"]["code"] for label in element["extension"] if label["url"] == INLINE_LABEL_URL]


def test_words_are_labelled_narrative() -> None:
    """Notes and conclusions carry a label of their own; a result in words is narrative as a whole."""
    bundle = exam()
    of_type(bundle, "Observation")["note"] = [{"text": "ghi chú"}]
    of_type(bundle, "DiagnosticReport")["conclusion"] = "kết luận"
    spoken = {**copy.deepcopy(of_type(bundle, "Observation")), "identifier": [{"value": "KQ-2"}], "valueString": "lời"}
    del spoken["valueQuantity"]
    bundle["entry"].append({"fullUrl": "urn:uuid:44444444-4444-4444-8444-444444444444", "resource": spoken})
    found = read(bundle).strands[0].bundle
    measured, worded = resources(found, "Observation")
    assert inline(measured["note"][0]) == ["narrative"]
    assert inline(of_type(found, "DiagnosticReport")["_conclusion"]) == ["narrative"]
    assert classes(worded) == {"narrative"}


@pytest.mark.parametrize(
    ("change", "expected_class"),
    [
        ({}, "medical-exam"),
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "75622-1"}]}}, "sexual-health"),
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "44249-1"}]}}, "mental-health"),
        (
            {"code": {"coding": [{"system": f"{HUB_BASE}/CodeSystem/support-need", "code": "collect-by"}]}},
            "safety-plan",
        ),
    ],
)
def test_the_class_comes_from_the_code(change: dict[str, Any], expected_class: str) -> None:
    """An observation's class is that of what it is about."""
    bundle = exam()
    of_type(bundle, "Observation").update(change)
    assert classes(of_type(read(bundle).strands[0].bundle, "Observation")) == {expected_class}


def test_a_senders_label_only_narrows() -> None:
    """A class and a label that the sender names stand beside the pack's own, never instead of it."""
    bundle = exam()
    own = [
        {"system": f"{HUB_BASE}/CodeSystem/data-class", "code": "support-need"},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"},
    ]
    of_type(bundle, "Observation")["meta"] = {"security": own, "versionId": "7", "lastUpdated": "2026-03-05T00:00:00Z"}
    meta = of_type(read(bundle).strands[0].bundle, "Observation")["meta"]
    assert [coding["code"] for coding in meta["security"]] == ["medical-exam", "support-need", "HIV"]
    assert set(meta) == {"security"}


def test_the_hubs_tags_cannot_be_forged_and_do_not_leave() -> None:
    """A sender's tag of the hub's own system is taken away, and the hub's own stay inside."""
    bundle = exam()
    of_type(bundle, "DiagnosticReport")["meta"] = {
        "tag": [dict(NEVER_MATCHES), {"system": "https://x.example", "code": "a"}]
    }
    del of_type(bundle, "Encounter")["identifier"]
    found = read(bundle).strands[0].bundle
    assert of_type(found, "DiagnosticReport")["meta"]["tag"] == [{"system": "https://x.example", "code": "a"}]
    assert NEVER_MATCHES in of_type(found, "Encounter")["meta"]["tag"]
    assert b"never-matches" not in pack(FHIR).write(found, replace(CONTEXT, header=HEADER)).raw


def test_where_it_came_from_is_not_said() -> None:
    """The header that leaves is the context's: neither the origin's name nor its registry id, nor its format."""
    found = read(exam()).strands[0].bundle
    raw = pack(FHIR).write(found, replace(CONTEXT, agency="tam-lanh", header=HEADER)).raw.decode()
    for origin in ("Bệnh viện Mẫu", 'BV-MAU"', "sample-agency", "ctxh.example/fhir", "/pack/"):
        assert origin not in raw


def put(path: list[Any], value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the exam record."""

    def change(bundle: dict[str, Any]) -> None:
        target: Any = bundle
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value

    return change


PATIENT = ["entry", 1, "resource"]
MODIFIER = [{"url": "https://x.example", "valueBoolean": True}]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (put([*PATIENT, "modifierExtension"], MODIFIER), Unmappable, "modifier"),
        (put(["entry", 3, "resource", "component"], [{"modifierExtension": MODIFIER}]), Unmappable, "modifier"),
        (put([*PATIENT, "implicitRules"], "https://x.example"), Unmappable, "implicitRules"),
        (put([*PATIENT, "resourceType"], "Substance"), Unmappable, "Substance is not spoken"),
        (put([*PATIENT, "resourceType"], "Nguyễn"), Unmappable, "a resource that R4 does not have"),
        (put(["type"], "history"), Unsupported, "type"),
        (put(["resourceType"], "Patient"), Unsupported, "Patient alone"),
        (put(["entry", 0, "resource", "eventCoding", "code"], "party"), Unsupported, "event"),
        (put(["entry", 2], {"fullUrl": "urn:uuid:1"}), Unmappable, "resource"),
        (put(["entry", 2], None), Malformed, "object"),
        (put(["entry", 2, "fullUrl"], "urn:uuid:11111111-1111-4111-8111-111111111101"), Malformed, "fullUrl"),
        (put([*PATIENT, "name"], "Mẫu"), Malformed, "list"),
        (put([*PATIENT, "identifier"], [{"value": "1", "assigner": "x"}]), Malformed, "object"),
        (put([*PATIENT, "birthDate"], 2016), Malformed, "no date"),
        (put([*PATIENT, "gender"], {"a": "b"}), Malformed, "no code"),
        (put(["entry", 2, "request"], {"method": "DELETE", "url": "Encounter/1"}), Unsupported, "POST or PUT"),
    ],
)  # fmt: skip
def test_what_is_refused(change: Callable[[dict[str, Any]], None], error: type[Refusal], said: str) -> None:
    """What may change the meaning of the rest, or is not agreed, is refused and says why without repeating values."""
    bundle = exam()
    change(bundle)
    with pytest.raises(error) as refusal:
        read(bundle)
    assert said in str(refusal.value)
    assert "Nguyễn" not in str(refusal.value)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"\xff\xfe", b"[" * 5000], ids=str)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    """Broken, repeated, undecodable and too deep JSON is a typed refusal."""
    with pytest.raises(Refusal):
        pack(FHIR).read(raw, CONTEXT)


@pytest.mark.parametrize("event", sorted(Event))
def test_every_event_can_be_said(event: Event) -> None:
    """A FHIR agency can be told anything that a bundle holds."""
    assert pack(FHIR).writes(event)


def test_any_packs_bundle_leaves_as_a_valid_message() -> None:
    """What the police and the hospital say leaves as a valid message bundle that reads back as the same event."""
    for id_, names in (("police/niem", samples("police/niem")), ("health/hl7v2", samples("health/hl7v2"))):
        for name in names:
            for strand in pack(id_).read(sample(id_, name), CONTEXT).strands:
                written = pack(FHIR).write(strand.bundle, replace(CONTEXT, header=HEADER))
                assert validate(loads(written.raw)) == ()
                (again,) = pack(FHIR).read(written.raw, CONTEXT).strands
                assert event_of(again.bundle) == event_of(strand.bundle)


def test_a_shelter_is_told_in_fhir() -> None:
    """The shelter's message holds the referral, and the masked place with its taint."""
    bundle = pack(FHIR).read(sample(FHIR, "message-shelter-transfer.json"), CONTEXT).strands[0].bundle
    told = loads(pack(FHIR).write(bundle, replace(CONTEXT, header=HEADER)).raw)
    assert told["identifier"]["value"] == "OSH-1"
    assert told["entry"][0]["resource"]["source"] == {"name": "hub", "endpoint": f"{HUB_BASE}/Endpoint/hub"}
    place = of_type(told, "Location")["meta"]["security"]
    assert [coding["code"] for coding in place] == ["shelter-location", "shelter-location"]


def test_a_recall_is_a_header_alone() -> None:
    """A recall names the earlier message in its MessageHeader and holds nothing else."""
    told = loads(
        pack(FHIR).write(recall_bundle("OSH/7005", CONTEXT.at.isoformat()), replace(CONTEXT, header=HEADER)).raw
    )
    (entry,) = told["entry"]
    assert entry["resource"]["resourceType"] == "MessageHeader"
    assert entry["resource"]["response"]["code"] == "ok"


def test_what_is_no_valid_r4_is_not_said() -> None:
    """A bundle that would not be valid does not leave."""
    bundle = read(exam()).strands[0].bundle
    of_type(bundle, "Observation")["status"] = "done"
    with pytest.raises(Unwritable):
        pack(FHIR).write(bundle, replace(CONTEXT, header=HEADER))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("class: referral, key: &agency", "class: gossip, key: &agency", "gossip"),
        ("{make: Flag, class", "{make: Consent, class", "cannot make consent"),
        ("{make: Flag, class", "{make: Flagg, class", "no resource Flagg"),
        ("event: shelter-transfer}", "event: party}", "party"),
        ("report: [Communication]", "report: [Coverage]", "does not lead to Coverage"),
    ],
)
def test_broken_data_is_named(old: str, new: str, said: str) -> None:
    """What the pack's data cannot mean is refused at load, by name."""
    files = read_folder(BUILT_IN / FHIR)
    text = files["maps/bundle.yaml"].decode()
    assert old in text
    with pytest.raises(BrokenPack, match=said):
        load_pack({**files, "maps/bundle.yaml": text.replace(old, new).encode()})
