"""What a canonical bundle says of a referral: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from consent.vocabulary import DATA_CLASS_SYSTEM, HUB_BASE, REFERRAL_STATE_SYSTEM, DataClass, ReferralState
from hub.bundles import Json, claims_of, code_of, header_of, identifiers_of, resolve, resources

SERVICE_SYSTEM = f"{HUB_BASE}/CodeSystem/service-type"

Name = tuple[str, str]
"""(system, value) by which a message names an agency; a display has the system ""."""


@dataclass(frozen=True, slots=True)
class Said:
    """A referral as one message speaks of it."""

    placers: tuple[str, ...] = ()
    """The requester's numbers."""
    fillers: tuple[str, ...] = ()
    """The performer's numbers."""
    service: str = ""
    state: ReferralState | None = None
    asked: tuple[DataClass, ...] = ()
    performer: tuple[Name, ...] = ()
    """Names of who is to do it, the most telling first."""
    decision: str = ""
    """Decision number, a claim."""
    deadline: datetime | None = None
    priority: str = ""
    """HL7 request-priority; "" = none is said."""

    @property
    def speaks(self) -> bool:
        """Whether the message belongs to a referral at all."""
        return bool(self.placers or self.fillers)

    def numbers(self) -> dict[str, Any]:
        """What is kept sealed."""
        return {"placers": list(self.placers), "fillers": list(self.fillers), "decision": self.decision}


def said_of(bundle: Json) -> Said:
    """Read the ServiceRequests and Tasks of a bundle; the first one that says a thing counts."""
    requests = list(resources(bundle, "ServiceRequest"))
    tasks = list(resources(bundle, "Task"))
    both = (*requests, *tasks)
    return Said(
        placers=_each(both, "PLAC"),
        fillers=_each(both, "FILL"),
        service=_first(_services(requests)),
        state=next(_states(tasks), None),
        asked=tuple(sorted({each for request in requests for each in _classes(request)})),
        performer=tuple(dict.fromkeys(_performers(bundle, requests, tasks))),
        decision=next((each.value for each in claims_of(bundle) if each.kind == "decision"), ""),
        deadline=next(_deadlines(tasks), None),
        priority=_first(each.get("priority", "") for each in both),
    )


class Nameable(Protocol):
    """An agency as names find it."""

    @property
    def id(self) -> str:
        """Registry id."""

    @property
    def identifiers(self) -> Iterable[Any]:
        """Each with `system` and `value`."""

    @property
    def facility(self) -> str:
        """Its name in a message header."""


def named(names: Iterable[Name], agencies: Iterable[Nameable]) -> str:
    """The one registered agency that these names mean; "" when none or more than one is."""
    known = tuple(agencies)
    for system, value in names:
        exact = {each.id for each in known if any((i.system, i.value) == (system, value) for i in each.identifiers)}
        loose = {each.id for each in known if value in names_of(each)}
        for found in (exact, loose):
            if len(found) == 1:
                return found.pop()
    return ""


def names_of(agency: Nameable) -> set[str]:
    """Every text by which an agency is named."""
    return {agency.id, agency.facility, *(each.value for each in agency.identifiers)} - {""}


def _each(resources_: Iterable[Json], kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for each in resources_ for value in identifiers_of(each, kind)))


def _first(values: Iterable[str]) -> str:
    return next((each for each in values if each), "")


def _services(requests: Iterable[Json]) -> Iterator[str]:
    for request in requests:
        yield code_of(request.get("code"), SERVICE_SYSTEM)
        yield from (code_of(each, SERVICE_SYSTEM) for each in request.get("category", ()))


def _states(tasks: Iterable[Json]) -> Iterator[ReferralState]:
    for task in tasks:
        code = code_of(task.get("businessStatus"), REFERRAL_STATE_SYSTEM)
        if code in set(ReferralState):
            yield ReferralState(code)


def _classes(request: Json) -> Iterator[DataClass]:
    for detail in request.get("orderDetail", ()):
        code = code_of(detail, DATA_CLASS_SYSTEM)
        if code in set(DataClass):
            yield DataClass(code)


def _performers(bundle: Json, requests: Iterable[Json], tasks: Iterable[Json]) -> Iterator[Name]:
    for task in tasks:
        yield from _names(bundle, task.get("owner"))
    for request in requests:
        for each in request.get("performer", ()):
            yield from _names(bundle, each)
    for each in header_of(bundle).get("destination", ()):
        yield from _names(bundle, each.get("receiver"))


def _names(bundle: Json, reference: Mapping[str, Any] | None) -> Iterator[Name]:
    if not reference:
        return
    organization = resolve(bundle, reference) or {}
    for identifier in (*organization.get("identifier", ()), reference.get("identifier", {})):
        if identifier.get("value"):
            yield str(identifier.get("system", "")), str(identifier["value"])
    for text in (organization.get("name"), reference.get("display")):
        if text:
            yield "", str(text)


def _deadlines(tasks: Iterable[Json]) -> Iterator[datetime]:
    for task in tasks:
        end = task.get("restriction", {}).get("period", {}).get("end", "")
        if "T" in end:
            yield datetime.fromisoformat(end)
