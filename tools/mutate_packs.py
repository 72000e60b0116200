"""Damage the packs, one row or code at a time, and count how much of it their checks notice.

    python tools/mutate_packs.py [--sample 250] [--seed 1] [--jobs 2] [--fresh] [PACK ...]

A mutant is one small change of one map or code map: a row is left out, two rows change their targets, a condition or a
label is dropped, a class is softened, a row is only read or only written, a constant is said instead of a value, a date
loses its time, a code stands for another. It is noticed by loading, by the static checks, by the samples, or by the law
on the samples and on 20 made messages of each type that the change reaches. Results are kept in a record, so that a run
that was stopped goes on; `docs/packs-mutation.md` is written from it, survivors with the reasons of
`tools/packs_mutation_reasons.yaml`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from adapters import library  # noqa: E402
from adapters.checking.crossing import Bundled, Crossings  # noqa: E402
from adapters.checking.generate import ACCEPTED  # noqa: E402
from adapters.checking.law import Law  # noqa: E402
from adapters.checking.problems import Problem  # noqa: E402
from adapters.checking.stands import stands_of  # noqa: E402
from adapters.checking.static import check_static  # noqa: E402
from adapters.errors import BrokenPack  # noqa: E402
from adapters.library import load_pack, read_folder  # noqa: E402
from adapters.mapping.engine import RowPack  # noqa: E402
from adapters.mapping.message import Message  # noqa: E402
from adapters.pack import Bundle, Pack  # noqa: E402
from tests.adapters.law import cases  # noqa: E402

PAGE, RECORD = ROOT / "docs" / "packs-mutation.md", ROOT / "docs" / "packs-mutation.jsonl"
REASONS = ROOT / "tools" / "packs_mutation_reasons.yaml"
MADE = 20
SAME = "changes nothing"
STEPS = ("load", "static", "samples", "law", "tests")
SECONDS = 60.0
"""CPU seconds that one mutant may use; more is a timeout, counted apart."""
LEFT_OUT = {"health/hl7v2": "its checks take half a minute; its tests are a suite of their own"}
Files = Mapping[str, bytes]
Site = tuple[str, str, tuple[Any, ...]]
"""File, kind of damage, where: the path of keys to a row, or the number of a code's line."""


# --- damage --------------------------------------------------------------------------------------------------


def sites(files: Files) -> Iterator[Site]:
    """Every damage that can be done to a pack's maps and code maps."""
    for name in sorted(files):
        if name.startswith("maps/"):
            for path, row in _rows(_yaml(files[name])):
                yield from ((name, kind, path) for kind in _kinds(row))
        elif name.startswith("codes/"):
            lines = _lines(files[name])
            several = len({line["code"] for line in lines}) > 1
            kinds = ("leave out a code", "another direction", *(["another code"] if several else []))
            yield from ((name, kind, (number,)) for number in range(len(lines)) for kind in kinds)


def _rows(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every row of a map with its path; a row is a mapping in a list."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            if isinstance(value, list) and isinstance(item, dict):
                yield (*path, key), item
            yield from _rows(item, (*path, key))


def _kinds(row: dict[str, Any]) -> Iterator[str]:
    leaf = "to" in row and ("at" in row or "each" in row) and not {"rows", "shape", "choose", "make"} & set(row)
    yield "leave out a row"
    if leaf:
        yield "change targets with the next row"
    if leaf and "direction" not in row:
        yield "say a constant"
    for part in ("when", "where"):
        yield from (f"drop {part} {key}" for key in (row[part] if isinstance(row.get(part), dict) else ()))
    if "class" in row:
        yield "soften the class"
    if "label" in row:
        yield "drop the label"
    if "direction" in row:
        yield "drop the direction"
    elif "to" in row or "make" in row:
        yield from ("only read", "only write")
    if "date" in row:
        yield "date without time"


def damaged(files: Files, site: Site) -> dict[str, bytes] | None:
    """The pack's files with the damage done; None when it would change nothing."""
    name, kind, path = site
    made = (_code_damage if name.startswith("codes/") else _row_damage)(files[name], kind, path)
    return None if made is None else {**files, name: made}


def _row_damage(raw: bytes, kind: str, path: tuple[Any, ...]) -> bytes | None:
    whole = deepcopy(_yaml(raw))
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    at, row = path[-1], holder[path[-1]]
    if kind == "leave out a row":
        del holder[at]
    elif kind == "change targets with the next row":
        others = [
            other for other in holder[at + 1 :] if isinstance(other, dict) and other.get("to") not in (None, row["to"])
        ]
        if not others:
            return None
        row["to"], others[0]["to"] = others[0]["to"], row["to"]
    elif kind == "say a constant":
        place = row.get("at") or row["each"]
        row["direction"] = "in"
        holder.insert(at + 1, {"at": place, "out": "1", **({"class": row["class"]} if "class" in row else {})})
    elif kind.startswith("drop when ") or kind.startswith("drop where "):
        part, key = kind.split(" ", 2)[1:]
        del row[part][key]
        if not row[part]:
            del row[part]
    elif kind == "soften the class":
        row["class"] = "referral" if row["class"] == "demographics" else "demographics"
    elif kind == "date without time":
        row["date"] = ["yyyy-MM-dd", *([row["date"]] if isinstance(row["date"], str) else row["date"])]
        if row["date"][0] == row["date"][1]:
            row["date"][0] = "yyyy-MM"
    elif kind in ("only read", "only write"):
        row["direction"] = "in" if kind == "only read" else "out"
    else:
        del row[{"drop the label": "label", "drop the direction": "direction"}[kind]]
    return yaml.safe_dump(whole, allow_unicode=True, sort_keys=False).encode()


def _code_damage(raw: bytes, kind: str, path: tuple[Any, ...]) -> bytes | None:
    lines, number = _lines(raw), path[0]
    line = lines[number]
    if kind == "leave out a code":
        del lines[number]
    elif kind == "another code":
        others = [other for other in [*lines[number + 1 :], *lines] if other["code"] != line["code"]]
        line.update({key: others[0].get(key, "") for key in line if key in ("code", "system", "display")})
    else:
        line["direction"] = "in" if line.get("direction") in ("both", "out", "", None) else "out"
    out = io.StringIO()
    writer = csv.DictWriter(
        out, [*(lines or [line])[0], *(["direction"] if "direction" not in (lines or [line])[0] else [])]
    )
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def _yaml(raw: bytes) -> Any:
    return yaml.load(raw.decode("utf-8"), Loader=yaml.CBaseLoader)


def _lines(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8"))))


def chosen(ids: Iterable[str], sample: int, seed: int) -> list[tuple[str, Site]]:
    """A sample of all damage to these packs, as much of each as of any other while it lasts."""
    turns: list[tuple[int, bytes, str, Site]] = []
    for id_ in ids:
        ranked = sorted((sha256(f"{seed} {id_} {site}".encode()).digest(), site) for site in sites(files_of(id_)))
        turns += [(turn, rank, id_, site) for turn, (rank, site) in enumerate(ranked)]
    return [(id_, site) for _, _, id_, site in sorted(turns, key=lambda one: one[:3])[:sample]]


def files_of(id_: str) -> dict[str, bytes]:
    """A pack's files as they stand."""
    return read_folder(cases.manifests()[id_])


# --- noticing ------------------------------------------------------------------------------------------------


def noticed(id_: str, files: Files) -> list[str]:
    """Which checks notice what is wrong with a pack: load, static, samples, law; none when it is sound."""
    try:
        pack = load_pack(files)
    except BrokenPack:
        return ["load"]
    known = _known(id_)
    problems = [one for one in check_static(files) if one not in known and (one.severity == "error" or _held(one.what))]
    found = {"samples" if problem.file.startswith("samples") else "static" for problem in problems}
    if any(_breaks(pack, type_, direction) for type_, direction in _reached(pack, cases.pack(id_))):
        found.add("law")
    if "law" not in found and _crosses_badly(pack):
        found.add("law")
    if not found and not _own_tests_pass(id_, files):
        found.add("tests")
    return sorted(found)


@cache
def _known(id_: str) -> frozenset[Problem]:
    """The warnings that the pack has as it stands."""
    return frozenset(check_static(files_of(id_)))


def _held(what: str) -> bool:
    """Warnings that the suite lets no pack that ships have."""
    return "comes back otherwise" in what or "no way out" in what


def _own_tests_pass(id_: str, files: Files) -> bool:
    """The pack's own tests, which see the damaged pack among the built-in ones; in the child only, once."""
    folder = ROOT / "tests" / "adapters"
    one = folder / f"{id_.replace('/', '/test_').replace('-', '_')}.py"
    paths = [path for path in (folder / id_, one, folder / "law" / "test_code_lists.py") if path.exists()]
    if not (library.BUILT_IN / id_).is_dir():
        return True  # an example: it has no tests of its own
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        sector = id_.partition("/")[0]
        _link(library.BUILT_IN, scratch, sector)
        _link(library.BUILT_IN / sector, scratch / sector, id_.partition("/")[2])
        for file, raw in files.items():
            (scratch / id_ / file).parent.mkdir(parents=True, exist_ok=True)
            (scratch / id_ / file).write_bytes(raw)
        library.BUILT_IN = scratch
        cases.manifests()[id_] = scratch / id_
        cases.pack.cache_clear()
        _quiet()
        return pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *map(str, paths)]) == 0


def _link(old: Path, new: Path, but: str) -> None:
    """A folder of links to what stands in another, but for one name."""
    new.mkdir(exist_ok=True)
    for path in old.iterdir():
        if path.name != but:
            (new / path.name).symlink_to(path)


def _quiet() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _reached(pack: Pack, clean: Pack) -> list[tuple[str, str]]:
    """The message types that the damage reaches, with their directions."""
    if not isinstance(pack, RowPack) or not isinstance(clean, RowPack):
        return [(case.type, case.direction) for case in cases.cases() if case.pack_id == pack.id]
    maps = {name for name, found in clean.codes.items() if pack.codes.get(name) != found}
    both = zip(pack.messages, clean.messages, strict=True)
    return [
        (one.type, one.direction)
        for one, was in both
        if _used(pack, one) != _used(clean, was) or maps & _maps(clean, was)
    ]


def _used(pack: RowPack, message: Message) -> list[str]:
    """The rows of a message type where they are used, those of shapes that it only includes left out."""
    return [repr(stand.row) for top in stands_of(pack, message) for stand in top.walk()]


def _maps(pack: RowPack, message: Message) -> set[str]:
    named = set() if message.event_codes is None else {message.event_codes.name}
    return named | {stand.row.codes for top in stands_of(pack, message) for stand in top.walk()}


def _breaks(pack: Pack, type_: str, direction: str) -> bool:
    """Whether the law is broken, or hardly a message read, as the conformance suite asks it."""
    if direction == "out":
        return False
    case = cases.Case(pack.id, type_, direction)
    law = Law(pack, type_)
    chance = random.Random(f"{case} ")
    raws = [*case.samples(), *cases.messages(pack, type_, chance.randrange, MADE, cases.samples(pack.id))]
    if any(law.check(raw, number) for number, raw in enumerate(raws)):
        return True
    return bool(law.cap(idle=False)) or 100 * law.read < ACCEPTED * len(raws)


def _crosses_badly(pack: Pack) -> bool:
    """Whether other packs' samples, written by this one, come back widened or cannot be read."""
    crossings = Crossings(pack)
    return any(crossings.cross(Bundled(bundle)).breaches for bundle in _foreign())


_FOREIGN: list[Bundle] = []


def _foreign() -> list[Bundle]:
    if not _FOREIGN:
        for id_ in cases.manifests():
            _FOREIGN.extend(cases.bundles(cases.pack(id_), cases.samples(id_)))
    return _FOREIGN


# --- running -------------------------------------------------------------------------------------------------


def run(todo: list[tuple[str, Site | None]], jobs: int) -> Iterator[dict[str, Any]]:
    """Try each in a process of its own, since a damaged pack's tests change what the process sees."""
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_one, todo)


def _one(one: tuple[str, Site | None]) -> dict[str, Any]:
    """Do the damage (None: none) and see who notices; a check that fails by an error of its own notices, too."""
    id_, site = one
    line = described(id_, site) if site else {"pack": id_}
    signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    files = damaged(files_of(id_), site) if site else files_of(id_)
    try:
        if site and (files is None or _same(id_, site, files)):
            return line | {"by": [SAME]}
        return line | {"by": noticed(id_, files or {})}
    except Exception as fault:
        return line | {"by": [type(fault).__name__]}


def _late(*_: object) -> None:
    raise TimeoutError


def _same(id_: str, site: Site, files: Files) -> bool:
    """Whether the damage is to a way that no message of the pack goes: what is only read is never written."""
    try:
        pack = load_pack(files)
    except BrokenPack:
        return False
    ways = {direction for _, direction in _reached(pack, cases.pack(id_))}
    _, kind, path = site
    if site[0].startswith("codes/"):
        return kind == "another direction" and ways <= {"in"} and _lines(files[site[0]])[path[0]]["direction"] == "in"
    return (kind in ("only read", "say a constant") and ways <= {"in"}) or (kind == "only write" and ways <= {"out"})


def described(id_: str, site: Site) -> dict[str, Any]:
    """What a mutant is, as the record says it."""
    file, kind, path = site
    raw = files_of(id_)[file]
    value = _lines(raw)[path[0]] if file.startswith("codes/") else _yaml(raw)
    for key in () if file.startswith("codes/") else path:
        value = value[key]
    text = ",".join(filter(None, value.values())) if file.startswith("codes/") else _short(value)
    return {
        "key": f"{id_} {_digest(id_)} {file} {kind} {list(path)}",
        "pack": id_, "file": file, "kind": kind, "text": text,
    }  # fmt: skip


@cache
def _digest(id_: str) -> str:
    """Of all that the pack holds but its words, its samples too: what changes any of it may change what is noticed."""
    held = sorted((name, raw) for name, raw in files_of(id_).items() if not name.endswith(".md"))
    return sha256(b"".join(name.encode() + raw for name, raw in held)).hexdigest()[:12]


def _short(row: dict[str, Any]) -> str:
    """A row without what stands below it."""
    kept = {key: value for key, value in row.items() if key not in ("rows", "choose", "item")}
    return json.dumps(kept, ensure_ascii=False).replace('"', "")


def main() -> int:
    """Try what is not on record yet, write the page, and say whether a survivor is without a reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="*")
    parser.add_argument("--sample", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--fresh", action="store_true", help="forget what is on record")
    given = parser.parse_args()
    if given.fresh:
        given.record.unlink(missing_ok=True)
    ids = given.packs or [id_ for id_ in cases.manifests() if id_ not in LEFT_OUT]
    _foreign()
    for id_ in ids:
        _known(id_)  # before the processes part, so that none of them asks again
    sound = run([(id_, None) for id_ in ids], given.jobs)
    if bad := [f"{line['pack']} ({', '.join(line['by'])})" for line in sound if line["by"]]:
        raise SystemExit(f"not sound as they stand: {'; '.join(bad)}")
    wanted = chosen(ids, given.sample, given.seed)
    lines = [json.loads(line) for line in given.record.read_text("utf-8").splitlines()] if given.record.exists() else []
    done = {line["key"]: line for line in lines}
    left = [one for one in wanted if described(*one)["key"] not in done]
    for line in run(list(left), given.jobs):
        done[line["key"]] = line
        with given.record.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
        print(
            f"{'+'.join(line['by']) or 'SURVIVED'}: {line['pack']} {line['file']}: {line['kind']}: {line['text']}"[
                :220
            ],
            flush=True,
        )
    found = [done[described(*one)["key"]] for one in wanted]
    if not given.packs:
        PAGE.write_text(page(found, given.seed), encoding="utf-8")
    told = Counter("+".join(line["by"]) or "survived" for line in found)
    print(", ".join(f"{times} {what}" for what, times in told.most_common()))
    return int(any(reason_of(line) is None for line in found if not line["by"]))


# --- the page ------------------------------------------------------------------------------------------------


def reason_of(line: dict[str, Any]) -> str | None:
    """Why a survivor survives: the first reason whose words all stand in what the record says of it."""
    said = f"{line['pack']} {line['file']} {line['kind']} {line['text']}"
    return next((one["why"] for one in _reasons() if all(word in said for word in one["of"])), None)


@cache
def _reasons() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(REASONS.read_text("utf-8"))
    return found


def page(lines: list[dict[str, Any]], seed: int) -> str:
    """The document: what noticed the damage to each pack, and every survivor with its reason."""
    real = [line for line in lines if line["by"] != [SAME]]
    noticed_ = [line for line in real if line["by"]]
    share = len(noticed_) / max(1, len(real))
    text = [
        "# Damaged packs",
        "",
        "Written by `make mutation-packs`. A mutant is one small change of a pack's maps or code maps; it is noticed",
        f"when the pack no longer loads, or its static checks, samples, the law on samples and {MADE} made messages",
        "of each type, or its own tests fail. Columns count what noticed it first, in that order; many are noticed by",
        "several.",
        "",
        f"Sample of {len(lines)}, seed {seed}: {len(lines) - len(real)} change nothing (a way that no message of the",
        f"pack goes). Of the other {len(real)}, **{len(noticed_)} are noticed ({share:.1%})**,",
        f"{len(real) - len(noticed_)} survive.",
        "",
        "| pack | mutants | load | static | samples | law | tests | survived |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for id_ in sorted({line["pack"] for line in real}):
        mine = [line for line in real if line["pack"] == id_]
        first = Counter(next((step for step in STEPS if step in line["by"]), "law") for line in mine if line["by"])
        counts = " | ".join(str(first[step]) for step in STEPS)
        text.append(f"| {id_} | {len(mine)} | {counts} | {sum(not line['by'] for line in mine)} |")
    text += ["", "Left out: " + "; ".join(f"`{name}` ({why})" for name, why in LEFT_OUT.items()) + "."]
    text += ["", "## Survivors, with reasons", ""]
    for line in sorted(real, key=lambda one: (one["pack"], one["file"], one["kind"], one["text"])):
        if not line["by"]:
            why = reason_of(line) or "No reason: a sample or a test is missing."
            text.append(f"- `{line['pack']}/{line['file']}`: {line['kind']}: `{line['text'][:160]}`. {why}")
    return "\n".join([*text, ""])


if __name__ == "__main__":
    sys.exit(main())
