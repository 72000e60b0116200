"""Keeps referrals: opens one for a request, finds it again by its numbers, and moves its state as its parties say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from consent.vocabulary import Event, ReferralState
from hub.referrals.reading import Said
from hub.referrals.routes import CLOSED, Routes
from hub.storage import referrals, tasks
from hub.storage.ids import new_id
from hub.storage.persons import Case
from hub.storage.referrals import Referral
from hub.storage.sealing import Seals
from hub.storage.store import Unit

OPENING = frozenset({Event.REFERRAL_REQUEST, Event.SHELTER_TRANSFER})
"""Events that ask somebody for something."""
LATE = "referral-late"
"""The kind of task that calls a person to a referral."""
ENDED = CLOSED | {ReferralState.COMPLETED, ReferralState.EXPIRED}


class Vault(Seals, Protocol):
    """What keeping referrals needs of the vault."""

    def token(self, kind: str, *parts: str) -> str:
        """A blind index."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The referral that a strand belongs to; `conflict` is a state that was said and does not follow."""

    referral: Referral | None = None
    conflict: str = ""


def belonging(unit: Unit, vault: Vault, said: Said, sender: str, cases: Collection[str] = ()) -> Referral | None:
    """The referral that a message of `sender` belongs to: it must be a party, and only one may be meant.

    A number of two requesters means neither, unless the child's own case (`cases`) tells them apart.
    """
    found = referrals.known_by(unit, _tokens(vault, said))
    own = [each for each in found if sender in (each.requester, each.performer)]
    near = [each for each in own if each.case in cases] or own
    return near[0] if len(near) == 1 else None


def keep(
    unit: Unit,
    vault: Vault,
    routes: Routes,
    case: Case,
    event: Event,
    said: Said,
    sender: str,
    performer: str,
    known: Referral | None,
    at: datetime,
) -> Kept:
    """Open, or move on, the referral of a strand; `known` is what `belonging` found."""
    if known is None and event in OPENING and said.speaks:
        return Kept(_opened(unit, vault, routes, case, said, sender, performer, at))
    if known is None:
        return Kept()
    referrals.add_tokens(unit, known.id, _tokens(vault, said))
    return _moved(unit, routes, known, event, said, sender, at)


def _opened(
    unit: Unit, vault: Vault, routes: Routes, case: Case, said: Said, sender: str, performer: str, at: datetime
) -> Referral:
    answer_by, done_by = routes.waits.until(said.priority, said.service, at)
    new = Referral(
        id=new_id(),
        case=case.id,
        requester=sender,
        performer=performer or None,
        service=said.service or None,
        state=ReferralState.REQUESTED.value,
        state_at=at,
        asked=tuple(each.value for each in said.asked),
        opened_at=at,
        deadline=said.deadline or done_by,
        closed_at=None,
        answer_by=answer_by,
        late=None,
        version=1,
    )
    order = vault.token("decision", said.decision) if said.decision else None
    referrals.add(unit, vault, case.vault_key, new, said.numbers(), order)
    referrals.add_tokens(unit, new.id, _tokens(vault, said))
    return new


def _moved(unit: Unit, routes: Routes, known: Referral, event: Event, said: Said, sender: str, at: datetime) -> Kept:
    wanted = said.state or routes.moves.get(event)
    if wanted is None or wanted == known.state:
        return Kept(known)
    allowed = wanted in routes.states.get(ReferralState(known.state), frozenset())
    if not allowed or not _may_say(routes, known, sender, wanted):
        return Kept(known, conflict="" if said.state is None else wanted.value)
    referrals.set_state(unit, known.id, wanted.value, at, closed=wanted in ENDED)
    _call_off(unit, known, wanted, at)
    return Kept(replace(known, state=wanted.value, state_at=at, version=known.version + 1))


def call_for_late(unit: Unit, at: datetime) -> int:
    """Call a case worker, once, to each referral that nobody answered or finished in its time (R39); how many."""
    late = referrals.fall_late(unit, ReferralState.REQUESTED.value, at)
    for each in late:
        task = tasks.NewTask(LATE, f"R39-{each.late}", "case-worker", each.case, subject={"referral": each.id})
        tasks.start(unit, task, at)
    return len(late)


def _call_off(unit: Unit, known: Referral, state: ReferralState, at: datetime) -> None:
    """What somebody was called for has come: the answer, or the end."""
    for task in tasks.listing(unit, kinds=(LATE,), case=known.case):
        unanswered = task.reason == f"R39-{referrals.UNANSWERED}"
        if task.subject == {"referral": known.id} and (unanswered or state in ENDED):
            tasks.close(unit, task.id, "hub", at)


def _may_say(routes: Routes, known: Referral, sender: str, wanted: ReferralState) -> bool:
    return sender == known.performer or (sender == known.requester and wanted in routes.requester_says)


def _tokens(vault: Vault, said: Said) -> tuple[str, ...]:
    return (
        *(vault.token("referral", "PLAC", each) for each in said.placers),
        *(vault.token("referral", "FILL", each) for each in said.fillers),
    )
