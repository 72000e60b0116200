"""Who this process is, and whether another one is certainly dead.

A heartbeat that stopped proves nothing: the process may be paused, or cut off from the database, and still send.
Death is certain when the process is gone from the very process table it ran in (same boot, same process namespace), or
when its machine has booted again since. What cannot be proven from here an operator may declare.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from hub.storage import processes
from hub.storage.ids import new_id
from hub.storage.processes import Process
from hub.storage.store import Unit

_OUTERMOST: Final = "pid:[4026531836]"
"""The first process namespace of a Linux machine: whoever lives there is in no container."""


@dataclass(frozen=True, slots=True)
class Presence:
    """This process, under an id of its own."""

    id: str = field(default_factory=new_id)
    host: str = field(default_factory=lambda: here())
    pid: int = field(default_factory=os.getpid)

    def announce(self, unit: Unit, at: datetime) -> str:
        """Make sure that the process is known; returns its id. Needed before it may claim anything."""
        if not processes.known(unit, self.id):
            processes.announce(unit, self.id, self.host, self.pid, started(self.pid), at)
        return self.id


def here() -> str:
    """Host name, machine, boot and process namespace, separated by slashes."""
    return "/".join(
        (
            socket.gethostname(),
            _read("/etc/machine-id"),
            _read("/proc/sys/kernel/random/boot_id"),
            _namespace(),
        )
    )


def started(pid: int) -> int | None:
    """When the process with this pid began, in clock ticks since the boot.

    None if there is none, if all of its threads have ended, or if this system does not say.
    """
    try:
        threads = [_stat(path) for path in Path(f"/proc/{pid}/task").iterdir()]
        leader = _stat(Path(f"/proc/{pid}"))
    except (OSError, IndexError):
        return None
    if all(fields[0] in ("Z", "X") for fields in threads):
        return None
    return int(leader[19])


def confirmed_dead(process: Process, place: str | None = None) -> bool:
    """Whether `process` certainly runs no more, seen from `place` (default: here)."""
    theirs, ours = process.host.split("/"), (place or here()).split("/")
    if len(theirs) != len(ours) or not ours[2] or not theirs[2]:
        return False
    if theirs[2] == ours[2]:
        return theirs[3] == ours[3] and _gone(process)
    same_machine = theirs[:2] == ours[:2] and ours[1] != ""
    return same_machine and theirs[3] == ours[3] == _OUTERMOST


def _gone(process: Process) -> bool:
    return process.ticks is not None and started(process.pid) != process.ticks


def _stat(path: Path) -> list[str]:
    """The fields of ``/proc/PID/stat`` behind the name: state first, start time twentieth."""
    return (path / "stat").read_text().rpartition(")")[2].split()


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip().replace("/", "")
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
