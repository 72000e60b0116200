"""What time alone changes: a birthday, a period that begins or ends (R6), a consent that soon ends (R15), a message key
that is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from consent.fhir import compiled
from consent.model import ConsentFact, Facts, Span
from consent.moments import age_at, months_after
from consent.people import band_for
from consent.rulebook import Edition
from consent.trees import reading_of
from hub import facts, referrals
from hub.errors import KeyLost
from hub.parts import Parts
from hub.storage import messages, persons, tasks


def pass_time(parts: Parts, since: datetime) -> None:
    """All of it; the worker's keeper calls it a few times a day."""
    forget_keys(parts)
    look_again(parts, since)
    warn_of_ends(parts)


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


def warn_of_ends(parts: Parts) -> int:
    """Ask a consent administrator, once, to see to each consent that ends soon (R15); how many."""
    at = parts.clock.now()
    with parts.store.read() as unit:
        open_cases = [each.id for each in persons.cases(unit) if each.closed_at is None]
    return sum(_warn(parts, case, at) for case in open_cases)


def _warn(parts: Parts, case: str, at: datetime) -> int:
    edition = parts.policy.at(at)
    soon = at + timedelta(days=edition.numbers["consent.warn_days"])
    with parts.store.read() as unit:
        held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
    ends = [(each.ref.id, until) for each in held.consents if (until := _until(each, held.zone, edition))]
    due = [(fact, until) for fact, until in ends if at < until <= soon]
    return sum(_ask_once(parts, case, fact, until, at) for fact, until in due)


def _ask_once(parts: Parts, case: str, fact: str, until: datetime, at: datetime) -> bool:
    """A task for this end of this consent, unless there is or was one."""
    subject = {"fact": fact, "until": until.isoformat()}
    with parts.store.write() as unit:
        said = tasks.listing(unit, state=None, kinds=("consent-ends",), case=case)
        if any(each.subject == subject for each in said):
            return False
        tasks.start(unit, tasks.NewTask("consent-ends", "R15", "consent-admin", case, until, subject), at)
    return True


def _until(consent: ConsentFact, zone: str, edition: Edition) -> datetime | None:
    """When a consent that counts ends: as it states, else after the default time."""
    if consent.withdrawn_at is not None or consent.suspended or consent.replaced:
        return None
    stated = reading_of(consent.tree or compiled(consent.resource), consent.profile, zone).ends
    if stated is None and consent.given_at is not None:
        return months_after(consent.given_at, edition.numbers["consent.months"])
    return stated


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
