"""Every tree of up to three provisions over a small alphabet, in every shape, against the plain model: nothing sampled.

A provision says permit, deny or nothing; names one of two purposes or none; and names a class, a label or neither. R4
trees have one root; R5 trees a base decision and a forest of exceptions. Each is asked about for two purposes (or one
and none) and every kind of item that can tell provisions of the alphabet apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from consent.fhir import read_consent
from consent.model import Item
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DataClass, Sector
from tests.consent import reference
from tests.consent.world import AT, agency, consent_of, provision

TYPES = ("permit", "deny", "")
PURPOSES = ("", "TREAT", "CAREMGT")
CONTENTS: tuple[dict[str, Any], ...] = ({}, {"classes": [DataClass.REFERRAL]}, {"label": ["HIV"]})
ITEMS = (
    Item("x", DataClass.REFERRAL, frozenset(), "ServiceRequest"),
    Item("x", DataClass.REFERRAL, frozenset({"HIV"}), "ServiceRequest"),
    Item("x", DataClass.ATTENDANCE, frozenset({"HIV"}), "Observation"),
    Item("x", DataClass.ATTENDANCE, frozenset(), "Observation"),
)
WORDS = {
    Result.PERMIT: "permit", Result.DENY: "deny", Result.INDETERMINATE: "unsure", Result.NOT_APPLICABLE: None,
}  # fmt: skip
RECIPIENT, SENDER = agency(Sector.SOCIAL), agency(Sector.HEALTH)


def alphabet(purposes: tuple[str, ...], contents: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Every provision without children."""
    return [
        provision(kind or None, **({"purpose": [purpose]} if purpose else {}), **content)
        for kind, purpose, content in product(TYPES, purposes, contents)
    ]


def over(parent: dict[str, Any], *children: dict[str, Any]) -> dict[str, Any]:
    return {**parent, "provision": list(children)}


def trees(letters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """R4: one provision, a chain of two or three, or one with two exceptions."""
    for one in letters:
        yield one
        for two in letters:
            yield over(one, two)
            for three in letters:
                yield over(one, over(two, three))
                yield over(one, two, three)


def forests(letters: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """R5: up to three exceptions to a base decision, beside or below one another."""
    for tree in trees(letters):
        yield [tree]
    for one, two in product(letters, letters):
        yield [one, two]
        for three in letters:
            yield [one, two, three]
            yield [one, over(two, three)]
            yield [over(one, three), two]


def compare(resource: dict[str, Any], purposes: tuple[str, ...], profile: str, seen: Counter[str | None]) -> None:
    """Engine and model say the same of every item for every purpose, in word and in whether a denial was stated."""
    tree = read_consent(resource)
    for purpose in purposes:
        ask = Ask(RECIPIENT, SENDER, purpose, "disclose", AT, "Asia/Ho_Chi_Minh", profile=profile)
        for item in ITEMS:
            answer = judge_tree(tree, ask, item)
            plain = reference.tree(resource, ASKED, item, purpose, profile)
            word = plain[0] if plain else None
            seen[word] += 1
            assert WORDS[answer.result] == word, (resource["provision"], purpose, item, profile)
            if plain and word == "deny":
                assert answer.explicit == plain[1], (resource["provision"], purpose, item, profile)
            elif plain and word == "unsure":
                assert answer.may_deny == plain[1], (resource["provision"], purpose, item, profile)


class ASKED:
    """What the model reads of a disclosure when it judges a tree."""

    recipient = RECIPIENT


ALPHABETS = {
    "one purpose, class or label": alphabet(PURPOSES[:2], CONTENTS),
    "two purposes, label": alphabet(PURPOSES, CONTENTS[::2]),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("letters", "profile"),
    [("one purpose, class or label", "hub"), *(("two purposes, label", p) for p in ("hub", "pcf"))],
)
def test_every_r4_tree_of_three_provisions(letters: str, profile: str) -> None:
    """All 12,006 trees over 18 provisions, by 8 requests each: engine and model agree, and every answer occurs."""
    seen: Counter[str | None] = Counter()
    every = list(trees(ALPHABETS[letters]))
    for root in every:
        compare(consent_of(root), ("TREAT", "CAREMGT"), profile, seen)
    assert len(every) == 12_006 == 18 + 18**2 + 2 * 18**3
    assert set(seen) == {"permit", "deny", "unsure", None}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("decision", ["permit", "deny"])
def test_every_r5_forest_of_three_exceptions(decision: str) -> None:
    """All 8,940 forests over 12 provisions under each base decision, purpose stated or not: engine and model agree."""
    seen: Counter[str | None] = Counter()
    every = list(forests(alphabet(PURPOSES[:2], CONTENTS[::2])))
    for forest in every:
        compare({**consent_of({}), "decision": decision, "provision": forest}, ("TREAT", ""), "hub", seen)
    assert len(every) == 8_940 == 12 + 2 * 12**2 + 5 * 12**3
    assert set(seen) == {"permit", "deny", "unsure"}
