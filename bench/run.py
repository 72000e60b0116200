"""`make bench`: measures everything in one run and writes docs/performance.md.

Exit codes: 0 all measured, 1 something could not be measured (unless ``--allow-missing``).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import library, report, served, starting
from bench.figures import Figure, Memory
from bench.messages import CHILDREN
from bench.processes import busy_seconds

ROOT = Path(__file__).parent.parent
FEWEST_ROUNDS = 5
PARTS = ("library", "starting", "served")


def main() -> int:
    """Measure; the exit code."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, start, load, busy = datetime.now(UTC), time.monotonic(), os.getloadavg()[0], busy_seconds()
    figures: list[Figure] = []
    memories: list[Memory] = []
    if given.only in ("", "library"):
        _say("libraries")
        rounds, library_seconds = str(given.rounds), str(given.library_seconds)
        figures += _library(library.KINDS, "-X", "pure", "-m", "bench.library", rounds, library_seconds)
        figures += _library(library.COMPILED, "-m", "bench.library", rounds, library_seconds, "compiled")
    if given.only in ("", "starting"):
        _say("starts of commands")
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            figures += starting.measure(given.rounds, Path(folder))
    if given.only in ("", "served"):
        with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
            found, memories = served.measure(given.rounds, given.seconds, Path(folder), _say)
        figures += found
    seconds = time.monotonic() - start
    own = _own_seconds()
    others = max(0.0, busy_seconds() - busy - own) / (seconds * (os.cpu_count() or 1))
    run = report.Run(began, seconds, given.rounds, given.seconds, CHILDREN, load, others)
    report.write(given.out, run, figures, (*served.COMPARISONS, *library.COMPARISONS, *starting.COMPARISONS), memories)
    for figure in figures:
        if figure.missing:
            _say(f"could not be measured: {figure.what}: {figure.missing}")
    _say(f"{seconds:.0f} s, of which {own:.0f} s of processor time; see {os.path.relpath(given.out)}")
    return exit_code(figures, given.allow_missing)


def exit_code(figures: list[Figure], allow_missing: bool) -> int:
    """1 when something could not be measured and that is not allowed."""
    return 1 if not allow_missing and any(figure.missing for figure in figures) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS, help=f"rounds; at least {FEWEST_ROUNDS}")
    parser.add_argument("--seconds", type=float, default=1.5, help="seconds for each server in a round")
    parser.add_argument("--library-seconds", type=float, default=0.15, help="seconds for each library in a round")
    parser.add_argument("--only", choices=PARTS, default="", help="measure one part")
    parser.add_argument("--allow-missing", action="store_true", help="exit 0 even if something could not be measured")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "performance.md", help="where the page goes")
    given = parser.parse_args()
    if given.rounds < FEWEST_ROUNDS:
        parser.error(f"a median needs at least {FEWEST_ROUNDS} rounds")
    return given


def _library(kinds: Sequence[library.Kind], *command: str) -> list[Figure]:
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, cwd=ROOT, timeout=300)
    if done.returncode:
        why = f"the process that measures libraries ended with code {done.returncode}"
        return [Figure(key, what, missing=why) for kind in kinds for key, what in kind.names.items()]
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return [Figure(**each) for each in listed]


def _own_seconds() -> float:
    """Processor seconds of this process and of everything that it started and that has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
