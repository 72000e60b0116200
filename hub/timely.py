"""What time alone changes: a birthday, a period that begins or ends, a message key that is forgotten (R6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from consent.model import Facts, Span
from consent.moments import age_at
from consent.people import band_for
from hub import facts, referrals
from hub.errors import KeyLost
from hub.parts import Parts
from hub.storage import messages, persons


def pass_time(parts: Parts, since: datetime) -> None:
    """All of it; the worker's keeper calls it a few times a day."""
    forget_keys(parts)
    look_again(parts, since)


def look_again(parts: Parts, since: datetime) -> int:
    """Offer anew each open case that became another one since then, though nobody recorded anything; how many.

    A new age band, or the start or end of a fact's period, may open what was withheld. Looking twice sends nothing
    twice.
    """
    at = parts.clock.now()
    with parts.store.read() as unit:
        open_cases = [each for each in persons.cases(unit) if each.closed_at is None]
    changed = [each.id for each in open_cases if _changed(parts, each.id, since, at)]
    for case in changed:
        offer_again(parts, case)
    return len(changed)


def offer_again(parts: Parts, case: str) -> None:
    """Offer the present state of a case to whom the routes name now."""
    with parts.store.write() as unit:
        persons.get_case(unit, case, lock=True)
        held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
        queued = referrals.offer_case(unit, parts.vault, parts.router, case, held, parts.clock.now())
    parts.dispatcher.wake(queued)


def forget_keys(parts: Parts) -> int:
    """Forget message keys whose time is up: from then on the same key is a new message; how many."""
    with parts.store.write() as unit:
        return messages.release_keys(unit, parts.clock.now() - timedelta(days=parts.routes.original_days))


def _changed(parts: Parts, case: str, since: datetime, at: datetime) -> bool:
    try:
        with parts.store.read() as unit:
            held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
    except KeyLost:
        return False
    edition = parts.policy.at(at)
    before, now = (band_for(age_at(held.birth_date, moment, held.zone), edition) for moment in (since, at))
    return before != now or any(since < moment <= at for moment in _moments(held))


def _moments(held: Facts) -> Iterator[datetime]:
    """When the period of a fact begins or ends."""
    parts: Iterable[Iterable[Any]] = (
        held.relationships, held.suspicions, held.no_contacts, held.orders, held.refusals, held.team, held.treating,
        held.plans, held.emergencies, held.reports, held.authorities,
    )  # fmt: skip
    for part in parts:
        for each in part:
            span: Span = each.span
            yield from (moment for moment in (span.start, span.end) if moment is not None)
