"""What leaves is built from what is permitted, is valid R4, and holds nothing else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import consent
from consent.model import Decision, Disclosure, Facts
from consent.vocabulary import DATA_CLASS_SYSTEM, INLINE_LABEL_URL, NO_REDISCLOSURE, DataClass, Event, Sector, View
from tests.consent.world import AT, LOINC, agency, ask, child, item, line, order, policy, treating

CANARY = "secret-canary"


def entry(place: str, data_class: DataClass | None, /, **resource: Any) -> dict[str, Any]:
    security = [{"system": DATA_CLASS_SYSTEM, "code": data_class.value}] if data_class else []
    return {"fullUrl": f"urn:uuid:{place}", "resource": {"meta": {"security": security, "versionId": "7"}, **resource}}


def coded(code: str, display: str = "") -> dict[str, Any]:
    coding = {"system": LOINC, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]}


def exam() -> dict[str, Any]:
    """An exam record with a child, injuries, an HIV test, notes, an attachment and a report over all of it."""
    subject = {"reference": "urn:uuid:patient", "display": CANARY}
    observation = {"resourceType": "Observation", "status": "final", "subject": subject}
    return {
        "resourceType": "Bundle",
        "type": "message",
        "id": CANARY,
        "identifier": {"value": CANARY},
        "total": 5,
        "entry": [
            {
                "fullUrl": "urn:uuid:header",
                "resource": {
                    "resourceType": "MessageHeader",
                    "eventCoding": {"system": "urn:e", "code": "result", "display": CANARY},
                    "source": {"endpoint": "urn:hospital", "software": CANARY},
                    "extension": [{"url": "urn:claim", "valueString": CANARY}],
                    "focus": [{"reference": "urn:uuid:report"}, {"reference": "urn:uuid:hiv"}],
                },
            },
            entry("patient", DataClass.DEMOGRAPHICS, resourceType="Patient", name=[{"text": "Bé Thử-Nghiệm"}]),
            entry(
                "injury",
                DataClass.MEDICAL_EXAM,
                **observation,
                code=coded("injury") | {"text": CANARY},
                valueQuantity={"value": 3, "unit": "cm"},
                note=[{"text": CANARY}],
                text={"status": "generated", "div": f"<div>{CANARY}</div>"},
                contained=[{"resourceType": "Patient", "id": "p", "name": [{"text": CANARY}]}],
                extension=[{"url": "urn:x", "valueString": CANARY}, {"url": "urn:y", "valueCode": CANARY}],
                derivedFrom=[{"reference": "urn:uuid:hiv"}],
            ),
            entry("hiv", DataClass.MEDICAL_EXAM, **observation, code=coded("75622-1", CANARY), valueString=CANARY),
            entry(
                "report",
                DataClass.MEDICAL_EXAM,
                resourceType="DiagnosticReport",
                status="final",
                code=coded("panel"),
                subject=subject,
                result=[{"reference": "urn:uuid:injury"}, {"reference": "urn:uuid:hiv", "display": CANARY}],
                conclusion=CANARY,
                presentedForm=[{"contentType": "text/plain", "title": CANARY}],
            ),
            entry("nothing", None, **observation, code=coded(CANARY)),
        ],
    }


def decided(bundle: dict[str, Any], recipient: Sector, facts: Facts) -> tuple[dict[str, Any], Decision]:
    labelled = consent.label(bundle, policy())
    disclosure: Disclosure = ask(agency(recipient), *consent.items_of(labelled), event=Event.RESULT)
    return labelled, consent.decide(disclosure, facts, policy(), AT)


def released(bundle: dict[str, Any], recipient: Sector, facts: Facts) -> dict[str, Any]:
    labelled, decision = decided(bundle, recipient, facts)
    return consent.release(labelled, decision)


def names(bundle: dict[str, Any]) -> list[str]:
    return [one["fullUrl"].removeprefix("urn:uuid:") for one in bundle["entry"]]


def to_police() -> Facts:
    lines = (line(DataClass.MEDICAL_EXAM), line(DataClass.DEMOGRAPHICS))
    return child(orders=(order(*lines),))


def test_only_what_the_order_names_leaves() -> None:
    """Police receive the child and the injury; the HIV result, notes, attachments and references to them stay."""
    # The injury is derived from the HIV result here, so it inherits the label and stays too.
    bundle = exam()
    del bundle["entry"][2]["resource"]["derivedFrom"]
    out = released(bundle, Sector.POLICE, to_police())
    assert names(out) == ["header", "patient", "injury", "report"]
    assert CANARY not in json.dumps(out)
    assert out["entry"][3]["resource"]["result"] == [{"reference": "urn:uuid:injury"}]
    assert out["entry"][0]["resource"]["focus"] == [{"reference": "urn:uuid:report"}]


def test_what_is_derived_inherits_the_label() -> None:
    """An observation derived from an HIV result goes no further than the HIV result."""
    assert "injury" not in names(released(exam(), Sector.POLICE, to_police()))


def test_the_treating_hospital_keeps_free_text_but_no_internal_label() -> None:
    """The treating team sees notes and attachments; data classes, inline labels and versions stay inside."""
    out = released(exam(), Sector.HEALTH, child(treating=(treating(),)))
    text = json.dumps(out)
    assert names(out) == ["header", "patient", "injury", "hiv", "report"]
    assert "data-class" not in text
    assert INLINE_LABEL_URL not in text
    assert "versionId" not in text
    assert out["entry"][4]["resource"]["conclusion"] == CANARY


def test_everything_that_leaves_says_do_not_pass_it_on() -> None:
    """The bundle and each resource carry confidentiality and NORDSCLCD, and the header the constant notice."""
    out = released(exam(), Sector.HEALTH, child(treating=(treating(),)))
    for meta in (out["meta"], *(one["resource"]["meta"] for one in out["entry"])):
        assert NO_REDISCLOSURE in {one["code"] for one in meta["security"]}
    notice = out["entry"][0]["resource"]["extension"][0]["extension"]
    assert {one["url"] for one in notice} >= {"vi", "en", "purpose"}


def test_releasing_twice_changes_nothing() -> None:
    """Release is idempotent for every recipient."""
    for recipient, facts in ((Sector.HEALTH, child(treating=(treating(),))), (Sector.POLICE, to_police())):
        labelled, decision = decided(exam(), recipient, facts)
        once = consent.release(labelled, decision)
        assert consent.release(once, decision) == once


def test_a_denial_leaves_the_envelope_alone() -> None:
    """When nothing may leave, release builds no entry but the header."""
    out = released(exam(), Sector.HOTLINE, child())
    assert names(out) == ["header"]


def test_a_required_reference_to_the_withheld_child_is_masked() -> None:
    """A referral may leave without the child's identity and still be valid: its subject says that it is masked."""
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            entry("patient", DataClass.DEMOGRAPHICS, resourceType="Patient"),
            entry(
                "request",
                DataClass.SUPPORT_NEED,
                resourceType="ServiceRequest",
                status="active",
                intent="order",
                subject={"reference": "urn:uuid:patient", "display": CANARY},
            ),
        ],
    }
    labelled = consent.label(bundle, policy())
    from tests.consent.world import plan

    facts = child(plans=(plan("education", data_classes=frozenset({DataClass.SUPPORT_NEED})),))
    decision = consent.decide(ask(Sector.EDUCATION, *consent.items_of(labelled)), facts, policy(), AT)
    assert [verdict.view for verdict in decision.verdicts] == [View.NONE, View.FULL]
    subject = consent.release(labelled, decision)["entry"][0]["resource"]["subject"]
    assert subject["extension"][0]["valueCode"] == "masked"


HUB = "https://hub.onestop.example/fhir"


def support() -> dict[str, Any]:
    """A support message: the child with a class and two numbers, who may collect her, who may not come near."""
    numbers = [
        {"type": {"coding": [{"code": "NI"}]}, "system": "urn:ni", "value": CANARY},
        {"type": {"coding": [{"code": "student"}]}, "system": "urn:student", "value": "HS-7"},
    ]
    said = [("ethnicity", CANARY), ("school-class", "4/2")]
    extensions = [{"url": f"{HUB}/StructureDefinition/{name}", "valueString": text} for name, text in said]
    child_ = {"name": [{"text": "Bé Mẫu"}], "birthDate": "2014-03-01", "identifier": numbers, "extension": extensions}
    named = {"collect-by": "Mẫu Thị Bà", "no-contact-at-school": CANARY}
    observations = [
        entry(
            code,
            DataClass.SAFETY_PLAN,
            resourceType="Observation",
            status="final",
            code={"coding": [{"system": f"{HUB}/CodeSystem/support-need", "code": code}]},
            subject={"reference": "urn:uuid:patient"},
            valueString=text,
        )
        for code, text in (*named.items(), ("collect-by", f"{CANARY} " * 20))
    ]
    observations[2]["fullUrl"] = "urn:uuid:long"
    patient = entry("patient", DataClass.DEMOGRAPHICS, resourceType="Patient", **child_)
    return {"resourceType": "Bundle", "type": "collection", "entry": [patient, *observations]}


def test_a_school_learns_class_number_and_who_collects_the_child() -> None:
    """With a plan: name, class, student number and the collector's name; no other number, ethnicity or free text."""
    from tests.consent.world import plan

    labelled = consent.label(support(), policy())
    asked = ask(Sector.EDUCATION, *consent.items_of(labelled), event=Event.SCHOOL_SUPPORT)
    out = consent.release(labelled, consent.decide(asked, child(plans=(plan("education"),)), policy(), AT))
    assert CANARY not in json.dumps(out)
    patient, collect, *others = [one["resource"] for one in out["entry"]]
    assert [one["value"] for one in patient["identifier"]] == ["HS-7"]
    assert [one["valueString"] for one in patient["extension"]] == ["4/2"]
    assert "birthDate" not in patient
    assert collect["valueString"] == "Mẫu Thị Bà"
    assert not any("valueString" in one for one in others)


def test_content_extensions_go_with_what_goes_whole_and_not_with_a_summary() -> None:
    """The treating hospital reads the child's class; a responder in an emergency, who gets a summary, does not."""
    from tests.consent.world import emergency

    for facts, expected in ((child(treating=(treating(),)), ["4/2"]), (child(emergencies=(emergency("health"),)), [])):
        labelled, decision = decided(support(), Sector.HEALTH, facts)
        patient = consent.release(labelled, decision)["entry"][0]["resource"]
        assert [one["valueString"] for one in patient.get("extension", ())] == expected


def test_the_edition_in_force_at_that_moment_decides() -> None:
    """A law that opens more from July on opens nothing in June, and a decision of June is the same when made again."""
    documents = consent.policy_documents()
    from_july = {**documents["matrix.yaml"], "effective_from": date(2026, 7, 1)}
    health = [{"view": "summary", "basis": ["T"], "projection": "attendance-summary"}]
    rows = {**from_july["rows"], "attendance": {**from_july["rows"]["attendance"], "health": health}}
    dated = consent.read_policy({**documents, "matrix-2026-07.yaml": {**from_july, "rows": rows}})
    asked = ask(Sector.HEALTH, item(DataClass.ATTENDANCE))
    facts = child(treating=(treating(),))
    midnight = datetime(2026, 6, 30, 17, tzinfo=UTC)
    june, july = (consent.decide(asked, facts, dated, at) for at in (midnight - timedelta(seconds=1), midnight))
    assert (june.verdicts[0].view, july.verdicts[0].view) == (View.NONE, View.SUMMARY)
    assert june.policy_version != july.policy_version
    alone = consent.decide(asked, facts, consent.read_policy(documents), midnight - timedelta(seconds=1))
    assert alone.verdicts[0].view is View.NONE


def test_released_bundles_are_valid_r4() -> None:
    """fhir.resources accepts what leaves, for each recipient."""
    from fhir.resources.R4B.bundle import Bundle

    for recipient, facts in ((Sector.HEALTH, child(treating=(treating(),))), (Sector.POLICE, to_police())):
        Bundle.model_validate(released(exam(), recipient, facts))


def test_rekeying_leaves_no_old_name() -> None:
    """Every internal name is replaced by one keyed for the recipient, and references still resolve."""
    out = consent.rekey(released(exam(), Sector.HEALTH, child(treating=(treating(),))), b"k" * 32)
    text = json.dumps(out)
    assert "urn:uuid:patient" not in text
    known = {one["fullUrl"] for one in out["entry"]}
    assert {one["reference"] for one in out["entry"][4]["resource"]["result"]} <= known


def test_a_narrative_inside_a_section_is_left_out() -> None:
    """Narrative is left out at any depth, not only at the top of a resource."""
    section = {"title": "History", "text": {"status": "generated", "div": f"<div>{CANARY}</div>"}}
    composition = entry(
        "composition",
        DataClass.MEDICAL_EXAM,
        resourceType="Composition",
        status="final",
        type=coded("note"),
        date="2026-06-01",
        author=[{"type": "Organization", "identifier": {"system": "urn:o", "value": "h"}}],
        title="Exam",
        section=[section],
    )
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [composition]}
    out = released(bundle, Sector.HEALTH, child(treating=(treating(),)))
    assert names(out) == ["composition"]
    assert "section" not in out["entry"][0]["resource"], "a section that stood by its text alone is no section (cmp-1)"


def let_out(*resources: dict[str, Any]) -> list[dict[str, Any]]:
    """What the case worker gets of resources of a child's record."""
    given = [entry(str(number), DataClass.DEMOGRAPHICS, **one) for number, one in enumerate(resources)]
    from tests.consent.world import plan

    bundle = {"resourceType": "Bundle", "type": "collection", "entry": given}
    return [one["resource"] for one in released(bundle, Sector.SOCIAL, child(plans=(plan("social"),)))["entry"]]


def test_a_total_leaves_only_where_all_of_it_does() -> None:
    """R25: reveal no count. A group whose members stay has no quantity either."""
    group = {"resourceType": "Group", "type": "person", "actual": True, "quantity": 2}
    here, away = ({"entity": {"reference": f"urn:uuid:{name}"}} for name in ("1", "withheld"))
    for members, expected in (([here, away], None), ([away], None), ([], None), ([here, here], 2)):
        out = let_out(group | {"member": members}, {"resourceType": "Patient", "active": True})
        assert out[0].get("quantity") == expected


def test_a_bundle_within_the_bundle_stays() -> None:
    """Nobody judged what is in it; nor does a resource inside an element leave."""
    inner = {"resourceType": "Patient", "name": [{"family": CANARY}]}
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": 7, "entry": [{"resource": inner}]}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": inner}]}
    out = let_out(bundle, parameters, {"resourceType": "Patient", "active": True})
    assert CANARY not in json.dumps(out)
    assert [one["resourceType"] for one in out] == ["Patient"]


def test_an_absent_reason_is_one_of_r4s() -> None:
    """Invariants 11 and 14: an extension that is kept says a code of its value set and nothing else."""
    url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    for code, kept in (("masked", True), ("unknown", True), (CANARY, False)):
        (out,) = let_out({"resourceType": "Patient", "active": True, "extension": [{"url": url, "valueCode": code}]})
        assert ("extension" in out) is kept


def test_the_id_of_an_element_stays() -> None:
    """Nothing in a release refers to it, and it can say anything."""
    (out,) = let_out({"resourceType": "Patient", "name": [{"id": CANARY, "text": "Bé Mẫu"}]})
    assert out["name"] == [{"text": "Bé Mẫu"}]
