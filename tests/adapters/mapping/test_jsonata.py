"""The last resort stays within its limits."""

from __future__ import annotations

import pytest

from adapters.errors import BrokenPack, Unmappable
from adapters.mapping.jsonata import MAX_LENGTH, MAX_STEPS, Expression
from adapters.mapping.rows import Row

ROW = Row(source="maps/x.yaml rows[1]")


def test_an_endless_expression_is_refused() -> None:
    """A function that calls itself for ever ends at the limit, and the value's place is named, never the value."""
    endless = Expression("( $f := function($x){ $f($x & 'a') }; $f($) )", ROW)
    with pytest.raises(Unmappable) as refused:
        endless("CANARY", "PID[1]-5")
    assert refused.value.place == "PID[1]-5"
    assert "CANARY" not in str(refused.value)
    assert "maps/x.yaml rows[1]" in refused.value.why
    assert f"{MAX_STEPS} steps" in refused.value.why


def test_the_limit_that_was_passed_is_named() -> None:
    """Whoever mends the pack reads the file, the row and which limit: steps here, the length of a value there."""
    long = Expression('$join($split($, "").($uppercase($)))', ROW)
    with pytest.raises(Unmappable, match=rf"maps/x.yaml rows\[1\] takes more than {MAX_STEPS} steps"):
        long("a" * 50_000, "PID[1]-5")
    with pytest.raises(Unmappable, match=rf"rows\[1\] .*{MAX_LENGTH} characters"):
        long("a" * (MAX_LENGTH + 1), "PID[1]-5")


@pytest.mark.parametrize("text", ["$replace($, /(a+)+$/, 'x')", "$sum([1..9999999])", "$pad($, 99999999)", "$now()"])
def test_what_no_limit_reaches_does_not_load(text: str) -> None:
    """Repeated groups, ranges and padding run outside the interpreter's steps: a pack with one does not load."""
    with pytest.raises(BrokenPack):
        Expression(text, ROW)


def test_the_limit_is_one_of_steps() -> None:
    """The same value gets the same answer on a busy machine as on an idle one: what is counted is steps."""
    short = Expression('$join($split($, "").($uppercase($)))', ROW)
    assert short("a" * 1000, "PID[1]-5") == "A" * 1000
    with pytest.raises(Unmappable):
        short("a" * 20_000, "PID[1]-5")
