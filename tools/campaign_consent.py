"""Walk many generated cases through every invariant, shard by shard, and remember which shards are done.

    python tools/campaign_consent.py [--cases 200000] [--jobs 2] [--groups hub] [--again packs] [--only-write]

The record (one JSON line a shard: cases, premises that held, failures, CPU seconds, hash of the source) is what a
campaign that is started again goes on after; the summary is written from it. Shards walked with another source are
walked again only for the groups that `--again` names.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.consent import invariants, invariants_of_release  # noqa: E402
from tests.hub.invariants import ways  # noqa: E402

PACKS = invariants_of_release.THROUGH_PACKS
GROUPS: dict[str, tuple[str, ...]] = {
    "decisions": tuple(invariants.CHECKS),
    "releases": tuple(name for name in invariants_of_release.CHECKS if name != PACKS),
    "packs": (PACKS,),
    "hub": ways.CHECKS,
}
SHARD = {"decisions": 4000, "releases": 1000, "packs": 500, "hub": 300}
SOURCES = {
    "decisions": ("consent",),
    "releases": ("consent",),
    "packs": ("consent", "adapters"),
    "hub": ("consent", "hub"),
}


def source_hash(group: str) -> str:
    """Hash of everything that a group's answers can depend on, tests apart."""
    digest = sha256()
    for folder in SOURCES[group]:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yaml", ".json", ".csv", ".xsd") and "samples" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def run(group: str, start: int, count: int, engine: str) -> dict[str, Any]:
    """One shard: its line of the record."""
    begun = time.process_time()
    if group == "decisions":
        failed, met, _ = invariants.walk(start, count)
    elif group == "hub":
        with TemporaryDirectory() as folder:
            failed, met = ways.walk(start // len(ways.KINDS), -(-count // len(ways.KINDS)), Path(folder))
    else:
        failed, met = invariants_of_release.walk(start, count, GROUPS[group])
    return {
        "group": group,
        "start": start,
        "count": count,
        "source": engine,
        "seconds": round(time.process_time() - begun, 1),
        "met": dict(met),
        "failed": sorted(failed),
    }


def read(record: Path) -> list[dict[str, Any]]:
    """The lines on record; of two for one shard the later one counts."""
    lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()] if record.exists() else []
    return list({(line["group"], line["start"]): line for line in lines}.values())


def summary(lines: Iterable[dict[str, Any]], wanted: int) -> str:
    """The document: each invariant with its cases, how often its premise held, and what failed."""
    cases: Counter[str] = Counter()
    met: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    failures: list[str] = []
    for line in lines:
        seconds[line["group"]] += line["seconds"]
        sources[line["group"]][line["source"]] += line["count"]
        failures += line["failed"]
        for name in GROUPS[line["group"]]:
            cases[name] += line["count"]
            met[name] += line["met"].get(name, 0)
    text = [
        "# The campaign of the consent engine's invariants",
        "",
        "Written by `make campaign-consent` from its record, `docs/consent-campaign.jsonl`. A case is one generated",
        "world (or one release, one written message, one child and pair of agencies of a running hub) and one check on",
        "it; the premise of a check holds where there was something to lose: somebody was permitted what the change",
        "could have opened or closed.",
        f"Goal: {wanted:,} cases for each invariant.",
        "",
        "| invariant | cases | premise held | failures |",
        "|---|--:|--:|--:|",
    ]
    for name in sorted(cases):
        bad = sum(one.startswith(name) for one in failures)
        title = name.removeprefix("check_").replace("_", " ")
        text.append(f"| {title} | {cases[name]:,} | {met[name]:,} | {bad} |")
    text += ["", "| group | CPU seconds | cases by hash of the source walked |", "|---|--:|---|"]
    for group in GROUPS:
        by = ", ".join(f"`{source}` {count:,}" for source, count in sources[group].items())
        text.append(f"| {group} | {seconds[group]:,.0f} | {by} |")
    text += ["", "Failures:", "", *(f"- {one}" for one in sorted(failures))] if failures else ["", "No failure."]
    notes = ROOT / "docs" / "consent-campaign-notes.md"
    return "\n".join(text) + "\n" + ("\n" + notes.read_text("utf-8") if notes.exists() else "")


def main() -> int:
    """Run what is not on record yet, write the summary; 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--groups", default=",".join(one for one in GROUPS if one != "hub"), help="hub: 20,000 CPU-s")
    parser.add_argument("--again", default="", help="groups to walk again where the source has changed")
    parser.add_argument("--record", type=Path, default=ROOT / "docs" / "consent-campaign.jsonl")
    parser.add_argument("--doc", type=Path, default=ROOT / "docs" / "consent-campaign.md")
    parser.add_argument("--only-write", action="store_true", help="write the summary from the record, walk nothing")
    given = parser.parse_args()
    engine = {group: source_hash(group) for group in GROUPS}
    done = {
        (line["group"], line["start"])
        for line in read(given.record)
        if line["group"] not in given.again.split(",") or line["source"] == engine[line["group"]]
    }
    todo = [
        (group, start, min(SHARD[group], given.cases - start), engine[group])
        for group in given.groups.split(",")
        for start in range(0, given.cases, SHARD[group])
        if (group, start) not in done and not given.only_write
    ]
    os.nice(19)
    with ProcessPoolExecutor(given.jobs) as pool, given.record.open("a", encoding="utf-8") as record:
        for future in as_completed([pool.submit(run, *one) for one in todo]):
            line = future.result()
            record.write(json.dumps(line) + "\n")
            record.flush()
            print(f"{line['group']} {line['start']} {line['seconds']} s {line['failed'][:2] or ''}", flush=True)
    lines = read(given.record)
    given.doc.write_text(summary(lines, given.cases), encoding="utf-8")
    print(f"written: {given.doc}")
    return int(any(line["failed"] for line in lines))


if __name__ == "__main__":
    sys.exit(main())
