"""A recipient's webhook that says yes to everything and counts it. Run as ``python -m bench.peers.sink PORT``."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

came = {"messages": 0, "bytes": 0}


async def take(request: Request) -> Response:
    """One message."""
    came["messages"] += 1
    came["bytes"] += len(await request.body())
    return Response(status_code=202)


async def told(_request: Request) -> Response:
    """How many came."""
    counted: dict[str, Any] = came
    return JSONResponse(counted)


app = Starlette(routes=[Route("/inbound", take, methods=["POST"]), Route("/", told)])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="asyncio", access_log=False, log_level="warning")
