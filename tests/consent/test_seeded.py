"""What would have gone wrong unseen: each test here was written because a seeded bug was caught by no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

import consent
from consent.fhir import read_consent
from consent.model import Code, Relationship, Tie
from consent.rulebook import read_policy
from consent.vocabulary import (
    CONFIDENTIALITY_SYSTEM,
    DATA_CLASS_SYSTEM,
    DataClass,
    Event,
    Purpose,
    Sector,
    View,
)
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    MOTHER,
    agency,
    ask,
    child,
    decide,
    emergency,
    given,
    item,
    line,
    member,
    order,
    plan,
    policy,
    provision,
    ref,
    referral,
    refusal,
    report,
    suspect,
    treating,
    view,
)

Json = dict[str, Any]
ICD = "http://hl7.org/fhir/sid/icd-10"


def resource(kind: str, data_class: DataClass | None, **content: Any) -> Json:
    """A resource of a class, as a reader hands it over."""
    security = [{"system": DATA_CLASS_SYSTEM, "code": data_class.value}] if data_class else []
    return {"resourceType": kind, "meta": {"security": security}, **content}


def bundle(**resources: Json) -> Json:
    """A message of these resources, by name."""
    header = {"resourceType": "MessageHeader", "eventCoding": {"code": "record"}, "source": {"endpoint": "urn:x"}}
    entries = [{"fullUrl": "urn:uuid:header", "resource": header}]
    entries += [{"fullUrl": f"urn:uuid:{name}", "resource": one} for name, one in resources.items()]
    return {"resourceType": "Bundle", "type": "message", "entry": entries}


def labels(labelled: Json, name: str) -> set[str]:
    """Codes of all labels on one resource."""
    (found,) = [one["resource"] for one in labelled["entry"] if one["fullUrl"] == f"urn:uuid:{name}"]
    return {one["code"] for one in found["meta"]["security"]}


def released(message: Json, recipient: Any, facts: Any, **asked: Any) -> dict[str, Json]:
    """What leaves, by name."""
    labelled = consent.label(message, policy())
    decision = decide(ask(recipient, *consent.items_of(labelled), **asked), facts)
    out = consent.release(labelled, decision)
    return {one["fullUrl"].removeprefix("urn:uuid:"): one["resource"] for one in out.get("entry", ())}


def observation(code: Json, data_class: DataClass | None = DataClass.MEDICAL_EXAM, **content: Any) -> Json:
    """A finding with one coding."""
    return resource("Observation", data_class, status="final", code={"coding": [code]}, **content)


# --- rules ----------------------------------------------------------------------------------------------------


def test_no_order_opens_photographs_to_a_hotline() -> None:
    """An absolute never: the order raises an alarm instead."""
    facts = child(orders=(order(line(DataClass.PHOTOGRAPHS, "hotline")),))
    decision = decide(ask(Sector.HOTLINE, item(DataClass.PHOTOGRAPHS)), facts)
    assert decision.verdicts[0].view is View.NONE
    assert decision.alarms == ("order-opens-absolute-never",)


@pytest.mark.parametrize("sector", [Sector.POLICE, Sector.SOCIAL, Sector.HEALTH])
@pytest.mark.parametrize("data_class", list(DataClass))
def test_an_uncertain_match_withholds_every_class_of_content(data_class: DataClass, sector: Sector) -> None:
    """A named order, a plan and treatment open nothing but who the child is and what is reported or asked (R33)."""
    told = {"demographics", "referral", "allegation", "reporter-identity", "alleged-perpetrator"}
    facts = child(
        match_certain=False,
        orders=(order(line(data_class, officer="officer-1")),),
        plans=(plan("police", "social"),),
        treating=(treating(),),
        referrals=(referral(),),
    )
    reader = agency(sector, officer="officer-1")
    assert data_class.value in told or view(reader, data_class, facts, referral="referral-1") is View.NONE


@pytest.mark.parametrize("purpose", [Purpose.HPAYMT, Purpose.HOPERAT])
def test_billing_and_operations_rest_on_consent_alone(purpose: Purpose) -> None:
    """Neither treatment nor a plan opens anything for payment or operations (R2)."""
    facts = child(treating=(treating(),), plans=(plan("health", "social"),))
    asked = {"purposes": frozenset({purpose})}
    assert view(Sector.HEALTH, DataClass.MEDICAL_EXAM, facts, **asked) is View.NONE
    assert view(Sector.SOCIAL, DataClass.SAFETY_PLAN, facts, **asked) is View.NONE


@pytest.mark.parametrize("event", [one for one in Event if one not in (Event.REPORT, Event.RECALL)])
def test_only_the_report_itself_rests_on_the_duty_to_report(event: Event) -> None:
    """Who was owed a report receives later messages on other grounds, or not at all (R18)."""
    facts = child(reports=(report("police"),))
    assert view(Sector.POLICE, DataClass.ALLEGATION, facts, event=event) is View.NONE


@pytest.mark.parametrize("data_class", [one for one in DataClass if one is not DataClass.DEMOGRAPHICS])
def test_the_account_to_a_family_holds_who_the_child_is_and_nothing_else(data_class: DataClass) -> None:
    """A parent who asks for an account hears of no other class, above all not who reported (R41)."""
    parent = replace(agency(Sector.SOCIAL), id=MOTHER, sector=None, person=True)
    what = item(data_class, type="RelatedPerson")
    facts = child(born=date(2021, 3, 1))
    asked = {"purposes": frozenset({Purpose.PATRQT})}
    assert view(parent, item(DataClass.DEMOGRAPHICS), facts, **asked) is not View.NONE
    assert view(parent, what, facts, **asked) is View.NONE


def test_police_without_an_order_learn_no_name() -> None:
    """Asked by police already told of the case, only a flag with the contact leaves (R23)."""
    facts = child(reports=(report("police", told=("police",)),))
    decision = decide(ask(Sector.POLICE, item(DataClass.DEMOGRAPHICS), event=Event.QUERY), facts)
    assert (decision.verdicts[0].view, decision.verdicts[0].projection) == (View.FLAG, "contact")


def test_a_limited_guardian_does_not_consent() -> None:
    """An authority limited the guardianship: consent and refusal do not count (R8)."""
    tie = Relationship(ref("guardian", "m"), MOTHER, Tie.GUARDIAN, CHILD, may_consent=False)
    to_shelter = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM])
    both = (given(to_shelter, by=CHILD), given(to_shelter))
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, child(consents=both)) is View.SUMMARY
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, child(consents=both, relationships=(tie,))) is View.NONE
    limited = child(relationships=(tie,), treating=(treating(),), refusals=(refusal(MOTHER),))
    assert view(Sector.HEALTH, DataClass.MEDICAL_EXAM, limited) is View.FULL


@pytest.mark.parametrize("ends", [("aunt", FATHER), (FATHER, "aunt")])
def test_kin_are_kin_from_either_side(ends: tuple[str, str]) -> None:
    """Whoever is kin to a suspect is linked, whichever of the two the tie was recorded from."""
    tie = Relationship(ref("kin", "a"), ends[0], Tie.KIN, ends[1])
    facts = child(relationships=(tie,), suspicions=(suspect(FATHER),))
    aunt = replace(agency(Sector.SOCIAL), id="aunt", person=True)
    decision = decide(ask(aunt, item(DataClass.DEMOGRAPHICS)), facts)
    assert decision.reasons[0].code == "R40-linked"


def test_a_refusal_to_an_office_binds_its_units() -> None:
    """Refused the office, a unit below it hears nothing either (R17)."""
    ward = agency(Sector.HEALTH, parents=("office",))
    facts = child(treating=(treating(),))
    assert view(ward, DataClass.MEDICAL_EXAM, facts) is View.FULL
    refused = replace(facts, refusals=(refusal(recipient="office"),))
    assert view(ward, DataClass.MEDICAL_EXAM, refused) is View.NONE


def test_a_plan_that_nobody_approved_is_none() -> None:
    """A draft with a date opens nothing."""
    assert view(Sector.SOCIAL, DataClass.SAFETY_PLAN, child(plans=(plan("social"),))) is View.FULL
    assert view(Sector.SOCIAL, DataClass.SAFETY_PLAN, child(plans=(plan("social", approved_by=""),))) is View.NONE


# --- consents -------------------------------------------------------------------------------------------------


def young(root: Json, **more: Any) -> Any:
    """A child of five whose mother consents."""
    return child(born=date(2021, 3, 1), consents=(given(root, **more),))


def test_an_inactive_member_of_a_group_is_no_member() -> None:
    """Taken off the group, a worker is not whom the consent names."""
    root = provision(classes=[DataClass.MEDICAL_EXAM]) | {"actor": [{"reference": {"reference": "Group/team"}}]}
    fact = given(root)
    for inactive, expected in ((False, View.SUMMARY), (True, View.NONE)):
        members = [{"entity": {"reference": "Organization/social"}, "inactive": inactive}]
        tree = read_consent(fact.resource, {"Group/team": {"resourceType": "Group", "member": members}})
        facts = child(born=date(2021, 3, 1), consents=(replace(fact, tree=tree),))
        assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, facts) is expected


@pytest.mark.parametrize("key", ["modifierExtension", "extension", "implicitRules"])
def test_a_consent_that_says_more_than_is_read_permits_nothing(key: str) -> None:
    """An extension at the root may turn the whole consent around (invariant 6)."""
    fact = given(provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM]))
    odd = replace(fact, resource={**fact.resource, key: [{"url": "urn:not", "valueBoolean": True}]})
    sound = child(born=date(2021, 3, 1), consents=(fact,))
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, sound) is View.SUMMARY
    facts = child(born=date(2021, 3, 1), consents=(odd,))
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, facts) is View.NONE


def test_what_a_source_may_not_give_away_stays() -> None:
    """A denial about the custodian closes what that agency sends, whoever would receive it."""
    source = {"role": {"coding": [{"code": "CST"}]}, "reference": {"reference": "Organization/health"}}
    permit = given(provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM]))
    ban = given(provision("deny") | {"actor": [source]}, name="ban")
    asked = ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM))
    facts = child(born=date(2021, 3, 1), consents=(permit, ban))
    assert decide(asked, facts).verdicts[0].view is View.NONE
    elsewhere = replace(asked, sender=agency(Sector.COURT))
    assert decide(elsewhere, facts).verdicts[0].view is View.SUMMARY


def test_a_record_without_a_date_is_not_within_a_period() -> None:
    """A consent or an order for last month's data covers nothing whose date nobody knows."""
    month = {"start": "2026-05-01", "end": "2026-05-31"}
    facts = young(provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM], dataPeriod=month))
    dated = item(DataClass.MEDICAL_EXAM, at=datetime(2026, 5, 5, tzinfo=UTC))
    assert view(Sector.SOCIAL, dated, facts) is View.SUMMARY
    assert view(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM), facts) is View.NONE


# --- labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["B20", "B20.1", "B24", "Z21", "R75"])
def test_every_subcode_of_an_hiv_diagnosis_is_hiv(code: str) -> None:
    """The label goes by prefix, and the exam becomes sexual health (R26)."""
    found = labels(consent.label(bundle(x=observation({"system": ICD, "code": code})), policy()), "x")
    assert {"HIV", "sexual-health"} <= found


@pytest.mark.parametrize("coding", [{"system": ICD, "code": "Z32.1"}, {"system": "http://loinc.org", "code": "2106-3"}])
def test_pregnancy_is_sexual_health(coding: Json) -> None:
    """A pregnancy test that its reader called a medical exam is not one."""
    assert "sexual-health" in labels(consent.label(bundle(x=observation(coding)), policy()), "x")


def test_a_score_inherits_the_label_of_what_it_was_derived_from() -> None:
    """A finding computed from an HIV result is HIV too (invariant 22)."""
    hiv = observation({"system": ICD, "code": "B20"})
    score = observation({"system": "urn:x", "code": "score"}, derivedFrom=[{"reference": "urn:uuid:hiv"}])
    assert "HIV" in labels(consent.label(bundle(hiv=hiv, score=score), policy()), "score")


def test_free_text_stays_wherever_it_stands() -> None:
    """Conclusions, notes, comments and text values leave no finding that an order opened."""
    facts = child(orders=(order(line(DataClass.MEDICAL_EXAM)),), treating=())
    code = {"coding": [{"system": "urn:x", "code": "panel"}]}
    text = "Trẻ kể (thử nghiệm)"
    what = resource(
        "DiagnosticReport", DataClass.MEDICAL_EXAM, status="final", code=code, conclusion=text, issued="2026-06-01"
    )
    court = child(orders=(order(line(DataClass.MEDICAL_EXAM, "court", codes=(Code("urn:x", "panel"),))),))
    assert "x" in released(bundle(x=what), Sector.COURT, court)
    assert text not in str(released(bundle(x=what), Sector.COURT, court))
    assert text not in str(released(bundle(x=what), Sector.POLICE, facts))


@pytest.mark.parametrize(
    ("kind", "data_class"),
    [("DocumentReference", "narrative"), ("Binary", "narrative"), ("Media", "photographs")],
)
def test_a_document_that_nobody_labelled_is_the_closed_kind(kind: str, data_class: str) -> None:
    """Scans, files and pictures are narrative or photographs unless their reader said otherwise."""
    assert data_class in labels(consent.label(bundle(x=resource(kind, None)), policy()), "x")


def test_a_shelters_address_repeated_elsewhere_is_tainted() -> None:
    """The child's own record with the shelter's address leaves without it (R31)."""
    street = "12 Đường Thử Nghiệm, Phường Mẫu"
    home = resource("Location", DataClass.SHELTER_LOCATION, status="active", address={"line": [street]})
    patient = resource("Patient", DataClass.DEMOGRAPHICS, active=True, address=[{"line": [street]}])
    out = released(bundle(home=home, patient=patient), Sector.HEALTH, child(treating=(treating(),)))
    assert out["patient"]["active"] is True
    assert street not in str(out["patient"])


@pytest.mark.parametrize("said", ["N", "L", "U"])
def test_a_sender_lowers_no_label(said: str) -> None:
    """Very restricted stays very restricted, whatever the sender wrote."""
    what = observation({"system": "urn:x", "code": "y"}, DataClass.MENTAL_HEALTH)
    what["meta"]["security"].append({"system": CONFIDENTIALITY_SYSTEM, "code": said})
    found = labels(consent.label(bundle(x=what), policy()), "x")
    assert "V" in found
    assert said not in found


# --- what leaves ----------------------------------------------------------------------------------------------


def test_a_school_learns_name_and_no_address() -> None:
    """Of who the child is a school receives what is on its list (R30)."""
    patient = resource(
        "Patient", DataClass.DEMOGRAPHICS, active=True, name=[{"text": "Mẫu"}], address=[{"city": "Mẫu"}]
    )
    out = released(bundle(patient=patient), Sector.EDUCATION, child(plans=(plan("education"),)))
    assert set(out["patient"]) == {"resourceType", "meta", "name", "active"}


def test_a_flag_that_a_child_is_sheltered_says_not_where() -> None:
    """Without being the case owner's named reader one learns that, and no address (R31)."""
    home = resource("Location", DataClass.SHELTER_LOCATION, status="active", mode="instance", address={"city": "Mẫu"})
    out = released(bundle(home=home), Sector.SOCIAL, child(plans=(plan("social"),)))
    assert set(out["home"]) == {"resourceType", "meta", "status", "mode"}


def test_a_referral_tells_a_school_no_reason() -> None:
    """What is asked and how far it is, not what was done to the child (R30)."""
    asked = resource(
        "ServiceRequest", DataClass.REFERRAL, status="active", intent="order",
        code={"coding": [{"system": "urn:s", "code": "education"}]}, subject={"reference": "urn:uuid:patient"},
        reasonCode=[{"coding": [{"system": "urn:r", "code": "REASON"}]}],
    )  # fmt: skip
    facts = child(plans=(plan("education"),), referrals=(referral("social", "education"),))
    out = released(bundle(asked=asked), Sector.EDUCATION, facts, referral="referral-1")
    assert out["asked"]["status"] == "active"
    assert "REASON" not in str(out)


def test_a_resource_of_two_classes_needs_a_way_through_both() -> None:
    """Called exam and photograph by its reader, it goes to nobody who may have the exam alone."""
    both = observation({"system": "urn:x", "code": "y"})
    both["meta"]["security"].append({"system": DATA_CLASS_SYSTEM, "code": "photographs"})
    assert released(bundle(x=both), Sector.HEALTH, child(treating=(treating(),))).get("x") is None


def test_an_item_of_two_classes_leaves_by_the_narrower() -> None:
    """Full as demographics and a summary as safety plan: a summary leaves."""
    facts = child(treating=(treating(),))
    two = item(DataClass.SAFETY_PLAN, classes=(DataClass.DEMOGRAPHICS,))
    assert view(Sector.HEALTH, DataClass.DEMOGRAPHICS, facts) is View.FULL
    assert view(Sector.HEALTH, two, facts) is View.SUMMARY


def test_no_persons_number_rides_in_a_reference() -> None:
    """A reference by identifier to anybody but an agency does not leave."""
    number = {"system": "urn:ni", "value": "079000000000"}
    for subject in (
        {"type": "Patient", "identifier": number},
        {"identifier": number},
        {"reference": "urn:uuid:gone", "type": "Organization", "identifier": number},
    ):
        what = observation({"system": "urn:x", "code": "y"}, subject=subject)
        assert number["value"] not in str(released(bundle(x=what), Sector.HEALTH, child(treating=(treating(),))))


def test_two_resources_in_one_place_both_stay() -> None:
    """A decision cannot tell them apart, so neither leaves."""
    message = bundle(x=observation({"system": "urn:x", "code": "y"}))
    message["entry"].append({**message["entry"][1], "resource": observation({"system": "urn:x", "code": "OTHER"})})
    assert "x" not in released(message, Sector.HEALTH, child(treating=(treating(),)))


def test_the_envelope_says_what_the_policy_lists() -> None:
    """Who at the sender wrote it, and why, does not leave with the header."""
    message = bundle(x=observation({"system": "urn:x", "code": "y"}))
    message["entry"][0]["resource"] |= {
        "eventCoding": {"system": "urn:e", "code": "record"},
        "author": {"type": "Organization", "identifier": {"value": "AUTHOR"}},
        "reason": {"coding": [{"system": "urn:r", "code": "REASON"}]},
    }
    header = released(message, Sector.HEALTH, child(treating=(treating(),)))["header"]
    assert header["eventCoding"]["code"] == "record"
    assert "AUTHOR" not in str(header)
    assert "REASON" not in str(header)


def test_two_recipients_cannot_join_their_copies() -> None:
    """The ids of one record differ from recipient to recipient, and not from time to time."""
    message = bundle(x=observation({"system": "urn:x", "code": "y"}))
    ids = [
        [one["fullUrl"] for one in consent.rekey(message, key)["entry"]] for key in (b"a" * 32, b"b" * 32, b"a" * 32)
    ]
    assert ids[0] == ids[2]
    assert set(ids[0]).isdisjoint(ids[1])


# --- dates and traces -----------------------------------------------------------------------------------------


def test_a_law_of_next_year_decides_nothing_today() -> None:
    """Of two editions the one in force at the moment asked about decides."""
    documents = consent.policy_documents()
    law = next(one for one in documents.values() if one["part"] == "law")
    later = {**law, "effective_from": "2027-01-01", "bands": [{"rule": "R3", "needs": ["representative"]}]}
    both = read_policy(documents | {"law-2027.yaml": later})
    facts = child(consents=(given(provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM])),))
    asked = ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM))
    today = consent.decide(asked, facts, both, AT)
    assert today.verdicts[0].view is View.NONE
    then = consent.decide(asked, facts, both, datetime(2027, 1, 2, tzinfo=UTC))
    assert then.verdicts[0].view is View.SUMMARY
    assert today.policy_version != then.policy_version


@pytest.mark.parametrize(
    "changed",
    [
        {"orders": (order(line(DataClass.FORENSIC)),)},
        {"refusals": (refusal(),)},
        {"plans": (plan("social"),)},
        {"birth_date": date(2014, 3, 2)},
        {"suspicions": (suspect(),)},
        {"match_certain": False},
        {"consents": (given(provision(to=Sector.SOCIAL)),)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_fact_enters_the_hash_of_the_inputs(changed: Json) -> None:
    """Two decisions by different facts never look the same in the audit (invariant 17)."""
    asked = ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM))
    assert decide(asked, child()).input_hash != decide(asked, child(**changed)).input_hash


def test_a_replaced_consent_stays_replaced() -> None:
    """Active, evidenced and in time, but replaced for good: it permits nothing (invariant 7)."""
    root = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM])
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, young(root)) is View.SUMMARY
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, young(root, replaced=True)) is View.NONE


def test_the_senders_narrative_stays_at_any_depth() -> None:
    """A section that stands by its entries leaves with them and without its text (R25)."""
    injury = observation({"system": "urn:x", "code": "y"})
    section = {
        "title": "Exam",
        "code": {"coding": [{"system": "urn:x", "code": "s"}]},
        "entry": [{"reference": "urn:uuid:injury"}],
        "text": {"status": "generated", "div": "<div>SECRET</div>"},
    }
    composition = resource(
        "Composition", DataClass.MEDICAL_EXAM, status="final", type={"coding": [{"system": "urn:x", "code": "t"}]},
        date="2026-06-01", author=[{"type": "Organization", "identifier": {"system": "urn:o", "value": "h"}}],
        title="Exam", section=[section],
    )  # fmt: skip
    out = released(bundle(injury=injury, note=composition), Sector.HEALTH, child(treating=(treating(),)))
    assert out["note"]["section"][0]["entry"] == [{"reference": "urn:uuid:injury"}]
    assert "text" not in out["note"]["section"][0]


def test_a_code_that_nobody_knows_anywhere_in_a_consent_stops_its_permit() -> None:
    """Even in a clause about somebody else: a consent that is not read in full permits nothing (invariant 6)."""
    odd = provision(to=Sector.HEALTH, purpose=["NO-SUCH-PURPOSE"])
    sound = provision(to=Sector.HEALTH, purpose=["TREAT"])
    for nested, expected in ((sound, View.SUMMARY), (odd, View.NONE)):
        root = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM], provision=[nested])
        assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, young(root)) is expected


@pytest.mark.parametrize("period", [{}, {"period": {"start": "2026-01-01"}}])
def test_an_empty_clause_permits_nothing(period: Json) -> None:
    """A nested permit that names nobody and nothing fails closed, below any base rule."""
    for base in ("deny", "permit"):
        root = provision(base, to=Sector.SOCIAL, classes=[DataClass.FORENSIC], provision=[{"type": "permit"}], **period)
        assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, young(root)) is View.NONE
    below = {"type": "deny", "provision": [{"type": "permit"}], **period}
    assert view(Sector.SOCIAL, DataClass.MEDICAL_EXAM, young(below)) is View.NONE


def test_a_seal_opens_for_the_named_officer_alone() -> None:
    """Who reported, in a report; where the child is, in danger: only the officer named in the case reads it."""
    team = (member("police", "receiver", officer="officer-1"),)
    facts = child(reports=(report("police"),), team=team, emergencies=(emergency("police", officer="officer-1"),))
    for officer, expected in (("officer-1", True), ("officer-2", False), ("", False)):
        reader = agency(Sector.POLICE, officer=officer)
        sealed = view(reader, DataClass.REPORTER_IDENTITY, facts, event=Event.REPORT)
        named = view(reader, DataClass.SHELTER_LOCATION, facts, purposes=frozenset({Purpose.THREAT}))
        assert (sealed is View.FULL, named is View.SUMMARY) == (expected, expected), officer
