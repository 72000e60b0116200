"""One condition of a provision against one request or item: met, not met, or undecidable (None)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from consent.fhir import Actor, Bounds, Data
from consent.model import Item, Party, Span
from consent.moments import interval, zone_of
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    CONFIDENTIALITY_SYSTEM,
    TAINT_SYSTEM,
    Confidentiality,
    Sensitivity,
    Taint,
)

LABEL_SYSTEMS: Final = (
    {label.value: ACT_CODE_SYSTEM for label in Sensitivity}
    | {label.value: CONFIDENTIALITY_SYSTEM for label in Confidentiality}
    | {taint.value: TAINT_SYSTEM for taint in Taint}
)
"""The code system of each label that an item can carry as a bare code."""


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """True if one is; else undecidable if one is; else False."""
    unsure = False
    for answer in answers:
        if answer:
            return True
        unsure = unsure or answer is None
    return None if unsure else False


def actor_matches(actor: Actor, recipient: Party, sender: Party) -> bool | None:
    """Whether the actor of a provision is the party asked about, by identifier, reference, group, tree and role."""
    if actor.unreadable:
        return None
    party = sender if actor.about_sender else recipient
    if actor.roles and not actor.references and not actor.identifiers:
        return _in_role(actor, party)
    named = (
        not actor.identifiers.isdisjoint(party.identifiers)
        or not actor.references.isdisjoint(party.references)
        or not actor.references.isdisjoint(party.parents)
        or not actor.references.isdisjoint(party.groups)
        or any(f"{one.system}|{one.code}" in party.parents for one in actor.identifiers)
    )
    if not named:
        # Names of different kinds cannot be compared, and then nobody knows whether it is another party.
        comparable = (actor.identifiers and party.identifiers) or (actor.references and party.references)
        return False if comparable and not actor.vague else None
    return not actor.roles or _in_role(actor, party)


def _in_role(actor: Actor, party: Party) -> bool | None:
    """Whether the party has one of the actor's roles; undecidable where none of its roles is of the same kind."""
    if not actor.roles.isdisjoint(party.roles):
        return True
    systems = {one.system for one in party.roles}
    return False if all(one.system in systems for one in actor.roles) else None


def span_of(bounds: Bounds, zone: str) -> Span | None:
    """The period as moments: FHIR ends are inclusive to their precision; None if a bound is no time."""
    start = interval(bounds.start, zone) if bounds.start else None
    end = interval(bounds.end, zone) if bounds.end else None
    if (bounds.start and start is None) or (bounds.end and end is None):
        return None
    return Span(_utc(start[0]) if start else None, _utc(end[1]) if end else None)


def _utc(moment: datetime) -> datetime:
    """The same moment in one zone, in which comparing is cheap; the first and last days of time stay as they are."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment


def within(bounds: Bounds | None, at: datetime, zone: str) -> bool | None:
    """Whether `at` lies in the period; None if a bound is no time."""
    span = span_of(bounds, zone) if bounds is not None else Span()
    return None if span is None else span.holds(at)


def dated(span: Span | None, moment: datetime | date | None, zone: str) -> bool | None:
    """Whether a clinical date lies in the period; None where it is unknown, or a day that only partly does."""
    if moment is None or span is None:
        return None
    if isinstance(moment, datetime):
        return span.holds(moment)
    first = datetime.combine(moment, time(), zone_of(zone))
    start, end = span.holds(first), span.holds(first + timedelta(days=1, microseconds=-1))
    return start if start == end else None


def data_matches(data: Data, item: Item) -> bool | None:
    """Whether a data reference of a provision means this item (R4, consent-data-meaning).

    The instance itself; with `dependents` what refers to it; with `related` what it refers to; each to any depth. A
    bundle shows only some of these ties, so what it does not show is undecidable unless nothing is referred to.
    """
    reference = data.reference
    if data.meaning == "authoredby":
        return _authored(reference, item)
    place = item.place
    if place == reference or place.startswith(f"{reference}#") or place.endswith(f"/{reference}"):
        return True
    if reference in item.names:
        return True
    if data.meaning == "instance":
        # On another server, or on none that is named, it may be the same resource.
        tail = "/".join(reference.split("/")[-2:])
        same = tail != reference and (tail in item.names or place == tail or place.endswith(f"/{tail}"))
        return None if same else False
    if data.meaning == "dependents":
        if reference in item.refs or item.episode == reference:
            return True
        return None if item.refs or item.episode else False
    return True if reference in item.cited_by else None


def _authored(reference: str, item: Item) -> bool | None:
    """Whether it was made by whom the reference names; names of different kinds cannot be compared."""
    authors = (item.author, *item.authors)
    if reference in authors:
        return True
    kind = reference.rsplit("/", 1)[0] if "/" in reference else ""
    return False if kind and any(author.startswith(f"{kind}/") for author in authors) else None
