"""Times as FHIR writes them: partial precision is a half-open interval, and a birthday falls in a zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from consent.errors import UnreadableInput

_FHIR: Final = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?\Z"
)


@lru_cache(maxsize=32)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone called `name`; raises :class:`UnreadableInput` for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise UnreadableInput("zone: not an IANA time zone") from None


def interval(text: object, zone: str) -> tuple[datetime, datetime] | None:
    """The half-open interval that a FHIR date or dateTime names, in `zone` where it states none; None if it is none."""
    return _interval(text, zone) if isinstance(text, str) else None


@lru_cache(maxsize=4096)
def _interval(text: str, zone: str) -> tuple[datetime, datetime] | None:
    found = _FHIR.match(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if hour is not None:
            micro = int(f"{fraction or '.0'}000000"[1:7])
            naive = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micro)
            width = timedelta(microseconds=1) if fraction else timedelta(seconds=1)
            start = _aware(naive, offset, zone)
            return start, start + width
        first = date(int(year), int(month or 1), int(day or 1))
        if day:
            after = first + timedelta(days=1)
        elif month:
            after = (first + timedelta(days=31)).replace(day=1)
        else:
            after = date(first.year + 1, 1, 1)
    except (ValueError, OverflowError):
        return None
    here = zone_of(zone)
    return datetime.combine(first, time(), here), datetime.combine(after, time(), here)


def _aware(naive: datetime, offset: str | None, zone: str) -> datetime:
    if offset is None:
        return naive.replace(tzinfo=zone_of(zone))
    if offset == "Z":
        return naive.replace(tzinfo=UTC)
    return datetime.fromisoformat(naive.isoformat() + offset)


def day_in(at: datetime, zone: str) -> date:
    """The day that `at` falls on in `zone`."""
    return at.astimezone(zone_of(zone)).date()


def age_at(birth: date | None, at: datetime, zone: str) -> int | None:
    """Full years at `at`, birthdays beginning at midnight in `zone`; None when unknown or not yet born.

    A child born on 29 February completes a year at the end of 28 February: the birthday is 1 March in a common year.
    """
    if birth is None:
        return None
    today = day_in(at, zone)
    years = today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
    return years if years >= 0 else None


def months_after(start: datetime, months: int) -> datetime:
    """The same moment `months` later; the last day of the month where the day does not exist."""
    index = start.month - 1 + months
    year, month = start.year + index // 12, index % 12 + 1
    for day in range(start.day, start.day - 4, -1):
        try:
            return start.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    raise ValueError("no such month")
