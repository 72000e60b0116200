"""Writes what a run found as a Markdown page: ratios first, then every figure, and what could not be measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters import compiled
from bench.figures import Comparison, Figure, Memory, Spread, ratio

INTRODUCTION = """# Performance

Written by `make bench`; do not edit. Read the ratios: both sides of each were measured in the same run, on the same
machine, moments apart. Absolute figures say little about another machine.
"""

METHOD = Path(__file__).with_name("method.md")


@dataclass(frozen=True, slots=True)
class Run:
    """The circumstances of a run."""

    began: datetime
    seconds: float
    rounds: int
    round_seconds: float
    children: int
    load_before: float
    """Load average of the last minute before the run."""
    others: float
    """Share of the machine's processor time that other programs used meanwhile."""


def write(
    path: Path, run: Run, figures: list[Figure], comparisons: Iterable[Comparison], memories: list[Memory]
) -> None:
    """Write the page."""
    known = {figure.key: figure for figure in figures}
    method = METHOD.read_text("utf-8").format(rounds=run.rounds, seconds=run.round_seconds, children=run.children)
    parts = [INTRODUCTION, _circumstances(run), _ratios(comparisons, known), _served(figures), _library(figures)]
    parts += [_memory(memories), _missing(figures), method]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(part for part in parts if part), "utf-8")


def _circumstances(run: Run) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    busy = f"Other programs used {run.others:.0%} of the machine's processor time meanwhile"
    busy += f" (load average before the run: {run.load_before:.1f})."
    if run.others > 0.1:
        busy += " **The machine was busy: absolute figures are too low and spreads wide.**"
    return (
        f"{run.began:%d %B %Y, %H:%M} UTC{_commit()}. {os.cpu_count()} processor cores, {memory:.0f} GiB of memory, "
        f"{platform.system()}, {platform.python_implementation()} {platform.python_version()}; "
        f"the run took {run.seconds:.0f} s. {busy} The row engine of the served hub was {_engine()}.\n"
    )


def _engine() -> str:
    return "compiled (`make fast`)" if compiled.is_used() else "plain Python"


def _commit() -> str:
    try:
        words = ["git", "describe", "--always", "--dirty"]
        done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f", commit {done.stdout.strip()}" if done.returncode == 0 else ""


def _ratios(comparisons: Iterable[Comparison], known: Mapping[str, Figure]) -> str:
    lines = ["## Against peers", "", "| Work | Against | Goal, at least | By the clock | By processor time |"]
    lines.append("|---|---|---|---|---|")
    asked = met = 0
    for each in comparisons:
        ours, theirs = known.get(each.ours), known.get(each.theirs)
        if ours is None or theirs is None:
            continue
        if ours.missing or theirs.missing:
            found = f"could not be measured: {ours.missing or theirs.missing} | "
        else:
            clock, cost = ratio(ours.rates, theirs.rates), ratio(theirs.costs, ours.costs)
            found = f"{_times(clock)} | {_times(cost)}"
            met += bool(each.goal and clock and clock.middle >= each.goal)
        asked += bool(each.goal)
        goal = f"{each.goal:g}x" if each.goal else "—"
        lines.append(f"| {each.what} | {theirs.what} | {goal} | {found} |")
    return "\n".join([*lines, "", f"Goals met, by the clock: {met} of {asked}."]) + "\n"


def _served(figures: list[Figure]) -> str:
    lines = ["## Over sockets", ""]
    lines.append("| What | A second | Processor ms for each | Median delay, ms | Pieces |")
    lines.append("|---|---|---|---|---|")
    for each in figures:
        if each.served and not each.missing:
            costs, delays = _milliseconds(each.costs), _milliseconds(each.delays)
            lines.append(f"| {each.what} | {_plain(Spread.of(each.rates))} | {costs} | {delays} | {each.count} |")
    return "\n".join(lines) + "\n" if len(lines) > 4 else ""


def _library(figures: list[Figure]) -> str:
    lines = ["## Libraries and commands", "", "| What | Processor time for each | Pieces |", "|---|---|---|"]
    for each in figures:
        if not each.served and not each.missing:
            lines.append(f"| {each.what} | {_duration(Spread.of(each.costs))} | {each.count} |")
    return "\n".join(lines) + "\n" if len(lines) > 4 else ""


def _memory(memories: list[Memory]) -> str:
    if not memories:
        return ""
    lines = ["## Memory of the serving process", "", "| Who | Ready, MiB | After the run, MiB | At most, MiB |"]
    lines.append("|---|---|---|---|")
    for each in memories:
        lines.append(f"| {each.who} | {each.ready_mib:.0f} | {each.after_mib:.0f} | {each.peak_mib:.0f} |")
    return "\n".join(lines) + "\n"


def _missing(figures: list[Figure]) -> str:
    lines = [f"- {each.what}: could not be measured: {each.missing}" for each in figures if each.missing]
    return "\n".join(["## Could not be measured", "", *lines]) + "\n" if lines else ""


def _times(spread: Spread | None) -> str:
    if spread is None:
        return "—"
    return f"**{_short(spread.middle)}x** ({_short(spread.low)}–{_short(spread.high)})"


def _plain(spread: Spread) -> str:
    return f"{_short(spread.middle)} ({_short(spread.low)}–{_short(spread.high)})"


def _duration(seconds: Spread) -> str:
    unit, factor = ("µs", 1e6) if seconds.middle < 0.01 else ("ms", 1e3)
    return f"{_plain(Spread(seconds.middle * factor, seconds.low * factor, seconds.high * factor))} {unit}"


def _milliseconds(seconds: list[float]) -> str:
    return _plain(Spread.of([1000 * each for each in seconds])) if seconds else "—"


def _short(value: float) -> str:
    """Two significant digits at least, no more than help."""
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2g}"
