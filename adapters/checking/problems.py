"""What is wrong with a pack: a problem of its data, a breach of its law."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a pack's data."""

    file: str
    row: str
    """``rows[3].rows[1] (at: PID-8, to: gender)``, ``line 4``; "" when it is the whole file."""
    severity: Severity
    what: str

    def __str__(self) -> str:
        """`file: row: severity: what`, as the command says it."""
        return ": ".join(part for part in (self.file, self.row, self.severity, self.what) if part)


@dataclass(frozen=True, slots=True)
class Breach:
    """One way in which a pack breaks the law; holds no value of any message."""

    part: int
    """1 codec, 2 source, 3 stability, 4 residual, 5 valid R4 as the canonical page has it, 6 across formats."""
    place: str
    why: str
    message: int = -1
    """Which of the messages, from 0; -1 when it is none of them."""
    rows: tuple[str, ...] = ()
    """The rows that are to be mended (file and place in it), where that is known."""


def at_source(source: str, severity: Severity, what: str) -> Problem:
    """A problem of a row, whose source says the file and the way in it."""
    file, _, row = source.partition(" ")
    return Problem(file, row, severity, what)


def broken(message: str) -> Problem:
    """What a :class:`adapters.errors.BrokenPack` says, with its file and row told apart."""
    found = re.match(
        r"((?:maps|codes|schemas|samples|adapters)/\S+?|manifest\.yaml)([ /][^:]*(?:\([^)]*\))?)?: (.*)", message, re.S
    )
    rows = re.match(r"(maps/\S+) ((?:shape \S+ ?)?(?:rows|\[)[^(]*\([^)]*\)): (.*)", message, re.S)
    if rows:
        return Problem(rows[1], rows[2], "error", rows[3])
    if found:
        return Problem(found[1], (found[2] or "").strip(), "error", found[3])
    return Problem("manifest.yaml", "", "error", message)
