"""A plan followed over a tree: adds what is not there, changes or takes away what is, and keeps each `when` true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from adapters.checking.places import below
from adapters.checking.plan import Condition, Plan, Plans, Spot
from adapters.checking.values import Making, text_of
from adapters.mapping import places
from adapters.mapping.chosen import Chosen
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import tellers_of
from adapters.tree import Branch, Node, Scalar, State

Stack = tuple[tuple[Branch, str], ...]
"""The cursors with their bare places, the nearest last."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How freely one message is made, in per cent."""

    add: int
    """Of what is not there, how much is added."""
    change: int
    drop: int
    most: int = 160
    """Places that may be added in all."""


@dataclass(slots=True)
class Filler:
    """One message being made."""

    making: Making
    codec: str
    habits: Habits
    kept: frozenset[str]
    """Bare places that are not taken away."""
    closed: frozenset[str]
    """Bare places that are left as they stand: the agreed schema says more of them than the rows do."""
    added: int = 0
    fixed: dict[int, Branch] = field(default_factory=dict)
    """Nodes that a `when` has said; their values stay."""
    banned: dict[tuple[int, tuple[str, ...]], Branch] = field(default_factory=dict)
    """Places that a `when` wants absent."""
    anything: dict[int, Branch] = field(default_factory=dict)
    """Nodes that a `when` only wants present; the row that reads them says what may stand there."""
    several: dict[tuple[int, str], Branch] = field(default_factory=dict)
    """Places that a `when` wants repeated."""
    keys: frozenset[str] = frozenset()
    """Columns that say which records belong together: they stay."""

    def rows(self, plans: Plans, stack: Stack, force: bool = False) -> None:
        """Follow rows in order."""
        for group in plans:
            if group[0].row.each and group[0].spot is not None:
                self._repeats(group, stack, force)
            else:
                self._one(group[0], stack, force)

    # --- what a row stands on

    def _locate(self, spot: Spot, stack: Stack) -> tuple[Branch, str]:
        branch, pattern = stack[-1 - spot.up]
        for step in spot.steps:
            pattern = below(pattern, step.partition("[")[0], self.codec)
        return branch, pattern

    def _may(self, pattern: str, base: Branch, steps: tuple[str, ...]) -> bool:
        if pattern in self.closed or (steps and steps[-1] in self.keys):
            return False
        return not any((id(base), steps[:count]) in self.banned for count in range(1, len(steps) + 1))

    def _open(self, spot: Spot, stack: Stack) -> bool:
        base, pattern = self._locate(spot, stack)
        return self._may(pattern, base, spot.steps)

    def _wants(self, plan: Plan, force: bool) -> bool:
        if self.added > self.habits.most and not plan.needed:
            return False
        if plan.needed or self.making.chance.yes(self.habits.add):
            self.added += 1
            return True
        return force and self.making.chance.yes(60)

    # --- rows

    def _one(self, plan: Plan, stack: Stack, force: bool) -> None:
        if plan.row.choose:
            self._choose(plan, stack, force)
        elif plan.parts:
            self._parts(plan, stack, force)
        elif plan.spot is None:
            self._here(plan, stack, force)
        else:
            self._at(plan, stack, force)

    def _here(self, plan: Plan, stack: Stack, force: bool) -> None:
        if not self._holds(plan.when, stack, None):
            if not self._wants(plan, force):
                return
            self._impose(plan.when, stack, None)
        if plan.inner and (plan.needed or plan.row.make == "" or self.making.chance.yes(self.habits.add + 30)):
            self.rows(plan.inner, stack, force or plan.needed)

    def _at(self, plan: Plan, stack: Stack, force: bool) -> None:
        assert plan.spot is not None
        base, pattern = self._locate(plan.spot, stack)
        steps = plan.spot.steps
        if not self._may(pattern, base, steps):
            return
        found = places.walk(base, steps)
        if not found:
            if self._wants(plan, force):
                self._fill(plan, reach(base, steps, False, self.codec), pattern, stack, True)
            return
        node = found[0]
        assert isinstance(node, Branch)
        if not self._holds(plan.when, stack, node):
            return
        if steps and self._drops(plan, node, pattern):
            take_out(base, node)
        elif steps == () or plan.inner or id(node) in self.anything or self.making.chance.yes(self.habits.change):
            self.anything.pop(id(node), None)
            self._fill(plan, node, pattern, stack, False)

    def _drops(self, plan: Plan, node: Branch, pattern: str) -> bool:
        if plan.needed or pattern in self.kept or id(node) in self.fixed:
            return False
        return self.making.chance.yes(self.habits.drop)

    def _fill(self, plan: Plan, node: Branch, pattern: str, stack: Stack, new: bool) -> None:
        """Give a node what the row reads there."""
        if new:
            self._impose(plan.when, stack, node)
        if plan.say is not None:
            self._say(node, plan.say(self.making))
        if plan.inner:
            inner = (*stack, (node, pattern))
            self.rows(plan.inner, inner, new)
            if new and plan.needed and not says(node):
                self.rows(plan.inner, inner, True)

    def _repeats(self, group: Sequence[Plan], stack: Stack, force: bool) -> None:
        first = group[0]
        assert first.spot is not None
        base, pattern = self._locate(first.spot, stack)
        steps = first.spot.steps
        if not self._may(pattern, base, steps):
            return
        found = [node for node in places.walk(base, steps) if isinstance(node, Branch)]
        for node in found:
            plan = next((plan for plan in group if self._holds(plan.when, stack, node)), None)
            if plan is None:
                continue
            if len(found) > 1 and self._drops(plan, node, pattern):
                take_out(base, node)
            elif plan.inner or self.making.chance.yes(self.habits.change):
                self._fill(plan, node, pattern, stack, False)
        for _ in range(self._more(group, base, steps, len(found), force)):
            plan = self.making.chance.one(group)
            node = reach(base, steps, True, self.codec)
            node.repeats = True
            self._impose(plan.when, stack, node)
            plan = next((one for one in group if self._holds(one.when, stack, node)), plan)  # who will read it
            self._fill(plan, node, pattern, stack, True)

    def _more(self, group: Sequence[Plan], base: Branch, steps: tuple[str, ...], there: int, force: bool) -> int:
        """How many repeats are added."""
        wanted = any(self._wants(plan, force) for plan in group[:3])
        if (id(base), steps[0] if steps else "") in self.several:
            return max(0, 2 - there)
        if not wanted or (there and not self.making.chance.yes(40)):
            return 0
        return 1 if self.making.chance.yes(70) else 2

    def _parts(self, plan: Plan, stack: Stack, force: bool) -> None:
        there = [places.walk(self._locate(spot, stack)[0], spot.steps) for spot in plan.parts]
        if not (self.making.chance.yes(self.habits.change) if all(there) else self._wants(plan, force)):
            return
        value = plan.say(self.making) if plan.say else None
        pieces = text_of(value).split(plan.row.by or " ", len(plan.parts) - 1) if value is not None else []
        for spot, piece in zip(plan.parts, pieces, strict=False):
            base, pattern = self._locate(spot, stack)
            if self._may(pattern, base, spot.steps):
                self._say(reach(base, spot.steps, False, self.codec), piece)

    def _choose(self, plan: Plan, stack: Stack, force: bool) -> None:
        current = next((option for option in plan.options if self._holds(option.when, stack, None)), None)
        if current is not None and not self.making.chance.yes(self.habits.change // 2):
            self._one(current, stack, force or plan.needed)
            return
        option = self.making.chance.one(plan.options)
        if option is not current:
            if not self._possible(option, stack):
                option = current or option
            elif plan.spot is not None and not self._open(plan.spot, stack):
                option = current or option  # what is left as it stands is not taken out
            elif plan.spot is not None:
                base = self._locate(plan.spot, stack)[0]
                for node in places.walk(base, plan.spot.steps):
                    if id(node) not in self.fixed and isinstance(node, Branch):
                        take_out(base, node)
            self._impose(option.when, stack, None)
        self._one(option, stack, True)

    def _possible(self, option: Plan, stack: Stack) -> bool:
        """Whether its `when` may be made to hold: what another `when` has said stays."""
        for condition in option.when:
            base = self._base(condition, stack, None)
            if base is None or not self._may(self._pattern(condition, stack), base, condition.spot.steps):
                return False
            if any(id(node) in self.fixed for node in places.walk(base, condition.spot.steps)):
                return False
        return True

    # --- when

    def _base(self, condition: Condition, stack: Stack, node: Branch | None) -> Branch | None:
        spot = condition.spot
        cursors = [branch for branch, _ in stack]
        if condition.own and node is not None:
            cursors.append(node)
        return cursors[-1 - spot.up] if spot.up < len(cursors) else None

    def _pattern(self, condition: Condition, stack: Stack) -> str:
        pattern = stack[-1 - condition.spot.up][1] if condition.spot.up < len(stack) else ""
        for step in condition.spot.steps:
            pattern = below(pattern, step.partition("[")[0], self.codec)
        return pattern

    def _holds(self, when: Iterable[Condition], stack: Stack, node: Branch | None) -> bool:
        return all(self._true(condition, self._base(condition, stack, node)) for condition in when)

    def _true(self, condition: Condition, base: Branch | None) -> bool:
        if base is None:
            return False
        step = condition.spot.steps[-1] if condition.spot.steps else ""
        name, _, number = step.partition("[")
        found = places.walk(base, (*condition.spot.steps[:-1], name) if step else ())
        if number:
            found = found[int(number.removesuffix("]")) - 1 :][:1]
        valued = [one for one in found if one.state is State.VALUE]
        if condition.values == (PRESENT,):
            return bool(valued)
        if condition.values == (ABSENT,):
            return not valued
        texts = {text_of(value) for one in found if (value := _leaf(one)) is not None}
        return bool(texts & set(condition.values))

    def _impose(self, when: Iterable[Condition], stack: Stack, node: Branch | None) -> None:
        for condition in when:
            base = self._base(condition, stack, node)
            if base is None:
                continue
            steps = condition.spot.steps
            if condition.values == (ABSENT,):
                for found in places.walk(base, steps):
                    if isinstance(found, Branch) and found is not base:
                        take_out(base, found)
                self.banned[(id(base), steps)] = base
            elif "[" in steps[-1] if steps else False:
                self.several[(id(base), steps[0].partition("[")[0])] = base
            elif condition.values == (PRESENT,):
                if steps and not places.walk(base, steps):
                    there = reach(base, steps, False, self.codec)
                    self._say(there, self.making.key())
                    self.anything[id(there)] = there
            else:
                there = reach(base, steps, False, self.codec)
                text = condition.values[0] if self.making.chance.yes(75) else self.making.chance.one(condition.values)
                self._say(there, text, True)
                self.fixed[id(there)] = there

    def _say(self, node: Branch, value: Scalar | None, anyway: bool = False) -> None:
        """Give a node a value where it may have one; a number stays what the sample's is."""
        if value is None or (id(node) in self.fixed and not anyway):
            return
        give(node, value, self.codec)


def give(node: Branch, value: Scalar, codec: str) -> None:
    """The value of a node: of its first part or its text when it has parts; a number stays what the sample's is."""
    while node.nodes:
        name = {"er7": "1", "xml": "."}.get(codec)
        if name is None:
            return
        node = next((child for child in node.nodes if child.name == name), None) or node.add(name)
    node.value = text_of(value) if codec != "json" or isinstance(node.value, str) else value
    node.state = State.VALUE


def _leaf(node: Node) -> Scalar | None:
    """As :func:`places.leaf`, for plain nodes: the value, or that of the first part or of the text."""
    found: Node | None = node
    while found is not None and found.value is None:
        name = "." if next(iter(found.all(".")), None) is not None else "1"
        found = next(iter(found.all(name)), None)
    return found.value if found is not None else None


def says(node: Node) -> bool:
    """Whether anything is said at a node or below it."""
    return node.value is not None or any(says(child) for child in node.children())


def take_out(base: Branch, node: Branch) -> None:
    """Take a node out from wherever it stands below `base`; others may hold it too, so it is emptied."""
    node.value, node.state, node.nodes = None, State.EMPTY, []
    for child in base.nodes:
        if child is node:
            base.nodes = [one for one in base.nodes if one is not node]
            return
        take_out(child, node)


def _there(base: Branch, step: str) -> list[Branch]:
    """The nodes that a step names, those of another kind left out."""
    named = list(base.all(step))
    return [node for node in named if tellers_of(step, node)] if isinstance(step, Chosen) else named


def _added(base: Branch, step: str, codec: str) -> Branch:
    node = base.add(str(step))
    if isinstance(step, Chosen):
        for way, values in step.tests:
            reach(node, way, False, codec).value = values[0]
    return node


def reach(base: Branch, steps: tuple[str, ...], new: bool, codec: str) -> Branch:
    """The node at the steps, made where missing; a value on the way moves to where the format keeps it."""
    for position, step in enumerate(steps):
        if base.value is not None:
            value, base.value = base.value, None
            if codec == "er7":
                base.add("1", value)
            elif codec == "xml":
                base.add(".", value)
        base.state = State.VALUE
        found = None if new and position == len(steps) - 1 else next(iter(_there(base, step)), None)
        base = found if found is not None else _added(base, step, codec)
    base.state = State.VALUE
    return base
