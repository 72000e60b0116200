"""The one door out: everything that leaves, by whichever way, is what `disclose` answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec

from adapters.pack import Bundle
from consent import decide, items_of, rekey, release
from consent.model import Decision, Disclosure, Facts, Party
from consent.vocabulary import Action, DataClass, Event, Purpose, View
from hub import facts
from hub.bundles import header_of
from hub.errors import NotFound
from hub.identity import as_told_to
from hub.parts import Parts
from hub.referrals import names_of
from hub.storage import referrals, strands
from hub.storage.attempts import Ground
from hub.storage.store import Unit
from hub.storage.strands import Strand

HUB = Party(id="hub")
"""The hub itself as a sender, of a recall."""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What one agency may be told of one strand at one moment, and why."""

    disclosure: Disclosure
    facts: Facts = field(repr=False)
    decision: Decision
    at: datetime
    bundle: Bundle | None = field(default=None, repr=False)
    """What is released; None when nothing leaves."""
    rest: str | None = None
    """Another reader of the recipient who has a message of their own to come: an officer, or "" for the desk."""
    unreached: tuple[str, ...] = ()
    """Officers who may learn more than the agency's desk, but to whom alone the agency cannot be spoken to."""

    @property
    def leaves(self) -> bool:
        """Whether a message leaves: something is permitted, and with it what the message is about."""
        return self.bundle is not None

    @property
    def recipient(self) -> str:
        """Registry id of who would really be told: the alternate addressee where the unit is bypassed (R40)."""
        return self.disclosure.recipient.id

    @property
    def officer(self) -> str:
        """The officer of the recipient who alone may read it; "" = the agency's desk."""
        return self.disclosure.recipient.officer

    @property
    def epoch(self) -> int:
        """The epoch of the facts that were read."""
        return self.facts.epoch

    def places(self) -> dict[str, View]:
        """What leaves, and how much of it."""
        return {each.place: each.view for each in self.decision.verdicts if each.view is not View.NONE}

    def grounds(self) -> tuple[Ground, ...]:
        """The facts that each item which leaves rests on."""
        return tuple(
            sorted(
                {
                    Ground(verdict.basis.value, ref.kind, ref.id, ref.version)
                    for verdict in self.decision.verdicts
                    if verdict.view is not View.NONE and verdict.basis is not None
                    for reason in verdict.reasons
                    for ref in reason.read
                }
            )
        )

    def replay(self) -> bytes:
        """The decision's arguments and answer, so that it can be made again years later; to be sealed."""
        kept = {"disclosure": self.disclosure, "facts": self.facts, "at": self.at, "decision": self.decision}
        return _encode(kept)


def disclose(
    parts: Parts,
    unit: Unit,
    strand: Strand,
    recipient: str,
    purposes: Iterable[str],
    at: datetime,
    known: Facts | None = None,
    action: Action = Action.DISCLOSE,
    officer: str = "",
) -> Disclosed:
    """Decide what of `strand` `recipient` may learn at `at`, and release only that.

    A unit that is linked to a suspect is bypassed: the answer is for its alternate addressee then (R40). `known` are
    facts to decide by instead of the recorded ones (a preview), `officer` the person of the recipient who reads.
    Raises :class:`hub.errors.KeyLost`, `NotFound`.
    """
    bundle = strands.bundle_of(unit, parts.vault, strand.id)
    held = known or facts.facts_of(unit, parts.vault, strand.case, parts.settings.zone)
    asked = Disclosure(
        sender=_sender(parts, strand.agency),
        recipient=replace(parts.registry.party(recipient), officer=officer),
        person=strand.person,
        case=strand.case,
        event=Event(strand.event),
        purposes=frozenset(Purpose(each) for each in purposes),
        action=action,
        items=items_of(bundle),
        referral=strand.referral or "",
        requested=_requested(unit, strand, recipient),
    )
    found = Disclosed(asked, held, decide(asked, held, parts.policy, at), at)
    if found.decision.redirect == "alternate" and asked.event is Event.RECALL:
        # Whoever holds it gives it back, a linked unit above all; a recall tells nothing but the message's id.
        return replace(found, bundle=bundle)
    if found.decision.redirect == "alternate":
        found = _bypass(parts, found)
    return _with_bundle(parts, bundle, found)


def disclose_each(
    parts: Parts,
    unit: Unit,
    strand: Strand,
    recipient: str,
    purposes: Iterable[str],
    at: datetime,
    known: Facts | None = None,
) -> tuple[Disclosed, ...]:
    """The same, once for each who reads there: the agency's desk, and every officer who may learn more than the desk.

    Only officers whom a recorded fact names for that agency, and whom alone the registry knows how to reach. Always at
    least one answer; several only if each of them leaves. Raises :class:`hub.errors.KeyLost`, `NotFound`.
    """
    desk = disclose(parts, unit, strand, recipient, purposes, at, known)
    named = _officers_named(desk)
    if not named or desk.decision.redirect:
        return (desk,)
    bundle = strands.bundle_of(unit, parts.vault, strand.id)
    sealed = [told for each in named if _more(told := _read_by(parts, bundle, desk, each), desk)]
    agency = parts.registry.get(desk.recipient)
    reached = [each for each in sealed if agency.hands_to(each.officer, at)]
    unreached = tuple(each.officer for each in sealed if not agency.hands_to(each.officer, at))
    found = ([desk] if desk.leaves or not reached else []) + reached
    return tuple(replace(each, unreached=unreached) for each in found)


def _officers_named(desk: Disclosed) -> tuple[str, ...]:
    """Whom orders, dangers and the case team name for the recipient; whether that counts is for the decision.

    Breaking the glass names nobody here: it lets somebody read for hours (R21), and what was handed over is kept.
    """
    held, me = desk.facts, desk.recipient
    found = [item.officer for order in held.orders for item in order.items if item.recipient == me]
    found += [each.officer for each in held.emergencies if each.agency == me and each.kind == "vital"]
    found += [each.officer for each in held.team if each.agency == me]
    return tuple(sorted(set(found) - {""}))


def _read_by(parts: Parts, bundle: Bundle, desk: Disclosed, officer: str) -> Disclosed:
    """What one officer of the recipient may learn; nothing where that officer is linked to a suspect."""
    asked = replace(desk.disclosure, recipient=replace(desk.disclosure.recipient, officer=officer))
    found = Disclosed(asked, desk.facts, decide(asked, desk.facts, parts.policy, desk.at), desk.at)
    return found if found.decision.redirect else _with_bundle(parts, bundle, found)


def _more(his: Disclosed, desk: Disclosed) -> bool:
    """Whether a message of the officer's own says more than the desk's."""
    known = {each.place: each.view.rank for each in desk.decision.verdicts}
    return his.leaves and (not desk.leaves or any(each.view.rank > known[each.place] for each in his.decision.verdicts))


def _with_bundle(parts: Parts, bundle: Bundle, found: Disclosed) -> Disclosed:
    """Release what the decision permits, unless the message says nothing without what is withheld."""
    if not found.decision.leaves:
        return found
    released = _released(parts, bundle, found)
    if found.disclosure.event in parts.routes.needs_focus and not header_of(released).get("focus"):
        return found
    return replace(found, bundle=released)


def _bypass(parts: Parts, found: Disclosed) -> Disclosed:
    """Ask again for the alternate addressee; without one, or if that is linked too, nothing leaves."""
    linked = found.disclosure.recipient
    alternate = parts.registry.get(linked.id).alternate
    if alternate is None:
        return found
    instead = replace(parts.registry.party(alternate), alternate_for=(linked.id,))
    asked = replace(found.disclosure, recipient=instead)
    return Disclosed(asked, found.facts, decide(asked, found.facts, parts.policy, found.at), found.at)


def _released(parts: Parts, bundle: Bundle, found: Disclosed) -> Bundle:
    released = release(bundle, found.decision)
    if found.disclosure.sender.id != found.recipient:
        released = as_told_to(released, names_of(parts.registry.get(found.recipient)))
    return rekey(released, parts.vault.derive(f"recipient/{found.recipient}"))


def _sender(parts: Parts, agency: str) -> Party:
    if agency == HUB.id:
        return HUB
    try:
        return parts.registry.party(agency)
    except NotFound:
        return Party(id=agency)


def _requested(unit: Unit, strand: Strand, recipient: str) -> frozenset[DataClass]:
    """The classes that the recipient asked for in the referral that the strand belongs to."""
    about = referrals.get(unit, strand.referral) if strand.referral else None
    if about is None or about.requester != recipient:
        return frozenset()
    return frozenset(DataClass(each) for each in about.asked)


def release_hash(parts: Parts, told: Disclosed) -> str:
    """Keyed hash of what is released to whom: equal only for equal content, and for the same reader."""
    content = hashlib.sha256(_encode(told.bundle)).hexdigest()
    reader = (told.officer,) if told.officer else ()
    return parts.vault.token("release", told.recipient, content, *reader)


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=_plain, order="deterministic")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be kept")
