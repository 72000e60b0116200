"""Edges that mutants of the engine showed nobody had tried: each test here once let a changed engine pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import consent
from consent.fhir import read_consent
from consent.labels import coding_of
from consent.model import (
    Code,
    Decision,
    Item,
    Obligation,
    ObligationKind,
    Outcome,
    Party,
    Relationship,
    Span,
    Tie,
    Verdict,
)
from consent.moments import interval
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DataClass, Event, Purpose, Sector, View
from tests.consent.world import (
    AT,
    AUNT,
    CHILD,
    FATHER,
    agency,
    ask,
    child,
    consent_of,
    decide,
    emergency,
    father,
    given,
    item,
    line,
    member,
    order,
    plan,
    policy,
    provision,
    referral,
    suspect,
    view,
    why,
)

MEDICAL, REFERRAL = DataClass.MEDICAL_EXAM, DataClass.REFERRAL
SOCIAL = Sector.SOCIAL
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ODD = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "XYZZY"}
EDITION = policy().at(AT)
DOCUMENTS = consent.policy_documents()


def both(root: dict[str, Any], **changes: Any) -> Any:
    """A child whose mother and who herself gave this consent."""
    return child(consents=(given(root, **changes), given(root, by=CHILD, **changes)))


def answer(root: dict[str, Any], recipient: Party, purpose: str = "CAREMGT") -> Result:
    """What one tree says of an exam for this recipient."""
    asked = Ask(recipient, agency(Sector.HEALTH), purpose, "disclose", AT, "Asia/Ho_Chi_Minh")
    return judge_tree(read_consent(consent_of(root)), asked, item(MEDICAL)).result


# --- facts --------------------------------------------------------------------------------------------------


def test_a_plan_without_a_start_is_no_dated_plan() -> None:
    """Protection duty needs a recorded, dated plan."""
    assert view(SOCIAL, MEDICAL, child(plans=(plan("social"),))) is View.SUMMARY
    assert view(SOCIAL, MEDICAL, child(plans=(plan("social", span=Span(end=AT + timedelta(days=1))),))) is View.NONE


def test_an_order_without_items_backs_no_referral() -> None:
    """An order that names nothing is incomplete, also for the referral that quotes its number."""
    facts = child(orders=(order(line(DataClass.FORENSIC)),), referrals=(referral(order_number="12/QĐ"),))
    asked = {"event": Event.REFERRAL_REQUEST, "referral": "referral-1"}
    assert view(Sector.HEALTH, REFERRAL, facts, **asked) is View.FULL
    empty = replace(facts, orders=(order(body="police"),))
    assert view(Sector.HEALTH, REFERRAL, empty, **asked) is View.NONE


def test_an_order_that_is_no_good_explains_only_what_it_names() -> None:
    """A claim about one class is no reason for another class to be withheld."""
    claim = order(line(DataClass.FORENSIC), verified_by="")
    assert why(Sector.POLICE, DataClass.FORENSIC, child(orders=(claim,))) == "R22-order-not-verified"
    assert why(Sector.POLICE, DataClass.ATTENDANCE, child(orders=(claim,))) == "R1-no-basis"


def test_a_case_owner_who_is_nobody_reads_no_address() -> None:
    """An unnamed reader is not the unnamed owner: the shelter's address takes a named person (R31)."""
    facts = child(plans=(plan("social"),), team=(member("social", "owner"),))
    assert view(agency(SOCIAL), DataClass.SHELTER_LOCATION, facts) is View.FLAG
    named = replace(facts, team=(member("social", "owner", officer="officer-7"),))
    assert view(agency(SOCIAL, officer="officer-7"), DataClass.SHELTER_LOCATION, named) is View.FULL


@pytest.mark.parametrize("tie", [Tie.KIN, Tie.ASSOCIATE, Tie.HOUSEHOLD])
def test_kin_of_a_suspect_hears_nothing(tie: Tie) -> None:
    """A person tied to the suspect is linked, whichever side of the tie they stand on."""
    asked = Party(id=AUNT, person=True)
    for one, other in ((AUNT, FATHER), (FATHER, AUNT)):
        ties = (father(), Relationship(replace(father().ref, id="kin"), one, tie, other))
        facts = child(relationships=ties, suspicions=(suspect(),))
        assert why(asked, DataClass.DEMOGRAPHICS, facts) == "R40-linked"


def test_glass_that_nobody_looked_through_needs_no_review() -> None:
    """The review belongs to what was opened: a break-glass of another agency raises none here."""
    broken = emergency("police", kind="break-glass", officer="officer-7", second_factor=True)
    decision = decide(ask(SOCIAL, item(MEDICAL)), child(plans=(plan("social"),), emergencies=(broken,)))
    assert decision.leaves
    assert "review-break-glass" not in {task.kind for task in decision.tasks}


def test_kin_of_somebody_else_is_not_linked() -> None:
    """The mother's sister is no kin of the suspect father."""
    tie = Relationship(replace(father().ref, id="kin"), AUNT, Tie.KIN, "person-mother")
    facts = child(relationships=(*child().relationships, father(), tie), suspicions=(suspect(),))
    assert why(Party(id=AUNT, person=True), DataClass.DEMOGRAPHICS, facts) != "R40-linked"


def test_another_agencys_role_is_not_mine() -> None:
    """Somebody examines elsewhere: the hospital that does not sees nothing of the examination."""
    facts = child(orders=(order(line(DataClass.FORENSIC, "health")),))
    assert view(Sector.HEALTH, DataClass.FORENSIC, replace(facts, team=(member("court", "examiner"),))) is View.NONE
    assert view(Sector.HEALTH, DataClass.FORENSIC, replace(facts, team=(member("health", "examiner"),))) is View.FULL


def test_what_has_no_beginning_does_not_stand_in_the_way() -> None:
    """An emergency without a start, or a consent that nobody dated, counts for nothing and breaks nothing."""
    facts = child(plans=(plan("social"),), emergencies=(emergency("social", span=Span()),))
    assert view(SOCIAL, MEDICAL, facts) is View.SUMMARY
    undated = given(provision(to=SOCIAL, classes=[MEDICAL]), by=CHILD, given_at=None)
    facts = child(plans=(plan("social"),), consents=(undated,))
    assert view(SOCIAL, MEDICAL, facts) is View.SUMMARY
    assert "internal-error" not in {task.kind for task in decide(ask(SOCIAL, item(MEDICAL)), facts).tasks}


def test_one_doubt_among_several_items_is_the_outcome() -> None:
    """Nothing leaves, and of one thing nobody could tell why not: indeterminate, not denied."""
    odd = provision(to=SOCIAL, classes=[MEDICAL], purpose=["CAREMGT"])
    odd["purpose"][0]["code"] = "XYZZY"
    items = (item(MEDICAL, place="a"), item(DataClass.ATTENDANCE, place="b"))
    assert decide(ask(SOCIAL, *items), both(odd)).outcome is Outcome.INDETERMINATE
    assert decide(ask(SOCIAL, *items[::-1]), both(odd)).outcome is Outcome.INDETERMINATE
    assert decide(ask(SOCIAL, items[1]), both(odd)).outcome is not Outcome.INDETERMINATE


# --- consents -----------------------------------------------------------------------------------------------


def test_a_consent_counts_from_the_moment_it_is_given() -> None:
    """Given at this very moment, it permits; a second later it does not yet."""
    root = provision(to=SOCIAL, classes=[MEDICAL])
    assert view(SOCIAL, MEDICAL, both(root, given_at=AT)) is View.SUMMARY
    assert view(SOCIAL, MEDICAL, both(root, given_at=AT + timedelta(seconds=1))) is View.NONE


def test_a_denial_that_cannot_be_read_is_taken_for_one() -> None:
    """Below an opt-in base rule an unreadable denial may be a refusal, and outranks the plan."""
    odd = {"type": "deny", "purpose": [ODD]}
    facts = child(plans=(plan("social"),))
    assert view(SOCIAL, MEDICAL, facts) is View.SUMMARY
    unclear = given({"type": "deny", "provision": [odd]}, by=CHILD)
    assert view(SOCIAL, MEDICAL, replace(facts, consents=(unclear,))) is View.NONE


def test_a_label_is_named_for_every_purpose() -> None:
    """R26: a clause that names the label for one purpose opens nothing for another."""
    nested = provision(to=SOCIAL, purpose=["HPAYMT"], label=["PSY"], classes=[MEDICAL])
    root = provision(to=SOCIAL, classes=[MEDICAL]) | {"provision": [nested]}
    psy = item(MEDICAL, "PSY")
    assert view(SOCIAL, psy, both(root), purposes=frozenset({Purpose.HPAYMT})) is View.SUMMARY
    assert view(SOCIAL, psy, both(root), purposes=frozenset({Purpose.HPAYMT, Purpose.TREAT})) is View.NONE


def test_an_agency_named_in_another_way_may_be_meant() -> None:
    """A consent that names by identifier cannot be compared with an agency that has only references."""
    named = {"role": {"coding": [{"code": "IRCP"}]}, "reference": {"identifier": {"system": "urn:x", "value": "1"}}}
    root = {"type": "permit", "actor": [named]}
    unknown = agency(SOCIAL, identifiers=())
    assert answer(root, unknown) is Result.INDETERMINATE
    assert answer(root, agency(SOCIAL)) is Result.NOT_APPLICABLE
    assert why(unknown, MEDICAL, both(root)) == "R2-indeterminate"


def test_an_actor_with_a_role_is_that_agency_in_that_role() -> None:
    """Name and role are both conditions."""
    nurse = {"system": "urn:role", "code": "nurse"}
    actor = {"role": {"coding": [nurse]}, "reference": {"reference": "Organization/social"}}
    root = {"type": "permit", "actor": [actor]}
    assert answer(root, agency(SOCIAL, roles=(Code("urn:role", "nurse"),))) is Result.PERMIT
    assert answer(root, agency(SOCIAL, roles=(Code("urn:role", "clerk"),))) is Result.NOT_APPLICABLE


def test_two_clauses_may_share_a_period() -> None:
    """Of two denials with the same past period neither applies, of two with a present one each does."""
    for years, expected in (("2020", Result.PERMIT), ("2030", Result.DENY)):
        period = {"start": "2019-01-01", "end": f"{years}-01-01"}
        for data_class in (MEDICAL, REFERRAL):
            denials = [provision("deny", classes=[one], period=period) for one in (data_class, MEDICAL)]
            root = provision("permit") | {"provision": denials}
            assert answer(root, agency(SOCIAL)) is expected


def test_only_a_guardian_of_this_child_speaks_for_her() -> None:
    """Living with her is no guardianship, and a limit on another child's guardianship is none on hers."""
    root = provision(to=SOCIAL, classes=[MEDICAL])
    own = given(root, by=CHILD)
    aunt = given(root, by=AUNT)
    mother = child().relationships
    household = Relationship(replace(mother[0].ref, id="home"), AUNT, Tie.HOUSEHOLD, CHILD)
    facts = child(consents=(own, aunt), relationships=(*mother, household))
    assert why(SOCIAL, MEDICAL, facts) == "R4-representative-missing"
    elsewhere = replace(mother[0], to="person-other-child", may_consent=False, ref=replace(mother[0].ref, id="other"))
    facts = child(consents=(own, given(root)), relationships=(*mother, elsewhere))
    assert view(SOCIAL, MEDICAL, facts) is View.SUMMARY


def test_a_stated_denial_for_one_purpose_refuses_all_that_is_asked() -> None:
    """Asked for two purposes, of which one is denied in words and one by the base rule, the words count."""
    root = {"type": "deny", "provision": [provision("deny", purpose=["TREAT"])]}
    facts = child(plans=(plan("social"),), consents=(given(root, by=CHILD),))
    for purposes, expected in ((("CAREMGT",), View.SUMMARY), (("CAREMGT", "TREAT"), View.NONE)):
        asked = frozenset(Purpose(one) for one in purposes)
        assert view(SOCIAL, MEDICAL, facts, purposes=asked) is expected


def test_an_actor_with_a_role_and_an_identifier_is_compared_by_both() -> None:
    """Where names can be compared and differ, the role alone does not make it that agency."""
    nurse = {"system": "urn:role", "code": "nurse"}
    actor = {"role": {"coding": [nurse]}, "reference": {"identifier": {"system": "urn:agency", "value": "court"}}}
    party = agency(SOCIAL, roles=(Code("urn:role", "nurse"),))
    assert answer({"type": "permit", "actor": [actor]}, party) is Result.NOT_APPLICABLE
    assert answer({"type": "permit", "actor": [{"role": {"coding": [nurse]}}]}, party) is Result.PERMIT


def test_one_code_that_cannot_be_read_among_others_is_one_too_many() -> None:
    """A class beside one that has only words is not read in full, and permits nothing."""
    good = provision(classes=[MEDICAL])
    assert answer(good, agency(SOCIAL)) is Result.PERMIT
    assert answer(good | {"class": [*good["class"], {"display": "all"}]}, agency(SOCIAL)) is Result.INDETERMINATE


def test_exceptions_of_r5_need_a_base_from_somewhere() -> None:
    """Several provisions without a decision stand on the policy rule; without one of those nobody can read them."""
    exceptions = [provision("permit", classes=[MEDICAL]), provision("deny", classes=[REFERRAL])]
    asked = Ask(agency(SOCIAL), agency(Sector.HEALTH), "CAREMGT", "disclose", AT, "Asia/Ho_Chi_Minh")
    results = []
    for rule in ("OPTIN", "OPTOUT", "OTHER", ""):
        resource = consent_of({}) | {"provision": exceptions}
        if rule:
            resource["policyRule"] = {"coding": [{"code": rule}]}
        results.append(judge_tree(read_consent(resource), asked, item(DataClass.ATTENDANCE)).result)
    assert results == [Result.PERMIT, Result.DENY, Result.INDETERMINATE, Result.INDETERMINATE]


def test_only_a_barred_guardians_withdrawal_that_was_made_alarms() -> None:
    """R8: recorded, no effect, an alarm; not before it is made, and not for anybody else's."""
    root = provision(to=SOCIAL, classes=[MEDICAL])
    for by, moment, alarms in (
        (FATHER, AT, ("barred-withdrawal",)),
        (FATHER, AT + timedelta(seconds=1), ()),
        (FATHER, None, ()),
        ("person-mother", AT, ()),
    ):
        taken = given(root, withdrawn_at=moment, withdrawn_by=by)
        facts = child(consents=(taken, given(root, by=CHILD)), suspicions=(suspect(),))
        facts = replace(facts, relationships=(*facts.relationships, father()))
        decision = decide(ask(SOCIAL, item(MEDICAL)), facts)
        assert decision.alarms == alarms
        assert decision.leaves == (by == FATHER)


def test_a_permit_by_consent_names_its_clause_and_a_silent_one_is_no_denial() -> None:
    """The reason leads to the clause; consents about something else leave the outcome at no consent, or deny by it."""
    facts = both(provision(to=SOCIAL, classes=[MEDICAL]))
    decision = decide(ask(SOCIAL, item(MEDICAL)), facts)
    assert decision.verdicts[0].reasons[0].rule == "Consent/by-person-mother#provision"
    assert decide(ask(SOCIAL, item(DataClass.NARRATIVE)), child()).outcome is Outcome.NO_CONSENT
    opposed = child(consents=(given({"type": "deny"}, by=CHILD),))
    assert decide(ask(SOCIAL, item(MEDICAL)), opposed).outcome is Outcome.DENY


def test_nevers_come_first_in_every_policy() -> None:
    """A policy in which a refusal could be heard before a closed flow cannot be read."""
    documents = dict(DOCUMENTS)
    name = next(name for name, content in documents.items() if content.get("part") == "law")
    steps = list(documents[name]["precedence"])
    late = [step for step in steps if step != "never-flow"]
    late.insert(late.index("refusal") + 1, "never-flow")
    for order_ in (late, steps[1:] + steps[:1], steps[:-1]):
        with pytest.raises(consent.UnreadablePolicy):
            consent.read_policy({**documents, name: {**documents[name], "precedence": order_}})


# --- moments, labels, releases ------------------------------------------------------------------------------


def test_a_time_names_its_whole_precision() -> None:
    """A second is a second long, a fraction a microsecond."""
    start = datetime(2026, 6, 15, 9, tzinfo=UTC)
    assert interval("2026-06-15T09:00:00Z", "UTC") == (start, start + timedelta(seconds=1))
    assert interval("2026-06-15T09:00:00.000Z", "UTC") == (start, start + timedelta(microseconds=1))


def test_a_label_is_said_in_its_own_system() -> None:
    """Taints, sensitivity, confidentiality and classes are told apart."""
    assert coding_of("HIV")["system"].endswith("v3-ActCode")
    assert coding_of("V")["system"] == CONFIDENTIALITY
    assert coding_of("attendance")["system"].endswith("CodeSystem/data-class")
    assert coding_of("shelter-location")["system"].endswith("CodeSystem/taint")


def test_a_day_is_inside_a_period_that_is_that_day() -> None:
    """A clinical date of a day against a period of days: inside, outside, and undecidable where it only touches."""
    asked = Ask(agency(SOCIAL), agency(Sector.HEALTH), "CAREMGT", "disclose", AT, "Asia/Ho_Chi_Minh")
    for start, end, expected in (
        ("2026-06-01", "2026-06-01", Result.PERMIT),
        ("2026-06-02", "2026-06-03", Result.NOT_APPLICABLE),
        ("2026-06-01T12:00:00+07:00", "2026-06-03", Result.INDETERMINATE),
    ):
        root = {"type": "permit", "dataPeriod": {"start": start, "end": end}}
        dated = item(MEDICAL, at=date(2026, 6, 1))
        assert judge_tree(read_consent(consent_of(root)), asked, dated).result is expected


def test_a_key_makes_ids_of_the_right_shape() -> None:
    """What is rekeyed has UUIDs again, other ones for another key, and references follow."""
    entries = [
        {"fullUrl": "urn:uuid:a", "resource": {"resourceType": "Patient", "id": "p"}},
        {"fullUrl": "urn:uuid:b", "resource": {"resourceType": "Flag", "subject": {"reference": "Patient/p"}}},
    ]
    keyed = [consent.rekey({"resourceType": "Bundle", "entry": entries}, key)["entry"] for key in (b"1", b"2")]
    for found in keyed:
        urls = [one["fullUrl"].removeprefix("urn:uuid:") for one in found]
        assert [str(UUID(one)) for one in urls] == urls
        assert [UUID(one).version for one in urls] == [4, 4]
        assert found[1]["resource"]["subject"]["reference"] == found[0]["fullUrl"]
        assert found[0]["resource"]["id"] == urls[0]
    assert keyed[0][0]["fullUrl"] != keyed[1][0]["fullUrl"]


def test_rubbish_among_labels_is_passed_over() -> None:
    """What is no coding says nothing, and the class beside it still counts."""
    good = {"system": "https://hub.onestop.example/fhir/CodeSystem/data-class", "code": "attendance"}
    meta = {"security": ["rubbish", 7, {"code": 7}, good]}
    resource = {"resourceType": "Observation", "meta": meta}
    bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:0", "resource": resource}]}
    (one,) = consent.items_of(bundle)
    assert (one.data_class, one.labels) == (DataClass.ATTENDANCE, frozenset())


def released(*resources: dict[str, Any], places: tuple[Verdict, ...] = ()) -> list[dict[str, Any]]:
    """What leaves of resources that may all leave in full."""
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate(resources)]
    verdicts = places or tuple(Verdict(one["fullUrl"], View.FULL) for one in entries)
    duties = (Obligation(ObligationKind.NO_REDISCLOSURE, detail="TREAT"),)
    decision = Decision(Outcome.PERMIT, verdicts, (), duties, projections=EDITION.projections, notice=EDITION.notice)
    out = consent.release({"resourceType": "Bundle", "type": "collection", "entry": entries}, decision)
    return [one["resource"] for one in out.get("entry", ())]


def test_a_resource_by_rules_of_its_own_does_not_leave() -> None:
    """`implicitRules` and `modifierExtension` change what everything means."""
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}
    assert len(released(flag)) == 1
    assert released(flag | {"implicitRules": "urn:x"}) == []
    assert released(flag | {"modifierExtension": [{"url": "urn:x"}]}) == []
    kept = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    rubbish = ["rubbish", {"url": "urn:x", "valueCode": "x"}, {**kept, "valueCode": 7}, kept]
    assert released(flag | {"extension": rubbish})[0]["extension"] == [kept]


def test_the_highest_confidentiality_leaves_with_it() -> None:
    """Of several levels the highest, of another system's codes none, of rubbish none."""

    def level(*codings: Any) -> str:
        patient = {"resourceType": "Patient", "gender": "female", "meta": {"security": list(codings)}}
        (out,) = released(patient)
        return str(out["meta"]["security"][0]["code"])

    normal, very = ({"system": CONFIDENTIALITY, "code": code} for code in ("N", "V"))
    assert level(normal, very) == level(very, normal) == "V"
    assert level(normal, {"system": "urn:x", "code": "V"}) == "N"
    assert level("rubbish", normal) == "N"
    assert level({"system": CONFIDENTIALITY, "code": "strange"}) == level() == "R"


def test_a_labelled_element_leaves_by_a_projection_that_names_it() -> None:
    """One path of several is enough, and no other element of the resource comes with it."""
    name = next(
        name for name, paths in EDITION.projections.items() if {"Patient.birthDate", "Patient.gender"} & set(paths)
    )
    path = next(one for one in EDITION.projections[name] if one in ("Patient.birthDate", "Patient.gender"))
    element = path.split(".")[1]
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SDV"}
    inline = {
        "extension": [
            {
                "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
                "valueCoding": label,
            }
        ]
    }
    value = {"birthDate": "2014-03-01", "gender": "female"}[element]
    patient = {"resourceType": "Patient", element: value, f"_{element}": inline, "active": True}
    whole, part = Verdict("urn:uuid:0", View.SUMMARY, name), Verdict(f"urn:uuid:0#{element}", View.SUMMARY, name)
    assert released(patient, places=(whole, part))[0][element] == value
    assert (
        released(patient, places=(whole, Verdict(f"urn:uuid:0#{element}", View.NONE))) == []
        or element not in (released(patient, places=(whole, Verdict(f"urn:uuid:0#{element}", View.NONE)))[0])
    )


def test_what_is_derived_inherits_an_inline_label_too() -> None:
    """A conclusion from a result of which one element is labelled HIV is labelled HIV."""
    hiv = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}
    url = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
    result = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "valueString": "x",
        "_valueString": {"extension": [{"url": url, "valueCoding": hiv}]},
    }
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "x"},
        "result": [{"reference": "urn:uuid:0"}],
        "conclusion": "x",
    }
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate((result, report))]
    labelled = consent.label({"resourceType": "Bundle", "type": "collection", "entry": entries}, policy())
    items: dict[str, Item] = {one.place: one for one in consent.items_of(labelled)}
    assert "HIV" in items["urn:uuid:1#conclusion"].labels
