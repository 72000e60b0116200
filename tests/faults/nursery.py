"""Forks a hub that has read its packs and policy already: a real process of its own, started in a moment.

`hub serve` from nothing spends seconds on reading; a campaign that kills it many times would spend them each time. For
each line on standard input a child runs `hub serve` and its pid is written to standard output.
"""

from __future__ import annotations

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
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(2, 1)
            os._exit(run(["serve"]))
        print(child, flush=True)


if __name__ == "__main__":
    main()
