"""The provisions of a Consent as bits, so that what a request and an item match takes a few look-ups.

Every provision is one bit. For each kind of constraint an index says which provisions state it and which values meet
which of them. Two masks come out: the provisions that are ruled out, and those of which nobody can tell; what a tree
answers depends on these two alone. A kind that was not understood in full is left out of its index: nothing rules its
provision out, and that provision is unsure already.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Final

from consent.codings import RESOURCE_TYPE_SYSTEM
from consent.fhir import Actor, Bounds, Data, Node
from consent.matching import LABEL_SYSTEMS, actor_matches, data_matches, dated, span_of
from consent.model import Code, Item, Party
from consent.vocabulary import DATA_CLASS_SYSTEM

TYPE_SYSTEMS: Final = (RESOURCE_TYPE_SYSTEM, "http://hl7.org/fhir/fhir-types", "")
"""Systems in which a class is a resource type: R4's, R5's, and none."""


def same_class(one: Code, other: Code) -> bool:
    """Whether two codes name the same class of data."""
    return one == other or (one.code == other.code and one.system in TYPE_SYSTEMS and other.system in TYPE_SYSTEMS)


class Index:
    """One kind of constraint: the provisions that state it, and the values that meet them."""

    __slots__ = ("always", "met", "stated")

    def __init__(self) -> None:
        self.stated = 0
        self.always = 0
        """Provisions that every value meets."""
        self.met: dict[Hashable, int] = {}

    def state(self, bit: int, values: Iterable[Hashable]) -> None:
        """One provision states this kind; any of `values` meets it."""
        self.stated |= bit
        for value in values:
            self.meets(bit, value)

    def meets(self, bit: int, value: Hashable) -> None:
        """`value` meets one provision."""
        self.met[value] = self.met.get(value, 0) | bit

    def missed(self, value: Hashable) -> int:
        """The provisions that `value` does not meet."""
        return self.stated & ~(self.met.get(value, 0) | self.always)


class Actors:
    """Whom provisions name: an index for each way of naming, and the few that need a closer look."""

    __slots__ = (
        "above",
        "by_role",
        "closer",
        "identifiers",
        "references",
        "role_systems",
        "roles",
        "stated",
        "strange",
    )

    def __init__(self) -> None:
        self.stated = 0
        self.references: dict[str, int] = {}
        self.identifiers: dict[tuple[str, str], int] = {}
        self.above: dict[str, int] = {}
        """Names up the organisation tree: references and ``system|value``."""
        self.roles: dict[tuple[str, str], int] = {}
        self.by_role = 0
        """Provisions that name a role alone."""
        self.role_systems: dict[str, int] = {}
        self.strange = [0, 0, 0, 0]
        """Provisions that a party not named there cannot be compared with, by which kinds of name the party has."""
        self.closer: dict[Actor, int] = {}

    def state(self, bit: int, actors: Iterable[Actor]) -> None:
        """One provision names any of `actors`."""
        self.stated |= bit
        for actor in actors:
            if actor.unreadable or actor.about_sender or (actor.roles and (actor.references or actor.identifiers)):
                self.closer[actor] = self.closer.get(actor, 0) | bit
            elif actor.roles:
                self.by_role |= bit
                for role in actor.roles:
                    self.roles[role.system, role.code] = self.roles.get((role.system, role.code), 0) | bit
                    self.role_systems[role.system] = self.role_systems.get(role.system, 0) | bit
            else:
                self._name(bit, actor)

    def _name(self, bit: int, actor: Actor) -> None:
        for reference in actor.references:
            self.references[reference] = self.references.get(reference, 0) | bit
            self.above[reference] = self.above.get(reference, 0) | bit
        for one in actor.identifiers:
            self.identifiers[one.system, one.code] = self.identifiers.get((one.system, one.code), 0) | bit
            self.above[f"{one.system}|{one.code}"] = self.above.get(f"{one.system}|{one.code}", 0) | bit
        for kinds in range(4):
            comparable = (actor.identifiers and kinds & 2) or (actor.references and kinds & 1)
            if actor.vague or not comparable:
                self.strange[kinds] |= bit

    def find(self, recipient: Party, sender: Party) -> tuple[int, int]:
        """The provisions that name the party, and those of which nobody can tell."""
        named = 0
        for name in recipient.references:
            named |= self.references.get(name, 0)
        for name in recipient.groups:
            named |= self.references.get(name, 0)
        for name in recipient.parents:
            named |= self.above.get(name, 0)
        if self.identifiers:
            for one in recipient.identifiers:
                named |= self.identifiers.get((one.system, one.code), 0)
        perhaps = self.strange[(2 if recipient.identifiers else 0) | (1 if recipient.references else 0)]
        if self.by_role:
            comparable = 0
            for one in recipient.roles:
                named |= self.roles.get((one.system, one.code), 0)
                comparable |= self.role_systems.get(one.system, 0)
            perhaps |= self.by_role & ~comparable
        for actor, bits in self.closer.items():
            found = actor_matches(actor, recipient, sender)
            if found:
                named |= bits
            elif found is None:
                perhaps |= bits
        return named, perhaps & ~named


class Masks:
    """Which provisions a request and an item rule out, and which they leave open."""

    __slots__ = (
        "actions", "actors", "classes", "codes", "data", "data_periods", "data_stated", "labels", "lenient",
        "perhaps_labelled", "periods", "permitting", "purposes", "types", "unsure", "zone",
    )  # fmt: skip

    def __init__(
        self, nodes: Iterable[Node], kinds: Iterable[str], strict: bool, zone: str, lenient: bool = False
    ) -> None:
        """`kinds`: the type in effect at each provision. `strict`: a code outside the known ones makes its provision
        unsure. `lenient`: a purpose or action that a request does not state matches, an actor that nobody can resolve
        does not, and of labels, classes and codes any one is enough."""
        self.zone = zone
        self.lenient = lenient
        self.permitting = 0
        self.unsure = 0
        self.actors = Actors()
        self.purposes, self.actions, self.codes = Index(), Index(), Index()
        self.classes, self.types, self.labels = Index(), Index(), Index()
        self.perhaps_labelled: dict[str, int] = {}
        periods: dict[Bounds, int] = {}
        data_periods: dict[Bounds, int] = {}
        self.data: dict[Data, int] = {}
        self.data_stated = 0
        for number, (node, kind) in enumerate(zip(nodes, kinds, strict=True)):
            bit = 1 << number
            if kind == "permit":
                self.permitting |= bit
            vague = node.vague | node.odd if strict else node.vague
            if node.unreadable or (strict and node.unknown):
                self.unsure |= bit
            if "*" in vague:
                continue
            self._constrain(bit, node, kind, vague)
            if node.period is not None and "period" not in vague:
                periods[node.period] = periods.get(node.period, 0) | bit
            if node.data_period is not None and "data_period" not in vague:
                data_periods[node.data_period] = data_periods.get(node.data_period, 0) | bit
        self.periods = [(span_of(bounds, zone), bits) for bounds, bits in periods.items()]
        self.data_periods = [(span_of(bounds, zone), bits) for bounds, bits in data_periods.items()]

    def _constrain(self, bit: int, node: Node, kind: str, vague: frozenset[str]) -> None:
        if node.purposes is not None and "purposes" not in vague:
            self.purposes.state(bit, node.purposes)
            if "PurposeOfUse" in node.purposes:
                self.purposes.always |= bit
        if node.actions is not None and "actions" not in vague:
            self.actions.state(bit, node.actions)
        if node.actors is not None and "actors" not in vague:
            self.actors.state(bit, node.actors)
        if node.classes is not None and "classes" not in vague:
            self._classes(bit, node.classes)
        if node.codes is not None and "codes" not in vague:
            self.codes.state(bit, ((one.system, one.code) for one in node.codes))
        if node.labels is not None and "labels" not in vague:
            self._labels(bit, node.labels, kind)
        if node.data is not None and "data" not in vague:
            self.data_stated |= bit
            for one in node.data:
                self.data[one] = self.data.get(one, 0) | bit

    def _classes(self, bit: int, classes: Iterable[Code]) -> None:
        self.classes.stated |= bit
        for one in classes:
            self.classes.meets(bit, (one.system, one.code))
            if one.system == DATA_CLASS_SYSTEM:
                self.classes.meets(bit, one.code)
            elif one.system in TYPE_SYSTEMS:
                self.types.meets(bit, one.code)

    def _labels(self, bit: int, labels: Iterable[Code], kind: str) -> None:
        self.labels.stated |= bit
        for one in labels:
            if one.system == LABEL_SYSTEMS.get(one.code, ""):
                self.labels.meets(bit, one.code)
            elif not one.system and kind == "deny":
                # A label without its system is good enough to forbid, not to permit.
                self.labels.meets(bit, one.code)
            elif not one.system:
                self.perhaps_labelled[one.code] = self.perhaps_labelled.get(one.code, 0) | bit

    def of_request(self, recipient: Party, sender: Party, purpose: str, action: str, at: datetime) -> tuple[int, int]:
        """What a request rules out and leaves open, for every item alike ("" = it states no purpose or action)."""
        ruled, unsure = 0, self.unsure
        if self.purposes.stated:
            if purpose:
                ruled = self.purposes.missed(purpose)
            elif not self.lenient:
                unsure |= self.purposes.stated
        if self.actions.stated:
            if action:
                ruled |= self.actions.missed(action)
            elif not self.lenient:
                unsure |= self.actions.stated
        if self.actors.stated:
            named, perhaps = self.actors.find(recipient, sender)
            if self.lenient:
                perhaps = 0
            ruled |= self.actors.stated & ~(named | perhaps)
            unsure |= perhaps
        for span, bits in self.periods:
            if span is None:
                unsure |= bits
            elif not span.holds(at):
                ruled |= bits
        return ruled, unsure

    def of_classes(self, classes: Iterable[Code]) -> int:
        """The provisions whose classes a request names, whatever the item: one of them stops it all, but what permits
        must cover all that is asked for."""
        met, types = self.classes.met, self.types.met
        some, every = 0, -1
        for one in classes:
            bits = met.get((one.system, one.code), 0)
            if one.system in TYPE_SYSTEMS:
                bits |= types.get(one.code, 0)
            some |= bits
            every &= bits
        return (some & ~self.permitting) | (every & some & self.permitting)

    def of_item(self, item: Item, classed: int) -> tuple[int, int]:
        """What an item rules out and leaves open; `classed` are met by the classes that the request names."""
        ruled = unsure = content = 0
        if self.classes.stated:
            met = self.classes.met
            classed |= self.types.met.get(item.type, 0)
            if item.data_class is not None:
                classed |= met.get(item.data_class, 0)
            for one in item.codes:
                classed |= met.get((one.system, one.code), 0)
            content = classed & self.classes.stated
            ruled = self.classes.stated & ~classed
        if self.codes.stated:
            coded = 0
            for one in item.codes:
                coded |= self.codes.met.get((one.system, one.code), 0)
            content |= coded
            ruled |= self.codes.stated & ~coded
        if self.labels.stated:
            labelled = perhaps = 0
            for label in item.labels:
                labelled |= self.labels.met.get(label, 0)
                perhaps |= self.perhaps_labelled.get(label, 0)
            ruled |= self.labels.stated & ~(labelled | perhaps)
            content |= labelled
            unsure = perhaps & ~labelled
        if self.lenient:
            ruled &= ~content
            unsure &= ~content
        for span, bits in self.data_periods:
            ruled, unsure = _tell(dated(span, item.at, self.zone), bits, ruled, unsure)
        if self.data_stated:
            meant = perhaps = 0
            for data, bits in self.data.items():
                found = data_matches(data, item)
                if found:
                    meant |= bits
                elif found is None:
                    perhaps |= bits
            ruled |= self.data_stated & ~(meant | perhaps)
            unsure |= perhaps & ~meant
        return ruled, unsure


def _tell(found: bool | None, bits: int, ruled: int, unsure: int) -> tuple[int, int]:
    if found is None:
        return ruled, unsure | bits
    return (ruled, unsure) if found else (ruled | bits, unsure)
