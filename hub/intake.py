"""The steps of `exchange.accept`: each does one thing to a message that has come in.

split      the messages of a batch, each of which is taken in by itself
read       choose the pack, let it read and label what it read; a refusal is noted and raised
unsound    what the validator holds against it
repeated   the same message again: the same answer; its key with other content: a conflict
keep       the message itself, under an intake key of its own
take       one child's strand: match, refer, claim, offer
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from adapters.errors import Refusal, Unsupported
from adapters.pack import Bundle, Context, Deviation, Head, Loss, Pack, Reading
from adapters.r4.validate import validate
from consent import label
from consent.vocabulary import Event
from hub import facts, identity, referrals
from hub.bundles import claims_of, data_classes_of, event_of, focuses_of, patient_of, replaced_of
from hub.envelope import Acknowledgement, Envelope
from hub.errors import Busy, Conflict, Fault, Forbidden, KeyLost, NotFound, Refused, TooLarge
from hub.identity import Match
from hub.parts import Parts
from hub.states import CaseState, MessageState, StrandState
from hub.storage import attempts, audits, deliveries, messages, persons, strands, tasks
from hub.storage.ids import new_id
from hub.storage.messages import Kept
from hub.storage.referrals import Referral
from hub.storage.store import Unit
from hub.storage.strands import Strand


@dataclass(frozen=True, slots=True)
class Heard:
    """A message read, and what is known about it before it is kept."""

    envelope: Envelope
    pack: Pack
    reading: Reading
    faults: tuple[Fault, ...]
    loss: tuple[Loss, ...]
    strands: tuple[tuple[Bundle, dict[str, str]], ...]
    """Each child's labelled bundle and source leaves, worked out before the commit; none of an unsound message."""
    at: datetime

    @property
    def key(self) -> str:
        """The key that makes it the same message again; "" if it has none."""
        return self.envelope.key or self.reading.head.key


# --- what do they say, and is it sound? ----------------------------------------------------------------------------


def split(parts: Parts, envelope: Envelope) -> tuple[Envelope, ...]:
    """One envelope for each message of a batch, none for what is no batch. Its messages go by their own keys.

    Raises :class:`hub.errors.Refused` when the batch is not whole: nothing of it is taken. `TooLarge` as :func:`read`.
    """
    if len(envelope.raw) > parts.settings.max_body:
        raise TooLarge
    pack = _pack(parts, envelope)
    try:
        found = pack.split(envelope.raw)
    except Refusal as refusal:
        note_refusal(parts, envelope.agency, envelope.transport, "", refusal)
        raise Refused(str(refusal), faults=(_fault(refusal),)) from refusal
    return tuple(replace(envelope, raw=raw, key="") for raw in found)


def read(parts: Parts, envelope: Envelope) -> Heard:
    """Let the agency's pack read the message, and the validator judge it.

    Raises :class:`hub.errors.Refused`, `TooLarge` or `Forbidden`; a refusal is noted for operators.
    """
    at = parts.clock.now()
    if len(envelope.raw) > parts.settings.max_body:
        raise TooLarge
    pack = _pack(parts, envelope)
    context = Context(at=at, agency=envelope.agency, id_key=parts.vault.derive("packs/ids"), zone=parts.settings.zone)
    try:
        reading = pack.read(envelope.raw, context)
    except Refusal as refusal:
        note_refusal(parts, envelope.agency, envelope.transport, _type(pack, envelope, context), refusal)
        raise Refused(str(refusal), faults=(_fault(refusal),)) from refusal
    faults = unsound(reading)
    strands = () if faults else tuple((_ready(parts, each.bundle), dict(each.leaves)) for each in reading.strands)
    return Heard(envelope, pack, reading, faults, tuple(reading.loss), strands, at)


def _ready(parts: Parts, bundle: Bundle) -> Bundle:
    """A child's part as the hub keeps it: its request has a number, its data their labels."""
    return label(referrals.numbered(bundle, new_id), parts.policy)


def unsound(reading: Reading) -> tuple[Fault, ...]:
    """What is wrong with the canonical bundles: errors of the validator, or an event that the hub does not know."""
    found: list[Fault] = []
    for number, strand in enumerate(reading.strands):
        place = f"strand[{number}]"
        issues = [each for each in validate(strand.bundle) if each.severity == "error"]
        found += [Fault(f"{place}.{each.expression}", each.code, each.diagnostics) for each in issues]
        if event_of(strand.bundle) not in set(Event):
            found.append(Fault(f"{place}.Bundle.entry[0]", "event", "The message has no event of this hub."))
    if not reading.strands:
        found.append(Fault("Bundle", "empty", "Nothing in the message is about a child."))
    return tuple(found)


def note_refusal(parts: Parts, agency: str, transport: str, type_: str, refusal: Refusal) -> None:
    """Note that something was refused: place and reason, nothing of it."""
    with parts.store.write() as unit:
        messages.refuse(unit, agency or None, parts.clock.now(), transport, type_, [asdict(_fault(refusal))])


def note_conflict(parts: Parts, heard: Heard) -> None:
    """Let an operator see that a message key was used again for other content."""
    refusal = Refusal("", "key-reused", "Use a new message key for new content.")
    note_refusal(parts, heard.envelope.agency, heard.envelope.transport, heard.reading.head.type, refusal)


def _pack(parts: Parts, envelope: Envelope) -> Pack:
    spoken = parts.registry.get(envelope.agency, parts.clock.now()).packs.in_
    if envelope.pack and envelope.pack not in spoken:
        raise Forbidden("This agency is not registered for that format.")
    asked = envelope.media_type.partition(";")[0].strip().lower()
    for name in [envelope.pack] if envelope.pack else spoken:
        pack = parts.packs.get(name)
        if pack is not None and (not asked or envelope.pack or asked in pack.media_types):
            return pack
    refusal = Unsupported("", "media-type", "Send one of the formats that this agency is registered for.")
    note_refusal(parts, envelope.agency, envelope.transport, "", refusal)
    raise Refused(str(refusal), faults=(_fault(refusal),)) from refusal


def _type(pack: Pack, envelope: Envelope, context: Context) -> str:
    try:
        return pack.head(envelope.raw, context).type
    except Refusal:
        return ""


def _fault(refusal: Refusal) -> Fault:
    return Fault(refusal.place, refusal.kind, refusal.why)


# --- has it been said before? --------------------------------------------------------------------------------------


def repeated(parts: Parts, unit: Unit, heard: Heard) -> Acknowledgement | None:
    """The answer given before to the same message. Raises :class:`hub.errors.Conflict` for other content."""
    if not heard.key:
        return None
    earlier = messages.with_key(unit, heard.envelope.agency, _key_token(parts, heard))
    if earlier is None:
        return None
    if earlier.content_hash != _content_hash(parts, heard):
        raise Conflict
    return _answer_again(parts, unit, earlier, heard.reading.head)


def _key_token(parts: Parts, heard: Heard) -> str:
    return parts.vault.token("message-key", heard.envelope.agency, heard.key)


def _content_hash(parts: Parts, heard: Heard) -> str:
    """Keyed hash of what was said, without when it was sent: a sender that repeats itself puts a new time on it."""
    return parts.vault.token("content", hashlib.sha256(untimed(heard.envelope.raw)).hexdigest())


def untimed(raw: bytes) -> bytes:
    """An HL7 v2 message without MSH-7; anything else as it is."""
    header, mark, rest = raw.partition(b"\r")
    if not header.startswith(b"MSH"):
        return raw
    fields = header.split(header[3:4])
    return header[3:4].join([*fields[:6], b"", *fields[7:]]) + mark + rest


def _answer_again(parts: Parts, unit: Unit, earlier: Kept, head: Head) -> Acknowledgement:
    state = MessageState(earlier.state)
    if earlier.answer is None or earlier.intake_key is None:
        return Acknowledgement(earlier.id, state, head, duplicate=True)
    try:
        answer = msgspec.json.decode(parts.vault.open(unit, earlier.intake_key, earlier.answer, _aad(earlier.id)))
    except KeyLost:
        return Acknowledgement(earlier.id, state, head, duplicate=True)
    return Acknowledgement(
        earlier.id,
        state,
        msgspec.convert(answer["head"], Head),
        msgspec.convert(answer["deviations"], tuple[Deviation, ...]),
        msgspec.convert(answer["loss"], tuple[Loss, ...]),
        msgspec.convert(answer["faults"], tuple[Fault, ...]),
        duplicate=True,
    )


def said(parts: Parts, agency: str, message: str) -> dict[str, Any]:
    """What became of a message, for its own sender: state and faults, nothing of others. Raises `NotFound`."""
    with parts.store.read() as unit:
        kept = messages.get(unit, message)
    if kept is None or kept.agency != agency:
        raise NotFound
    return {
        "message": kept.id,
        "type": kept.type,
        "state": kept.state,
        "received": kept.received_at.isoformat(),
        "problems": kept.problems.get("faults", []),
    }


# --- keep it -------------------------------------------------------------------------------------------------------


def require_room(parts: Parts, unit: Unit) -> None:
    """Refuse more than the queue may hold. Raises :class:`hub.errors.Busy`."""
    if deliveries.waiting(unit) >= parts.settings.max_queue:
        raise Busy


def keep(parts: Parts, unit: Unit, heard: Heard) -> Acknowledgement:
    """Keep the original bytes and the answer under an intake key. Raises `messages.KeyTaken`."""
    reading, envelope = heard.reading, heard.envelope
    state = MessageState.QUARANTINED if heard.faults else MessageState.STORED
    told = Acknowledgement(new_id(), state, reading.head, reading.deviations, heard.loss, heard.faults)
    expires = heard.at + timedelta(days=parts.routes.original_days)
    intake = parts.vault.new_key(unit, "intake", heard.at, expires)
    answer = {"head": told.head, "deviations": told.deviations, "loss": told.loss, "faults": told.faults}
    messages.add(
        unit,
        Kept(
            id=told.message,
            agency=envelope.agency,
            key_token=_key_token(parts, heard) if heard.key else None,
            content_hash=_content_hash(parts, heard),
            transport=envelope.transport,
            type=reading.head.type,
            event=reading.head.event.value if reading.head.event else None,
            pack=heard.pack.id,
            pack_version=heard.pack.version,
            pack_hash=heard.pack.hash,
            state=state.value,
            received_at=heard.at,
            original=parts.vault.seal(unit, intake, envelope.raw, f"original:{told.message}".encode()),
            intake_key=intake,
            answer=parts.vault.seal(unit, intake, msgspec.json.encode(answer), _aad(told.message)),
            problems={"faults": [asdict(each) for each in heard.faults]},
        ),
    )
    _note_message(unit, heard, told)
    return told


def _note_message(unit: Unit, heard: Heard, told: Acknowledgement) -> None:
    agency = heard.envelope.agency
    entry = audits.Entry("accepted", agency, message=told.message, outcome=told.state.value)
    audits.record(unit, entry, heard.at)
    if told.state is MessageState.QUARANTINED:
        task = tasks.NewTask("quarantine", "not-valid", "operator", subject={"message": told.message, "agency": agency})
        tasks.start(unit, task, heard.at)


def _aad(message: str) -> bytes:
    return f"answer:{message}".encode()


# --- whose child is it? --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One child's part of a message: whose it is, and the referral that it belongs to."""

    bundle: Bundle
    leaves: dict[str, str]
    match: Match
    said: referrals.Said
    referral: Referral | None
    same: tuple[str, ...] = ()
    """Other children that the sender says are this one (a hospital has merged two records)."""


def match(parts: Parts, unit: Unit, heard: Heard) -> list[Part]:
    """Find the child of each strand; all identifiers are locked first, then all cases, lowest id first."""
    patients = [patient_of(bundle) for bundle, _ in heard.strands]
    identity.hold(unit, parts.vault, patients, heard.envelope.agency)
    found = [_part(parts, unit, heard, bundle, leaves) for bundle, leaves in heard.strands]
    for case in sorted({each.match.case.id for each in found}):
        persons.get_case(unit, case, lock=True)
    return found


def _part(parts: Parts, unit: Unit, heard: Heard, bundle: Bundle, leaves: dict[str, str]) -> Part:
    agency, said = heard.envelope.agency, referrals.said_of(bundle)
    referral = _answered(parts, unit, heard) or referrals.belonging(unit, parts.vault, said, agency)
    hint = persons.get_case(unit, referral.case).person if referral else None
    found = identity.match(unit, parts.vault, patient_of(bundle), agency, heard.at, hint)
    if referral is None:
        referral = referrals.belonging(unit, parts.vault, said, agency, (found.case.id,))
    if referral is not None and referral.case != found.case.id:
        referral = None
    same = identity.said_same(unit, parts.vault, replaced_of(bundle), agency, found.person.id)
    return Part(bundle, leaves, found, said, referral, same)


def _answered(parts: Parts, unit: Unit, heard: Heard) -> Referral | None:
    """The referral of the message of ours that this one answers (MSA-2)."""
    agency, answers = heard.envelope.agency, heard.reading.head.answers
    if not answers:
        return None
    for attempt in attempts.by_outbound_token(unit, parts.vault.token("outbound", agency, answers)):
        about = deliveries.get(unit, attempt.delivery).referral
        found = referrals.get(unit, about) if about is not None else None
        if found is not None and persons.get_case(unit, found.case).state != CaseState.ERASED:
            return found
    return None


# --- one strand ----------------------------------------------------------------------------------------------------


def take(parts: Parts, unit: Unit, heard: Heard, message: str, ordinal: int, part: Part) -> list[str]:
    """Keep one strand: its referral, its claims, itself; then offer it. Answers the deliveries to wake."""
    agency, event = heard.envelope.agency, Event(event_of(part.bundle))
    case = persons.get_case(unit, part.match.case.id)
    performer = referrals.named(part.said.performer, parts.registry.list())
    kept = referrals.keep(
        unit, parts.vault, parts.routes, case, event, part.said, agency, performer, part.referral, heard.at
    )
    if kept.referral is not None and not part.said.placers:
        numbers = referrals.numbers_of(unit, parts.vault, kept.referral.id)
        referrals.answered(part.bundle, numbers.get("placers", ()))
    strand = _strand(parts, heard, message, ordinal, part, kept.referral)
    strands.add(unit, parts.vault, case.vault_key, strand, part.bundle, part.leaves)
    _note_strand(unit, heard, strand)
    _raise_reviews(unit, heard, strand, part, kept)
    changed = _claim(parts, unit, heard, strand, part.bundle)
    if event is Event.REPORT:
        _owe(parts, unit, heard, strand)
    held = facts.facts_of(unit, parts.vault, case.id, parts.settings.zone)
    offered = referrals.offer(unit, parts.router, strand, data_classes_of(part.bundle), held, heard.at)
    if changed:
        offered += referrals.offer_case(unit, parts.vault, parts.router, case.id, held, heard.at)
    return offered


def _strand(parts: Parts, heard: Heard, message: str, ordinal: int, part: Part, referral: Referral | None) -> Strand:
    event = event_of(part.bundle)
    focus = "|".join(focuses_of(part.bundle))
    unrouted = event in referrals.OPENING and not (referral and referral.performer)
    state = StrandState.UNROUTED if unrouted else StrandState.READY
    return Strand(
        id=new_id(),
        message=message,
        ordinal=ordinal,
        agency=heard.envelope.agency,
        person=part.match.person.id,
        case=part.match.case.id,
        referral=referral.id if referral else None,
        event=event,
        state=state.value if part.match.certain else StrandState.HELD_FOR_MATCH.value,
        created_at=heard.at,
        focus=parts.vault.token("focus", heard.envelope.agency, event, focus) if focus else None,
        moved_from=None,
    )


def _note_strand(unit: Unit, heard: Heard, strand: Strand) -> None:
    entry = audits.Entry(
        "strand",
        strand.agency,
        case=strand.case,
        message=strand.message,
        strand=strand.id,
        outcome=strand.state,
        detail={"event": strand.event, "pack": heard.pack.id},
    )
    audits.record(unit, entry, heard.at)


def _raise_reviews(unit: Unit, heard: Heard, strand: Strand, part: Part, kept: referrals.Kept) -> None:
    """What a person looks at: an uncertain match, two said to be one, a request for nobody, a state out of turn."""
    found: list[tuple[str, str, str, dict[str, Any]]] = []
    if not part.match.certain and not tasks.listing(unit, kinds=("match-review",), case=strand.case, limit=1):
        who = {"person": part.match.person.id, "candidates": list(part.match.candidates)}
        found.append(("match-review", "R33-uncertain-match", "case-worker", who))
    for other in set(part.same) - set(part.match.candidates):
        who = {"person": other, "candidates": [part.match.person.id]}
        found.append(("match-review", "said-to-be-one", "case-worker", who))
    if part.match.case.state == CaseState.CLOSED:
        found.append(("said-again", "case-closed", "case-worker", {}))
    if strand.state == StrandState.UNROUTED:
        found.append(("unrouted", "no-performer", "operator", {}))
    if kept.conflict:
        found.append(("referral-conflict", kept.conflict, "case-worker", {"referral": strand.referral}))
    for kind, reason, owner, about in found:
        subject = {"strand": strand.id} | about
        tasks.start(unit, tasks.NewTask(kind, reason, owner, strand.case, subject=subject), heard.at)


def _owe(parts: Parts, unit: Unit, heard: Heard, strand: Strand) -> None:
    """An agency's report is a mandatory one: it is owed to whoever stands on its routes (R18), and to no one else."""
    rows = [row for row in parts.routes.rows if row.standing and Event.REPORT in row.events]
    owed = {each.id for row in rows for each in parts.registry.on_route(row.standing, heard.at)} - {strand.agency}
    if owed:
        body = {"owed_to": sorted(owed), "start": heard.at.isoformat()}
        facts.record(unit, parts.vault, strand.case, "report", body, heard.at, strand.agency)


CLAIMS = {
    "decision": ("order-claim", "case-worker"),
    "consent": ("consent-claim", "consent-admin"),
    "withdrawal": ("withdrawal-claim", "consent-admin"),
    "emergency": ("emergency-claim", "case-worker"),
}
"""What a claim is recorded as, and who looks at it."""


def _claim(parts: Parts, unit: Unit, heard: Heard, strand: Strand, bundle: Bundle) -> bool:
    """Record what the sender claims, for a person to look at; a reported withdrawal suspends consents at once."""
    suspended = False
    for claim in claims_of(bundle):
        kind, owner = CLAIMS.get(claim.kind, ("emergency-claim", "case-worker"))
        body = asdict(claim) | {"agency": strand.agency, "strand": strand.id, "referral": strand.referral or ""}
        kept = facts.record(unit, parts.vault, strand.case, kind, body, heard.at, strand.agency)
        task = tasks.NewTask(kind, "claimed", owner, strand.case, subject={"fact": kept.id, "strand": strand.id})
        tasks.start(unit, task, heard.at)
        if claim.kind == "withdrawal":
            suspended |= facts.suspend_consents(unit, parts.vault, strand.case, heard.at, strand.agency)
    return suspended
