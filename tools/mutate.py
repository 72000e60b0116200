"""Mutate the engine, one small change at a time in a copy, and count how many mutants the tests kill.

    python tools/mutate.py [--sample 400] [--seed 1] [--report docs/consent-mutation.md] [FILE ...]

A mutant flips a comparison, a boolean operator, a constant, a `not`, or a returned truth value.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = ("acts.py", "engine.py", "law.py", "people.py", "trees.py", "moments.py", "release.py", "labels.py", "items.py")
QUICK = (
    "test_rules_consent.py", "test_rules_law.py", "test_trees.py", "test_profiles.py", "test_release.py",
    "test_flows.py", "test_matrix.py", "test_explain.py", "test_release_invariants.py",
)  # fmt: skip
FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def sites(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that can be changed."""
    for node in ast.walk(tree):
        compared = isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPS
        negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        constant = isinstance(node, ast.Constant) and isinstance(node.value, bool | int)
        if compared or negated or constant or isinstance(node, ast.BoolOp | ast.IfExp):
            yield node


def change(node: ast.AST) -> str:
    """Change the node in place; say what was done."""
    place = f"line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Compare):
        old = type(node.ops[0])
        node.ops[0] = FLIPS[old]()
        return f"{place}: {old.__name__} -> {FLIPS[old].__name__}"
    if isinstance(node, ast.BoolOp):
        old_name = type(node.op).__name__
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return f"{place}: {old_name} flipped"
    if isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        return f"{place}: not removed"
    if isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        return f"{place}: branches swapped"
    if isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
        return f"{place}: constant -> {node.value}"
    raise TypeError(type(node).__name__)


def main() -> int:
    """Try a sample of mutants and write the survivors down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=list(FILES))
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args()
    every = [
        (file, number)
        for file in given.files
        for number, _ in enumerate(sites(ast.parse((ROOT / "consent" / file).read_text("utf-8"))))
    ]
    chosen = random.Random(given.seed).sample(every, min(given.sample, len(every)))
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("consent", "tests", "adapters", "hub"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for index, (file, number) in enumerate(chosen, 1):
            text = (ROOT / "consent" / file).read_text("utf-8")
            tree = ast.parse(text)
            node = next(node for place, node in enumerate(sites(tree)) if place == number)
            what = f"{file} {change(node)}"
            (copy / "consent" / file).write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
            killed = kills(copy)
            (copy / "consent" / file).write_text(text, encoding="utf-8")
            survivors += [] if killed else [what]
            print(f"{index}/{len(chosen)} {'killed' if killed else 'SURVIVED'} {what}", flush=True)
    killed_count = len(chosen) - len(survivors)
    summary = f"{killed_count} of {len(chosen)} killed ({killed_count / max(1, len(chosen)):.0%}); seed {given.seed}"
    print(summary)
    if given.report:
        lines = ["# Mutants of the consent engine", "", summary, "", *(f"- {one}" for one in survivors)]
        given.report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(bool(survivors))


def kills(copy: Path) -> bool:
    """Whether the tests fail on the mutant; a mutant that hangs is killed too."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += [f"tests/consent/{file}" for file in QUICK]
    try:
        return subprocess.run(command, cwd=copy, capture_output=True, timeout=120, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True


if __name__ == "__main__":
    sys.exit(main())
