"""Queues what the routes offer: a new strand once, and a case's present state again when its facts change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from consent.model import Facts, Party
from consent.people import is_linked, people_at
from consent.rulebook import Policy
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

    @property
    def alternate(self) -> str | None:
        """Who is told instead when it is linked to a suspect."""

    def party(self) -> Party:
        """The agency as a decision sees it."""


class Agencies(Protocol):
    """What offering needs of the registry."""

    def list(self) -> Iterable[Agency]:
        """All agencies."""

    def standing(self, agency_id: str, at: datetime) -> Agency:
        """The agency in force, itself or its successor (R37)."""


@dataclass(frozen=True, slots=True)
class Router:
    """What offering goes by: the routes, who there is, and the policy that says who is linked."""

    routes: Routes
    agencies: Agencies
    policy: Policy


def offer(
    unit: Unit, router: Router, strand: Strand, classes: frozenset[str], facts: Facts, at: datetime, again: bool = False
) -> list[str]:
    """Queue a strand for each agency that a route names; answers the deliveries' ids.

    A unit that is linked to a suspect is offered it by way of its alternate addressee, who may fetch it then (R40).
    """
    told = Situation(
        event=Event(strand.event),
        sender=strand.agency,
        classes=classes,
        facts=facts,
        referral=strand.referral or "",
        held=strand.state == StrandState.HELD_FOR_MATCH,
    )
    known = reachable(router.agencies, at)
    instead = _instead(router, known.values(), facts, at)
    waiting = {each.agency: each.id for each in deliveries.listing(unit, strand=strand.id, states=WAITING)}
    queued: list[str] = []
    for each in route(router.routes, told, known, at, again=again):
        id_ = waiting.get(each.agency)
        if id_ is None:
            queued.append(id_ := _queue(unit, strand, each, facts.epoch, at))
        deliveries.readdress(unit, id_, instead.get(each.agency))
    return queued


def offer_case(unit: Unit, vault: Seals, router: Router, case_id: str, facts: Facts, at: datetime) -> list[str]:
    """Queue the present state of a case: the newest strand of each focus, to whom the routes name now."""
    queued: list[str] = []
    for each in strands.current_of(strands.of_case(unit, case_id)):
        if each.state != StrandState.UNROUTED and each.event != Event.RECALL:
            classes = data_classes_of(strands.bundle_of(unit, vault, each.id))
            queued += offer(unit, router, each, classes, facts, at, again=True)
    return queued


def _instead(router: Router, agencies: Iterable[Agency], facts: Facts, at: datetime) -> dict[str, str]:
    """The alternate addressee of each agency that is linked to a suspect of this case."""
    people = people_at(facts, at, router.policy.at(at))
    return {each.id: each.alternate for each in agencies if each.alternate and is_linked(each.party(), people)}


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
