"""What servers do over real sockets: one process each, all asked in turn within a round by the same load generator."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx

from bench import environments
from bench.figures import Comparison, Figure, Memory, Unmeasurable
from bench.load import Tally, Task
from bench.messages import CHILDREN
from bench.processes import Process, free_port, listens, tree_seconds
from bench.serving import Database, Hub, postgresql

ROOT: Final = Path(__file__).parent.parent
JSON: Final = {"content-type": "application/fhir+json"}
_DRAIN_SECONDS: Final = 60.0
_TREATED: Final = 10
"""Children whom another agency treats, in the hub that delivers."""

FOUNDRY_CONFIG: Final = """
from messagefoundry import MLLP, File, Send, handler, inbound, outbound, router

inbound("IB_BENCH", MLLP(port={port}), router="bench_all")
inbound("IB_KEPT", MLLP(port={kept}), router="bench_none")
outbound("FILE-OUT_BENCH", File(directory="./out", filename="{{MSH-10}}.hl7"))


@router("bench_all")
def route_all(msg):
    return ["bench_copy"]


@router("bench_none")
def route_none(msg):
    return []


@handler("bench_copy")
def copy(msg):
    return Send("FILE-OUT_BENCH", msg)
"""
"""MLLP in, file out, nothing translated; and a second door whose messages are stored and go nowhere."""


@dataclass(slots=True)
class Subject:
    """One server asked in one way."""

    figure: Figure
    warm: int = CHILDREN
    """Requests before anything is measured."""
    process: Process | None = None
    task: Task | None = None
    headers: Callable[[], dict[str, str]] = dict
    also: Callable[[], float] = float
    """Processor seconds spent on its behalf outside its process (a database server)."""
    settle: Callable[[], None] = lambda: None
    """Waits until what it does afterwards is done."""
    prepare: Callable[[], None] | None = None
    """Makes it warm in another way than by asking `warm` times."""
    after: Figure | None = None
    """What is done when `settle` is over: the same pieces, delivered too."""
    sent: int = 0


@dataclass(slots=True)
class Family:
    """Subjects that share a process; when it cannot be started, all are missing for that reason."""

    who: str
    subjects: list[Subject]
    start: Callable[[ExitStack, Path, list[Subject]], Process]
    ready_mib: float = 0.0
    process: Process | None = field(default=None)


def families() -> list[Family]:
    """Everything that is asked over sockets, in the order of a round."""
    oru, fhir = "ORU^R01 with 30 OBX by MLLP to its ACK", "POST of an Observation"
    echo = [_subject("echo", "Bare starlette echo: POST of the same Bundle, given back", 200)]
    starter = [_subject("fhirstarter", f"fhirstarter 4.2: {fhir}, kept in memory", 60)]
    found = [Family("starlette echo", echo, start_echo), Family("fhirstarter 4.2", starter, start_fhirstarter)]
    for key, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        subjects = [
            _subject(f"hub/{key}/fhir", f"hub on {name}: authenticated, durable {fhir} (message Bundle) to `/fhir`"),
            _subject(f"hub/{key}/mllp-1", f"hub on {name}: {oru}, 1 connection"),
            _subject(f"hub/{key}/mllp-8", f"hub on {name}: {oru}, 8 connections", 0),
        ]
        found.append(Family(f"hub serve on {name}", subjects, start_hub(key)))
    delivering = [_subject("hub/delivering/mllp-8", f"hub on SQLite, delivering meanwhile: {oru}, 8 connections", 0)]
    delivering[0].after = _after("hub/delivering/drained", "hub on SQLite: the same until a webhook has the last one")
    found.append(Family("hub serve, delivering", delivering, start_delivering))
    foundry = [
        _subject("foundry/mllp-1", f"MessageFoundry 0.2.1, MLLP to file: {oru}, 1 connection", 60),
        _subject("foundry/mllp-8", f"MessageFoundry 0.2.1, MLLP to file: {oru}, 8 connections", 0),
        _subject("foundry/kept-8", f"MessageFoundry 0.2.1, stored and sent nowhere: {oru}, 8 connections", 60),
    ]
    foundry[1].after = _after("foundry/drained-8", "MessageFoundry 0.2.1: the same until the last file is written")
    return [*found, Family("MessageFoundry 0.2.1", foundry, start_foundry)]


COMPARISONS: Final = (
    Comparison("Durable POST of an Observation (SQLite)", "hub/sqlite/fhir", "fhirstarter", 8),
    Comparison("Durable POST of an Observation (SQLite)", "hub/sqlite/fhir", "echo", 0.15),
    Comparison("Durable POST of an Observation (PostgreSQL)", "hub/postgresql/fhir", "fhirstarter", 8),
    Comparison("Durable POST of an Observation (PostgreSQL)", "hub/postgresql/fhir", "echo", 0.15),
    Comparison("ORU by MLLP, 1 connection (SQLite)", "hub/sqlite/mllp-1", "foundry/mllp-1"),
    Comparison("ORU by MLLP, 8 connections (SQLite)", "hub/sqlite/mllp-8", "foundry/mllp-8", 5),
    Comparison("ORU by MLLP, 8 connections (SQLite)", "hub/sqlite/mllp-8", "foundry/kept-8"),
    Comparison("ORU by MLLP, 8 connections (SQLite)", "hub/sqlite/mllp-8", "hl7/parse", 1),
    Comparison(
        "ORU by MLLP, 8 connections (SQLite), delivering meanwhile", "hub/delivering/mllp-8", "foundry/mllp-8", 5
    ),
    Comparison("ORU by MLLP until the last is delivered (SQLite)", "hub/delivering/drained", "foundry/drained-8", 5),
    Comparison("ORU by MLLP, 8 connections (PostgreSQL)", "hub/postgresql/mllp-8", "foundry/mllp-8", 5),
)


def _subject(key: str, what: str, warm: int = CHILDREN) -> Subject:
    return Subject(Figure(key, what, served=True), warm)


def _after(key: str, what: str) -> Figure:
    return Figure(key, what, served=True)


# --- the servers ---------------------------------------------------------------------------------------------------


def start_echo(stack: ExitStack, folder: Path, subjects: list[Subject]) -> Process:
    """The bare echo, with the hub's own interpreter and libraries."""
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.echo", str(port)]
    process = _started(stack, Process("echo", command, folder, {"PYTHONPATH": str(ROOT)}), port)
    subjects[0].task = Task("http", port, "bundle", "e", connections=8, headers=JSON)
    return process


def start_fhirstarter(stack: ExitStack, folder: Path, subjects: list[Subject]) -> Process:
    """fhirstarter, in its own environment."""
    python, port = environments.python_of("fhirstarter"), free_port()
    script = Path(__file__).parent / "peers" / "fhirstarter_app.py"
    process = _started(stack, Process("fhirstarter", [str(python), str(script), str(port)], folder), port)
    subjects[0].task = Task("http", port, "observation", "f", connections=8, path="/Observation", headers=JSON)
    return process


def start_hub(key: str) -> Callable[[ExitStack, Path, list[Subject]], Process]:
    """The hub on one of its databases."""

    def start(stack: ExitStack, folder: Path, subjects: list[Subject]) -> Process:
        database = stack.enter_context(postgresql()) if key == "postgresql" else Database()
        hub = Hub(f"hub-{key}", folder, database.url)
        stack.callback(hub.stop)
        hub.wait()
        over_http, one, eight = subjects
        over_http.task = Task("http", hub.http_port, "bundle", "h", connections=8, path="/fhir")
        over_http.headers = hub.headers
        one.task = Task("mllp", hub.mllp_port, "oru", "h1")
        eight.task = Task("mllp", hub.mllp_port, "oru", "h8", connections=8)
        if database.pid:
            for subject in subjects:
                subject.also = lambda: tree_seconds(database.pid)
        return hub.process

    return start


def start_delivering(stack: ExitStack, folder: Path, subjects: list[Subject]) -> Process:
    """A hub that must decide, release, write and send each message to an agency that treats the child."""
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.sink", str(port)]
    _started(stack, Process("sink", command, folder, {"PYTHONPATH": str(ROOT)}), port)
    hub = Hub("hub-delivering", folder, "", f"http://127.0.0.1:{port}/inbound")
    stack.callback(hub.stop)
    hub.wait()
    (subject,) = subjects
    subject.task = Task("mllp", hub.mllp_port, "oru", "d8", connections=8, children=_TREATED)

    def prepare() -> None:
        _ask(subject, 60.0, _TREATED)
        hub.treat(_TREATED)
        already = _quiet(port) - subject.sent
        subject.settle = lambda: _wait_for(lambda: already + subject.sent - _came(port), "deliveries")
        _ask(subject, 60.0, 2 * _TREATED)
        subject.settle()

    subject.prepare = prepare
    return hub.process


def _came(port: int) -> int:
    return int(httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).json()["messages"])


def _quiet(port: int) -> int:
    """How many deliveries came, once none has come for two seconds."""
    last, since = _came(port), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.1)
        if (now := _came(port)) != last:
            last, since = now, time.monotonic()
    return last


def start_foundry(stack: ExitStack, folder: Path, subjects: list[Subject]) -> Process:
    """MessageFoundry by its documented command line, from a configuration as its `init` scaffolds it."""
    python, port, kept, api = environments.python_of("messagefoundry"), free_port(), free_port(), free_port()
    (folder / "config").mkdir()
    (folder / "config" / "bench.py").write_text(FOUNDRY_CONFIG.format(port=port, kept=kept))
    command = [
        str(python.parent / "messagefoundry"), "serve", "--config", "config", "--db", "store.db", "--env", "dev",
        "--port", str(api), "--project-root", str(folder), "--log-level", "WARNING",
    ]  # fmt: skip
    process = _started(stack, Process("messagefoundry", command, folder), port)
    process.wait_until(lambda: listens(kept))
    out = folder / "out"
    for subject, name, connections in zip(subjects, ("m1", "m8", "k8"), (1, 8, 8), strict=True):
        subject.task = Task("mllp", kept if name == "k8" else port, "oru", name, connections=connections)
    for subject in subjects[:2]:
        subject.settle = lambda: _wait_for(lambda: subjects[0].sent + subjects[1].sent - _files(out), "files")
    return process


def _started(stack: ExitStack, process: Process, port: int) -> Process:
    stack.callback(process.stop)
    process.wait_until(lambda: listens(port))
    return process


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


def _wait_for(missing: Callable[[], int], what: str) -> None:
    """Until none is `missing`. Raises :class:`Unmeasurable`."""
    end = time.monotonic() + _DRAIN_SECONDS
    while (left := missing()) > 0:
        if time.monotonic() > end:
            raise Unmeasurable(f"{left} {what} had not come {_DRAIN_SECONDS:.0f} s after the last message")
        time.sleep(0.02)


# --- the rounds ----------------------------------------------------------------------------------------------------


def measure(rounds: int, seconds: float, folder: Path, say: Callable[[str], None]) -> tuple[list[Figure], list[Memory]]:
    """All figures and memories. Every server lives from the beginning to the end; none is asked while another is."""
    known = families()
    with ExitStack() as stack:
        for family in known:
            say(f"starting {family.who}")
            _start(stack, family, folder)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for family in known:
                for subject in family.subjects:
                    _round(subject, seconds)
        memories = [_memory(family) for family in known if family.process is not None]
    figures = [subject.figure for family in known for subject in family.subjects]
    return figures + [subject.after for family in known for subject in family.subjects if subject.after], memories


def _start(stack: ExitStack, family: Family, folder: Path) -> None:
    own = folder / family.who.replace(" ", "-")
    own.mkdir()
    try:
        family.process = family.start(stack, own, family.subjects)
        family.ready_mib = family.process.memory_mib()[0]
    except Exception as error:
        print(f"bench: {family.who}: {error!r}", file=sys.stderr)
        why = str(error) if isinstance(error, Unmeasurable) else f"{type(error).__name__} when it was started"
        for subject in family.subjects:
            _miss(subject, why)
        return
    for subject in family.subjects:
        subject.process = family.process
        try:
            _warm(subject)
        except Unmeasurable as error:
            _miss(subject, str(error))
        except Exception as error:
            print(f"bench: {subject.figure.key}: {error!r}", file=sys.stderr)
            _miss(subject, f"{type(error).__name__} when it was made warm")


def _warm(subject: Subject) -> None:
    """Let caches, pools and the children become known. Raises :class:`Unmeasurable`."""
    if subject.prepare is not None:
        subject.prepare()
    elif subject.warm:
        _ask(subject, 60.0, subject.warm)
        subject.settle()


def _miss(subject: Subject, why: str) -> None:
    for figure in (subject.figure, subject.after):
        if figure is not None:
            figure.missing = figure.missing or why


def _round(subject: Subject, seconds: float) -> None:
    process, figure = subject.process, subject.figure
    if figure.missing or process is None:
        return
    before, begun = process.cpu_seconds() + subject.also(), time.perf_counter()
    try:
        tally = _ask(subject, seconds)
        subject.settle()
    except Unmeasurable as error:
        _miss(subject, str(error))
        return
    spent, drained = process.cpu_seconds() + subject.also() - before, time.perf_counter() - begun
    figure.rates.append(tally.count / tally.seconds)
    figure.costs.append(spent / tally.count)
    figure.delays.append(tally.median)
    figure.count += tally.count
    if subject.after is not None:
        subject.after.rates.append(tally.count / drained)
        subject.after.costs.append(spent / tally.count)
        subject.after.count += tally.count


def _ask(subject: Subject, seconds: float, most: int = 1_000_000) -> Tally:
    """One run of the load generator. Raises :class:`Unmeasurable` unless every answer said yes."""
    if subject.task is None:
        raise Unmeasurable("there is nobody to ask")
    task = replace(
        subject.task, seconds=seconds, most=most, first=subject.sent, headers=subject.task.headers | subject.headers()
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(task)), capture_output=True, text=True, cwd=ROOT, timeout=seconds + 60,
    )  # fmt: skip
    if done.returncode:
        print(f"bench: {subject.figure.key}: {done.stderr[-2000:]}", file=sys.stderr)
        last = done.stderr.strip().rpartition("\n")[2]
        raise Unmeasurable(last.rpartition(".")[2] if last.startswith("bench.") else last)
    given: dict[str, Any] = json.loads(done.stdout)
    tally = Tally(**given)
    if done.stderr:
        print(f"bench: {subject.figure.key}: {done.stderr[-2000:]}", file=sys.stderr)
    subject.sent += tally.count + sum(tally.failed.values())
    if tally.failed or not tally.count:
        told = ", ".join(f"{count} answered {code}" for code, count in sorted(tally.failed.items()))
        raise Unmeasurable(f"of {tally.count + sum(tally.failed.values())} requests {told or 'none was answered'}")
    return tally


def _memory(family: Family) -> Memory:
    assert family.process is not None
    now, most = family.process.memory_mib()
    return Memory(family.who, family.ready_mib, now, most)
