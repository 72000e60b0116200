"""Looks at a consent when it is written down: clashes, empty permits, dead clauses, grants that are too broad.

Pure, and never a decision: the engine judges a consent the same whether or not anybody heeded a finding. Only an empty
nested permit is refused (design, `consent.md`); everything else is a warning to whoever records it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from consent.fhir import Actor, Bounds, Node, Tree, read_consent
from consent.model import AgreedBy, ConsentFact, Facts
from consent.moments import interval
from consent.people import people_at
from consent.rulebook import Policy

ZONE: Final = "Asia/Ho_Chi_Minh"
_CONTENT: Final = ("classes", "codes", "labels", "data")
_SETS: Final = ("purposes", "actions", "labels", "classes", "codes", "data")
_FLIP: Final = {"permit": "deny", "deny": "permit"}


class Severity(StrEnum):
    """How much a finding weighs."""

    REFUSED = "refused"
    """The consent is not recorded as it stands."""
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that whoever writes the consent should see."""

    code: str
    place: str
    """Path of the clause, as in ``provision.provision[0]``; the element's name outside the clauses."""
    severity: Severity
    vi: str
    en: str
    other: str = ""
    """The clause with which it clashes, or which covers it."""


@dataclass(frozen=True, slots=True)
class _Clause:
    """One provision with what it comes to in its tree."""

    node: Node
    kind: str
    """``permit``, ``deny``, or "" where nobody can tell."""
    parent: _Clause | None
    period: tuple[datetime | None, datetime | None]

    @property
    def place(self) -> str:
        return self.node.path or "base"


def check(
    fact: ConsentFact, policy: Policy, at: datetime, facts: Facts | None = None, zone: str = ZONE
) -> tuple[Finding, ...]:
    """What is to be said about `fact` at `at`, what is refused first; `facts` are those of its case, where known.

    Raises :class:`consent.UnreadableInput` when the resource is no Consent at all.
    """
    tree = fact.tree if isinstance(fact.tree, Tree) else read_consent(fact.resource)
    clauses = tuple(_clauses(tree, fact.profile, zone))
    found = [
        *_empty(clauses, fact.profile),
        *_unclear(tree, clauses, fact.profile),
        *_act(fact, tree, policy, at, facts, zone),
        *_dead(clauses, tree, at, zone),
        *_clashes(clauses),
        *_broad(clauses),
    ]
    if facts is not None:
        found += _against_others(fact, clauses, facts, zone)
    words = policy.editions[-1][1].words["findings"]
    findings = dict.fromkeys(
        Finding(code, place, severity, str(words[code]["vi"]), str(words[code]["en"]), other)
        for code, place, severity, other in found
    )
    return tuple(sorted(findings, key=lambda one: one.severity is not Severity.REFUSED))


_Found = tuple[str, str, Severity, str]


def _warning(code: str, place: str, other: str = "") -> _Found:
    return code, place, Severity.WARNING, other


# --- the clauses ----------------------------------------------------------------------------------------------


def _clauses(tree: Tree, profile: str, zone: str) -> Iterator[_Clause]:
    base = tree.decision or (tree.root.type if tree.root else "") or tree.policy_rule.replace("?", "")
    root = tree.root or Node(path="policyRule", type=base)
    yield from _below(root, base, None, tree, profile, zone)


def _below(node: Node, kind: str, parent: _Clause | None, tree: Tree, profile: str, zone: str) -> Iterator[_Clause]:
    own = _Clause(node, kind, parent, _span(node.period or tree.period, zone))
    yield own
    for child in node.children:
        flips = profile == "leap-2020" or (not child.type and tree.release == "R5")
        yield from _below(child, _FLIP.get(kind, "") if flips else child.type, own, tree, profile, zone)


def _span(bounds: Bounds | None, zone: str) -> tuple[datetime | None, datetime | None]:
    """First moment, and the first after the last; None is open, or not readable."""
    start = interval(bounds.start, zone) if bounds and bounds.start else None
    end = interval(bounds.end, zone) if bounds and bounds.end else None
    return (start[0] if start else None), (end[1] if end else None)


# --- what cannot be read, or says nothing ---------------------------------------------------------------------


def _empty(clauses: Iterable[_Clause], profile: str) -> Iterator[_Found]:
    for clause in clauses:
        nested = clause.parent is not None
        if nested and clause.kind == "permit" and not clause.node.stated and profile != "leap-2020":
            yield "empty-permit", clause.place, Severity.REFUSED, ""


def _unclear(tree: Tree, clauses: Iterable[_Clause], profile: str) -> Iterator[_Found]:
    yield from (_warning("unreadable", place) for place in tree.unreadable)
    if not (tree.decision or (tree.root and tree.root.type) or tree.policy_rule in ("permit", "deny")):
        yield _warning("no-base", "provision.type")
    if tree.root and not tree.decision and {tree.root.type, tree.policy_rule} == {"permit", "deny"}:
        yield _warning("policy-clash", "policyRule")
    for clause in clauses:
        if "actors" in clause.node.stated and any(actor.vague for actor in clause.node.actors or ()):
            yield _warning("actor-unresolved", f"{clause.place}.actor")
        yield from (_warning("unreadable", place) for place in clause.node.unreadable)
        if profile == "hub":
            yield from (_warning("unknown-code", place) for place in clause.node.unknown)
        if clause.parent is not None and not clause.kind and f"{clause.place}.type" not in clause.node.unreadable:
            yield _warning("type-missing", clause.place)


def _act(
    fact: ConsentFact, tree: Tree, policy: Policy, at: datetime, facts: Facts | None, zone: str
) -> Iterator[_Found]:
    """The act around the clauses: evidence, status, scope, end, and whether its giver counts."""
    if not fact.evidence:
        yield _warning("no-evidence", "evidence")
    if tree.status != "active":
        yield _warning("not-active", "status")
    scopes = {code.code for code in tree.categories if code.system.endswith("/consentscope")}
    if scopes and "patient-privacy" not in scopes:
        yield _warning("wrong-scope", "scope")
    end = _span(tree.period, zone)[1]
    if end is not None and end <= at:
        yield _warning("over", "period")
    if facts is not None and not _counts(fact, facts, policy, at):
        yield _warning("giver-not-counted", "given_by")


def _counts(fact: ConsentFact, facts: Facts, policy: Policy, at: datetime) -> bool:
    people = people_at(facts, at, policy.at(at))
    if fact.as_ is AgreedBy.CHILD:
        return fact.given_by == facts.person and "child" in people.band.needs
    return fact.given_by in people.unbarred and "representative" in people.band.needs


# --- clauses that can never matter ----------------------------------------------------------------------------


def _dead(clauses: tuple[_Clause, ...], tree: Tree, at: datetime, zone: str) -> Iterator[_Found]:
    whole = _span(tree.period, zone)
    over = whole[1] is not None and whole[1] <= at
    for clause in clauses:
        start, end = clause.period
        if (start is not None and end is not None and end <= start) or not _meet(clause.period, whole):
            yield _warning("dead-period", clause.place)
        elif clause.parent is not None and end is not None and end <= at and not over:
            yield _warning("past-period", clause.place)
        if clause.parent is not None and _adds_nothing(clause, clause.parent, clauses):
            yield _warning("redundant", clause.place, clause.parent.place)
    for permit, deny in _opposed(clauses):
        if _covers(deny, permit):
            yield _warning("dead-overridden", permit.place, deny.place)


def _adds_nothing(clause: _Clause, parent: _Clause, clauses: tuple[_Clause, ...]) -> bool:
    """Whether everything would be the same without the clause.

    A denial that repeats a bare base rule is not idle: it is stated, and outranks duty and treatment; nor is one beside
    a permit that it stops. A permit that names labels, classes or codes says what a wider one does not (R26).
    """
    repeats = parent.kind == clause.kind != "" and _covers(parent, clause)
    if not repeats or not clause.node.stated or clause.node.children:
        return False
    if clause.kind == "permit":
        return clause.node.stated.isdisjoint(_CONTENT)
    beside = (one for one in clauses if one.parent is parent and one.kind != "deny")
    return _stated(parent) and not any(_may_overlap(one, clause) for one in beside)


def _may_overlap(one: _Clause, other: _Clause) -> bool:
    """Whether nobody can rule out that something is covered by both, below them too."""
    return bool(one.node.children) or any(actor.vague for actor in other.node.actors or ()) or _overlap(one, other)


def _clashes(clauses: tuple[_Clause, ...]) -> Iterator[_Found]:
    for permit, deny in _opposed(clauses):
        if _overlap(permit, deny) and not _covers(deny, permit):
            yield _warning("clash", permit.place, deny.place)


def _opposed(clauses: tuple[_Clause, ...]) -> Iterator[tuple[_Clause, _Clause]]:
    """Siblings of which one permits and the other denies."""
    for permit in clauses:
        for deny in clauses:
            siblings = permit.parent is not None and permit.parent is deny.parent
            if siblings and (permit.kind, deny.kind) == ("permit", "deny"):
                yield permit, deny


def _against_others(fact: ConsentFact, clauses: tuple[_Clause, ...], facts: Facts, zone: str) -> Iterator[_Found]:
    """Clauses that contradict one of another consent which stands."""
    for other in facts.consents:
        if other.ref.id == fact.ref.id or other.withdrawn_at is not None or other.replaced:
            continue
        tree = other.tree if isinstance(other.tree, Tree) else read_consent(other.resource)
        if tree.status != "active":
            continue
        standing = tuple(_clauses(tree, other.profile, zone))
        if _closes(standing, clauses) or _closes(clauses, standing):
            yield _warning("base-closes", "provision", f"Consent/{other.ref.id}")
        for mine in clauses:
            for theirs in standing:
                opposed = {mine.kind, theirs.kind} == {"permit", "deny"}
                if opposed and _stated(mine) and _stated(theirs) and _overlap(mine, theirs):
                    yield _warning("clash-consents", mine.place, f"Consent/{other.ref.id}#{theirs.place}")


def _closes(base: tuple[_Clause, ...], permits: tuple[_Clause, ...]) -> bool:
    """Whether one denies everything and permits nothing, where the other permits; an opt-in closes only itself."""
    root = base[0]
    everything = root.kind == "deny" and not _stated(root) and all(one.kind != "permit" for one in base)
    return everything and any(one.kind == "permit" and _meet(one.period, root.period) for one in permits)


def _stated(clause: _Clause) -> bool:
    """Not merely the base rule of an opt-in or opt-out consent."""
    return clause.parent is not None or bool(clause.node.stated - {"period"})


# --- grants that are too broad --------------------------------------------------------------------------------


def _broad(clauses: Iterable[_Clause]) -> Iterator[_Found]:
    for clause in clauses:
        node = clause.node
        if clause.kind != "permit" or (clause.parent is not None and not node.stated):
            continue
        if node.actors is None:
            yield _warning("no-recipient", clause.place)
        if all(getattr(node, name) is None for name in _CONTENT):
            yield _warning("no-class", clause.place)
        if node.purposes is None:
            yield _warning("no-purpose", clause.place)
        if clause.period[1] is None:
            yield _warning("no-end", clause.place)


# --- one clause beside another --------------------------------------------------------------------------------


def _overlap(one: _Clause, other: _Clause) -> bool:
    """Whether something is certainly covered by both."""
    for name in _SETS:
        mine, theirs = getattr(one.node, name), getattr(other.node, name)
        if mine is not None and theirs is not None and not set(mine) & set(theirs):
            return False
    mine, theirs = one.node.actors, other.node.actors
    if mine is not None and theirs is not None and not any(_same(a, b) for a in mine for b in theirs):
        return False
    return _meet(one.period, other.period) and _meet(*_data_spans(one, other))


def _covers(wide: _Clause, narrow: _Clause) -> bool:
    """Whether all that `narrow` covers is covered by `wide`."""
    for name in _SETS:
        outer, inner = getattr(wide.node, name), getattr(narrow.node, name)
        if outer is not None and (inner is None or not set(inner) <= set(outer)):
            return False
    outer, inner = wide.node.actors, narrow.node.actors
    if outer is not None and (
        inner is None or not all(any(_same(a, b) and a.roles <= b.roles for a in outer) for b in inner)
    ):
        return False
    dated = _data_spans(wide, narrow)
    return _within(narrow.period, wide.period) and _within(dated[1], dated[0])


def _same(one: Actor, other: Actor) -> bool:
    if one.about_sender != other.about_sender:
        return False
    if one.references or one.identifiers:
        return bool(one.references & other.references or one.identifiers & other.identifiers)
    return bool(one.roles & other.roles)


_Span = tuple[datetime | None, datetime | None]


def _data_spans(one: _Clause, other: _Clause) -> tuple[_Span, _Span]:
    return _span(one.node.data_period, ZONE), _span(other.node.data_period, ZONE)


def _meet(one: _Span, other: _Span) -> bool:
    return not (
        (one[1] is not None and other[0] is not None and one[1] <= other[0])
        or (other[1] is not None and one[0] is not None and other[1] <= one[0])
    )


def _within(narrow: _Span, wide: _Span) -> bool:
    starts = wide[0] is None or (narrow[0] is not None and narrow[0] >= wide[0])
    ends = wide[1] is None or (narrow[1] is not None and narrow[1] <= wide[1])
    return starts and ends


def as_json(finding: Finding) -> Mapping[str, Any]:
    """A finding as it is shown: code, place, severity, both texts, and the other clause if there is one."""
    shown = {
        "code": finding.code,
        "place": finding.place,
        "severity": finding.severity.value,
        "vi": finding.vi,
        "en": finding.en,
    }
    return shown | ({"other": finding.other} if finding.other else {})
