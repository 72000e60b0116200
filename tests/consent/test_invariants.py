"""Every invariant that a decision alone shows: in worlds of a plain seeded generator, and in Hypothesis's."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.vocabulary import Basis
from tests.consent import reference
from tests.consent.invariants import CHECKS, SHARE, case_of, walk
from tests.consent.worlds import Pool

CASES, SHARDS = 20_000, 8
"""Plain worlds for each invariant, and the parts that they are walked in; `make campaign-consent` walks ten times as
many."""
EXAMPLES, LOTS = 500, 3
"""Worlds that Hypothesis makes for each invariant; a third of the invariants look at the same ones, as making a world
costs more than a check."""


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.timeout(300)
def test_every_invariant_holds_in_plain_worlds(shard: int) -> None:
    """No invariant fails in any of the seeded worlds, every premise holds often enough, and every basis occurs."""
    count = CASES // SHARDS
    failed, met, seen = walk(shard * count, count)
    assert not failed
    assert {name: met[name] for name in CHECKS if met[name] < SHARE * count} == {}
    assert {basis.value for basis in Basis} <= set(seen)


@cache
def pool() -> Pool:
    """The parts of Hypothesis's worlds."""
    return Pool(-1)


@pytest.mark.parametrize("lot", range(LOTS))
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(rng=st.randoms(use_true_random=False))
def test_every_invariant_holds_in_hypothesis_worlds(lot: int, rng: Random) -> None:
    """Hypothesis searches worlds for one that breaks an invariant, and shrinks it."""
    case = case_of(rng, pool())
    for name in list(CHECKS)[lot::LOTS]:
        CHECKS[name](case)


def test_the_reference_model_is_short_and_on_its_own() -> None:
    """It is plain because it is short: at most 200 lines (blank ones and comments apart), of nothing but itself."""
    text = Path(reference.__file__).read_text("utf-8")
    lines = [line.strip() for line in text.splitlines()]
    assert sum(1 for line in lines if line and not line.startswith("#")) <= 200
    assert "fmt: off" not in text
    assert max(map(len, text.splitlines())) <= 120
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    own = {name for name in imported if str(name).split(".")[0] in ("consent", "adapters", "hub", "tests")}
    assert own <= {"consent.vocabulary", "consent.model"}
