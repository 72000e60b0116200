"""What R4 says of the text of each primitive, and what may be said when a value breaks it.

No answer repeats the value: it may be a name, a number or a diagnosis.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from html.entities import name2codepoint
from math import isfinite
from typing import Final
from xml.parsers import expat

LONGEST_STRING: Final = 1_048_576
"""Characters; R4 allows no more (1 MB)."""

_YEAR = r"(?!0000)[0-9]{4}"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

_DATE_RE = re.compile(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?")
_DATETIME_RE = re.compile(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_TIME}{_ZONE})?)?)?")
_INSTANT_RE = re.compile(rf"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}")
_TIME_RE = re.compile(_TIME)
_ID_RE = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CODE_RE = re.compile(r"\S+(?:\s\S+)*")
_OID_RE = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
_UUID_RE = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_URI_RE = re.compile(r"\S+")
_BASE64_RE = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_BLANK_RE = re.compile(r"\s+")
# Control characters and lone surrogates cannot be written as XML or UTF-8.
_UNWRITABLE_RE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")

Check = Callable[[object], str]
"""Says what is wrong and what to do; "" when nothing is."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        return "must be a JSON string"
    if not value:
        return "is empty; leave the element out"
    if len(value) > LONGEST_STRING:
        return "is longer than the 1,048,576 characters that R4 allows; attach it instead"
    if _UNWRITABLE_RE.search(value):
        return "holds control characters or broken Unicode; remove them"
    return ""


def _pattern(pattern: re.Pattern[str], say: str) -> Check:
    def check(value: object) -> str:
        wrong = _text(value)
        if wrong or (isinstance(value, str) and pattern.fullmatch(value)):
            return wrong
        return say

    return check


def _calendar(pattern: re.Pattern[str], say: str) -> Check:
    shape = _pattern(pattern, say)

    def check(value: object) -> str:
        wrong = shape(value)
        if wrong or not isinstance(value, str) or len(value) < 10:
            return wrong
        days = monthrange(int(value[:4]), int(value[5:7]))[1]
        return "" if int(value[8:10]) <= days else "is a day that the calendar does not have; correct it"

    return check


def _boolean(value: object) -> str:
    return "" if isinstance(value, bool) else "must be JSON true or false, without quotes"


def _whole(low: int, say: str) -> Check:
    def check(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a JSON number, {say}, without quotes or decimals"
        return "" if low <= value <= 2_147_483_647 else f"must be {say} of at most 31 bits"

    return check


def _decimal(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return "must be a JSON number, without quotes"
    finite = value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or isfinite(value)
    return "" if finite else "must be a finite number"


def _base64(value: object) -> str:
    wrong = _text(value)
    # An attachment may be larger than a string.
    if not isinstance(value, str) or (wrong and len(value) <= LONGEST_STRING):
        return wrong
    packed = _BLANK_RE.sub("", value)
    return "" if packed and len(packed) % 4 == 0 and _BASE64_RE.fullmatch(packed) else "must be base64"


def _uri(value: object) -> str:
    wrong = _text(value)
    if wrong or not isinstance(value, str):
        return wrong
    if not _URI_RE.fullmatch(value):
        return "must be a URI without blanks"
    if value.startswith("urn:uuid:") and not _UUID_RE.fullmatch(value.lower()):
        return "must have a UUID after urn:uuid:"
    if value.startswith("urn:oid:") and not _OID_RE.fullmatch(value):
        return "must have an OID after urn:oid:"
    return ""


XHTML: Final = "http://www.w3.org/1999/xhtml"
# Elements that invariant txt-1 allows in a narrative.
_FORMATTING: Final = """
a abbr acronym address b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i
img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var
"""
_NARRATIVE: Final = frozenset(_FORMATTING.split())


class _BadNarrativeError(Exception):
    """The narrative breaks txt-1."""


def _narrative(value: object) -> str:
    wrong = _text(value)
    if wrong or not isinstance(value, str):
        return wrong
    names: list[str] = []
    words: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.UseForeignDTD(True)  # named entities such as &nbsp; are skipped instead of refused

    def start(name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        names.append(local)
        active = any(key.lower().startswith("on") for key in attributes)
        if space != XHTML or local not in _NARRATIVE or active:
            raise _BadNarrativeError

    def refuse(*_: object) -> None:
        raise _BadNarrativeError

    def skipped(name: str, _is_parameter: bool) -> None:
        if name not in name2codepoint:
            raise _BadNarrativeError
        words.append(name)

    parser.StartElementHandler = start
    parser.CharacterDataHandler = words.append
    parser.StartDoctypeDeclHandler = refuse
    parser.ProcessingInstructionHandler = refuse
    parser.SkippedEntityHandler = skipped
    try:
        parser.Parse(value.encode(), True)
    except (expat.ExpatError, _BadNarrativeError):
        return "must be well-formed XHTML of basic formatting only, in one div of the XHTML namespace"
    if names[0] != "div":
        return "must be one div"
    return "" if "img" in names or "".join(words).strip() else "says nothing; leave the narrative out"


CHECKS: Final[dict[str, Check]] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _uri,
    "code": _pattern(_CODE_RE, "must be a code: no blanks at either end, no two blanks in a row"),
    "date": _calendar(_DATE_RE, "must be a date: YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": _calendar(
        _DATETIME_RE, "must be YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone (+07:00)"
    ),
    "decimal": _decimal,
    "id": _pattern(_ID_RE, "must be 1 to 64 letters, digits, hyphens or dots"),
    "instant": _calendar(_INSTANT_RE, "must be YYYY-MM-DDThh:mm:ss with a zone (+07:00)"),
    "integer": _whole(-2_147_483_648, "a whole number"),
    "markdown": _text,
    "oid": _pattern(_OID_RE, "must be an OID: urn:oid:1.2.3"),
    "positiveInt": _whole(1, "a whole number from 1"),
    "string": _text,
    "time": _pattern(_TIME_RE, "must be a time of day: hh:mm:ss, without a zone"),
    "unsignedInt": _whole(0, "a whole number from 0"),
    "uri": _uri,
    "url": _uri,
    "uuid": _pattern(_UUID_RE, "must be urn:uuid: and a UUID in lower case"),
    "xhtml": _narrative,
}


def problem(type_name: str, value: object) -> str:
    """Say what is wrong with a primitive of `type_name` as parsed from JSON; "" when nothing is."""
    return CHECKS[type_name](value)
