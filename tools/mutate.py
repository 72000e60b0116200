"""Mutate the consent engine, one small change at a time, and count how many mutants its tests kill.

    python tools/mutate.py [--sample 420] [--seed 1] [--jobs 2] [--again] [--fresh] [FILE ...]

A mutant flips a comparison, a boolean operator, a constant, `any` and `all`, `min` and `max`, or drops a condition.
Tests are imported and collected once; each mutant runs in a forked child whose functions get the mutated code, on tests
that take well under three seconds of CPU together, and stops at the first failure. Results are kept in a record, so
that a run that was stopped goes on; the page `docs/consent-mutation.md` is written from it, survivors with the reasons
of `tools/mutation_reasons.yaml`.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.consent import test_quick  # noqa: E402
from tests.consent.world import policy  # noqa: E402

LEFT_OUT = {
    "__init__.py": "names only",
    "model.py": "declarations only",
    "vocabulary.py": "declarations only",
    "errors.py": "declarations only",
    "explain.py": "words about a decision, which decides nothing",
    "supposing.py": "tries other worlds to explain, decides nothing",
    "authoring.py": "advice to who writes a consent, decides nothing",
}
SECONDS = 3.0
"""CPU seconds that one mutant may use; more is a timeout, counted apart."""
QUICK_SECONDS = 2.0
"""CPU seconds that the chosen tests take on the engine as it is."""
PAGE, RECORD = ROOT / "docs" / "consent-mutation.md", ROOT / "docs" / "consent-mutation.jsonl"
KEPT = (policy, test_quick.pool, test_quick.bundles)
"""What tests keep between them."""
MAKERS = ("fhir.py", "rulebook.py", "labels.py", "items.py", "walk.py", "moments.py", "policy.py")
FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
SWAPS = {"any": "all", "all": "any", "min": "max", "max": "min"}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Add: ast.Sub, ast.Sub: ast.Add,
}  # fmt: skip


# --- mutants ------------------------------------------------------------------------------------------------


def sites(tree: ast.Module) -> Iterator[tuple[ast.AST, int]]:
    """Every node inside a function that can be changed, with the number of the way to change it."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                yield from _inside(statement)


def _inside(node: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    if isinstance(node, ast.FunctionDef):
        return
    compared = isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPS
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    constant = isinstance(node, ast.Constant) and isinstance(node.value, bool | int)
    swapped = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SWAPS
    operated = isinstance(node, ast.BinOp) and type(node.op) in OPERATORS
    if compared or negated or constant or swapped or operated or isinstance(node, ast.IfExp):
        yield node, 0
    if isinstance(node, ast.BoolOp):
        yield from ((node, way) for way in range(len(node.values) + 1))
    if isinstance(node, ast.comprehension):
        yield from ((node, way) for way in range(len(node.ifs)))
    for name, inner in ast.iter_fields(node):
        if name != "annotation":
            for child in inner if isinstance(inner, list) else [inner]:
                if isinstance(child, ast.AST):
                    yield from _inside(child)


def change(node: Any, way: int) -> str:
    """Change the node in place; say what was done."""
    before = ast.unparse(node)
    if isinstance(node, ast.Compare):
        node.ops[0] = FLIPS[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp) and way == 0:
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.BoolOp):
        del node.values[way - 1]
    elif isinstance(node, ast.UnaryOp):
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
    elif isinstance(node, ast.Call):
        node.func.id = SWAPS[node.func.id]
    elif isinstance(node, ast.BinOp):
        node.op = OPERATORS[type(node.op)]()
    elif isinstance(node, ast.comprehension):
        del node.ifs[way]
    else:
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + 1
    return f"{' '.join(before.split())} -> {' '.join(ast.unparse(node).split())}"


class Mutant:
    """One change of one file: where, what, and the code that it makes."""

    def __init__(self, file: str, number: int) -> None:
        self.path = ROOT / "consent" / file
        text = self.path.read_text("utf-8")
        self.tree = ast.parse(text)
        node, way = list(sites(self.tree))[number]
        line = next((one.lineno for one in ast.walk(node) if hasattr(one, "lineno")), 0)
        self.file, self.number = file, number
        self.line, self.text = line, text.splitlines()[line - 1].strip() if line else ""
        self.what = change(node, way)
        # What tests keep was made by these files before the change.
        self.stale = ("consent", "tests.consent") if file in MAKERS else ("consent",)
        self.key = f"{file} {sha256(text.encode()).hexdigest()[:12]} {number}"

    def apply(self) -> None:
        """Give every function of the file, wherever it is referred to, the mutated code; forget what was cached."""
        compiled = compile(ast.fix_missing_locations(self.tree), str(self.path), "exec", dont_inherit=True)
        codes = {(one.co_qualname, one.co_firstlineno): one for one in _codes(compiled)}
        for found in gc.get_objects():
            if isinstance(found, FunctionType) and found.__code__.co_filename == str(self.path):
                code = codes.get((found.__code__.co_qualname, found.__code__.co_firstlineno))
                if code is not None and code != found.__code__:
                    found.__code__ = code
            elif isinstance(found, _lru_cache_wrapper) and found.__module__.startswith(self.stale):
                found.cache_clear()


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def chosen(files: list[str], sample: int, seed: int) -> list[tuple[str, int]]:
    """A sample of all mutants of these files: equal for equal source and seed, else nearly so."""
    every = [
        (file, number)
        for file in files
        for number, _ in enumerate(sites(ast.parse((ROOT / "consent" / file).read_text("utf-8"))))
    ]
    return sorted(every, key=lambda one: sha256(f"{seed} {one}".encode()).digest())[:sample]


# --- running the tests --------------------------------------------------------------------------------------


class Runner:
    """A pytest plugin whose loop, instead of running the collected tests, tries the mutants on them."""

    def __init__(self, mutants: list[tuple[str, int]], record: Path, jobs: int, again: bool) -> None:
        self.todo, self.record, self.jobs = mutants, record, jobs
        self.done = {line["key"]: line for line in read(record) if not again or line["result"] == "killed"}
        self.wins: dict[str, Counter[int]] = {}
        self.items: list[pytest.Function] = []
        self.clean = 0.0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Choose the quick tests, then try every mutant that is not on record."""
        for make in KEPT:
            make()
        self._choose([one for one in session.items if isinstance(one, pytest.Function) and alone(one)])
        running: dict[int, tuple[Mutant, int]] = {}
        for file, number in self.todo:
            mutant = Mutant(file, number)
            if mutant.key in self.done:
                continue
            if len(running) >= self.jobs:
                self._reap(running)
            receive, send = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(receive)
                self._child(mutant, send)
            os.close(send)
            running[child] = (mutant, receive)
        while running:
            self._reap(running)
        return True

    def _choose(self, items: list[pytest.Function]) -> None:
        """Time every test once in a child, and keep the quickest ones that fit, and the first looks."""
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            _quiet()
            for number, item in enumerate(items):
                begun, passed = time.process_time(), passes(item)
                os.write(send, f"{number} {time.process_time() - begun} {int(not passed)}\n".encode())
            os._exit(0)
        os.close(send)
        with os.fdopen(receive) as lines:
            timed = [line.split() for line in lines]
        os.waitpid(child, 0)
        bad = [items[int(number)].nodeid for number, _, failed in timed if int(failed)]
        if len(timed) < len(items):
            raise SystemExit("the tests do not end on the engine as it is")
        if bad:
            print(f"left out, as they fail on the engine as it is: {', '.join(bad)}", flush=True)
            timed = [one for one in timed if not int(one[2])]
        first = [(0.0 if "test_quick" in items[int(n)].nodeid else float(t), float(t), int(n)) for n, t, _ in timed]
        for _, seconds, number in sorted(first):
            if self.clean + seconds <= QUICK_SECONDS:
                self.clean += seconds
                self.items.append(items[number])
        print(f"{len(self.items)} of {len(items)} tests, {self.clean:.1f} s of CPU", flush=True)

    def _child(self, mutant: Mutant, send: int) -> None:
        """In the child: run the tests on the mutant, those first that killed others of its file."""
        _quiet()
        signal.signal(signal.SIGPROF, lambda *_: os._exit(3))
        wins = self.wins.get(mutant.file, Counter())
        try:
            mutant.apply()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            for make in KEPT:
                make()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            # A mutant that ends the process by an error of its own was noticed, too.
            for number in sorted(range(len(self.items)), key=lambda one: -wins[one]):
                if not passes(self.items[number]):
                    os.write(send, str(number).encode())
                    os._exit(1)
        except BaseException:
            os._exit(1)
        os._exit(0)

    def _reap(self, running: dict[int, tuple[Mutant, int]]) -> None:
        child, status = os.waitpid(-1, 0)
        mutant, receive = running.pop(child)
        with os.fdopen(receive) as answer:
            by = answer.read()
        result = {0: "survived", 1: "killed", 3: "timeout"}.get(os.waitstatus_to_exitcode(status), "killed")
        if by:
            self.wins.setdefault(mutant.file, Counter())[int(by)] += 1
        line = {
            "key": mutant.key, "file": mutant.file, "line": mutant.line, "text": mutant.text, "what": mutant.what,
            "result": result, "by": self.items[int(by)].nodeid.split("::")[-1] if by else "",
        }  # fmt: skip
        self.done[mutant.key] = line
        with self.record.open("a", encoding="utf-8") as record:
            record.write(json.dumps(line, ensure_ascii=False) + "\n")
        print(f"{result} {mutant.file}:{mutant.line} {mutant.what}"[:160], flush=True)


def alone(item: pytest.Function) -> bool:
    """Whether a test needs nothing but its parameters."""
    return set(item.fixturenames) <= set(item.callspec.params if hasattr(item, "callspec") else ())


def passes(item: pytest.Function) -> bool:
    """Call a test as it is, without pytest's ceremony, which costs more than most tests do."""
    try:
        item.obj(**(item.callspec.params if hasattr(item, "callspec") else {}))
    except BaseException:
        return False
    return True


def _quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def read(record: Path) -> list[dict[str, Any]]:
    """The lines on record."""
    return [json.loads(line) for line in record.read_text("utf-8").splitlines()] if record.exists() else []


# --- the page -----------------------------------------------------------------------------------------------


def page(lines: list[dict[str, Any]], seed: int, clean: float) -> str:
    """The document: how many were killed in each file, and every survivor with its reason."""
    reasons = yaml.safe_load((ROOT / "tools" / "mutation_reasons.yaml").read_text("utf-8")) or {}
    total = Counter(line["result"] for line in lines)
    share = total["killed"] / max(1, len(lines))
    text = [
        "# Mutants of the consent engine",
        "",
        "Written by `make mutation`. A mutant is one small change of the engine; it is killed when a test of",
        f"`tests/consent` fails on it within {SECONDS:.0f} seconds of CPU (the same tests take {clean:.1f} s on the",
        "engine as it is; a mutant that takes longer than the limit hangs, and is listed apart).",
        "",
        f"Sample of {len(lines)}, seed {seed}: **{total['killed']} killed ({share:.1%})**, "
        f"{total['survived']} survived, "
        f"{total['timeout']} used up their time (not counted as killed).",
        "",
        "| file | mutants | killed | timed out | survived |",
        "|---|--:|--:|--:|--:|",
    ]
    for file in sorted({line["file"] for line in lines}):
        found = Counter(line["result"] for line in lines if line["file"] == file)
        text.append(f"| {file} | {found.total()} | {found['killed']} | {found['timeout']} | {found['survived']} |")
    text += ["", "Left out: " + "; ".join(f"`{name}` ({why})" for name, why in LEFT_OUT.items()) + "."]
    text += ["", "## Survivors, with reasons", ""]
    for line in sorted(lines, key=lambda one: (one["file"], one["line"])):
        if line["result"] != "killed":
            reason = (reasons.get(line["file"]) or {}).get(line["text"], "No reason: a test is missing.")
            reason = reason.get(line["what"], "No reason: a test is missing.") if isinstance(reason, dict) else reason
            text.append(f"- `{line['file']}`, `{line['text']}`: `{line['what']}` ({line['result']}). {reason}")
    return "\n".join(text) + "\n"


def main() -> int:
    """Try the sampled mutants that are not on record yet and write the page; 1 when under 90 % are killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--sample", type=int, default=420)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--again", action="store_true", help="try survivors and timeouts again")
    parser.add_argument("--fresh", action="store_true", help="forget what is on record")
    given = parser.parse_args()
    os.chdir(ROOT)
    if given.fresh:
        given.record.unlink(missing_ok=True)
    files = given.files or sorted(path.name for path in (ROOT / "consent").glob("*.py") if path.name not in LEFT_OUT)
    wanted = chosen(files, given.sample, given.seed)
    runner = Runner(wanted, given.record, given.jobs, given.again)
    arguments = [
        "-p",
        "no:terminal",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-k",
        "not hypothesis and not plain and not page_of_rules",
        "tests/consent",
    ]
    pytest.main(arguments, plugins=[runner])
    lines = [runner.done[key] for key in (Mutant(*one).key for one in wanted) if key in runner.done]
    if not given.files:
        PAGE.write_text(page(lines, given.seed, runner.clean), encoding="utf-8")
    killed = sum(line["result"] == "killed" for line in lines)
    print(f"{killed} of {len(lines)} killed ({killed / max(1, len(lines)):.1%})")
    return int(killed < 0.9 * len(lines))


if __name__ == "__main__":
    sys.exit(main())
