"""The second half of the line: decided now, recorded before it leaves, sent once in effect."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hub import casework, exchange, outgoing
from hub.errors import Ambiguous, NotFound, Permanent, Stale, Transient
from hub.messaging.transport import Outbound
from hub.states import DeliveryState
from hub.storage import attempts, audits, deliveries, persons
from hub.storage.deliveries import Claim
from tests.conftest import SetClock
from tests.fakes.world import (
    HOSPITAL,
    POLICE,
    SCHOOL,
    STAND_IN,
    World,
    accepted,
    agency,
    exam,
    forensic_request,
    order,
    result,
    support,
)

D = DeliveryState


@pytest.fixture
def referred(world: World) -> World:
    """A case with a verified order: what the order names reaches hospital and police."""
    world.say(POLICE, forensic_request())
    world.fact("birth-date", {"date": "2016-05-20"})
    opened = order({HOSPITAL: ("referral", "demographics"), POLICE: ("forensic", "demographics", "referral")})
    entered = world.fact("order", opened)
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    return world


def test_nothing_leaves_before_it_is_recorded(referred: World) -> None:
    """When the first byte leaves, attempt, frozen bytes and audit row are committed already."""
    seen: list[tuple[str, bool]] = []

    def look(outbound: Outbound) -> None:
        with referred.parts.store.read() as unit:
            attempt = attempts.get(unit, outbound.attempt_id)
            rows = audits.listing(unit, delivery=attempt.delivery, kinds=("attempt",))
            seen.append((attempt.state.value, rows[0].entry.attempt == attempt.id))

    referred.wire.before = look
    referred.deliver_all()
    assert seen == [("open", True)]


def test_an_unknown_outcome_is_sent_again_with_the_same_bytes_and_id(referred: World, clock: SetClock) -> None:
    """A timeout after the first byte is not a failure: the same bytes go again under the same id."""
    kept = _keep_tries(referred)
    referred.wire.failures = [Ambiguous(kind="timeout")]
    assert referred.deliver_all() == [D.UNKNOWN]
    clock.advance(minutes=20)
    assert referred.deliver_all() == [D.DELIVERED]
    first, second = kept
    assert (first.raw, first.outbound_id) == (second.raw, second.outbound_id)
    assert first.attempt_id != second.attempt_id


def test_a_release_that_changed_gets_a_new_id_and_names_what_it_replaces(referred: World, clock: SetClock) -> None:
    """Between two tries the facts changed what may leave: other bytes never go under the old id."""
    kept = _keep_tries(referred)
    referred.wire.failures = [Ambiguous(kind="timeout")]
    referred.deliver_all()
    casework.record(referred.parts, "can-bo-a", referred.case(), "order", _narrower(referred), fact=_order(referred))
    casework.verify_order(referred.parts, "can-bo-b", referred.case(), _order(referred))
    clock.advance(minutes=20)
    referred.deliver_all()
    assert kept[0].outbound_id != kept[1].outbound_id
    assert json.loads(kept[1].raw)["replaces"] == kept[0].outbound_id


def test_a_refused_message_parks_with_an_alarm(referred: World) -> None:
    """A permanent failure stops its stream and calls a person; it is not tried again by itself."""
    referred.wire.failures = [Permanent(kind="http-410")]
    assert referred.deliver_all() == [D.PARKED]
    assert ("alarm", "parked-http-410") in referred.tasks()
    assert referred.deliver_all() == []


def test_a_failure_that_passes_is_tried_again(referred: World, clock: SetClock) -> None:
    """A connection that was refused is tried again later, by itself, until it arrives."""
    referred.wire.failures = [Transient(kind="refused-connection")] * 4
    ended = []
    for _ in range(5):
        ended += referred.deliver_all()
        clock.advance(minutes=20)
    assert ended == [D.PENDING] * 4 + [D.DELIVERED]


def test_a_fault_of_our_own_is_not_taken_for_a_failure(referred: World) -> None:
    """When a sender breaks in an unforeseen way the recipient possibly holds it."""

    def broken(_outbound: Outbound) -> None:
        raise RuntimeError

    referred.wire.before = broken
    assert referred.deliver_all() == [D.UNKNOWN]


def test_facts_that_change_after_the_decision_stop_the_send(referred: World) -> None:
    """The commit that records an attempt fails when the facts are no longer those that were decided on."""
    claim = _claim(referred)
    told = outgoing.decide(referred.parts, claim.delivery)
    saying = outgoing.write(referred.parts, claim, told)
    referred.fact("household", {"person": referred.relate("Người Thử-Nghiệm")})
    with pytest.raises(Stale):
        outgoing.record(referred.parts, claim, saying)
    assert exchange.deliver(referred.parts, claim) is D.DELIVERED


def test_a_withheld_delivery_is_final_and_a_new_fact_offers_it_anew(world: World) -> None:
    """Withheld never comes back to life; the present state goes as a new delivery once it may."""
    world.say(POLICE, forensic_request())
    assert world.deliver_all() == [D.WITHHELD]
    entered = world.fact("order", order({HOSPITAL: ("referral", "demographics")}))
    casework.verify_order(world.parts, "can-bo-b", world.case(), entered.fact)
    world.deliver_all()
    assert world.states(HOSPITAL)[0] == "withheld"
    assert world.states(HOSPITAL)[-1] == "delivered"


def test_what_the_recipient_holds_already_is_not_sent_again(referred: World) -> None:
    """A change of facts that changes nothing for a recipient sends it nothing."""
    referred.deliver_all()
    referred.fact("household", {"person": referred.relate("Người Thử-Nghiệm")})
    assert D.DELIVERED not in referred.deliver_all()
    assert len(referred.received(HOSPITAL)) == 1


def test_an_older_record_never_follows_a_newer_one(referred: World) -> None:
    """When facts change, only the newest strand about the same thing is offered again."""
    referred.say(HOSPITAL, result("RS-1"))
    referred.say(HOSPITAL, result("RS-2"))
    referred.deliver_all()
    before = len(referred.states(POLICE))
    referred.fact("team", {"agency": SCHOOL, "role": "school"})
    assert len(referred.states(POLICE)) == before + 1


def test_a_linked_unit_is_bypassed(referred: World) -> None:
    """An investigator is a suspect: the other unit is told instead, and the linked one learns nothing (R40)."""
    officer = referred.relate("Cán Bộ Thử-Nghiệm")
    referred.fact("staff", {"person": officer, "agency": POLICE})
    referred.fact("suspect", {"person": officer})
    named = order({STAND_IN: ("forensic", "demographics", "referral")}, number="458/QĐ-MẪU")
    entered = referred.fact("order", named)
    casework.verify_order(referred.parts, "can-bo-b", referred.case(), entered.fact)
    referred.say(HOSPITAL, accepted())
    referred.say(HOSPITAL, result())
    referred.deliver_all()
    assert referred.received(POLICE) == []
    assert "258500001" in str(referred.received(STAND_IN))


def test_an_alternate_addressee_fetches_what_is_for_it(referred: World) -> None:
    """The other unit reads an inbox: it finds there what the linked one is not told and cannot fetch."""
    referred.parts.registry.add(agency(STAND_IN, "police", "investigators", out="inbox"), "test")
    officer = referred.relate("Cán Bộ Thử-Nghiệm")
    referred.fact("staff", {"person": officer, "agency": POLICE})
    entered = referred.fact("order", order({STAND_IN: ("demographics", "forensic")}, number="458/QĐ-MẪU"))
    casework.verify_order(referred.parts, "can-bo-b", referred.case(), entered.fact)
    referred.say(HOSPITAL, result())
    referred.fact("suspect", {"person": officer})
    referred.deliver_all()
    assert referred.received(POLICE) == []
    (waiting,) = exchange.inbox(referred.parts, STAND_IN)
    with pytest.raises(NotFound):
        exchange.fetch(referred.parts, POLICE, waiting.delivery)
    assert b"258500001" in exchange.fetch(referred.parts, STAND_IN, waiting.delivery).raw


def test_a_linked_unit_without_an_alternate_raises_an_alarm(world: World) -> None:
    """A school whose teacher is a suspect, and that has no alternate addressee, is told nothing; a person is called."""
    world.say(HOSPITAL, exam())
    teacher = world.relate("Giáo Viên Thử-Nghiệm")
    world.fact("staff", {"person": teacher, "agency": SCHOOL})
    world.fact("suspect", {"person": teacher})
    world.fact("team", {"agency": SCHOOL, "role": "school"})
    world.fact("plan", {"members": [SCHOOL], "approved_by": "truong-phong"})
    world.say("ctxh-mau", support())
    world.deliver_all()
    assert world.received(SCHOOL) == []
    assert ("alarm", "no-alternate") in world.tasks()


def test_an_erased_case_never_leaves_again(referred: World) -> None:
    """Once a case's key is destroyed, what still waited is withheld and nothing more is tried."""
    with referred.parts.store.write() as unit:
        key = persons.get_case(unit, referred.case()).vault_key
        referred.parts.vault.destroy(unit, key, referred.clock.now())
    assert set(referred.deliver_all()) == {D.WITHHELD}
    assert referred.wire.sent == []


def test_each_recipient_sees_ids_of_its_own(referred: World) -> None:
    """No internal id of a message is the same for two recipients, so that they cannot be joined."""
    referred.deliver_all()
    referred.say(HOSPITAL, result())
    referred.deliver_all()
    hospital, police = referred.received(HOSPITAL)[0], referred.received(POLICE)[-1]
    assert not {each["fullUrl"] for each in hospital["entry"]} & {each["fullUrl"] for each in police["entry"]}


def test_what_comes_back_on_the_connection_is_taken_in(referred: World) -> None:
    """An acceptance that the hospital answers at once is a message of its own, and the police hear of it."""
    referred.wire.answers[HOSPITAL] = json.dumps(accepted()).encode()
    referred.deliver_all()
    assert [each["entry"][0]["resource"]["eventCoding"]["code"] for each in referred.received(POLICE)] == [
        "referral-status"
    ]


def _keep_tries(world: World) -> list[Outbound]:
    kept: list[Outbound] = []
    remember: Callable[[Outbound], None] = kept.append
    world.wire.before = remember
    return kept


def _claim(world: World) -> Claim:
    parts = world.parts
    with parts.store.write() as unit:
        process = parts.presence.announce(unit, parts.clock.now())
        claim = deliveries.claim(unit, process, parts.clock.now(), parts.lanes.lease)
    assert claim is not None
    return claim


def _order(world: World) -> str:
    return casework.history(world.parts, "can-bo-a", world.case(), "order")[0].fact


def _narrower(world: World) -> dict[str, object]:
    return order({HOSPITAL: ("referral",)})
