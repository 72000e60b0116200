"""The whole line in one process, on both databases, with the real consent engine: the story of one synthetic child."""

from __future__ import annotations

import json

from hub import casework, exchange
from hub.states import MessageState
from tests.fakes.world import (
    CENTRE,
    HOSPITAL,
    POLICE,
    SCHOOL,
    SHELTER,
    World,
    accepted,
    consent,
    exam,
    forensic_request,
    order,
    result,
    support,
)


def test_the_story(world: World) -> None:
    """An exam, a forensic referral under a verified order, school support, consent to a shelter, withdrawal, recall."""
    parts = world.parts
    assert world.say(HOSPITAL, exam()).state is MessageState.STORED
    case, child = world.case(), world.child()
    casework.record(parts, "can-bo-a", case, "birth-date", {"date": "2016-05-20"})

    # The police ask; their decision number is a claim, so the hospital learns nothing.
    world.say(POLICE, forensic_request())
    world.deliver_all()
    assert world.received(HOSPITAL) == []

    # A second person verifies the order, and the request reaches the hospital.
    named = {HOSPITAL: ("referral", "demographics"), POLICE: ("forensic", "medical-exam", "demographics", "referral")}
    opened = order(named)
    entered = casework.record(parts, "can-bo-a", case, "order", opened)
    world.deliver_all()
    assert world.received(HOSPITAL) == []
    casework.verify_order(parts, "can-bo-b", case, entered.fact)
    world.deliver_all()
    (asked,) = world.received(HOSPITAL)
    assert {each["resource"]["resourceType"] for each in asked["entry"]} >= {"ServiceRequest", "Patient"}

    # The hospital accepts, the police are told; the result comes, and only what the order names arrives.
    world.say(HOSPITAL, accepted())
    world.deliver_all()
    assert [_event(each) for each in world.received(POLICE)][-1] == "referral-status"
    world.say(HOSPITAL, result())
    world.deliver_all()
    told = str(world.received(POLICE))
    assert "258500001" in told
    assert "35489007" not in told
    assert "260385009" not in told

    # The school receives a support need and nothing clinical.
    casework.record(parts, "can-bo-a", case, "team", {"agency": SCHOOL, "role": "school"})
    plan = {"members": [SCHOOL, CENTRE], "approved_by": "truong-phong", "start": "2026-11-22T00:00:00Z"}
    casework.record(parts, "can-bo-a", case, "plan", plan)
    world.say(CENTRE, support())
    world.deliver_all()
    (needs,) = world.received(SCHOOL)
    assert "absence-allowed" in str(needs)
    assert "125667009" not in str(needs)

    # The shelter is on the team, and learns nothing until the child and her mother consent.
    casework.record(parts, "can-bo-a", case, "team", {"agency": SHELTER, "role": "shelter"})
    assert exchange.inbox(parts, SHELTER) == ()
    mother = casework.relate(parts, "can-bo-a", case, {"name": "Thử-Nghiệm Thị Mẹ"})
    casework.record(parts, "can-bo-a", case, "guardian", {"person": mother, "role": "MTH"})
    casework.record(parts, "quan-tri", case, "consent", consent(mother, "representative", SHELTER, child))
    assert exchange.inbox(parts, SHELTER) == ()
    own = casework.record(parts, "quan-tri", case, "consent", consent(child, "child", SHELTER, child))
    waiting = exchange.inbox(parts, SHELTER)
    assert waiting
    fetched = exchange.fetch(parts, SHELTER, waiting[0].delivery)
    fetched.done()
    exchange.confirm(parts, SHELTER, waiting[0].delivery)
    held = json.loads(fetched.raw)
    assert "Observation" in {each["resource"]["resourceType"] for each in held["entry"]}
    assert "260385009" not in str(held)

    # The child takes the consent back while more waits: it does not leave, and what left is recalled.
    world.say(HOSPITAL, exam("EX-2"))
    assert exchange.inbox(parts, SHELTER)
    ended = casework.withdraw(parts, "quan-tri", case, own.fact, child)
    assert ended.effective_at is not None
    (recalled,) = exchange.inbox(parts, SHELTER)
    told_back = exchange.fetch(parts, SHELTER, recalled.delivery)
    (header,) = json.loads(told_back.raw)["entry"]
    assert header["resource"]["response"]["identifier"] == fetched.outbound_id
    assert "Thử" not in told_back.raw.decode()


def test_a_suspects_consent_counts_for_nothing(world: World) -> None:
    """A father who is a suspect consents to the shelter, and the shelter is told nothing."""
    parts = world.parts
    world.say(HOSPITAL, exam())
    case, child = world.case(), world.child()
    casework.record(parts, "can-bo-a", case, "birth-date", {"date": "2016-05-20"})
    casework.record(parts, "can-bo-a", case, "team", {"agency": SHELTER, "role": "shelter"})
    father = casework.relate(parts, "can-bo-a", case, {"name": "Thử-Nghiệm Văn Cha"})
    casework.record(parts, "can-bo-a", case, "guardian", {"person": father, "role": "FTH"})
    suspect = casework.record(parts, "can-bo-a", case, "suspect", {"person": father})
    casework.record(parts, "quan-tri", case, "consent", consent(father, "representative", SHELTER, child))
    casework.record(parts, "quan-tri", case, "consent", consent(child, "child", SHELTER, child))
    assert exchange.inbox(parts, SHELTER) == ()

    # One person cannot clear him; two can, and only then does his consent count.
    casework.clear_suspect(parts, "can-bo-a", case, suspect.fact)
    casework.clear_suspect(parts, "can-bo-a", case, suspect.fact)
    assert exchange.inbox(parts, SHELTER) == ()
    casework.clear_suspect(parts, "can-bo-b", case, suspect.fact)
    assert exchange.inbox(parts, SHELTER) != ()


def _event(bundle: dict) -> str:
    return bundle["entry"][0]["resource"]["eventCoding"]["code"]
