"""A bare starlette application that gives back what it is sent: the most that this stack could do.

Run as ``python -m bench.peers.echo PORT``.
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def echo(request: Request) -> Response:
    """The body, back."""
    return Response(await request.body(), media_type="application/fhir+json")


app = Starlette(routes=[Route("/", echo, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="asyncio", access_log=False, log_level="warning")
