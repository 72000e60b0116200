"""The packs outside the source tree say themselves, in their `conformance.yaml`, which public samples they read.

claim: One sentence.
least: "80"
files: [police/nibrs/a.xml, ...]
broken: {b.xml: why}
notes: [a paragraph, ...]
"""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.conformance.suite import EXTERNAL, Case, Suite


def _suite(path: Path) -> Suite:
    said = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
    pack = path.parent.relative_to(EXTERNAL).as_posix()
    return Suite(
        title=f"{pack} (outside the source tree)",
        pack=pack,
        claim=said["claim"],
        cases=[Case(name.rpartition("/")[2], (name,)) for name in said["files"]],
        least=float(said.get("least", 80)),
        broken=said.get("broken", {}),
        notes=said.get("notes", ()),
    )


SUITES = [_suite(path) for path in sorted(EXTERNAL.glob("*/*/conformance.yaml"))]
