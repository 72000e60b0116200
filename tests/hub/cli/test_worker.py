"""A worker of its own beside the doors: it starts, and it leaves in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from hub.security.vault import make_root_key
from hub.storage import processes
from hub.storage.store import Store
from tests.conftest import Broker, Postgres


def test_a_worker_leaves_in_order(tmp_path: Path, postgres: Postgres, broker: Broker) -> None:
    """On PostgreSQL with a broker it says that it is ready, and on SIGTERM that it left, and ends 0."""
    url, key = postgres.fresh(), tmp_path / "root.key"
    make_root_key(key)
    mine = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    mine |= {"HUB_DATABASE_URL": url, "HUB_KAFKA": broker.address, "HUB_ROOT_KEY_FILE": str(key)}
    mine["HUB_KAFKA_TOPIC"] = f"worker-{tmp_path.name}"
    command = [sys.executable, "-m", "hub", "worker", "--threads", "2"]
    with subprocess.Popen(command, env=mine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hub worker ready  (2 threads)\n"
        store = Store(url)
        with store.read() as unit:
            assert [one.pid for one in processes.running(unit)] == [process.pid]
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=60)
        with store.read() as unit:
            assert processes.running(unit) == []
        store.close()
    assert process.returncode == 0, logged
