"""The steps of `exchange.deliver`: each does one thing to a delivery in hand.

decide       the facts as they are now, the decision, the release
settled      nothing leaves, or the recipient holds just that already: the delivery is closed, with its reasons
write        in the recipient's words; the bytes and id of an earlier try where it said the same
record       attempt, frozen bytes, grounds and audit row in one commit, if the facts are still those
hand_over    send, then note the outcome
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from adapters.errors import Unwritable
from adapters.pack import Context, Writing
from hub.directory.agency import Agency
from hub.disclosing import Disclosed, disclose_each, release_hash
from hub.errors import Ambiguous, Fenced, NotFound, Permanent, SendFailed, Stale
from hub.failpoints import reached
from hub.lanes import after_failure
from hub.messaging.transport import Abort, Outbound, Sent
from hub.parts import Parts
from hub.referrals.offering import WAITING
from hub.states import AttemptState, DeliveryState
from hub.storage import attempts, audits, deliveries, persons, strands, tasks
from hub.storage.attempts import Attempt, NewAttempt
from hub.storage.deliveries import Claim, Delivery, Failure, Offer
from hub.storage.ids import new_id
from hub.storage.store import Unit

PARKING = frozenset({"order-opens-absolute-never"})
"""Alarms of a decision that stop the delivery until a person has looked (`domain.md`, Orders)."""
UNREACHED = "officer-unreachable"
"""Alarm: somebody may be told what is sealed, but the registry knows no way to that officer alone."""
NAME = "ONESTOP"
"""What the hub calls itself in message headers."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """What is about to leave: recorded first, then handed over."""

    told: Disclosed
    agency: Agency
    writing: Writing
    outbound_id: str
    hash: str
    replaces: str | None
    raw: bytes = field(repr=False)
    attempt: str = field(default_factory=new_id)


# --- what holds now, and may it leave? -----------------------------------------------------------------------------


def decide(parts: Parts, held: Delivery, officer: str | None = None) -> Disclosed:
    """Decide this delivery by the facts as they are now. Raises `KeyLost` once its case was erased.

    Of several readers who do not hold it yet it is for `officer` ("" = the desk; None = whom it is kept for), else for
    the first.
    """
    readers = decide_each(parts, held)
    lacking = [each for each in readers if each.leaves and not holds_already(parts, held, each)]
    wanted = held.officer if officer is None else officer
    told = next((each for each in lacking if each.officer == wanted), (lacking or readers)[0])
    return replace(told, rest=next((each.officer for each in lacking if each is not told), None))


def decide_each(parts: Parts, held: Delivery) -> tuple[Disclosed, ...]:
    """What this delivery may say now to each who reads at the recipient: the desk, and officers named to read more."""
    at = parts.clock.now()
    with parts.store.read() as unit:
        strand = strands.get(unit, held.strand)
        if strand is None:
            raise NotFound
        return disclose_each(parts, unit, strand, held.agency, held.purposes, at)


def settled(parts: Parts, claim: Claim, told: Disclosed) -> DeliveryState | None:
    """Close or park the delivery when nothing is to leave; None when something is."""
    alarms = [each for each in told.decision.alarms if each in PARKING]
    if alarms:
        return park(parts, claim, alarms[0], told)
    if not told.leaves:
        return _close(parts, claim, DeliveryState.WITHHELD, "withheld", told)
    if holds_already(parts, claim.delivery, told):
        return _close(parts, claim, DeliveryState.SUPERSEDED, "held-already", told)
    return None


def park(parts: Parts, claim: Claim, why: str, told: Disclosed | None = None) -> DeliveryState:
    """Stop this stream and raise an alarm: a person has to look."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        deliveries.fail(unit, claim, Failure(DeliveryState.PARKED, at, why, 1))
        audits.record(unit, _entry(parts, unit, claim, "withheld", why, told), at)
        _alarm(unit, claim.delivery, why, at)
    return DeliveryState.PARKED


def erased(parts: Parts, claim: Claim) -> DeliveryState:
    """The case's key is gone: nothing of it can ever leave again."""
    return _close(parts, claim, DeliveryState.WITHHELD, "erased", None)


def _close(parts: Parts, claim: Claim, state: DeliveryState, why: str, told: Disclosed | None) -> DeliveryState:
    at = parts.clock.now()
    with parts.store.write() as unit:
        deliveries.finish(unit, claim, state, at)
        audits.record(unit, _entry(parts, unit, claim, "withheld", why, told), at)
        _note_tasks(unit, claim.delivery, told, at)
    return state


def holds_already(parts: Parts, held: Delivery, told: Disclosed) -> bool:
    """Whether the newest message about this strand that reached this reader of the recipient said just this."""
    with parts.store.read() as unit:
        last = _last_held(unit, held, told)
        return (
            last is not None
            and last.state is AttemptState.DELIVERED
            and last.delivery != held.id
            and last.release_hash == release_hash(parts, told)
        )


def _last_held(unit: Unit, held: Delivery, told: Disclosed) -> Attempt | None:
    """The newest attempt of this strand that its reader holds or possibly holds, unless it was recalled since."""
    recalled = {each.recalls for each in deliveries.listing(unit, case_id=held.case, event="recall", limit=10_000)}
    found = [
        attempt
        for each in deliveries.listing(unit, strand=held.strand, limit=10_000)
        for attempt in attempts.of_delivery(unit, each.id)
        if attempt.agency == told.recipient and attempt.state in attempts.HELD and attempt.id not in recalled
    ]
    found = [each for each in found if read_by(unit, each) == told.officer]
    return max(found, key=lambda each: (each.opened_at, each.number), default=None)


def read_by(unit: Unit, attempt: Attempt) -> str:
    """The officer to whose attention an attempt went, as its audit row keeps it; "" = the agency's desk."""
    rows = audits.listing(unit, delivery=attempt.delivery, kinds=("attempt",), limit=1000)
    return next((str(row.entry.detail.get("officer", "")) for row in rows if row.entry.attempt == attempt.id), "")


# --- in their words ------------------------------------------------------------------------------------------------


def write(parts: Parts, claim: Claim, told: Disclosed) -> Said:
    """Say the release in the recipient's format. Raises :class:`adapters.errors.Unwritable`.

    A re-send that says the same keeps bytes and id (`delivery.md`, rule 2); one that says something else gets a new id
    and names what it replaces.
    """
    agency = parts.registry.get(told.recipient)
    hashed = release_hash(parts, told)
    with parts.store.read() as unit:
        again = _same_before(unit, claim.delivery, told.recipient, hashed)
        earlier = _last_held(unit, claim.delivery, told)
        frozen = None if again is None else _thaw(parts, unit, again)
    outbound = again.outbound_id if again else new_id()[:20].upper()
    replaces = again.replaces if again else (earlier.outbound_id if earlier else None)
    writing = _written(parts, agency, told, outbound, replaces)
    return Said(told, agency, writing, outbound, hashed, replaces, frozen or writing.raw)


def _written(parts: Parts, agency: Agency, told: Disclosed, outbound: str, replaces: str | None) -> Writing:
    pack = parts.packs.get(agency.packs.out or "")
    if pack is None or told.bundle is None:
        raise Unwritable("Bundle", "no-pack", "The recipient's format is not installed.")
    header = {
        "sender": NAME,
        "sender-facility": NAME,
        "recipient": agency.application or agency.id,
        "recipient-facility": agency.facility or agency.id,
        "message-id": outbound,
        "processing": "P",
    }
    context = Context(
        at=told.at,
        agency=agency.id,
        id_key=parts.vault.derive("packs/ids"),
        dialect=agency.packs.dialect,
        zone=parts.settings.zone,
        header=header | ({"replaces": replaces} if replaces else {}),
    )
    return pack.write(told.bundle, context)


def _same_before(unit: Unit, held: Delivery, recipient: str, hashed: str) -> Attempt | None:
    tried = [each for each in attempts.of_delivery(unit, held.id) if each.agency == recipient]
    return tried[-1] if tried and tried[-1].release_hash == hashed else None


def _thaw(parts: Parts, unit: Unit, attempt: Attempt) -> bytes:
    key = persons.get_case(unit, attempt.case).vault_key
    return parts.vault.open(unit, key, attempt.frozen, _aad(attempt.id))


def _aad(attempt: str) -> bytes:
    return f"attempt:{attempt}".encode()


# --- leave a trace -------------------------------------------------------------------------------------------------


def record(parts: Parts, claim: Claim, said: Said) -> None:
    """One commit: the attempt with its frozen bytes and grounds, and its audit row; then a byte may leave.

    Raises :class:`hub.errors.Stale` when the facts changed since the decision, or the way to its officer alone is gone;
    `Fenced` when the claim is lost.
    """
    at = parts.clock.now()
    if said.told.officer and not parts.registry.get(said.agency.id).hands_to(said.told.officer, at):
        raise Stale
    with parts.store.write() as unit:
        key = persons.get_case(unit, claim.delivery.case).vault_key
        new = NewAttempt(
            id=said.attempt,
            agency=said.agency.id,
            outbound_id=said.outbound_id,
            outbound_token=parts.vault.token("outbound", said.agency.id, said.outbound_id),
            release_hash=said.hash,
            frozen=parts.vault.seal(unit, key, said.raw, _aad(said.attempt)),
            media_type=said.writing.media_type,
            facts_epoch=said.told.epoch,
            grounds=said.told.grounds(),
            replaces=said.replaces,
        )
        attempts.record(unit, claim, new, at)
        if said.agency.id != claim.delivery.agency:
            deliveries.address(unit, claim, said.agency.id)
        if said.told.officer != claim.delivery.officer:
            deliveries.attend(unit, claim, said.told.officer)
        audits.record(unit, _entry(parts, unit, claim, "attempt", "recorded", said.told, said.attempt), at)
        if said.told.rest is not None:
            _offer_rest(unit, claim.delivery, said.told, said.told.rest, at)
        _note_tasks(unit, claim.delivery, said.told, at)
    reached("recorded")


def _offer_rest(unit: Unit, held: Delivery, told: Disclosed, reader: str, at: datetime) -> None:
    """Queue the same once more: another reader of the recipient has a message of their own to come."""
    waiting = deliveries.listing(unit, strand=held.strand, states=WAITING)
    if any(each.agency == held.agency and each.id != held.id for each in waiting):
        return
    copied = ("strand", "case", "agency", "lane", "event", "route", "purposes", "deadline", "referral", "recalls")
    same: dict[str, Any] = {name: getattr(held, name) for name in copied}
    offer = Offer(**same, officer=reader, due_at=at, offered_epoch=told.epoch)
    offered = deliveries.offer(unit, offer, at)
    deliveries.readdress(unit, offered, None if told.recipient == held.agency else told.recipient)


def _entry(
    parts: Parts, unit: Unit, claim: Claim, kind: str, outcome: str, told: Disclosed | None, attempt: str | None = None
) -> audits.Entry:
    held = claim.delivery
    entry = audits.Entry(
        kind=kind,
        actor="hub",
        agency=told.recipient if told else held.agency,
        case=held.case,
        strand=held.strand,
        delivery=held.id,
        attempt=attempt,
        outcome=outcome,
        detail={"event": held.event, "route": held.route},
    )
    if told is None:
        return entry
    key = persons.get_case(unit, held.case).vault_key
    return replace(
        entry,
        reasons=tuple(dict.fromkeys(each.code for each in told.decision.reasons)),
        policy_version=told.decision.policy_version,
        input_hash=told.decision.input_hash,
        read=tuple((each.kind, each.id, each.version) for each in told.decision.read),
        detail={**entry.detail, "decision": told.decision.outcome.value}
        | ({"officer": told.officer} if told.officer else {}),
        replay=parts.vault.seal(unit, key, told.replay(), f"replay:{attempt or held.id}".encode()),
    )


def _note_tasks(unit: Unit, held: Delivery, told: Disclosed | None, at: datetime) -> None:
    """Work that the decision raises: reviews, other representatives to seek, alarms."""
    if told is None:
        return
    for each in told.decision.tasks:
        tasks.start(unit, tasks.NewTask(each.kind, each.reason, "case-worker", held.case, each.due), at)
    for alarm in told.decision.alarms:
        tasks.start(unit, tasks.NewTask("alarm", alarm, "operator", held.case), at)
    if told.unreached:
        to = {"agency": told.recipient}
        tasks.start(unit, tasks.NewTask("alarm", UNREACHED, "operator", held.case, subject=to), at)
    if told.decision.redirect:
        about = {"delivery": held.id}
        tasks.start(unit, tasks.NewTask("alarm", "no-alternate", "operator", held.case, subject=about), at)


def _alarm(unit: Unit, held: Delivery, why: str, at: datetime) -> None:
    tasks.start(unit, tasks.NewTask("alarm", why, "operator", held.case, subject={"delivery": held.id}), at)


# --- hand it over --------------------------------------------------------------------------------------------------


def hand_over(parts: Parts, claim: Claim, said: Said, abort: Abort) -> tuple[DeliveryState, Sent | None]:
    """Send the recorded bytes and note how it ended; with what the recipient answered, if it took them."""
    try:
        sent = _send(parts, claim, said, abort)
    except SendFailed as failure:
        return _failed(parts, claim, said, failure, abort), None
    reached("sent")
    return _delivered(parts, claim, said), sent


def _send(parts: Parts, claim: Claim, said: Said, abort: Abort) -> Sent:
    out = said.agency.transports.out
    transport = parts.transports.get(out.type) if out else None
    if transport is None:
        raise Permanent("There is no way to this agency.", kind="no-transport")
    outbound = Outbound(
        attempt_id=said.attempt,
        outbound_id=said.outbound_id,
        raw=said.raw,
        media_type=said.writing.media_type,
        agency=said.agency.document(),
        deadline=min(claim.delivery.deadline, claim.lease_until),
        abort=abort,
        type=said.writing.type,
        attention=said.told.officer,
    )
    try:
        return transport.send(outbound)
    except SendFailed:
        raise
    except Exception as error:
        log.exception("send-fault", attempt=said.attempt, agency=said.agency.id)
        raise Ambiguous("The sender failed.", kind="fault") from error


def _delivered(parts: Parts, claim: Claim, said: Said) -> DeliveryState:
    at = parts.clock.now()
    with parts.store.write() as unit:
        attempts.close(unit, said.attempt, AttemptState.DELIVERED, at)
        _note_outcome(unit, claim, said, AttemptState.DELIVERED, "", at)
        try:
            deliveries.finish(unit, claim, DeliveryState.DELIVERED, at)
        except Fenced:
            deliveries.close(unit, claim.delivery.id, DeliveryState.DELIVERED, at)
    return DeliveryState.DELIVERED


def _failed(parts: Parts, claim: Claim, said: Said, failure: SendFailed, abort: Abort) -> DeliveryState:
    at = parts.clock.now()
    state = _ended_as(failure, abort)
    with parts.store.write() as unit:
        attempts.close(unit, said.attempt, state, at, failure.kind)
        _note_outcome(unit, claim, said, state, failure.kind, at)
    after = after_failure(parts.lanes, claim.delivery, failure, at, random.random())
    with parts.store.write() as unit:
        deliveries.fail(unit, claim, after)
        if after.state in (DeliveryState.PARKED, DeliveryState.EXPIRED):
            _alarm(unit, claim.delivery, f"{after.state.value}-{after.kind}"[:80], at)
    return after.state


def _ended_as(failure: SendFailed, abort: Abort) -> AttemptState:
    if isinstance(failure, Ambiguous):
        return AttemptState.UNKNOWN
    return AttemptState.ABORTED if abort.asked else AttemptState.FAILED


def _note_outcome(unit: Unit, claim: Claim, said: Said, state: AttemptState, why: str, at: datetime) -> None:
    held = claim.delivery
    entry = audits.Entry(
        "outcome",
        "hub",
        agency=said.agency.id,
        case=held.case,
        strand=held.strand,
        delivery=held.id,
        attempt=said.attempt,
        outcome=state.value,
        detail={"failure": why} if why else {},
    )
    audits.record(unit, entry, at)


def unwritable(parts: Parts, claim: Claim, why: Unwritable) -> DeliveryState:
    """The recipient's format cannot say it: parked, for who keeps the pack."""
    return park(parts, claim, f"unwritable-{why.kind}"[:80])


def give_back(parts: Parts, claim: Claim) -> DeliveryState:
    """The facts changed meanwhile, or somebody else is to take it: it is due again at once."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        deliveries.give_back(unit, claim, at)
    parts.dispatcher.wake([claim.delivery.id])
    return DeliveryState.PENDING


def waits_in_inbox(parts: Parts, claim: Claim, told: Disclosed) -> bool:
    """Leave it for the recipient to fetch, if that is how it is reached."""
    if not parts.registry.get(told.recipient).transports.fetches:
        return False
    waits_elsewhere(parts, claim, told)
    return True


def waits_elsewhere(parts: Parts, claim: Claim, told: Disclosed) -> None:
    """Note the addressee and the reader that it is really for, and let it wait for that one."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        deliveries.address(unit, claim, told.recipient)
        deliveries.attend(unit, claim, told.officer)
        deliveries.give_back(unit, claim, at)
