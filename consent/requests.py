"""Judges a request by consents alone: what they permit, said as redactions where it turns on content.

Every label, class or code that a provision asks for is a *condition* that content meets or not. The request is judged
for each way in which conditions can be met, by the trees that judge items (:mod:`consent.trees`), and what is not
permitted becomes redactions: ``codes`` go, everything but ``exceptAnyOfCodes`` goes, or, with both, ``codes`` go unless
they carry one of the others. All of them hold. What codes cannot say makes the answer stricter, never wider.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.fhir import Tree
from consent.masks import same_class
from consent.model import Code, ConsentFact, Obligation, ObligationKind, Outcome, Residual
from consent.trees import Answer, Applied, Ask, Result, apply_tree


@dataclass(frozen=True, slots=True)
class Corners:
    """How one named profile reads the corners on which sources disagree (design, `consent.md`); trees know the rest."""

    name: str
    strict: bool = True
    """Codes outside the known ones make a consent Indeterminate."""
    all_purposes: bool = True
    """Every purpose of the request must be covered; else a provision for one of them matches."""
    union: bool = False
    """Labels and classes of one provision are redacted together, instead of where both hold."""
    drop_on_deny: bool = False
    """A base denial stays one, whatever content is excepted from it."""
    adds_up: bool = False
    """The base denial of a consent that permits something closes that consent only."""
    newest: bool = False
    """The newest applicable consent answers alone."""


CORNERS: Final = {
    "hub": Corners("hub", adds_up=True),
    "pcf": Corners("pcf", strict=False),
    "leap-2020": Corners("leap-2020", strict=False, all_purposes=False, union=True, drop_on_deny=True, newest=True),
}

LEAVES: Final = 4096
"""Ways to meet conditions that are looked at; a request with more of them is Indeterminate."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One consent that counts, in the context of a request."""

    fact: ConsentFact
    applied: tuple[Applied, ...]
    """For each purpose and action, or one for all where one of them is enough."""
    permits: bool = True
    """False: it is over or withdrawn, so that only what it denies still holds."""
    closes: bool = True
    """Its base denial denies what another consent permits."""


def applied_to(tree: Tree, asks: tuple[Ask, ...], corners: Corners) -> tuple[Applied, ...]:
    """`tree` in the context of each ask; where one purpose is enough, all of them at once."""
    found = tuple(apply_tree(tree, ask) for ask in asks)
    live = [one for one in found if one.fixed is None]
    if corners.all_purposes or len(live) < 2:
        return found if corners.all_purposes else (*live, *found)[:1]
    first, *others = live
    for one in others:
        first.ruled &= one.ruled
        first.unsure |= one.unsure
    return (first,)


# --- what consents say ------------------------------------------------------------------------------------------


BASE: Final = "base"
"""A denial that only says that this consent gives no more."""
Word = Result | str


def word_of(voice: Voice, answers: Sequence[Answer]) -> Word:
    """What one consent says when these are its answers for everything that was asked for."""
    results = [one.result for one in answers]
    if Result.DENY in results:
        stated = any(one.explicit or one.may_deny for one in answers)
        return Result.DENY if stated or voice.closes else BASE
    for result in (Result.INDETERMINATE, Result.NOT_APPLICABLE):
        if result in results:
            return result
    return Result.PERMIT if voice.permits else Result.NOT_APPLICABLE


def together(words: Iterable[Word]) -> Outcome:
    """A denial wins, then what cannot be read; permits add up; nobody speaking is NO_CONSENT."""
    said = set(words)
    if Result.DENY in said:
        return Outcome.DENY
    if Result.INDETERMINATE in said:
        return Outcome.INDETERMINATE
    if Result.PERMIT in said:
        return Outcome.PERMIT
    return Outcome.DENY if BASE in said else Outcome.NO_CONSENT


# --- conditions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that content meets or not: it carries one of some codes, or what no code can say."""

    kind: str
    codes: frozenset[Code] = frozenset()
    other: Any = None
    """A date or an instance that a provision asks for: no code can say it."""

    @property
    def opaque(self) -> bool:
        """Whether no redaction can say it."""
        return self.other is not None

    @property
    def order(self) -> tuple[int, list[Code], str]:
        """Labels first; the same whatever the order in which provisions stand."""
        return _KINDS.index(self.kind), sorted(self.codes), repr(self.other)


_KINDS: Final = ("labels", "any", "codes", "classes", "data_period", "data")
Met = Mapping[Condition, bool]


def _conditions(applied: Applied, classes: frozenset[Code], corners: Corners) -> list[tuple[int, list[Condition]]]:
    """The provisions that turn on content, as bits, with what content must meet; none of it = they never match."""
    found = []
    for number, node in enumerate(applied.reading.nodes):
        vague = node.vague | node.odd if corners.strict else node.vague
        bit = 1 << number
        if "*" in vague or applied.ruled & bit:
            continue
        labels = node.labels
        if labels is not None and applied.reading.kinds[number] != "deny":
            # A label without its system is good enough to forbid, not to permit.
            labels = frozenset(one for one in labels if one.system)
        groups = [
            Condition(kind, codes)
            for kind, codes in (("labels", labels), ("codes", node.codes))
            if codes is not None and kind not in vague
        ]
        if node.classes is not None and "classes" not in vague:
            named = _named(node.classes, classes)
            if named is None and corners.union:
                continue
            groups += [Condition("classes", named)] if named is not None else []
        if corners.union and groups:
            groups = [Condition("any", frozenset().union(*(one.codes for one in groups)))]
        for kind in ("data_period", "data"):
            stated = getattr(node, kind)
            if stated is not None and kind not in vague:
                groups.append(Condition(kind, other=stated))
        if groups:
            found.append((bit, groups))
    return found


def _named(classes: frozenset[Code], asked: frozenset[Code]) -> frozenset[Code] | None:
    """What content must be of for a provision about `classes`; None when the request asks for nothing else."""
    if not asked:
        return classes
    covered = frozenset(one for one in asked if any(same_class(one, other) for other in classes))
    return None if covered == asked else covered


class _Partly:
    """A consent whose answer is looked for while only some conditions are known to be met or not."""

    def __init__(self, voice: Voice, classes: frozenset[Code], corners: Corners) -> None:
        self.voice = voice
        self.conditions = [[] if one.fixed is not None else _conditions(one, classes, corners) for one in voice.applied]

    def every(self) -> set[Condition]:
        return {one for each in self.conditions for _, groups in each for one in groups}

    def answers(self, met: Met) -> tuple[list[Answer], bool]:
        """Its answers, and whether they stand whatever the conditions that are not in `met`."""
        found, settled = [], True
        for applied, conditions in zip(self.voice.applied, self.conditions, strict=True):
            if applied.fixed is not None:
                found.append(applied.fixed)
                continue
            ruled, unknown = applied.ruled, 0
            for bit, groups in conditions:
                states = [met.get(one) if one.codes or one.opaque else False for one in groups]
                if False in states:
                    ruled |= bit
                elif None in states:
                    unknown |= bit
            answer = applied.reading.answer(ruled, applied.unsure | unknown)
            found.append(answer)
            if unknown and answer.result is Result.DENY:
                # It stands if what may permit does and what may deny does not change it.
                most = applied.reading.answer(ruled | (unknown & ~applied.reading.masks.permitting), applied.unsure)
                settled &= most.result is Result.DENY and most.explicit == answer.explicit
            elif unknown and answer.result is Result.INDETERMINATE:
                settled = False
        return found, settled


@dataclass(frozen=True, slots=True)
class Way:
    """Some conditions met and others not, with what follows whatever the rest of them."""

    met: Met
    outcome: Outcome
    words: tuple[Word, ...]
    answers: tuple[tuple[Answer, ...], ...]


def ways_of(voices: Sequence[Voice], classes: frozenset[Code], corners: Corners) -> list[Way] | None:
    """Every way in which content can meet the conditions of these consents, none met first; None = too many."""
    parts = [_Partly(voice, classes, corners) for voice in voices]
    conditions = sorted({one for part in parts for one in part.every()}, key=lambda one: one.order)
    found: list[Way] = []
    waiting: list[dict[Condition, bool]] = [{}]
    while waiting:
        met = waiting.pop()
        looked = [part.answers(met) for part in parts]
        words = tuple(word_of(part.voice, answers) for part, (answers, _) in zip(parts, looked, strict=True))
        denied = any(word is Result.DENY and settled for word, (_, settled) in zip(words, looked, strict=True))
        open_ = next((one for one in conditions if one not in met), None)
        if open_ is None or denied or all(settled for _, settled in looked):
            found.append(
                Way(met, Outcome.DENY if denied else together(words), words, tuple(tuple(one) for one, _ in looked))
            )
            if len(found) > LEAVES:
                return None
            continue
        waiting += [_with(met, open_, True, conditions), _with(met, open_, False, conditions)]
    return found


def nothing_met(voices: Sequence[Voice], classes: frozenset[Code], corners: Corners) -> Way:
    """What follows for content that meets no condition at all."""
    parts = [_Partly(voice, classes, corners) for voice in voices]
    met = {one: False for part in parts for one in part.every()}
    answers = tuple(tuple(part.answers(met)[0]) for part in parts)
    words = tuple(word_of(voice, each) for voice, each in zip(voices, answers, strict=True))
    return Way(met, together(words), words, answers)


def _with(met: Met, condition: Condition, state: bool, conditions: Iterable[Condition]) -> dict[Condition, bool]:
    """`met` and one more, with what follows for wider and narrower sets of codes of the same kind."""
    found = {**met, condition: state}
    for one in conditions:
        if one.kind != condition.kind or one.opaque or condition.opaque or one in found:
            continue
        if (state and condition.codes <= one.codes) or (not state and one.codes <= condition.codes):
            found[one] = state
    return found


# --- redactions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Redaction:
    """What goes: content with one of `codes` (any, if empty) unless it carries one of `unless`."""

    codes: frozenset[Code]
    unless: frozenset[Code]


def redactions_of(ways: Sequence[Way]) -> tuple[Redaction, ...] | None:
    """Redactions that leave nothing but what is permitted; None when they would leave nothing, or no code says it."""
    conditions = sorted({one for way in ways for one in way.met}, key=lambda one: one.order)
    good = [way.met for way in ways if way.outcome is Outcome.PERMIT]
    clauses: list[dict[Condition, bool]] = []
    for way in ways:
        if way.outcome is Outcome.PERMIT:
            continue
        shortest = _shortest(way.met, good, conditions)
        clause = {one: shortest[one] for one in conditions if one in shortest}
        if not clause:
            return None
        if clause not in clauses:
            clauses.append(clause)
    clauses = [one for one in clauses if not any(other is not one and other.items() < one.items() for other in clauses)]
    if not any(_survives(met, clauses) for met in good):
        return None
    clauses.sort(key=lambda clause: [(state, conditions.index(one)) for one, state in clause.items()])
    made = [
        Redaction(
            frozenset(code for one, state in clause.items() if state for code in one.codes),
            frozenset(code for one, state in clause.items() if not state for code in one.codes),
        )
        for clause in clauses
    ]
    return tuple(dict.fromkeys(made))


def _shortest(met: Met, good: Sequence[Met], conditions: Sequence[Condition]) -> dict[Condition, bool]:
    """The least of `met` that still tells it from everything permitted, as far as one redaction can say it."""
    clause = {one: state for one, state in met.items() if not one.opaque}
    least = _hits(clause, good, conditions)
    for one in reversed(conditions):
        if one in clause:
            shorter = {other: state for other, state in clause.items() if other is not one}
            if _hits(shorter, good, conditions) == least:
                clause = shorter
    carried = [one for one, state in clause.items() if state]
    if len(carried) > 1:
        # One redaction names one set of codes: the one that takes the least of what is permitted with it.
        def taken(kept: Condition) -> tuple[int, tuple[int, list[Code], str]]:
            only = {one: state for one, state in clause.items() if not state or one is kept}
            return _hits(only, good, conditions), kept.order

        kept = min(carried, key=taken)
        clause = {one: state for one, state in clause.items() if not state or one is kept}
    return clause


def _hits(clause: Met, good: Sequence[Met], conditions: Sequence[Condition]) -> int:
    """How many permitted ways a redaction of this would take with it."""
    full: dict[Condition, bool] = {}
    for one, state in clause.items():
        full = _with(full, one, state, conditions)
    return sum(all(met.get(one, state) is state for one, state in full.items()) for met in good)


def _survives(met: Met, clauses: Sequence[Met]) -> bool:
    """Whether something permitted is left."""
    return all(any(met.get(one, False) is not state for one, state in clause.items()) for clause in clauses)


def obligations_of(redactions: Sequence[Redaction]) -> tuple[Obligation, ...]:
    """The redactions that a permit asks for."""
    redacted = sorted({code for one in redactions if not one.unless for code in one.codes})
    found = [Obligation(ObligationKind.REDACT, codes=tuple(redacted))] if redacted else []
    found += [
        Obligation(ObligationKind.REDACT, codes=tuple(sorted(one.codes)), except_any_of=tuple(sorted(one.unless)))
        for one in redactions
        if one.unless
    ]
    return tuple(found)


def residual_of(redactions: Sequence[Redaction], profile: str) -> tuple[Residual, ...]:
    """The same in the form of IHE PCF: what is permitted, what is forbidden, by label; in `pcf` a permit overrides."""
    permitted = [one.unless for one in redactions if one.unless and (not one.codes or profile == "pcf")]
    forbidden = sorted({code for one in redactions for code in one.codes})
    found = [Residual("permit", tuple(sorted(one))) for one in dict.fromkeys(permitted)]
    return (*found, *([Residual("forbid", tuple(forbidden))] if forbidden else []))
