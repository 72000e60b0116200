"""Conformity with the canonical page and the data beside it: roles, the project's codes and addresses, foci."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from adapters.checking.problems import Problem, at_source
from adapters.checking.stands import Stand
from adapters.mapping.codes import CodeMap
from adapters.mapping.env import canonical_links, canonical_people
from adapters.mapping.message import Message
from consent.vocabulary import HUB_BASE, REFERRAL_STATE_SYSTEM, Event

_CODINGS = re.compile(rf"{re.escape(HUB_BASE)}/CodeSystem/([\w-]+)(\]\.code|\|([\w-]+))")
_SYSTEM = re.compile(rf"{re.escape(HUB_BASE)}/CodeSystem/([\w-]+)(/[\w/-]*)?")
_ADDRESS = re.compile(rf"{re.escape(HUB_BASE)}/((?:StructureDefinition|NamingSystem|Questionnaire)/[\w-]+)")


_EXTENSION = "StructureDefinition/"


@cache
def code_systems() -> Mapping[str, frozenset[str]]:
    """The project's code systems by name, with their codes."""
    folder = files("adapters.canonical").joinpath("codesystems")
    found = {}
    for path in folder.iterdir():
        waiting, codes = list(json.loads(path.read_text("utf-8"))["concept"]), set()
        while waiting:
            concept = waiting.pop()
            codes.add(concept["code"])
            waiting += concept.get("concept", [])
        found[path.name.removesuffix(".json")] = frozenset(codes)
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """What the canonical page says that programs can hold packs to."""

    addresses: frozenset[str]
    """``StructureDefinition/ward``, ``NamingSystem/agency``, ... that it names."""
    focus: Mapping[str, frozenset[str]]
    """Event -> resource types that it may be about."""
    needed: Mapping[str, frozenset[str]]
    """Event -> those of them that no bundle of it is without: neither ``?`` nor ``*`` stands behind their name."""


@cache
def page() -> Page:
    """`adapters/canonical.md`."""
    text = files("adapters").joinpath("canonical.md").read_text("utf-8")
    addresses = frozenset(re.findall(r"HUB/((?:StructureDefinition|NamingSystem|Questionnaire)/[\w-]+)", text))
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]*) \| [^|]* \|$", text, re.M)
    cells = {event: about for event, about in rows if event in set(Event)}
    focus = {event: frozenset(re.findall(r"\b[A-Z][A-Za-z]+\b", about)) for event, about in cells.items()}
    plain = {event: re.sub(r"\([^)]*\)", "", about) for event, about in cells.items()}
    needed = {event: frozenset(re.findall(r"\b[A-Z][A-Za-z]+\b(?![?*])", about)) for event, about in plain.items()}
    return Page(addresses, focus, needed)


def focus_faults(bundle: Mapping[str, Any]) -> Iterator[str]:
    """What is missing from what a bundle's event is about: a status without its Task follows no referral.

    A record that names nothing else is of its Patient, in its focus or not, and of nobody when nobody is named.
    """
    header = bundle["entry"][0]["resource"]
    event = header.get("eventCoding", {}).get("code", "")
    types = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    about = {types.get(reference["reference"]) for reference in header.get("focus", ())}
    for type_ in sorted(page().needed.get(event, frozenset()) - about):
        yield f"a {event} is about a {type_}, and there is none in its focus"
    whole = page().focus.get(event, frozenset())
    if whole and not about and "Patient" not in whole:
        yield f"a {event} is about something, and its focus is empty"


def person_faults(bundle: Mapping[str, Any]) -> Iterator[str]:
    """People whose role asks for a class or a label that they do not have."""
    for resource in (entry["resource"] for entry in bundle["entry"]):
        if resource["resourceType"] != "RelatedPerson":
            continue
        said = {tag["code"] for tag in resource.get("meta", {}).get("security", ())}
        roles = {code.get("code") for kind in resource.get("relationship", ()) for code in kind.get("coding", ())}
        for role in sorted(roles & canonical_people().keys()):
            for what, code in canonical_people()[role].items():
                if code not in said:
                    yield f"a RelatedPerson who is {role} has not the {what} {code}"


@cache
def _task_statuses() -> Mapping[str, str]:
    """State of a referral -> its Task.status, by `adapters/canonical/referral-status.csv`."""
    text = files("adapters.canonical").joinpath("referral-status.csv").read_text("utf-8")
    return {row["state"]: row["code"] for row in csv.DictReader(io.StringIO(text)) if row["format"] == "fhir-task"}


def status_faults(bundle: Mapping[str, Any]) -> Iterator[str]:
    """Tasks that say two things of one referral: their status is not that of the state that they say."""
    for resource in (entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Task"):
        codings = resource.get("businessStatus", {}).get("coding", ())
        for state in (coding.get("code") for coding in codings if coding.get("system") == REFERRAL_STATE_SYSTEM):
            if resource.get("status") != _task_statuses().get(state, resource.get("status")):
                yield f"a Task whose referral is {state} has not the status {_task_statuses()[state]}"


def canonical_problems(
    pack_id: str, message: Message, stands: Sequence[Stand], codes: Mapping[str, CodeMap]
) -> Iterator[Problem]:
    """What of a message type's rows departs from the canonical page."""
    links = canonical_links()
    used: set[str] = set()
    for stand in (one for top in stands for one in top.walk()):
        row = stand.row
        used.add(row.codes)
        wanted = links.roles.get(row.role, "")
        if row.make and wanted and wanted != row.make and row.make not in _stands_in(row.role):
            yield at_source(
                row.source, "error", f"the role {row.role} is that of a {wanted}, and this makes a {row.make}"
            )
        for text in _texts(stand):
            yield from (at_source(row.source, "error", what) for what in _faults(text, pack_id))
            yield from (at_source(row.source, "warning", what) for what in _own_extensions(text))
        for path, values in _pairs(stand):
            yield from (at_source(row.source, "error", what) for what in _code_faults(path, values))
    for name in sorted(used & codes.keys()):
        yield from _map_problems(codes[name], pack_id)
    yield from _event_problems(message, stands)


def _stands_in(role: str) -> frozenset[str]:
    """Types that may play an agency's part: an officer acts for it."""
    return frozenset({"Practitioner"}) if canonical_links().roles.get(role) == "Organization" else frozenset()


def _texts(stand: Stand) -> Iterator[str]:
    """What a row says in canonical words."""
    row = stand.row
    yield row.to
    yield row.default
    if isinstance(row.where, str):
        yield row.where
    for path, values in _pairs(stand):
        yield path
        yield from values


def _pairs(stand: Stand) -> Iterator[tuple[str, list[str]]]:
    where = stand.row.where
    if not isinstance(where, str):
        for path, values in where.items():
            yield path, [values] if isinstance(values, str) else list(values)


def _faults(text: str, pack_id: str) -> Iterator[str]:
    """Addresses of the project that nobody knows."""
    for name in _ADDRESS.findall(text):
        if name not in page().addresses and not name.startswith(_EXTENSION):
            yield f"HUB/{name} is not on the canonical page"
    for name, rest in _SYSTEM.findall(text):
        if name == "local":
            if not rest.startswith(f"/{pack_id}"):
                yield f"an own code system is called HUB/CodeSystem/local/{pack_id}/..."
        elif name not in code_systems():
            yield f"HUB/CodeSystem/{name} is not among the canonical code systems"
    for name, _, code in _CODINGS.findall(text):
        if code and name in code_systems() and code not in code_systems()[name]:
            yield f"HUB/CodeSystem/{name} has no code {code}"


def _own_extensions(text: str) -> Iterator[str]:
    """Extensions that the page does not have: no other pack reads them."""
    for name in _ADDRESS.findall(text):
        if name not in page().addresses and name.startswith(_EXTENSION):
            yield f"HUB/{name} is not on the canonical page: only this pack understands it"


def _code_faults(path: str, values: Sequence[str]) -> Iterator[str]:
    """Codes in a `where` on a coding of a known system."""
    for name, end, _ in _CODINGS.findall(path):
        if end == "].code" and name in code_systems():
            for value in values:
                if not value.startswith("$") and value not in code_systems()[name]:
                    yield f"HUB/CodeSystem/{name} has no code {value}"


def _map_problems(found: CodeMap, pack_id: str) -> Iterator[Problem]:
    """Targets of a code map that their system does not have."""
    targets = {(code.system, code.code) for code in found.reads.values()} | set(found.writes)
    for system, code in sorted(targets):
        for what in _faults(system, pack_id):
            yield Problem(found.name, "", "error", what)
        name = system.removeprefix(f"{HUB_BASE}/CodeSystem/")
        if name in code_systems() and code not in code_systems()[name]:
            yield Problem(found.name, "", "error", f"HUB/CodeSystem/{name} has no code {code}")


def _event_problems(message: Message, stands: Sequence[Stand]) -> Iterator[Problem]:
    """Resources that the event is not about by the canonical page."""
    events = [message.event.value] if message.event else []
    if message.event_codes is not None:
        events = [code.code for code in message.event_codes.reads.values()]
    focus = frozenset().union(*(page().focus.get(event, frozenset()) for event in events))
    for stand in (one for top in stands for one in top.walk()):
        row = stand.row
        if row.make and row.link.startswith("MessageHeader.focus") and row.make not in focus:
            what = f"by the canonical page, {', '.join(events)} is not about a resource {row.make}"
            yield at_source(row.source, "warning", what)
