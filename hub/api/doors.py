"""What stands before every request: limits, the access log, the headers that keep answers out of caches.

Plain ASGI, because it sees bodies as they stream. The log names the route as it is written in the code, never the
address that was asked for: a sender could put a name there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.problems import problem_of, render
from hub.errors import Busy
from hub.metrics import Metrics

log = structlog.get_logger()

ALWAYS_OPEN: Final = frozenset({"/health", "/metrics"})
BODY_SECONDS: Final = 60.0
"""How long a body may take to arrive: a slow sender may not hold a place for ever."""
HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Doors:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, max_body: int, max_waiting: int) -> None:
        """`max_body` in bytes; `max_waiting` requests at once, more hear 503."""
        self._app, self._metrics = app, metrics
        self._max_body, self._max_waiting = max_body, max_waiting
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, seen = time.perf_counter(), _Seen(send)
        if self._waiting >= self._max_waiting and scope["path"] not in ALWAYS_OPEN:
            await render(Request(scope), problem_of(Busy()))(scope, receive, seen.send)
            self._note(scope, seen.status, began)
            return
        self._waiting += 1
        try:
            await self._app(scope, _bounded(scope, receive, self._max_body), seen.send)
        finally:
            self._waiting -= 1
            self._note(scope, seen.status, began)

    def _note(self, scope: MutableMapping[str, Any], status: int, began: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "unknown"
        seconds = time.perf_counter() - began
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        if scope["path"] not in ALWAYS_OPEN:
            caller = scope.get("state", {}).get("caller", "")
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1), caller=caller)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Seen:
    """Adds the headers and remembers the status."""

    def __init__(self, send: Send) -> None:
        self._send, self.status = send, 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message.get("headers", ())}
            more = [pair for pair in HEADERS if pair[0] not in given]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await self._send(message)


def _bounded(scope: Scope, receive: Receive, limit: int) -> Receive:
    """`receive` that hands over at most `limit` bytes in at most `BODY_SECONDS`, whatever the headers promised."""
    promised = dict(scope["headers"]).get(b"content-length", b"0")
    until = time.monotonic() + BODY_SECONDS
    count, whole = 0, False

    async def bounded() -> Message:
        nonlocal count, whole
        if whole:
            return await receive()
        if not promised.isdigit() or int(promised) > limit:
            raise HTTPException(413)
        try:
            message = await asyncio.wait_for(receive(), max(until - time.monotonic(), 0.0))
        except TimeoutError:
            raise HTTPException(408) from None
        count += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if count > limit:
            raise HTTPException(413)
        return message

    return bounded
