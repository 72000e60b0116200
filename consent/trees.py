"""Judges one item by one compiled Consent: Permit, Deny, NotApplicable or Indeterminate.

Inside a provision kinds are AND, repeats OR, an absent kind is unconstrained. A nested provision is an exception to its
parent; among siblings a denial wins; nothing matches -> NotApplicable. Whatever cannot be decided is Indeterminate, and
remembers whether it may have been a denial.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from consent.fhir import RESOURCE_TYPE_SYSTEM, Actor, Bounds, Node, Tree
from consent.model import Code, Item, Party
from consent.moments import interval, zone_of
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    CONFIDENTIALITY_SYSTEM,
    DATA_CLASS_SYSTEM,
    TAINT_SYSTEM,
    Confidentiality,
    DataClass,
    Sensitivity,
    Taint,
)

LABEL_SYSTEMS: Final = (
    {label.value: ACT_CODE_SYSTEM for label in Sensitivity}
    | {label.value: CONFIDENTIALITY_SYSTEM for label in Confidentiality}
    | {taint.value: TAINT_SYSTEM for taint in Taint}
)
"""The code system of each label that an item can carry as a bare code."""


class Result(StrEnum):
    """What one tree, or one node of it, says about an item."""

    PERMIT = "permit"
    DENY = "deny"
    NOT_APPLICABLE = "not-applicable"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class Answer:
    """A result with the nodes that decided it."""

    result: Result
    nodes: tuple[Node, ...] = ()
    explicit: bool = False
    """A denial that somebody stated, not merely the base rule of an opt-in consent."""
    may_deny: bool = False
    """Indeterminate, and one way to settle it is a denial."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The context in which items are judged; one purpose at a time ("" = the request states none)."""

    recipient: Party
    sender: Party
    purpose: str
    action: str
    at: datetime
    zone: str
    classes: frozenset[Code] = frozenset()
    base_default: str = "deny"
    profile: str = "hub"

    @property
    def strict_codes(self) -> bool:
        """Codes outside the known ones make a node Indeterminate."""
        return self.profile == "hub"


_NA: Final = Answer(Result.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Live:
    """A provision whose actor, purpose, action and period were looked at already; content remains."""

    node: Node
    kind: str
    """``permit``, ``deny``, or "" where the profile cannot tell."""
    certain: bool | None
    """Whether the context matches; False where only something below can."""
    root: bool
    children: tuple[Live, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A tree as it stands in one context: what is left of it is judged item by item."""

    tree: Tree
    ask: Ask
    live: Live | None
    bounded: bool | None = True
    unreadable: bool = False


def apply_tree(tree: Tree, ask: Ask) -> Applied:
    """Look at everything that does not depend on the item, once for all items."""
    if tree.unreadable or no_base(tree):
        return Applied(tree, ask, None, unreadable=True)
    bounded = within(tree.period, ask.at, ask.zone)
    if bounded is False:
        return Applied(tree, ask, None)
    base = base_rule(tree, ask.base_default, ask.profile)
    return Applied(tree, ask, _live(tree.root or Node(path="", type=base), base, tree.release, ask, True), bounded)


def _live(node: Node, kind: str, release: str, ask: Ask, root: bool = False) -> Live | None:
    children = []
    for child in node.children:
        child_kind = child.type
        if not child_kind and release == "R5" and kind:
            child_kind = "deny" if kind == "permit" else "permit"
        live = _live(child, child_kind, release, ask)
        if live is not None:
            children.append(live)
    certain = context_matches(node, ask)
    if certain is False and not children:
        return None
    return Live(node, kind, certain, root, tuple(children))


def judge_tree(tree: Tree, ask: Ask, item: Item) -> Answer:
    """What `tree` says about `item`; a tree that cannot be read in full never permits."""
    return judge(apply_tree(tree, ask), item)


def judge(applied: Applied, item: Item) -> Answer:
    """What a tree in its context says about `item`."""
    if applied.unreadable:
        return Answer(Result.INDETERMINATE, may_deny=True)
    if applied.live is None:
        return _NA
    answer = _judge(applied.live, applied.ask, item)
    if answer.result is Result.NOT_APPLICABLE:
        return answer
    strict = applied.ask.strict_codes
    clear = applied.tree.root is None or (applied.tree.clear if strict else applied.tree.parsed)
    if applied.bounded is None or (answer.result is Result.PERMIT and not clear):
        return Answer(Result.INDETERMINATE, answer.nodes, may_deny=answer.explicit or answer.may_deny)
    return answer


def base_rule(tree: Tree, default: str, profile: str) -> str:
    """``permit`` or ``deny`` where nothing nested says otherwise; each profile looks in its own places."""
    root = tree.root.type if tree.root else ""
    if profile == "leap-2020":
        return (tree.policy_rule if tree.policy_rule != "?" else "") or root or tree.decision or default
    if profile == "pcf":
        return root or tree.decision or tree.policy_rule or default
    return tree.decision or root or tree.policy_rule or default


def no_base(tree: Tree) -> bool:
    """Whether the only thing that could say the base rule is a policy rule that nobody here knows."""
    return tree.policy_rule == "?" and not tree.decision and not (tree.root and tree.root.type)


def _judge(live: Live, ask: Ask, item: Item) -> Answer:
    """One provision; those below it refine it."""
    found: list[Answer] = []
    for child in live.children:
        answer = _judge(child, ask, item)
        if answer.result is not Result.NOT_APPLICABLE:
            found.append(answer)
    own = _own(live, ask, item)
    return _refine(own, found, ask) if found else own


def _own(live: Live, ask: Ask, item: Item) -> Answer:
    node, kind = live.node, live.kind
    if live.certain is False:
        return _NA
    content = content_matches(node, ask, item)
    if content is False:
        return _NA
    empty_permit = kind == "permit" and not node.stated and not live.root
    if content is None or live.certain is None or not kind or empty_permit:
        return Answer(Result.INDETERMINATE, (node,), may_deny=kind != "permit")
    if kind == "permit":
        return Answer(Result.PERMIT, (node,))
    # A root that denies without naming anything is the base rule of an opt-in consent, not a stated denial.
    return Answer(Result.DENY, (node,), explicit=not live.root or bool(node.stated - {"period"}))


def _refine(own: Answer, found: list[Answer], ask: Ask) -> Answer:
    """What the matching children leave of their parent's own answer."""
    denied = [answer for answer in found if answer.result is Result.DENY]
    permitted = [answer for answer in found if answer.result is Result.PERMIT]
    unsure = [answer for answer in found if answer.result is Result.INDETERMINATE]
    if ask.profile == "pcf" and any(node.labels for answer in permitted for node in answer.nodes):
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
        return own
    return Answer(Result.INDETERMINATE, nodes, may_deny=may_deny or own.explicit or own.may_deny)


# --- one provision against one item -------------------------------------------------------------------------


def context_matches(node: Node, ask: Ask) -> bool | None:
    """Whether actor, purpose, action and period in effect at `node` match: no, yes, or undecidable (None)."""
    vague = _vague(node, ask)
    if "*" in vague:
        return None
    unsure = bool(node.unreadable) or (bool(node.unknown) and ask.strict_codes)
    if node.purposes is not None:
        if not ask.purpose:
            unsure = True
        elif ask.purpose not in node.purposes and "PurposeOfUse" not in node.purposes and "purposes" not in vague:
            return False
    if node.actions is not None:
        if not ask.action:
            unsure = True
        elif ask.action not in node.actions and "actions" not in vague:
            return False
    if node.actors is not None:
        named = any_of(actor_matches(actor, ask) for actor in node.actors)
        if named is False and "actors" not in vague:
            return False
        unsure = unsure or named is None
    if node.period is not None:
        now = within(node.period, ask.at, ask.zone)
        if now is False and "period" not in vague:
            return False
        unsure = unsure or now is None
    return None if unsure else True


def _vague(node: Node, ask: Ask) -> frozenset[str]:
    """Kinds of constraint that may mean more than was understood: failing to match them settles nothing."""
    return node.vague | node.odd if ask.strict_codes and node.odd else node.vague


def content_matches(node: Node, ask: Ask, item: Item) -> bool | None:
    """Whether labels, class, codes, dates and data in effect at `node` cover the item."""
    vague = _vague(node, ask)
    if "*" in vague:
        return None
    unsure = False
    if node.classes is not None and not _class_matches(node.classes, ask, item):
        if "classes" not in vague:
            return False
        unsure = True
    if node.codes is not None and node.codes.isdisjoint(item.codes):
        if "codes" not in vague:
            return False
        unsure = True
    if node.labels is not None:
        labelled = _any_label(node.labels, item, node.type)
        if labelled is False and "labels" not in vague:
            return False
        unsure = unsure or not labelled
    if node.data_period is not None:
        dated = _dated(node.data_period, item.at, ask.zone)
        if dated is False and "data_period" not in vague:
            return False
        unsure = unsure or not dated
    if node.data is not None:
        meant = any_of(_data_matches(data.meaning, data.reference, item) for data in node.data)
        if meant is False and "data" not in vague:
            return False
        unsure = unsure or not meant
    return None if unsure else True


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """True if one is; else undecidable if one is; else False."""
    unsure = False
    for answer in answers:
        if answer:
            return True
        unsure = unsure or answer is None
    return None if unsure else False


def actor_matches(actor: Actor, ask: Ask) -> bool | None:
    """Whether the actor of a provision is the party asked about, by identifier, reference, group, tree and role."""
    if actor.unreadable:
        return None
    party = ask.sender if actor.about_sender else ask.recipient
    if actor.roles and not actor.references and not actor.identifiers:
        return not actor.roles.isdisjoint(party.roles)
    named = (
        not actor.identifiers.isdisjoint(party.identifiers)
        or not actor.references.isdisjoint(party.references)
        or not actor.references.isdisjoint(party.parents)
        or not actor.references.isdisjoint(party.groups)
        or any(f"{one.system}|{one.code}" in party.parents for one in actor.identifiers)
    )
    if not named:
        # Names of different kinds cannot be compared, and then nobody knows whether it is another party.
        comparable = (actor.identifiers and party.identifiers) or (actor.references and party.references)
        return False if comparable else None
    return not actor.roles or not actor.roles.isdisjoint(party.roles)


def within(bounds: Bounds | None, at: datetime, zone: str) -> bool | None:
    """Whether `at` lies in the period: FHIR ends are inclusive to their precision; None if a bound is no time."""
    if bounds is None:
        return True
    start = interval(bounds.start, zone) if bounds.start else None
    end = interval(bounds.end, zone) if bounds.end else None
    if (bounds.start and start is None) or (bounds.end and end is None):
        return None
    return (start is None or start[0] <= at) and (end is None or at < end[1])


def _dated(bounds: Bounds, moment: datetime | date | None, zone: str) -> bool | None:
    if moment is None:
        return None
    if isinstance(moment, datetime):
        return within(bounds, moment, zone)
    first = datetime.combine(moment, time(), zone_of(zone))
    start, end = within(bounds, first, zone), within(bounds, first + timedelta(days=1, microseconds=-1), zone)
    if start is None or end is None:
        return None
    return start if start == end else None


def _any_label(labels: frozenset[Code], item: Item, kind: str) -> bool | None:
    unsure = False
    for label in item.labels:
        if Code(LABEL_SYSTEMS.get(label, ""), label) in labels:
            return True
        # A label without its system is good enough to forbid, not to permit.
        if Code("", label) in labels:
            if kind == "deny":
                return True
            unsure = True
    return None if unsure else False


_DATA_CLASS_CODES: Final = {data_class: Code(DATA_CLASS_SYSTEM, data_class.value) for data_class in DataClass}


def _class_matches(classes: frozenset[Code], ask: Ask, item: Item) -> bool:
    if item.data_class is not None and _DATA_CLASS_CODES[item.data_class] in classes:
        return True
    for code in classes:
        if code.code == item.type and code.system in (RESOURCE_TYPE_SYSTEM, "http://hl7.org/fhir/fhir-types", ""):
            return True
    return not classes.isdisjoint(item.codes) or not classes.isdisjoint(ask.classes)


def _data_matches(meaning: str, reference: str, item: Item) -> bool | None:
    if meaning == "authoredby":
        return item.author == reference if item.author else None
    if item.place == reference or item.place.startswith(f"{reference}#") or item.place.endswith(f"/{reference}"):
        return True
    if meaning == "instance":
        return False
    if reference in item.refs or item.episode == reference:
        return True
    return False if meaning == "related" and item.refs else None
