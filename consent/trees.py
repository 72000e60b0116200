"""Judges one item by one compiled Consent: Permit, Deny, NotApplicable or Indeterminate.

Inside a provision kinds are AND, repeats OR, an absent kind is unconstrained. A nested provision is an exception to its
parent; among siblings a denial wins; nothing matches -> NotApplicable. Whatever cannot be decided is Indeterminate, and
remembers whether it may have been a denial.

What matches is read off :mod:`consent.masks`; the answer for one set of matching provisions is worked out once by the
plain walk below and kept with the compiled tree. It is a function of the Consent's text alone: no decision is kept.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from consent.fhir import Node, Tree
from consent.masks import Masks
from consent.matching import span_of
from consent.model import Code, Item, Party, Span
from consent.moments import interval

ANSWERS_KEPT: Final = 4096
"""Answers kept with one compiled tree; a tree that has more of them works the others out each time."""


class Result(StrEnum):
    """What one tree, or one node of it, says about an item."""

    PERMIT = "permit"
    DENY = "deny"
    NOT_APPLICABLE = "not-applicable"
    INDETERMINATE = "indeterminate"


class Answer(msgspec.Struct, frozen=True, eq=False):
    """A result with the nodes that decided it."""

    result: Result
    nodes: tuple[Node, ...] = ()
    explicit: bool = False
    """A denial that somebody stated, not merely the base rule of an opt-in consent."""
    may_deny: bool = False
    """Indeterminate, and one way to settle it is a denial."""
    parts: tuple[Answer, ...] = ()
    """Where several purposes were asked for: the permitting answer for each of them."""


class Ask(msgspec.Struct, frozen=True):
    """The context in which items are judged; one purpose at a time ("" = the request states none)."""

    recipient: Party
    sender: Party
    purpose: str
    action: str
    at: datetime
    zone: str
    classes: frozenset[Code] = frozenset()
    profile: str = "hub"


_NA: Final = Answer(Result.NOT_APPLICABLE)
_UNREADABLE: Final = Answer(Result.INDETERMINATE, may_deny=True)


class Reading:
    """A tree as one profile reads it in one zone: its provisions as bits, and the answers worked out so far."""

    __slots__ = (
        "answers", "bounds", "children", "clear", "ends", "every", "flips", "kinds", "label_permits", "masks", "nodes",
        "unreadable",
    )  # fmt: skip

    def __init__(self, tree: Tree, profile: str, zone: str) -> None:
        strict = profile == "hub"
        self.unreadable = bool(tree.unreadable) or no_base(tree)
        self.flips = profile == "leap-2020"
        """A nested match flips its parent, whatever `type` it states, and an empty one matches all."""
        base = base_rule(tree, profile)
        self.nodes: list[Node] = []
        self.kinds: list[str] = []
        self.children: list[tuple[int, ...]] = []
        self._add(tree.root or Node(path="", type=base), base, tree.release)
        self.every = (1 << len(self.nodes)) - 1
        self.masks = Masks(self.nodes, self.kinds, strict, zone, lenient=self.flips)
        self.clear = tree.root is None or (tree.clear if strict else tree.parsed)
        self.bounds = span_of(tree.period, zone) if tree.period is not None else Span()
        """The period that bounds every provision; None when it cannot be read."""
        ends = interval(tree.period.end, zone) if tree.period is not None else None
        self.ends = ends[1] if ends is not None else None
        """When the tree ends by its own period."""
        self.label_permits = profile == "pcf"
        self.answers: dict[tuple[int, int], Answer] = {}

    def _add(self, node: Node, kind: str, release: str) -> int:
        """Number a provision and those below it, each with the type in effect there ("" = the profile cannot tell)."""
        number = len(self.nodes)
        self.nodes.append(node)
        self.kinds.append(kind)
        self.children.append(())
        below = []
        for child in node.children:
            child_kind = "" if self.flips else child.type
            if not child_kind and (release == "R5" or self.flips) and kind:
                child_kind = "deny" if kind == "permit" else "permit"
            below.append(self._add(child, child_kind, release))
        self.children[number] = tuple(below)
        return number

    def answer(self, ruled: int, unsure: int) -> Answer:
        """What the tree says when these provisions are ruled out and those cannot be told."""
        key = (ruled, unsure & ~ruled)
        found = self.answers.get(key)
        if found is None:
            found = self._settled(self._judge(0, *key))
            if len(self.answers) < ANSWERS_KEPT:
                self.answers[key] = found
        return found

    def _settled(self, answer: Answer) -> Answer:
        if answer.result is Result.NOT_APPLICABLE:
            return answer
        if self.bounds is None or (answer.result is Result.PERMIT and not self.clear):
            return Answer(Result.INDETERMINATE, answer.nodes, may_deny=answer.explicit or answer.may_deny)
        return answer

    def _judge(self, number: int, ruled: int, unsure: int) -> Answer:
        """One provision; those below it refine it."""
        found = [
            answer
            for child in self.children[number]
            # A ruled out provision with nothing below it says nothing.
            if (not ruled >> child & 1 or self.children[child])
            and (answer := self._judge(child, ruled, unsure)).result is not Result.NOT_APPLICABLE
        ]
        own = self._own(number, ruled, unsure)
        return self._refine(own, found) if found else own

    def _own(self, number: int, ruled: int, unsure: int) -> Answer:
        bit, node, kind, root = 1 << number, self.nodes[number], self.kinds[number], number == 0
        if ruled & bit:
            return _NA
        empty_permit = kind == "permit" and not node.stated and not root and not self.flips
        if unsure & bit or not kind or empty_permit:
            return Answer(Result.INDETERMINATE, (node,), may_deny=kind != "permit")
        if kind == "permit":
            return Answer(Result.PERMIT, (node,))
        # A root that denies without naming anything is the base rule of an opt-in consent, not a stated denial.
        return Answer(Result.DENY, (node,), explicit=not root or bool(node.stated - {"period"}))

    def _refine(self, own: Answer, found: list[Answer]) -> Answer:
        """What the matching children leave of their parent's own answer."""
        denied = [answer for answer in found if answer.result is Result.DENY]
        permitted = [answer for answer in found if answer.result is Result.PERMIT]
        unsure = [answer for answer in found if answer.result is Result.INDETERMINATE]
        if self.label_permits and any(node.labels for answer in permitted for node in answer.nodes):
            denied = []
        if denied:
            return Answer(
                Result.DENY,
                tuple(node for answer in denied for node in answer.nodes),
                explicit=any(answer.explicit for answer in denied),
            )
        may_deny = any(answer.may_deny for answer in unsure)
        nodes = tuple(node for answer in (*permitted, *unsure) for node in answer.nodes)
        if permitted:
            if may_deny:
                return Answer(Result.INDETERMINATE, nodes, may_deny=True)
            return Answer(Result.PERMIT, tuple(node for answer in permitted for node in answer.nodes))
        if own.result is Result.PERMIT and not may_deny:
            return own
        if own.result is Result.DENY and all(answer.may_deny for answer in unsure):
            # A clause that cannot be read may be a stated denial, and then it outranks more than the base rule does.
            return Answer(Result.DENY, own.nodes, explicit=True)
        return Answer(Result.INDETERMINATE, nodes, may_deny=may_deny or own.explicit or own.may_deny)


class Applied:
    """A tree as it stands for one request: what is left of it is judged item by item."""

    __slots__ = ("classed", "fixed", "reading", "ruled", "unsure")

    def __init__(self, reading: Reading, ask: Ask) -> None:
        self.reading = reading
        self.ruled = self.unsure = self.classed = 0
        self.fixed: Answer | None = None
        """The answer for every item, where the request settles it."""
        if reading.unreadable:
            self.fixed = _UNREADABLE
        elif reading.bounds is not None and not reading.bounds.holds(ask.at):
            self.fixed = _NA
        else:
            masks = reading.masks
            self.ruled, self.unsure = masks.of_request(ask.recipient, ask.sender, ask.purpose, ask.action, ask.at)
            if self.ruled == reading.every:
                self.fixed = _NA
            elif ask.classes:
                self.classed = masks.of_classes(ask.classes)


def reading_of(tree: Tree, profile: str, zone: str) -> Reading:
    """The tree as `profile` reads it in `zone`, made once."""
    found: Reading | None = tree.readings.get((profile, zone))
    if found is None:
        found = tree.readings[profile, zone] = Reading(tree, profile, zone)
    return found


def apply_tree(tree: Tree, ask: Ask) -> Applied:
    """Look at everything that does not depend on the item, once for all items."""
    return Applied(reading_of(tree, ask.profile, ask.zone), ask)


def judge(applied: Applied, item: Item) -> Answer:
    """What a tree says about `item` for one request."""
    if applied.fixed is not None:
        return applied.fixed
    ruled, unsure = applied.reading.masks.of_item(item, applied.classed)
    return applied.reading.answer(applied.ruled | ruled, applied.unsure | unsure)


def judge_tree(tree: Tree, ask: Ask, item: Item) -> Answer:
    """What `tree` says about `item`; a tree that cannot be read in full never permits."""
    return judge(apply_tree(tree, ask), item)


def base_rule(tree: Tree, profile: str) -> str:
    """``permit`` or ``deny`` where nothing nested says otherwise; each profile looks in its own places."""
    root = tree.root.type if tree.root else ""
    if profile == "leap-2020":
        return (tree.policy_rule if tree.policy_rule != "?" else "") or root or tree.decision or "deny"
    if profile == "pcf":
        return root or tree.decision or tree.policy_rule or "deny"
    return tree.decision or root or tree.policy_rule or "deny"


def no_base(tree: Tree) -> bool:
    """Whether the only thing that could say the base rule is a policy rule that nobody here knows."""
    return tree.policy_rule == "?" and not tree.decision and not (tree.root and tree.root.type)
