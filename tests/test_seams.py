"""The seams that every room builds on: what may be added to, and what may not be renamed or taken away."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from adapters import pack, tree
from consent import model, vocabulary
from hub.states import BLOCKING, NEXT, DeliveryState, may_follow

FIELDS = {
    model.Disclosure: {"sender", "recipient", "person", "case", "event", "purposes", "action", "items", "referral"},
    model.Item: {"place", "data_class", "labels", "type", "codes", "at", "author", "episode"},
    model.Order: {"ref", "number", "body", "issued", "items", "span", "entered_by", "verified_by", "revoked"},
    model.OrderItem: {"data_class", "codes", "episode", "period", "recipient", "officer"},
    model.Facts: {
        "person", "birth_date", "match_certain", "relationships", "suspicions", "no_contacts", "orders", "refusals",
        "team", "treating", "plans", "emergencies", "reports", "referrals", "authorities", "consents", "epoch",
    },
    model.Decision: {
        "outcome", "verdicts", "reasons", "obligations", "residual", "tasks", "alarms", "redirect",
        "policy_version", "read", "input_hash",
    },
    model.Verdict: {"place", "view", "projection", "basis", "reasons"},
    pack.Reading: {"head", "strands", "deviations", "loss"},
    pack.Writing: {"raw", "media_type", "type", "key", "loss"},
    pack.Context: {"at", "agency", "id_key", "dialect", "zone", "header"},
    pack.Loss: {"place", "kind", "why"},
}  # fmt: skip


@pytest.mark.parametrize("value", FIELDS, ids=lambda value: value.__name__)
def test_a_seam_keeps_its_fields(value: type) -> None:
    """A seam may gain fields with defaults; it never loses or renames one."""
    assert FIELDS[value] <= {field.name for field in dataclasses.fields(value)}


@pytest.mark.parametrize("value", FIELDS, ids=lambda value: value.__name__)
def test_a_seam_is_frozen(value: type) -> None:
    """What crosses a seam cannot be changed by whoever receives it."""
    assert value.__dataclass_params__.frozen


def test_the_matrix_has_its_rows_and_columns() -> None:
    """There are seventeen data classes and six sectors."""
    assert (len(vocabulary.DataClass), len(vocabulary.Sector)) == (17, 6)


def test_views_are_ordered() -> None:
    """Full reveals more than summary, summary more than a flag, a flag more than nothing."""
    ranks = [vocabulary.View(view).rank for view in ("none", "flag", "summary", "full")]
    assert ranks == sorted(set(ranks))


def test_a_tree_tells_its_leaves_in_source_order() -> None:
    """Leaves come as they stood; an empty place is not a leaf, a null is one."""
    root = tree.Branch("root")
    root.add("a", "1")
    inner = root.add("b")
    inner.add("c", Decimal("1.50"))
    root.add("d", state=tree.State.EMPTY)
    root.add("e", state=tree.State.NULL)
    assert [leaf.name for leaf in tree.leaves(root)] == ["a", "c", "e"]
    assert isinstance(root, tree.Node)


def test_a_final_state_is_final() -> None:
    """Delivered, withheld, withdrawn, expired and superseded deliveries never move again."""
    final = {state for state, after in NEXT.items() if not after}
    assert final == {
        DeliveryState.DELIVERED,
        DeliveryState.WITHHELD,
        DeliveryState.WITHDRAWN,
        DeliveryState.EXPIRED,
        DeliveryState.SUPERSEDED,
    }
    assert not final & BLOCKING


def test_every_state_has_its_successors_named() -> None:
    """No delivery state is without a rule of what may follow, and nothing returns from withheld."""
    assert set(NEXT) == set(DeliveryState)
    assert not may_follow(DeliveryState.WITHHELD, DeliveryState.PENDING)
