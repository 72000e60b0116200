"""Starts processes of the run, waits until they listen, reads what they cost, and ends those and no others."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.figures import Unmeasurable

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MIB: Final = 1024


class Process:
    """One program under test; its output goes to a file that nobody but a puzzled reader looks at."""

    def __init__(self, name: str, command: list[str], folder: Path, more: Mapping[str, str] | None = None) -> None:
        """Start it in `folder`, with the variables of `more` and none of the hub's that happen to be set here."""
        self.name, self.log = name, folder / f"{name}.log"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HUB_", "MEFOR_", "PYTHON"))}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env=kept | dict(more or {}), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], object], seconds: float = 45) -> None:
        """Wait until it is `ready`. Raises :class:`Unmeasurable`."""
        end = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                raise Unmeasurable(f"{self.name} ended at its start with code {self._process.returncode}")
            if time.monotonic() > end:
                raise Unmeasurable(f"{self.name} was not ready within {seconds:.0f} s")
            time.sleep(0.05)

    def cpu_seconds(self) -> float:
        """Processor time of it and of all that it started."""
        return tree_seconds(self.pid)

    def memory_mib(self) -> tuple[float, float]:
        """(resident now, resident at most) of the process itself."""
        return _status(self.pid, "VmRSS"), _status(self.pid, "VmHWM")

    def stop(self) -> None:
        """Ask it to end; insist after ten seconds."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on that port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tree_seconds(pid: int) -> float:
    """Processor seconds of a process and of its children, living or waited for."""
    total = 0.0
    for each in _tree(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15]) / _TICKS
    return total


def busy_seconds() -> float:
    """Processor seconds that the whole machine has worked since it started, by whomever."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = fields
    return (user + nice + system + interrupts + soft + stolen) / _TICKS


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / _MIB
    return 0.0
