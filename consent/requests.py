"""Judges a request by consents alone, with no data at hand: what they decide, and what they leave to labels.

Where a provision depends on content (labels, classes, codes), the answer is an obligation to redact: ``codes`` go, or
everything but ``exceptAnyOfCodes`` goes. Several such obligations all hold. Where content cannot be said in codes the
answer is stricter than the judgement of the items themselves, never wider.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from consent.fhir import Node, Tree
from consent.matching import actor_matches, any_of, within
from consent.model import Code, Obligation, ObligationKind, Residual
from consent.trees import Ask, Result, base_rule, no_base


@dataclass(frozen=True, slots=True)
class Corners:
    """How one named profile reads the corners on which sources disagree (design, `consent.md`)."""

    name: str
    flips: bool = False
    """A nested match flips its parent, whatever `type` it states; an empty one matches all."""
    strict: bool = True
    """Codes outside the known ones make a consent Indeterminate."""
    absent_matches: bool = False
    """A purpose that the request does not state matches; an actor that nobody can resolve does not."""
    all_purposes: bool = True
    """Every purpose of the request must be covered; else one that matches is enough."""
    union: bool = False
    """Labels and classes of one provision are redacted together, instead of where both hold."""
    drop_on_deny: bool = False
    """A base denial stays one, whatever content is excepted from it."""
    permit_over_forbid: bool = False
    newest: bool = False
    """The newest applicable consent answers alone."""


CORNERS: Final = {
    "hub": Corners("hub"),
    "pcf": Corners("pcf", strict=False, permit_over_forbid=True),
    "leap-2020": Corners(
        "leap-2020",
        flips=True,
        strict=False,
        absent_matches=True,
        all_purposes=False,
        union=True,
        drop_on_deny=True,
        newest=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Content that a provision depends on: all non-empty groups must be met, each by any of its codes."""

    groups: tuple[frozenset[Code], ...] = ()
    opaque: bool = False
    """Depends on something that no code can say (a date, an instance)."""


@dataclass(frozen=True, slots=True)
class Leaning:
    """What a consent says about a request: a result for content that no exception covers, and the exceptions."""

    result: Result
    permits: tuple[Condition, ...] = ()
    denials: tuple[Condition, ...] = ()
    may_deny: bool = False
    paths: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether it says nothing at all."""
        return self.result is Result.NOT_APPLICABLE and not self.permits and not self.denials


_SILENT: Final = Leaning(Result.NOT_APPLICABLE)


def lean(tree: Tree, asks: tuple[Ask, ...], corners: Corners) -> Leaning:
    """What `tree` says about a request, one ask for each of its purposes."""
    answers = [_lean(tree, ask, corners) for ask in asks]
    if not corners.all_purposes:
        return next((answer for answer in answers if not answer.silent), _SILENT)
    for result in (Result.DENY, Result.INDETERMINATE, Result.NOT_APPLICABLE):
        worst = next((answer for answer in answers if answer.result is result), None)
        if worst is not None:
            return worst
    return Leaning(
        Result.PERMIT,
        denials=tuple(dict.fromkeys(one for answer in answers for one in answer.denials)),
        paths=answers[0].paths,
    )


def _lean(tree: Tree, ask: Ask, corners: Corners) -> Leaning:
    if tree.unreadable or no_base(tree):
        return _SILENT if corners.flips else Leaning(Result.INDETERMINATE, may_deny=True)
    bounded = within(tree.period, ask.at, ask.zone)
    if bounded is False:
        return _SILENT
    base = base_rule(tree, corners.name)
    found = _node(tree.root or Node(path="", type=base), base, tree.release, ask, corners, top=True)
    if found.silent:
        return found
    unclear = bounded is None or not (tree.clear if corners.strict else tree.parsed)
    if unclear and (found.result is not Result.DENY or bounded is None):
        return _SILENT if corners.flips else Leaning(Result.INDETERMINATE, may_deny=True, paths=found.paths)
    return found


def _node(node: Node, kind: str, release: str, ask: Ask, corners: Corners, top: bool = False) -> Leaning:
    own = _own(node, kind, ask, corners, top)
    flipped = {"permit": "deny", "deny": "permit"}.get(kind, "")
    children = []
    for child in node.children:
        child_kind = flipped if corners.flips or (not child.type and release == "R5") else child.type
        answer = _node(child, child_kind, release, ask, corners)
        if not answer.silent:
            children.append(answer)
    return _refine(own, children, corners) if children else own


def _own(node: Node, kind: str, ask: Ask, corners: Corners, top: bool) -> Leaning:
    matched = _context(node, ask, corners)
    if matched is False:
        return _SILENT
    condition = _content(node, ask, corners)
    if condition is None:
        return _SILENT
    path = (node.path or "base",)
    empty_permit = kind == "permit" and not top and not node.stated and node.path.count("provision") > 1
    if matched is None or not kind or (empty_permit and not corners.flips):
        return Leaning(Result.INDETERMINATE, may_deny=kind != "permit", paths=path)
    if not condition.groups and not condition.opaque:
        return Leaning(Result.PERMIT if kind == "permit" else Result.DENY, paths=path)
    if kind == "permit":
        return Leaning(Result.NOT_APPLICABLE, permits=(condition,), paths=path)
    return Leaning(Result.NOT_APPLICABLE, denials=(condition,), paths=path)


def _refine(own: Leaning, children: list[Leaning], corners: Corners) -> Leaning:
    """What children leave of their parent: an unconditional one replaces its answer, others except from it."""
    permits = tuple(one for child in children for one in child.permits)
    denials = tuple(one for child in children for one in child.denials)
    results = {child.result for child in children}
    paths = tuple(path for child in children for path in child.paths)
    may_deny = any(child.may_deny for child in children if child.result is Result.INDETERMINATE)
    if Result.DENY in results:
        kept = permits if corners.permit_over_forbid else _inside(children)
        return Leaning(Result.DENY, kept, denials, paths=paths)
    if Result.INDETERMINATE in results and (may_deny or own.result is not Result.PERMIT):
        return Leaning(Result.INDETERMINATE, permits, denials, may_deny=True, paths=paths)
    if Result.PERMIT in results:
        return Leaning(Result.PERMIT, permits, denials, paths=paths)
    return Leaning(own.result, (*own.permits, *permits), (*own.denials, *denials), own.may_deny, paths or own.paths)


def _inside(children: list[Leaning]) -> tuple[Condition, ...]:
    """Exceptions that a denying child makes from its own denial."""
    return tuple(one for child in children if child.result is Result.DENY for one in child.permits)


def _context(node: Node, ask: Ask, corners: Corners) -> bool | None:
    """Whether actor, purpose, action and period match, as the profile reads what is absent."""
    answers: list[bool | None] = []
    if node.actors is not None:
        answers.append(any_of(actor_matches(actor, ask.recipient, ask.sender) for actor in node.actors))
    if node.purposes is not None:
        stated = ask.purpose in node.purposes or "PurposeOfUse" in node.purposes
        answers.append(stated if ask.purpose else (True if corners.absent_matches else None))
    if node.actions is not None:
        answers.append(ask.action in node.actions if ask.action else (True if corners.absent_matches else None))
    if node.period is not None:
        answers.append(within(node.period, ask.at, ask.zone))
    if False in answers:
        return False
    if None in answers:
        return False if corners.absent_matches else None
    return True


def _content(node: Node, ask: Ask, corners: Corners) -> Condition | None:
    """The content a node depends on beyond what the request names; None when the request's classes rule it out."""
    groups = [group for group in (node.labels, node.codes) if group]
    if node.classes:
        if not ask.classes:
            groups.append(node.classes)
        elif node.classes.isdisjoint(ask.classes):
            return None
        elif not ask.classes <= node.classes:
            groups.append(node.classes & ask.classes)
    if corners.union and groups:
        groups = [frozenset().union(*groups)]
    return Condition(tuple(groups), opaque=node.data_period is not None or node.data is not None)


# --- obligations ----------------------------------------------------------------------------------------------


def settled(leaning: Leaning, corners: Corners) -> Leaning:
    """The result as it stands for the whole request: a base denial with permitted content is a permit of only that."""
    permits = tuple(one for one in leaning.permits if not one.opaque)
    if any(one.opaque for one in leaning.denials) and leaning.result is not Result.DENY:
        return Leaning(Result.INDETERMINATE, may_deny=True, paths=leaning.paths)
    if leaning.result is Result.DENY and permits and not corners.drop_on_deny:
        return Leaning(Result.PERMIT, permits, leaning.denials, paths=leaning.paths)
    if leaning.result is Result.NOT_APPLICABLE and permits:
        return Leaning(Result.PERMIT, permits, leaning.denials, paths=leaning.paths)
    if leaning.result is Result.PERMIT:
        # What is permitted anyway needs no exception.
        return Leaning(Result.PERMIT, (), leaning.denials, paths=leaning.paths)
    return leaning


def obligations_of(leaning: Leaning) -> tuple[Obligation, ...]:
    """The redactions that a settled permit asks for."""
    found = []
    redacted = sorted({code for one in leaning.denials for code in _coarse(one)})
    if redacted:
        found.append(Obligation(ObligationKind.REDACT, codes=tuple(redacted)))
    for clause in _clauses(leaning.permits):
        found.append(Obligation(ObligationKind.REDACT, except_any_of=tuple(sorted(clause))))
    return tuple(found)


def residual_of(leaning: Leaning) -> tuple[Residual, ...]:
    """The same in the form of IHE PCF: what is permitted, what is forbidden, by label."""
    permitted = sorted({code for one in leaning.permits for code in _coarse(one)})
    forbidden = sorted({code for one in leaning.denials for code in _coarse(one)})
    found = [Residual("permit", tuple(permitted))] if permitted else []
    return (*found, *([Residual("forbid", tuple(forbidden))] if forbidden else []))


def _coarse(condition: Condition) -> Iterable[Code]:
    """One group of a condition: redacting all of it redacts at least what the condition means."""
    return condition.groups[0] if condition.groups else ()


def _clauses(conditions: tuple[Condition, ...]) -> list[frozenset[Code]]:
    """Any of the conditions, as clauses that must all hold (each met by any of its codes)."""
    clauses: list[frozenset[Code]] = []
    for condition in conditions:
        if not clauses:
            clauses = list(condition.groups)
        else:
            clauses = [have | group for have in clauses for group in condition.groups]
    return list(dict.fromkeys(clauses))
