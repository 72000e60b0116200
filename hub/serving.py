"""A running hub: the HTTP and MLLP doors and the worker, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
import uvicorn
from anyio import to_thread

from hub import exchange, timely, wiring
from hub.api.app import create_app
from hub.clock import Clock
from hub.edges.hl7 import Hl7Door
from hub.edges.mllp import Limits, MllpServer, require_safe_door, server_tls
from hub.errors import Misconfigured
from hub.parts import Parts
from hub.settings import Settings, read_settings
from hub.worker import Worker

HTTP_THREADS: Final = 24
"""Requests inside the synchronous core at once; more wait for a thread, and beyond `max_waiting` hear 503."""
GRACE_SECONDS: Final = 20
"""How long a stop waits for requests under way."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the hub listens, once it is ready."""

    url: str
    mllp_host: str
    mllp_port: int
    parts: Parts

    def __str__(self) -> str:
        """The ready line."""
        settings = self.parts.settings
        database = "sqlite" if self.parts.store.is_sqlite else "postgresql"
        dispatcher = "kafka" if settings.kafka else "embedded"
        return (
            f"hub ready  {self.url}  mllp://{self.mllp_host}:{self.mllp_port}  "
            f"({database}, {dispatcher} dispatcher, {settings.workers} workers)"
        )


class Hub:
    """One process's hub. `run` until `stop`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Opens nothing yet."""
        self._settings, self._clock = settings, clock
        self._server: uvicorn.Server | None = None
        self._asked = self._declared_dead = False

    async def run(self, ready: Callable[[Doors], None]) -> None:
        """Open the doors, say `ready`, serve until told to stop, leave in order.

        Raises :class:`hub.errors.Misconfigured`.
        """
        listener = _listen(self._settings)
        settings = read_settings(**self._settings.model_dump() | {"http_port": listener.getsockname()[1]})
        with contextlib.closing(listener), wiring.opened(settings, self._clock) as parts:
            log.info("packs", count=len(parts.packs))
            worker = Worker(parts, exchange.deliver, exchange.recall, settings.workers, timely.pass_time)
            worker.start()
            threading.Thread(target=self._follow, args=(worker,), name="follow-worker", daemon=True).start()
            try:
                async with _mllp(parts) as port:
                    await self._serve(
                        parts, listener, lambda: ready(Doors(settings.url, settings.mllp_host, port, parts))
                    )
            finally:
                await asyncio.to_thread(worker.stop)
            if self._declared_dead:
                raise Misconfigured("This process was declared dead elsewhere, so it stopped. Start it again.")

    def stop(self) -> None:
        """Take no more, finish what is under way. Safe from a signal handler or another thread."""
        self._asked = True
        self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    def _follow(self, worker: Worker) -> None:
        """A worker that stopped itself was declared dead: withdrawals count on it, so nothing may leave by any door."""
        worker.wait()
        self._declared_dead = not self._asked
        self._close()

    async def _serve(self, parts: Parts, listener: socket.socket, ready: Callable[[], None]) -> None:
        settings = parts.settings
        to_thread.current_default_thread_limiter().total_tokens = HTTP_THREADS
        config = uvicorn.Config(
            create_app(parts),
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=settings.http_tls_cert,
            ssl_keyfile=settings.http_tls_key,
        )
        self._server = server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if server.started:
            ready()
        await serving


def run(settings: Settings, ready: Callable[[Doors], None]) -> None:
    """Serve in this process until SIGINT or SIGTERM."""

    async def serve() -> None:
        hub = Hub(settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, hub.stop)
        await hub.run(ready)

    asyncio.run(serve())


@contextmanager
def running(settings: Settings, clock: Clock | None = None) -> Iterator[Doors]:
    """A hub in a thread of this process, for as long as the block lasts: for the demo and for tests."""
    hub, opened, failed = Hub(settings, clock), threading.Event(), list[BaseException]()
    doors: list[Doors] = []

    def ready(found: Doors) -> None:
        doors.append(found)
        opened.set()

    def serve() -> None:
        try:
            asyncio.run(hub.run(ready))
        except BaseException as error:
            failed.append(error)
        finally:
            opened.set()

    thread = threading.Thread(target=serve, name="hub", daemon=True)
    thread.start()
    opened.wait()
    if not doors:
        raise failed[0]
    try:
        yield doors[0]
    finally:
        hub.stop()
        thread.join()
    if failed:
        raise failed[0]


class _Server(uvicorn.Server):
    """Signals are this module's: uvicorn would raise them again before the worker has left in order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _mllp(parts: Parts) -> AsyncIterator[int]:
    """The MLLP door and its port."""
    settings = parts.settings
    tls = None
    if settings.mllp_tls_cert and settings.mllp_tls_key and settings.mllp_tls_ca:
        tls = server_tls(settings.mllp_tls_cert, settings.mllp_tls_key, settings.mllp_tls_ca)
    plaintext = parts.registry.plaintext_agencies()
    require_safe_door(settings.mllp_host, tls, list(plaintext))
    for agency in plaintext:
        log.warning("mllp-plaintext", agency=agency)
    door = Hl7Door(parts)
    limits = Limits(frame_bytes=settings.max_body, in_flight=min(settings.max_waiting, 32))
    server = MllpServer(door.handle, door.refuse, door.busy, limits)
    try:
        port = await server.start(settings.mllp_host, settings.mllp_port, tls)
    except OSError as error:
        raise Misconfigured(_taken("HUB_MLLP_PORT", settings.mllp_host, settings.mllp_port, error)) from None
    try:
        yield port
    finally:
        await server.close()


def _listen(settings: Settings) -> socket.socket:
    if settings.http_is_plain_off_loopback:
        log.warning("http-plaintext", host=settings.http_host)
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.http_host, settings.http_port))
    except OSError as error:
        listener.close()
        raise Misconfigured(_taken("HUB_HTTP_PORT", settings.http_host, settings.http_port, error)) from None
    return listener


def _taken(name: str, host: str, port: int, error: OSError) -> str:
    return f"Cannot listen on {host}:{port} ({error.strerror}): set {name} to another port, or 0 for any free one."
