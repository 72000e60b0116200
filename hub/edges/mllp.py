"""The MLLP door: asyncio at the edge, the synchronous core in a thread, every frame answered within its limits.

Plain text is spoken on loopback only; elsewhere both sides show a certificate. An agency that can do no better is
registered with `plaintext: true` and its source addresses, is named at each start, and fails `hub doctor`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from hub.errors import Misconfigured
from hub.messaging.frames import Frame, FrameReader, Kind, frame


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection."""

    address: str
    """IP address."""
    certificate: str
    """SHA-256 of the client certificate (DER), lower-case hex; "" without TLS."""

    @property
    def is_local(self) -> bool:
        """Whether the connection never left this machine."""
        return ip_address(self.address).is_loopback


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection and one server may hold. Seconds and bytes."""

    frame_bytes: int = 10 * 1024 * 1024
    frame_seconds: float = 30.0
    idle_seconds: float = 900.0
    connections: int = 200
    in_flight: int = 32


Handler = Callable[[bytes, Peer], bytes | None]
"""Takes one message, returns the acknowledgement, or None when the sender wants none. Runs in a
thread; never raises."""

Refuser = Callable[[Kind], bytes]
"""The answer to what is not a message."""


class MllpServer:
    """Listens, reads frames, answers each in order on its own connection."""

    def __init__(self, handle: Handler, refuse: Refuser, busy: Callable[[bytes], bytes], limits: Limits) -> None:
        """`busy` makes the answer (AR) to a message that cannot be taken now."""
        self._handle, self._refuse, self._busy, self._limits = handle, refuse, busy, limits
        self._threads = ThreadPoolExecutor(limits.in_flight, thread_name_prefix="mllp")
        self._in_flight = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; return the port. `port` 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening, let messages under way finish, close the connections."""
        if self._server is not None:
            self._server.close()
        while self._in_flight:
            await asyncio.sleep(0.01)
        for writer in list(self._open):
            writer.close()
        self._threads.shutdown(wait=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._limits.connections:
            writer.close()
            return
        self._open.add(writer)
        try:
            # A sender that leaves in the middle sends again what it was not acknowledged.
            with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
                await self._converse(reader, writer, _peer(writer))
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        frames = FrameReader(self._limits.frame_bytes)
        loop = asyncio.get_running_loop()
        began = 0.0
        while True:
            began = (began or loop.time()) if frames.waiting else 0.0
            patience = self._limits.frame_seconds - (loop.time() - began) if began else self._limits.idle_seconds
            try:
                data = await asyncio.wait_for(reader.read(65536), max(patience, 0.001))
            except TimeoutError:
                await self._answer_all(list(frames.flush()), writer, peer)
                return
            found = list(frames.feed(data)) if data else list(frames.flush())
            if found:
                began = 0.0
            await self._answer_all(found, writer, peer)
            if not data:
                return

    async def _answer_all(self, found: list[Frame], writer: asyncio.StreamWriter, peer: Peer) -> None:
        for one in found:
            answer = await self._answer(one, peer)
            if answer is not None:
                writer.write(frame(answer))
                await asyncio.wait_for(writer.drain(), self._limits.frame_seconds)

    async def _answer(self, one: Frame, peer: Peer) -> bytes | None:
        if one.kind is not Kind.MESSAGE:
            return self._refuse(one.kind)
        if self._in_flight >= self._limits.in_flight:
            return self._busy(one.raw)
        self._in_flight += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._handle, one.raw, peer)
        finally:
            self._in_flight -= 1


def _peer(writer: asyncio.StreamWriter) -> Peer:
    address = str(writer.get_extra_info("peername")[0])
    tls = writer.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True) if tls is not None else None
    return Peer(address, hashlib.sha256(shown).hexdigest() if shown else "")


def server_tls(certificate: Path, key: Path, trusted: Path) -> ssl.SSLContext:
    """A context that demands a client certificate signed by `trusted` (TLS 1.2 or later)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(trusted))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


def require_safe_door(host: str, tls: ssl.SSLContext | None, plaintext_agencies: list[str]) -> None:
    """Refuse to open a plain-text door off loopback, unless agencies are registered for it.

    Raises :class:`hub.errors.Misconfigured`.
    """
    if tls is not None or plaintext_agencies or ip_address(host).is_loopback:
        return
    raise Misconfigured(
        f"MLLP on {host} would be plain text off loopback. Set HUB_MLLP_TLS_CERT, HUB_MLLP_TLS_KEY and "
        "HUB_MLLP_TLS_CA, or listen on 127.0.0.1."
    )
