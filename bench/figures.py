"""What a run found: one value a round, so that a median and a spread can be told of each figure and of each ratio."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


class Unmeasurable(Exception):
    """Something could not be measured; the text says why, without paths or addresses of this machine."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of the rounds."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(slots=True)
class Figure:
    """One thing measured: pieces of work in seconds of the clock and in seconds of processor time, round by round."""

    key: str
    what: str
    rates: list[float] = field(default_factory=list)
    """Pieces a second, one value a round."""
    costs: list[float] = field(default_factory=list)
    """Processor seconds a piece, of the process under test and what it started; one value a round."""
    delays: list[float] = field(default_factory=list)
    """Median seconds from the request to its answer; one value a round. Empty where nothing is asked over a socket."""
    count: int = 0
    """Pieces of work in all rounds."""
    missing: str = ""
    """Why it could not be measured; "" when it was."""
    served: bool = False
    """Whether it was asked over a socket."""


def ratio(ours: list[float], theirs: list[float]) -> Spread | None:
    """`ours` to `theirs`, round by round: the two of a round were measured moments apart. None without both."""
    pairs = [mine / other for mine, other in zip(ours, theirs, strict=False) if other]
    return Spread.of(pairs) if pairs else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the table of ratios."""

    what: str
    ours: str
    theirs: str
    """Keys of two figures."""
    goal: float = 0.0
    """The least ratio that the design asks for; 0 = nothing is asked."""


@dataclass(slots=True)
class Memory:
    """Resident memory of one serving process."""

    who: str
    ready_mib: float
    after_mib: float
    peak_mib: float
