"""The resources of a bundle as a graph: who is meant by a reference, and whose child's strand each belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import Malformed, Unmappable
from adapters.mapping.paths import Json
from adapters.pack import Loss, LossKind
from adapters.tree import Node
from consent.vocabulary import HUB_BASE

_RESTFUL = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})(?:/_history/.+)?"
)
_SEARCH = re.compile(r"[A-Z][A-Za-z]+\?identifier=(?:(?P<system>[^|&]*)\|)?(?P<value>[^|&]+)")


@dataclass(slots=True, eq=False)
class Entry:
    """One resource of a bundle, a contained one too, on its way to the canonical bundle."""

    place: str
    """JSON pointer of the resource."""
    resource: Json
    node: Node | None = None
    """Its part of the source tree; None for a contained resource, which is inside its container's."""
    address: str = ""
    """The source's fullUrl, or ``PLACE#id`` of a contained one."""
    container: Entry | None = None
    url: str = ""
    """The keyed fullUrl."""
    keyed: bool = False
    leads: list[Lead] = field(default_factory=list)
    out: bool = False
    """Left out of the canonical bundle (said as a claim)."""

    @property
    def type(self) -> str:
        """The resource type."""
        return str(self.resource["resourceType"])


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """A Reference of one entry to another."""

    holder: Any
    key: Any
    reference: Json
    place: str
    target: Entry


def references(value: Any, place: str) -> Iterator[tuple[Any, Any, Json, str]]:
    """Every Reference below: (its holder, key in it, the Reference, its place)."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, dict | list):
            at = f"{place}/{key}"
            if isinstance(item, dict) and isinstance(item.get("reference"), str):
                yield value, key, item, at
            yield from references(item, at)


def targets(entry: Entry) -> list[Entry]:
    """The entries that it leads to, without those that are left out."""
    return [lead.target for lead in entry.leads if not lead.target.out]


class Directory:
    """Finds the entry that a reference means."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_address: dict[str, Entry] = {}
        self._by_name: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.address:
                if entry.address in self._by_address:
                    raise Malformed(entry.place, "repeated", "two entries have one fullUrl; give each its own")
                self._by_address[entry.address] = entry
            for name in _names(entry):
                self._by_name.setdefault(name, []).append(entry)

    def find(self, reference: str, source: Entry, place: str) -> Entry | None:
        """The entry meant; None when it is not in the bundle."""
        if reference.startswith("#"):
            return self._contained(reference, source, place)
        exact = self._by_address.get(reference)
        match = _RESTFUL.fullmatch(reference)
        if exact is not None or match is None:
            if exact is None and reference.startswith(("urn:uuid:", "urn:oid:")):
                raise Unmappable(place, "dangling", "leads to no entry of the bundle; add the entry or correct it")
            return exact
        base = match["base"] or _base(source)
        named = f"{match['type']}/{match['id']}"
        if base and (found := self._by_address.get(f"{base}/{named}")) is not None:
            return found
        candidates = self._by_name.get(named, []) if not match["base"] else []
        if len(candidates) > 1:
            raise Unmappable(place, "ambiguous", "two entries are called so; refer to one by its fullUrl")
        return candidates[0] if candidates else None

    def _contained(self, reference: str, source: Entry, place: str) -> Entry:
        home = source.container or source
        if reference == "#":
            return home
        found = self._by_address.get(f"{home.place}{reference}")
        if found is None:
            raise Unmappable(place, "dangling", "leads to no contained resource; add it or correct it")
        return found


def _names(entry: Entry) -> set[str]:
    """``Type/id`` as a relative reference would say it."""
    if entry.container is not None:
        return set()
    found = set()
    if isinstance(entry.resource.get("id"), str):
        found.add(f"{entry.type}/{entry.resource['id']}")
    match = _RESTFUL.fullmatch(entry.address)
    if match is not None:
        found.add(f"{match['type']}/{match['id']}")
    return found


def _base(entry: Entry) -> str:
    """The server that an entry says it comes from."""
    match = _RESTFUL.fullmatch((entry.container or entry).address)
    return match["base"] or "" if match is not None else ""


def resolve(entries: Sequence[Entry], agency: str) -> list[Loss]:
    """Fill each entry's `leads`; a reference to what is not in the bundle becomes a logical one."""
    directory, loss = Directory(entries), []
    for entry in entries:
        for holder, key, reference, place in list(references(entry.resource, entry.place)):
            target = directory.find(reference["reference"], entry, place)
            if target is not None:
                entry.leads.append(Lead(holder, key, reference, place, target))
            else:
                _logical(reference, agency)
                loss.append(Loss(f"{place}/reference", LossKind.NORMALISE, "not in the bundle; kept as an identifier"))
    return loss


def _logical(reference: Json, agency: str) -> None:
    """Say by identifier who is meant."""
    text = reference.pop("reference")
    search, match = _SEARCH.fullmatch(text), _RESTFUL.fullmatch(text)
    if "identifier" in reference:
        return
    if search is not None:
        system = {"system": search["system"]} if search["system"] else {}
        reference["identifier"] = {**system, "value": search["value"]}
    elif match is not None:
        reference.setdefault("type", match["type"])
        system_ = match["base"] or f"{HUB_BASE}/NamingSystem/server/{agency or 'unknown'}"
        reference["identifier"] = {"system": system_, "value": f"{match['type']}/{match['id']}"}
    else:
        reference["identifier"] = {"system": "urn:ietf:rfc:3986", "value": text}


def readdress(entry: Entry) -> list[Loss]:
    """Put the keyed fullUrls where entries are meant; a reference to what was left out goes, and what it empties."""
    loss = []
    for lead in entry.leads:
        if not lead.target.out:
            lead.reference["reference"] = lead.target.url
            continue
        del lead.reference["reference"]
        loss.append(Loss(f"{lead.place}/reference", LossKind.DROP, "what it leads to is read as a claim"))
        if not lead.reference.keys() - {"type"}:
            lead.holder[lead.key] = None
    if loss:
        prune(entry.resource)
    return loss


def prune(value: Any) -> bool:
    """Take away what says nothing any more; whether anything is left."""
    if isinstance(value, dict):
        for key in [key for key, item in value.items() if item is None or not prune(item)]:
            del value[key]
        return bool(value) and set(value) != {"url"}  # an extension whose value is gone says nothing
    if isinstance(value, list):
        if all(isinstance(item, dict | list | type(None)) for item in value):
            value[:] = [item for item in value if item is not None and prune(item)]
        return bool(value)
    return True


def strands(entries: Sequence[Entry], shared: frozenset[str]) -> list[list[Entry]]:
    """The entries of each child, in source order; of one strand when no child or one is named.

    Raises :class:`Unmappable` for a resource that speaks of two children, or of nobody knows whom.
    """
    children = _children(entries)
    if len(set(children.values())) < 2:
        return [list(entries)]
    owners = _owners(entries, children, shared)
    found: list[list[Entry]] = []
    for child in sorted(set(children.values())):
        mine = {entry for entry in entries if child in owners[entry]}
        mine |= _reached(mine, shared)
        for entry in mine:
            if any(target not in mine for target in targets(entry)):
                raise Unmappable(entry.place, "two-children", "this leads to another child's record; send one for each")
        found.append([entry for entry in entries if entry in mine])
    return found


def _children(entries: Sequence[Entry]) -> dict[Entry, int]:
    """Each Patient's child: two that link to each other are one."""
    patients = [entry for entry in entries if entry.type == "Patient"]
    child = {entry: number for number, entry in enumerate(patients)}
    for entry in patients:
        for other in targets(entry):
            if other in child and child[other] != child[entry]:
                low, high = sorted((child[entry], child[other]))
                child = {each: low if number == high else number for each, number in child.items()}
    return child


def _owners(entries: Sequence[Entry], children: Mapping[Entry, int], shared: frozenset[str]) -> dict[Entry, set[int]]:
    """Whose each entry is: who it leads to itself, else whose its neighbours are."""
    own = [entry for entry in entries if entry.type not in shared]
    found: dict[Entry, set[int]] = {entry: set() for entry in entries}
    for entry in own:
        found[entry] = (
            {children[entry]} if entry in children else {children[t] for t in targets(entry) if t in children}
        )
    neighbours: dict[Entry, list[Entry]] = {entry: [] for entry in entries}
    for entry in own:
        for target in targets(entry):
            if target.type not in shared:
                neighbours[entry].append(target)
                neighbours[target].append(entry)
    waiting = [entry for entry in own if found[entry]]
    while waiting:
        entry = waiting.pop(0)
        for other in neighbours[entry]:
            if not found[other]:
                found[other] = set(found[entry])
                waiting.append(other)
    for entry in own:
        if len(found[entry]) != 1:
            several = "speaks of two children" if found[entry] else "does not say which child it is about"
            raise Unmappable(entry.place, "two-children", f"this {several}; send one for each child")
    return found


def _reached(mine: set[Entry], shared: frozenset[str]) -> set[Entry]:
    """The shared entries that a child's lead to, and those that these lead to."""
    reached: set[Entry] = set()
    waiting = list(mine)
    while waiting:
        for target in targets(waiting.pop()):
            if target.type in shared and target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached
