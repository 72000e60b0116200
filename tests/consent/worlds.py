"""Generates worlds to decide about: a child, her people, what is recorded, and a disclosure.

Alphabets are small, so that things meet often. A world is put together from the parts of a :class:`Pool`: a few dozen
choices, since making parts and compiling consents costs more than deciding. Works with `random.Random` and with
Hypothesis's randoms alike; the first of every choice is the dullest one, so that a failure shrinks towards it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any, TypeVar

from consent.fhir import read_consent
from consent.model import (
    AgreedBy,
    ConsentFact,
    Disclosure,
    Emergency,
    Facts,
    Item,
    Order,
    Relationship,
    Span,
    Suspicion,
    Tie,
)
from consent.vocabulary import Basis, DataClass, Event, Purpose, Sector
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    LOINC,
    MOTHER,
    Code,
    agency,
    ask,
    consent_of,
    emergency,
    item,
    line,
    member,
    no_contact,
    order,
    plan,
    policy,
    provision,
    ref,
    referral,
    refusal,
    report,
    treating,
)

T = TypeVar("T")
Change = Callable[[Mapping[str, Any], Random], dict[str, Any]]
"""What is done to a resource or provision, by a chance of its own: a variant is the same whoever asks for it first."""

CODES = (Code(LOINC, "a"), Code(LOINC, "b"))
SECTORS = tuple(Sector)
CLASSES = tuple(DataClass)
COMMON = (DataClass.MEDICAL_EXAM, DataClass.REFERRAL, DataClass.SUPPORT_NEED, DataClass.MENTAL_HEALTH)
TYPES = {data_class: item(data_class).type for data_class in CLASSES}
OFFICERS = ("", "", "officer-7", "officer-8")
YEARS = (12, 5, 6, 7, 15, 16, 17, 18)
REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


def pick(rng: Random, values: Sequence[T]) -> T:
    """One of the values."""
    return values[rng.randrange(len(values))]


def chance(rng: Random, odds: int) -> bool:
    """True once in `odds`."""
    return rng.randrange(odds) == odds - 1


def some(rng: Random, odds: int, values: Sequence[Any]) -> tuple[Any, ...]:
    """One of the values once in `odds`, else nothing."""
    return (pick(rng, values),) if chance(rng, odds) else ()


# --- parts --------------------------------------------------------------------------------------------------


def named(fact: T, name: str) -> T:
    """The fact under a number of its own, as the ledger keeps it."""
    return replace(fact, ref=ref(fact.ref.kind, name))  # type: ignore[type-var, attr-defined]


def span(rng: Random) -> Span:
    """A period that usually holds at AT, and sometimes just does or just does not."""
    edge = rng.randrange(14)
    if edge == 0:
        return Span(end=AT)
    if edge == 1:
        return Span(AT + timedelta(seconds=1))
    return Span(AT - timedelta(hours=pick(rng, (1, 3, 4, 5, 23, 24, 30))))


def subset(rng: Random, values: Sequence[Any], most: int = 2) -> list[Any]:
    return [pick(rng, values) for _ in range(rng.randrange(1, most + 1))]


def a_provision(rng: Random, sector: Sector, depth: int = 0) -> dict[str, Any]:
    """A provision over a small alphabet, at most three levels deep."""
    kind = pick(rng, ("permit", "permit", "deny")) if depth == 0 else pick(rng, ("permit", "deny"))
    stated: dict[str, Any] = {}
    if chance(rng, 2):
        stated["to"] = sector if not chance(rng, 4) else pick(rng, SECTORS)
    if chance(rng, 2):
        stated["purpose"] = subset(rng, ("CAREMGT", "CAREMGT", "TREAT", "HPAYMT"))
    if chance(rng, 3):
        stated["label"] = subset(rng, ("HIV", "PSY", "SDV"))
    if chance(rng, 2):
        stated["classes"] = subset(rng, COMMON)
    built = provision(kind, **stated)
    if chance(rng, 40):
        built["modifierExtension"] = [{"url": "urn:unknown", "valueBoolean": True}]
    if chance(rng, 40):
        built["purpose"] = [{"system": REASONS, "code": "XYZZY"}]
    if chance(rng, 40):
        built["actor"] = [{"reference": {"reference": "Group/unknown"}}]
    if depth and chance(rng, 20):
        del built["type"]
    if depth < 2 and chance(rng, 2):
        built["provision"] = [a_provision(rng, sector, depth + 1) for _ in range(rng.randrange(1, 3))]
    return built


def a_consent(rng: Random, sector: Sector, name: str) -> ConsentFact:
    """A consent of the mother, the child or the father; usually in order."""
    by = pick(rng, (MOTHER, MOTHER, CHILD, CHILD, FATHER))
    resource = consent_of(a_provision(rng, sector), name)
    if chance(rng, 15):
        resource["status"] = pick(rng, ("inactive", "proposed", "entered-in-error"))
    return ConsentFact(
        ref=ref("consent", name),
        resource=resource,
        tree=read_consent(resource),
        given_by=by,
        as_=AgreedBy.CHILD if by == CHILD else AgreedBy.REPRESENTATIVE,
        evidence="" if chance(rng, 15) else "sha256:x",
        given_at=AT - timedelta(days=pick(rng, (1, 30, 200, 364, 365, 366))),
        withdrawn_at=AT + timedelta(seconds=pick(rng, (0, 1))) if chance(rng, 10) else None,
        suspended=chance(rng, 20),
        replaced=chance(rng, 20),
    )


def agreement(rng: Random, sector: Sector, name: str, data_class: DataClass) -> tuple[ConsentFact, ConsentFact]:
    """Mother and child who permit a class to this recipient, so that consent is often complete."""
    root = provision(to=sector, classes=[data_class], **({"label": ["PSY", "HIV"]} if chance(rng, 4) else {}))
    if chance(rng, 3):
        root["provision"] = [a_provision(rng, sector, 1)]
    resource = consent_of(root, name)
    base = ConsentFact(ref("consent", f"m-{name}"), resource, MOTHER, evidence="x", given_at=AT - timedelta(days=9))
    base = replace(base, tree=read_consent(resource))
    return base, replace(base, ref=ref("consent", f"c-{name}"), given_by=CHILD, as_=AgreedBy.CHILD)


def a_denial(rng: Random, sector: Sector, name: str) -> ConsentFact:
    """A consent of anybody that only denies."""
    by = pick(rng, (MOTHER, CHILD, FATHER))
    root = a_provision(rng, sector, 1) | {"type": "deny"}
    root.pop("provision", None)
    resource = consent_of(root, name)
    kind = AgreedBy.CHILD if by == CHILD else AgreedBy.REPRESENTATIVE
    return ConsentFact(
        ref("consent", name), resource, by, kind, "x", AT - timedelta(days=1), tree=read_consent(resource)
    )


def an_item(rng: Random, number: int) -> Item:
    data_class = pick(rng, COMMON) if chance(rng, 2) else pick(rng, CLASSES)
    labels = [label for label in ("HIV", "PSY", "SDV", "shelter-location") if chance(rng, 16)]
    place = f"item-{number}"
    code = (pick(rng, CODES),)
    kinds = code if chance(rng, 6) else ()
    made = item(None if chance(rng, 30) else data_class, *labels, place=place, codes=code, kinds=kinds)
    return replace(made, author=pick(rng, SECTORS).value if chance(rng, 3) else "")


def some_ties(rng: Random) -> tuple[Relationship, ...]:
    ties = [Relationship(ref("tie", "m"), MOTHER, Tie.GUARDIAN, CHILD, may_consent=not chance(rng, 12))]
    if chance(rng, 2):
        ties.append(Relationship(ref("tie", "f"), FATHER, Tie.GUARDIAN, CHILD))
    for number in range(rng.randrange(3) if chance(rng, 2) else 0):
        who = pick(rng, (MOTHER, FATHER, "uncle", "officer-7"))
        kind = pick(rng, (Tie.HOUSEHOLD, Tie.KIN, Tie.ASSOCIATE, Tie.STAFF))
        to = pick(rng, SECTORS).value if kind is Tie.STAFF else pick(rng, (FATHER, CHILD, "uncle"))
        if who != to:
            ties.append(Relationship(ref("tie", str(number)), who, kind, to, span=span(rng)))
    return tuple(ties)


def a_suspicion(rng: Random) -> Suspicion:
    who = pick(rng, (FATHER, FATHER, MOTHER, "uncle"))
    return Suspicion(ref("s"), who, "a", cleared_by=pick(rng, ((), (), ("a",), ("a", "b"))), span=span(rng))


def an_order(rng: Random, me: str) -> Order:
    lines = tuple(
        line(
            pick(rng, CLASSES) if chance(rng, 2) else pick(rng, COMMON),
            pick(rng, (me, me, me, "", "court")),
            codes=(pick(rng, CODES),) if chance(rng, 2) else (),
            officer=pick(rng, OFFICERS),
        )
        for _ in range(rng.randrange(1, 4))
    )
    return order(
        *lines,
        number=pick(rng, ("12/QĐ", "12/QĐ", "")),
        verified_by=pick(rng, ("admin-2", "admin-2", "admin-2", "admin-1", "")),
        revoked=chance(rng, 12),
        issued=date(2026, 6, 16) if chance(rng, 12) else date(2026, 6, 1),
        span=span(rng),
    )


# --- worlds -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Aim:
    """One way that something could leave, and what proves it: most worlds hold one, and much that may stop it."""

    data_class: DataClass
    basis: Basis
    kind: str = ""
    """Name of the kind of fact."""
    facts: tuple[Any, ...] = ()
    """Facts of which each proves the basis."""
    consents: tuple[ConsentFact, ...] = ()


class Shelf:
    """The parts of worlds in which one sector's agency is the recipient; equal seeds give equal shelves."""

    def __init__(self, seed: int, sector: Sector, size: int) -> None:
        rng = Random(f"{seed} {sector.value}")
        me = sector.value

        def many(count: int, make: Callable[[str], T]) -> tuple[T, ...]:
            return tuple(make(str(number)) for number in range(count))

        self.consents = many(size, lambda name: a_consent(rng, sector, name))
        self.denials = many(size // 4, lambda name: a_denial(rng, sector, f"no-{name}"))
        self.agreements = many(12, lambda name: agreement(rng, sector, name, pick(rng, COMMON)))
        self.recipients = tuple(agency(sector, officer=officer) for officer in OFFICERS)
        self.orders = many(size // 2, lambda name: named(an_order(rng, me), name))
        self.team = many(40, lambda name: named(self._member(rng, me), name))
        self.treating = many(14, lambda name: named(treating(me, span=span(rng)), name))
        self.plans = many(40, lambda name: named(self._plan(rng, me), name))
        self.emergencies = many(60, lambda name: named(self._emergency(rng, me), name))
        self.reports = many(28, lambda name: named(report(me, grave=chance(rng, 2), span=span(rng)), name))
        self.refusals = many(60, lambda name: named(self._refusal(rng, me), name))
        self.referrals = many(16, lambda name: named(self._referral(rng, me), name))
        aims = tuple(self._aims(rng, sector))
        self.aims = {basis: tuple(aim for aim in aims if aim.basis is basis) for basis in Basis}
        self.bases = tuple(basis for basis in (*Basis, Basis.CONSENT, Basis.CONSENT, Basis.VITAL) if self.aims[basis])

    def _aims(self, rng: Random, sector: Sector) -> Iterator[Aim]:
        """For every way through the sector's column of the matrix: the class, and a fact that proves its basis."""
        me = sector.value
        ways = [(data_class, way) for data_class in CLASSES for way in policy().at(AT).cell(data_class, sector)]
        for number, (data_class, way) in enumerate(ways):
            officer = "officer-7" if {"sealed", "named-officer"} & set(way.needs) else ""
            lines = (line(data_class, me, officer=officer, codes=CODES if "named-codes" in way.needs else ()),)
            proofs: dict[Basis, tuple[str, tuple[Any, ...]]] = {
                Basis.TREATMENT: ("treating", (named(treating(me), "aim"),)),
                Basis.DUTY: ("plans", (named(plan(me), "aim"),)),
                Basis.ORDER: ("orders", (named(order(*lines), "aim"),)),
                Basis.REPORT: ("reports", (named(report(me), "aim"),)),
                Basis.VITAL: (
                    "emergencies",
                    tuple(named(one, f"aim-{one.ref.id}") for one in self.emergencies if one.span.holds(AT)),
                ),
                Basis.OWN: ("", ()),
            }
            for basis in sorted(way.bases):
                if basis is Basis.CONSENT:
                    for copy in range(6):
                        yield Aim(data_class, basis, consents=agreement(rng, sector, f"{number}-{copy}", data_class))
                else:
                    kind, facts = proofs[basis]
                    yield Aim(data_class, basis, kind, facts)

    @staticmethod
    def _member(rng: Random, me: str) -> Any:
        role = pick(rng, ("examiner", "shelter", "clinician", "transport", "owner"))
        return member(me, role, officer=pick(rng, OFFICERS), span=span(rng))

    @staticmethod
    def _plan(rng: Random, me: str) -> Any:
        classes = frozenset(COMMON[:2]) if chance(rng, 4) else frozenset()
        return plan(me, span=span(rng), approved_by=pick(rng, ("a", "a", "")), data_classes=classes)

    @staticmethod
    def _emergency(rng: Random, me: str) -> Any:
        kind = pick(rng, ("vital", "break-glass"))
        return emergency(me, kind=kind, second_factor=not chance(rng, 4), officer=pick(rng, OFFICERS), span=span(rng))

    @staticmethod
    def _refusal(rng: Random, me: str) -> Any:
        return refusal(
            pick(rng, (CHILD, MOTHER, FATHER)),
            recipient=pick(rng, ("", me, "court")),
            span=span(rng),
            data_class=pick(rng, (None, *COMMON)),
            service=pick(rng, ("", "", "legal-aid")),
        )

    @staticmethod
    def _referral(rng: Random, me: str) -> Any:
        return referral(
            pick(rng, (me, "court")),
            pick(rng, (me, "hotline")),
            order_number=pick(rng, ("12/QĐ", "")),
            service=pick(rng, ("", "legal-aid")),
        )


class Pool:
    """Ready-made parts, and consents changed in a given way, each compiled once."""

    def __init__(self, seed: int, size: int = 120) -> None:
        rng = Random(f"{seed} people")
        self.shelves = {sector: Shelf(seed, sector, size) for sector in SECTORS}
        self.items = tuple(tuple(an_item(rng, number) for _ in range(240)) for number in range(2))
        self.ties = tuple(some_ties(rng) for _ in range(120))
        self.suspicions = tuple(a_suspicion(rng) for _ in range(56))
        self.no_contacts = tuple(no_contact(pick(rng, (MOTHER, FATHER)), span=span(rng)) for _ in range(28))
        purposes = (*[Purpose.CAREMGT] * 10, *[Purpose.TREAT] * 2, Purpose.HPAYMT)
        self.purposes = (*(frozenset(subset(rng, purposes)) for _ in range(30)), frozenset(), frozenset())
        self.births = (*(date(2026 - years, 6, day) for day in (15, 14, 16) for years in YEARS), None, None)
        self._changed: dict[tuple[str, str, str, int], ConsentFact] = {}

    def changed(self, fact: ConsentFact, sector: Sector, how: str, variant: int, change: Change) -> ConsentFact:
        """The consent with its text changed in one variant of one way, compiled the first time."""
        key = (sector.value, fact.ref.id, how, variant)
        found = self._changed.get(key)
        if found is None:
            resource = change(fact.resource, Random(" ".join(map(str, key))))
            found = self._changed[key] = replace(fact, resource=resource, tree=read_consent(resource))
        return found

    def world(self, rng: Random) -> tuple[Disclosure, Facts]:
        """One disclosure of one or two items, and the facts that it is decided by; three in four aim at something."""
        sector = pick(rng, (Sector.SOCIAL, Sector.SOCIAL, *SECTORS))
        shelf = self.shelves[sector]
        items = [pick(rng, self.items[number]) for number in range(1 + rng.randrange(2))]
        event = pick(rng, (Event.RECORD, Event.RESULT, Event.REPORT))
        aim = pick(rng, shelf.aims[pick(rng, shelf.bases)]) if rng.randrange(4) else None
        recipient = pick(rng, shelf.recipients)
        if aim is not None:
            aim = replace(aim, facts=(pick(rng, aim.facts),)) if aim.facts else aim
            officer = next((one.officer for one in aim.facts if isinstance(one, Emergency)), "")
            recipient = agency(sector, officer=officer) if officer else recipient
            author = sector.value if aim.basis is Basis.OWN else items[0].author
            items[0] = replace(items[0], data_class=aim.data_class, type=TYPES[aim.data_class], author=author)
            event = Event.REPORT if aim.basis is Basis.REPORT else event
        disclosure = ask(
            recipient,
            *items,
            purposes=pick(rng, self.purposes),
            event=event,
            referral=pick(rng, ("", "referral-1", "referral-1")),
        )
        return disclosure, self.facts(rng, shelf, aim)

    def facts(self, rng: Random, shelf: Shelf, aim: Aim | None) -> Facts:
        """Everything recorded, each kind of fact present now and then."""
        consents = [pick(rng, shelf.consents) for _ in range(rng.randrange(4))]
        if aim is not None:
            consents += aim.consents
        elif chance(rng, 2):
            consents += pick(rng, shelf.agreements)
        known: dict[str, tuple[Any, ...]] = {
            "suspicions": some(rng, 5, self.suspicions),
            "no_contacts": some(rng, 12, self.no_contacts),
            "orders": some(rng, 3, shelf.orders),
            "refusals": some(rng, 6, shelf.refusals),
            "team": some(rng, 3, shelf.team),
            "treating": some(rng, 3, shelf.treating),
            "plans": some(rng, 3, shelf.plans),
            "emergencies": some(rng, 4, shelf.emergencies),
            "reports": some(rng, 4, shelf.reports),
            "referrals": some(rng, 2, shelf.referrals),
        }
        if aim is not None and aim.kind:
            known[aim.kind] += aim.facts
        return Facts(
            person=CHILD,
            birth_date=pick(rng, self.births),
            match_certain=not chance(rng, 25),
            relationships=pick(rng, self.ties),
            consents=tuple(consents),
            case_closed=AT + timedelta(seconds=rng.randrange(2)) if chance(rng, 25) else None,
            **known,
        )
