"""Seed one bug after another into a copy of the engine and see that a test catches each.

    python tools/seed_consent_bugs.py --check          every patch applies exactly once
    python tools/seed_consent_bugs.py [NAME ...]       seed all (or the named ones), two at a time
        --quick                                        without the walks through worlds and releases
        --first                                        without the tests that were written for seeded bugs
        --trust                                        without looking first whether all passes without a bug

The bugs are data: `tools/consent_bugs.yaml`. A run writes `docs/consent-seeded-bugs.md`; what it did not seed stays
there as it was. The exit code is the number of bugs that no test caught, or of patches that do not apply.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import queue
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BUGS = ROOT / "tools" / "consent_bugs.yaml"
REPORT = ROOT / "docs" / "consent-seeded-bugs.md"
COPIED = ("consent", "tests", "adapters", "hub")
PROCESSES = 2
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["msgspec", "pydantic", "typer", "fhir.resources.R4B.bundle"])
NONE_COLLECTED = 5
COLUMNS = 6
"""Of the report's table."""

# The likeliest first; a stage is run only when the one before it caught nothing. What only compares the policy data
# with a page generated from it (test_doc.py) would catch every change of data and prove nothing.
NAMED = ("test_rules_consent.py", "test_rules_law.py")
"""Tests named for the rule that a bug breaks are tried before all others."""
SEEDED = "test_seeded.py"
"""Tests that were written for seeded bugs."""
WORLDS = "test_invariants.py::test_every_invariant_holds_in_plain_worlds[0]"
STAGES = (
    (SEEDED,),
    ("test_rules_consent.py", "test_rules_law.py", "test_matrix.py", "test_trees.py", "test_profiles.py"),
    ("test_release.py", "test_explain.py", "test_outside.py", "test_flows.py"),
    (WORLDS,),
    ("test_release_invariants.py",),
)
QUICK = 3
"""How many of the stages are quick."""
Stages = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Bug:
    """One entry of the data file."""

    name: str
    author: str
    wrong: str
    rule: str
    file: str
    find: str
    replace: str
    at_first: str = ""
    """``caught`` or ``missed`` by the tests that stood before `SEEDED` was written, where that was measured."""


def main() -> int:
    """Check the patches, or seed what is named, or all."""
    bugs = read_bugs()
    names = [one for one in sys.argv[1:] if not one.startswith("--")]
    if unknown := set(names) - {bug.name for bug in bugs}:
        raise SystemExit(f"no such bug: {sorted(unknown)}")
    if "--check" in sys.argv:
        return check(bugs)
    wanted = [bug for bug in bugs if not names or bug.name in names]
    stages = STAGES[:QUICK] if "--quick" in sys.argv else STAGES
    caught = run(wanted, stages[1:] if "--first" in sys.argv else stages)
    missed = sum(not found for found in caught.values())
    print(f"{len(wanted) - missed} of {len(wanted)} caught")
    if "--first" not in sys.argv:
        REPORT.write_text(page(bugs, known() | caught), encoding="utf-8")
    return missed


def read_bugs() -> list[Bug]:
    """All bugs, in order."""
    return [Bug(**one) for one in yaml.safe_load(BUGS.read_text("utf-8"))["bugs"]]


def known() -> dict[str, str]:
    """What the report says of earlier runs: bug -> the test that caught it."""
    text = REPORT.read_text("utf-8") if REPORT.exists() else ""
    rows = (line.strip("| ").split(" | ") for line in text.splitlines() if line.count(" | ") == COLUMNS - 1)
    return {row[0]: row[-1].strip("`") for row in rows if row[-1].startswith("`")}


def check(bugs: list[Bug]) -> int:
    """How many patches do not apply exactly once; each is named."""
    wrong = 0
    for bug in bugs:
        times = (ROOT / bug.file).read_text("utf-8").count(bug.find)
        if times != 1 or bug.find == bug.replace:
            wrong += 1
            print(f"{bug.name}: found {times} times in {bug.file}")
    print(f"{len(bugs) - wrong} of {len(bugs)} patches apply")
    return wrong


def run(bugs: list[Bug], stages: Stages) -> dict[str, str]:
    """Bug -> the test that caught it, "" for none."""
    with tempfile.TemporaryDirectory() as folder:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(PROCESSES):
            copies.put(copied(Path(folder) / str(number)))
        sound = copied(Path(folder) / "sound")
        for stage in () if "--trust" in sys.argv else stages:
            if found := first_failure(sound, stage):
                raise SystemExit(f"{found} fails without a bug")

        def one(bug: Bug) -> tuple[str, str]:
            copy = copies.get()
            try:
                found = seed(bug, copy, stages)
            finally:
                copies.put(copy)
            print(f"{'caught' if found else 'MISSED':7} {bug.name}: {found or 'no test failed'}", flush=True)
            return bug.name, found

        with ThreadPoolExecutor(PROCESSES) as pool:
            return dict(pool.map(one, bugs))


def copied(target: Path) -> Path:
    """A copy of what the tests need."""
    for part in COPIED:
        shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def seed(bug: Bug, copy: Path, stages: Stages) -> str:
    """The first test that fails with this bug in place; "" if none does."""
    target = copy / bug.file
    sound = target.read_text("utf-8")
    if sound.count(bug.find) != 1:
        raise SystemExit(f"{bug.name}: the text to spoil is not in {bug.file}, once")
    target.write_text(sound.replace(bug.find, bug.replace), encoding="utf-8")
    try:
        rules = [f"R{int(one):02}_" for one in re.findall(r"R(\d+)", bug.rule)]
        if rules and (found := first_failure(copy, NAMED, " or ".join(rules))):
            return found
        for stage in stages:
            if found := first_failure(copy, stage):
                return found
    finally:
        target.write_text(sound, encoding="utf-8")
    return ""


def first_failure(copy: Path, files: tuple[str, ...], only: str = "") -> str:
    """The id of the first failing test of these files (whose name fits `only`); "" if all pass.

    Runs in a process of its own, forked from one that has loaded the libraries but nothing of ours. A copy that cannot
    even be collected is a wrong patch.
    """
    tests = [f"tests/consent/{file}" for file in files if (copy / "tests" / "consent" / file.split("::")[0]).exists()]
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_run_tests, args=(there, str(copy), [*tests, *(["-k", only] if only else [])]))
    process.start()
    there.close()
    code, failed, said = here.recv()
    process.join()
    if code == 0 or (only and code == NONE_COLLECTED):
        return ""
    if code != 1 or not failed:
        raise SystemExit(f"the tests cannot run:\n{said[-3000:]}")
    return str(failed)


class _First:
    """Remembers the first test that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid.removeprefix("tests/consent/")


def _run_tests(answer: Connection, copy: str, arguments: list[str]) -> None:
    os.chdir(copy)
    sys.path[:] = [copy, *(one for one in sys.path if one not in (str(ROOT), str(ROOT / "tools"), ""))]
    sys.dont_write_bytecode = False
    first, said = _First(), io.StringIO()
    # The databases of the tests' own set-up are not for the engine.
    options = ("-q", "-x", "--no-header", "--noconftest", "-p", "no:cacheprovider")
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = int(pytest.main([*options, *arguments], plugins=[first]))
    answer.send((code, first.failed, said.getvalue()))


def at_first(bug: Bug, caught: dict[str, str]) -> str:
    """Whether a bug was caught before tests were written for it."""
    test = caught.get(bug.name, "")
    return bug.at_first or ("not measured" if not test or test.startswith(SEEDED) else "caught")


def page(bugs: list[Bug], caught: dict[str, str]) -> str:
    """The report."""
    late = [bug for bug in bugs if at_first(bug, caught) == "missed"]
    unknown = [bug for bug in bugs if at_first(bug, caught) == "not measured"]
    found = sum(bool(caught.get(bug.name)) for bug in bugs)
    lines = [
        "# Seeded bugs of the consent engine",
        "",
        "Written by `python tools/seed_consent_bugs.py` from `tools/consent_bugs.yaml`; do not edit by hand. Each bug",
        "is put into a copy of the engine, alone, and the tests are run until one fails. Both lists were written down",
        "before their authors looked at a test; the second author wrote none of the tests that were there then.",
        "",
        f"{found} of {len(bugs)} caught. At first, by the quick tests that stood before `{SEEDED}` was written for",
        f"what they missed: {len(bugs) - len(late) - len(unknown)} caught, {len(late)} missed, {len(unknown)} not",
        "measured. The walks through worlds and releases were not asked then: they may have caught some of them too.",
        "",
        "| bug | who learns or loses what | rule | list | at first | caught by |",
        "|---|---|---|---|---|---|",
    ]
    for bug in bugs:
        first = at_first(bug, caught)
        test = f"`{caught[bug.name]}`" if caught.get(bug.name) else "**nothing yet**"
        lines.append(f"| {bug.name} | {bug.wrong} | {bug.rule} | {bug.author} | {first} | {test} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
