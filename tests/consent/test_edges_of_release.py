"""Edges on the way from a bundle to what leaves: who is told, what is free text, what repeats a shelter's address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import consent
from consent.labelling import Said
from consent.model import Code, Decision, Facts, Outcome, Relationship, Tie, Verdict
from consent.vocabulary import DATA_CLASS_SYSTEM, INLINE_LABEL_URL, DataClass, Event, Purpose, Sector, View
from consent.walk import inline_labels, shadow
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    LOINC,
    MOTHER,
    agency,
    ask,
    child,
    decide,
    emergency,
    father,
    given,
    item,
    line,
    order,
    plan,
    policy,
    provision,
    ref,
    refusal,
    report,
    suspect,
    treating,
    view,
    why,
)

MEDICAL, SOCIAL, POLICE = DataClass.MEDICAL_EXAM, Sector.SOCIAL, Sector.POLICE
LABORATORY = Code("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")
MASKED = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}
MADE_UP = "urn:made-up"


def inline(*classes: DataClass) -> dict[str, Any]:
    """What carries inline labels of these classes."""
    codings = [{"system": DATA_CLASS_SYSTEM, "code": one.value} for one in classes]
    return {"extension": [{"url": INLINE_LABEL_URL, "valueCoding": one} for one in codings]}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """A collection of resources, at places of their numbers."""
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def of(data_class: DataClass, kind: str, **more: Any) -> dict[str, Any]:
    """A resource of a class."""
    security = [{"system": DATA_CLASS_SYSTEM, "code": data_class.value}]
    return {"resourceType": kind, "meta": {"security": security}, **more}


def labelled(*resources: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources with their labels."""
    return [one["resource"] for one in consent.label(bundle(*resources), policy())["entry"]]


def label_codes(resource: dict[str, Any]) -> set[str]:
    """The codes of a resource's labels."""
    return {str(one["code"]) for one in resource["meta"]["security"]}


def released(resource: dict[str, Any], *verdicts: Verdict, own: tuple[str, ...] = ()) -> dict[str, Any]:
    """What leaves of one resource by these verdicts, of which one may name the projection `own`."""
    edition = policy().at(AT)
    decision = Decision(Outcome.PERMIT, verdicts, (), projections={**edition.projections, "own": own})
    (entry,) = consent.release(bundle(resource), decision)["entry"]
    left: dict[str, Any] = entry["resource"]
    return left


# --- what is decided ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unclear", ["modifierExtension", "actor"])
def test_a_consent_for_somebody_else_that_is_not_clear_is_not_passed_over(unclear: str) -> None:
    """A denial that names the court may mean anybody while a part of it cannot be understood."""
    root = provision("deny", to=Sector.COURT)
    facts = child(plans=(plan("social"),), consents=(given(root, by=CHILD),))
    assert view(SOCIAL, MEDICAL, facts) is View.SUMMARY
    odd = {"modifierExtension": [{"url": "urn:x"}], "actor": [*root["actor"], {"role": {"coding": [{"code": "IRCP"}]}}]}
    facts = replace(facts, consents=(given({**root, unclear: odd[unclear]}, by=CHILD),))
    assert view(SOCIAL, MEDICAL, facts) is View.NONE


@pytest.mark.parametrize(("status", "expected"), [("active", "R8-barred"), ("inactive", "R4-representative-missing")])
def test_only_an_active_consent_of_a_barred_guardian_was_set_aside(status: str, expected: str) -> None:
    """R8 is the reason only where the consent would have counted, had its giver not been barred."""
    root = provision(to=SOCIAL, classes=[MEDICAL])
    his = given(root, by=FATHER)
    his = replace(his, resource={**his.resource, "status": status})
    facts = child(consents=(given(root, by=CHILD), his), suspicions=(suspect(),))
    facts = replace(facts, relationships=(*facts.relationships, father()))
    assert why(SOCIAL, MEDICAL, facts) == expected


@pytest.mark.parametrize("kind_first", [True, False])
def test_things_that_differ_only_in_what_their_code_is_are_judged_apart(kind_first: bool) -> None:
    """R26: a consent to "laboratory" names a thing of that code, not a thing of that category."""
    code = {"coding": [{"system": LABORATORY.system, "code": LABORATORY.code}]}
    root = provision(to=SOCIAL, code=[code])
    facts = child(consents=(given(root), given(root, by=CHILD)))
    named = item(MEDICAL, "HIV", codes=(LABORATORY,), place="urn:uuid:named")
    kind = replace(named, kinds=(LABORATORY,), place="urn:uuid:kind")
    items = (kind, named) if kind_first else (named, kind)
    views = {one.place: one.view for one in decide(ask(SOCIAL, *items), facts).verdicts}
    assert views == {"urn:uuid:named": View.SUMMARY, "urn:uuid:kind": View.NONE}


@pytest.mark.parametrize(
    ("data_class", "verified", "expected"),
    [
        (DataClass.FORENSIC, "", "R22-order-not-verified"),
        (DataClass.ATTENDANCE, "", "R1-no-basis"),
        (DataClass.FORENSIC, "admin-2", "R1-no-basis"),
    ],
)
def test_an_order_explains_a_denial_only_by_its_fault_and_what_it_names(
    data_class: DataClass, verified: str, expected: str
) -> None:
    """A claim is no reason for what it does not name, and a good order that opens nothing here is none at all."""
    facts = child(orders=(order(line(DataClass.FORENSIC), verified_by=verified),))
    purposes = frozenset({Purpose.HPAYMT if verified else Purpose.HLEGAL})
    assert why(POLICE, data_class, facts, purposes=purposes) == expected


def test_only_a_broken_glass_is_reviewed() -> None:
    """R20 raises no review of break-glass; R21 does, also where other things that were asked for stay."""
    reader = agency(POLICE, officer="officer-7")
    asked = ask(reader, item(DataClass.DEMOGRAPHICS), item(DataClass.ATTENDANCE))
    for kind, expected in (("vital", False), ("break-glass", True)):
        facts = child(emergencies=(emergency("police", kind=kind, officer="officer-7", second_factor=True),))
        decision = decide(asked, facts)
        assert [one.view is View.NONE for one in decision.verdicts] == [False, True]
        assert ("review-break-glass" in {task.kind for task in decision.tasks}) is expected


@pytest.mark.parametrize(
    ("data_class", "expected"),
    [(DataClass.SHELTER_LOCATION, ("order-opens-absolute-never",)), (DataClass.PHOTOGRAPHS, ())],
)
def test_an_order_alarms_only_where_the_never_is_about_the_linked(
    data_class: DataClass, expected: tuple[str, ...]
) -> None:
    """Photographs are closed to schools, not to whoever is linked: an order for a linked station opens no never."""
    staff = Relationship(ref("relationship", "staff"), FATHER, Tie.STAFF, "police")
    facts = child(orders=(order(line(data_class)),), suspicions=(suspect(),), relationships=(staff,))
    decision = decide(ask(POLICE, item(data_class)), facts)
    assert decision.reasons[0].code == "R40-linked"
    assert decision.alarms == expected


@pytest.mark.parametrize(
    ("by", "consents", "expected"),
    [
        (MOTHER, (), "R17-refused"),
        (CHILD, (), "R17-refused"),
        (CHILD, (MOTHER,), "R11-child-dissents"),
        (MOTHER, (FATHER,), "R10-parents-disagree"),
        (MOTHER, (CHILD,), "R17-refused"),
    ],
)
def test_a_refusal_is_a_quarrel_only_with_who_permits(by: str, consents: tuple[str, ...], expected: str) -> None:
    """R10 and R11 need a representative who permits; without one it is a refusal and no more."""
    root = provision(to=SOCIAL, classes=[MEDICAL])
    facts = child(refusals=(refusal(by),), consents=tuple(given(root, by=one) for one in consents))
    facts = replace(facts, relationships=(*facts.relationships, father()))
    assert why(SOCIAL, MEDICAL, facts) == expected


@pytest.mark.parametrize(
    ("purposes", "expected"), [({Purpose.HLEGAL}, View.FLAG), ((), View.NONE), ({Purpose.HPAYMT}, View.NONE)]
)
def test_police_already_told_must_say_a_purpose_of_the_law(purposes: Any, expected: View) -> None:
    """R23 and R2: without a purpose, or for another one, not even that there is a case."""
    facts = child(reports=(report("ward", told=("police",)),))
    asked = {"event": Event.QUERY, "purposes": frozenset(purposes)}
    assert view(POLICE, DataClass.DEMOGRAPHICS, facts, **asked) is expected


@pytest.mark.parametrize(("label", "expected"), [("PSY", "R26-never-flow"), ("SDV", "T-treating-permits")])
def test_a_never_without_sectors_closes_every_sector(label: str, expected: str) -> None:
    """Therapy notes go to nobody but their author, the treating hospital neither."""
    facts: Facts = child(treating=(treating(),))
    assert why(Sector.HEALTH, item(DataClass.NARRATIVE, label), facts) == expected


@pytest.mark.parametrize(
    ("owed", "expected"), [((), "R1-never-flow"), (("health",), "R1-never-flow"), (("social",), "R1-no-basis")]
)
def test_only_whoever_a_report_is_owed_to_receives_it(owed: tuple[str, ...], expected: str) -> None:
    """The flow of who reported is closed to everybody else, a report to another agency opens nothing of it."""
    facts = child(reports=(report(*owed),) if owed else ())
    assert why(SOCIAL, DataClass.REPORTER_IDENTITY, facts) == expected


# --- items --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["", "urn:uuid:1"])
def test_a_resource_without_an_id_has_no_other_name(reference: str) -> None:
    """What is referred to is called by its place alone, and a reference to nothing is none to it."""
    cites = {"resourceType": "Observation", "subject": {"reference": reference}}
    first, second = consent.items_of(bundle(cites, {"resourceType": "Patient"}))
    assert first.refs == (reference,)
    assert second.names == ()
    assert second.cited_by == (("urn:uuid:0",) if reference else ())


def test_an_element_of_two_classes_is_of_both() -> None:
    """The first class that an element is labelled with is its own, the next one must let it through too."""
    shown = of(MEDICAL, "Observation", valueString="x")
    shown["_valueString"] = inline(DataClass.STATEMENT, DataClass.NARRATIVE)
    _, one = consent.items_of(bundle(shown))
    assert (one.place, one.data_class, one.classes) == (
        "urn:uuid:0#valueString",
        DataClass.STATEMENT,
        (DataClass.NARRATIVE,),
    )


@pytest.mark.parametrize(
    "inside",
    [
        {"contained": [{"resourceType": "Observation", "valueString": "x", "_valueString": inline(MEDICAL)}]},
        {"meta": {"source": "x", "_source": inline(MEDICAL)}},
        {"text": {"div": "x", "_div": inline(MEDICAL)}},
        {"extension": [{"url": "urn:x", "valueString": "x", "_valueString": inline(MEDICAL)}]},
    ],
    ids=lambda one: str(next(iter(one))),
)
def test_what_is_no_content_of_a_resource_is_no_item(inside: dict[str, Any]) -> None:
    """A label inside what never leaves makes nothing that could."""
    assert [one.place for one in consent.items_of(bundle({"resourceType": "Observation", **inside}))] == ["urn:uuid:0"]


# --- labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "expected"), [(LOINC, True), (None, True), (7, True), (MADE_UP, False)])
def test_a_code_is_read_by_its_shape_only_where_no_system_is_said(system: Any, expected: bool) -> None:
    """75622-1 is an HIV test of LOINC, or of nobody; in a list of somebody's own it is anything."""
    coding = {"code": "75622-1"} if system is None else {"system": system, "code": "75622-1"}
    (one,) = labelled(of(MEDICAL, "Observation", code={"coding": [coding]}))
    assert ("HIV" in label_codes(one)) is expected


def test_what_is_known_by_codes_alone_is_never_said_in_words() -> None:
    """A sensitive thing of which the policy lists no words is heard in its codes and in no text."""
    (hiv,) = (one for one in policy().at(AT).labelling.signals if one.label == "HIV")
    wordless = replace(hiv, words=None)
    assert (hiv.worded("hiv"), wordless.worded("hiv"), wordless.worded("")) == (True, False, False)
    assert wordless.heard(Said(frozenset({(LOINC, "75622-1")}), ()))
    assert not wordless.heard(Said(frozenset(), ("hiv",)))


def test_a_note_is_free_text_as_a_whole() -> None:
    """The note itself is narrative, who wrote it and when included; what refers or measures is none."""
    editions = policy().editions
    since, edition = editions[-1]
    # Forms are kept with the policy: these are made anew.
    fresh = replace(edition, labelling=replace(edition.labelling, _forms={}))
    noted = of(MEDICAL, "Observation", note=[{"text": "x"}], subject={"reference": "Patient/1"})
    given_ = replace(policy(), editions=((since, fresh),))
    one = consent.label(bundle(noted), given_)["entry"][0]["resource"]
    assert [label["code"] for label in inline_labels(shadow(one, "note", 0))] == ["narrative"]
    assert one["note"][0]["text"] == "x"
    assert "_text" not in one["note"][0]
    assert inline_labels(one["subject"]) == []


def test_an_extension_of_a_picture_is_no_free_text() -> None:
    """Of a photograph its title is narrative; a list of extensions gets no label, which nothing could carry."""
    extension = [{"url": "urn:x", "valueCode": "y"}]
    content = {"contentType": "image/jpeg", "title": "x", "extension": extension}
    (one,) = labelled(of(DataClass.PHOTOGRAPHS, "Media", content=content))
    assert one["content"].keys() == {"contentType", "title", "_title", "extension"}
    assert one["content"]["extension"] == extension


SHELTER = {"address": [{"text": "12 ngõ 3456 Phố Mẫu"}]}


@pytest.mark.parametrize(
    ("shelter", "value", "expected"),
    [
        ({"telecom": [{"value": "12-34-56"}]}, "gọi 123456", True),
        ({"telecom": [{"value": "123-456-7"}]}, "gọi 1234567", True),
        ({"telecom": [{"value": "12-345"}]}, "gọi 12345", False),
        ({"telecom": [{"value": "12-345"}]}, "gọi 9", False),
        (SHELTER, "ở 12 ngõ 3456, phố Mẫu", True),
        (SHELTER, "hồ sơ 123456", False),
    ],
)
def test_a_number_repeats_a_shelter_where_it_is_all_that_was_learnt(
    shelter: dict[str, Any], value: str, expected: bool
) -> None:
    """Six digits are a telephone number, fewer are none, and figures in an address are no number."""
    place = of(DataClass.SHELTER_LOCATION, "Location", **shelter)
    _, one = labelled(place, of(MEDICAL, "Observation", valueString=value))
    found = {str(label["code"]) for label in inline_labels(shadow(one, "valueString", None))}
    assert ("shelter-location" in found) is expected


@pytest.mark.parametrize(("line_", "expected"), [("12 ngõ 3456 Phố Mẫu", True), ("9 Phố Khác", False)])
def test_what_is_no_text_among_the_lines_of_an_address_says_nothing(line_: str, expected: bool) -> None:
    """An address in lines is compared by those that are text."""
    place = of(DataClass.SHELTER_LOCATION, "Location", **SHELTER)
    person = of(DataClass.DEMOGRAPHICS, "Patient", address=[{"line": [7, line_, None]}])
    _, one = labelled(place, person)
    found = {str(label["code"]) for label in inline_labels(one["address"][0])}
    assert ("shelter-location" in found) is expected


# --- what leaves --------------------------------------------------------------------------------------------

STUDENT = {"type": {"coding": [{"code": "student"}]}, "system": "urn:school", "value": "7"}
WHOLE, PART = "Patient.identifier[student]", "Patient.identifier[student].value"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ((WHOLE,), {"type", "system", "value"}),
        ((WHOLE, PART), {"type", "system", "value"}),
        ((PART, WHOLE), {"type", "system", "value"}),
        ((PART,), {"value"}),
    ],
)
def test_what_is_kept_whole_stays_whole(own: tuple[str, ...], expected: set[str]) -> None:
    """A projection that names a repeat, and an element of the same repeat, keeps all of it, in either order."""
    patient = {"resourceType": "Patient", "identifier": [STUDENT, {"value": "8"}]}
    left = released(patient, Verdict("urn:uuid:0", View.SUMMARY, "own"), own=own)
    assert [set(one) for one in left["identifier"]] == [expected]


@pytest.mark.parametrize("may", [View.FULL, View.NONE, None])
def test_a_complex_element_with_a_label_leaves_by_its_own_verdict(may: View | None) -> None:
    """What has a label of its own leaves where that may, not where it may not or nobody judged it."""
    patient = {"resourceType": "Patient", "gender": "female", "name": [{"text": "Mẫu", **inline(MEDICAL)}]}
    verdicts = [Verdict("urn:uuid:0", View.FULL)] + ([Verdict("urn:uuid:0#name[0]", may)] if may else [])
    left = released(patient, *verdicts)
    assert left.get("name") == ([{"text": "Mẫu"}] if may is View.FULL else None)


@pytest.mark.parametrize("named", [True, False])
def test_somebody_withheld_stands_masked_where_somebody_must_stand(named: bool) -> None:
    """A participant of an appointment whose actor stays is masked; one who was nobody does not leave."""
    other = {"status": "accepted", "type": [{"text": "x"}]}
    participant = {"status": "accepted"} | ({"actor": {"reference": "Patient/1"}} if named else {})
    appointment = {"resourceType": "Appointment", "status": "booked", "participant": [other, participant]}
    left = released(appointment, Verdict("urn:uuid:0", View.FULL))
    assert left["participant"] == [other] + ([{"status": "accepted", "actor": MASKED}] if named else [])


@pytest.mark.parametrize(("word", "expected"), [("school-class", True), ("StructureDefinition", False)])
def test_an_extension_that_is_content_is_named_by_its_last_word(word: str, expected: bool) -> None:
    """A projection names one extension, not all of those whose addresses begin alike."""
    extension = {"url": "https://hub.onestop.example/fhir/StructureDefinition/school-class", "valueString": "6A"}
    patient = {"resourceType": "Patient", "gender": "female", "extension": [extension]}
    own = ("Patient.gender", f"Patient.extension[{word}]")
    left = released(patient, Verdict("urn:uuid:0", View.SUMMARY, "own"), own=own)
    assert left.get("extension") == ([extension] if expected else None)


@pytest.mark.parametrize(("named", "expected"), [(DataClass.FORENSIC, "R22"), (DataClass.MEDICAL_EXAM, "R1")])
def test_a_faulty_order_is_why_only_for_what_it_names(named: DataClass, expected: str) -> None:
    """That an order is not verified explains why a forensic result stays, not why anything else does."""
    facts = child(orders=(order(line(named), verified_by=""),))
    (reason,) = decide(ask(Sector.POLICE, item(DataClass.FORENSIC)), facts).verdicts[0].reasons
    assert reason.rule == expected
