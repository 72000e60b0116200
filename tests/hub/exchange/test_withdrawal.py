"""Withdrawal stops what waits and what is under way, and calls back what left on that ground alone."""

from __future__ import annotations

import json

import pytest

from hub import casework, exchange
from hub.envelope import Fetched
from hub.errors import NotFound, Transient
from hub.messaging.transport import Outbound
from hub.storage import attempts
from tests.fakes.world import CENTRE, HOSPITAL, SHELTER, World, consent, exam, message, patient

ADMIN = "quan-tri"


@pytest.fixture
def consented(world: World) -> World:
    """A shelter and a centre on the team; the child and an unbarred mother consent to tell both."""
    world.say(HOSPITAL, exam())
    world.fact("birth-date", {"date": "2016-05-20"})
    mother = world.relate("Thử-Nghiệm Thị Mẹ")
    world.fact("guardian", {"person": mother, "role": "MTH"})
    for agency in (SHELTER, CENTRE):
        world.fact("team", {"agency": agency, "role": "shelter"})
        world.fact("consent", consent(mother, "representative", agency, world.child()), by=ADMIN)
    return world


def test_a_withdrawal_is_effective_at_once_when_nothing_is_under_way(consented: World) -> None:
    """Recorded and effective are two instants; with nothing under way they follow each other."""
    own = _agree(consented, CENTRE)
    ended = casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    assert ended.counts
    assert ended.effective_at is not None
    assert consented.deliver_all().count("delivered") == 0
    assert consented.received(CENTRE) == []


def test_a_withdrawal_waits_for_what_is_under_way_and_cuts_it(consented: World) -> None:
    """While a send is under way the withdrawal is recorded only; the send is told to stop, and then it is effective."""
    own = _agree(consented, CENTRE)
    seen: list[object] = []

    def withdraw(outbound: Outbound) -> None:
        ended = casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
        seen.extend((ended.id, ended.effective_at, outbound.abort.asked))
        raise Transient(kind="aborted")

    consented.wire.before = withdraw
    consented.deliver_all()
    assert seen[1:] == [None, True]
    casework.settle_withdrawals(consented.parts)
    assert casework.withdrawal(consented.parts, str(seen[0])).effective_at is not None
    assert consented.received(CENTRE) == []


def test_what_left_is_recalled_by_its_id_and_nothing_else(consented: World) -> None:
    """The holder is told which message to give back; the recall holds no word about the child."""
    own = _agree(consented, CENTRE)
    consented.deliver_all()
    (held,) = consented.received(CENTRE)
    casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    consented.deliver_all()
    recall = consented.received(CENTRE)[-1]
    assert recall["entry"][0]["resource"]["response"]["identifier"] == held["identifier"]["value"]
    assert len(recall["entry"]) == 1
    assert "Mẫu" not in json.dumps(recall, ensure_ascii=False)


def test_another_ground_that_holds_keeps_what_left(consented: World) -> None:
    """What a plan permits too is not called back when the consent ends."""
    plan = {"members": [CENTRE], "approved_by": "truong-phong"}
    consented.fact("plan", plan)
    own = _agree(consented, CENTRE)
    consented.deliver_all()
    before = len(consented.received(CENTRE))
    casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    consented.deliver_all()
    assert all("response" not in each["entry"][0]["resource"] for each in consented.received(CENTRE)[before:])


def test_what_is_possibly_held_is_recalled_too(consented: World) -> None:
    """A message that was fetched and never confirmed may be held: it is called back."""
    own = _agree(consented, SHELTER)
    fetched = _fetch(consented)
    casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    assert _first(_fetch(consented))["response"]["identifier"] == fetched.outbound_id


def test_a_recall_is_not_offered_twice(consented: World) -> None:
    """Child and mother both withdraw: the shelter is told once."""
    own = _agree(consented, CENTRE)
    consented.deliver_all()
    mothers = next(
        each.fact
        for each in casework.history(consented.parts, ADMIN, consented.case(), "consent")
        if each.body and each.body["as"] == "representative" and CENTRE in json.dumps(each.body)
    )
    for given in (own, mothers):
        by = consented.child() if given == own else _giver(consented, given)
        casework.withdraw(consented.parts, ADMIN, consented.case(), given, by)
    consented.deliver_all()
    headers = [each["entry"][0]["resource"] for each in consented.received(CENTRE)]
    assert len([each for each in headers if "response" in each]) == 1


def test_consent_given_again_sends_the_present_state_again(consented: World) -> None:
    """After a recall the holder has nothing: a new consent sends it anew, under a new id."""
    own = _agree(consented, CENTRE)
    consented.deliver_all()
    casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    consented.deliver_all()
    _agree(consented, CENTRE)
    consented.deliver_all()
    sent = [each for each in consented.received(CENTRE) if len(each["entry"]) > 1]
    assert len(sent) == 2
    assert sent[0]["identifier"] != sent[1]["identifier"]


def test_a_barred_persons_withdrawal_has_no_effect(consented: World) -> None:
    """A suspect father withdraws the child's consent: recorded, an alarm, and the shelter is told all the same (R8)."""
    own = _agree(consented, CENTRE)
    father = consented.relate("Thử-Nghiệm Văn Cha")
    consented.fact("guardian", {"person": father, "role": "FTH"})
    consented.fact("suspect", {"person": father})
    ended = casework.withdraw(consented.parts, ADMIN, consented.case(), own, father)
    assert not ended.counts
    assert ended.effective_at is None
    assert ("alarm", "barred-withdrawal") in consented.tasks()
    consented.deliver_all()
    assert len(consented.received(CENTRE)) == 1


def test_a_withdrawn_consent_stays_withdrawn(consented: World) -> None:
    """Withdrawing again answers the same withdrawal; editing the consent does not bring it back."""
    own = _agree(consented, CENTRE)
    first = casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    assert casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child()).id == first.id


def test_an_agencys_word_of_a_withdrawal_suspends(consented: World) -> None:
    """An agency reports that consent was taken back: nothing flows on it until a person has looked."""
    _agree(consented, CENTRE)
    said = message(
        "record", "WD-1", "child", {"child": patient()}, claims=({"kind": "withdrawal", "value": "bằng lời"},)
    )
    consented.say(HOSPITAL, said)
    consented.deliver_all()
    assert consented.received(CENTRE) == []
    assert ("withdrawal-claim", "claimed") in consented.tasks()


def test_the_inbox_lists_only_what_may_leave_now(consented: World) -> None:
    """What waits and may no longer leave is not listed, cannot be fetched, and does not show that it was there."""
    own = _agree(consented, SHELTER)
    (waiting,) = exchange.inbox(consented.parts, SHELTER)
    casework.withdraw(consented.parts, ADMIN, consented.case(), own, consented.child())
    with pytest.raises(NotFound):
        exchange.fetch(consented.parts, SHELTER, waiting.delivery)
    assert exchange.inbox(consented.parts, SHELTER) == ()


def test_an_inbox_is_its_owners_alone(consented: World) -> None:
    """Another agency can neither fetch nor confirm what waits for the shelter."""
    _agree(consented, SHELTER)
    (waiting,) = exchange.inbox(consented.parts, SHELTER)
    with pytest.raises(NotFound):
        exchange.fetch(consented.parts, CENTRE, waiting.delivery)
    with pytest.raises(NotFound):
        exchange.confirm(consented.parts, CENTRE, waiting.delivery)
    with pytest.raises(NotFound):
        exchange.confirm(consented.parts, SHELTER, waiting.delivery)


def test_a_fetch_can_be_repeated_until_it_is_confirmed(consented: World) -> None:
    """An agency whose connection broke fetches the same bytes again; once confirmed it is gone, in any order."""
    _agree(consented, SHELTER)
    first = _fetch(consented)
    second = exchange.fetch(consented.parts, SHELTER, first.delivery)
    assert (first.raw, first.outbound_id) == (second.raw, second.outbound_id)
    exchange.confirm(consented.parts, SHELTER, first.delivery)
    second.done()
    exchange.confirm(consented.parts, SHELTER, first.delivery)
    assert exchange.inbox(consented.parts, SHELTER) == ()
    with consented.parts.store.read() as unit:
        assert attempts.get(unit, second.attempt).state == "delivered"


def _agree(world: World, agency: str) -> str:
    """The child consents too, which is what was missing."""
    return world.fact("consent", consent(world.child(), "child", agency, world.child()), by=ADMIN).fact


def _giver(world: World, fact: str) -> str:
    body = next(
        each.body for each in casework.history(world.parts, ADMIN, world.case(), "consent") if each.fact == fact
    )
    assert body is not None
    return str(body["given_by"])


def _fetch(world: World) -> Fetched:
    (waiting,) = exchange.inbox(world.parts, SHELTER)
    fetched = exchange.fetch(world.parts, SHELTER, waiting.delivery)
    fetched.done()
    return fetched


def _first(fetched: Fetched) -> dict[str, dict[str, str]]:
    header: dict[str, dict[str, str]] = json.loads(fetched.raw)["entry"][0]["resource"]
    return header
