"""The matrix, cell by cell: each way through opens when its basis is proven, and nothing opens when it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from consent.model import Facts, OrderItem, Party
from consent.rulebook import Grant
from consent.vocabulary import Basis, DataClass, Event, Sector, View
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    LOINC,
    UNITS,
    Code,
    Relationship,
    Tie,
    agency,
    ask,
    child,
    decide,
    emergency,
    given,
    item,
    line,
    member,
    order,
    plan,
    policy,
    provision,
    ref,
    referral,
    report,
    suspect,
    treating,
)

CELLS = [(data_class, sector) for data_class in DataClass for sector in Sector]
WAYS = [
    (data_class, sector, grant, basis)
    for data_class, sector in CELLS
    for grant in policy().at(AT).cell(data_class, sector)
    for basis in sorted(grant.bases)
]
CODE = Code(LOINC, "named")
OFFICER = "officer-7"
ROLES = {
    "examiner": "examiner",
    "case-owner-or-shelter": "shelter",
    "shelter-clinician": "clinician",
    "transport": "transport",
}


def name(value: Any) -> str:
    return value.value if isinstance(value, (DataClass, Sector, Basis)) else getattr(value, "view", value)


def proven(data_class: DataClass, sector: Sector, grant: Grant, basis: Basis) -> tuple[Facts, Party, dict[str, Any]]:
    """Facts that prove one basis of one way through a cell with all of its conditions, the recipient, the request."""
    unit = sector.value
    recipient = agency(sector, unit="shelter" if "shelter-clinician" in grant.needs else UNITS[sector])
    asked: dict[str, Any] = {"referral": "referral-1"}
    about: dict[str, Any] = {"data_class": data_class, "codes": (CODE,)}
    facts = child()
    if {"sealed", "named-officer", "case-owner-or-shelter", "shelter-clinician"} & set(grant.needs):
        recipient = replace(recipient, officer=OFFICER)
    roles = {
        "examiner": "examiner",
        "case-owner-or-shelter": "shelter",
        "shelter-clinician": "clinician",
        "transport": "transport",
    }
    team = [member(unit, roles[need], officer=recipient.officer) for need in grant.needs if need in roles]
    if "sealed" in grant.needs:
        team.append(member(unit, "investigator", officer=OFFICER))
    if "employed-there" in grant.needs:
        staff = Relationship(ref("r", "s"), FATHER, Tie.STAFF, "school-2")
        facts = replace(facts, relationships=(*facts.relationships, staff), suspicions=(suspect(),))
        recipient = replace(recipient, alternate_for=("school-2",))
    if "own" in grant.needs:
        facts = replace(facts, referrals=(referral("another", unit),))
    if "exam-owner" in grant.needs:
        about["author"] = unit
    facts = replace(facts, team=tuple(team))
    if "receiver" in grant.needs:
        facts = replace(facts, reports=(report(unit),))
    match basis:
        case Basis.TREATMENT:
            facts = replace(facts, treating=(treating(unit),))
        case Basis.CONSENT:
            root = provision(to=sector, classes=[data_class])
            facts = replace(facts, consents=(given(root), given(root, by=CHILD)))
        case Basis.DUTY:
            facts = replace(facts, plans=(plan(unit),))
        case Basis.ORDER:
            line_: OrderItem = line(data_class, unit, officer=recipient.officer, codes=(CODE,))
            facts = replace(facts, orders=(order(line_),))
        case Basis.REPORT:
            facts = replace(facts, reports=(report(unit),))
            asked["event"] = Event.REPORT
        case Basis.VITAL:
            facts = replace(facts, emergencies=(emergency(unit, officer=recipient.officer),))
        case Basis.OWN:
            about["author"] = unit
    return facts, recipient, {"asked": asked, "about": about}


@pytest.mark.parametrize(("data_class", "sector", "grant", "basis"), WAYS, ids=name)
def test_a_proven_basis_opens_its_cell(data_class: DataClass, sector: Sector, grant: Grant, basis: Basis) -> None:
    """With its basis proven and its conditions met, a cell gives at least its view, on that basis or a wider one."""
    facts, recipient, how = proven(data_class, sector, grant, basis)
    one = replace(item(data_class), **how["about"])
    kinds = {path.split(".")[0] for path in policy().at(AT).projections.get(grant.projection, (f"{one.type}.x",))}
    one = replace(one, type=sorted(kinds)[0])
    verdict = decide(ask(recipient, one, **how["asked"]), facts).verdicts[0]
    cell = policy().at(AT).cell(data_class, sector)
    widest = max((way.view for way in cell if basis in way.bases), key=lambda view: view.rank)
    assert grant.view.rank <= verdict.view.rank <= widest.rank
    assert verdict.basis is basis
    assert verdict.projection or verdict.view is View.FULL


@pytest.mark.parametrize(("data_class", "sector"), CELLS, ids=name)
def test_an_unproven_cell_stays_closed(data_class: DataClass, sector: Sector) -> None:
    """Without any recorded basis no cell gives anything."""
    asked = ask(agency(sector), item(data_class), referral="referral-1")
    assert not decide(asked, child()).leaves


@pytest.mark.parametrize(("data_class", "sector", "grant", "basis"), [way for way in WAYS if way[2].needs], ids=name)
def test_a_condition_missing_closes_its_way(data_class: DataClass, sector: Sector, grant: Grant, basis: Basis) -> None:
    """Take the officer, team, referral, author and codes away, and what needs them is narrower or closed."""
    facts, recipient, how = proven(data_class, sector, grant, basis)
    orders = tuple(
        replace(one, items=tuple(replace(row, codes=(), officer="") for row in one.items)) for one in facts.orders
    )
    reports = () if basis is not Basis.REPORT else facts.reports
    emergencies = tuple(replace(one, officer="") for one in facts.emergencies)
    bare = replace(facts, team=(), referrals=(), orders=orders, reports=reports, emergencies=emergencies)
    recipient = replace(recipient, officer="", unit="office", alternate_for=())
    verdict = decide(ask(recipient, item(data_class), **how["asked"]), bare).verdicts[0]
    # Whoever a report is owed to receives it, and the law opens the allegation to the hotline for that alone (R18).
    beside = policy().at(AT).report_also.get((data_class, sector), ())
    receiver_alone = basis is Basis.REPORT and ("receiver" in grant.needs or grant.view in {way.view for way in beside})
    assert verdict.view.rank < grant.view.rank or receiver_alone


@pytest.mark.parametrize(("data_class", "sector"), CELLS, ids=name)
def test_a_consent_to_everything_opens_only_consent_cells(data_class: DataClass, sector: Sector) -> None:
    """However wide a consent is, it opens nothing that the matrix does not open on basis C."""
    facts = child(consents=(given(provision()), given(provision(), by=CHILD)), referrals=(referral("x", sector.value),))
    verdict = decide(ask(agency(sector), item(data_class), referral="referral-1"), facts).verdicts[0]
    opens = any(Basis.CONSENT in way.bases for way in policy().at(AT).cell(data_class, sector))
    assert opens or verdict.view is View.NONE


def test_the_matrix_is_the_designs() -> None:
    """Views cell by cell as the design's table has them, rows in its order: F, S, G and N by sector."""
    table = {
        "demographics": "F F F S F S", "safety-plan": "S S S G F G", "medical-exam": "F SG F N S N",
        "forensic": "FG F F N G N", "mental-health": "F S S N S F", "sexual-health": "F F F N F N",
        "photographs": "F F F N N N", "statement": "S F F N G F", "shelter-location": "SG S S N FG N",
        "attendance": "N S S F S N", "narrative": "F N N N N F", "referral": "F F F S F S",
        "allegation": "S F F N F F", "support-need": "N N N F F N", "court-orders": "S F F G F G",
        "reporter-identity": "F F F N F F", "alleged-perpetrator": "S F F G S S",
    }  # fmt: skip
    letters = {View.FULL: "F", View.SUMMARY: "S", View.FLAG: "G"}
    for data_class in DataClass:
        cells = [policy().at(AT).cell(data_class, sector) for sector in Sector]
        row = ["".join(sorted({letters[way.view] for way in cell}, key="FSG".index)) or "N" for cell in cells]
        assert " ".join(row) == table[data_class.value], data_class
