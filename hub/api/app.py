"""Puts the HTTP door together."""

from __future__ import annotations

from importlib.metadata import version

import msgspec
from fastapi import FastAPI, Response

from hub.api import callers, cases, messages, operations, problems
from hub.api.doors import Doors
from hub.metrics import Metrics
from hub.parts import Parts
from hub.security.oauth import TokenServer
from hub.storage import overview


def create_app(parts: Parts) -> FastAPI:
    """The application over `parts`; `app.state` holds parts, metrics and the token server."""
    app = FastAPI(
        title="onestop-hub",
        summary="A consent-aware hub between the agencies that protect a child",
        version=version("onestop-hub"),
        docs_url=None,
        redoc_url=None,
        default_response_class=JsonResponse,
    )
    metrics = Metrics(lambda: _delivery_counts(parts))
    settings = parts.settings
    app.state.parts, app.state.metrics = parts, metrics
    app.state.tokens = TokenServer(
        parts.store, parts.clock, settings.token_url, lambda client_id: callers.find_client(parts, client_id)
    )
    problems.install(app)
    for router in (callers.router, messages.router, cases.router, operations.router):
        app.include_router(router)
    app.add_middleware(Doors, metrics=metrics, max_body=settings.max_body, max_waiting=settings.max_waiting)
    return app


class JsonResponse(Response):
    """JSON by msgspec: datetimes and dates as ISO 8601."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """To bytes."""
        return msgspec.json.encode(content)


def _delivery_counts(parts: Parts) -> dict[str, int]:
    with parts.store.read() as unit:
        return overview.delivery_counts(unit)
