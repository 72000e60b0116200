"""A first look at every invariant, in a second: what breaks the engine mostly breaks here already."""

from __future__ import annotations

from collections import Counter
from functools import cache
from random import Random

import pytest

from tests.consent.bundles import Bundles
from tests.consent.invariants import walk
from tests.consent.invariants_of_release import CHECKS, release_of
from tests.consent.test_exhaustive import ALPHABETS, compare, over
from tests.consent.world import consent_of
from tests.consent.worlds import Pool

SEEDS = {"check_14_what_leaves_is_valid_and_whole": 8}
"""Releases looked at by a check that costs more than the others."""


@cache
def pool() -> Pool:
    """A few parts of worlds."""
    return Pool(100, 16)


@cache
def bundles() -> Bundles:
    """A few bundles, labelled."""
    return Bundles(100, 30)


@pytest.mark.parametrize("start", [100, 200, 300])
def test_the_first_worlds(start: int) -> None:
    """No invariant of decisions fails in a few worlds."""
    failed, _, _ = walk(start, 30, pool())
    assert not failed


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_the_first_trees(alphabet: str) -> None:
    """Every tree of one or two provisions is judged as the plain model judges it."""
    seen: Counter[str | None] = Counter()
    for one in ALPHABETS[alphabet]:
        compare(consent_of(one), ("TREAT", "CAREMGT"), "hub", seen)
        for two in ALPHABETS[alphabet]:
            compare(consent_of(over(one, two)), ("TREAT", "CAREMGT"), "hub", seen)
    assert set(seen) == {"permit", "deny", "unsure", None}


@pytest.mark.parametrize("name", [name for name in CHECKS if not name.startswith("check_13")])
def test_the_first_releases(name: str) -> None:
    """No invariant of releases fails in a few of them."""
    for seed in range(SEEDS.get(name, 40)):
        CHECKS[name](release_of(Random(seed), bundles()))
