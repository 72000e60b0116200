"""The same consent, twelve permissions over a denial, asked of the hub's engine and of Cedar."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

import consent
from bench.figures import Unmeasurable
from consent.model import Code, ConsentFact, Disclosure, FactRef, Facts, Item, Party, Relationship, Tie
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import ACT_REASON_SYSTEM, DATA_CLASS_SYSTEM, DataClass, Event, Purpose, Sector

AT: Final = datetime(2026, 6, 15, 9, tzinfo=UTC)
FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
CHILD, MOTHER = "person-child", "person-mother"

PERMISSIONS: Final = (
    *((sector, each) for sector in (Sector.COURT, Sector.HOTLINE) for each in list(DataClass)[:5]),
    (Sector.SOCIAL, DataClass.MENTAL_HEALTH),
    (Sector.EDUCATION, DataClass.SUPPORT_NEED),
)
"""Twelve: (agency, class of data)."""

QUESTIONS: Final = (
    (Sector.SOCIAL, DataClass.MENTAL_HEALTH, Purpose.CAREMGT, True),
    (Sector.SOCIAL, DataClass.SEXUAL_HEALTH, Purpose.CAREMGT, False),
    (Sector.EDUCATION, DataClass.MENTAL_HEALTH, Purpose.CAREMGT, False),
    (Sector.SOCIAL, DataClass.MENTAL_HEALTH, Purpose.HPAYMT, False),
)
"""(recipient, class, purpose, may it leave?): asked in turn."""


def resource() -> dict[str, Any]:
    """The Consent."""
    provisions = [
        {
            "type": "permit",
            "period": {"start": FROM.isoformat(), "end": TO.isoformat()},
            "actor": [
                {"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": f"Organization/{sector.value}"}}
            ],
            "purpose": [{"system": ACT_REASON_SYSTEM, "code": code} for code in ("CAREMGT", "TREAT")],
            "class": [{"system": DATA_CLASS_SYSTEM, "code": each.value}],
        }
        for sector, each in PERMISSIONS
    ]
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    return {
        "resourceType": "Consent",
        "id": "bench",
        "status": "active",
        "scope": {"coding": [scope]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "provision": {"type": "deny", "provision": provisions},
    }


def cedar_policies() -> str:
    """The Consent in Cedar's language: who, for what, which class, from when to when."""
    return "\n".join(
        f'permit(principal, action == Action::"disclose", resource) when {{ '
        f'principal.references.contains("Organization/{sector.value}") && '
        f'["CAREMGT", "TREAT"].contains(context.purpose) && '
        f'resource.dataClasses.contains("{each.value}") && '
        f"context.at >= {int(FROM.timestamp())} && context.at < {int(TO.timestamp())} }};"
        for sector, each in PERMISSIONS
    )


def cedar_entities() -> list[dict[str, Any]]:
    """The agencies and one item of each class."""
    agencies = [
        {
            "uid": {"type": "Agency", "id": each.value},
            "attrs": {"references": [f"Organization/{each.value}"]},
            "parents": [],
        }
        for each in Sector
    ]
    items = [
        {"uid": {"type": "Item", "id": each.value}, "attrs": {"dataClasses": [each.value]}, "parents": []}
        for each in DataClass
    ]
    return agencies + items


def _party(sector: Sector) -> Party:
    return Party(
        id=sector.value,
        sector=sector,
        unit="shelter" if sector is Sector.SOCIAL else "other",
        identifiers=(Code("urn:agency", sector.value),),
        references=(f"Organization/{sector.value}",),
    )


def _disclosures() -> list[Disclosure]:
    return [
        Disclosure(
            sender=_party(Sector.HEALTH),
            recipient=_party(sector),
            person=CHILD,
            case="case",
            event=Event.RECORD,
            purposes=frozenset({purpose}),
            items=(Item(place=f"urn:uuid:{each.value}", data_class=each, type="Observation"),),
        )
        for sector, each, purpose, _ in QUESTIONS
    ]


def _facts(tree: Any) -> Facts:
    mother = Relationship(FactRef("relationship", "mother", 1), MOTHER, Tie.GUARDIAN, CHILD, "MTH")
    given = ConsentFact(
        ref=FactRef("consent", "bench", 1),
        resource=resource(),
        given_by=MOTHER,
        evidence="sha256:paper",
        given_at=datetime(2026, 4, 15, tzinfo=UTC),
        tree=tree,
    )
    return Facts(person=CHILD, birth_date=date(2021, 3, 1), relationships=(mother,), consents=(given,))


def ours() -> dict[str, Callable[[], list[bool]]]:
    """Three works that answer all questions: the tree alone, the whole decision, and that from the Consent's text."""
    policy = consent.read_policy(consent.policy_documents())
    tree, asked = consent.read_consent(resource()), _disclosures()
    facts, text = _facts(tree), resource()
    asks = [
        (
            Ask(
                each.recipient, each.sender, next(iter(each.purposes)).value, each.action.value, AT, "Asia/Ho_Chi_Minh"
            ),
            each.items[0],
        )
        for each in asked
    ]

    def judged() -> list[bool]:
        return [judge_tree(tree, ask, item).result is Result.PERMIT for ask, item in asks]

    def decided(known: Facts = facts) -> list[bool]:
        return [bool(consent.decide(each, known, policy, AT).verdicts[0].view.rank) for each in asked]

    def compiled_each_time() -> list[bool]:
        found = []
        for each in asked:
            fact = replace(facts.consents[0], tree=consent.read_consent(text))
            decision = consent.decide(each, replace(facts, consents=(fact,)), policy, AT)
            found.append(bool(decision.verdicts[0].view.rank))
        return found

    return _checked({"tree": judged, "decide": decided, "compile+decide": compiled_each_time})


def among(count: int) -> Callable[[], list[bool]]:
    """All questions, asked about a child with `count` consents: eleven in twelve name other agencies or purposes."""
    policy, asked = consent.read_policy(consent.policy_documents()), _disclosures()
    facts = _facts(consent.read_consent(resource()))
    others = [
        replace(
            facts.consents[0], ref=FactRef("consent", f"other-{number}", 1), tree=consent.read_consent(_other(number))
        )
        for number in range(count - 1)
    ]
    known = replace(facts, consents=(*facts.consents, *others))

    def decided() -> list[bool]:
        return [bool(consent.decide(each, known, policy, AT).verdicts[0].view.rank) for each in asked]

    return _checked({f"{count} consents": decided})[f"{count} consents"]


def _other(number: int) -> dict[str, Any]:
    """A consent of the same child for another agency; one in twelve for one of those asked about, another purpose."""
    agency = Sector.SOCIAL.value if number % 12 == 0 else f"agency-{number}"
    provision = {
        "type": "permit",
        "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": f"Organization/{agency}"}}],
        "purpose": [{"system": ACT_REASON_SYSTEM, "code": "HRESCH"}],
        "class": [{"system": DATA_CLASS_SYSTEM, "code": DataClass.MEDICAL_EXAM.value}],
    }
    return {**resource(), "id": f"other-{number}", "provision": provision}


def cedar() -> dict[str, Callable[[], list[bool]]]:
    """Two works: from parsed policies and entities, and from their text."""
    from cedarpy import Decision, Entities, PolicySet, is_authorized

    text, listed = cedar_policies(), cedar_entities()
    policies, entities = PolicySet.from_str(text), Entities.from_json_str(json.dumps(listed))
    requests = [
        {
            "principal": {"type": "Agency", "id": sector.value},
            "action": {"type": "Action", "id": "disclose"},
            "resource": {"type": "Item", "id": each.value},
            "context": {"purpose": purpose.value, "at": int(AT.timestamp())},
        }
        for sector, each, purpose, _ in QUESTIONS
    ]

    def parsed() -> list[bool]:
        return [is_authorized(each, policies, entities).decision == Decision.Allow for each in requests]

    def parsing() -> list[bool]:
        return [is_authorized(each, text, listed).decision == Decision.Allow for each in requests]

    return _checked({"parsed": parsed, "parsing": parsing})


def _checked(works: dict[str, Callable[[], list[bool]]]) -> dict[str, Callable[[], list[bool]]]:
    """The works, once each has given the right answers."""
    right = [answer for *_, answer in QUESTIONS]
    for name, work in works.items():
        if work() != right:
            raise Unmeasurable(f"{name} does not answer the {len(right)} questions as it must")
    return works
