"""The packs that ship, built in or beside the source, have no error at rest.

One is left to `make check`: health/hl7v2, whose 28 types take a minute to compile both ways.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.checking.static import check_static, errors_of
from adapters.library import BUILT_IN, find_manifests, read_folder

EXAMPLES = Path(__file__).parents[3] / "examples" / "packs"
FOLDERS = {f"{path.parent.parent.name}/{path.parent.name}": path.parent for path in find_manifests(BUILT_IN, EXAMPLES)}


@pytest.mark.parametrize("name", sorted(FOLDERS.keys() - {"health/hl7v2"}))
def test_a_pack_that_ships_has_no_error_at_rest(name: str) -> None:
    """Loads, holds to R4 and the canonical page, fits itself, and its samples are read into what stands beside them."""
    assert [str(problem) for problem in errors_of(check_static(read_folder(FOLDERS[name])))] == []


ONE_WAY = {"court/ecf codes/docketing-status.csv"}
"""Of these codes some are read only, from courts that speak another profile; we say that work has begun, no more."""


@pytest.mark.parametrize("name", sorted(FOLDERS.keys() - {"health/hl7v2"}))
def test_a_code_of_a_pack_that_ships_goes_both_ways(name: str) -> None:
    """What is read through a code map of a type that is written too can be said again."""
    stuck = {f"{name} {one.file}" for one in check_static(read_folder(FOLDERS[name])) if "no way out" in one.what}
    assert stuck == {each for each in ONE_WAY if each.startswith(f"{name} ")}


@pytest.mark.parametrize("name", sorted(FOLDERS.keys() - {"health/hl7v2"}))
def test_a_pack_that_ships_says_its_samples_again(name: str) -> None:
    """Each sample of a type that goes both ways comes back as it stands; claims and constants alone are exempt."""
    problems = check_static(read_folder(FOLDERS[name]))
    assert [str(problem) for problem in problems if "comes back otherwise" in problem.what] == []
