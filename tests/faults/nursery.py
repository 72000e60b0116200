"""Forks a hub that has read its packs and policy already: a real process of its own, started in a moment.

`hub serve` from nothing spends seconds on reading; a campaign that kills it many times would spend them each time. Each
line on standard input is JSON: the settings, a log file, and a bug to seed (Python that is run first). A child runs
`hub serve` with them, and its pid is written to standard output.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from hub import serving, wiring
from hub.cli import run
from hub.envelope import Envelope
from hub.exchange import accept
from hub.security.vault import make_root_key
from hub.settings import read_settings
from tests.faults.city import SENDER, clinic, exam


def warm() -> None:
    """Let one message through a hub of no importance, so that everything lazy is done."""
    with tempfile.TemporaryDirectory() as folder:
        make_root_key(Path(folder) / "root.key")
        with wiring.opened(read_settings(data_dir=folder, database_url="", kafka="")) as parts:
            parts.registry.add_all([clinic({"keys": []})], "nobody")
            accept(parts, Envelope(SENDER, "http", exam("N", "n1", "70000.5"), "application/hl7-v2"))


def main() -> None:
    """Serve lines until standard input ends."""
    assert serving
    warm()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(serve(**json.loads(line)))
        print(child, flush=True)


def serve(settings: dict[str, str], log: str, bug: str) -> int:
    """`hub serve` in this child, with its own log."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(written, stream)
    os.environ.update(settings)
    exec(bug, {})
    return run(["serve"])


if __name__ == "__main__":
    main()
