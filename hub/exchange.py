"""The line, in two halves.

    accept                                      deliver (later, maybe again, maybe elsewhere)
    ------                                      -------
    who is speaking?      authenticate          what is due?         claim the next delivery of a stream
    what do they say?     pack.read             what holds now?      the facts
    is it sound?          validate              may it leave?        decide
    whose child is it?    match                 only that much       release
    how delicate is it?   label                 in their words       recipient.pack.write
    keep it               store + queue         leave a trace        record the attempt; one commit
    say so                acknowledge           hand it over         send, then note the outcome

The doors authenticate before they call `accept`; the worker claims before it calls `deliver`. Nothing is acknowledged
before its one commit; nothing leaves but through `disclose`; no decision is kept for later. The steps are in
`hub.intake`, `hub.disclosing` and `hub.outgoing`; `hub.inbox` is the second half for an agency that fetches.
"""

from __future__ import annotations

import structlog

from adapters.errors import Unwritable
from hub import intake, outgoing
from hub.disclosing import disclose
from hub.envelope import Acknowledgement, Envelope, Fetched, Waiting
from hub.errors import Conflict, HubError, KeyLost, Stale
from hub.failpoints import reached
from hub.inbox import confirm, fetch, inbox
from hub.intake import note_refusal, said, split
from hub.messaging.transport import Sent
from hub.parts import Parts
from hub.recalls import recall
from hub.states import DeliveryState
from hub.storage.deliveries import Claim
from hub.storage.messages import KeyTaken

__all__ = [
    "Acknowledgement",
    "Envelope",
    "Fetched",
    "Waiting",
    "accept",
    "confirm",
    "deliver",
    "disclose",
    "fetch",
    "inbox",
    "note_refusal",
    "recall",
    "said",
    "split",
]

log = structlog.get_logger(__name__)


def accept(parts: Parts, envelope: Envelope) -> Acknowledgement:
    """Take in one message: read it, find its children, keep it and queue what follows, in one commit.

    Raises :class:`hub.errors.Refused` (its cause is the adapter's refusal), `Conflict`, `TooLarge`, `Busy` or
    `Forbidden`.
    """
    heard = intake.read(parts, envelope)
    try:
        told, queued = _keep(parts, heard)
    except KeyTaken:
        told, queued = _keep(parts, heard)
    except Conflict:
        intake.note_conflict(parts, heard)
        raise
    reached("accepted")
    if queued:
        parts.dispatcher.wake(queued)
    return told


def _keep(parts: Parts, heard: intake.Heard) -> tuple[Acknowledgement, list[str]]:
    """The one commit: nothing of a message is kept without the rest of it."""
    with parts.store.write() as unit:
        before = intake.repeated(parts, unit, heard)
        if before is not None:
            return before, []
        intake.require_room(parts, unit)
        told = intake.keep(parts, unit, heard)
        if heard.faults:
            return told, []
        found = intake.match(parts, unit, heard)
        queued = [intake.take(parts, unit, heard, told.message, number, each) for number, each in enumerate(found)]
        return told, [delivery for each in queued for delivery in each]


def deliver(parts: Parts, claim: Claim) -> DeliveryState:
    """Decide, record and send one claimed delivery, and note the outcome; the worker calls it after each claim.

    Everything is written here, the failure too; answers the state that the delivery is in now. Raises
    :class:`hub.errors.Fenced` when another worker took it over: then nothing more is written.
    """
    try:
        told = outgoing.decide(parts, claim.delivery)
        closed = outgoing.settled(parts, claim, told)
        if closed is not None:
            return closed
        if outgoing.waits_in_inbox(parts, claim, told):
            return DeliveryState.PENDING
        return _send(parts, claim, outgoing.write(parts, claim, told))
    except Stale:
        return outgoing.give_back(parts, claim)
    except KeyLost:
        return outgoing.erased(parts, claim)
    except Unwritable as why:
        return outgoing.unwritable(parts, claim, why)


def _send(parts: Parts, claim: Claim, saying: outgoing.Said) -> DeliveryState:
    with parts.underway.sending(saying.attempt) as abort:
        outgoing.record(parts, claim, saying)
        state, sent = outgoing.hand_over(parts, claim, saying, abort)
    _take_answer(parts, saying, sent)
    return state


def _take_answer(parts: Parts, saying: outgoing.Said, sent: Sent | None) -> None:
    """What came back on the same connection (an RRI) is a message of the recipient's own."""
    if sent is None or not sent.answer:
        return
    try:
        accept(parts, Envelope(saying.agency.id, "answer", sent.answer))
    except HubError as error:
        log.warning("answer-refused", agency=saying.agency.id, attempt=saying.attempt, error=type(error).__name__)
