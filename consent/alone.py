"""Judges a request by the consents that it brings, and nothing else: the profiles of other services, offline.

No law, no persons and no matrix here: those need facts that only the hub records (see :mod:`consent.engine`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from consent.canonical import input_hash
from consent.codings import RESOURCE_TYPE_SYSTEM
from consent.engine import ENVELOPE
from consent.fhir import Tree
from consent.matching import LABEL_SYSTEMS
from consent.model import (
    Code,
    ConsentFact,
    Decision,
    Disclosure,
    Facts,
    Item,
    Obligation,
    Outcome,
    Reason,
    Residual,
    Verdict,
)
from consent.moments import interval, months_after
from consent.requests import Corners, Leaning, lean, obligations_of, residual_of, settled
from consent.rulebook import Edition, Policy
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DATA_CLASS_SYSTEM, Basis, View


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says in codes of its own, which may be wider than the hub's."""

    purposes: tuple[str, ...]
    """At least one; "" = not stated."""
    actions: tuple[str, ...]
    category: frozenset[Code] = frozenset()


def decide_alone(
    disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, corners: Corners, asked: Asked
) -> Decision:
    """What the consents in `facts` say of `disclosure` by the corners of one profile."""
    edition = policy.at(at)
    asks = tuple(
        _ask(disclosure, facts, at, corners, purpose, action) for purpose in asked.purposes for action in asked.actions
    )
    spoken = _spoken(facts, at, edition, corners, asked.category, asks)
    outcome = _outcome([leaning for _, leaning in spoken])
    permitted = outcome is Outcome.PERMIT
    reasons = tuple(_reason(fact, leaning, edition) for fact, leaning in spoken)
    obligations = _merged(leaning for _, leaning in spoken) if permitted else ()
    verdicts = tuple(
        Verdict(item.place, View.FULL, basis=Basis.CONSENT)
        if permitted and _leaves(item, [fact for fact, _ in spoken], asks, corners, obligations)
        else Verdict(item.place, View.NONE)
        for item in disclosure.items
    )
    return Decision(
        outcome=outcome,
        verdicts=verdicts,
        reasons=reasons,
        obligations=obligations,
        residual=_residuals(spoken) if permitted else (),
        policy_version=edition.version,
        read=tuple(fact.ref for fact, _ in spoken),
        input_hash=input_hash(disclosure, facts, edition.version, at, corners.name),
        projections={name: edition.projections[name] for name in ENVELOPE},
        notice=edition.notice,
    )


def _ask(disclosure: Disclosure, facts: Facts, at: datetime, corners: Corners, purpose: str, action: str) -> Ask:
    return Ask(
        recipient=disclosure.recipient,
        sender=disclosure.sender,
        purpose=purpose,
        action=action,
        at=at,
        zone=facts.zone,
        classes=frozenset(disclosure.classes),
        profile=corners.name,
    )


def _spoken(
    facts: Facts, at: datetime, edition: Edition, corners: Corners, category: frozenset[Code], asks: tuple[Ask, ...]
) -> list[tuple[ConsentFact, Leaning]]:
    """The consents that apply, with what each says; only the newest of them where the profile says so."""
    found = []
    counting = [fact for fact in facts.consents if _counts(fact, facts, at, edition, corners, category)]
    for fact in sorted(counting, key=lambda one: _dated(one.tree, facts.zone, at), reverse=True):
        leaning = settled(lean(fact.tree, asks, corners), corners)
        if not leaning.silent:
            found.append((fact, leaning))
            if corners.newest:
                break
    return found


def _counts(
    fact: ConsentFact, facts: Facts, at: datetime, edition: Edition, corners: Corners, category: frozenset[Code]
) -> bool:
    tree: Tree = fact.tree
    if tree.status != "active" or fact.replaced or (category and category.isdisjoint(tree.categories)):
        return False
    scopes = {code.code for code in tree.categories if code.system.endswith("/consentscope")}
    if corners.name == "hub":
        started = interval(tree.date, facts.zone)
        ends = months_after(started[0], edition.numbers["consent.months"]) if started else None
        stated = tree.period is not None and tree.period.end
        if (started and started[0] > at) or (ends is not None and not stated and ends <= at):
            return False
        return not scopes or "patient-privacy" in scopes
    return True


def _dated(tree: Tree, zone: str, at: datetime) -> datetime:
    found = interval(tree.date, zone)
    return found[0] if found else at


def _outcome(spoken: list[Leaning]) -> Outcome:
    """A denial wins, then what cannot be read; nobody speaking is NO_CONSENT."""
    results = {leaning.result for leaning in spoken}
    if Result.DENY in results:
        return Outcome.DENY
    if Result.INDETERMINATE in results:
        return Outcome.INDETERMINATE
    if Result.PERMIT in results:
        return Outcome.PERMIT
    return Outcome.NO_CONSENT


def _merged(spoken: Iterable[Leaning]) -> tuple[Obligation, ...]:
    return tuple(dict.fromkeys(one for leaning in spoken for one in obligations_of(leaning)))


def _residuals(spoken: list[tuple[ConsentFact, Leaning]]) -> tuple[Residual, ...]:
    return tuple(dict.fromkeys(one for _, leaning in spoken for one in residual_of(leaning)))


def _reason(fact: ConsentFact, leaning: Leaning, edition: Edition) -> Reason:
    code = {
        Result.PERMIT: "C-permits",
        Result.DENY: "R17-consent-denies",
        Result.INDETERMINATE: "R2-indeterminate",
        Result.NOT_APPLICABLE: "R2-not-covered",
    }[leaning.result]
    clause = f"Consent/{fact.ref.id}#{leaning.paths[0] if leaning.paths else 'base'}"
    return Reason(code, clause, policy_version=edition.version, read=(fact.ref,))


def _leaves(
    item: Item, facts: list[ConsentFact], asks: tuple[Ask, ...], corners: Corners, obligations: tuple[Obligation, ...]
) -> bool:
    """Whether one item survives: by the redactions where the profile speaks in codes, else judged for itself."""
    if corners.name == "hub" and item.data_class is None:
        return False
    if corners.union:
        codes = _codes_of(item)
        return all(
            codes.isdisjoint(one.codes) and (not one.except_any_of or not codes.isdisjoint(one.except_any_of))
            for one in obligations
        )
    results = [judge_tree(fact.tree, ask, item).result for fact in facts for ask in asks]
    return Result.PERMIT in results and not {Result.DENY, Result.INDETERMINATE} & set(results)


def _codes_of(item: Item) -> frozenset[Code]:
    """Every code that a redaction may name an item by: labels, class, resource type, its own codes."""
    labels = {Code(LABEL_SYSTEMS.get(label, ""), label) for label in item.labels}
    labels |= {Code(*label.split("|", 1)) for label in item.labels if "|" in label}
    own = {Code(RESOURCE_TYPE_SYSTEM, item.type)}
    if item.data_class is not None:
        own.add(Code(DATA_CLASS_SYSTEM, item.data_class.value))
    return frozenset(labels | own | set(item.codes))
