"""A real `hub serve` process for tests that go through every door, with its log kept for those who search it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from hub.demo.world import World, read_admin_key
from tests.conftest import free_port, wait_for


@dataclass(slots=True)
class Serving:
    """One serving process and where it stands."""

    base: str
    mllp: tuple[str, int]
    folder: Path
    key: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> bytes:
        """Everything that it printed so far."""
        return (self.folder / "hub.log").read_bytes()

    def world(self) -> World:
        """The demo's people and systems, against this hub."""
        return World(self.base, self.mllp, read_admin_key(self.key, self.base))


@contextmanager
def serving(folder: Path, settings: Mapping[str, str], entry: tuple[str, ...] = ("-m", "hub")) -> Iterator[Serving]:
    """Make keys and an operator, start the hub, stop it at the end. `entry` is how Python is told to start it."""
    folder.mkdir(parents=True, exist_ok=True)
    http, mllp = free_port(), free_port()
    mine = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    mine |= {"HUB_DATA_DIR": str(folder), "HUB_HTTP_PORT": str(http), "HUB_MLLP_PORT": str(mllp), **settings}
    key = folder / "operator.key.json"
    for words in (("keys", "init"), ("admin", "add", "operator-one", "--role", "operator", "--out", str(key))):
        done = subprocess.run([sys.executable, "-m", "hub", *words], env=mine, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *entry, "serve"], env=mine, stdout=log, stderr=log)
        hub = Serving(f"http://127.0.0.1:{http}", ("127.0.0.1", mllp), folder, key, process)
        try:
            wait_for(lambda: _up(hub), 60)
            yield hub
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _up(hub: Serving) -> bool:
    assert hub.process.poll() is None, hub.log.decode("utf-8", "replace")[-2000:]
    try:
        return httpx.get(f"{hub.base}/health", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
