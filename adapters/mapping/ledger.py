"""What of a bundle has been said, so that each canonical element is said once and what is left over is loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import Unwritable
from adapters.mapping import paths
from adapters.mapping.env import canonical_links
from adapters.mapping.paths import Json, Own, Slot, Step, Test
from adapters.pack import Bundle, Context, Loss, LossKind
from adapters.tree import Branch
from consent.vocabulary import CLAIM_URL, INLINE_LABEL_URL

PARTIES = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location"})
"""Types that may play several parts in one message, and are said in each."""
_SUBJECTS = ("subject", "patient", "for", "beneficiary")


@dataclass(slots=True)
class Ledger:
    """One bundle being written."""

    bundle: Bundle
    context: Context
    header: Json = field(init=False)
    by_url: dict[str, Json] = field(init=False)
    used: set[tuple[int, Any]] = field(default_factory=set)
    """Leaves said: (id of the container, key)."""
    claimed: set[int] = field(default_factory=set)
    """Elements said, by id."""
    taken: set[tuple[str, int, int]] = field(default_factory=set)
    """Resources said: (link, id of the holder, id of the resource)."""
    spoken: set[int] = field(default_factory=set)
    """Resources said by any link, by id."""
    roles: dict[str, list[Json]] = field(default_factory=dict)
    refs: list[tuple[Json, tuple[Step, ...], str]] = field(default_factory=list)
    loss: list[Loss] = field(default_factory=list)
    agreed: dict[tuple[int, tuple[str, ...]], Branch] = field(default_factory=dict)
    """Places that several elements are said at alike, with the branch around them (so that its id stays its own)."""

    def __post_init__(self) -> None:
        entries = self.bundle.get("entry") or [{}]
        self.header = entries[0].get("resource", {})
        self.by_url = {}
        for entry in entries[1:]:
            resource = entry.get("resource", {})
            self.by_url[entry.get("fullUrl", "")] = resource
            if resource.get("id"):
                self.by_url.setdefault(f"{resource.get('resourceType')}/{resource['id']}", resource)

    @property
    def zone(self) -> str:
        """Zone of times that a format says without one."""
        return self.context.zone

    def note(self, place: str, kind: LossKind, why: str) -> None:
        """Report a loss."""
        self.loss.append(Loss(place, kind, why))

    def note_at(self, slot: Slot, kind: LossKind, why: str) -> None:
        """Report a loss of what stands in a slot."""
        container, key = slot
        place = self.place_of(container)
        self.note(f"{place}[{key}]" if isinstance(container, list) else f"{place}.{key}", kind, why)

    def place_of(self, element: Any) -> str:
        """The canonical place of an object or list of the bundle: ``Patient.identifier[0].period``; "" when it is not
        of it. All resources are searched: this is for what goes wrong."""
        ways = (_way(one, element, str(one.get("resourceType", ""))) for one in (self.header, *self.resources))
        return next(filter(None, ways), "")

    @property
    def resources(self) -> list[Json]:
        """Every resource but the MessageHeader, in order."""
        return [entry.get("resource", {}) for entry in (self.bundle.get("entry") or [])[1:]]

    def use(self, container: Any, key: Any) -> None:
        """Note a leaf or everything below a slot as said."""
        self.used.add((id(container), key))
        value = container[key]
        if isinstance(value, dict):
            self.claimed.add(id(value))
            for inner in value:
                self.use(value, inner)
        elif isinstance(value, list):
            for index in range(len(value)):
                self.use(value, index)

    def use_tests(self, element: Any, tests: tuple[Test, ...]) -> None:
        """Note what conditions of equality say as said: the pack says it by other means. Of a membership it says the
        first, as reading back gives; another member is left over."""
        for test in tests:
            if test.values in ((paths.PRESENT,), (paths.ABSENT,)):
                continue
            for container, key in paths.slots(element, test.path.steps):
                if paths.text_of(container[key]) == test.values[0]:
                    self.used.add((id(container), key))
            for container, steps in _on_the_way(element, test.path.steps):
                self.use_tests(container, steps)

    def reopen(self, resource: Json) -> tuple[set[tuple[int, Any]], set[int]]:
        """Let an agency or officer that has been said in one part be said in another; answers what to put back."""
        if id(resource) not in self.spoken or resource.get("resourceType") not in PARTIES:
            return set(), set()
        inside = set(_containers(resource))
        used, claimed = {said for said in self.used if said[0] in inside}, self.claimed & inside
        self.used -= used
        self.claimed -= claimed
        return used, claimed

    def slots(self, element: Json, steps: tuple[Step, ...], own: Own) -> list[Slot]:
        """Where a row's values stand: selected items, and of an unselected list in the middle the block's one item."""
        for step in steps[:-1]:
            held = element.get(step.name) if isinstance(element, dict) else None
            if held is None:
                return []
            if not step.is_list:
                element = held
                continue
            if step.tests:
                item = next((item for item in held if paths.holds(item, step.tests)), None)
                if item is not None:
                    self.use_tests(item, step.tests)
            else:
                item = own.get((id(element), step.name))
                if item is None:
                    item = next((item for item in held if id(item) not in self.claimed), None)
                    if item is not None:
                        own[(id(element), step.name)] = item
            if item is None:
                return []
            element = item
        last = steps[-1]
        held = element.get(last.name) if isinstance(element, dict) else None
        if held is None:
            return []
        if not last.is_list:
            return [(element, last.name)]
        return [(held, index) for index, item in enumerate(held) if paths.holds(item, last.tests)]

    def fresh(self, slot: Slot) -> bool:
        """Whether a slot has not been said yet."""
        container, key = slot
        return (id(container), key) not in self.used and id(container[key]) not in self.claimed

    def resolve(self, reference: Any) -> Json | None:
        """The resource of the bundle that a Reference names."""
        return self.by_url.get(reference.get("reference", "")) if isinstance(reference, Mapping) else None

    def referred(self, holder: Json, steps: tuple[Step, ...]) -> Iterator[tuple[Slot, Json]]:
        """The references at a link of a holder, with what they name."""
        for container, key in paths.slots(holder, steps):
            resource = self.resolve(container[key])
            if resource is not None:
                yield (container, key), resource

    def start(self, way: tuple[str, ...]) -> list[Json]:
        """The resources that a `find` leads to: a start, then elements."""
        focus = [held for reference in self.header.get("focus", ()) if (held := self.resolve(reference)) is not None]
        found = focus if way[0] == "focus" else self._child(focus)
        for name in way[1:]:
            found = [element for holder in found for element in self._at(holder, name)]
        return found

    def _at(self, holder: Json, name: str) -> Iterator[Json]:
        """What an element refers to; an element that is no reference is itself gone into."""
        held = holder.get(name)
        for value in held if isinstance(held, list) else [held]:
            resource = self.resolve(value)
            if resource is not None:
                yield resource
            elif isinstance(value, dict) and "reference" not in value:
                yield value

    def _child(self, focus: list[Json]) -> list[Json]:
        """The bundle's child: what the focus is about, else its only Patients."""
        found = [child for holder in focus for name in _SUBJECTS for child in self._at(holder, name)]
        found = [child for child in found if child.get("resourceType") == "Patient"]
        found += [resource for resource in self.resources if resource.get("resourceType") == "Patient"]
        return list({id(child): child for child in found}.values())

    def claims(self, kind: str) -> Iterator[Slot]:
        """Claims of a kind that have not been said."""
        extensions = self.header.get("extension", [])
        for index, extension in enumerate(extensions):
            if extension.get("url") == CLAIM_URL and (id(extensions), index) not in self.used:
                parts = extension.get("extension", [])
                if any(part.get("url") == "kind" and part.get("valueCode") == kind for part in parts):
                    yield extensions, index

    def close(self) -> None:
        """Note references to roles as said, where they lead to a resource of that role."""
        for resource, steps, role in self.refs:
            for (container, key), target in self.referred(resource, steps):
                if any(target is found for found in self.roles.get(role, ())):
                    self.use(container, key)

    def leftovers(self) -> Iterator[Loss]:
        """Every leaf that nobody said."""
        for resource in self.resources:
            kind = str(resource.get("resourceType"))
            for key in resource:
                if key not in ("resourceType", "id", "meta"):
                    yield from self._left(resource, key, f"{kind}.{key}")
        extensions = self.header.get("extension", [])
        for index in range(len(extensions)):
            if (id(extensions), index) not in self.used:
                yield Loss(f"MessageHeader.extension[{index}]", LossKind.DROP, "this format has no place for it")

    def _left(self, container: Any, key: Any, place: str) -> Iterator[Loss]:
        value = container[key]
        if (id(container), key) in self.used:
            return
        if isinstance(value, dict):
            if value.get("url") == INLINE_LABEL_URL:
                return
            for inner in value:
                yield from self._left(value, inner, f"{place}.{inner}")
        elif isinstance(value, list):
            for index in range(len(value)):
                yield from self._left(value, index, f"{place}[{index}]")
        elif value is not None and not (key == "url" and place.endswith("].url")):
            yield Loss(place, LossKind.DROP, "this format has no place for it")


def _way(value: Any, container: Any, place: str) -> str:
    """The place of an object or list at or below a value; "" when it is not there."""
    if value is container:
        return place
    if isinstance(value, dict):
        found = (_way(inner, container, f"{place}.{name}") for name, inner in value.items())
    elif isinstance(value, list):
        found = (_way(inner, container, f"{place}[{index}]") for index, inner in enumerate(value))
    else:
        return ""
    return next(filter(None, found), "")


def _containers(value: Any) -> Iterator[int]:
    """The ids of a value and of every object and list below it."""
    if isinstance(value, dict | list):
        yield id(value)
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _on_the_way(element: Any, steps: tuple[Step, ...]) -> Iterator[tuple[Any, tuple[Test, ...]]]:
    """Items that selectors of a path pick, with those selectors."""
    for position, step in enumerate(steps):
        if step.tests:
            bare = (*steps[:position], Step(step.name, step.is_list))
            for container, key in paths.slots(element, bare):
                if paths.holds(container[key], step.tests):
                    yield container[key], step.tests


class Place:
    """Where rows stand while writing: a source branch, the element being said, the resource that it is in."""

    __slots__ = ("branch", "element", "ledger", "ordinal", "own", "resources", "up")

    def __init__(
        self, branch: Branch, up: Place | None, element: Json, own: Own, resources: tuple[Json, ...], ledger: Ledger,
        ordinal: int = 1,
    ) -> None:  # fmt: skip
        self.branch = branch
        self.up = up
        self.element = element
        self.own = own
        self.resources = resources
        """The enclosing resources, the nearest last."""
        self.ledger = ledger
        self.ordinal = ordinal
        """Which repeat of its block it is, from 1."""

    def above(self, levels: int) -> Place:
        """The place so many cursors up."""
        found = self
        for _ in range(levels):
            assert found.up is not None
            found = found.up
        return found


def role_types() -> Mapping[str, str]:
    """Roles and the resource types that have them."""
    return canonical_links().roles


def missing(place: str, why: str) -> Unwritable:
    """What is required and not there."""
    return Unwritable(place, "required", why)


def unsayable(place: str, why: str) -> Unwritable:
    """What is there, and may not be left out, and has no place."""
    return Unwritable(place, "unsayable", why)
