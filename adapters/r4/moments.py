"""Compares FHIR dates of any precision, without guessing what a shorter one leaves open."""

from __future__ import annotations

from datetime import datetime

_LENGTHS = (4, 7, 10)
"""Characters of YYYY, YYYY-MM, YYYY-MM-DD."""


def surely_after(first: object, second: object) -> bool:
    """Whether `first` lies after `second` for certain; False when either is no date or the precision leaves it open."""
    if not isinstance(first, str) or not isinstance(second, str):
        return False
    one, other = _instant(first), _instant(second)
    if one is not None and other is not None:
        return one > other
    shared = max((n for n in _LENGTHS if n <= min(len(first), len(second))), default=0)
    return first[:shared] > second[:shared]


def _instant(text: str) -> datetime | None:
    """Read a date and time with a zone; None for anything else. Second 60 is a leap second."""
    if len(text) <= 10:
        return None
    try:
        found = datetime.fromisoformat(text.replace(":60", ":59", 1) if text[16:19] == ":60" else text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
