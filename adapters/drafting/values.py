"""What the values of a place look like: dates and their formats, flags, codes, personal numbers, phones, names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters.drafting.vocabulary import vocabulary
from adapters.drafting.words import fold
from adapters.mapping import dates

DATE_FORMS = (
    "iso", "yyyyMMdd", "yyyyMMddHHmm", "yyyyMMddHHmmss", "dd/MM/yyyy", "dd/MM/yyyy HH:mm", "dd/MM/yyyy HH:mm:ss",
    "dd-MM-yyyy", "dd.MM.yyyy", "yyyy/MM/dd", "yyyy/MM/dd HH:mm", "HH:mm dd/MM/yyyy", "MM/dd/yyyy", "MM/dd/yyyy HH:mm",
    "dd-MMM-yyyy", "dd MMM yyyy", "dd/MMM/yyyy", "MMM dd, yyyy", "MMM dd yyyy", "dd MMMM yyyy", "MMMM dd, yyyy",
    "dd tháng MM năm yyyy", "ngày dd tháng MM năm yyyy",
)  # fmt: skip
_SHORT_YEAR = re.compile(r"\d{1,2}([-/. ])(\d{1,2}|[A-Za-z]{3,9})\1\d{2}")
_BARE_YEAR = re.compile(r"\d{4}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"(\+?84|0)[\d .()-]{8,13}|\+?[\d .()-]{8,16}")
_PERSONAL = re.compile(r"\d{12}")
_CARD = re.compile(r"[A-Z]{2}\d{13}")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_CODE = re.compile(r"[\w./#:+-]{1,24}")
_FLAGS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"1", "0"}, {"co", "khong"}, {"có", "không"}, {"x", ""})
_MOST_CODES = 40


@dataclass(frozen=True, slots=True)
class Look:
    """What the distinct values of a place have in common."""

    kind: str
    """``none``, ``date``, ``short-year``, ``flag``, ``ni``, ``card``, ``email``, ``phone``, ``number``, ``name``,
    ``code``, ``text``"""
    forms: tuple[str, ...] = ()
    """Date formats, in the order in which they are tried."""
    sure: float = 1.0
    """Less when the values also look like something else."""


def look(values: Sequence[str], count: int = 0, codes: frozenset[str] = frozenset()) -> Look:
    """What the values look like; `count` is how often the place stood, `codes` what a schema allows there."""
    said = [value for value in values if value]
    if codes and all(value in codes for value in said):
        return Look("flag" if _is_flag(sorted(codes)) else "code")
    if not said:
        return Look("none")
    forms = date_forms(said)
    if forms and not all(_BARE_YEAR.fullmatch(value) for value in said):
        return Look("date", forms, 0.7 if _ambiguous(said, forms) else 1.0)
    for kind, pattern in (("ni", _PERSONAL), ("card", _CARD), ("email", _EMAIL), ("short-year", _SHORT_YEAR)):
        if all(pattern.fullmatch(value) for value in said):
            return Look(kind)
    if _is_flag(said):
        return Look("flag", sure=0.6 if {"0", "1"} >= set(said) else 1.0)
    if all(_PHONE.fullmatch(value) and sum(char.isdigit() for char in value) >= 9 for value in said):
        return Look("phone", sure=0.6)
    if all(_NUMBER.fullmatch(value) for value in said):
        return Look("number")
    if all(vietnamese_name(value) for value in said):
        return Look("name")
    if all(_CODE.fullmatch(value) for value in said) and len(said) <= _MOST_CODES:
        repeated = count >= 2 * len(said) > 1
        return Look("code", sure=0.9 if repeated else 0.5)
    return Look("text")


def date_forms(values: Sequence[str]) -> tuple[str, ...]:
    """The formats that read every value: one, or a few of which each reads some; () when they are no dates."""
    for form in DATE_FORMS:
        if all(_is_date(value, form) for value in values):
            return (form,)
    used: list[str] = []
    for value in values:
        form = next((form for form in DATE_FORMS if _is_date(value, form)), "")
        if not form:
            return ()
        if form not in used:
            used.append(form)
    return tuple(used) if len(used) <= 3 else ()


def _is_date(value: str, form: str) -> bool:
    """Whether a value is a date in a format; one of digits alone has them all."""
    return (not form.isalpha() or form == "iso" or len(value) == len(form)) and dates.parse(value, (form,)) is not None


def _ambiguous(values: Sequence[str], forms: tuple[str, ...]) -> bool:
    """Whether day and month could be the other way round."""
    turned = {"dd/MM/yyyy": "MM/dd/yyyy", "dd/MM/yyyy HH:mm": "MM/dd/yyyy HH:mm"}
    return any(form in turned and all(dates.parse(v, (turned[form],)) for v in values) for form in forms)


def _is_flag(values: Sequence[str]) -> bool:
    folded = {value.lower() for value in values}
    if folded == {"1"} or folded == {"0"} or folded == {"x"}:
        return False
    return any(folded <= flag for flag in _FLAGS) or folded <= {"true", "false", "1", "0"}


def vietnamese_name(text: str) -> bool:
    """Whether a text looks like a Vietnamese name: a known family name, with its tone marks or without, and two to five
    words with capitals; perhaps with a comma behind the family name."""
    words = text.replace(",", " ").split()
    known = vocabulary().family_names
    return (
        2 <= len(words) <= 5
        and (words[0].lower() in known or fold(words[0]).lower() in {fold(name) for name in known})
        and all(word[0].isupper() for word in words)
        and (text.count(",") == 0 or family_first(text))
    )


def family_first(text: str) -> bool:
    """Whether a name says its family name before a comma: ``NGUYEN, THI HOA``."""
    family, comma, given = text.partition(",")
    return bool(comma and family.strip() and given.strip()) and "," not in given


def plain(value: object) -> str:
    """A leaf's value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | Decimal) else ""
