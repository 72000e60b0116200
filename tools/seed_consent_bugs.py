"""Seed one bug after another into a copy of the engine and see that a test catches each.

    python tools/seed_consent_bugs.py [NAME ...]

Every bug is one the design warns of. The exit code is the number of bugs that no test caught.
"""

# ruff: noqa: E501

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = (
    "test_rules_consent.py",
    "test_rules_law.py",
    "test_matrix.py",
    "test_trees.py",
    "test_profiles.py",
    "test_release.py",
)
LATER = ("test_flows.py", "test_release_invariants.py", "test_invariants.py")

BUGS: dict[str, tuple[str, str, str]] = {
    "flip skipped (R5)": ("trees.py", 'child_kind = "deny" if kind == "permit" else "permit"', "child_kind = kind"),
    "denial ignored": ("trees.py", "    if denied:\n        return Answer(", "    if denied and not permitted:\n        return Answer("),
    "taint lost": ("engine.py", "*item.classes, *tainted)", "*item.classes)"),
    "age off by one": ("moments.py", "< (birth.month, birth.day))", "<= (birth.month, birth.day))"),
    "band boundary": ("people.py", "age < band.below:", "age <= band.below:"),
    "narrative kept": ("release.py", 'or kind == "Narrative":', 'or kind == "NarrativeX":'),
    "extensions kept": ("release.py", 'one.get("url") in keeper.extensions and isinstance(one.get("valueCode"), str)', '"valueCode" in one'),
    "order unverified": ("law.py", "    if not second and not order.verified_by", "    if False and not order.verified_by"),
    "order verified by one person": ("law.py", "second = order.verified_by and order.verified_by != order.entered_by", "second = order.verified_by"),
    "order without recipient": ("law.py", "        and wanted.recipient == recipient.id\n", ""),
    "replaced consent revived": ("acts.py", " or fact.replaced or ", " or "),
    "withdrawal ignored": ("acts.py", "    if _withdrawn(fact, facts, people, at):", "    if False:"),
    "evidence not asked for": ("acts.py", "    elif not fact.evidence:", "    elif False:"),
    "expiry ignored": ("acts.py", "    elif _is_over(facts, at, stated_end, ends):", "    elif False:"),
    "barred guardian counts": ("people.py", "unbarred=guardians - barred - limited", "unbarred=guardians - limited"),
    "one person clears a suspect": ("people.py", "< clear_needs", "< 1"),
    "refusal after duty": ("policy/law.yaml", "R, V, refusal, D, T, own, C]", "R, V, D, refusal, T, own, C]"),
    "never-flow before order": ("policy/law.yaml", "absolute-never, P, never-flow,", "absolute-never, never-flow, P,"),
    "unlabelled item leaves": ("engine.py", "    if item.data_class is None:\n        return ()", "    if item.data_class is None:\n        return (DataClass.SUPPORT_NEED,)"),
    "one purpose is enough": ("acts.py", "for result in (Result.DENY, Result.INDETERMINATE, Result.NOT_APPLICABLE):", "for result in (Result.DENY,):"),
    "sensitive labels ride along": ("acts.py", "    if not sensitive:\n        return True", "    return True"),
    "linked unit not bypassed": ("people.py", "not people.linked_units.isdisjoint(names)", "False"),
    "break-glass without a second factor": ("law.py", "            emergency.second_factor\n            and emergency.officer", "            emergency.officer"),
    "emergency never ends": ("law.py", "if ends is None or context.at >= ends or", "if ends is None or"),
    "error is a permit": ("engine.py", "    except Exception as error:", "    except KeyError as error:"),
    "unknown code permits": ("trees.py", "if applied.bounded is None or (answer.result is Result.PERMIT and not clear):", "if applied.bounded is None:"),
    "dangling references stay": ("release.py", "    if reference in keeper.known:", "    if reference:"),
    "display of a reference leaks": ("release.py", 'return {"reference": reference}', "return dict(value)"),
    "inline verdict not asked": ("release.py", "if inline_labels(beside) and not keeper.may_leave(place):", "if False:"),
    "clinical data while the match is uncertain": ("engine.py", "if not context.facts.match_certain and", "if False and"),
    "report to an adult's case": ("law.py", "(young or (grave_age and report.grave))", "(young or report.grave)"),
    "empty permit matches all": ("trees.py", "or not kind or empty_permit:", "or not kind:"),
}  # fmt: skip


def main() -> int:
    """Seed each bug that is named, or all; print what caught it; return how many nothing caught."""
    wanted = sys.argv[1:] or list(BUGS)
    missed = 0
    for name in wanted:
        caught = seed(name)
        missed += not caught
        print(f"{'caught' if caught else 'MISSED':7} {name}: {caught or 'no test failed'}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} caught")
    return missed


def seed(name: str) -> str:
    """The first test that fails with this bug in place; "" if none does."""
    file, old, new = BUGS[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("consent", "tests", "adapters", "hub"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        target = copy / "consent" / file
        text = target.read_text("utf-8")
        if text.count(old) < 1:
            raise SystemExit(f"{name}: the text to spoil is no longer in {file}")
        target.write_text(text.replace(old, new), encoding="utf-8")
        for files in (TESTS, LATER):
            found = first_failure(copy, files)
            if found:
                return found
    return ""


def first_failure(folder: Path, files: tuple[str, ...]) -> str:
    """The id of the first failing test of these files, run on the copy."""
    tests = [f"tests/consent/{file}" for file in files]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].split(" ")[1].split("::")[-1] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
