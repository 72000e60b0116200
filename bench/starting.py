"""How long commands take to start, beside importing the web framework that they stand on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.figures import Comparison, Figure, Unmeasurable
from bench.processes import tree_seconds

WHAT: Final = {
    "start/fastapi": "`python -c 'import fastapi'`",
    "start/help": "`hub --help`",
    "start/serve": "`hub serve` on SQLite, until it says that it is ready",
}

COMPARISONS: Final = (
    Comparison("Start of `hub --help`", "start/help", "start/fastapi", 2),
    Comparison("Start of `hub serve`", "start/serve", "start/fastapi", 0.25),
)


def measure(rounds: int, folder: Path) -> list[Figure]:
    """The three, in turn; a first start of each, which fills caches, is not counted."""
    figures = {key: Figure(key, what) for key, what in WHAT.items()}
    more = {"HUB_DATA_DIR": str(folder), "HUB_HTTP_PORT": "0", "HUB_MLLP_PORT": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | more
    works: dict[str, Callable[[], tuple[float, float]]] = {
        "start/fastapi": lambda: _ended([sys.executable, "-c", "import fastapi"], kept),
        "start/help": lambda: _ended([sys.executable, "-m", "hub", "--help"], kept),
        "start/serve": lambda: _ready([sys.executable, "-m", "hub", "serve"], kept),
    }
    for number in range(rounds + 1):
        for key, work in works.items():
            figure = figures[key]
            try:
                wall, cpu = (0.0, 0.0) if figure.missing else work()
            except Unmeasurable as error:
                figure.missing = str(error)
            if number and not figure.missing:
                figure.rates.append(1 / wall)
                figure.costs.append(cpu)
                figure.count += 1
    return list(figures.values())


def _ended(command: list[str], variables: dict[str, str]) -> tuple[float, float]:
    """(seconds, processor seconds) until it ended well."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode:
        print(f"bench: {done.stderr[-2000:]}", file=sys.stderr)
        raise Unmeasurable(f"it ended with code {done.returncode}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used


def _ready(command: list[str], variables: dict[str, str]) -> tuple[float, float]:
    """(seconds, processor seconds) until its ready line."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    with process, process.stdout as lines:
        try:
            for line in lines:
                if line.startswith("hub ready"):
                    return time.perf_counter() - began, tree_seconds(process.pid)
        finally:
            process.terminate()
    raise Unmeasurable("it ended before it was ready")
