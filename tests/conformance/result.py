"""What the conformance run says of one file, and how it is said in `docs/conformance.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    mapped: int = 0
    of: int = 0

    @property
    def percent(self) -> float:
        """0 to 100; 100 of nothing."""
        return 100 * self.mapped / self.of if self.of else 100.0

    def __str__(self) -> str:
        return f"{self.percent:.1f} % ({self.mapped}/{self.of})"


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file: what it says it is, what became of it, and what does not hold (`failures`)."""

    file: str
    type: str
    outcome: str
    """``translated`` or ``refused: <why>``."""
    resources: Counter[str] = field(default_factory=Counter)
    fields: Share = Share()
    leaves: Share = Share()
    loss: Sequence[str] = ()
    segments: Sequence[str] = ()
    """Segments of which nothing is mapped."""
    deviations: Sequence[str] = ()
    failures: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One pack's files."""

    title: str
    claim: str
    results: Sequence[FileResult]

    @property
    def failures(self) -> list[str]:
        """What does not hold, file by file."""
        return [f"{result.file}: {failure}" for result in self.results for failure in result.failures]


def page(sections: Iterable[Section]) -> str:
    """`docs/conformance.md`."""
    lines = [
        "# Conformance",
        "",
        "Written by `make conformance SAMPLES=DIR`; do not edit. The samples are others' and are not kept here.",
        "",
        "A *field* is one repetition of a field of a segment of which something is mapped; it counts as mapped when",
        "something of it arrives in the bundle. *Leaves* are all populated components of all segments, whether a row",
        "knows the segment or not. What does not arrive is listed by place.",
    ]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.claim, "", *_table(section.results)]
        for result in section.results:
            lines += _details(result)
    return "\n".join(lines) + "\n"


def _table(results: Sequence[FileResult]) -> list[str]:
    rows = ["| file | type | result | fields of mapped segments | all leaves | holds |", "|---|---|---|---|---|---|"]
    for result in results:
        translated = result.outcome == "translated"
        shares = (str(result.fields), str(result.leaves)) if translated else ("", "")
        holds = "no: " + "; ".join(result.failures) if result.failures else "yes"
        rows.append(f"| {result.file} | {result.type} | {result.outcome} | {shares[0]} | {shares[1]} | {holds} |")
    return rows


def _details(result: FileResult) -> list[str]:
    if result.outcome != "translated":
        return []
    made = ", ".join(f"{count} {name}" for name, count in sorted(result.resources.items()))
    lines = ["", f"### {result.file}", "", f"Bundle: {made}.", ""]
    if result.deviations:
        lines += ["Deviations tolerated: " + "; ".join(result.deviations) + ".", ""]
    if result.segments:
        lines += ["Segments not mapped: " + ", ".join(result.segments) + ".", ""]
    lines += ["Loss: " + ("; ".join(result.loss) if result.loss else "none") + "."]
    return lines
