"""Finds the smallest change of recorded facts that would alter a decision, by trying: nothing here knows a rule.

Candidates are what a person could bring about: a consent given by who may, an order verified, a refusal withdrawn, a
bar cleared, a relationship confirmed. Each is tried by itself; two together only where no one person's act is enough.
Asserting a danger, breaking the glass, declaring a report or overriding a consent are never tried: they follow from
what happens to a child, not from a wish to see more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import combinations
from typing import Any, Final

from consent.engine import decide
from consent.fhir import Tree, read_consent
from consent.model import (
    AgreedBy,
    ConsentFact,
    Disclosure,
    FactRef,
    Facts,
    Item,
    Order,
    OrderItem,
    Plan,
    Refusal,
    Relationship,
    Span,
    TeamMember,
    Tie,
    Treating,
)
from consent.rulebook import Policy
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    ACT_REASON_SYSTEM,
    DATA_CLASS_SYSTEM,
    DataClass,
    Sensitivity,
    Taint,
    View,
)

SUPPOSED: Final = "supposed"
"""Id of whatever is recorded in supposition only."""
_ROLES: Final = {
    "examiner": "examiner",
    "exam-owner": "exam-owner",
    "case-owner-or-shelter": "case-owner",
    "shelter-clinician": "clinician",
    "transport": "transport",
}
"""Condition of a cell -> the role in the case team that meets it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one person could bring about."""

    code: str
    """Its words are under `changes` in the texts of the policy."""
    about: str = ""
    """``kind/id`` of the fact that it concerns, if it is on record."""
    applied: Callable[[Facts], Facts] = field(default=lambda facts: facts, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """A smallest set of steps that alters what may leave of an item, and how much may leave then."""

    steps: tuple[Step, ...]
    view: View


def changes(
    disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, profile: str = "hub"
) -> dict[str, tuple[Change, ...]]:
    """Place -> the smallest changes that would alter its view: more of what stays, less of what leaves.

    Empty for a place that no change tried here alters.
    """
    now = decide(disclosure, facts, policy, at, profile)
    if now.redirect:
        # Another addressee hears it (R40). That the suspicion be cleared, so that this one may, is never suggested.
        return {one.place: () for one in now.verdicts}
    tried = _Trial(disclosure, facts, policy, at, profile)
    stays = frozenset(one.place for one in now.verdicts if one.view is View.NONE)
    found: dict[str, list[Change]] = {one.place: [] for one in now.verdicts}
    if stays:
        opening = tuple(_opening(disclosure, facts, policy, at, stays))
        _note(found, stays, tried, ((step,) for step in opening))
        # An order opens nearly everything, so it is no reason to stop looking for what two other people could do.
        lasting = {one for one in stays if all(each.steps[0].code == "order-issued" for each in found[one])}
        if lasting:
            _note(found, lasting, tried, combinations([one for one in opening if one.code != "order-issued"], 2))
    if len(stays) < len(found):
        for verdict in now.verdicts:
            if verdict.view is not View.NONE:
                read = {ref for reason in verdict.reasons for ref in reason.read}
                steps = (*_refusals(disclosure, facts), *_endings(facts, read))
                place, view = verdict.place, verdict.view
                found[place] += tried.less(place, view, ((step,) for step in steps)) or tried.less(
                    # Another ground gives as much: its end is wanted too.
                    place,
                    view,
                    combinations((*_refusals(disclosure, facts), *_endings(facts)), 2),
                )
    return {place: _smallest(some) for place, some in found.items()}


def _note(
    found: dict[str, list[Change]], places: Iterable[str], tried: _Trial, sets: Iterable[tuple[Step, ...]]
) -> None:
    for steps in sets:
        views = tried.views(steps)
        for place in places:
            if views.get(place, View.NONE) is not View.NONE:
                found[place].append(Change(steps, views[place]))


def _smallest(some: list[Change]) -> tuple[Change, ...]:
    """Without those of which a part is enough by itself."""
    alone = {one.steps[0] for one in some if len(one.steps) == 1}
    kept = [one for one in some if len(one.steps) == 1 or alone.isdisjoint(one.steps)]
    return tuple(sorted(kept, key=lambda one: one.steps[0].code == "order-issued"))


class _Trial:
    """Decides the same request again by facts that are supposed; remembers what it tried."""

    def __init__(self, disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, profile: str) -> None:
        self._asked = (disclosure, facts, policy, at, profile)
        self._known: dict[tuple[Step, ...], dict[str, View]] = {}

    def views(self, steps: tuple[Step, ...]) -> Mapping[str, View]:
        """Place -> what would leave of it after these steps."""
        if steps not in self._known:
            disclosure, facts, policy, at, profile = self._asked
            for step in steps:
                facts = step.applied(facts)
            decision = decide(disclosure, facts, policy, at, profile)
            self._known[steps] = {one.place: one.view for one in decision.verdicts}
        return self._known[steps]

    def less(self, place: str, view: View, sets: Iterable[tuple[Step, ...]]) -> list[Change]:
        """Sets of steps after which less of one item would leave."""
        then = ((steps, self.views(steps).get(place, View.NONE)) for steps in sets)
        return [Change(steps, less) for steps, less in then if less.rank < view.rank]


# --- what would open ------------------------------------------------------------------------------------------


def _opening(
    disclosure: Disclosure, facts: Facts, policy: Policy, at: datetime, stays: frozenset[str]
) -> Iterator[Step]:
    """Everything that is tried for what stays, the least first."""
    items = [item for item in disclosure.items if item.place in stays and item.data_class is not None]
    if not facts.match_certain:
        yield Step("match-resolved", applied=lambda held: replace(held, match_certain=True))
    yield from _mended_consents(facts)
    yield from _mended_orders(facts, at)
    yield from _refusals_withdrawn(facts)
    yield from _consents_given(disclosure, facts, items, at)
    yield from _ties_cleared(facts)
    yield from _relations_recorded(disclosure, policy, items, at)
    for stop in (one for one in facts.authorities if one.kind == "stop"):
        yield Step("stop-lifted", _about(stop.ref), _without("authorities", stop.ref))
    if facts.case_closed is not None:
        yield Step("case-reopened", applied=lambda held: replace(held, case_closed=None))
    yield Step("order-issued", applied=_with("orders", _order_for(disclosure, items, at)))


def _mended_consents(facts: Facts) -> Iterator[Step]:
    for fact in facts.consents:
        about, who = _about(fact.ref), fact.as_.value
        tree = fact.tree if isinstance(fact.tree, Tree) else read_consent(fact.resource)
        if fact.suspended:
            yield Step("review-finished", about, _changed("consents", fact.ref, suspended=False))
        if not fact.evidence:
            yield Step("evidence-stored", about, _changed("consents", fact.ref, evidence=SUPPOSED))
        unread = tree.unreadable or not tree.clear
        yield Step("consent-rewritten" if unread else f"denial-withdrawn-{who}", about, _without("consents", fact.ref))


def _mended_orders(facts: Facts, at: datetime) -> Iterator[Step]:
    for order in facts.orders:
        if not order.verified_by or order.verified_by == order.entered_by:
            yield Step("order-verified", _about(order.ref), _changed("orders", order.ref, verified_by=_SIGNED))
        renewed = {
            "number": order.number or SUPPOSED,
            "body": order.body or SUPPOSED,
            "issued": min(order.issued or at.date(), at.date()),
            "span": Span(),
            "revoked": False,
            "outside_jurisdiction": False,
            "verified_by": _SIGNED,
        }
        yield Step("order-renewed", _about(order.ref), _changed("orders", order.ref, **renewed))


_SIGNED: Final = f"signature:{SUPPOSED}"


def _refusals_withdrawn(facts: Facts) -> Iterator[Step]:
    for refusal in facts.refusals:
        who = "child" if refusal.by == facts.person else "representative"
        yield Step(f"refusal-withdrawn-{who}", _about(refusal.ref), _without("refusals", refusal.ref))


def _consents_given(disclosure: Disclosure, facts: Facts, items: list[Item], at: datetime) -> Iterator[Step]:
    def given(by: str, as_: AgreedBy) -> Callable[[Facts], Facts]:
        return _with("consents", *_consents_for(disclosure, items, by, as_, at))

    yield Step("consent-child", applied=given(facts.person, AgreedBy.CHILD))
    guardians = dict.fromkeys(
        tie.person for tie in facts.relationships if tie.tie is Tie.GUARDIAN and tie.to == facts.person
    )
    for person in guardians:
        yield Step("consent-representative", f"person/{person}", given(person, AgreedBy.REPRESENTATIVE))
    found = Relationship(FactRef("guardian", SUPPOSED, 0), SUPPOSED, Tie.GUARDIAN, facts.person, "GUARD")
    consents = given(SUPPOSED, AgreedBy.REPRESENTATIVE)
    recorded = _with("relationships", found)
    yield Step("consent-other-representative", applied=lambda held: consents(recorded(held)))


def _ties_cleared(facts: Facts) -> Iterator[Step]:
    for suspicion in facts.suspicions:
        yield Step("suspicion-cleared", _about(suspicion.ref), _without("suspicions", suspicion.ref))
    for contact in facts.no_contacts:
        yield Step("contact-allowed", _about(contact.ref), _without("no_contacts", contact.ref))
    for tie in facts.relationships:
        about = _about(tie.ref)
        if tie.tie is Tie.HOUSEHOLD:
            yield Step("household-apart", about, _without("relationships", tie.ref))
        elif tie.tie is Tie.STAFF:
            yield Step("staff-gone", about, _without("relationships", tie.ref))
        elif tie.tie is Tie.GUARDIAN and not tie.may_consent:
            yield Step("guardianship-restored", about, _changed("relationships", tie.ref, may_consent=True))


def _relations_recorded(disclosure: Disclosure, policy: Policy, items: list[Item], at: datetime) -> Iterator[Step]:
    recipient = disclosure.recipient
    if recipient.person:
        return
    treating = Treating(FactRef("treating", SUPPOSED, 0), recipient.id, Span(at))
    yield Step("treating-recorded", applied=_with("treating", treating))
    plan = Plan(FactRef("plan", SUPPOSED, 0), (recipient.id,), approved_by=SUPPOSED, span=Span(at))
    yield Step("plan-approved", applied=_with("plans", plan))
    edition = policy.at(at)
    needed = {
        need
        for item in items
        for data_class in _classes(item)
        for grant in edition.cell(data_class, recipient.sector)
        for need in grant.needs
    }
    for role in sorted({_ROLES[need] for need in needed if need in _ROLES}):
        member = TeamMember(FactRef("team", SUPPOSED, 0), recipient.id, role, recipient.officer, Span(at))
        yield Step("team-role-recorded", f"role/{role}", _with("team", member))


def _classes(item: Item) -> tuple[DataClass, ...]:
    tainted = (DataClass(taint.value) for taint in Taint if taint.value in item.labels)
    return tuple(dict.fromkeys((*((item.data_class,) if item.data_class else ()), *item.classes, *tainted)))


def _order_for(disclosure: Disclosure, items: list[Item], at: datetime) -> Order:
    recipient = disclosure.recipient
    lines = dict.fromkeys(
        OrderItem(data_class, item.codes, recipient=recipient.id, officer=recipient.officer)
        for item in items
        for data_class in _classes(item)
    )
    return Order(
        FactRef("order", SUPPOSED, 0), SUPPOSED, SUPPOSED, at.date(), tuple(lines), verified_by=_SIGNED
    )  # fmt: skip


def _consents_for(
    disclosure: Disclosure, items: list[Item], by: str, as_: AgreedBy, at: datetime
) -> Iterator[ConsentFact]:
    """One consent for each kind of data that stays: it names recipient, purposes, class and sensitive labels."""
    sensitive = {one.value for one in Sensitivity}
    kinds = dict.fromkeys((item.data_class, tuple(sorted(item.labels & sensitive))) for item in items)
    for number, (data_class, labels) in enumerate(kinds):
        root: dict[str, Any] = {
            "type": "permit",
            "class": [{"system": DATA_CLASS_SYSTEM, "code": data_class}],
            "purpose": [{"system": ACT_REASON_SYSTEM, "code": one.value} for one in sorted(disclosure.purposes)],
            "actor": _actors(disclosure),
            "securityLabel": [{"system": ACT_CODE_SYSTEM, "code": one} for one in labels],
        }
        resource = {
            "resourceType": "Consent",
            "status": "active",
            "provision": {key: value for key, value in root.items() if value},
        }
        ref = FactRef("consent", f"{SUPPOSED}-{as_.value}-{number}", 0)
        yield ConsentFact(ref, resource, by, as_, evidence=SUPPOSED, given_at=at)


def _actors(disclosure: Disclosure) -> list[dict[str, Any]]:
    party = disclosure.recipient
    named: dict[str, Any] = {"reference": party.references[0]} if party.references else {}
    if party.identifiers:
        named["identifier"] = [{"system": one.system, "value": one.code} for one in party.identifiers]
    return [{"role": {"coding": [{"code": "IRCP"}]}, "reference": named}] if named else []


# --- what would close -----------------------------------------------------------------------------------------


def _refusals(disclosure: Disclosure, facts: Facts) -> Iterator[Step]:
    guardians = [tie.person for tie in facts.relationships if tie.tie is Tie.GUARDIAN and tie.to == facts.person]
    for by in dict.fromkeys((facts.person, *guardians)):
        who = "child" if by == facts.person else "representative"
        refusal = Refusal(FactRef("refusal", SUPPOSED, 0), by, recipient=disclosure.recipient.id)
        yield Step(f"refused-{who}", "" if who == "child" else f"person/{by}", _with("refusals", refusal))


def _endings(facts: Facts, read: set[FactRef] | None = None) -> Iterator[Step]:
    """Each fact that can be a ground, as if it had ended; of `read` only, where it is given."""
    for name, code in _ENDS.items():
        for fact in getattr(facts, name):
            if read is None or fact.ref in read:
                who = f"-{fact.as_.value}" if name == "consents" else ""
                yield Step(f"{code}{who}", _about(fact.ref), _without(name, fact.ref))


_ENDS: Final = {
    "consents": "consent-withdrawn",
    "orders": "order-revoked",
    "plans": "plan-ended",
    "treating": "treatment-ended",
    "emergencies": "emergency-over",
    "reports": "report-settled",
    "authorities": "approval-withdrawn",
}


# --- facts as they would be -----------------------------------------------------------------------------------


def _about(ref: FactRef) -> str:
    return f"{ref.kind}/{ref.id}"


def _with(name: str, *added: Any) -> Callable[[Facts], Facts]:
    def applied(facts: Facts) -> Facts:
        recorded: Any = {name: (*getattr(facts, name), *added)}
        return replace(facts, **recorded)

    return applied


def _without(name: str, ref: FactRef) -> Callable[[Facts], Facts]:
    def applied(facts: Facts) -> Facts:
        left: Any = {name: tuple(one for one in getattr(facts, name) if one.ref != ref)}
        return replace(facts, **left)

    return applied


def _changed(name: str, ref: FactRef, **values: Any) -> Callable[[Facts], Facts]:
    def applied(facts: Facts) -> Facts:
        some = (replace(one, **values) if one.ref == ref else one for one in getattr(facts, name))
        recorded: Any = {name: tuple(some)}
        return replace(facts, **recorded)

    return applied
