"""What the conformance run says of one file, and how it is said in `docs/conformance.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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
    unmapped: Sequence[str] = ()
    """Segments, elements or objects of which nothing is mapped."""
    deviations: Sequence[str] = ()
    failures: Sequence[str] = ()
    strands: int = 1
    """How many children's parts the message was split into."""


@dataclass(frozen=True, slots=True)
class Section:
    """One pack's files."""

    title: str
    claim: str
    results: Sequence[FileResult]
    notes: Sequence[str] = ()

    @property
    def failures(self) -> list[str]:
        """What does not hold, file by file."""
        return [f"{result.file}: {failure}" for result in self.results for failure in result.failures]

    def lines(self) -> list[str]:
        """The section as Markdown."""
        lines = [f"## {self.title}", "", self.claim, ""]
        for note in self.notes:
            lines += [note, ""]
        lines += _table(self.results)
        for result in self.results:
            lines += _details(result)
        return lines

    def summary(self) -> list[str]:
        """One line for each file."""
        return [
            f"{'FAIL' if result.failures else 'ok  '}  {self.title:24} {result.file:40} {result.type:24} "
            + (str(result.fields) if result.outcome == "translated" else result.outcome)
            for result in self.results
        ]


class Told(Protocol):
    """What the page and the run need of a section."""

    @property
    def failures(self) -> list[str]:
        """What does not hold."""

    def lines(self) -> list[str]:
        """The section as Markdown, beginning with its `## ` title."""

    def summary(self) -> list[str]:
        """What the run prints."""


def page(sections: Iterable[Told]) -> str:
    """`docs/conformance.md`."""
    lines = [
        "# Conformance",
        "",
        "Written by `make conformance SAMPLES=DIR`; do not edit. The samples are others' and are not kept here.",
        "",
        "A *field* is a populated field (HL7 v2: each repetition one), element, attribute or cell of a segment,",
        "element, object or record of which something is mapped; it counts as mapped when something of it arrives in",
        "the bundle. *Leaves* are all populated places, whether a row knows what holds them or not. What does not",
        "arrive is listed by place, without the numbers of segments, elements and rows; (n) says how often.",
    ]
    for section in sections:
        lines += ["", *section.lines()]
    return "\n".join(lines) + "\n"


def _table(results: Sequence[FileResult]) -> list[str]:
    rows = ["| file | type | result | fields | all leaves | holds |", "|---|---|---|---|---|---|"]
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
    bundles = "Bundle" if result.strands == 1 else f"{result.strands} bundles"
    lines = ["", f"### {result.file}", "", f"{bundles}: {made}.", ""]
    if result.deviations:
        lines += ["Deviations tolerated: " + "; ".join(result.deviations) + ".", ""]
    if result.unmapped:
        lines += ["Not mapped at all: " + ", ".join(result.unmapped) + ".", ""]
    lines += ["Loss: " + ("; ".join(result.loss) if result.loss else "none") + "."]
    return lines
