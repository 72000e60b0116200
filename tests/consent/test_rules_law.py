"""Rules R18 to R41: what the law opens and closes whatever people consent to. Permit, deny and boundary for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

import consent
from consent.model import (
    Authority,
    Code,
    Decision,
    Facts,
    ObligationKind,
    Outcome,
    Party,
    Relationship,
    Span,
    Tie,
)
from consent.vocabulary import Action, Basis, DataClass, Event, Purpose, Sector, View
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    LOINC,
    MOTHER,
    SINCE,
    agency,
    ask,
    child,
    decide,
    emergency,
    father,
    given,
    item,
    line,
    member,
    no_contact,
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
    why,
)

POLICE, HEALTH, SOCIAL, SCHOOL = Sector.POLICE, Sector.HEALTH, Sector.SOCIAL, Sector.EDUCATION
EXAM, FORENSIC, ALLEGATION = DataClass.MEDICAL_EXAM, DataClass.FORENSIC, DataClass.ALLEGATION
REPORT = {"event": Event.REPORT}
CODE, OTHER = Code(LOINC, "named"), Code(LOINC, "other")
EVERYTHING = [item(one) for one in DataClass]


def left(decision: Decision) -> dict[str, str]:
    """What leaves: class -> view."""
    return {one.place.split(":")[-1]: one.view.value for one in decision.verdicts if one.view is not View.NONE}


def born(years: int, days_before: int = 0) -> date:
    return date(AT.year - years, AT.month, AT.day) + timedelta(days=days_before)


def test_R18_under_sixteen_the_report_goes_without_consent() -> None:
    """Ward police owed the report hear it; police who are not owed it, or another message, hear nothing."""
    facts = child(reports=(report("police"),))
    assert left(decide(ask(POLICE, *EVERYTHING, **REPORT), facts)).keys() == {
        "demographics", "medical-exam", "allegation", "alleged-perpetrator",
    }  # fmt: skip
    assert view(POLICE, ALLEGATION, facts) is View.NONE
    assert view(replace(agency(POLICE), id="other-police"), ALLEGATION, facts, **REPORT) is View.NONE
    assert view(HEALTH, EXAM, facts, **REPORT) is View.NONE


def test_R18_the_report_tells_whom_to_tell_first() -> None:
    """The child is to be told; the hub's people see that duty on the decision."""
    decision = decide(ask(POLICE, item(ALLEGATION), **REPORT), child(reports=(report("police"),)))
    assert ("notify", "child") in {(one.kind.value, one.detail) for one in decision.obligations}


@pytest.mark.parametrize(
    ("birth", "grave", "expected"),
    [
        (born(16, 1), False, View.FULL),
        (born(16), False, View.NONE),
        (born(16), True, View.FULL),
        (born(18, 1), True, View.FULL),
        (born(18), True, View.NONE),
        (None, False, View.FULL),
    ],
    ids=["15 y 364 d", "16", "16 grave", "17 y 364 d grave", "18 grave", "unknown"],
)
def test_R19_at_sixteen_and_seventeen_only_grave_danger_or_crime(birth: date, grave: bool, expected: View) -> None:
    """The report without consent ends at sixteen, at eighteen where the danger is grave."""
    assert view(POLICE, ALLEGATION, child(birth, reports=(report("police", grave=grave),)), **REPORT) is expected


@pytest.mark.parametrize(
    ("years", "consents", "expected"),
    [
        (17, [{"classes": [ALLEGATION], "purpose": ["CAREMGT"]}], View.FULL),
        (17, [{"classes": [ALLEGATION], "purpose": ["TREAT"]}], View.NONE),
        (17, [{"classes": [EXAM]}], View.NONE),
        (17, [{}], View.NONE),
        (17, [], View.NONE),
        (18, [{"classes": [ALLEGATION]}], View.NONE),
    ],
    ids=["named", "other purpose", "other class", "sensitive and not named", "none", "eighteen"],
)
def test_R19_at_sixteen_and_seventeen_the_minor_may_consent(
    years: int, consents: list[dict[str, object]], expected: View
) -> None:
    """Without grave danger the report leaves by the minor's own consent to purpose and class, as what it would be."""
    facts = child(
        born(years), reports=(report("police"),), consents=tuple(given(provision(**one), by=CHILD) for one in consents)
    )
    one = item(ALLEGATION, "SDV")
    assert view(POLICE, one, facts, **REPORT) is expected
    assert view(POLICE, one, facts) is View.NONE
    assert view(HEALTH, one, facts, **REPORT) is View.NONE
    assert view(POLICE, one, replace(facts, refusals=(refusal(),)), **REPORT) is View.NONE
    if expected is View.FULL:
        decision = decide(ask(POLICE, one, **REPORT), facts)
        assert decision.verdicts[0].basis is Basis.CONSENT
        assert {"consent", "report"} <= {ref.kind for ref in decision.verdicts[0].reasons[0].read}
        assert view(POLICE, item(EXAM), facts, **REPORT) is View.NONE
        withdrawn = tuple(replace(one, withdrawn_at=AT) for one in facts.consents)
        assert view(POLICE, one, replace(facts, consents=withdrawn), **REPORT) is View.NONE


def test_R19_by_consent_the_hotline_hears_as_much_as_by_duty() -> None:
    """Every way that a report opens is opened by the minor's consent to it, to 111 too."""
    consents = (given(provision(to=Sector.HOTLINE, classes=[ALLEGATION], purpose=["CAREMGT"]), by=CHILD),)
    facts = child(born(17), reports=(report("hotline"),), consents=consents)
    assert view(Sector.HOTLINE, ALLEGATION, facts, **REPORT) is View.FULL


def test_R18_the_hotline_hears_what_is_reported_to_it() -> None:
    """111 is a party to a report that is owed to it: the allegation goes with who is suspected; else it stays."""
    facts = child(reports=(report("hotline"),))
    heard = left(decide(ask(Sector.HOTLINE, *EVERYTHING, **REPORT), facts))
    assert heard.keys() == {"demographics", "allegation", "alleged-perpetrator", "reporter-identity"}
    assert view(Sector.HOTLINE, ALLEGATION, facts) is View.NONE
    assert view(Sector.HOTLINE, ALLEGATION, child(reports=(report("police"),)), **REPORT) is View.NONE


NO_PURPOSE = {"purposes": frozenset[Purpose]()}


@pytest.mark.parametrize(
    ("sector", "facts", "asked"),
    [
        (HEALTH, child(treating=(treating(),)), {}),
        (SOCIAL, child(plans=(plan("social"),)), {}),
        (POLICE, child(orders=(order(*(line(one) for one in DataClass)),)), {}),
        (POLICE, child(reports=(report("police"),)), REPORT),
        (HEALTH, child(emergencies=(emergency("health"),)), {}),
        (
            SOCIAL,
            child(authorities=(Authority(ref("o"), "override", "law", "why", "a", "b", "social", frozenset({EXAM})),)),
            {},
        ),
    ],
    ids=["T", "D", "P", "R", "V", "override"],
)
def test_R02_without_a_purpose_no_ground_is_proven(sector: Sector, facts: Facts, asked: dict[str, Event]) -> None:
    """A request that states no purpose opens nothing, whatever is on record; and cannot be determined."""
    assert decide(ask(sector, *EVERYTHING, **asked), facts).leaves
    silent = decide(ask(sector, *EVERYTHING, **asked, **NO_PURPOSE), facts)
    assert silent.outcome is Outcome.INDETERMINATE
    assert {reason.code for reason in silent.reasons} >= {"R2-no-purpose"}


def test_R20_vital_interest_opens_the_minimum_and_ends_after_a_day() -> None:
    """The responder who states the need learns who the child is and what endangers her, for 24 hours."""
    start = datetime(2026, 6, 15, 8, tzinfo=UTC)
    facts = child(emergencies=(emergency("health"),))
    assert left(decide(ask(HEALTH, *EVERYTHING), facts)) == {
        "demographics": "summary", "shelter-location": "flag", "court-orders": "summary",
        "alleged-perpetrator": "summary",
    }  # fmt: skip
    assert view(HEALTH, DataClass.DEMOGRAPHICS, facts, start + timedelta(hours=24, seconds=-1)) is View.SUMMARY
    assert view(HEALTH, DataClass.DEMOGRAPHICS, facts, start + timedelta(hours=24)) is View.NONE


@pytest.mark.parametrize(
    "change", [{"reason": ""}, {"agency": "police"}, {"span": Span()}, {"kind": "curiosity"}], ids=str
)
def test_R20_who_does_not_state_the_need_gets_nothing(change: dict[str, object]) -> None:
    """No reason, another agency, no beginning or an unknown kind: no vital interest."""
    assert view(HEALTH, DataClass.DEMOGRAPHICS, child(emergencies=(emergency("health", **change),))) is View.NONE


def test_R20_vital_interest_outranks_a_refusal() -> None:
    """A refusal does not stop the rescue, and those concerned are told afterwards."""
    facts = child(emergencies=(emergency("health"),), refusals=(refusal(), refusal(MOTHER)))
    decision = decide(ask(HEALTH, item(DataClass.DEMOGRAPHICS)), facts)
    assert decision.leaves
    assert ObligationKind.NOTIFY in {one.kind for one in decision.obligations}


def broken(**changes: object) -> Facts:
    base = emergency("health", kind="break-glass", second_factor=True, officer="doctor-1")
    return child(emergencies=(replace(base, **changes),))


def test_R21_break_glass_needs_a_second_factor_a_reason_and_a_named_person() -> None:
    """With all three the named doctor reads for four hours, and the access is reviewed within 72."""
    doctor = agency(HEALTH, officer="doctor-1")
    one = item(DataClass.DEMOGRAPHICS)
    decision = decide(ask(doctor, one), broken())
    assert decision.leaves
    start = datetime(2026, 6, 15, 8, tzinfo=UTC)
    assert [(task.kind, task.due) for task in decision.tasks] == [("review-break-glass", start + timedelta(hours=72))]
    assert view(doctor, one, broken(), start + timedelta(hours=4, seconds=-1)) is View.SUMMARY
    assert view(doctor, one, broken(), start + timedelta(hours=4)) is View.NONE
    for missing in ({"second_factor": False}, {"reason": ""}, {"officer": ""}):
        assert view(doctor, one, broken(**missing)) is View.NONE
    assert view(agency(HEALTH, officer="doctor-2"), one, broken()) is View.NONE


def test_R21_break_glass_never_opens_photographs_or_the_reporter() -> None:
    """Neither class opens on it, whoever breaks the glass."""
    for sector in Sector:
        facts = broken(agency=sector.value)
        party = agency(sector, officer="doctor-1")
        for one in (DataClass.PHOTOGRAPHS, DataClass.REPORTER_IDENTITY):
            assert view(party, one, facts) is View.NONE


def test_R21_break_glass_outranks_a_refusal_but_no_never() -> None:
    """It invokes vital interest and nothing more."""
    doctor = agency(HEALTH, officer="doctor-1")
    assert view(doctor, DataClass.DEMOGRAPHICS, replace(broken(), refusals=(refusal(),))) is View.SUMMARY
    school = agency(SCHOOL, officer="doctor-1")
    assert not decide(ask(school, *EVERYTHING), broken(agency="education")).leaves


@pytest.mark.parametrize(
    "change",
    [
        {"number": ""},
        {"body": ""},
        {"issued": None},
        {"items": ()},
        {"verified_by": ""},
        {"verified_by": "admin-1"},
        {"items": (line(None),)},
        {"items": (line(FORENSIC, ""),)},
        {"items": (line(FORENSIC, "court"),)},
        {"items": (line(EXAM),)},
    ],
    ids=["number", "body", "date", "items", "claim", "same person", "class", "recipient", "elsewhere", "other class"],
)
def test_R22_an_order_counts_only_verified_and_complete(change: dict[str, object]) -> None:
    """A missing field, a missing second person or another item: nothing."""
    good = order(line(FORENSIC))
    assert view(POLICE, FORENSIC, child(orders=(good,))) is View.FULL
    assert view(POLICE, FORENSIC, child(orders=(replace(good, **change),))) is View.NONE


def test_R22_the_issuing_bodys_signature_verifies_too() -> None:
    """A signature by the body's registered key needs no second person."""
    facts = child(orders=(order(line(FORENSIC), verified_by="signature:key-1"),))
    assert view(POLICE, FORENSIC, facts) is View.FULL


def test_R22_only_the_items_that_it_names() -> None:
    """Codes, episode, period and officer that an order states narrow it."""
    about = item(FORENSIC, codes=(CODE,), episode="e1", at=datetime(2026, 6, 10, tzinfo=UTC))
    june = Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    named = line(FORENSIC, codes=(CODE,), episode="e1", period=june)
    facts = child(orders=(order(named),))
    assert view(POLICE, about, facts) is View.FULL
    for change in ({"codes": (OTHER,)}, {"episode": "e2"}, {"at": datetime(2026, 7, 1, tzinfo=UTC)}, {"at": None}):
        assert view(POLICE, replace(about, **change), facts) is View.NONE
    officer = child(orders=(order(line(FORENSIC, officer="officer-7")),))
    assert view(POLICE, about, officer) is View.NONE
    assert view(agency(POLICE, officer="officer-7"), about, officer) is View.FULL


def test_R22_an_order_outranks_other_nevers_but_not_an_absolute_one() -> None:
    """A court may have therapy notes if it names them; photographs to a school stay closed and raise an alarm."""
    notes = item(DataClass.NARRATIVE, "PSY", codes=(CODE,))
    assert view(POLICE, notes, child(orders=(order(line(DataClass.NARRATIVE, codes=(CODE,))),))) is View.FULL
    photos = child(orders=(order(line(DataClass.PHOTOGRAPHS, "education")),))
    decision = decide(ask(SCHOOL, item(DataClass.PHOTOGRAPHS)), photos)
    assert not decision.leaves
    assert decision.alarms == ("order-opens-absolute-never",)


def test_R22_an_orders_date_is_a_day_where_the_child_lives() -> None:
    """Issued on the 16th, it counts from local midnight, which is still the 15th in Greenwich."""
    facts = child(orders=(order(line(FORENSIC), issued=date(2026, 6, 16)),))
    midnight = datetime(2026, 6, 15, 17, tzinfo=UTC)
    assert view(POLICE, FORENSIC, facts, midnight) is View.FULL
    assert view(POLICE, FORENSIC, facts, midnight - timedelta(seconds=1)) is View.NONE
    assert view(POLICE, FORENSIC, replace(facts, zone="UTC"), midnight) is View.NONE


def test_R22_an_orders_period_is_asked_of_days_where_the_child_lives() -> None:
    """A finding of a day is inside the period by that day, whatever the zone that the period is written in."""
    june = Span(datetime(2026, 5, 31, 17, tzinfo=UTC), datetime(2026, 6, 30, 17, tzinfo=UTC))
    facts = child(orders=(order(line(FORENSIC, period=june)),))
    for day, expected in ((date(2026, 5, 31), View.NONE), (date(2026, 6, 1), View.FULL), (date(2026, 7, 1), View.NONE)):
        assert view(POLICE, item(FORENSIC, at=day), facts) is expected


def test_R23_police_without_an_order() -> None:
    """Police already told of the case learn that it exists and whom to contact; others nothing."""
    asked = {"event": Event.QUERY}
    facts = child(reports=(report("ward", told=("police",)),))
    assert left(decide(ask(POLICE, *EVERYTHING, **asked), facts)) == {"demographics": "flag"}
    assert not decide(ask(POLICE, *EVERYTHING, **asked), child(reports=(report("ward"),))).leaves
    assert not decide(ask(POLICE, *EVERYTHING), facts).leaves
    assert not decide(ask(HEALTH, *EVERYTHING, **asked), child(reports=(report("ward", told=("health",)),))).leaves


@pytest.mark.parametrize(
    "change",
    [
        {"revoked": True},
        {"outside_jurisdiction": True},
        {"span": Span(end=AT)},
        {"span": Span(start=AT + timedelta(seconds=1))},
        {"issued": date(2026, 6, 16)},
    ],
    ids=["forged or revoked", "outside jurisdiction", "expired", "not yet", "dated ahead"],
)
def test_R24_an_invalid_order_denies_and_alerts(change: dict[str, object]) -> None:
    """Nothing leaves on it, and somebody is asked to look."""
    decision = decide(ask(POLICE, item(FORENSIC)), child(orders=(order(line(FORENSIC), **change),)))
    assert not decision.leaves
    assert [task.kind for task in decision.tasks] == ["order-not-valid"]
    still = child(orders=(order(line(FORENSIC), span=Span(end=AT + timedelta(seconds=1))),))
    assert decide(ask(POLICE, item(FORENSIC)), still).leaves


def test_R25_the_boundary_is_one_label_more() -> None:
    """Of two items that differ in a single label one leaves and the other does not, in either order."""
    facts = child(plans=(plan("social"),))
    plain, hiv = item(EXAM, place="plain"), item(EXAM, "HIV", place="hiv")
    for items in ((plain, hiv), (hiv, plain)):
        seen = {one.place: one.view for one in decide(ask(SOCIAL, *items), facts).verdicts}
        assert seen == {"plain": View.SUMMARY, "hiv": View.NONE}


def test_R25_an_unpermitted_item_is_dropped_and_the_rest_goes() -> None:
    """Each item is judged for itself; the answer about one does not depend on the others."""
    facts = child(orders=(order(line(FORENSIC)),))
    alone = decide(ask(POLICE, item(FORENSIC)), facts).verdicts[0]
    mixed = decide(ask(POLICE, item(EXAM), item(FORENSIC), item(DataClass.NARRATIVE)), facts)
    assert [verdict.view for verdict in mixed.verdicts] == [View.NONE, View.FULL, View.NONE]
    assert mixed.verdicts[1] == alone


LABELS = ["HIV", "STD", "PSY", "SDV", "ETH"]


@pytest.mark.parametrize("label", LABELS)
def test_R26_all_medical_is_not_enough(label: str) -> None:
    """A sensitive label needs a clause that names it, an order that names the test, or a treating relationship."""
    one = item(EXAM, label, codes=(CODE,))
    wide = provision(to=SOCIAL, classes=[EXAM])
    named = provision(to=SOCIAL, classes=[EXAM], label=[label])
    assert why(SOCIAL, one, child(consents=(given(wide), given(wide, by=CHILD)))) == "R26-needs-explicit-ground"
    assert view(SOCIAL, one, child(consents=(given(named), given(named, by=CHILD)))) is View.SUMMARY
    assert view(SOCIAL, one, child(consents=(given(named), given(wide, by=CHILD)))) is View.NONE
    assert view(SOCIAL, one, child(plans=(plan("social"),))) is View.NONE
    assert view(POLICE, one, child(orders=(order(line(EXAM)),))) is View.NONE
    assert view(POLICE, one, child(orders=(order(line(EXAM, codes=(CODE,))),))) is View.SUMMARY
    assert view(HEALTH, one, child(treating=(treating(),))) is View.FULL


def test_R26_naming_the_class_names_a_label_that_comes_with_it() -> None:
    """Mental health is PSY by itself; HIV is never said by a class alone."""
    named = provision(to=SOCIAL, classes=[DataClass.MENTAL_HEALTH])
    facts = child(consents=(given(named), given(named, by=CHILD)))
    assert view(SOCIAL, item(DataClass.MENTAL_HEALTH, "PSY"), facts) is View.SUMMARY
    assert view(SOCIAL, item(DataClass.MENTAL_HEALTH, "PSY", "HIV"), facts) is View.NONE


LABORATORY = Code("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")
HIV_TEST = Code(LOINC, "7917-8")


@pytest.mark.parametrize(
    ("code", "opens"), [(LABORATORY, False), (CODE, True), (HIV_TEST, True)], ids=lambda one: str(one)
)
def test_R26_a_category_names_no_sensitive_thing(code: Code, opens: bool) -> None:
    """A consent or an order that names "laboratory" names no HIV test; one that names its code does, and so does one
    that names a category which itself says HIV."""
    kinds = (LABORATORY, HIV_TEST)
    one = item(DataClass.SEXUAL_HEALTH, "HIV", codes=(CODE, *kinds), kinds=kinds)
    root = provision(code=[{"coding": [{"system": code.system, "code": code.code}]}])
    clinic = child(consents=(given(root), given(root, by=CHILD)), team=(member("social", "clinician", officer="c-1"),))
    expected = View.FULL if opens else View.NONE
    assert view(agency(SOCIAL, officer="c-1"), one, clinic) is expected
    for sector in (POLICE, Sector.COURT, SCHOOL):
        ordered = child(orders=(order(line(DataClass.SEXUAL_HEALTH, sector.value, codes=(code,))),))
        assert view(sector, one, ordered) is expected
    mixed = decide(ask(agency(SOCIAL, officer="c-1"), one, replace(one, place="other", codes=kinds)), clinic)
    assert [each.view is View.FULL for each in mixed.verdicts] == [opens, code == HIV_TEST]


def test_R26_the_code_of_a_thing_is_told_from_its_kind() -> None:
    """Category and type of a resource say what kind of thing it is, its code and medication what it is."""
    coded = {"coding": [{"system": LOINC, "code": "named"}]}
    kind = {"coding": [{"system": LABORATORY.system, "code": LABORATORY.code}]}
    resource = {"resourceType": "Observation", "id": "o", "category": [kind, coded], "code": coded, "type": [kind]}
    entry = [{"fullUrl": "urn:uuid:o", "resource": resource}]
    (one,) = consent.items_of({"resourceType": "Bundle", "type": "collection", "entry": entry})
    assert (one.codes, one.kinds) == ((CODE, LABORATORY), (LABORATORY,))


def test_R34_a_named_cell_wants_the_code_of_the_thing() -> None:
    """The court reads the exam that the order names; a category names none."""
    one = item(EXAM, codes=(CODE, LABORATORY), kinds=(LABORATORY,))
    for code, expected in ((CODE, View.FULL), (LABORATORY, View.NONE)):
        assert view(Sector.COURT, one, child(orders=(order(line(EXAM, "court", codes=(code,))),))) is expected


def test_R27_what_leaves_must_not_be_passed_on() -> None:
    """Every permit carries the duty, with its purpose; a denial carries none."""
    decision = decide(ask(HEALTH, item(EXAM)), child(treating=(treating(),)))
    assert [(one.kind, one.detail) for one in decision.obligations] == [(ObligationKind.NO_REDISCLOSURE, "CAREMGT")]
    assert decide(ask(HEALTH, item(EXAM)), child()).obligations == ()


def test_R27_sealed_things_go_to_the_named_officer_alone() -> None:
    """A sealed cell names its reader, and nobody else's."""
    facts = child(orders=(order(line(DataClass.PHOTOGRAPHS, officer="officer-7")),))
    decision = decide(ask(agency(POLICE, officer="officer-7"), item(DataClass.PHOTOGRAPHS)), facts)
    assert (ObligationKind.SEALED, "officer-7") in {(one.kind, one.detail) for one in decision.obligations}
    assert view(agency(POLICE, officer="officer-8"), DataClass.PHOTOGRAPHS, facts) is View.NONE
    assert view(POLICE, DataClass.PHOTOGRAPHS, facts) is View.NONE


def test_R28_police_procuracy_court_along_one_case() -> None:
    """The order names each of them as recipient; who is not named gets nothing on it."""
    facts = child(orders=(order(line(FORENSIC), line(FORENSIC, "court")),))
    assert view(POLICE, FORENSIC, facts) is View.FULL
    assert view(Sector.COURT, FORENSIC, facts) is View.FULL
    assert view(HEALTH, FORENSIC, facts) is View.NONE


def test_R28_the_boundary_is_the_orders_end() -> None:
    """The court reads on until the order ends, and not from then on."""
    for end, expected in ((AT, View.NONE), (AT + timedelta(seconds=1), View.FULL)):
        facts = child(orders=(order(line(FORENSIC, "court"), span=Span(end=end)),))
        assert view(Sector.COURT, FORENSIC, facts) is expected


def test_R27_the_boundary_is_the_end_of_the_earliest_consent() -> None:
    """What rests on two consents may be used until the earlier of their ends; what rests on treatment has none."""
    roots = [provision(to=SOCIAL, classes=[EXAM], period={"end": f"2026-{month}-01"}) for month in ("08", "09")]
    facts = child(consents=(given(roots[1]), given(roots[0], by=CHILD)))
    ends = [one.detail for one in decide(ask(SOCIAL, item(EXAM)), facts).obligations if one.kind.value == "delete-by"]
    assert [datetime.fromisoformat(one) for one in ends] == [datetime(2026, 8, 1, 17, tzinfo=UTC)]
    treated = decide(ask(HEALTH, item(EXAM)), child(treating=(treating(),)))
    assert ObligationKind.DELETE_BY not in {one.kind for one in treated.obligations}


END = AT + timedelta(days=3)
UNTIL = Span(datetime(2026, 6, 15, 8, tzinfo=UTC), END)


@pytest.mark.parametrize(
    ("sector", "facts", "ends"),
    [
        (HEALTH, child(treating=(treating(span=UNTIL),)), END),
        (SOCIAL, child(plans=(plan("social", span=UNTIL),)), END),
        (POLICE, child(orders=(order(line(FORENSIC), span=UNTIL),)), END),
        (POLICE, child(reports=(report("police", span=UNTIL),)), END),
        (HEALTH, child(emergencies=(emergency("health"),)), datetime(2026, 6, 16, 8, tzinfo=UTC)),
        (HEALTH, child(emergencies=(emergency("health", span=UNTIL),)), datetime(2026, 6, 16, 8, tzinfo=UTC)),
        (
            HEALTH,
            child(emergencies=(emergency("health", span=Span(UNTIL.start, AT + timedelta(hours=1))),)),
            AT + timedelta(hours=1),
        ),
        (HEALTH, child(emergencies=(emergency("health"),), treating=(treating(span=UNTIL),)), END),
    ],
    ids=["T", "D", "P", "R", "V", "V stated later", "V stated earlier", "T beside V"],
)
def test_R27_what_leaves_has_the_end_of_what_it_rests_on(sector: Sector, facts: Facts, ends: datetime) -> None:
    """Treatment, plan, order, report and danger: use ends with the fact, and with the earliest of several."""
    about = item(EXAM if facts.treating else DataClass.DEMOGRAPHICS) if sector is HEALTH else None
    asked = ask(sector, *((about,) if about else EVERYTHING), event=Event.REPORT)
    found = [one.detail for one in decide(asked, facts).obligations if one.kind is ObligationKind.DELETE_BY]
    assert [datetime.fromisoformat(one) for one in found] == [ends]
    both = ask(sector, *EVERYTHING, event=Event.REPORT)
    if facts.treating and facts.emergencies:
        found = [one.detail for one in decide(both, facts).obligations if one.kind is ObligationKind.DELETE_BY]
        assert [datetime.fromisoformat(one) for one in found] == [datetime(2026, 6, 16, 8, tzinfo=UTC)]


def override(**changes: object) -> Authority:
    base = Authority(
        ref=ref("override"), kind="override", legal_basis="art. 36", reason="no representative can be found",
        requested_by="admin-1", approved_by="admin-2", agency="social", data_classes=frozenset({EXAM}), span=SINCE,
    )  # fmt: skip
    return replace(base, **changes)


def test_R29_an_override_stands_in_for_a_missing_consent() -> None:
    """With basis, reason and a second approver it opens what consent would open, and nothing else."""
    facts = child(authorities=(override(),))
    assert left(decide(ask(SOCIAL, *EVERYTHING), facts)) == {"medical-exam": "summary"}
    for change in (
        {"approved_by": "admin-1"}, {"approved_by": ""}, {"reason": ""}, {"legal_basis": ""}, {"requested_by": ""},
        {"agency": "police"}, {"agency": ""}, {"data_classes": frozenset()}, {"span": Span(end=AT)},
    ):  # fmt: skip
        assert view(SOCIAL, EXAM, child(authorities=(override(**change),))) is View.NONE


def test_R29_the_boundary_is_its_period() -> None:
    """An override holds until its end, for its agency and its classes."""
    for end, expected in ((AT, View.NONE), (AT + timedelta(seconds=1), View.SUMMARY)):
        assert view(SOCIAL, EXAM, child(authorities=(override(span=Span(end=end)),))) is expected
    assert view(SOCIAL, DataClass.MENTAL_HEALTH, child(authorities=(override(),))) is View.NONE


@pytest.mark.parametrize("change", [{"withdrawn_at": AT}, {"suspended": True}], ids=["withdrawn", "suspended"])
@pytest.mark.parametrize("by", [CHILD, MOTHER])
def test_R29_an_override_stands_in_for_nothing_that_was_taken_back(change: dict[str, Any], by: str) -> None:
    """Right after a withdrawal, and while one is reviewed, an override opens nothing (R13); a barred person's
    withdrawal stops nothing (R8), nor one of a consent to something else."""
    root = provision(to=SOCIAL, classes=[EXAM])
    old = given(root, name="old", evidence="")
    facts = child(authorities=(override(),), consents=(old, given(root, by=by, **change)))
    assert view(SOCIAL, EXAM, facts) is View.NONE
    assert view(SOCIAL, EXAM, replace(facts, consents=(old,))) is View.SUMMARY
    other = given(provision(to=SOCIAL, classes=[ALLEGATION]), by=by, **change)
    assert view(SOCIAL, EXAM, replace(facts, consents=(old, other))) is View.SUMMARY
    barred = replace(facts, no_contacts=(no_contact(MOTHER),))
    assert view(SOCIAL, EXAM, barred) is (View.SUMMARY if by == MOTHER else View.NONE)


def test_R29_an_override_defeats_no_refusal_and_no_never() -> None:
    """Not the child's no, not a denying consent, not a sensitive label, not a closed flow."""
    facts = child(authorities=(override(),))
    assert view(SOCIAL, EXAM, replace(facts, refusals=(refusal(),))) is View.NONE
    denied = replace(facts, consents=(given(provision("deny", to=SOCIAL), by=CHILD),))
    assert view(SOCIAL, EXAM, denied) is View.NONE
    assert view(SOCIAL, item(EXAM, "HIV"), facts) is View.NONE
    school = child(authorities=(override(agency="education", data_classes=frozenset(DataClass)),))
    assert view(SCHOOL, EXAM, school) is View.NONE


@pytest.mark.parametrize("data_class", list(DataClass), ids=lambda one: one.value)
def test_R30_a_school_hears_only_what_is_on_its_list(data_class: DataClass) -> None:
    """Plan, consent, report and emergency together open nothing else to a school; free text is refused."""
    root = provision(label=["HIV", "PSY", "STD", "SDV", "ETH"])
    facts = child(
        plans=(plan("education"),),
        consents=(given(root), given(root, by=CHILD), given(provision(), name="wide")),
        reports=(report("education"),),
        emergencies=(emergency("education"),),
        treating=(treating("education"),),
        referrals=(referral("education", "health"),),
        authorities=(override(agency="education", data_classes=frozenset(DataClass)),),
    )
    allowed = {
        DataClass.DEMOGRAPHICS, DataClass.SAFETY_PLAN, DataClass.SUPPORT_NEED, DataClass.COURT_ORDERS,
        DataClass.REFERRAL,
    }  # fmt: skip
    for event in (Event.REPORT, Event.SCHOOL_SUPPORT):
        seen = view(SCHOOL, data_class, facts, event=event, referral="referral-1")
        assert (seen is not View.NONE) == (data_class in allowed)


@pytest.mark.parametrize("label", ["HIV", "STD", "PSY", "SDV", "ETH"])
def test_R30_a_sensitive_label_closes_even_what_a_school_may_hear(label: str) -> None:
    """A support need that carries a sensitive label stays."""
    facts = child(plans=(plan("education"),))
    assert view(SCHOOL, item(DataClass.SUPPORT_NEED, label), facts) is View.NONE
    assert view(SCHOOL, DataClass.SUPPORT_NEED, facts) is View.FULL


def test_R31_the_shelters_address_has_named_readers() -> None:
    """Owner and shelter read it by name; others of the sector learn only that she is sheltered."""
    place = item(DataClass.SHELTER_LOCATION, type="Location")
    facts = child(plans=(plan("social"),), team=(member("social", "shelter", officer="w-1"),))
    assert view(agency(SOCIAL, officer="w-1"), place, facts) is View.FULL
    assert view(agency(SOCIAL, officer="w-2"), place, facts) is View.FLAG
    assert view(SOCIAL, place, facts) is View.FLAG
    assert view(SCHOOL, place, child(plans=(plan("education"),))) is View.NONE


@pytest.mark.parametrize("sector", list(Sector))
def test_R31_an_order_names_the_reader_of_a_shelters_address(sector: Sector) -> None:
    """An order for any sector tells the address to the officer that it names, as a summary; to nobody unnamed."""
    place = item(DataClass.SHELTER_LOCATION, type="Location")
    unnamed = child(orders=(order(line(DataClass.SHELTER_LOCATION, sector.value)),))
    assert view(sector, place, unnamed) is View.NONE
    assert view(agency(sector, officer="officer-7"), place, unnamed) is View.NONE
    named = child(orders=(order(line(DataClass.SHELTER_LOCATION, sector.value, officer="officer-7")),))
    assert view(sector, place, named) is View.NONE
    assert view(agency(sector, officer="officer-8"), place, named) is View.NONE
    assert view(agency(sector, officer="officer-7"), place, named) is View.SUMMARY


@pytest.mark.parametrize("sector", list(Sector))
def test_R22_conditions_of_a_class_hold_for_every_order(sector: Sector) -> None:
    """Who reported, and photographs, go sealed to the officer named; sexual health where the order names the test."""
    for data_class in (DataClass.REPORTER_IDENTITY, DataClass.PHOTOGRAPHS):
        never = data_class is DataClass.PHOTOGRAPHS and sector in (SCHOOL, Sector.HOTLINE)
        facts = child(orders=(order(line(data_class, sector.value)),))
        assert view(agency(sector, officer="officer-7"), data_class, facts) is View.NONE
        facts = child(orders=(order(line(data_class, sector.value, officer="officer-7")),))
        decision = decide(ask(agency(sector, officer="officer-7"), item(data_class)), facts)
        assert decision.leaves is not never
        assert never or ("sealed", "officer-7") in {(one.kind.value, one.detail) for one in decision.obligations}
    test = item(DataClass.SEXUAL_HEALTH, codes=(CODE,))
    for codes, expected in (((), View.NONE), ((CODE,), View.FULL)):
        facts = child(orders=(order(line(DataClass.SEXUAL_HEALTH, sector.value, codes=codes)),))
        assert view(sector, test, facts) is expected


def test_R31_no_way_by_order_lacks_its_reader() -> None:
    """Whatever the matrix and the law open by order of these classes, a named officer reads it."""
    for data_class in (DataClass.SHELTER_LOCATION, DataClass.REPORTER_IDENTITY, DataClass.PHOTOGRAPHS):
        for sector in Sector:
            for way in policy().at(AT).ways_by(data_class, sector, Basis.ORDER):
                assert {"named-officer", "sealed"} & set(way.needs), (data_class, sector)


def test_R31_the_taint_goes_with_every_derived_value() -> None:
    """An appointment that tells the address goes no further than the address does."""
    facts = child(plans=(plan("social"),), referrals=(referral("health", "social"),))
    asked = {"referral": "referral-1"}
    tainted = item(DataClass.REFERRAL, "shelter-location", type="Encounter")
    assert view(SOCIAL, item(DataClass.REFERRAL), facts, **asked) is View.FULL
    assert view(SOCIAL, tainted, facts, **asked) is View.FLAG
    hospital = child(plans=(plan("health"),), referrals=(referral("social", "health"),))
    assert view(HEALTH, replace(tainted, type="Task"), hospital, **asked) is View.NONE


def test_R32_facts_that_change_while_it_waits_change_the_answer() -> None:
    """Nothing of an earlier decision is remembered: the same question is answered by the facts of the moment."""
    facts = child(treating=(treating(),))
    asked = ask(HEALTH, item(EXAM))
    assert decide(asked, facts).leaves
    assert not decide(asked, replace(facts, treating=())).leaves
    assert decide(asked, facts).leaves


def test_R33_an_uncertain_match_holds_everything_clinical() -> None:
    """While nobody resolved whose record it is, not even an order opens it; the mandatory report still goes."""
    facts = child(
        match_certain=False, treating=(treating(),), orders=(order(line(EXAM)), ), reports=(report("police"),),
    )  # fmt: skip
    decision = decide(ask(HEALTH, item(EXAM)), facts)
    assert not decision.leaves
    assert [task.kind for task in decision.tasks] == ["resolve-match"]
    assert view(POLICE, EXAM, facts) is View.NONE
    assert left(decide(ask(POLICE, *EVERYTHING, **REPORT), facts)).keys() == {
        "demographics", "allegation", "alleged-perpetrator",
    }  # fmt: skip
    assert view(HEALTH, EXAM, replace(facts, match_certain=True)) is View.FULL


@pytest.mark.parametrize("sector", [Sector.POLICE, Sector.COURT, Sector.EDUCATION, Sector.HOTLINE])
def test_R34_hiv_goes_to_the_restricted_list_only(sector: Sector) -> None:
    """Off the list only an order that names the test opens it."""
    one = item(DataClass.SEXUAL_HEALTH, "HIV", codes=(CODE,))
    named = provision(label=["HIV"])
    facts = child(consents=(given(named), given(named, by=CHILD)), reports=(report(sector.value),))
    assert view(sector, one, facts, **REPORT) is View.NONE
    by_order = child(orders=(order(line(DataClass.SEXUAL_HEALTH, sector.value, codes=(CODE,))),))
    assert view(sector, one, by_order) is View.FULL
    assert view(sector, one, child(orders=(order(line(DataClass.SEXUAL_HEALTH, sector.value)),))) is View.NONE


@pytest.mark.parametrize(("years", "days", "alone"), [(15, 1, False), (15, 0, False), (16, 0, True), (6, 0, False)])
def test_R34_under_fifteen_a_guardian_consents_in_writing(years: int, days: int, alone: bool) -> None:
    """An HIV result needs the guardian's evidenced consent below fifteen, and by R4 below sixteen."""
    root = provision(to=SOCIAL, classes=[DataClass.SEXUAL_HEALTH], label=["HIV"])
    facts = child(
        born(years, days), consents=(given(root, by=CHILD),), team=(member("social", "clinician", officer="nurse"),)
    )
    nurse = agency(SOCIAL, officer="nurse")
    one = item(DataClass.SEXUAL_HEALTH, "HIV")
    assert (view(nurse, one, facts) is View.FULL) == alone
    unwritten = replace(facts, consents=(*facts.consents, given(root, evidence="")))
    assert (view(nurse, one, unwritten) is View.FULL) == alone
    assert view(nurse, one, replace(facts, consents=(*facts.consents, given(root)))) is View.FULL


def test_R35_the_authority_stops_it() -> None:
    """A stop closes duty, treatment and consent for whom and what it names; a mandatory report still goes."""
    stop = Authority(ref=ref("stop"), kind="stop", span=SINCE)
    facts = child(treating=(treating(),), reports=(report("police"),), authorities=(stop,))
    assert why(HEALTH, EXAM, facts) == "R35-stopped"
    assert view(POLICE, ALLEGATION, facts, **REPORT) is View.FULL
    narrowed = replace(facts, authorities=(replace(stop, agency="police"),))
    assert view(HEALTH, EXAM, narrowed) is View.FULL
    ended = replace(facts, authorities=(replace(stop, span=Span(end=AT)),))
    assert view(HEALTH, EXAM, ended) is View.FULL


def test_R35_the_boundary_is_the_stops_period_and_classes() -> None:
    """Until the stop begins, after it ends and beside its classes treatment goes on."""
    for span, expected in (
        (Span(AT), View.NONE),
        (Span(AT + timedelta(seconds=1)), View.FULL),
        (Span(end=AT + timedelta(seconds=1)), View.NONE),
    ):
        stop = Authority(ref=ref("stop"), kind="stop", span=span)
        facts = child(treating=(treating(),), authorities=(stop,))
        assert view(HEALTH, EXAM, facts) is expected
        narrow = replace(stop, data_classes=frozenset({FORENSIC}))
        assert view(HEALTH, EXAM, replace(facts, authorities=(narrow,))) is View.FULL


def test_R36_a_lawful_purpose_does_not_carry_a_statistical_one() -> None:
    """Asked for care and for operations together, the plan covers neither; the small cells are the hub's."""
    facts = child(plans=(plan("social"),))
    asked = {"purposes": frozenset({Purpose.CAREMGT, Purpose.HOPERAT})}
    assert view(SOCIAL, EXAM, facts) is View.SUMMARY
    assert view(SOCIAL, EXAM, facts, **asked) is View.NONE


def test_R36_statistics_take_no_legal_basis_along() -> None:
    """Payment and operations are purposes that neither plan, treatment nor order covers; only a consent may."""
    asked = {"purposes": frozenset({Purpose.HOPERAT})}
    facts = child(treating=(treating(),), plans=(plan("health"),), orders=(order(line(EXAM, "health")),))
    assert view(HEALTH, EXAM, facts) is View.FULL
    assert view(HEALTH, EXAM, facts, **asked) is View.NONE
    assert view(HEALTH, EXAM, facts, action=Action.CORRECT) is View.NONE
    root = provision(to=SOCIAL, purpose=["HOPERAT"], classes=[EXAM])
    assert view(SOCIAL, EXAM, child(consents=(given(root), given(root, by=CHILD))), **asked) is View.SUMMARY


def test_R37_a_successor_is_decided_by_its_own_names() -> None:
    """Facts name agencies; a successor gets what is recorded for it, and the old name gets nothing any more."""
    successor = replace(agency(HEALTH), id="health-2")
    facts = child(treating=(treating("health-2"),))
    assert view(successor, EXAM, facts) is View.FULL
    assert view(HEALTH, EXAM, facts) is View.NONE


def test_R37_the_boundary_is_the_day_of_handing_over() -> None:
    """The old unit's work ends in the moment in which the successor's begins; acknowledging anew is the hub's."""
    handed = AT + timedelta(days=1)
    old, new = treating(span=Span(end=handed)), treating("health-2", span=Span(handed))
    successor = replace(agency(HEALTH), id="health-2", references=(), identifiers=())
    facts = child(treating=(old, new))
    for at, left_to_old in ((handed - timedelta(seconds=1), True), (handed, False)):
        assert (view(HEALTH, EXAM, facts, at) is View.FULL) == left_to_old
        assert (view(successor, EXAM, facts, at) is View.FULL) != left_to_old


def test_R38_a_cleared_parent_is_told_again() -> None:
    """One person's word keeps the father out, the second's lets him in; the list of a meeting is the hub's."""
    asked = {"purposes": frozenset({Purpose.PATRQT})}
    for cleared, expected in (("a",), View.NONE), (("a", "a"), View.NONE), (("a", "b"), View.SUMMARY):
        facts = child(relationships=(father(),), suspicions=(suspect(cleared_by=cleared),))
        assert view(Party(FATHER, person=True), DataClass.DEMOGRAPHICS, facts, **asked) is expected


def test_R38_a_suspect_parent_is_told_nothing_of_the_plan() -> None:
    """A person linked to a suspect gets no account and no plan; an unbarred mother gets her account."""
    asked = {"purposes": frozenset({Purpose.PATRQT})}
    facts = child(relationships=(*child().relationships, father()), suspicions=(suspect(),))
    everything = ask(Party(FATHER, person=True), *EVERYTHING, **asked)
    assert not decide(everything, facts).leaves
    assert decide(everything, facts).redirect == ""
    mother = ask(Party(MOTHER, person=True), *EVERYTHING, **asked)
    assert left(decide(mother, facts)) == {"demographics": "summary"}


def test_R39_a_retry_is_a_new_decision_and_never_wider() -> None:
    """Asked again later, the same disclosure is decided by what holds then."""
    facts = child(treating=(treating(span=Span(end=AT + timedelta(hours=1))),))
    asked = ask(HEALTH, item(EXAM))
    assert decide(asked, facts).leaves
    assert not decide(asked, facts, AT + timedelta(hours=1)).leaves


@pytest.mark.parametrize("sector", list(Sector))
def test_R40_a_unit_with_a_suspect_on_its_staff_is_bypassed(sector: Sector) -> None:
    """A teacher, an officer, a commune official: the unit gets nothing, not even a report, and the alternate does."""
    staff = Relationship(ref("relationship", "staff"), FATHER, Tie.STAFF, sector.value)
    facts = child(relationships=(staff,), suspicions=(suspect(),), reports=(report(sector.value, "alternate"),))
    decision = decide(ask(sector, *EVERYTHING, **REPORT), facts)
    assert (decision.outcome, decision.redirect) == (Outcome.DENY, "alternate")
    assert not left(decision)
    other = replace(agency(sector), id="alternate", references=(), alternate_for=(sector.value,))
    if sector in (Sector.POLICE, Sector.SOCIAL, Sector.HOTLINE):
        assert decide(ask(other, *EVERYTHING, **REPORT), facts).leaves
    cleared = replace(facts, suspicions=(suspect(cleared_by=("a", "b")),), treating=(treating(sector.value),))
    assert decide(ask(sector, *EVERYTHING), cleared).redirect == ""


@pytest.mark.parametrize(
    ("sector", "unit"), [(SCHOOL, "school"), (POLICE, "ward-police"), (SOCIAL, "commune")], ids=str
)
def test_R40_teacher_officer_or_commune_official(sector: Sector, unit: str) -> None:
    """Whoever the suspect is, the unit is passed by while the suspect is on its staff, and no longer."""
    party = agency(sector, unit=unit)
    for span, redirect in (
        (Span(end=AT), ""),
        (Span(end=AT + timedelta(seconds=1)), "alternate"),
        (Span(AT), "alternate"),
        (Span(AT + timedelta(seconds=1)), ""),
    ):
        staff = Relationship(ref("relationship", "staff"), "colleague", Tie.STAFF, sector.value, span=span)
        facts = child(relationships=(staff,), suspicions=(suspect("colleague"),), plans=(plan(sector.value),))
        decision = decide(ask(party, item(DataClass.DEMOGRAPHICS)), facts)
        assert decision.redirect == redirect
        by_plan = sector is not POLICE
        assert decision.leaves == (by_plan and not redirect)


def test_R40_the_alternate_of_a_linked_party_follows_the_referral() -> None:
    """Spoken to instead of the unit that asked, it hears the status of that unit's referral, and of no other."""
    staff = Relationship(ref("relationship", "staff"), FATHER, Tie.STAFF, "social")
    facts = child(
        relationships=(staff,), suspicions=(suspect(),), referrals=(referral("social", "health"),),
        plans=(plan("social-2"),),
    )  # fmt: skip
    other = replace(agency(SOCIAL), id="social-2", references=(), alternate_for=("social",))
    status = item(DataClass.REFERRAL, type="Task")
    asked = {"event": Event.REFERRAL_STATUS}
    assert view(other, status, facts, referral="referral-1", **asked) is View.FULL
    assert view(replace(other, alternate_for=()), status, facts, referral="referral-1", **asked) is View.NONE
    assert view(other, status, facts, referral="another", **asked) is View.NONE
    assert view(SOCIAL, status, facts, referral="referral-1", **asked) is View.NONE


def test_R40_a_recall_to_a_linked_unit_goes_to_its_alternate_too() -> None:
    """Even a message without data does not tell a linked unit that there is a case."""
    staff = Relationship(ref("relationship", "staff"), FATHER, Tie.STAFF, "education")
    facts = child(relationships=(staff,), suspicions=(suspect(),))
    assert decide(ask(SCHOOL, event=Event.RECALL), facts).redirect == "alternate"
    assert decide(ask(SCHOOL, event=Event.RECALL), child()).leaves


def test_R40_a_named_officer_who_is_the_suspect_links_the_recipient() -> None:
    """Whoever would read it is looked at too."""
    facts = child(suspicions=(suspect("officer-7"),), orders=(order(line(FORENSIC)),))
    assert decide(ask(agency(POLICE, officer="officer-7"), item(FORENSIC)), facts).redirect == "alternate"
    assert view(POLICE, FORENSIC, facts) is View.FULL


@pytest.mark.parametrize("tie", [Tie.KIN, Tie.HOUSEHOLD, Tie.ASSOCIATE])
def test_R40_a_named_officer_who_is_linked_to_the_suspect_reads_nothing(tie: Tie) -> None:
    """An officer who is kin of the suspect, lives with them or is their associate is linked as a person: neither plan,
    order, danger nor report tells them where the child is, who reported, or anything; the unit itself is not linked."""
    shelter, reporter = item(DataClass.SHELTER_LOCATION, type="Location"), item(DataClass.REPORTER_IDENTITY)
    for one, other in (("officer-7", FATHER), (FATHER, "officer-7")):
        facts = child(
            relationships=(Relationship(ref("relationship", "officer"), one, tie, other),), suspicions=(suspect(),),
            plans=(plan("social"),),
            team=(member("social", "shelter", officer="officer-7"), member("police", "lead", officer="officer-7")),
            orders=(order(line(DataClass.SHELTER_LOCATION, officer="officer-7")),),
            emergencies=(emergency("police", officer="officer-7"),), reports=(report("police"),),
        )  # fmt: skip
        for sector in (SOCIAL, POLICE):
            read = decide(ask(agency(sector, officer="officer-7"), shelter, reporter, *EVERYTHING, **REPORT), facts)
            assert not read.leaves
            assert read.redirect == "alternate"
        assert decide(ask(POLICE, *EVERYTHING, **REPORT), facts).leaves
        cleared = replace(facts, suspicions=())
        for party, about in (
            (agency(SOCIAL, officer="officer-7"), shelter),
            (agency(POLICE, officer="officer-7"), reporter),
        ):
            assert view(party, about, cleared, **REPORT) is View.FULL


def test_R40_an_order_for_a_linked_unit_raises_an_alarm() -> None:
    """An order that would tell a linked unit the shelter's address parks with an alarm."""
    staff = Relationship(ref("relationship", "staff"), FATHER, Tie.STAFF, "police")
    facts = child(relationships=(staff,), suspicions=(suspect(),), orders=(order(line(DataClass.SHELTER_LOCATION)),))
    decision = decide(ask(POLICE, item(DataClass.SHELTER_LOCATION)), facts)
    assert not decision.leaves
    assert decision.alarms == ("order-opens-absolute-never",)


def test_R41_who_may_ask_for_an_account() -> None:
    """The child from seven, an unbarred guardian below sixteen; nobody for another purpose; no one linked."""
    asked = {"purposes": frozenset({Purpose.PATRQT})}
    one = DataClass.DEMOGRAPHICS
    assert view(Party(CHILD, person=True), one, child(), **asked) is View.SUMMARY
    assert view(Party(CHILD, person=True), one, child(born(6)), **asked) is View.NONE
    assert view(Party(MOTHER, person=True), one, child(), **asked) is View.SUMMARY
    assert view(Party(MOTHER, person=True), one, child()) is View.NONE
    assert view(Party("stranger", person=True), one, child(), **asked) is View.NONE
    barred = child(no_contacts=(no_contact(MOTHER),))
    assert view(Party(MOTHER, person=True), one, barred, **asked) is View.NONE


def test_R41_the_boundaries_are_birthdays_where_the_child_lives() -> None:
    """The child asks from seven on; at sixteen the mother no longer may; each from local midnight."""
    asked = {"purposes": frozenset({Purpose.PATRQT})}
    midnight = datetime(2026, 6, 15, 17, tzinfo=UTC)
    for years, who, before in ((7, CHILD, View.NONE), (16, MOTHER, View.SUMMARY)):
        facts = child(date(2026 - years, 6, 16))
        after = View.SUMMARY if before is View.NONE else View.NONE
        party = Party(who, person=True)
        assert view(party, DataClass.DEMOGRAPHICS, facts, midnight - timedelta(seconds=1), **asked) is before
        assert view(party, DataClass.DEMOGRAPHICS, facts, midnight, **asked) is after
        assert view(party, DataClass.DEMOGRAPHICS, replace(facts, zone="UTC"), midnight, **asked) is before


def test_every_rule_has_a_test() -> None:
    """Each of the 41 rules is named by at least one test of these files."""
    from tests.consent import test_rules_consent

    named = {name[5:8] for name in (*vars(test_rules_consent), *globals()) if name.startswith("test_R")}
    assert named == {f"R{number:02}" for number in range(1, 42)}


def test_an_error_inside_is_a_denial_with_a_task() -> None:
    """Whatever goes wrong, the engine answers: no, and look at it."""
    for broken_facts, at in ((child(zone="Nowhere/Nowhere"), AT), (child(), AT.replace(tzinfo=None))):
        decision = consent.decide(ask(HEALTH, item(EXAM)), broken_facts, policy(), at)
        assert decision.outcome is Outcome.DENY
        assert decision.reasons[0].code == "internal-error"
        assert [task.kind for task in decision.tasks] == ["internal-error"]
    early = decide(ask(HEALTH, item(EXAM)), child(treating=(treating(span=Span()),)), datetime(2020, 1, 1, tzinfo=UTC))
    assert early.reasons[0].code == "internal-error"


def test_a_decision_says_what_it_read_and_by_which_policy() -> None:
    """Reasons carry rule, citation and policy version; the facts read are listed; equal inputs hash equally."""
    facts = child(treating=(treating(),))
    decision = decide(ask(HEALTH, item(EXAM)), facts)
    reason = decision.verdicts[0].reasons[0]
    assert reason.rule == "matrix:health/medical-exam"
    assert reason.citation
    assert reason.policy_version == decision.policy_version == policy().version
    assert ref("treating") in decision.read
    assert decision.verdicts[0].basis is Basis.TREATMENT
    assert decision == decide(ask(HEALTH, item(EXAM)), facts)
    assert decision.input_hash != decide(ask(HEALTH, item(EXAM)), replace(facts, epoch=1)).input_hash
