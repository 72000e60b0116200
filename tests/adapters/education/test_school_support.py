"""The school pack: a whitelist on the way out, the duty to report on the way in."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters.errors import Malformed, Refusal, Unsupported, Unwritable
from adapters.library import BUILT_IN
from adapters.r4.validate import validate
from consent.vocabulary import Event
from hub.bundles import header_of, recall_bundle
from hub.referrals.reading import said_of
from tests.adapters.packs import CONTEXT, classes, expected, loads, pack, plain, resources, sample, samples, without

SCHOOL = "education/school-support"
FHIR = "health/fhir"
INCOMING = [name for name in samples(SCHOOL) if name.startswith(("attendance", "support-acknowledgement"))]
OUTGOING = ["support-need.json", "recall.json"]
HEADER = {"message-id": "OSH-1", "sender": "hub", "recipient": "TH-MAU"}


def support(**changes: Any) -> dict[str, Any]:
    """The canonical support message, with elements of its first need changed."""
    (bundle,) = expected(SCHOOL, "support-need.json")
    resources(bundle, "Observation")[0].update(changes)
    return bundle


def said(bundle: dict[str, Any]) -> dict[str, Any]:
    """What the school is told."""
    written = pack(SCHOOL).write(bundle, replace(CONTEXT, header=HEADER))
    found = loads(written.raw)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", INCOMING)
def test_each_incoming_sample_is_its_expected_bundle(name: str) -> None:
    """A sample reads as the valid R4 bundle that stands beside it, and nothing is dropped."""
    reading = pack(SCHOOL).read(sample(SCHOOL, name), CONTEXT)
    found = [strand.bundle for strand in reading.strands]
    assert plain(found) == plain(expected(SCHOOL, name))
    assert [validate(bundle) for bundle in found] == [()]
    assert [loss for loss in reading.loss if loss.kind == "drop"] == []


@pytest.mark.parametrize("name", OUTGOING)
def test_each_outgoing_sample_is_what_its_bundle_says(name: str) -> None:
    """The bundle beside an outgoing sample is written as that sample."""
    agreed = loads(sample(SCHOOL, name))
    header = {"message-id": agreed["id"], "sender": agreed["from"], "recipient": agreed["to"]}
    context = replace(CONTEXT, header=header, at=datetime.fromisoformat(agreed["sentAt"]))
    assert plain(loads(pack(SCHOOL).write(expected(SCHOOL, name)[0], context).raw)) == plain(agreed)


def test_a_social_workers_bundle_becomes_a_support_need() -> None:
    """A FHIR message of a social worker is told to the school as codes in both languages, dates and one contact."""
    (strand,) = pack(FHIR).read(sample(FHIR, "message-school-support.json"), CONTEXT).strands
    told = said(strand.bundle)
    assert told["student"] == {
        "studentId": "HS-2026-4A-07",
        "name": {"family": "Thử-Nghiệm", "given": ["Thị", "Mẫu"], "full": "Thử-Nghiệm Thị Mẫu"},
        "class": "4/2",
    }
    assert [need["code"] for need in told["needs"]] == ["timetable", "named-adult"]
    assert told["needs"][0]["display"] == {"vi": "điều chỉnh thời khóa biểu", "en": "adjusted timetable"}
    assert told["mayCollect"] == ["Mẫu Thị Bà"]
    assert told["contact"]["phone"] == "0280000099"


def test_what_is_not_on_the_list_is_not_said() -> None:
    """Neither the personal number nor the birth date of the child has a place in what a school is told."""
    raw = pack(SCHOOL).write(support(), replace(CONTEXT, header=HEADER)).raw.decode()
    for withheld in ("079312000001", "2016-05-20", "female", "Trung tâm"):
        assert withheld not in raw


def test_free_words_are_not_said() -> None:
    """Words in a note, a code's text or a value stay out: only coded needs are told."""
    secret = "bị đánh"
    told = said(
        support(
            note=[{"text": secret}],
            code={**resources(support(), "Observation")[0]["code"], "text": secret},
            valueCodeableConcept={"text": secret},
        )
    )
    assert secret not in json.dumps(told, ensure_ascii=False)


def test_an_allegation_is_not_said() -> None:
    """An allegation that stands in the bundle is nowhere in what the school is told."""
    bundle = support()
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "meta": resources(bundle, "Observation")[0]["meta"],
        "code": {"coding": [{"code": "sexual", "display": "sexual abuse"}]},
        "subject": {"reference": bundle["entry"][1]["fullUrl"]},
    }
    bundle["entry"].append({"fullUrl": "urn:uuid:c", "resource": condition})
    assert "sexual" not in json.dumps(said(bundle))


def test_an_unknown_need_is_not_passed_on() -> None:
    """A need that is no code of the list cannot be said, rather than be said as it stands."""
    system = "https://hub.onestop.example/fhir/CodeSystem/support-need"
    with pytest.raises(Unwritable):
        said(support(code={"coding": [{"system": system, "code": "bi-xam-hai"}]}))


def test_who_may_collect_and_contact_may_be_withheld() -> None:
    """What a release took out is simply not there; the needs are told all the same."""
    told = said(without(support(), "safety-plan"))
    assert "mayCollect" not in told
    assert [need["code"] for need in told["needs"]] == ["timetable", "named-adult"]


def test_someone_who_must_keep_away_is_a_flag() -> None:
    """A no-contact rule is one code, without a name or a reason."""
    system = "https://hub.onestop.example/fhir/CodeSystem/support-need"
    told = said(support(code={"coding": [{"system": system, "code": "no-contact-at-school"}]}))
    assert told["needs"][0]["code"] == "no-contact-at-school"


@pytest.mark.parametrize("path", sorted((BUILT_IN / SCHOOL / "schemas").glob("*.json")), ids=lambda path: path.stem)
def test_the_schemas_are_whitelists(path: Path) -> None:
    """Every object of every schema names all that it may hold."""
    schema = json.loads(path.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    waiting = [schema]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            assert found.get("type") != "object" or found["additionalProperties"] is False
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def test_an_acknowledgement_is_a_status() -> None:
    """The school's answer is the state of what it answers, in its own code and the canonical one."""
    reading = pack(SCHOOL).read(sample(SCHOOL, "support-acknowledgement-declined.json"), CONTEXT)
    found = said_of(reading.strands[0].bundle)
    assert reading.head.answers == "OSH-2026-8002"
    assert header_of(reading.strands[0].bundle)["response"]["identifier"] == "OSH-2026-8002"
    assert str(found.state) == "rejected"


def test_a_concern_is_a_report() -> None:
    """What a school suspects is an unconfirmed allegation; attendance and the reporter are of classes of their own."""
    reading = pack(SCHOOL).read(sample(SCHOOL, "attendance-concern.json"), CONTEXT)
    bundle = reading.strands[0].bundle
    assert reading.head.event is Event.REPORT
    conditions = resources(bundle, "Condition")
    assert [c["verificationStatus"]["coding"][0]["code"] for c in conditions] == ["unconfirmed", "unconfirmed"]
    assert [classes(each) for each in resources(bundle, "Observation")] == [{"attendance"}, {"attendance"}]
    assert str(resources(bundle, "Observation")[0]["valueQuantity"]["value"]) == "6.5"
    assert [classes(each) for each in resources(bundle, "RelatedPerson")] == [{"reporter-identity"}]


def test_a_concern_reaches_the_police_as_form_01() -> None:
    """A school's report is said to the police as their IncidentReport."""
    bundle = pack(SCHOOL).read(sample(SCHOOL, "attendance-concern.json"), CONTEXT).strands[0].bundle
    written = pack("police/niem").write(bundle, replace(CONTEXT, header={"message-id": "OSH-2", "sender": "hub"}))
    text = written.raw.decode()
    assert written.type == "IncidentReport"
    assert "<cp:AbuseCode>TC</cp:AbuseCode>" in text
    assert "<cp:AbuseCode>BM</cp:AbuseCode>" in text
    assert "Cô-Giáo Mẫu" in text


@pytest.mark.parametrize("name", OUTGOING)
def test_a_school_does_not_say_what_only_the_hub_says(name: str) -> None:
    """Support needs and recalls are refused when they come in."""
    with pytest.raises(Unsupported):
        pack(SCHOOL).read(sample(SCHOOL, name), CONTEXT)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"suspected": ["ghost"]}, Refusal),
        ({"diagnosis": "x"}, Refusal),
        ({"student": {"studentId": "1", "name": {"full": "Mẫu"}, "personalNumber": 79312000001}}, Refusal),
        ({"type": "Gossip"}, Unsupported),
    ],
    ids=["unknown code", "unknown member", "a number for a string", "unknown type"],
)
def test_what_the_schema_does_not_know_is_refused(change: dict[str, Any], error: type[Refusal]) -> None:
    """Members, codes and types that are not agreed are refused with their place."""
    raw = json.dumps(loads(sample(SCHOOL, "attendance-record.json")) | change, default=str).encode()
    with pytest.raises(error):
        pack(SCHOOL).read(raw, CONTEXT)


def test_broken_json_is_refused() -> None:
    """What is no JSON, or repeats a name, is refused."""
    for raw in (b"{", b'{"type": "SupportNeed", "type": "Recall"}', b'{"type": NaN}'):
        with pytest.raises(Malformed):
            pack(SCHOOL).read(raw, CONTEXT)


def test_a_recall_names_the_message_and_nothing_else() -> None:
    """A recall holds the header, and the message that is taken back."""
    told = said(recall_bundle("OSH-2026-8001", "2026-03-06T08:00:00+07:00"))
    assert told["replaces"] == "OSH-2026-8001"
    assert set(told) == {"type", "version", "id", "sentAt", "from", "to", "replaces"}


def test_the_status_codes_are_those_of_the_crosswalk() -> None:
    """The pack's status codes say what the canonical crosswalk says of `school-support`."""
    with (BUILT_IN / "canonical" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        agreed = {(row["code"], row["state"]) for row in csv.DictReader(file) if row["format"] == "school-support"}
    with (BUILT_IN / SCHOOL / "codes" / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        mapped = {(row["source"], row["code"]) for row in csv.DictReader(file)}
    assert mapped == agreed


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("name", ["need", "officer-role"])
def test_the_words_are_those_of_the_code_systems(name: str, language: str) -> None:
    """What a code is called stands in the canonical code system, in both languages."""
    system = "support-need" if name == "need" else name
    concepts = json.loads((BUILT_IN / "canonical" / "codesystems" / f"{system}.json").read_text("utf-8"))["concept"]
    canonical = {
        concept["code"]: concept["display"] if language == "en" else concept["designation"][0]["value"]
        for concept in concepts
        if concept["code"] != "collect-by"
    }
    with (BUILT_IN / SCHOOL / "codes" / f"{name}-{language}.csv").open(encoding="utf-8", newline="") as file:
        assert {row["code"]: row["source"] for row in csv.DictReader(file)} == canonical
