"""The examples of the court filing standard, ECF 5.0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from xmlschema import XMLSchema

from adapters.errors import Unwritable
from tests.adapters.packs import CONTEXT, pack, said_as_read, sample
from tests.adapters.packs import samples as own_samples
from tests.conformance.suite import Case, Suite

SPACE = "https://docs.oasis-open.org/legalxml-courtfiling/ns/v5.0/"
FOLDER = "court/ecf5/examples"

FILES = (
    "caserequest.xml",
    "caseresponse.xml",
    "civil.xml",
    "docketcallback.xml",
    "domestic.xml",
    "filingstatusrequest.xml",
    "filingstatusresponse.xml",
    "juvenile.xml",
    "messagestatus.xml",
    "new-civil-filing.xml",
    "reviewfilingcallback.xml",
    "scheduleresponse.xml",
)

SUITES = [
    Suite(
        title="court/ecf",
        pack="court/ecf",
        claim="All twelve examples of ECF 5.0 translate to a valid bundle with at least 80 % of the populated fields "
        "of mapped elements; none is broken.",
        cases=[Case(name, (f"{FOLDER}/{name}",)) for name in FILES],
    )
]


@dataclass(frozen=True, slots=True)
class Schemas:
    """What our own messages are by the standard's schemas."""

    title: str
    verdicts: Sequence[tuple[str, str, Sequence[str]]]
    """(sample, message said of it, what breaks the schema)."""

    @property
    def failures(self) -> list[str]:
        """Each break, sample by sample."""
        return [f"{name}: {why}" for name, _, broken in self.verdicts for why in broken]

    def lines(self) -> list[str]:
        """The section of the page."""
        said = [f"| {name} | {type_} | {'; '.join(broken) or 'valid'} |" for name, type_, broken in self.verdicts]
        claim = "What the pack says of its own samples is valid by the schemas of ECF 5.0 themselves."
        return [f"## {self.title}", "", claim, "", "| sample | said as | by ECF 5.0 |", "|---|---|---|", *said]

    def summary(self) -> list[str]:
        """A line for each message."""
        return [f"{'FAIL' if b else 'ok  '}  {self.title:24} {name:40} {type_}" for name, type_, b in self.verdicts]


def schemas(samples: Path) -> Schemas:
    """Every sample that the pack can say again, said and judged by the schemas among the public samples."""
    court, judge = pack("court/ecf"), standard(samples / "court" / "ecf5" / "schema")
    verdicts = []
    for name in own_samples("court/ecf"):
        reading = court.read(sample("court/ecf", name), CONTEXT)
        for strand in reading.strands:
            try:
                written = court.write(strand.bundle, said_as_read(strand, reading.head.fields))
            except Unwritable:
                continue
            broken = [str(error.reason) for error in judge.iter_errors(BytesIO(written.raw))]
            verdicts.append((name, written.type, broken))
    return Schemas("court/ecf by its standard", verdicts)


def standard(folder: Path) -> XMLSchema:
    """ECF 5.0's schemas of the messages that we say; seconds to compile."""
    names = ("filing", "reviewfilingcallback", "docketcallback", "cancel")
    where = {name: (folder / f"{name}.xsd").resolve().as_uri() for name in names}
    imports = "".join(f'<xs:import namespace="{SPACE}{name}" schemaLocation="{at}"/>' for name, at in where.items())
    return XMLSchema(f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>', allow="all")


MORE = {"court/ecf by its standard": schemas}
