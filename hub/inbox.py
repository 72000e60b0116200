"""The second half of the line for an agency that fetches: the fetch is the sending, its confirmation the outcome."""

from __future__ import annotations

import contextlib

from adapters.errors import Unwritable
from hub import outgoing
from hub.envelope import Fetched, Waiting
from hub.errors import Fenced, KeyLost, NotFound, Stale
from hub.failpoints import reached
from hub.parts import Parts
from hub.states import AttemptState, DeliveryState
from hub.storage import attempts, audits, deliveries
from hub.storage.deliveries import Claim, Delivery, Failure

OPEN = (DeliveryState.PENDING, DeliveryState.UNKNOWN)


def inbox(parts: Parts, agency: str, limit: int = 50, officer: str = "") -> tuple[Waiting, ...]:
    """What waits for `agency` to fetch, decided now: what may no longer leave is closed and not listed.

    Its desk ("") sees what is for the desk, an officer what is for that officer alone.
    """
    pack = parts.packs.get(parts.registry.get(agency).packs.out or "")
    if pack is None:
        return ()
    found: list[Waiting] = []
    seen: set[str] = set()
    while opened := [each for each in _open(parts, agency) if each.id not in seen]:
        for each in opened:
            if len(found) == limit:
                return tuple(found)
            if _may_leave(parts, agency, each, officer):
                found.append(Waiting(each.id, pack.media_types[0]))
        seen |= {each.id for each in opened}
    return tuple(found)


def fetch(parts: Parts, agency: str, delivery: str, officer: str = "") -> Fetched:
    """Decide and record one waiting delivery; the fetch is its sending. Raises :class:`hub.errors.NotFound`.

    `officer` is who fetches, "" the agency's desk; what is for another reader is not found.

    The attempt stays open until `Fetched.done`; from then on the agency possibly holds it, until it confirms.
    """
    claim = _claim(parts, agency, delivery)
    try:
        told = outgoing.decide(parts, claim.delivery, officer)
        if outgoing.settled(parts, claim, told) is not None:
            raise NotFound
        if told.recipient != agency or told.officer != officer:
            outgoing.waits_elsewhere(parts, claim, told)
            raise NotFound
        saying = outgoing.write(parts, claim, told)
    except KeyLost:
        outgoing.erased(parts, claim)
        raise NotFound from None
    except Unwritable as why:
        outgoing.unwritable(parts, claim, why)
        raise NotFound from None
    stack = contextlib.ExitStack()
    stack.enter_context(parts.underway.sending(saying.attempt))
    try:
        outgoing.record(parts, claim, saying)
    except Stale:
        stack.close()
        outgoing.give_back(parts, claim)
        return fetch(parts, agency, delivery, officer)

    def done() -> None:
        with stack:
            reached("sent")
            _left(parts, claim, saying)

    return Fetched(
        delivery,
        saying.attempt,
        saying.outbound_id,
        saying.raw,
        saying.writing.media_type,
        saying.writing.type,
        officer,
        done,
    )


def confirm(parts: Parts, agency: str, delivery: str, officer: str = "") -> None:
    """Whoever fetched it has it: the delivery is delivered. Raises `NotFound`; a second call changes nothing."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        held = _own(deliveries.get(unit, delivery), agency)
        fetched = [each for each in attempts.of_delivery(unit, delivery) if each.agency == agency]
        fetched = [each for each in fetched if outgoing.read_by(unit, each) == officer]
        if not fetched:
            raise NotFound
        last = fetched[-1]
        if not attempts.close(unit, last.id, AttemptState.DELIVERED, at):
            return
        entry = audits.Entry(
            "outcome",
            agency,
            agency=agency,
            case=held.case,
            strand=held.strand,
            delivery=held.id,
            attempt=last.id,
            outcome="delivered",
            detail={"officer": officer} if officer else {},
        )
        audits.record(unit, entry, at)
        if held.state is DeliveryState.SENDING:
            deliveries.finish(unit, deliveries.held_by(held), DeliveryState.DELIVERED, at)
        else:
            deliveries.close(unit, delivery, DeliveryState.DELIVERED, at)


def _open(parts: Parts, agency: str) -> list[Delivery]:
    with parts.store.read() as unit:
        found = deliveries.listing(unit, states=OPEN, reaches=agency, limit=1000)
        return [each for each in found if deliveries.is_head(unit, each.id)]


def _may_leave(parts: Parts, agency: str, waiting: Delivery, officer: str) -> bool:
    """Decide a waiting delivery for who asks; one that may leave to nobody there is claimed and closed."""
    try:
        told = outgoing.decide(parts, waiting, officer)
        mine = told.recipient == agency and told.officer in (officer, waiting.officer)
        if told.leaves and mine and not outgoing.holds_already(parts, waiting, told):
            return told.officer == officer
    except (KeyLost, NotFound):
        pass
    with contextlib.suppress(NotFound, Fenced):
        _settle(parts, _claim(parts, agency, waiting.id))
    return False


def _settle(parts: Parts, claim: Claim) -> None:
    """Close what may leave to nobody; let the rest wait for whom it is for, out of the others' way."""
    try:
        told = outgoing.decide(parts, claim.delivery)
    except KeyLost:
        outgoing.erased(parts, claim)
        return
    if outgoing.settled(parts, claim, told) is None:
        outgoing.waits_elsewhere(parts, claim, told)


def _claim(parts: Parts, agency: str, delivery: str) -> Claim:
    at = parts.clock.now()
    with parts.store.write() as unit:
        _own(deliveries.get(unit, delivery), agency)
        process = parts.presence.announce(unit, at)
        claim = deliveries.claim(unit, process, at, parts.lanes.lease, only=delivery)
        if claim is None:
            raise NotFound
        return claim


def _own(held: Delivery, agency: str) -> Delivery:
    if agency not in (held.agency, held.addressee):
        raise NotFound
    return held


def _left(parts: Parts, claim: Claim, saying: outgoing.Said) -> None:
    """The response went out, or broke off: the agency possibly holds it until it confirms."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        attempts.close(unit, saying.attempt, AttemptState.UNKNOWN, at, "not-confirmed")
        with contextlib.suppress(Fenced):
            deliveries.fail(unit, claim, Failure(DeliveryState.UNKNOWN, at, "not-confirmed", 0))
