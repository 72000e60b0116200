"""A second opinion: equal policies in Cedar, where both can say them, on 10,000 random requests."""

from __future__ import annotations

from random import Random
from typing import Any

import cedarpy

from consent.fhir import read_consent
from consent.model import Item
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DataClass, Sector
from tests.consent.world import AT, agency, consent_of, provision

POLICIES, REQUESTS = 100, 100
CLASSES = (DataClass.MEDICAL_EXAM, DataClass.REFERRAL, DataClass.MENTAL_HEALTH)
PURPOSES, LABELS = ("TREAT", "CAREMGT"), ("HIV", "PSY")
SECTORS = (Sector.HEALTH, Sector.SOCIAL)


def stated(rng: Random) -> dict[str, Any]:
    """Some constraints of one provision."""
    found: dict[str, Any] = {}
    if rng.randrange(2):
        found["to"] = rng.choice(SECTORS)
    if rng.randrange(2):
        found["purpose"] = [rng.choice(PURPOSES)]
    if rng.randrange(2):
        found["classes"] = [rng.choice(CLASSES)]
    if rng.randrange(3) == 0:
        found["label"] = [rng.choice(LABELS)]
    return found


def condition(found: dict[str, Any]) -> str:
    """The same constraints as a Cedar condition."""
    terms = ["true"]
    if "to" in found:
        terms.append(f'principal == Agency::"{found["to"].value}"')
    if "purpose" in found:
        terms.append(f'context.purpose == "{found["purpose"][0]}"')
    if "classes" in found:
        terms.append(f'context.class == "{found["classes"][0].value}"')
    if "label" in found:
        terms.append(f'context.labels.contains("{found["label"][0]}")')
    return " && ".join(terms)


def test_cedar_agrees() -> None:
    """A permit with denying exceptions permits exactly what Cedar allows with permit and forbid."""
    allowed = 0
    for seed in range(POLICIES):
        rng = Random(seed)
        root = stated(rng)
        denials = [stated(rng) for _ in range(rng.randrange(1, 6))]
        nested = [provision("deny", **one) for one in denials if one]
        tree = read_consent(consent_of(provision("permit", **root) | ({"provision": nested} if nested else {})))
        rules = [f"permit(principal, action, resource) when {{ {condition(root)} }};"]
        rules += [
            f"forbid(principal, action, resource) when {{ {condition({**root, **one})} }};" for one in denials if one
        ]
        requests, mine = [], []
        for _ in range(REQUESTS):
            to, purpose, data_class = rng.choice(SECTORS), rng.choice(PURPOSES), rng.choice(CLASSES)
            labels = [label for label in LABELS if rng.randrange(2)]
            item = Item("x", data_class, frozenset(labels), "Observation")
            ask = Ask(agency(to), agency(Sector.POLICE), purpose, "disclose", AT, "Asia/Ho_Chi_Minh")
            mine.append(judge_tree(tree, ask, item).result is Result.PERMIT)
            requests.append(
                {
                    "principal": f'Agency::"{to.value}"',
                    "action": 'Action::"disclose"',
                    "resource": 'Item::"x"',
                    "context": {"purpose": purpose, "class": data_class.value, "labels": labels},
                }
            )
        theirs = [one.allowed for one in cedarpy.is_authorized_batch(requests, "\n".join(rules), [])]
        assert mine == theirs, rules
        allowed += sum(mine)
    assert 1000 < allowed < POLICIES * REQUESTS - 1000
