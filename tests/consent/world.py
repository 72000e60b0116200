"""A small synthetic world to decide about: one child, her people, and one agency of each sector."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import consent
from consent.model import (
    AgreedBy,
    Code,
    ConsentFact,
    Decision,
    Disclosure,
    Emergency,
    FactRef,
    Facts,
    Item,
    NoContact,
    OpenReferral,
    Order,
    OrderItem,
    Party,
    Plan,
    Refusal,
    Relationship,
    Report,
    Span,
    Suspicion,
    TeamMember,
    Tie,
    Treating,
)
from consent.rulebook import Policy
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, Event, Purpose, Sector, View

AT = datetime(2026, 6, 15, 9, 0, tzinfo=UTC)
CHILD, MOTHER, FATHER, AUNT = "person-child", "person-mother", "person-father", "person-aunt"
LOINC = "http://loinc.org"
SINCE = Span(datetime(2026, 1, 1, tzinfo=UTC))

UNITS = {
    Sector.HEALTH: "exam-unit",
    Sector.POLICE: "ward-police",
    Sector.COURT: "court",
    Sector.EDUCATION: "school",
    Sector.SOCIAL: "shelter",
    Sector.HOTLINE: "hotline",
}


@cache
def policy() -> Policy:
    """The policy that ships."""
    return consent.read_policy(consent.policy_documents())


def agency(sector: Sector, **changes: Any) -> Party:
    """The world's one agency of a sector."""
    party = Party(
        id=sector.value,
        sector=sector,
        unit=UNITS[sector],
        identifiers=(Code("urn:agency", sector.value),),
        references=(f"Organization/{sector.value}",),
    )
    return replace(party, **changes)


def ref(kind: str, name: str = "1") -> FactRef:
    return FactRef(kind, name, 1)


def child(born: date | None = date(2014, 3, 1), **changes: Any) -> Facts:
    """A child (12 years old at AT) with an unbarred mother."""
    facts = Facts(
        person=CHILD,
        birth_date=born,
        relationships=(Relationship(ref("relationship", "mother"), MOTHER, Tie.GUARDIAN, CHILD, "MTH"),),
    )
    return replace(facts, **changes)


def father(**changes: Any) -> Relationship:
    return replace(Relationship(ref("relationship", "father"), FATHER, Tie.GUARDIAN, CHILD, "FTH"), **changes)


def suspect(person: str = FATHER, **changes: Any) -> Suspicion:
    return replace(Suspicion(ref("suspicion", person), person, "admin-1"), **changes)


def item(data_class: DataClass | None, *labels: str, **changes: Any) -> Item:
    """One item of a class, of a type that its projections know."""
    kind = {
        DataClass.DEMOGRAPHICS: "Patient",
        DataClass.SAFETY_PLAN: "Flag",
        DataClass.REFERRAL: "ServiceRequest",
        DataClass.SHELTER_LOCATION: "Encounter",
        DataClass.COURT_ORDERS: "Flag",
        DataClass.ALLEGATION: "Condition",
        DataClass.ALLEGED_PERPETRATOR: "RelatedPerson",
        DataClass.STATEMENT: "Communication",
    }.get(data_class, "Observation")
    place = f"urn:uuid:{data_class.value if data_class else 'none'}"
    return replace(Item(place=place, data_class=data_class, labels=frozenset(labels), type=kind), **changes)


def ask(recipient: Party | Sector, *items: Item, **changes: Any) -> Disclosure:
    """A disclosure of items to an agency, for care management."""
    party = recipient if isinstance(recipient, Party) else agency(recipient)
    disclosure = Disclosure(
        sender=agency(Sector.HEALTH),
        recipient=party,
        person=CHILD,
        case="case",
        event=Event.RECORD,
        purposes=frozenset({Purpose.CAREMGT}),
        items=items,
    )
    return replace(disclosure, **changes)


def decide(disclosure: Disclosure, facts: Facts, at: datetime = AT) -> Decision:
    return consent.decide(disclosure, facts, policy(), at)


def view(
    recipient: Party | Sector, data_class: DataClass | Item, facts: Facts, at: datetime = AT, **changes: Any
) -> View:
    """How much of one item of a class leaves."""
    one = data_class if isinstance(data_class, Item) else item(data_class)
    return decide(ask(recipient, one, **changes), facts, at).verdicts[0].view


def why(
    recipient: Party | Sector, data_class: DataClass | Item, facts: Facts, at: datetime = AT, **changes: Any
) -> str:
    """The reason code of one item's verdict."""
    one = data_class if isinstance(data_class, Item) else item(data_class)
    return decide(ask(recipient, one, **changes), facts, at).verdicts[0].reasons[0].code


def data_class(*classes: DataClass) -> list[dict[str, str]]:
    return [{"system": DATA_CLASS_SYSTEM, "code": one.value} for one in classes]


def provision(kind: str | None = "permit", **constraints: Any) -> dict[str, Any]:
    """An R4 provision; `to` names a sector's agency, `purpose` and `label` codes, `classes` data classes."""
    built: dict[str, Any] = {} if kind is None else {"type": kind}
    if "to" in constraints:
        built["actor"] = [
            {
                "role": {"coding": [{"code": "IRCP"}]},
                "reference": {"reference": f"Organization/{constraints.pop('to').value}"},
            }
        ]
    if "purpose" in constraints:
        system = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
        built["purpose"] = [{"system": system, "code": one} for one in constraints.pop("purpose")]
    if "label" in constraints:
        system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
        built["securityLabel"] = [{"system": system, "code": one} for one in constraints.pop("label")]
    if "classes" in constraints:
        built["class"] = data_class(*constraints.pop("classes"))
    return built | constraints


def consent_of(root: dict[str, Any], name: str = "1", **more: Any) -> dict[str, Any]:
    """An R4 Consent resource with this root provision."""
    return {
        "resourceType": "Consent",
        "id": name,
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "provision": root,
        **more,
    }


def given(root: dict[str, Any], by: str = MOTHER, name: str = "", **changes: Any) -> ConsentFact:
    """A consent as stored, with evidence, given two months before AT."""
    fact = ConsentFact(
        ref=ref("consent", name or f"by-{by}"),
        resource=consent_of(root, name or f"by-{by}"),
        given_by=by,
        as_=AgreedBy.CHILD if by == CHILD else AgreedBy.REPRESENTATIVE,
        evidence="sha256:paper",
        given_at=datetime(2026, 4, 15, tzinfo=UTC),
    )
    return replace(fact, **changes)


def order(*items: OrderItem, **changes: Any) -> Order:
    """A verified order of the procuracy."""
    base = Order(
        ref=ref("order"), number="12/QĐ", body="procuracy", issued=date(2026, 6, 1), items=items,
        entered_by="admin-1", verified_by="admin-2",
    )  # fmt: skip
    return replace(base, **changes)


def line(data_class: DataClass | None, recipient: str = "police", **changes: Any) -> OrderItem:
    return replace(OrderItem(data_class=data_class, recipient=recipient), **changes)


def plan(*agencies: str, **changes: Any) -> Plan:
    return replace(Plan(ref("plan"), agencies, approved_by="admin-2", span=SINCE), **changes)


def treating(name: str = "health", **changes: Any) -> Treating:
    return replace(Treating(ref("treating"), name, SINCE), **changes)


def report(*agencies: str, **changes: Any) -> Report:
    return replace(Report(ref("report"), agencies, span=SINCE), **changes)


def emergency(name: str, **changes: Any) -> Emergency:
    base = Emergency(ref("emergency"), name, "unconscious", span=Span(datetime(2026, 6, 15, 8, tzinfo=UTC)))
    return replace(base, **changes)


def referral(requester: str = "police", performer: str = "health", **changes: Any) -> OpenReferral:
    return replace(OpenReferral(ref("referral"), "referral-1", requester, performer, "requested"), **changes)


def member(name: str, role: str, **changes: Any) -> TeamMember:
    return replace(TeamMember(ref("team"), name, role, span=SINCE), **changes)


def refusal(by: str = CHILD, **changes: Any) -> Refusal:
    return replace(Refusal(ref("refusal"), by), **changes)


def no_contact(person: str, **changes: Any) -> NoContact:
    return replace(NoContact(ref("no-contact"), person), **changes)
