"""Judges a request by the consents that it brings, and nothing else: the profiles of other services, offline.

No law, no persons and no matrix here: those need facts that only the hub records (see :mod:`consent.engine`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from consent.acts import permits_anything
from consent.canonical import input_hash
from consent.engine import ENVELOPE
from consent.fhir import Tree
from consent.masks import TYPE_SYSTEMS
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
    Verdict,
)
from consent.moments import interval, months_after
from consent.requests import (
    BASE,
    Corners,
    Redaction,
    Voice,
    Way,
    Word,
    applied_to,
    nothing_met,
    obligations_of,
    redactions_of,
    residual_of,
    together,
    ways_of,
    word_of,
)
from consent.rulebook import Edition, Policy
from consent.trees import Answer, Ask, Result, judge
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
    """What the consents in `facts` say of `disclosure` by the corners of one profile: of each item where it holds any,
    else of whatever is asked for, with what must be redacted from it."""
    edition = policy.at(at)
    asks = tuple(
        _ask(disclosure, facts, at, corners, purpose, action)
        for purpose in sorted(asked.purposes)
        for action in sorted(asked.actions)
    )
    classes = asks[0].classes
    voices = _speaking(_voices(facts, at, edition, corners, asked.category, asks), facts, at, classes, corners)
    plain = nothing_met(voices, classes, corners)
    ways = ways_of(voices, classes, corners)
    outcome, redactions = _outcome(plain, ways, corners)
    obligations = obligations_of(redactions)
    verdicts = tuple(
        Verdict(item.place, View.FULL, basis=Basis.CONSENT)
        if _leaves(item, voices, plain, corners, obligations)
        else Verdict(item.place, View.NONE)
        for item in disclosure.items
    )
    if disclosure.items:
        outcome = _of_items(disclosure.items, verdicts, voices, outcome)
    permitted = outcome is Outcome.PERMIT
    reasons = tuple(
        _reason(voice.fact, *_telling(number, outcome, plain, ways or []), edition)
        for number, voice in enumerate(voices)
    )
    return Decision(
        outcome=outcome,
        verdicts=verdicts,
        reasons=reasons,
        obligations=obligations if permitted else (),
        residual=residual_of(redactions, corners.name) if permitted else (),
        policy_version=edition.version,
        read=tuple(voice.fact.ref for voice in voices),
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


# --- which consents speak -----------------------------------------------------------------------------------------


def _voices(
    facts: Facts, at: datetime, edition: Edition, corners: Corners, category: frozenset[Code], asks: tuple[Ask, ...]
) -> list[Voice]:
    """The consents that count (order of judgement, step 2: the same in every profile, but for R12 and R15)."""
    found = []
    for fact in facts.consents:
        tree: Tree = fact.tree
        withdrawn = fact.withdrawn_at is not None and fact.withdrawn_at <= at
        given = fact.given_at or _dated(tree, facts.zone)
        if (
            tree.status != "active"
            or fact.replaced
            or not tree.in_scope
            or (category and category.isdisjoint(tree.categories))
            or (given is not None and given > at)
            or (withdrawn and not permits_anything(tree))
        ):
            continue
        spent = withdrawn or fact.suspended
        if corners.name == "hub":
            stated = tree.period is not None and tree.period.end
            ends = months_after(given, edition.numbers["consent.months"]) if given else None
            over = not stated and (ends is None or ends <= at)
            spent = spent or not fact.evidence or over
        closes = not (corners.adds_up and permits_anything(tree))
        found.append(Voice(fact, applied_to(tree, asks, corners), permits=not spent, closes=closes))
    return found


def _speaking(
    voices: list[Voice], facts: Facts, at: datetime, classes: frozenset[Code], corners: Corners
) -> list[Voice]:
    """Those that say anything about the request, newest first; only the newest of them where the profile says so."""

    def date(voice: Voice) -> datetime:
        return _dated(voice.fact.tree, facts.zone) or at

    found: list[Voice] = []
    for voice in sorted(voices, key=date, reverse=True):
        if corners.newest and found and date(voice) < date(found[0]):
            break
        ways = ways_of([voice], classes, corners)
        if ways is None or any(way.words[0] is not Result.NOT_APPLICABLE for way in ways):
            found.append(voice)
    return found


def _dated(tree: Tree, zone: str) -> datetime | None:
    found = interval(tree.date, zone)
    return found[0] if found else None


# --- what they say ----------------------------------------------------------------------------------------------


def _outcome(plain: Way, ways: list[Way] | None, corners: Corners) -> tuple[Outcome, tuple[Redaction, ...]]:
    """The answer for whatever may be asked for, and what must be redacted where it is a permit."""
    if ways is None:
        return (Outcome.DENY if plain.outcome is Outcome.DENY else Outcome.INDETERMINATE), ()
    if plain.outcome is Outcome.INDETERMINATE or (corners.drop_on_deny and plain.outcome is Outcome.DENY):
        return plain.outcome, ()
    redactions = redactions_of(ways)
    if redactions is not None and any(way.outcome is Outcome.PERMIT for way in ways):
        return Outcome.PERMIT, redactions
    unsure = plain.outcome is Outcome.PERMIT or any(way.outcome is Outcome.INDETERMINATE for way in ways)
    return (Outcome.INDETERMINATE if unsure else plain.outcome), ()


def _said(item: Item, voices: Sequence[Voice]) -> Outcome:
    """What the consents say of one item, judged by the trees."""
    return together(word_of(voice, [judge(one, item) for one in voice.applied]) for voice in voices)


def _leaves(
    item: Item, voices: Sequence[Voice], plain: Way, corners: Corners, obligations: tuple[Obligation, ...]
) -> bool:
    """Whether one item leaves: judged for itself, and as the redactions say."""
    if corners.name == "hub" and item.data_class is None:
        return False
    if corners.drop_on_deny and plain.outcome is Outcome.DENY:
        return False
    codes = _codes_of(item)
    return _said(item, voices) is Outcome.PERMIT and not any(_redacted(codes, one) for one in obligations)


def _redacted(codes: frozenset[Code], one: Obligation) -> bool:
    hit = not one.codes or not codes.isdisjoint(one.codes)
    return hit and (not one.except_any_of or codes.isdisjoint(one.except_any_of))


def _of_items(
    items: Sequence[Item], verdicts: Sequence[Verdict], voices: Sequence[Voice], otherwise: Outcome
) -> Outcome:
    """PERMIT if anything leaves, else the most protective word about any item."""
    if any(one.view is not View.NONE for one in verdicts):
        return Outcome.PERMIT
    said = {_said(item, voices) for item in items}
    if said == {Outcome.DENY}:
        return Outcome.DENY
    if Outcome.INDETERMINATE in said or otherwise is Outcome.INDETERMINATE:
        return Outcome.INDETERMINATE
    return Outcome.NO_CONSENT if said == {Outcome.NO_CONSENT} else Outcome.DENY


_TELLS: Final[dict[Outcome, tuple[Word, ...]]] = {
    Outcome.PERMIT: (Result.PERMIT,),
    Outcome.INDETERMINATE: (Result.INDETERMINATE,),
    Outcome.DENY: (Result.DENY, BASE),
}


def _telling(number: int, outcome: Outcome, plain: Way, ways: Sequence[Way]) -> tuple[Word, tuple[Answer, ...]]:
    """What one consent says that tells most: what it permits where something is permitted, else its plain answer."""
    wanted = _TELLS.get(outcome, ())
    ahead = [one for one in ways if one.outcome is outcome]
    looked = (*[one for one in (plain, *ahead, *ways) if one.words[number] in wanted], plain, *ways)
    told = next((one for one in looked if one.words[number] is not Result.NOT_APPLICABLE), plain)
    return told.words[number], told.answers[number]


def _reason(fact: ConsentFact, word: Word, answers: tuple[Answer, ...], edition: Edition) -> Reason:
    code = {
        Result.PERMIT: "C-permits",
        Result.INDETERMINATE: "R2-indeterminate",
        Result.NOT_APPLICABLE: "R2-not-covered",
    }.get(Result(word) if word in list(Result) else Result.DENY, "R17-consent-denies")
    paths = [node.path or "base" for one in answers if one.result == word for node in one.nodes] or [
        node.path or "base" for one in answers for node in one.nodes
    ]
    clause = f"Consent/{fact.ref.id}#{paths[0] if paths else 'base'}"
    return Reason(code, clause, policy_version=edition.version, read=(fact.ref,))


def _codes_of(item: Item) -> frozenset[Code]:
    """Every code that a redaction may name an item by: labels, classes, resource type, its own codes."""
    labels = {Code(LABEL_SYSTEMS.get(label, ""), label) for label in item.labels}
    labels |= {Code("", label) for label in item.labels}
    labels |= {Code(*label.split("|", 1)) for label in item.labels if "|" in label}
    own = {Code(system, item.type) for system in TYPE_SYSTEMS}
    for data_class in (item.data_class, *item.classes):
        if data_class is not None:
            own |= {Code(DATA_CLASS_SYSTEM, data_class.value)}
    return frozenset(labels | own | set(item.codes))
