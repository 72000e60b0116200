"""`python -m tests.conformance.run SAMPLES`: translate the public samples and write `docs/conformance.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from adapters.library import load_packs
from tests.conformance import hl7v2
from tests.conformance.result import page

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def main(arguments: list[str]) -> int:
    """Run every suite; 0 when all claims hold, 1 when one does not, 2 for wrong usage."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.conformance.run SAMPLES (the folder of the public samples)", file=sys.stderr)
        return 2
    samples = Path(arguments[0])
    packs = load_packs()
    sections = [hl7v2.section(samples, packs["health/hl7v2"])]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(sections), "utf-8")
    for section in sections:
        for result in section.results:
            shares = f"  {result.fields}" if result.outcome == "translated" else ""
            print(f"{'FAIL' if result.failures else 'ok  '}  {result.file:40} {result.type:8} {result.outcome}{shares}")
    failures = [failure for section in sections for failure in section.failures]
    for failure in failures:
        print(f"does not hold: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
