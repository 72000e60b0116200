"""Hold the law of packs against many made messages, and harm many more; remember which shards are done.

    python tools/campaign_packs.py [--count 2000] [--harm 100000] [--only TEXT] [--processes 2] [--record FILE]

A shard is 250 messages of one type of one pack that are read (those refused by type come on top), or 5,000 harmed
messages of one codec; the record has a line for each, with the hash of the pack's content, so that a campaign started
again goes on where it was, and a changed pack is tried anew. A line names the program it was run by as well (the hash
of adapters/ and of the law's own tests); the page, docs/packs-campaign.md, counts them. Exit 1 when anything was
broken.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from adapters.checking.crossing import Bundled, Crossings  # noqa: E402
from adapters.checking.law import Law, loss_of  # noqa: E402
from adapters.library import read_folder  # noqa: E402
from tests.adapters.law import cases, test_fuzz  # noqa: E402

Shard = tuple[str, str, int, int, str]
"""Pack (or "" for harm), message type (or codec), which shard from 0, how many messages, hash."""
LAW, HARM = 250, 5_000


def main() -> int:
    """Run what is not on record yet, write the page, and say whether anything was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000, help="messages of each type")
    parser.add_argument("--harm", type=int, default=100_000, help="harmed messages of each codec")
    parser.add_argument("--only", default="", help="packs, types or codecs whose name holds this")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--record", type=Path, default=ROOT / "docs" / "packs-campaign.jsonl")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "packs-campaign.md")
    given = parser.parse_args()
    wanted = [shard for shard in shards(given.count, given.harm) if given.only in f"{shard[0]} {shard[1]}"]
    done = recorded(given.record)
    left = [shard for shard in wanted if shard not in done]
    print(f"{len(wanted)} shards, {len(left)} to do", flush=True)
    given.record.parent.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("spawn").Pool(given.processes, initializer=os.nice, initargs=(10,)) as pool:
        for shard, result in pool.imap_unordered(run, left):
            done[shard] = result
            with given.record.open("a", encoding="utf-8") as record:
                record.write(json.dumps({"shard": shard, **result}, ensure_ascii=False) + "\n")
            print(told(shard, result), flush=True)
    results = [(shard, done[shard]) for shard in wanted if shard in done]
    caps = cap_breaches(results, given.count >= 2_000)
    if not given.only:
        given.page.write_text(page(results, caps, given.count, given.harm), "utf-8")
    return 1 if caps or any(result["broken"] for _, result in results) else 0


@cache
def program() -> str:
    """The hash of the source that judges: adapters/ and the tests of the law."""
    files = sorted([*(ROOT / "adapters").rglob("*.py"), *(ROOT / "tests" / "adapters" / "law").glob("*.py")])
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def cap_breaches(results: Sequence[tuple[Shard, dict[str, Any]]], idle: bool) -> list[str]:
    """The message types of which a message lost more than the manifest says, or (`idle`) all far less."""
    lost: dict[tuple[str, str], int] = {}
    for shard, result in results:
        if shard[0]:
            lost[shard[:2]] = max(lost.get(shard[:2], 0), result["lost"])
    found = []
    for (pack_id, type_), most in sorted(lost.items()):
        law = Law(cases.pack(pack_id), type_)
        law.lost = most
        found += [f"{pack_id} {type_}: {breach.why}" for breach in law.cap(idle)]
    return found


@cache
def content(pack_id: str) -> str:
    """The hash of a pack's data: not of its README, nor of its caps of loss, which are held against the record when the
    page is written."""
    digest = sha256()
    for name, raw in sorted(read_folder(cases.manifests()[pack_id]).items()):
        if name == "README.md":
            continue
        digest.update(name.encode() + b"\0" + re.sub(rb'loss: "\d+"', b"loss", raw) + b"\0")
    return digest.hexdigest()


def shards(count: int, harm: int) -> list[Shard]:
    """Everything that there is to do: the first shards of every type first, so that what breaks shows early."""
    found: list[Shard] = []
    for number in range(-(-count // LAW)):
        for case in cases.cases():
            if case.direction != "out":
                size = min(LAW, count - number * LAW)
                found.append((case.pack_id, case.type, number, size, content(case.pack_id)))
    for number in range(-(-harm // HARM)):
        for codec in test_fuzz.CODECS:
            hashes = "".join(content(id_) for id_ in test_fuzz.of_codec(codec))
            size = min(HARM, harm - number * HARM)
            found.append(("", codec, number, size, sha256(hashes.encode()).hexdigest()))
    return found


def recorded(record: Path) -> dict[Shard, dict[str, Any]]:
    """What has been done before, by shard."""
    if not record.exists():
        return {}
    lines = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
    return {tuple(line.pop("shard")): line for line in lines}


def run(shard: Shard) -> tuple[Shard, dict[str, Any]]:
    """One shard."""
    began = time.process_time()
    result = law_shard(shard) if shard[0] else harm_shard(shard)
    return shard, {**result, "seconds": round(time.process_time() - began, 1), "program": program()}


def law_shard(shard: Shard) -> dict[str, Any]:
    """Messages of one type through the six parts of the law."""
    pack_id, type_, number, count, _ = shard
    case = next(case for case in cases.cases() if (case.pack_id, case.type) == (pack_id, type_))
    law, broken, made = Law(case.pack, case.type), Counter[str](), 0
    writers = {id_: Crossings(cases.pack(id_)) for id_ in cases.manifests()}
    crossed: dict[str, list[int]] = {id_: [0, 0, 0, 0] for id_ in writers}
    for raw in case.made(2 * count, f"campaign {number}"):
        if law.read == count:
            break
        for breach in law.check(raw, made):
            broken[f"{breach.part} at {breach.place}: {breach.why} (message {breach.message})"] += 1
        made += 1
        for bundle in law.sound:
            crossed_one = Bundled(bundle)
            for id_, writer in writers.items():
                crossing = writer.cross(crossed_one)
                sums = (1, int(crossing.written), crossing.leaves * crossing.written, crossing.lost * crossing.written)
                crossed[id_] = [one + other for one, other in zip(crossed[id_], sums, strict=True)]
                for breach in crossing.breaches:
                    broken[f"6 through {id_} at {breach.place}: {breach.why} (message {made - 1})"] += 1
    if law.read < count:
        broken[f"only {law.read} of {made} messages were read"] += 1
    return {"made": made, "read": law.read, "lost": law.lost, "crossed": crossed, "broken": dict(broken)}


def harm_shard(shard: Shard) -> dict[str, Any]:
    """Harmed messages of one codec."""
    _, codec, number, count, _ = shard
    packs, broken, longest, read = test_fuzz.of_codec(codec), Counter[str](), 0.0, 0
    for one in range(count):
        seed = f"{codec} campaign {number} {one}"
        harmed = test_fuzz.harm_one(packs, seed)
        longest, read = max(longest, harmed.seconds), read + harmed.read
        if harmed.wrong:
            broken[f"{harmed.pack}: {harmed.wrong} (seed '{seed}')"] += 1
    return {"made": count, "read": read, "longest": round(longest, 2), "broken": dict(broken)}


def told(shard: Shard, result: dict[str, Any]) -> str:
    """One line of progress, and what was broken."""
    name = f"{shard[0]} {shard[1]}".strip()
    lines = [f"{name} {shard[2]}: {result['made']} messages, {result['seconds']} s, {len(result['broken'])} broken"]
    lines += [f"    {times}x part {why}" for why, times in list(result["broken"].items())[:8]]
    return "\n".join(lines)


def page(results: Sequence[tuple[Shard, dict[str, Any]]], caps: Sequence[str], count: int, harm: int) -> str:
    """The result as docs/packs-campaign.md."""
    law: dict[tuple[str, str], list[dict[str, Any]]] = {}
    harmed: dict[str, list[dict[str, Any]]] = {}
    for shard, result in results:
        if shard[0]:
            law.setdefault((shard[0], shard[1]), []).append(result)
        else:
            harmed.setdefault(shard[1], []).append(result)
    programs = Counter(result["program"] for _, result in results)
    ran = ", ".join(f"{shards} by the program {name}" for name, shards in programs.most_common())
    lines = [
        "# The packs campaign", "",
        f"Written by `make campaign-packs`: {count:,} made messages of each type, all of them read, held against the",
        f"six parts of the law, and {harm:,} harmed messages of each codec. *Lost*: the most places that one message",
        "lost, and the manifest's cap. *Across*: of the leaves of its bundles, how much comes back through each other",
        "pack that has a word for the event (bundles written / tried).", "",
        f"{len(results)} shards: {ran}; the program as it is: {program()}.", "",
        "| pack | type | made | read | lost / cap | across | breaches |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for (pack_id, type_), rows in sorted(law.items()):
        lines.append(law_line(pack_id, type_, rows))
    lines += ["", "| codec | harmed | read all the same | longest, s of CPU | breaches |", "|---|---|---|---|---|"]
    for codec, rows in sorted(harmed.items()):
        made, read = (sum(row[name] for row in rows) for name in ("made", "read"))
        broken = sum(sum(row["broken"].values()) for row in rows)
        lines.append(f"| {codec} | {made:,} | {read:,} | {max(row['longest'] for row in rows)} | {broken} |")
    broken_lines = [f"- {name}: {why}" for name, why in breaches(law, harmed)] + [f"- {why}" for why in caps]
    if broken_lines:
        lines += ["", "## Breaches", "", *broken_lines]
    return "\n".join([*lines, ""])


def law_line(pack_id: str, type_: str, rows: list[dict[str, Any]]) -> str:
    """One row of the table."""
    cap = loss_of(cases.pack(pack_id), type_)
    across = []
    for id_ in rows[0]["crossed"]:
        tried, written, leaves, lost = (sum(row["crossed"][id_][at] for row in rows) for at in range(4))
        if written and id_ != pack_id:
            kept = 100 * (leaves - lost) // leaves if leaves else 100
            across.append(f"{id_} {kept} % ({written}/{tried})")
    made, read = sum(row["made"] for row in rows), sum(row["read"] for row in rows)
    lost, broken = max(row["lost"] for row in rows), sum(sum(row["broken"].values()) for row in rows)
    cells = (pack_id, type_, f"{made:,}", f"{read:,}", f"{lost} / {cap or '-'}", "; ".join(across) or "-", broken)
    return f"| {' | '.join(map(str, cells))} |"


def breaches(law: dict[tuple[str, str], list[Any]], harmed: dict[str, list[Any]]) -> list[tuple[str, str]]:
    """The first breaches of each type and codec."""
    found = []
    for key, rows in [*sorted(law.items()), *sorted(harmed.items())]:
        whys = [why for row in rows for why in row["broken"]]
        found += [(key if isinstance(key, str) else " ".join(key), why) for why in whys[:5]]
    return found


if __name__ == "__main__":
    sys.exit(main())
