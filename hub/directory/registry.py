"""The registry at work: looks agencies up, takes new versions in, knows who stands in for whom.

Lookups read a snapshot that is at most `FRESH_SECONDS` old, because every message and delivery asks several times; a
name that the snapshot does not know is looked for in the database before it is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any

import yaml
from pydantic import ValidationError

from consent.model import Party
from hub.clock import Clock
from hub.directory.agency import Agency
from hub.errors import Fault, Forbidden, Invalid, NotFound
from hub.storage import agencies
from hub.storage.store import Store

FRESH_SECONDS = 1.0
"""How long another process's change of the registry may go unseen."""


class Registry:
    """All agencies, in their newest versions."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Reads nothing yet."""
        self._store, self._clock = store, clock
        self._lock = Lock()
        self._agencies: dict[str, Agency] = {}
        self._read_at = float("-inf")

    def get(self, agency_id: str, at: datetime | None = None) -> Agency:
        """The agency, as now registered; with `at`, only if it exists then.

        Raises :class:`hub.errors.NotFound`.
        """
        found = self._snapshot().get(agency_id) or self._snapshot(fresh=True).get(agency_id)
        if found is None or (at is not None and not found.in_force(at)):
            raise NotFound("The registry has no such agency.")
        return found

    def party(self, agency_id: str) -> Party:
        """The agency as a decision sees it. Raises :class:`hub.errors.NotFound`."""
        return self.get(agency_id).party()

    def list(self) -> tuple[Agency, ...]:
        """All agencies, by id."""
        return tuple(self._snapshot().values())

    def standing(self, agency_id: str, at: datetime) -> Agency:
        """The agency in force at `at`: itself, or the successor that took its place (R37).

        Raises :class:`hub.errors.NotFound` when nobody does.
        """
        seen: set[str] = set()
        while agency_id not in seen:
            seen.add(agency_id)
            found = self.get(agency_id)
            if found.in_force(at):
                return found
            if found.successor is None:
                break
            agency_id = found.successor
        raise NotFound("The registry has no agency in force there.")

    def on_route(self, route: str, at: datetime) -> tuple[Agency, ...]:
        """Who is offered messages on a standing route."""
        return tuple(one for one in self.list() if route in one.routes and one.in_force(at))

    def mllp_sender(self, application: str, facility: str, address: str, certificate: str) -> Agency:
        """Whose MLLP message this is: MSH-3 and MSH-4, and who is at the other end of the connection.

        `certificate` is the SHA-256 of the client certificate in lower-case hex, "" without TLS.
        Raises :class:`hub.errors.Forbidden`; it does not say which of them was wrong.
        """
        at = self._clock.now()
        for fresh in (False, True):
            for one in self._snapshot(fresh=fresh).values():
                if one.in_force(at) and _speaks(one, application, facility, address, certificate):
                    return one
        raise Forbidden("This sender is not registered for MLLP.")

    def plaintext_agencies(self) -> tuple[str, ...]:
        """Who may speak MLLP in plain text off loopback: reported at each start."""
        return tuple(one.id for one in self.list() if one.transports.mllp and one.transports.mllp.plaintext)

    def add(self, document: Mapping[str, Any], by: str) -> Agency:
        """Keep a new version of one agency. Raises :class:`hub.errors.Invalid` with a fault for each place."""
        return self.add_all([document], by)[0]

    def import_file(self, path: Path, by: str) -> tuple[Agency, ...]:
        """Keep new versions of all agencies of a YAML file, all or none.

        Raises :class:`hub.errors.Invalid` with a fault for each place.
        """
        return self.add_all(read_documents(path.read_text("utf-8-sig")), by)

    def add_all(self, documents: Iterable[Mapping[str, Any]], by: str) -> tuple[Agency, ...]:
        """Keep new versions of several agencies, all or none; an unchanged one makes no version."""
        found = tuple(read_agency(document, f"agencies[{n}]") for n, document in enumerate(documents))
        known = self._snapshot(fresh=True)
        _refuse_dangling(found, {*known, *(one.id for one in found)})
        with self._store.write() as unit:
            for one in found:
                if known.get(one.id) != one:
                    agencies.add_version(unit, one.id, one.document(), self._clock.now(), by)
        self._snapshot(fresh=True)
        return found

    def history(self, agency_id: str) -> tuple[agencies.AgencyVersion, ...]:
        """Every version of one agency, oldest first. Raises :class:`hub.errors.NotFound`."""
        with self._store.read() as unit:
            found = agencies.history(unit, agency_id)
        if not found:
            raise NotFound("The registry has no such agency.")
        return tuple(found)

    def _snapshot(self, *, fresh: bool = False) -> dict[str, Agency]:
        asked_at = time.monotonic()
        if not fresh and asked_at - self._read_at < FRESH_SECONDS:
            return self._agencies
        with self._lock:
            if self._read_at < asked_at and (fresh or asked_at - self._read_at >= FRESH_SECONDS):
                began = time.monotonic()
                with self._store.read() as unit:
                    rows = agencies.newest(unit)
                self._agencies = {row.id: Agency.model_validate(row.document) for row in rows}
                self._read_at = began
        return self._agencies


def read_documents(text: str) -> list[Mapping[str, Any]]:
    """The agencies of a registry file: one document, a list, or ``agencies: [...]``.

    Every scalar is read as a string, so that an identifier such as ``079`` stays what it is.
    Raises :class:`hub.errors.Invalid`.
    """
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "file"
        raise Invalid("The file is not YAML.", faults=(Fault(place, "syntax", "not YAML"),)) from None
    if isinstance(content, dict) and "agencies" in content:
        content = content["agencies"]
    documents = [content] if isinstance(content, dict) else content
    if not isinstance(documents, list) or not all(isinstance(one, dict) for one in documents):
        raise Invalid(
            "The file holds no agencies.", faults=(Fault("file", "shape", "expected a list under `agencies`"),)
        )
    return documents


def read_agency(document: Mapping[str, Any], place: str = "agency") -> Agency:
    """Validate one entry. Raises :class:`hub.errors.Invalid` with a fault for each place."""
    try:
        return Agency.model_validate(document)
    except ValidationError as error:
        faults = tuple(
            Fault(_place(place, part["loc"]), str(part["type"]), str(part["msg"])) for part in error.errors()
        )
        raise Invalid("The registry entry is not valid.", faults=faults) from None


def _place(start: str, location: tuple[int | str, ...]) -> str:
    return start + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _refuse_dangling(found: tuple[Agency, ...], known: set[str]) -> None:
    faults = tuple(
        Fault(f"agencies[{n}].{name}", "unknown-agency", "the registry has no agency of that id")
        for n, one in enumerate(found)
        for name, value in (("alternate", one.alternate), ("successor", one.successor))
        if value is not None and value not in known
    )
    if faults:
        raise Invalid("The registry entry names an agency that does not exist.", faults=faults)


def _speaks(agency: Agency, application: str, facility: str, address: str, certificate: str) -> bool:
    door = agency.transports.mllp
    if door is None or door.application != application or door.facility not in ("", facility):
        return False
    peer = ip_address(address)
    if door.addresses and not any(peer in network for network in door.addresses):
        return False
    if door.certificate:
        return door.certificate == certificate
    return peer.is_loopback or (door.plaintext and not certificate)
