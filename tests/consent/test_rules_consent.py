"""Rules R1 to R17: who must agree, whose agreement counts, and when it ends. Permit, deny and boundary for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consent.model import AgreedBy, ConsentFact, Facts, ObligationKind, Outcome, Relationship, Span, Tie
from consent.vocabulary import Basis, DataClass, Event, Purpose, Sector, View
from tests.consent.world import (
    AT,
    AUNT,
    CHILD,
    FATHER,
    MOTHER,
    agency,
    ask,
    child,
    decide,
    father,
    given,
    item,
    line,
    no_contact,
    order,
    plan,
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

EXAM = DataClass.MEDICAL_EXAM
SHELTER = Sector.SOCIAL
TO_SHELTER = provision(to=SHELTER, purpose=["CAREMGT"], classes=[EXAM, DataClass.MENTAL_HEALTH])
HOME = ZoneInfo("Asia/Ho_Chi_Minh")


def aged(years: int, days: int = 0) -> date:
    """A birth date with which the child is `years` and `days` old at AT."""
    return date(AT.year - years, AT.month, AT.day) - timedelta(days=days)


def rep(by: str = MOTHER, **changes: object) -> ConsentFact:
    return given(TO_SHELTER, by=by, **changes)


def own(**changes: object) -> ConsentFact:
    return given(TO_SHELTER, by=CHILD, **changes)


def both(**changes: object) -> Facts:
    return child(consents=(rep(), own()), **changes)


def test_R01_no_basis_denies_every_class_to_everyone() -> None:
    """Without a recorded basis nothing leaves, and the reason is the same whatever the class."""
    for sector in Sector:
        decision = decide(ask(sector, *(item(one) for one in DataClass)), child())
        assert not decision.leaves
    assert why(SHELTER, EXAM, child()) == "R1-no-basis"


def test_R01_a_proven_basis_permits() -> None:
    """With a plan that names the shelter the same item leaves."""
    assert view(SHELTER, EXAM, child(plans=(plan("social"),))) is View.SUMMARY


def test_R01_an_unlabelled_item_leaves_on_no_ground() -> None:
    """An item without a data class stays, whatever is proven."""
    facts = both(plans=(plan("social"),), orders=(order(line(None, "social")),))
    assert why(SHELTER, item(None), facts) == "R1-unlabelled"


def test_R01_answers_as_if_the_case_did_not_exist() -> None:
    """A refused agency gets the same decision whether or not the child has records about other agencies."""
    empty = decide(ask(Sector.POLICE, item(EXAM)), child())
    full = decide(ask(Sector.POLICE, item(EXAM)), both(treating=(treating(),)))
    assert (empty.outcome, empty.verdicts) == (full.outcome, full.verdicts)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, View.SUMMARY),
        ({"purposes": frozenset({Purpose.HPAYMT})}, View.NONE),
        ({"purposes": frozenset({Purpose.CAREMGT, Purpose.HPAYMT})}, View.NONE),
        ({"purposes": frozenset()}, View.NONE),
    ],
)
def test_R02_every_purpose_must_be_covered(change: dict[str, object], expected: View) -> None:
    """A consent for one purpose permits that purpose; an uncovered or unstated one beside it denies."""
    assert view(SHELTER, EXAM, both(), **change) is expected


def test_R02_another_recipient_or_class_is_not_covered() -> None:
    """What the consent names is permitted; another class in the same message is denied, and only that one."""
    decision = decide(ask(SHELTER, item(EXAM), item(DataClass.SEXUAL_HEALTH)), both())
    assert [verdict.view for verdict in decision.verdicts] == [View.SUMMARY, View.NONE]
    assert view(Sector.EDUCATION, DataClass.SUPPORT_NEED, both()) is View.NONE


def test_R02_an_action_that_is_not_covered_denies() -> None:
    """A consent to collect is no consent to disclose."""
    code = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "collect"}]}
    facts = child(consents=tuple(given(TO_SHELTER | {"action": [code]}, by=by) for by in (MOTHER, CHILD)))
    assert view(SHELTER, EXAM, facts) is View.NONE


def test_R03_under_seven_the_representative_consents_alone() -> None:
    """At six a mother's consent permits, and the child's no is recorded but does not stop it."""
    facts = child(aged(6), consents=(rep(),))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    dissent = given(provision("deny", to=SHELTER), by=CHILD)
    assert view(SHELTER, EXAM, replace(facts, consents=(rep(), dissent), refusals=(refusal(),))) is View.SUMMARY


def test_R03_under_seven_nobody_else_consents() -> None:
    """At six the child's own consent opens nothing, nor an aunt's who is no guardian."""
    assert view(SHELTER, EXAM, child(aged(6), consents=(own(), rep(AUNT)))) is View.NONE


def test_R03_the_boundary_is_the_seventh_birthday() -> None:
    """Six years and the last day before the birthday: the mother alone; on the birthday: the child too."""
    eve = date(AT.year - 7, AT.month, AT.day) + timedelta(days=1)
    assert view(SHELTER, EXAM, child(eve, consents=(rep(),))) is View.SUMMARY
    assert why(SHELTER, EXAM, child(aged(7), consents=(rep(),))) == "R4-child-missing"


def test_R04_from_seven_to_fifteen_both_consent() -> None:
    """Child and representative permit; without either, or when one refuses, nothing leaves."""
    assert view(SHELTER, EXAM, both()) is View.SUMMARY
    assert why(SHELTER, EXAM, child(consents=(rep(),))) == "R4-child-missing"
    assert why(SHELTER, EXAM, child(consents=(own(),))) == "R4-representative-missing"
    assert view(SHELTER, EXAM, both(refusals=(refusal(MOTHER),))) is View.NONE


def test_R04_a_consent_given_before_seven_is_not_the_childs() -> None:
    """What the child said at six is no consent at seven."""
    early = own(given_at=datetime(2026, 1, 10, tzinfo=UTC))
    born = date(2019, 2, 1)
    assert why(SHELTER, EXAM, child(born, consents=(rep(), early))) == "R4-too-young-when-given"
    assert view(SHELTER, EXAM, child(born, consents=(rep(), own()))) is View.SUMMARY


def test_R05_at_sixteen_and_seventeen_the_minor_consents_alone() -> None:
    """The minor's own consent permits; a parent's opens nothing and a parent's no stops nothing."""
    assert view(SHELTER, EXAM, child(aged(16), consents=(own(),))) is View.SUMMARY
    assert view(SHELTER, EXAM, child(aged(17), consents=(rep(),))) is View.NONE
    against = given(provision("deny", to=SHELTER))
    assert view(SHELTER, EXAM, child(aged(17), consents=(own(), against), refusals=(refusal(MOTHER),))) is View.SUMMARY


def test_R05_the_boundary_is_the_sixteenth_birthday() -> None:
    """The day before, the mother is still needed."""
    eve = date(AT.year - 16, AT.month, AT.day) + timedelta(days=1)
    assert why(SHELTER, EXAM, child(eve, consents=(own(),))) == "R4-representative-missing"


def test_R05_the_representative_is_told_only_if_the_minor_agrees() -> None:
    """At sixteen a mother's account opens when the minor consented to it, and stays shut otherwise."""
    asked = {"purposes": frozenset({Purpose.PATRQT})}
    mother = replace(
        agency(Sector.SOCIAL), id=MOTHER, sector=None, person=True, identifiers=(), references=("RelatedPerson/m",)
    )
    to_mother = provision(actor=[{"reference": {"reference": "RelatedPerson/m"}}], purpose=["PATRQT"])
    assert view(mother, DataClass.DEMOGRAPHICS, child(aged(16)), **asked) is View.NONE
    agreed = child(aged(16), consents=(given(to_mother, by=CHILD),))
    assert view(mother, DataClass.DEMOGRAPHICS, agreed, **asked) is View.SUMMARY
    assert view(mother, DataClass.DEMOGRAPHICS, child(aged(15)), **asked) is View.SUMMARY


def test_R06_at_eighteen_a_representatives_consent_ends() -> None:
    """On the eighteenth birthday the mother's consent counts no more, and the grown child's own does."""
    assert view(SHELTER, EXAM, child(aged(18), consents=(rep(),))) is View.NONE
    assert view(SHELTER, EXAM, child(aged(18), consents=(own(),))) is View.SUMMARY


@pytest.mark.parametrize("years", [7, 16, 18])
def test_R06_a_birthday_falls_at_midnight_where_the_child_lives(years: int) -> None:
    """The same facts are decided otherwise a second before and after local midnight, whatever the zone of the clock."""
    facts = child(date(2026 - years, 6, 16), consents=(rep(), own()))
    midnight = datetime(2026, 6, 16, tzinfo=HOME)
    before, after = midnight - timedelta(seconds=1), midnight
    bands = [decide(ask(SHELTER, item(EXAM)), replace(facts, consents=(one,)), moment).leaves
             for one in (rep(), own()) for moment in (before, after)]  # fmt: skip
    expected = {7: [True, False, False, False], 16: [False, False, False, True], 18: [False, False, True, True]}
    assert bands == expected[years]
    elsewhere = replace(facts, zone="America/New_York", consents=(own(),))
    assert decide(ask(SHELTER, item(EXAM)), elsewhere, after).leaves == (years == 18)


def test_R06_a_leap_day_child_turns_sixteen_on_the_first_of_march() -> None:
    """Born on 29 February, the sixteenth year ends with 28 February of a common year."""
    facts = child(date(2012, 2, 29), consents=(own(given_at=datetime(2028, 1, 5, tzinfo=UTC)),))
    leap = datetime(2028, 2, 29, tzinfo=HOME)
    assert not decide(ask(SHELTER, item(EXAM)), facts, leap - timedelta(seconds=1)).leaves
    assert decide(ask(SHELTER, item(EXAM)), facts, leap).leaves
    common = replace(facts, birth_date=date(2008, 2, 29), consents=(own(given_at=datetime(2026, 1, 5, tzinfo=UTC)),))
    eighteen = replace(common, consents=(rep(given_at=datetime(2026, 1, 5, tzinfo=UTC)),))
    assert not decide(ask(SHELTER, item(EXAM)), eighteen, datetime(2026, 3, 1, tzinfo=HOME)).leaves


def test_R07_an_unknown_age_asks_for_both_and_keeps_child_protection() -> None:
    """With no birth date both must consent, and a mandatory report still goes as for a child under sixteen."""
    assert view(SHELTER, EXAM, both(born=None)) is View.SUMMARY
    assert view(SHELTER, EXAM, child(None, consents=(rep(),))) is View.NONE
    assert view(SHELTER, EXAM, child(None, consents=(own(),))) is View.NONE
    facts = child(None, reports=(report("police"),))
    assert view(Sector.POLICE, DataClass.ALLEGATION, facts, event=Event.REPORT) is View.FULL


def test_R07_a_birth_date_in_the_future_is_unknown() -> None:
    """A child who is not born yet has no age."""
    assert view(SHELTER, EXAM, child(date(2027, 1, 1), consents=(rep(),))) is View.NONE


MOTHER_TIE = Relationship(ref("relationship", "mother"), MOTHER, Tie.GUARDIAN, CHILD, "MTH")


@pytest.mark.parametrize(
    "bar",
    [
        {"suspicions": (suspect(MOTHER),)},
        {
            "suspicions": (suspect(FATHER),),
            "relationships": (MOTHER_TIE, Relationship(ref("relationship", "home"), MOTHER, Tie.HOUSEHOLD, FATHER)),
        },
        {
            "suspicions": (suspect(FATHER),),
            "relationships": (
                MOTHER_TIE,
                Relationship(ref("relationship", "h1"), FATHER, Tie.HOUSEHOLD, CHILD),
                Relationship(ref("relationship", "h2"), MOTHER, Tie.HOUSEHOLD, CHILD),
            ),
        },
        {"no_contacts": (no_contact(MOTHER),)},
        {"no_contacts": (no_contact(MOTHER, bars_representation=True),)},
        {"relationships": (replace(MOTHER_TIE, may_consent=False),)},
    ],
    ids=["suspect", "lives with one", "shares the home", "no contact", "may not represent", "limited guardianship"],
)
def test_R08_a_barred_guardians_acts_count_for_nothing(bar: dict[str, object]) -> None:
    """Consent and refusal of a barred guardian are ignored, and another representative is sought."""
    barred = replace(both(), **bar)
    decision = decide(ask(SHELTER, item(EXAM)), barred)
    assert not decision.leaves
    assert "seek-representative" in {task.kind for task in decision.tasks}
    duty = replace(barred, consents=(), refusals=(refusal(MOTHER),), plans=(plan("social"),))
    assert view(SHELTER, EXAM, duty) is View.SUMMARY


def test_R08_a_linked_guardian_who_is_not_barred_counts() -> None:
    """A mother who is merely kin of the suspect may consent; once the suspicion is cleared by two, everyone may."""
    kin = Relationship(ref("relationship", "kin"), MOTHER, Tie.KIN, FATHER)
    facts = both(suspicions=(suspect(),), relationships=(MOTHER_TIE, kin))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    alone = both(suspicions=(suspect(MOTHER, cleared_by=("admin-2", "admin-2")),))
    assert view(SHELTER, EXAM, alone) is View.NONE
    cleared = both(suspicions=(suspect(MOTHER, cleared_by=("admin-2", "admin-3")),))
    assert view(SHELTER, EXAM, cleared) is View.SUMMARY


def test_R08_a_bar_ends_with_its_period() -> None:
    """Before and after a no-contact decision the mother's consent counts."""
    bounded = no_contact(MOTHER, span=Span(datetime(2026, 1, 1, tzinfo=UTC), AT))
    assert view(SHELTER, EXAM, both(no_contacts=(bounded,))) is View.SUMMARY
    later = replace(bounded, span=Span(datetime(2026, 1, 1, tzinfo=UTC), AT + timedelta(seconds=1)))
    assert view(SHELTER, EXAM, both(no_contacts=(later,))) is View.NONE


def test_R08_a_barred_persons_withdrawal_has_no_effect_and_raises_an_alarm() -> None:
    """A suspect father who withdraws the mother's consent changes nothing but sets off an alarm."""
    facts = both(suspicions=(suspect(),), relationships=(MOTHER_TIE, father()))
    tried = replace(facts, consents=(rep(withdrawn_at=AT, withdrawn_by=FATHER), own()))
    decision = decide(ask(SHELTER, item(EXAM)), tried)
    assert decision.leaves
    assert decision.alarms == ("barred-withdrawal",)
    allowed = replace(tried, consents=(rep(withdrawn_at=AT, withdrawn_by=MOTHER), own()))
    assert not decide(ask(SHELTER, item(EXAM)), allowed).leaves


def test_R09_one_parent_consents_and_the_other_is_the_suspect() -> None:
    """The suspect's no is not heard."""
    facts = both(suspicions=(suspect(),), relationships=(MOTHER_TIE, father()))
    against = given(provision("deny", to=SHELTER), by=FATHER)
    facts = replace(facts, consents=(*facts.consents, against), refusals=(refusal(FATHER),))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    assert view(SHELTER, EXAM, replace(facts, suspicions=())) is View.NONE


def test_R09_the_boundary_is_the_moment_of_the_suspicion() -> None:
    """Until somebody set him a suspect the father is heard; from that moment on he is not."""
    against = given(provision("deny", to=SHELTER), by=FATHER)
    facts = both(relationships=(MOTHER_TIE, father()))
    facts = replace(facts, consents=(*facts.consents, against))
    for start, expected in ((AT, View.SUMMARY), (AT + timedelta(seconds=1), View.NONE)):
        assert view(SHELTER, EXAM, replace(facts, suspicions=(suspect(span=Span(start)),))) is expected


@pytest.mark.parametrize("by_refusal", [True, False])
def test_R10_two_parents_disagree(by_refusal: bool) -> None:
    """Neither is a suspect: deny, and a person looks at it within 24 hours."""
    facts = both(relationships=(MOTHER_TIE, father()))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    if by_refusal:
        facts = replace(facts, refusals=(refusal(FATHER),))
    else:
        facts = replace(facts, consents=(*facts.consents, given(provision("deny", to=SHELTER), by=FATHER)))
    decision = decide(ask(SHELTER, item(EXAM)), facts)
    assert decision.outcome is Outcome.DENY
    assert [(task.kind, task.due) for task in decision.tasks] == [("parents-disagree", AT + timedelta(hours=24))]


@pytest.mark.parametrize("by_refusal", [True, False])
def test_R11_the_child_dissents(by_refusal: bool) -> None:
    """A child of seven and over says no while the mother says yes: deny, and a social worker is asked."""
    no = {"refusals": (refusal(),)} if by_refusal else {}
    consents = (rep(),) if by_refusal else (rep(), given(provision("deny", to=SHELTER), by=CHILD))
    decision = decide(ask(SHELTER, item(EXAM)), child(consents=consents, **no))
    assert not decision.leaves
    assert "child-dissents" in {task.kind for task in decision.tasks}
    young = child(aged(6, 300), consents=consents, **no)
    assert view(SHELTER, EXAM, young) is View.SUMMARY


def test_R12_without_evidence_it_is_no_consent() -> None:
    """A consent whose paper or recording is not stored permits nothing."""
    assert why(SHELTER, EXAM, child(consents=(rep(evidence=""), own()))) == "R12-no-evidence"
    assert view(SHELTER, EXAM, both()) is View.SUMMARY


def test_R10_at_sixteen_the_parents_dispute_is_not_asked_about() -> None:
    """Two parents who disagree stop a child of fifteen years and 364 days, and not a minor of sixteen."""
    against = given(provision("deny", to=SHELTER), by=FATHER)
    for years, days, expected in ((15, 364, View.NONE), (16, 0, View.SUMMARY)):
        facts = child(aged(years, days), consents=(rep(), own(), against), relationships=(MOTHER_TIE, father()))
        assert view(SHELTER, EXAM, facts) is expected


def test_R11_the_boundary_is_the_seventh_birthday() -> None:
    """The dissent of a child counts from the day on which the child turns seven."""
    eve = aged(7) + timedelta(days=1)
    for born, expected in ((eve, View.SUMMARY), (aged(7), View.NONE)):
        facts = child(born, plans=(plan("social"),), refusals=(refusal(),))
        assert view(SHELTER, EXAM, facts) is expected


def test_R12_silence_is_no_consent() -> None:
    """No consent on record, or one that is still a draft, permits nothing."""
    draft = rep()
    draft = replace(draft, resource={**draft.resource, "status": "proposed"})
    for consents in ((), (draft, own())):
        assert view(SHELTER, EXAM, child(consents=consents)) is View.NONE


def test_R13_a_withdrawal_stops_it_at_that_moment() -> None:
    """Until the instant of withdrawal it permits; from that instant on it does not."""
    facts = child(consents=(rep(withdrawn_at=AT), own()))
    assert view(SHELTER, EXAM, facts, AT - timedelta(microseconds=1)) is View.SUMMARY
    assert why(SHELTER, EXAM, facts) == "R13-withdrawn"


def test_R13_a_reported_withdrawal_suspends_at_once() -> None:
    """While an agency's report of a withdrawal is reviewed, the consent permits nothing."""
    assert why(SHELTER, EXAM, child(consents=(rep(suspended=True), own()))) == "R13-suspended"


def test_R13_withdrawing_a_consent_keeps_its_denials() -> None:
    """Taking a permission back never opens what the same consent closed."""
    mixed = provision(to=SHELTER) | {"provision": [provision("deny", classes=[EXAM])]}
    facts = child(consents=(given(mixed, withdrawn_at=AT),), plans=(plan("social"),))
    assert view(SHELTER, EXAM, facts) is View.NONE
    pure = child(consents=(given(provision("deny", to=SHELTER), withdrawn_at=AT),), plans=(plan("social"),))
    assert view(SHELTER, EXAM, pure) is View.SUMMARY


def test_R14_after_a_withdrawal_order_report_and_vital_interest_remain() -> None:
    """What rests on P or R stays open at its minimum; what rested on the consent is gone."""
    gone = (rep(withdrawn_at=AT), own(withdrawn_at=AT))
    facts = child(consents=gone, orders=(order(line(DataClass.FORENSIC)),), reports=(report("police"),))
    assert view(Sector.POLICE, DataClass.FORENSIC, facts) is View.FULL
    assert view(Sector.POLICE, DataClass.ALLEGATION, facts, event=Event.REPORT) is View.FULL
    assert view(SHELTER, EXAM, facts) is View.NONE


def test_R15_a_consent_without_an_end_lasts_twelve_months() -> None:
    """It permits until the day twelve months later, and not from then on; a stated end replaces the default."""
    facts = child(consents=tuple(given(TO_SHELTER, by=by, given_at=AT - timedelta(days=364)) for by in (MOTHER, CHILD)))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    year_later = AT.replace(year=AT.year + 1)
    old = child(consents=(rep(given_at=AT), own(given_at=AT)))
    assert view(SHELTER, EXAM, old, year_later - timedelta(seconds=1)) is View.SUMMARY
    assert why(SHELTER, EXAM, old, year_later) == "R15-expired"
    stated = TO_SHELTER | {"period": {"end": "2030-01-01"}}
    longer = child(consents=(given(stated, given_at=AT), given(stated, by=CHILD, given_at=AT)))
    assert view(SHELTER, EXAM, longer, year_later) is View.SUMMARY


def test_R15_a_stated_end_is_inclusive_to_its_precision() -> None:
    """A period that ends on a day ends with that day where the child lives."""
    stated = TO_SHELTER | {"period": {"end": "2026-06-15"}}
    facts = child(consents=(given(stated), given(stated, by=CHILD)))
    assert view(SHELTER, EXAM, facts, datetime(2026, 6, 15, 23, 59, 59, tzinfo=HOME)) is View.SUMMARY
    assert view(SHELTER, EXAM, facts, datetime(2026, 6, 16, tzinfo=HOME)) is View.NONE


def test_R15_closing_the_case_ends_every_consent() -> None:
    """From the closure on, consents permit nothing; until then they do."""
    assert why(SHELTER, EXAM, both(case_closed=AT)) == "R15-expired"
    assert view(SHELTER, EXAM, both(case_closed=AT + timedelta(seconds=1))) is View.SUMMARY


def test_R15_a_permit_carries_its_end() -> None:
    """What leaves on consent says until when it may be used: the earliest end of the consents that permit."""
    decision = decide(ask(SHELTER, item(EXAM)), both())
    ends = [one.detail for one in decision.obligations if one.kind is ObligationKind.DELETE_BY]
    assert ends == ["2027-04-15T00:00:00+00:00"]


def test_R16_a_declined_service_stops_its_referral_and_no_report() -> None:
    """The survivor declines counselling: that referral stops, another goes on, and the duty to report is unaffected."""
    base = child(plans=(plan("social"),), reports=(report("police"),), refusals=(refusal(service="psychological"),))
    declined = replace(base, referrals=(referral("health", "social", service="psychological"),))
    assert why(SHELTER, DataClass.REFERRAL, declined, referral="referral-1") == "R16-refused"
    other = replace(base, referrals=(referral("health", "social", service="shelter"),))
    assert view(SHELTER, DataClass.REFERRAL, other, referral="referral-1") is View.FULL
    assert view(Sector.POLICE, DataClass.ALLEGATION, declined, event=Event.REPORT) is View.FULL


def test_R17_an_excluded_recipient_gets_nothing_on_duty_treatment_or_consent() -> None:
    """By refusal or by a denying consent, and below the excluded organisation too; others are unaffected."""
    facts = child(plans=(plan("social"),), treating=(treating(),), refusals=(refusal(recipient="social"),))
    assert why(SHELTER, EXAM, facts) == "R17-refused"
    unit = replace(agency(SHELTER), id="unit-of-social", parents=("social",))
    assert view(unit, EXAM, replace(facts, plans=(plan("unit-of-social"),))) is View.NONE
    assert view(Sector.HEALTH, EXAM, facts) is View.FULL
    denied = both(plans=(plan("social"),))
    denied = replace(denied, consents=(given(provision("deny", to=SHELTER), by=CHILD),))
    assert why(SHELTER, EXAM, denied) == "R17-consent-denies"


def test_R17_an_opt_in_consent_without_an_exception_denies_consent_only() -> None:
    """A base rule of deny closes consent, and leaves what duty opens; a stated denial closes duty as well."""
    base = given({"type": "deny"}, by=CHILD)
    facts = both(plans=(plan("social"),))
    facts = replace(facts, consents=(*facts.consents, base))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    assert decide(ask(SHELTER, item(EXAM)), facts).verdicts[0].basis is Basis.DUTY
    assert view(SHELTER, EXAM, replace(facts, plans=())) is View.NONE


def test_R02_what_an_opt_in_does_not_mention_is_not_covered() -> None:
    """An opt-in consent that leaves a class out excludes nobody: the reason is R2's; one that denies all is R17's."""
    root = {"type": "deny", "provision": [provision("permit", classes=[DataClass.REFERRAL])]}
    facts = child(consents=(given(root), given(root, by=CHILD)))
    (reason,) = decide(ask(SHELTER, item(EXAM)), facts).verdicts[0].reasons
    assert (reason.code, reason.rule) == ("R2-not-covered", "R2")
    assert {ref.kind for ref in reason.read} == {"consent"}
    assert why(SHELTER, EXAM, child(consents=(given({"type": "deny"}), given(root, by=CHILD)))) == "R17-consent-denies"


def test_R10_and_R11_are_named_where_a_refusal_meets_a_permit() -> None:
    """A refusal of one against another's consent is said by its own rule."""
    permit = provision(to=SHELTER, classes=[EXAM])
    two = replace(child(), relationships=(*child().relationships, father()), consents=(given(permit),))
    for by, expected in ((FATHER, "R10-parents-disagree"), (CHILD, "R11-child-dissents")):
        (reason,) = decide(ask(SHELTER, item(EXAM)), replace(two, refusals=(refusal(by),))).verdicts[0].reasons
        assert (reason.code, reason.rule) == (expected, expected.split("-")[0])


@pytest.mark.parametrize("years", [12, 5])
def test_R08_says_that_a_barred_parents_consent_was_set_aside(years: int) -> None:
    """The reason is that the representative does not count, by the consent set aside, and not that none was given."""
    permit = provision(to=SHELTER, classes=[EXAM])
    facts = child(date(2026 - years, 3, 1), consents=(given(permit), given(permit, by=CHILD)))
    barred = replace(facts, no_contacts=(no_contact(MOTHER),))
    (reason,) = decide(ask(SHELTER, item(EXAM)), barred).verdicts[0].reasons
    assert (reason.code, reason.rule) == ("R8-barred", "R8")
    assert {ref.id for ref in reason.read} == {f"by-{MOTHER}"}
    none = replace(barred, consents=facts.consents[1:])
    assert why(SHELTER, EXAM, none) != "R8-barred"
    for other in (provision(to=Sector.COURT, classes=[EXAM]), provision(to=SHELTER, classes=[DataClass.REFERRAL])):
        elsewhere = given(other)
        assert why(SHELTER, EXAM, replace(none, consents=(*none.consents, elsewhere))) != "R8-barred"


def test_R17_two_opt_in_consents_add_up() -> None:
    """Permits of one person add up: what one opt-in does not name is not denied to whom another names."""

    def opt_in(to: Sector) -> tuple[ConsentFact, ...]:
        root = {"type": "deny", "provision": [provision("permit", to=to)]}
        return tuple(given(root, by=by, name=f"{by}-{to.value}") for by in (MOTHER, CHILD))

    shelter, court = opt_in(SHELTER), opt_in(Sector.COURT)
    alone = view(SHELTER, EXAM, child(consents=shelter))
    assert view(SHELTER, EXAM, child(consents=shelter + court)) is alone is not View.NONE
    assert why(SHELTER, EXAM, child(consents=court)) == "R2-not-covered"
    everything = given({"type": "deny"}, by=CHILD, name="nothing-at-all")
    assert view(SHELTER, EXAM, child(consents=(*shelter, *court, everything))) is View.NONE


def test_R14_the_boundary_is_what_the_order_names() -> None:
    """After a withdrawal the order's class still leaves, and the class beside it that rested on consent does not."""
    gone = (rep(withdrawn_at=AT), own(withdrawn_at=AT))
    facts = child(consents=gone, orders=(order(line(EXAM, "social")),))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    assert view(SHELTER, DataClass.MENTAL_HEALTH, facts) is View.NONE
    assert view(SHELTER, DataClass.MENTAL_HEALTH, replace(facts, consents=(rep(), own()))) is View.SUMMARY


def test_R16_the_boundary_is_the_moment_of_the_refusal() -> None:
    """A refusal of a service holds from when it was said, until it is taken back."""
    base = child(plans=(plan("social"),), referrals=(referral("health", "social", service="psychological"),))
    for span, expected in (
        (Span(AT), View.NONE),
        (Span(AT + timedelta(seconds=1)), View.FULL),
        (Span(end=AT), View.FULL),
        (Span(end=AT + timedelta(seconds=1)), View.NONE),
    ):
        facts = replace(base, refusals=(refusal(service="psychological", span=span),))
        assert view(SHELTER, DataClass.REFERRAL, facts, referral="referral-1") is expected


def test_R17_an_alternate_for_an_excluded_unit_is_excluded_too() -> None:
    """Naming another addressee does not get round the exclusion of a unit."""
    facts = child(plans=(plan("social"),), refusals=(refusal(recipient="excluded-unit"),))
    assert view(SHELTER, EXAM, facts) is View.SUMMARY
    assert view(replace(agency(SHELTER), alternate_for=("excluded-unit",)), EXAM, facts) is View.NONE


def test_R04_an_act_of_the_wrong_person_is_not_the_childs() -> None:
    """A consent recorded as the child's but given by somebody else does not count as the child's."""
    facts = child(consents=(rep(), replace(own(), given_by=AUNT, as_=AgreedBy.CHILD)))
    assert why(SHELTER, EXAM, facts) == "R4-child-missing"
