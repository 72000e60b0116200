"""One process with all doors: it says when it is ready, refuses what is unsafe or taken, and leaves in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException

from hub import serving
from hub.api.doors import Doors
from hub.errors import Misconfigured
from hub.metrics import Metrics
from hub.security.vault import make_root_key
from hub.settings import Settings, read_settings
from hub.storage import overview, processes
from hub.storage.store import Store
from tests.conftest import answers, wait_for
from tests.fakes.certificates import Authority


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """A hub of its own on free ports."""
    made = read_settings(data_dir=tmp_path, database_url=database_url, http_port=0, mllp_port=0, workers=1)
    make_root_key(made.key_file)
    return made


def test_the_doors_open_and_close(settings: Settings) -> None:
    """Both doors answer where the ready line says; afterwards the process has left in order and nobody listens."""
    with serving.running(settings) as doors:
        assert str(doors).startswith(f"hub ready  {doors.url}  mllp://127.0.0.1:{doors.mllp_port}")
        assert httpx.get(f"{doors.url}/health", trust_env=False).json()["status"] == "ok"
        found = httpx.get(f"{doors.url}/.well-known/smart-configuration", trust_env=False).json()
        assert found["token_endpoint"] == f"{doors.url}/oauth/token"
        with socket.create_connection(("127.0.0.1", doors.mllp_port), timeout=5) as line:
            line.sendall(b"\x0bgarbage\x1c\r")
            assert b"MSA|AR" in line.recv(4096)
        port = doors.mllp_port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    store = Store(settings.database)
    with store.read() as unit:
        assert processes.running(unit) == []
    store.close()


def test_a_taken_port_is_named(settings: Settings) -> None:
    """The message names the setting to change, for both doors."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for name in ("http_port", "mllp_port"):
            wrong = read_settings(**settings.model_dump() | {name: port})
            with pytest.raises(Misconfigured, match=f"HUB_{name.upper()}"), serving.running(wrong):
                pass


def test_a_plain_mllp_door_off_this_machine_stays_shut(settings: Settings) -> None:
    """Without certificates MLLP listens on loopback only."""
    wide = read_settings(**settings.model_dump() | {"mllp_host": "0.0.0.0"})
    with pytest.raises(Misconfigured, match="HUB_MLLP_TLS_CERT"), serving.running(wide):
        pass


def test_tls_doors_know_who_is_there(settings: Settings, tmp_path: Path) -> None:
    """HTTPS answers; MLLP takes the registered certificate, rejects another one, and hears nobody without one."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    certificate, key, _ = authority.certify("hub")
    safe = read_settings(
        **settings.model_dump()
        | {"http_tls_cert": certificate, "http_tls_key": key, "mllp_tls_cert": certificate, "mllp_tls_key": key}
        | {"mllp_tls_ca": authority.path}
    )
    known, other, unsigned = authority.certify("known"), authority.certify("other"), stranger.certify("unsigned")
    entry = {
        "id": "benh-vien-mau", "sector": "health", "unit": "exam-unit", "titles": {"vi": "Mẫu", "en": "Sample"},
        "packs": {"in": ["health/hl7v2"]},
        "transports": {"mllp": {"application": "HIS", "facility": "BV-MAU", "certificate": known[2]}},
    }  # fmt: skip
    sample = Path(__file__).parents[3] / "adapters" / "health" / "hl7v2" / "samples" / "oru-r01-exam.hl7"
    with serving.running(safe) as doors:
        doors.parts.registry.add(entry, "test")
        trust = ssl.create_default_context(cafile=str(authority.path))
        assert doors.url.startswith("https://")
        assert httpx.get(f"{doors.url}/health", verify=trust, trust_env=False).status_code == 200

        def say(pair: tuple[Path, Path, str] | None) -> bytes:
            context = ssl.create_default_context(cafile=str(authority.path))
            if pair is not None:
                context.load_cert_chain(pair[0], pair[1])
            with (
                socket.create_connection(("127.0.0.1", doors.mllp_port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as line,
            ):
                line.sendall(b"\x0b" + sample.read_bytes() + b"\x1c\r")
                return line.recv(4096)

        assert b"|CA|" in say(known)
        assert b"|CR|" in say(other)
        for pair in (unsigned, None):
            heard = b""
            with contextlib.suppress(OSError):
                heard = say(pair)
            assert heard == b""
        with doors.parts.store.read() as unit:
            assert len(overview.messages(unit)) == 1


def test_the_command_says_one_line_and_ends_well(tmp_path: Path) -> None:
    """A fresh `hub serve` makes its key, prints one line with its addresses, and ends 0 on SIGTERM."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    mine |= {"HUB_DATA_DIR": str(tmp_path / "data"), "HUB_HTTP_PORT": "0", "HUB_MLLP_PORT": "0"}
    command = [sys.executable, "-m", "hub", "serve"]
    with subprocess.Popen(command, env=mine, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("hub ready  http://127.0.0.1:")
        assert (tmp_path / "data" / "root.key").exists()
        process.send_signal(signal.SIGTERM)
        rest, logged = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in logged


def test_a_process_that_was_declared_dead_shuts_its_doors(tmp_path: Path) -> None:
    """Withdrawals count on its silence: it stops by itself, inbox and all, and says why."""
    settings = read_settings(data_dir=tmp_path, http_port=0, mllp_port=0, workers=1)
    make_root_key(settings.key_file)

    def declare_dead() -> None:
        with serving.running(settings) as doors:
            with doors.parts.store.write() as unit:
                processes.end(unit, doors.parts.presence.id, doors.parts.clock.now())
            port = int(doors.url.rsplit(":", 1)[1])
            wait_for(lambda: not answers(port), 30)

    with pytest.raises(Misconfigured, match="declared dead"):
        declare_dead()


def test_too_many_at_once_hear_when_to_come_again() -> None:
    """Beyond `max_waiting` a request is answered 503 with Retry-After; health is always answered; then it goes on."""

    async def story() -> list[Any]:
        released = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                await released.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        doors = Doors(slow, Metrics(dict), max_body=1024, max_waiting=1)
        transport = httpx.ASGITransport(app=doors)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            first = asyncio.create_task(client.get("/slow"))
            await asyncio.sleep(0.05)
            full, health = await client.get("/other"), await client.get("/health")
            released.set()
            return [full, health, await first, await client.get("/other")]

    full, health, first, after = asyncio.run(story())
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
    assert full.headers["content-type"] == "application/problem+json"
    assert [one.status_code for one in (health, first, after)] == [200, 200, 200]


def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time a slow sender hears 408 and its place is free."""
    monkeypatch.setattr("hub.api.doors.BODY_SECONDS", 0.05)
    heard: list[int] = []

    async def reads(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
        except HTTPException as error:
            heard.append(error.status_code)
        await send({"type": "http.response.start", "status": heard[-1], "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def drips() -> Any:
        yield b"a"
        await asyncio.sleep(5)

    async def story() -> int:
        doors = Doors(reads, Metrics(dict), max_body=1024, max_waiting=1)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=doors), base_url="http://hub") as client:
            return (await client.post("/slow", content=drips())).status_code

    assert asyncio.run(story()) == 408
