"""The load generator, a process of its own: some connections, each with one request under way, answers counted.

Reads one JSON object (:class:`Task`) from standard input, prints one (:class:`Tally`) when it is done. It ends after
`seconds` or `most` requests, whichever comes first, and gives up on an answer that takes longer than `patience`.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any, Final

from bench.messages import CHILDREN, Mould

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CODE: Final = re.compile(rb"\rMSA\|(\w\w)\|")


@dataclass(frozen=True, slots=True)
class Task:
    """What to send, where, how long."""

    protocol: str
    """``http`` or ``mllp``."""
    port: int
    kind: str
    run: str
    children: int = CHILDREN
    first: int = 0
    """Number of the first message."""
    connections: int = 1
    seconds: float = 2.0
    most: int = 1_000_000
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    patience: float = 30.0


@dataclass(slots=True)
class Tally:
    """What came back."""

    count: int = 0
    """Answers that said yes."""
    seconds: float = 0.0
    """From the first request to the last answer."""
    failed: dict[str, int] = field(default_factory=dict)
    """Other answers by their code."""
    median: float = 0.0
    """Seconds from a request to its answer."""
    slowest_20th: float = 0.0
    """The 95th percentile of the same."""


class Line:
    """One connection with one request under way."""

    def __init__(self, port: int, patience: float) -> None:
        """Connect to a port of this machine."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""
        self.asked = 0.0

    def ask(self, request: bytes) -> None:
        """Send; what was held of an earlier answer is gone."""
        self.held, self.asked = b"", time.perf_counter()
        self.socket.sendall(request)


def run(task: Task) -> Tally:
    """Do it. Raises OSError when the other side is not there or leaves, TimeoutError when it stays silent."""
    mould, ended, request = Mould(task.kind, task.run, task.children), ENDED[task.protocol], _wrapper(task)
    tally, delays, failed = Tally(), [], Counter[str]()
    sent = 0
    with ExitStack() as open_lines, selectors.DefaultSelector() as selector:
        lines = [Line(task.port, task.patience) for _ in range(task.connections)]
        for line in lines:
            open_lines.enter_context(line.socket)
        begun = time.perf_counter()
        for line in lines[: task.most]:
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.ask(request(mould.cast(task.first + sent)))
            sent += 1
        while selector.get_map():
            ready = selector.select(task.patience)
            if not ready:
                raise TimeoutError(f"no answer within {task.patience:.0f} s")
            for key, _ in ready:
                line = key.data
                answer = _more(line, ended)
                if answer is None:
                    continue
                now = time.perf_counter()
                delays.append(now - line.asked)
                if answer:
                    failed[answer] += 1
                else:
                    tally.count += 1
                if now - begun < task.seconds and sent < task.most:
                    line.ask(request(mould.cast(task.first + sent)))
                    sent += 1
                else:
                    selector.unregister(line.socket)
        tally.seconds = time.perf_counter() - begun
    tally.failed = dict(failed)
    cuts = quantiles(delays, n=20) if len(delays) > 1 else delays * 19
    tally.median, tally.slowest_20th = cuts[9], cuts[18]
    return tally


def _more(line: Line, ended: Callable[[bytes], str | None]) -> str | None:
    data = line.socket.recv(262_144)
    if not data:
        raise ConnectionError("the other side closed the connection")
    line.held += data
    return ended(line.held)


def _wrapper(task: Task) -> Callable[[bytes], bytes]:
    if task.protocol == "mllp":
        return lambda message: b"\x0b" + message + b"\x1c\r"
    named = "".join(f"{name}: {value}\r\n" for name, value in task.headers.items())
    head = f"POST {task.path} HTTP/1.1\r\nhost: 127.0.0.1:{task.port}\r\n{named}content-length: %d\r\n\r\n".encode()
    return lambda message: head % len(message) + message


def _http_ended(held: bytes) -> str | None:
    """None while the answer is not whole, "" for yes, else its code."""
    head, mark, body = held.partition(b"\r\n\r\n")
    if not mark:
        return None
    status, length = _STATUS.match(head), _LENGTH.search(head)
    if status is None or length is None:
        raise ConnectionError("an answer without status or length")
    if len(body) < int(length[1]):
        return None
    return "" if status[1].startswith(b"2") else status[1].decode()


def _mllp_ended(held: bytes) -> str | None:
    if not held.endswith(b"\x1c\r"):
        return None
    code = _CODE.search(held)
    said = code[1].decode() if code else "no MSA"
    return "" if said in ("AA", "CA") else said


ENDED: Final[dict[str, Callable[[bytes], str | None]]] = {"http": _http_ended, "mllp": _mllp_ended}


def main() -> None:
    """One task from standard input to standard output."""
    given: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(run(Task(**given))), sys.stdout)


if __name__ == "__main__":
    main()
