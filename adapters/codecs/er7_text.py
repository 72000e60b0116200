"""Free text of ER7 without the commands for showing it, such as those that highlight it."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from adapters.codecs.er7_tree import Separators

_MOST: Final = 100
"""Most lines or blanks that one command makes."""


def without_formatting(raw: str, marks: Separators) -> str:
    """The raw text without highlighting and indents, with skipped lines and blanks as such; all else as it stood."""
    return _commands(marks.escape).sub(lambda found: _said(found, marks), raw) if marks.escape in raw else raw


def _said(found: re.Match[str], marks: Separators) -> str:
    lines, blanks = found["lines"], found["blanks"]
    if lines is not None:
        return f"{marks.escape}.br{marks.escape}" * min(int(lines or "1"), _MOST)
    return " " * min(int(blanks or "1"), _MOST) if blanks is not None else found["kept"] or ""


@cache
def _commands(escape: str) -> re.Pattern[str]:
    """Each escape sequence, so that the end of one is never taken for the beginning of another."""
    mark = re.escape(escape)
    formatting = (
        r"[HN]|\.fi|\.nf|\.(?:in|ti)[+-]?[0-9]*|\.(?:sp|ce)\+?(?P<lines>[0-9]{0,3})|\.sk\+?(?P<blanks>[0-9]{0,3})"
    )
    return re.compile(f"{mark}(?:{formatting}){mark}|(?P<kept>{mark}[^{mark}]*{mark})")
