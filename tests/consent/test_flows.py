"""The stories that the hub tells, as decisions: what each agency would be told at each step."""

from __future__ import annotations

from dataclasses import replace

from consent.model import Outcome
from consent.vocabulary import DataClass, Event, Purpose, Sector, View
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    LOINC,
    Code,
    agency,
    ask,
    child,
    decide,
    father,
    given,
    item,
    line,
    order,
    plan,
    provision,
    referral,
    report,
    suspect,
    view,
    why,
)

INJURY, BLOOD, HIV_TEST = Code(LOINC, "injury"), Code(LOINC, "blood"), Code(LOINC, "75622-1")


def test_a_forensic_request_waits_for_the_second_person() -> None:
    """A claimed decision number opens nothing; a verified order tells the hospital what is asked."""
    asked = ask(Sector.HEALTH, item(DataClass.REFERRAL), event=Event.REFERRAL_REQUEST, referral="referral-1")
    claim = order(line(DataClass.FORENSIC), verified_by="")
    facts = child(orders=(claim,), referrals=(referral(order_number="12/QĐ"),))
    assert decide(asked, facts).outcome is not Outcome.PERMIT
    verified = replace(facts, orders=(replace(claim, verified_by="admin-2"),))
    assert decide(asked, verified).verdicts[0].view is View.FULL


def test_the_result_goes_back_as_far_as_the_order_names_it() -> None:
    """Of the result police receive the named items, and no mental health, HIV or free text."""
    order_ = order(line(DataClass.FORENSIC), line(DataClass.MEDICAL_EXAM, codes=(INJURY,)))
    items = (
        item(DataClass.FORENSIC, place="a"),
        item(DataClass.MEDICAL_EXAM, place="b", codes=(INJURY,)),
        item(DataClass.MEDICAL_EXAM, place="c", codes=(BLOOD,)),
        item(DataClass.MENTAL_HEALTH, "PSY", place="d"),
        item(DataClass.SEXUAL_HEALTH, "HIV", place="e", codes=(HIV_TEST,)),
        item(DataClass.MEDICAL_EXAM, "HIV", place="f", codes=(BLOOD,)),
        item(DataClass.NARRATIVE, place="g", codes=(INJURY,)),
    )
    decision = decide(ask(Sector.POLICE, *items, event=Event.RESULT), child(orders=(order_,)))
    left = {verdict.place: verdict.view for verdict in decision.verdicts if verdict.view is not View.NONE}
    assert left == {"a": View.FULL, "b": View.SUMMARY}


def test_the_requester_follows_its_own_referral() -> None:
    """Police hear the state of the referral that they asked for, under the order it carries out, and of no other."""
    facts = child(orders=(order(line(DataClass.FORENSIC)),), referrals=(referral(order_number="12/QĐ"),))
    asked = {"event": Event.REFERRAL_STATUS}
    status = item(DataClass.REFERRAL, type="Task")
    assert view(Sector.POLICE, status, facts, referral="referral-1", **asked) is View.FULL
    assert view(Sector.POLICE, status, facts, referral="another", **asked) is View.NONE


def test_a_school_hears_a_support_need_and_nothing_clinical() -> None:
    """With a recorded plan a school gets the support need and who the child is; never anything clinical."""
    facts = child(plans=(plan("education"),))
    views = {one: view(Sector.EDUCATION, one, facts, event=Event.SCHOOL_SUPPORT) for one in DataClass}
    assert views[DataClass.SUPPORT_NEED] is View.FULL
    assert views[DataClass.DEMOGRAPHICS] is View.SUMMARY
    clinical = {DataClass.MEDICAL_EXAM, DataClass.FORENSIC, DataClass.MENTAL_HEALTH, DataClass.SEXUAL_HEALTH}
    assert {views[one] for one in clinical | {DataClass.PHOTOGRAPHS, DataClass.NARRATIVE}} == {View.NONE}


def test_child_and_mother_consent_to_the_shelter_and_either_may_stop_it() -> None:
    """At twelve both must consent; without one of them nothing leaves."""
    to_shelter = provision(to=Sector.SOCIAL, purpose=["CAREMGT"], classes=[DataClass.MEDICAL_EXAM, DataClass.REFERRAL])
    both = (given(to_shelter), given(to_shelter, by=CHILD))
    facts = child(consents=both, referrals=(referral("health", "social"),))
    items = [item(one) for one in DataClass]
    decision = decide(ask(Sector.SOCIAL, *items, referral="referral-1"), facts)
    left = {
        verdict.place.split(":")[-1]: verdict.view for verdict in decision.verdicts if verdict.view is not View.NONE
    }
    assert left == {"medical-exam": View.SUMMARY, "referral": View.FULL}
    for index in (0, 1):
        withdrawn = tuple(replace(one, withdrawn_at=AT) if place == index else one for place, one in enumerate(both))
        assert not decide(ask(Sector.SOCIAL, *items, referral="referral-1"), replace(facts, consents=withdrawn)).leaves


def test_a_suspect_fathers_consent_counts_for_nothing() -> None:
    """What a suspect agrees to opens nothing."""
    root = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM])
    facts = child(consents=(given(root, by=FATHER), given(root, by=CHILD)))
    facts = replace(facts, relationships=(father(),), suspicions=(suspect(),))
    assert why(Sector.SOCIAL, DataClass.MEDICAL_EXAM, facts) == "R8-barred"


def test_a_recall_names_the_earlier_message_and_nothing_else() -> None:
    """A recall leaves on no recorded fact at all, and no item leaves with it."""
    decision = decide(ask(Sector.SOCIAL, item(DataClass.REFERRAL), event=Event.RECALL), child())
    assert decision.outcome is Outcome.PERMIT
    assert {verdict.view for verdict in decision.verdicts} == {View.NONE}


def test_a_mandatory_report_holds_the_minimum_of_form_01() -> None:
    """Ward police and the commune hear the report without any consent, and only its minimum."""
    facts = child(reports=(report("police", "social"),))
    for sector, expected in (
        (
            Sector.POLICE,
            {"demographics": "full", "allegation": "full", "alleged-perpetrator": "full", "medical-exam": "flag"},
        ),
        (Sector.SOCIAL, {"demographics": "full", "allegation": "full"}),
    ):
        asked = ask(
            agency(sector), *(item(one) for one in DataClass), event=Event.REPORT, purposes=frozenset({Purpose.THREAT})
        )
        left = {one.place.split(":")[-1]: one.view.value for one in decide(asked, facts).verdicts}
        left = {name: found for name, found in left.items() if found != "none"}
        if sector is Sector.SOCIAL:
            left.pop("reporter-identity", None)
        assert left == expected
