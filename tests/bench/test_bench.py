"""The bench counts honestly; no time is asserted here."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.codecs import er7
from adapters.r4.validate import validate
from bench import load, report
from bench.figures import Comparison, Figure, Memory, ratio
from bench.load import Task
from bench.messages import CHILDREN, Mould
from bench.processes import Process
from bench.run import exit_code

ROOT = Path(__file__).parent.parent.parent


class Answerer:
    """A server that answers every request with what it is told to, and counts them."""

    def __init__(self, answer: Callable[[int], bytes], ends: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer, self._ends = answer, ends
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        held = b""
        with line:
            while data := line.recv(65536):
                held += data
                if held.endswith(self._ends):
                    self.asked.append(held)
                    line.sendall(self._answer(len(self.asked)))
                    held = b""


@pytest.fixture
def mllp() -> Iterator[Answerer]:
    """Says AA to all but each fifth message, which hears AE."""
    server = Answerer(lambda number: b"\x0bMSH|^~\\&\rMSA|%s|X\r\x1c\r" % (b"AA" if number % 5 else b"AE"), b"\x1c\r")
    yield server
    server.close()


def test_load_counts_only_answers_that_say_yes(mllp: Answerer) -> None:
    """Every request is answered and counted once, and a refusal is no success."""
    tally = load.run(Task("mllp", mllp.port, "oru", "t", connections=1, seconds=60, most=20))

    assert (tally.count, tally.failed, len(mllp.asked)) == (16, {"AE": 4}, 20)


def test_load_speaks_http_on_many_connections() -> None:
    """Requests over several connections are all answered, and a status outside 2xx is no success."""
    server = Answerer(
        lambda number: b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % (202 if number > 1 else 503), b"}"
    )
    task = Task("http", server.port, "bundle", "t", connections=3, seconds=60, most=12, headers={"x-a": "b"})
    tally = load.run(task)
    server.close()

    assert (tally.count, tally.failed) == (11, {"503": 1})
    assert all(b"\r\nx-a: b\r\n" in asked for asked in server.asked)


def test_load_gives_up_on_silence() -> None:
    """A server that never answers ends the run instead of hanging it."""
    server = Answerer(lambda number: b"", b"\x1c\r")
    with pytest.raises(TimeoutError, match="no answer"):
        load.run(Task("mllp", server.port, "oru", "t", patience=0.2))
    server.close()


def test_messages_are_sound_and_each_its_own() -> None:
    """The ORU has 30 OBX, the resources pass the validator, and two messages are two messages about known children."""
    first, again = Mould("oru", "t").cast(1), Mould("oru", "t").cast(1 + CHILDREN)
    segments = [segment.name for segment in er7.parse(first).tree.segments]  # type: ignore[attr-defined]

    assert segments.count("OBX") == 30
    assert first != again
    assert first.split(b"\r")[1] == again.split(b"\r")[1]
    for kind in ("bundle", "observation"):
        assert validate(json.loads(Mould(kind, "t").cast(7))) == ()


def test_ratio_is_taken_round_by_round() -> None:
    """A slow round that both sides suffered does not change their ratio."""
    found = ratio([10.0, 1.0, 20.0], [5.0, 0.5, 10.0])

    assert found is not None
    assert (found.middle, found.low, found.high) == (2.0, 2.0, 2.0)
    assert ratio([], [1.0]) is None


def test_page_says_why_something_is_missing(tmp_path: Path) -> None:
    """What could not be measured stands in the table with its reason, and no ratio is made up for it."""
    ours = Figure("ours", "Ours", rates=[4.0], costs=[0.25], delays=[0.1], count=4, served=True)
    theirs = Figure("theirs", "Theirs", missing="it could not be installed")
    circumstances = report.Run(datetime(2026, 11, 22, tzinfo=UTC), 1.0, 5, 1.0, 100, 0.0, 0.0)
    page = tmp_path / "page.md"
    report.write(
        page, circumstances, [ours, theirs], [Comparison("Work", "ours", "theirs", 5.0)], [Memory("Ours", 1, 2, 3)]
    )

    told = page.read_text("utf-8")
    assert "| Work | Theirs | 5x | could not be measured: it could not be installed |" in told
    assert "Goals met, by the clock: 0 of 1." in told
    assert "- Theirs: could not be measured: it could not be installed" in told
    assert "| Ours | 4.0 (4.0–4.0) |" in told


def test_missing_peer_fails_the_run() -> None:
    """Something that could not be measured makes the run fail, unless that is allowed."""
    there, gone = Figure("x", "X", rates=[1.0]), Figure("y", "Y", missing="it is not there")

    assert exit_code([there, gone], allow_missing=False) == 1
    assert exit_code([there, gone], allow_missing=True) == 0
    assert exit_code([there], allow_missing=False) == 0


def test_library_figures_come_for_every_round() -> None:
    """The process that measures libraries gives one value a round of every figure, or says why not."""
    words = [sys.executable, "-m", "bench.library", "1", "0.001"]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, timeout=100)
    figures = [Figure(**each) for each in json.loads(done.stdout)]

    assert {figure.key: figure.missing for figure in figures if figure.missing} == {}
    assert all(len(figure.rates) == len(figure.costs) == 1 and figure.count > 0 for figure in figures)


def test_the_compiled_engine_is_measured_only_when_it_is_one() -> None:
    """With the engine as Python, its compiled figures are missing and say what to do."""
    words = [sys.executable, "-X", "pure", "-m", "bench.library", "1", "0.001", "compiled"]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, timeout=100)

    assert {each["missing"] for each in json.loads(done.stdout)} == {"the engine is not compiled: `make fast`"}


def test_process_ends_with_the_run(tmp_path: Path) -> None:
    """A process of the run is measured while it lives, and gone when it is stopped."""
    code = "import time; sum(range(3_000_000)); time.sleep(60)"
    process = Process("idler", [sys.executable, "-c", code], tmp_path)
    process.wait_until(lambda: process.cpu_seconds() > 0)

    assert process.memory_mib()[0] > 1
    process.stop()
    assert not Path(f"/proc/{process.pid}").exists()
