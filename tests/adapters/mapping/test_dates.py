"""Dates in an agency's own pattern, read into FHIR's and written back."""

from __future__ import annotations

import pytest

from adapters.errors import BrokenPack
from adapters.mapping import dates

ZONE = "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    ("said", "form", "means", "back"),
    [
        ("14-Jan-2014", "dd-MMM-yyyy", "2014-01-14", True),
        ("Jan 14, 2014", "MMM dd, yyyy", "2014-01-14", True),
        ("14 DEC 2014", "dd MMM yyyy", "2014-12-14", False),
        ("May 5, 2014", "MMMM dd, yyyy", "2014-05-05", False),
        ("September 15, 2014", "MMMM dd, yyyy", "2014-09-15", True),
        ("15 tháng 03 năm 2014", "dd tháng MM năm yyyy", "2014-03-15", True),
    ],
)
def test_months_have_names_too(said: str, form: str, means: str, back: bool) -> None:
    """Whatever the letters' case; what would be written otherwise than it stood is told."""
    assert dates.understood(said, (form,), "date", ZONE) == (means, back)


@pytest.mark.parametrize(("said", "form"), [("14-Foo-2014", "dd-MMM-yyyy"), ("31-Feb-2014", "dd-MMM-yyyy")])
def test_what_is_no_month_or_no_day_is_no_date(said: str, form: str) -> None:
    """Nothing is guessed."""
    assert dates.parse(said, (form,)) is None


def test_a_month_stands_once() -> None:
    """By name or by number, not both."""
    with pytest.raises(BrokenPack, match="stands twice"):
        dates.check_format("MMM MM yyyy")
