"""`python -m tests.conformance.run SAMPLES [TITLE...]`: translate the public samples and write `docs/conformance.md`.

Every module beside this one that names `SUITES` (or `MORE`, title -> maker, for what is no suite) has its sections on
the page, in the order of their titles. With titles named only those are run, and the page is left as it is.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import tests.conformance
from tests.conformance.result import Told, page
from tests.conformance.suite import REPOSITORY, Suite, run

PAGE = REPOSITORY / "docs" / "conformance.md"


def modules() -> Iterator[ModuleType]:
    """The formats' modules, by name."""
    for info in pkgutil.iter_modules(tests.conformance.__path__):
        if not info.name.startswith("test_"):
            yield importlib.import_module(f"tests.conformance.{info.name}")


def found_suites() -> list[Suite]:
    """Every format's suites."""
    return [suite for module in modules() for suite in getattr(module, "SUITES", ())]


def sections(samples: Path, wanted: tuple[str, ...] = ()) -> list[Told]:
    """The sections whose title is wanted (all, when none is named), in the order of their titles."""
    makers: dict[str, Callable[[Path], Told]] = {one.title: partial(run, one) for one in found_suites()}
    for module in modules():
        makers |= getattr(module, "MORE", {})
    return [make(samples) for title, make in sorted(makers.items()) if not wanted or title in wanted]


def main(arguments: list[str]) -> int:
    """Run the suites; 0 when all claims hold, 1 when one does not, 2 for wrong usage."""
    if not arguments or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.conformance.run SAMPLES [TITLE...] (SAMPLES: the folder of the public samples)",
              file=sys.stderr)  # fmt: skip
        return 2
    wanted = tuple(arguments[1:])
    found = sections(Path(arguments[0]), wanted)
    if not wanted:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(found), "utf-8")
    for section in found:
        print("\n".join(section.summary()))
    failures = [failure for section in found for failure in section.failures]
    if not found:
        print("no section has such a title", file=sys.stderr)
    for failure in failures:
        print(f"does not hold: {failure}", file=sys.stderr)
    return 1 if failures or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
