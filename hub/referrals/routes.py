"""Who is offered what: dated data (`hub/policy/routes.yaml`), read once. Routed is not permitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Protocol

import yaml

from consent.model import Facts, OpenReferral
from consent.vocabulary import Event, Purpose, ReferralState, Sector
from hub.errors import Misconfigured
from hub.states import Lane


class Listed(Protocol):
    """What a route needs to know of an agency."""

    @property
    def id(self) -> str:
        """Registry id."""

    @property
    def sector(self) -> Sector:
        """Its column of the matrix."""

    @property
    def routes(self) -> tuple[str, ...]:
        """Standing routes that it is on."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row: events, and to whom they are offered."""

    name: str
    events: frozenset[Event]
    to: str
    hours: int
    lane: Lane = Lane.ORDINARY
    purposes: tuple[Purpose, ...] = ()
    sectors: frozenset[Sector] = frozenset()
    roles: frozenset[str] = frozenset()
    standing: str = ""
    held: bool = False
    again: bool = True


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a referral may wait before a person is called (R39)."""

    answer: Mapping[str, timedelta]
    """By the priority of the request: routine, urgent, asap, stat."""
    done: Mapping[str, timedelta]
    """By service; of others there is no time but the one that a request names."""

    def until(self, priority: str, service: str, at: datetime) -> tuple[datetime, datetime | None]:
        """Until when a request made at `at` is to be answered, and to be done."""
        wait = self.answer.get(priority, self.answer["routine"])
        return at + wait, at + self.done[service] if service in self.done else None


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes, and how referrals move, as of one version."""

    version: str
    rows: tuple[Route, ...]
    purposes: Mapping[Sector, tuple[Purpose, ...]]
    moves: Mapping[Event, ReferralState]
    states: Mapping[ReferralState, frozenset[ReferralState]]
    requester_says: frozenset[ReferralState]
    needs_focus: frozenset[Event]
    """Events that say nothing when what they are about is withheld."""
    waits: Waits
    original_days: int
    """How long original bytes and message keys are kept."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What routing looks at: a strand, and the facts of its case."""

    event: Event
    sender: str
    classes: frozenset[str]
    facts: Facts
    referral: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Routed:
    """One agency is offered it, by one route."""

    agency: str
    route: str
    lane: Lane
    purposes: tuple[str, ...]
    deadline: datetime


def route(
    routes: Routes, told: Situation, known: Mapping[str, Listed], at: datetime, again: bool = False
) -> tuple[Routed, ...]:
    """To whom `told` is offered: never to who said it, and to each agency once, by the first route that names it.

    `known` says which agency stands for an id now; with `again`, only routes that offer a changed state anew count.
    """
    found: dict[str, Routed] = {}
    for row in routes.rows:
        if told.event in row.events and (row.held or not told.held) and (row.again or not again):
            for named in _named(row, told, known.values(), at):
                agency = known.get(named)
                if agency and agency.id not in found and agency.id != told.sender and _fits(row, agency):
                    found[agency.id] = _routed(routes, row, agency, at)
    return tuple(found.values())


def _routed(routes: Routes, row: Route, agency: Listed, at: datetime) -> Routed:
    purposes = row.purposes or routes.purposes.get(agency.sector, ())
    return Routed(agency.id, row.name, row.lane, tuple(purposes), at + timedelta(hours=row.hours))


def _fits(row: Route, agency: Listed) -> bool:
    return not row.sectors or agency.sector in row.sectors


def _named(row: Route, told: Situation, agencies: Iterable[Listed], at: datetime) -> list[str]:
    facts = told.facts
    own = [each for each in facts.referrals if each.id == told.referral]
    match row.to:
        case "performer":
            return [each.performer for each in own]
        case "requester":
            return [each.requester for each in own]
        case "asked":
            return [each.requester for each in facts.referrals if _asks(each, told.classes)]
        case "team":
            members = [each for each in facts.team if each.span.holds(at)]
            return [each.agency for each in members if not row.roles or each.role in row.roles]
        case "plan":
            return [agency for each in facts.plans if each.span.holds(at) for agency in each.agencies]
        case "report":
            return [agency for each in facts.reports if each.span.holds(at) for agency in each.agencies]
        case _:
            return [each.id for each in agencies if row.standing in each.routes]


CLOSED = frozenset({ReferralState.REJECTED, ReferralState.CANCELLED, ReferralState.DECLINED_BY_SURVIVOR})


def _asks(referral: OpenReferral, classes: frozenset[str]) -> bool:
    return referral.state not in CLOSED and bool(classes & {str(each) for each in referral.data_classes})


# --- reading -------------------------------------------------------------------------------------------------------

TARGETS = frozenset({"performer", "requester", "asked", "team", "plan", "report", "standing"})


def read_routes(text: str | None = None) -> Routes:
    """The routes of a YAML text, by default the hub's own. Raises :class:`hub.errors.Misconfigured`."""
    written = text or resources.files("hub.policy").joinpath("routes.yaml").read_text("utf-8")
    try:
        data = yaml.load(written, Loader=yaml.BaseLoader)
        return Routes(
            version=data["version"],
            rows=tuple(_row(each) for each in data["routes"]),
            purposes={Sector(name): _purposes(codes) for name, codes in data["purposes"].items()},
            moves={Event(event): ReferralState(state) for event, state in data["moves"].items()},
            states={ReferralState(old): _states(new) for old, new in data["states"].items()},
            requester_says=_states(data["requester_says"]),
            needs_focus=frozenset(Event(each) for each in data["needs_focus"]),
            waits=_waits(data["waits"]),
            original_days=int(data["original_days"]),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misconfigured(f"The routes cannot be read: {error}") from error


def _row(row: Mapping[str, Any]) -> Route:
    if row["to"] not in TARGETS:
        raise ValueError(f"route {row['name']}: to {row['to']}")
    return Route(
        name=row["name"],
        events=frozenset(Event(each) for each in row["events"]),
        to=row["to"],
        hours=int(row["hours"]),
        lane=Lane(row.get("lane", "ordinary")),
        purposes=_purposes(row.get("purposes", ())),
        sectors=frozenset(Sector(each) for each in row.get("sectors", ())),
        roles=frozenset(row.get("roles", ())),
        standing=row.get("standing", ""),
        held=row.get("held", "false") == "true",
        again=row.get("again", "true") == "true",
    )


def _waits(data: Mapping[str, Mapping[str, str]]) -> Waits:
    answer, done = (
        {name: timedelta(hours=float(hours)) for name, hours in data[part].items()} for part in ("answer", "done")
    )
    if "routine" not in answer:
        raise ValueError("waits: answer: routine is missing")
    return Waits(answer, done)


def _purposes(codes: Iterable[str]) -> tuple[Purpose, ...]:
    return tuple(Purpose(each) for each in codes)


def _states(names: Iterable[str]) -> frozenset[ReferralState]:
    return frozenset(ReferralState(each) for each in names)
