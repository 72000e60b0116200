"""Generates worlds to decide about: a child, her people, what is recorded, and a disclosure. Small alphabets, so that
things meet often. Works with `random.Random` and with Hypothesis's randoms alike."""

# ruff: noqa: E501

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from consent.fhir import read_consent
from consent.model import AgreedBy, ConsentFact, Disclosure, Facts, Item, Relationship, Span, Suspicion, Tie
from consent.vocabulary import DataClass, Event, Purpose, Sector
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
    provision,
    ref,
    referral,
    refusal,
    report,
    treating,
)

CODES = (Code(LOINC, "a"), Code(LOINC, "b"))
SECTORS = tuple(Sector)
COMMON = (DataClass.MEDICAL_EXAM, DataClass.REFERRAL, DataClass.SUPPORT_NEED, DataClass.MENTAL_HEALTH)
OFFICERS = ("", "", "officer-7", "officer-8")
YEARS = (5, 6, 7, 12, 15, 16, 17, 18)


def chance(rng: Random, odds: int) -> bool:
    """True once in `odds`."""
    return rng.randrange(odds) == 0


def span(rng: Random) -> Span:
    """A period that usually holds at AT, and sometimes just does or just does not."""
    edge = rng.randrange(14)
    if edge == 0:
        return Span(end=AT)
    if edge == 1:
        return Span(AT + timedelta(seconds=1))
    return Span(AT - timedelta(hours=rng.choice((1, 3, 5, 23, 30))))


def subset(rng: Random, values: tuple[Any, ...], most: int = 2) -> list[Any]:
    return [rng.choice(values) for _ in range(rng.randrange(1, most + 1))]


def a_provision(rng: Random, sector: Sector, depth: int = 0) -> dict[str, Any]:
    """A provision over a small alphabet, at most three levels deep."""
    kind = rng.choice(("permit", "permit", "deny")) if depth == 0 else rng.choice(("permit", "deny"))
    stated: dict[str, Any] = {}
    if chance(rng, 2):
        stated["to"] = sector if not chance(rng, 4) else rng.choice(SECTORS)
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
        built["purpose"] = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "XYZZY"}]
    if depth and chance(rng, 20):
        del built["type"]
    if depth < 2 and chance(rng, 2):
        built["provision"] = [a_provision(rng, sector, depth + 1) for _ in range(rng.randrange(1, 3))]
    return built


def a_consent(rng: Random, sector: Sector, name: str) -> ConsentFact:
    """A consent of the mother, the child or the father; usually in order."""
    by = rng.choice((MOTHER, MOTHER, CHILD, CHILD, FATHER))
    resource = consent_of(a_provision(rng, sector), name)
    if chance(rng, 15):
        resource["status"] = rng.choice(("inactive", "proposed", "entered-in-error"))
    return ConsentFact(
        ref=ref("consent", name),
        resource=resource,
        tree=read_consent(resource),
        given_by=by,
        as_=AgreedBy.CHILD if by == CHILD else AgreedBy.REPRESENTATIVE,
        evidence="" if chance(rng, 15) else "sha256:x",
        given_at=AT - timedelta(days=rng.choice((1, 30, 200, 364, 366))),
        withdrawn_at=AT + timedelta(seconds=rng.choice((0, 1))) if chance(rng, 10) else None,
        suspended=chance(rng, 20),
        replaced=chance(rng, 20),
    )


def permits_to(rng: Random, sector: Sector) -> list[ConsentFact]:
    """Mother and child who permit a class to this recipient, so that consent is often complete."""
    root = provision(to=sector, classes=[rng.choice(COMMON)], **({"label": ["PSY", "HIV"]} if chance(rng, 4) else {}))
    resource = consent_of(root)
    base = ConsentFact(ref("consent", "m"), resource, MOTHER, evidence="x", given_at=AT - timedelta(days=9))
    base = replace(base, tree=read_consent(resource))
    childs = replace(base, ref=ref("consent", "c"), given_by=CHILD, as_=AgreedBy.CHILD)
    return [base, childs]


def an_item(rng: Random, place: str) -> Item:
    data_class = rng.choice(COMMON) if chance(rng, 2) else rng.choice(tuple(DataClass))
    labels = [label for label in ("HIV", "PSY", "SDV", "shelter-location") if chance(rng, 16)]
    made = item(None if chance(rng, 30) else data_class, *labels, place=place, codes=(rng.choice(CODES),))
    return replace(made, author=rng.choice(SECTORS).value if chance(rng, 3) else "")


def some_ties(rng: Random) -> tuple[Relationship, ...]:
    ties = [
        Relationship(ref("tie", "m"), MOTHER, Tie.GUARDIAN, CHILD, may_consent=not chance(rng, 12)),
        *([Relationship(ref("tie", "f"), FATHER, Tie.GUARDIAN, CHILD)] if chance(rng, 2) else []),
    ]
    for number in range(rng.randrange(3) if chance(rng, 2) else 0):
        who, kind = rng.choice((MOTHER, FATHER, "uncle")), rng.choice((Tie.HOUSEHOLD, Tie.KIN, Tie.STAFF))
        to = rng.choice(SECTORS).value if kind is Tie.STAFF else rng.choice((FATHER, CHILD, "uncle"))
        if who != to:
            ties.append(Relationship(ref("tie", str(number)), who, kind, to, span=span(rng)))
    return tuple(ties)


def an_order(rng: Random, me: str) -> Any:
    lines = tuple(
        line(
            rng.choice(tuple(DataClass)) if chance(rng, 2) else rng.choice(COMMON),
            rng.choice((me, me, me, "", "court")),
            codes=(rng.choice(CODES),) if chance(rng, 2) else (),
            officer=rng.choice(OFFICERS),
        )
        for _ in range(rng.randrange(1, 4))
    )
    return order(
        *lines,
        number=rng.choice(("12/QĐ", "12/QĐ", "")),
        verified_by=rng.choice(("admin-2", "admin-2", "admin-2", "admin-1", "")),
        revoked=chance(rng, 12),
        issued=date(2026, 6, 16) if chance(rng, 12) else date(2026, 6, 1),
        span=span(rng),
    )


def facts(rng: Random, sector: Sector) -> Facts:
    """Everything recorded, each kind of fact present now and then."""
    me = sector.value
    years = rng.choice(YEARS)
    consents = [a_consent(rng, sector, str(number)) for number in range(rng.randrange(4))]
    if chance(rng, 2):
        consents += permits_to(rng, sector)
    some: dict[str, Any] = {
        "suspicions": (Suspicion(ref("s"), rng.choice((FATHER, FATHER, MOTHER, "uncle")), "a",
                       cleared_by=rng.choice(((), (), ("a",), ("a", "b"))), span=span(rng)),) if chance(rng, 4) else (),
        "no_contacts": (no_contact(rng.choice((MOTHER, FATHER)), span=span(rng)),) if chance(rng, 10) else (),
        "orders": (an_order(rng, me),) if chance(rng, 2) else (),
        "refusals": (refusal(rng.choice((CHILD, MOTHER, FATHER)), recipient=rng.choice(("", me, "court")), span=span(rng),
                     data_class=rng.choice((None, *COMMON)), service=rng.choice(("", "", "legal-aid"))),) if chance(rng, 6) else (),
        "team": (member(me, rng.choice(("examiner", "shelter", "clinician", "transport", "owner")),
                 officer=rng.choice(OFFICERS), span=span(rng)),) if chance(rng, 3) else (),
        "treating": (treating(me, span=span(rng)),) if chance(rng, 2) else (),
        "plans": (plan(me, span=span(rng), approved_by=rng.choice(("a", "a", "")),
                  data_classes=frozenset(COMMON[:2]) if chance(rng, 4) else frozenset()),) if chance(rng, 3) else (),
        "emergencies": (emergency(me, kind=rng.choice(("vital", "break-glass")), second_factor=chance(rng, 2),
                        officer=rng.choice(OFFICERS), span=span(rng)),) if chance(rng, 3) else (),
        "reports": (report(me, grave=chance(rng, 2), span=span(rng)),) if chance(rng, 4) else (),
        "referrals": (referral(rng.choice((me, "court")), rng.choice((me, "hotline")), order_number=rng.choice(("12/QĐ", "")),
                      service=rng.choice(("", "legal-aid"))),) if chance(rng, 2) else (),
    }  # fmt: skip
    return Facts(
        person=CHILD,
        birth_date=None if chance(rng, 10) else date(2026 - years, 6, rng.choice((14, 15, 16))),
        match_certain=not chance(rng, 25),
        relationships=some_ties(rng),
        consents=tuple(consents),
        case_closed=AT + timedelta(seconds=rng.choice((0, 1))) if chance(rng, 25) else None,
        **some,
    )


def world(rng: Random, items: int = 2) -> tuple[Disclosure, Facts]:
    """One disclosure and the facts that it is decided by."""
    sector = rng.choice((Sector.SOCIAL, Sector.SOCIAL, *SECTORS))
    purposes = frozenset(subset(rng, (*[Purpose.CAREMGT] * 5, Purpose.TREAT, Purpose.HPAYMT)))
    disclosure = ask(
        agency(sector, officer=rng.choice(OFFICERS)),
        *(an_item(rng, f"item-{number}") for number in range(items)),
        purposes=frozenset() if chance(rng, 20) else purposes,
        event=rng.choice((Event.RECORD, Event.RESULT, Event.REPORT)),
        referral=rng.choice(("", "referral-1", "referral-1")),
    )
    return disclosure, facts(rng, sector)
