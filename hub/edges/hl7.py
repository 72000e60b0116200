"""What the MLLP door says to a hospital: takes HL7 v2 messages in, one or a batch, answers in its own terms (MSA, ERR).

Who speaks is told by MSH-3 and MSH-4 together with the connection (`hub.directory`); the answer follows MSH-15 and
MSH-16: blank means original mode (AA, AE, AR), AL the enhanced one (CA, CE, CR), NE no answer at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from adapters.codecs.er7_ack import acknowledge, head_of, reject_batch, reject_garbage, reply_code
from adapters.codecs.er7_batch import answer_batch, control_of, is_batch, split_batch
from adapters.errors import Malformed, Refusal, TooLarge, Unsupported
from adapters.pack import DELETES, Context, Head, Pack
from hub import exchange
from hub.edges.mllp import Peer
from hub.errors import Busy, Conflict, Forbidden, HubError, NotFound
from hub.messaging.frames import Kind
from hub.parts import Parts

Speaker = Callable[[Head], str]
"""Whose message this is: a registry id; raises :class:`hub.errors.Forbidden`."""

_BUSY = Refusal("MSH[1]", "busy", "The hub is full; send again later.")
_INTERNAL = Refusal("MSH[1]", "internal", "The hub failed; the message is not kept.")

log = structlog.get_logger(__name__)


class Hl7Door:
    """The three callables that :class:`hub.edges.mllp.MllpServer` needs, over the line."""

    def __init__(self, parts: Parts) -> None:
        """`parts` as wired."""
        self._parts = parts

    def handle(self, raw: bytes, peer: Peer) -> bytes | None:
        """A message from the door, or a batch: whoever MSH and the connection say."""
        return self._answer_all(raw, lambda head: self._speaker(head, peer), "mllp")

    def inbound(self, agency: str, raw: bytes) -> bytes | None:
        """A message, or a batch, that came back on a connection which we opened to `agency`."""
        return self._answer_all(raw, lambda _head: agency, "answer")

    def refuse(self, kind: Kind) -> bytes:
        """The NACK for what is not a message."""
        exchange.note_refusal(self._parts, "", "mllp", "", _not_a_message(kind))
        return reject_garbage(self._parts.clock.now())

    def busy(self, raw: bytes) -> bytes:
        """AR: send again later."""
        at = self._parts.clock.now()
        if is_batch(raw):
            return reject_batch(control_of(raw), at, _BUSY)
        try:
            _pack, head = self._head(raw, at)
        except Refusal:
            return reject_garbage(at)
        return _say(head, "reject", at, (_BUSY,)) or b""

    def _answer_all(self, raw: bytes, speaker: Speaker, transport: str) -> bytes | None:
        """A batch is answered by a batch: the acknowledgement of each message that wants one (chapter 2.10.3.3)."""
        if not is_batch(raw):
            return self._answer(raw, speaker, transport)
        try:
            file = split_batch(raw)
        except Refusal as refusal:
            exchange.note_refusal(self._parts, "", transport, "", refusal)
            return reject_batch(control_of(raw), self._parts.clock.now(), refusal)
        answers = [[self._answer(each, speaker, transport) for each in batch.messages] for batch in file.batches]
        said = [[one for one in each if one is not None] for each in answers]
        return answer_batch(file, said, self._parts.clock.now())

    def _answer(self, raw: bytes, speaker: Speaker, transport: str) -> bytes | None:
        at = self._parts.clock.now()
        try:
            pack, head = self._head(raw, at)
        except Refusal as refusal:
            exchange.note_refusal(self._parts, "", transport, "", refusal)
            unread = head_of(raw)
            return _say(unread, "reject", at, (refusal,)) if unread else reject_garbage(at)
        try:
            agency = speaker(head)
            taken = exchange.accept(self._parts, exchange.Envelope(agency, transport, raw, pack=pack.id))
        except HubError as error:
            return _say(head, _outcome(error), at, _refusals(error))
        except Exception:
            log.exception("mllp-fault", transport=transport)
            return _say(head, "error", at, (_INTERNAL,))
        return _say(head, "accept", at, _not_deleted(taken), control=taken.message)

    def _head(self, raw: bytes, at: datetime) -> tuple[Pack, Head]:
        """Read MSH with the first pack of an MLLP sender that can."""
        refusal: Refusal = Malformed("MSH[1]", "no-header", "There is no MSH segment.")
        spoken = [name for one in self._parts.registry.list() if one.transports.mllp for name in one.packs.in_]
        for pack in (self._parts.packs[name] for name in dict.fromkeys(spoken) if name in self._parts.packs):
            try:
                return pack, pack.head(raw, Context(at=at))
            except Refusal as error:
                refusal = error
        raise refusal

    def _speaker(self, head: Head, peer: Peer) -> str:
        sender, facility = head.fields.get("sender", ""), head.fields.get("sender-facility", "")
        try:
            return self._parts.registry.mllp_sender(sender, facility, peer.address, peer.certificate).id
        except Forbidden:
            unknown = Refusal("MSH[1]-3", "unknown-agency", "This sender is not registered here.")
            exchange.note_refusal(self._parts, "", "mllp", head.type, unknown)
            raise


def _say(head: Head, outcome: str, at: datetime, refusals: Sequence[Refusal], control: str = "") -> bytes | None:
    """The acknowledgement that MSH-15 and MSH-16 ask for; its own id is derived, so that a duplicate gets it again."""
    code = reply_code(head, outcome)
    if code is None:
        return None
    own = "A" + hashlib.sha256((control or head.key).encode()).hexdigest()[:19]
    return acknowledge(head, code, own, at, refusals)


def _outcome(error: HubError) -> str:
    """`reject` for what this hub does not speak or cannot take now, `error` for what is wrong in the message."""
    if isinstance(error, (Busy, Forbidden, NotFound)):
        return "reject"
    return "reject" if isinstance(error.__cause__, (Unsupported, TooLarge, Malformed)) else "error"


def _refusals(error: HubError) -> tuple[Refusal, ...]:
    if isinstance(error.__cause__, Refusal):
        return (error.__cause__,)
    if error.faults:
        return tuple(Refusal(fault.place, fault.kind, fault.why) for fault in error.faults)
    place = "MSH[1]-10" if isinstance(error, Conflict) else "MSH[1]"
    return (Refusal(place, type(error).__name__.lower(), str(error)),)


def _not_deleted(taken: exchange.Acknowledgement) -> tuple[Refusal, ...]:
    """Each wish to delete (``""``), since it is not done: a warning in the acknowledgement (docs/decisions/0020)."""
    return tuple(Refusal(loss.place, "not-deleted", loss.why) for loss in taken.loss if loss.why == DELETES)


def _not_a_message(kind: Kind) -> Refusal:
    if kind is Kind.OVERSIZED:
        return TooLarge("", "too-large", "The frame is larger than this hub accepts.")
    return Malformed("", "no-frame", "The bytes are not an MLLP frame that holds a message.")
