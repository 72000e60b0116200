"""What people with a role do to a case: find a child, record facts, verify orders, take and end consents, match.

Each function is one commit: the fact with its history, the case's next epoch, an audit row, and the current state
offered anew to whom the routes name. `actor` is an administrator's id, whose role the caller has checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from consent.people import people_at
from hub import facts, identity, referrals
from hub.accounts import account
from hub.authoring import warnings_of
from hub.errors import Conflict, Fault, Forbidden, Invalid
from hub.facts import BY_THE_HUB, KINDS, read_body
from hub.failpoints import reached
from hub.parts import Parts
from hub.recalls import recall
from hub.security.signing import verify_detached
from hub.states import DeliveryState
from hub.storage import attempts, audits, deliveries, persons, tasks, withdrawals
from hub.storage import facts as stored
from hub.storage.facts import Fact
from hub.storage.store import Unit

__all__ = [
    "Found",
    "Recorded",
    "Withdrawing",
    "account",
    "approve",
    "clear_suspect",
    "find",
    "history",
    "order_payload",
    "record",
    "relate",
    "resolve_match",
    "settle_withdrawals",
    "turn_into_consent",
    "unlink",
    "verify_order",
    "withdraw",
    "withdrawal",
]

HUB_FIELDS = frozenset({"entered_by", "verified_by", "revoked"})
"""What is not part of an order's signed content."""


@dataclass(frozen=True, slots=True)
class Found:
    """A child that a search named."""

    person: str
    case: str
    certain: bool
    """False while whose record it is has not been resolved."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One version of one fact, as now kept."""

    fact: str
    version: int
    epoch: int
    kind: str = ""
    current: bool = True
    at: datetime | None = None
    by: str = ""
    body: Mapping[str, Any] | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()
    """Of a consent just recorded: what whoever wrote it should see (`consent.authoring`)."""


@dataclass(frozen=True, slots=True)
class Withdrawing:
    """A withdrawal and its two instants; `effective_at` is None while something is under way."""

    id: str
    case: str
    consent: str
    recorded_at: datetime
    effective_at: datetime | None
    counts: bool = True
    """False when a barred person asked: recorded, without effect (R8)."""


# --- children ------------------------------------------------------------------------------------------------------


def find(parts: Parts, actor: str, query: Mapping[str, Any]) -> tuple[Found, ...]:
    """Children by `identifiers` [{type, system, value}] (of `agency`), or by `name` and `birth_date`; audited."""
    named = [
        {
            "type": {"coding": [{"code": str(each.get("type", ""))}]},
            "system": str(each.get("system", "")),
            "value": str(each.get("value", "")),
        }
        for each in query.get("identifiers") or ()
    ]
    name, birth = str(query.get("name") or ""), str(query.get("birth_date") or "")
    asked = {"identifier": named, "name": [{"text": name}] if name else [], "birthDate": birth}
    at = parts.clock.now()
    with parts.store.write() as unit:
        found = identity.find(unit, parts.vault, asked, str(query.get("agency") or ""))
        for each in found:
            audits.record(unit, audits.Entry("read", actor, case=each.case.id, outcome="found"), at)
        if not found:
            audits.record(unit, audits.Entry("read", actor, outcome="not-found"), at)
    return tuple(_found(each) for each in found)


def relate(parts: Parts, actor: str, case: str, body: Mapping[str, Any]) -> str:
    """Keep a related person (name, identifiers) of a case; answers the opaque id that facts name them by."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        held = persons.get_case(unit, case)
        person = stored.add_related(unit, parts.vault, held.vault_key, case, body, at, actor)
        audits.record(unit, audits.Entry("fact", actor, case=case, outcome="related", detail={"person": person}), at)
    return person


# --- facts ---------------------------------------------------------------------------------------------------------


def record(parts: Parts, actor: str, case: str, kind: str, body: Mapping[str, Any], fact: str = "") -> Recorded:
    """Record a fact, or the next version of `fact`. Kinds: `hub.facts.KINDS`.

    What the hub keeps of the act (who entered, who verified) is set here and never taken from `body`: a new version
    of an order has to be verified again, and a suspect is cleared only by `clear_suspect`.
    Raises :class:`hub.errors.Invalid`, `Forbidden`, `NotFound` or `Conflict`.
    """
    if kind in BY_THE_HUB or (kind == "suspect" and fact):
        raise Forbidden("This fact is not recorded that way.")
    _refuse_kept(kind, body)
    given = dict(body) | dict.fromkeys(ACTS.get(kind, ()), actor)
    if kind in DATED and not given.get("start"):
        given["start"] = parts.clock.now().isoformat()
    facts.require_known(read_body(kind, given), {each.id for each in parts.registry.list()})
    with _changing(parts) as change:
        if fact and kind == "consent" and facts.newest(change.unit, parts.vault, case, fact).body.get("withdrawn_at"):
            raise Conflict("A withdrawn consent does not come back; record a new one.")
        warnings = warnings_of(parts, change.unit, case, given, fact) if kind == "consent" else ()
        return replace(change.record(actor, case, kind, given, fact), warnings=warnings)


DATED = frozenset({"plan", "emergency", "authority"})
"""Facts that hold from when they are recorded, unless they say otherwise."""

ACTS = {"suspect": ("set_by",), "order": ("entered_by",), "authority": ("requested_by",)}
"""Fields that say who did it, set to the actor."""


def history(parts: Parts, actor: str, case: str, kind: str = "") -> tuple[Recorded, ...]:
    """Every version of every fact of a case (of one kind), oldest first; audited as a read."""
    with parts.store.write() as unit:
        held = persons.get_case(unit, case)
        found = stored.of_case(unit, parts.vault, held.vault_key, case, all_versions=True)
        audits.record(unit, audits.Entry("read", actor, case=case, outcome="history"), parts.clock.now())
    return tuple(_recorded(each) for each in found if kind in ("", each.kind))


def clear_suspect(parts: Parts, actor: str, case: str, fact: str) -> Recorded:
    """One of the two persons that clearing a suspect takes; the same person twice counts once."""
    with _changing(parts) as change:
        held = facts.newest(change.unit, parts.vault, case, fact, "suspect")
        cleared = dict.fromkeys((*held.body.get("cleared_by", ()), actor))
        return change.record(actor, case, "suspect", {**held.body, "cleared_by": list(cleared)}, fact)


def approve(parts: Parts, actor: str, case: str, fact: str) -> Recorded:
    """Approve an override: somebody else than who asked for it (R29). Raises :class:`hub.errors.Forbidden`."""
    with _changing(parts) as change:
        held = facts.newest(change.unit, parts.vault, case, fact, "authority")
        if held.body.get("requested_by") == actor:
            raise Forbidden("Whoever asked for an override may not approve it.")
        return change.record(actor, case, "authority", {**held.body, "approved_by": actor}, fact)


# --- orders --------------------------------------------------------------------------------------------------------


def verify_order(parts: Parts, actor: str, case: str, order: str, signature: str = "") -> Recorded:
    """A second person called back, or `signature` holds: a detached JWS of the issuing body over `order_payload`.

    Raises :class:`hub.errors.Forbidden` for whoever entered it, `Invalid` for a signature that does not hold.
    """
    with _changing(parts) as change:
        held = facts.newest(change.unit, parts.vault, case, order, "order")
        if held.body.get("verified_by"):
            return _recorded(held)
        if signature:
            body = parts.registry.get(str(held.body["body"]), parts.clock.now())
            kid = verify_detached(signature, order_payload(held.body), body.jwks.model_dump(mode="json"))
            verified = f"signature:{kid}"
        elif held.body.get("entered_by") == actor:
            raise Forbidden("Whoever entered an order may not verify it: a second person calls the issuing body back.")
        else:
            verified = actor
        kept = change.record(actor, case, "order", {**held.body, "verified_by": verified}, order)
        change.settle_claims(actor, case, "order-claim", lambda claim: claim.get("value") == held.body["number"], order)
        return kept


def order_payload(body: Mapping[str, Any]) -> bytes:
    """What an issuing body signs: the order as JSON, keys sorted, no spaces, UTF-8, without the hub's own fields."""
    content = {key: value for key, value in body.items() if key not in HUB_FIELDS}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# --- consents ------------------------------------------------------------------------------------------------------


def turn_into_consent(parts: Parts, actor: str, case: str, claim: str, consent: Mapping[str, Any]) -> Recorded:
    """Make an agency's consent claim a Consent; without evidence it stays a claim (R12). Raises `Invalid`."""
    _refuse_kept("consent", consent)
    if not consent.get("evidence"):
        fault = Fault("evidence", "required", "name the stored evidence of the consent")
        raise Invalid("A claim becomes a consent only with evidence.", faults=(fault,))
    with _changing(parts) as change:
        facts.newest(change.unit, parts.vault, case, claim, "consent-claim")
        warnings = warnings_of(parts, change.unit, case, consent)
        kept = change.record(actor, case, "consent", dict(consent))
        change.settle_claims(actor, case, "consent-claim", lambda _claim: True, kept.fact, only=claim)
        return replace(kept, warnings=warnings)


def withdraw(parts: Parts, actor: str, case: str, consent: str, by: str) -> Withdrawing:
    """End a consent at the word of `by` (the child's person id or a related person's).

    Recorded with this commit: nothing more is sent on it. Effective once nothing is under way. A person who may not
    withdraw is recorded, changes nothing, and raises an alarm (R8).
    """
    at = parts.clock.now()
    with _changing(parts) as change:
        held = facts.newest(change.unit, parts.vault, case, consent, "consent")
        if held.body.get("withdrawn_at"):
            return _withdrawing(_of_consent(change.unit, case, consent))
        counts = _may_withdraw(parts, change.unit, case, held, by, at)
        said = {"consent": consent, "by": by, "counts": counts, "said_at": at.isoformat()}
        asked = change.record(actor, case, "withdrawal", said)
        if not counts:
            task = tasks.NewTask("alarm", "barred-withdrawal", "consent-admin", case, subject={"fact": asked.fact})
            tasks.start(change.unit, task, at)
            return Withdrawing(asked.fact, case, consent, at, None, counts=False)
        ended = {**held.body, "withdrawn_at": at.isoformat(), "withdrawn_by": by}
        kept = change.record(actor, case, "consent", ended, consent)
        id_ = withdrawals.record(change.unit, case, consent, kept.epoch, actor, at)
        change.stopping = True
    reached("withdrawal-recorded")
    settle_withdrawals(parts)
    return withdrawal(parts, id_)


def settle_withdrawals(parts: Parts) -> None:
    """Make effective what nothing holds back any more, and offer the recalls; the worker's keeper does the same."""
    with parts.store.write() as unit:
        settled = withdrawals.settle(unit, parts.clock.now())
        queued = recall(parts, unit, settled)
    parts.dispatcher.wake(queued)


def withdrawal(parts: Parts, withdrawal_id: str) -> Withdrawing:
    """How far a withdrawal is. Raises `NotFound`."""
    with parts.store.read() as unit:
        return _withdrawing(withdrawals.get(unit, withdrawal_id))


def _of_consent(unit: Unit, case: str, consent: str) -> withdrawals.Withdrawal:
    return next(each for each in withdrawals.of_case(unit, case) if each.consent == consent)


def _may_withdraw(parts: Parts, unit: Unit, case: str, consent: Fact, by: str, at: datetime) -> bool:
    """The grantor, the child, or an unbarred representative."""
    held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
    people = people_at(held, at, parts.policy.at(at))
    return by in (consent.body.get("given_by"), held.person) or by in people.unbarred


# --- matches -------------------------------------------------------------------------------------------------------


def resolve_match(parts: Parts, actor: str, task: str, same_as: str | None) -> Found:
    """A person decides an uncertain match: link to person `same_as`, or None for a child of its own.

    Raises :class:`hub.errors.Conflict` when it was decided meanwhile.
    """
    at = parts.clock.now()
    with _changing(parts) as change:
        unit = change.unit
        review = tasks.get(unit, task)
        if review.kind != "match-review" or not tasks.close(unit, task, actor, at):
            raise Conflict("This review is not open any more.")
        person = str(review.subject["person"])
        source = persons.case_of(unit, person)
        if same_as is None:
            found = identity.settle(unit, parts.vault, person)
        else:
            found = identity.link(unit, parts.vault, person, same_as)
            change.supersede(source.id)
        detail = {"person": person, "same_as": same_as or ""}
        audits.record(unit, audits.Entry("match", actor, case=found.case.id, outcome="resolved", detail=detail), at)
        for each in tasks.listing(unit, kinds=("match-review",), limit=10_000):
            if each.subject.get("person") == person:
                tasks.close(unit, each.id, actor, at)
        change.cases.add(found.case.id)
    return _found(found)


def unlink(parts: Parts, actor: str, person: str) -> Found:
    """Undo a link: the person's strands and facts of its own go back to its own case."""
    with _changing(parts) as change:
        joined = persons.case_of(change.unit, persons.get_person(change.unit, person).linked_to or person)
        change.supersede(joined.id)
        found = identity.unlink(change.unit, parts.vault, person)
        detail = {"person": person}
        entry = audits.Entry("match", actor, case=found.case.id, outcome="unlinked", detail=detail)
        audits.record(change.unit, entry, parts.clock.now())
        change.cases |= {found.case.id, joined.id}
    return _found(found)


# --- one change, one commit ----------------------------------------------------------------------------------------


class _Change:
    """One transaction that changes what is known: afterwards the present state of its cases is offered anew."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.cases: set[str] = set()
        self.stopping = False
        self.unit: Unit

    def __enter__(self) -> _Change:
        self._open = self._parts.store.write()
        self.unit = self._open.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        parts, queued, cut = self._parts, [], []
        try:
            if error is None:
                queued = [id_ for case in sorted(self.cases) for id_ in _offer(parts, self.unit, case)]
                cut = attempts.to_abort(self.unit, parts.presence.id) if self.stopping else []
        except BaseException as failure:
            self._open.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._open.__exit__(kind, error, trace)
        parts.underway.stop(cut)
        parts.dispatcher.wake(queued)

    def record(self, actor: str, case: str, kind: str, body: Mapping[str, Any], fact: str = "") -> Recorded:
        """A fact and its audit row."""
        at = self._parts.clock.now()
        kept = facts.record(self.unit, self._parts.vault, case, kind, body, at, actor, fact)
        detail = {"kind": kind, "fact": kept.id, "version": kept.version}
        audits.record(self.unit, audits.Entry("fact", actor, case=case, outcome="recorded", detail=detail), at)
        self.cases.add(case)
        return _recorded(kept)

    def settle_claims(
        self,
        actor: str,
        case: str,
        kind: str,
        fits: Callable[[Mapping[str, Any]], bool],
        by: str,
        only: str = "",
    ) -> None:
        """Mark claims as settled by a fact, and close what asked a person to look at them."""
        parts, at = self._parts, self._parts.clock.now()
        held = persons.get_case(self.unit, case)
        for each in stored.of_case(self.unit, parts.vault, held.vault_key, case):
            if each.kind == kind and only in ("", each.id) and fits(each.body) and not each.body.get("settled_by"):
                self.record(actor, case, kind, {**each.body, "settled_by": by}, each.id)
                for task in tasks.listing(self.unit, kinds=(kind,), case=case):
                    if task.subject.get("fact") == each.id:
                        tasks.close(self.unit, task.id, actor, at)

    def supersede(self, case: str) -> None:
        """What waits in a case that is taken apart or joined is offered anew from where its strands are then."""
        waiting = (DeliveryState.PENDING, DeliveryState.UNKNOWN, DeliveryState.PARKED)
        for each in deliveries.listing(self.unit, case_id=case, states=waiting, limit=10_000):
            if each.recalls is None:
                deliveries.close(self.unit, each.id, DeliveryState.SUPERSEDED, self._parts.clock.now())


def _changing(parts: Parts) -> _Change:
    return _Change(parts)


def _offer(parts: Parts, unit: Unit, case: str) -> list[str]:
    held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
    return referrals.offer_case(unit, parts.vault, parts.router, case, held, parts.clock.now())


def _refuse_kept(kind: str, body: Mapping[str, Any]) -> None:
    given = sorted(KINDS[kind].kept & set(body)) if kind in KINDS else []
    if given:
        faults = tuple(Fault(name, "kept", "leave it out: the hub sets it") for name in given)
        raise Invalid("The fact holds what only the hub may set.", faults=faults)


def _found(match: identity.Match) -> Found:
    return Found(match.person.id, match.case.id, match.certain)


def _recorded(kept: Fact) -> Recorded:
    return Recorded(
        kept.id, kept.version, kept.epoch, kept.kind, kept.current, kept.recorded_at, kept.recorded_by, kept.body
    )


def _withdrawing(held: withdrawals.Withdrawal) -> Withdrawing:
    return Withdrawing(held.id, held.case, held.consent, held.recorded_at, held.effective_at)
