"""Dates and times between an agency's patterns and FHIR's, without inventing a time or a zone silently.

A pattern is made of ``yyyy MM dd HH mm ss SSS zzz``, English month names (``MMM`` Jan, ``MMMM`` January) and literals;
``hl7`` (YYYY[MM[DD[HHMM[SS[.S]]]]][+ZZZZ]), ``hl7-day`` (YYYY[MM[DD]], its DT) and ``iso`` are built in. A local time
is one of the context's zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from adapters.errors import BrokenPack

_HL7 = re.compile(
    r"(?P<yyyy>\d{4})(?:(?P<MM>\d{2})(?:(?P<dd>\d{2})"
    r"(?:(?P<HH>\d{2})(?:(?P<mm>\d{2})(?:(?P<ss>\d{2})(?P<SSS>\.\d{1,9})?)?)?)?)?)?"
    r"(?P<zzz>[+-]\d{4})?"
)
_HL7_DAY = re.compile(r"(?P<yyyy>\d{4})(?:(?P<MM>\d{2})(?P<dd>\d{2})?)?")
_ISO = re.compile(
    r"(?P<yyyy>\d{4})(?:-(?P<MM>\d{2})(?:-(?P<dd>\d{2})"
    r"(?:[T ](?P<HH>\d{2}):(?P<mm>\d{2})(?::(?P<ss>\d{2})(?P<SSS>\.\d{1,9})?)?)?)?)?"
    r"(?P<zzz>Z|[+-]\d{2}:?\d{2})?"
)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_SHORT_MONTHS = tuple(month[:3] for month in _MONTHS)
_PARTS = {
    "yyyy": r"\d{4}", "MMMM": f"(?i:{'|'.join(_MONTHS)})", "MMM": f"(?i:{'|'.join(_SHORT_MONTHS)})", "MM": r"\d{1,2}",
    "dd": r"\d{1,2}", "HH": r"\d{1,2}", "mm": r"\d{2}", "ss": r"\d{2}", "SSS": r"\.?\d{1,9}",
    "zzz": r"Z|[+-]\d{2}:?\d{2}",
}  # fmt: skip
_TOKEN = re.compile("yyyy|MMMM|MMM|MM|dd|HH|mm|ss|SSS|zzz")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date or time as far as it was said."""

    year: str = ""
    month: str = ""
    day: str = ""
    hour: str = ""
    minute: str = ""
    second: str = ""
    fraction: str = ""
    """With its point."""
    zone: str = ""
    """``Z`` or ``+07:00``; "" when not said."""


@cache
def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name."""
    return ZoneInfo(name)


@cache
def _pattern(form: str) -> re.Pattern[str]:
    if form == "hl7":
        return _HL7
    if form == "hl7-day":
        return _HL7_DAY
    if form == "iso":
        return _ISO
    out, position, seen = "", 0, set()
    for match in _TOKEN.finditer(form):
        part = match[0].replace("MMMM", "MM").replace("MMM", "MM")
        if part in seen:
            raise BrokenPack(f"date pattern {form}: {match[0]} stands twice")
        seen.add(part)
        out += re.escape(form[position : match.start()]) + f"(?P<{match[0]}>{_PARTS[match[0]]})"
        position = match.end()
    if not seen & {"yyyy", "HH"}:
        raise BrokenPack(f"date pattern {form}: needs yyyy or HH")
    return re.compile(out + re.escape(form[position:]))


def check_format(form: str) -> None:
    """Refuse a pattern that cannot be used, as a :class:`BrokenPack`."""
    _pattern(form)


@lru_cache(maxsize=4096)
def parse(text: str, forms: tuple[str, ...]) -> Moment | None:
    """The moment in the first format that fits and exists in the calendar; None when none does."""
    for form in forms:
        match = _pattern(form).fullmatch(text)
        if match is None:
            continue
        said = {name: value or "" for name, value in match.groupdict().items()}
        moment = Moment(
            said.get("yyyy", ""),
            _month(said),
            said.get("dd", "").rjust(2, "0") if said.get("dd") else "",
            said.get("HH", "").rjust(2, "0") if said.get("HH") else "",
            said.get("mm", ""),
            said.get("ss", ""),
            "." + said["SSS"].lstrip(".") if said.get("SSS") else "",
            _zone(said.get("zzz", "")),
        )
        if _exists(moment):
            return moment
    return None


def _month(said: Mapping[str, str]) -> str:
    """The month's number, also of its name; "" when none is said."""
    if name := said.get("MMMM") or said.get("MMM"):
        return f"{_SHORT_MONTHS.index(name[:3].capitalize()) + 1:02d}"
    return said["MM"].rjust(2, "0") if said.get("MM") else ""


def _zone(text: str) -> str:
    if text in ("", "Z"):
        return text
    digits = text[1:].replace(":", "")
    return f"{text[0]}{digits[:2]}:{digits[2:]}"


def _exists(moment: Moment) -> bool:
    try:
        if moment.year:
            date(int(moment.year), int(moment.month or 1), int(moment.day or 1))
    except ValueError:
        return False
    if moment.hour and (int(moment.hour) > 23 or int(moment.minute or 0) > 59 or int(moment.second or 0) > 59):
        return False
    if moment.zone not in ("", "Z"):
        hours, minutes = int(moment.zone[1:3]), int(moment.zone[4:])
        return minutes < 60 and hours * 60 + minutes <= 14 * 60
    return True


def to_fhir(moment: Moment, kind: str, zone: str) -> str | None:
    """The moment as FHIR's `date`, `dateTime`, `instant` or `time`; None when too little is said for that type."""
    clock = ""
    if moment.hour:
        clock = f"{moment.hour}:{moment.minute or '00'}:{moment.second or '00'}{moment.fraction}"
    if kind == "time":
        return clock or None
    if not moment.year:
        return None
    day = "-".join(part for part in (moment.year, moment.month, moment.day) if part)
    if kind == "date" or (kind == "dateTime" and not clock):
        return day
    if not clock or not moment.day:
        return None
    return f"{day}T{clock}{moment.zone or offset(moment, zone)}"


def offset(moment: Moment, zone: str) -> str:
    """The zone's offset at that local time: ``+07:00``."""
    local = datetime(
        int(moment.year), int(moment.month), int(moment.day), int(moment.hour), int(moment.minute or 0),
        tzinfo=zone_of(zone),
    )  # fmt: skip
    return offset_text(local)


def offset_text(moment: datetime) -> str:
    """``+07:00`` of an aware time."""
    seconds = int((moment.utcoffset() or timedelta()).total_seconds())
    sign = "-" if seconds < 0 else "+"
    return f"{sign}{abs(seconds) // 3600:02d}:{abs(seconds) // 60 % 60:02d}"


@lru_cache(maxsize=4096)
def from_fhir(text: str, form: str) -> str | None:
    """A FHIR date or time in the pattern, as far as the pattern goes; None when the pattern needs what is not said."""
    if re.match(r"\d\d:", text):
        match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(\.\d+)?", text)
        moment = Moment(hour=match[1], minute=match[2], second=match[3], fraction=match[4] or "") if match else None
    else:
        moment = parse(text, ("iso",))
    if moment is None:
        return None
    if form == "hl7":
        zone = "+0000" if moment.zone == "Z" else moment.zone.replace(":", "")
        return "".join(
            (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.fraction, zone)
        )
    if form == "hl7-day":
        return moment.year + moment.month + moment.day
    if form == "iso":
        return text
    month = int(moment.month or 13) - 1
    parts = {
        "yyyy": moment.year, "MMMM": (*_MONTHS, "")[month], "MMM": (*_SHORT_MONTHS, "")[month], "MM": moment.month,
        "dd": moment.day, "HH": moment.hour, "mm": moment.minute, "ss": moment.second,
        "SSS": moment.fraction.lstrip("."), "zzz": moment.zone,
    }  # fmt: skip
    if any(not parts[token] for token in _TOKEN.findall(form) if token not in ("SSS", "zzz")):
        return None
    return _TOKEN.sub(lambda match: parts[match[0]], form)


def back(said: str, form: str, zone: str) -> str | None:
    """A FHIR date or time as it is written in the pattern, local times in `zone`."""
    if form not in ("hl7", "iso") and "zzz" not in form:
        said = shift(said, zone)
    return from_fhir(said, form)


def is_whole(said: str, text: str, form: str, kind: str, zone: str) -> bool:
    """Whether a FHIR date or time of a kind, written as `text` in the pattern, is the same moment when it is read."""
    if form in ("hl7", "iso"):
        return True
    again, _ = understood(text, (form,), kind, zone)
    if again is None or "T" not in again or "T" not in said:
        return again == said
    return datetime.fromisoformat(again) == datetime.fromisoformat(said)


@lru_cache(maxsize=4096)
def understood(value: object, forms: tuple[str, ...], kind: str, zone: str) -> tuple[str | None, bool]:
    """What a source value says as a FHIR type, and whether it would come back as it stood."""
    moment = parse(value.strip() if isinstance(value, str) else str(value), forms)
    said = to_fhir(moment, kind, zone) if moment else None
    return said, said is not None and back(said, forms[0], zone) == value


def shift(text: str, zone: str) -> str:
    """A FHIR dateTime or instant with its time said in `zone`; a date stays as it is."""
    if "T" not in text:
        return text
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    local = moment.astimezone(zone_of(zone))
    fraction = re.search(r"\.\d+", text)
    return local.strftime("%Y-%m-%dT%H:%M:%S") + (fraction[0] if fraction else "") + offset_text(local)


def fhir_moment(at: datetime) -> str:
    """An aware time as a FHIR instant, to the second or as fine as it is."""
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)  # noqa: UP017
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")
