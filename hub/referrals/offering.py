"""Queues what the routes offer: a new strand once, and a case's present state again when its facts change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from consent.model import Facts
from consent.vocabulary import Event
from hub.bundles import data_classes_of
from hub.errors import NotFound
from hub.referrals.routes import Listed, Routed, Routes, Situation, route
from hub.states import DeliveryState, StrandState
from hub.storage import deliveries, strands
from hub.storage.deliveries import Offer
from hub.storage.sealing import Seals
from hub.storage.store import Unit
from hub.storage.strands import Strand

WAITING = (DeliveryState.PENDING, DeliveryState.UNKNOWN, DeliveryState.PARKED)
"""A delivery in these states is decided anew before it leaves: offering the same again would change nothing."""


class Agency(Listed, Protocol):
    """What offering needs to know of an agency."""

    @property
    def packs(self) -> object:
        """Its formats; `out` is None when it is told nothing."""


class Agencies(Protocol):
    """What offering needs of the registry."""

    def list(self) -> Iterable[Agency]:
        """All agencies."""

    def standing(self, agency_id: str, at: datetime) -> Agency:
        """The agency in force, itself or its successor (R37)."""


def offer(
    unit: Unit,
    routes: Routes,
    agencies: Agencies,
    strand: Strand,
    classes: frozenset[str],
    facts: Facts,
    at: datetime,
    again: bool = False,
) -> list[str]:
    """Queue a strand for each agency that a route names; answers the deliveries' ids."""
    told = Situation(
        event=Event(strand.event),
        sender=strand.agency,
        classes=classes,
        facts=facts,
        referral=strand.referral or "",
        held=strand.state == StrandState.HELD_FOR_MATCH,
    )
    waiting = {each.agency for each in deliveries.listing(unit, strand=strand.id, states=WAITING)}
    found = route(routes, told, reachable(agencies, at), at, again=again)
    return [_queue(unit, strand, each, facts.epoch, at) for each in found if each.agency not in waiting]


def offer_case(
    unit: Unit, vault: Seals, routes: Routes, agencies: Agencies, case_id: str, facts: Facts, at: datetime
) -> list[str]:
    """Queue the present state of a case: the newest strand of each focus, to whom the routes name now."""
    queued: list[str] = []
    for each in strands.current_of(strands.of_case(unit, case_id)):
        if each.state != StrandState.UNROUTED and each.event != Event.RECALL:
            classes = data_classes_of(strands.bundle_of(unit, vault, each.id))
            queued += offer(unit, routes, agencies, each, classes, facts, at, again=True)
    return queued


def reachable(agencies: Agencies, at: datetime) -> dict[str, Agency]:
    """Who is told when an id is named: itself or its successor, if a format to tell it in is registered."""
    found: dict[str, Agency] = {}
    for each in agencies.list():
        try:
            standing = agencies.standing(each.id, at)
        except NotFound:
            continue
        if getattr(standing.packs, "out", None):
            found[each.id] = standing
    return found


def _queue(unit: Unit, strand: Strand, to: Routed, epoch: int, at: datetime) -> str:
    offered = Offer(
        strand=strand.id,
        case=strand.case,
        agency=to.agency,
        lane=to.lane,
        event=strand.event,
        route=to.route,
        purposes=to.purposes,
        deadline=to.deadline,
        due_at=at,
        offered_epoch=epoch,
        referral=strand.referral,
    )
    return deliveries.offer(unit, offered, at)
