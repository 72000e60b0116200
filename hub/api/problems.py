"""Says in HTTP what went wrong: problem details (RFC 9457), or an OperationOutcome under ``/fhir``.

One table maps an error to its status, title and FHIR issue code. No answer repeats a value that was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from adapters import errors as adapters
from hub import errors
from hub.errors import Fault

log = structlog.get_logger()

PROBLEM_TYPES: Final = "https://hub.onestop.example/problems/"
"""Base of the problem types; a name, never fetched."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one class of errors is answered."""

    status: int
    title: str
    code: str
    """FHIR issue type."""


KINDS: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    (adapters.TooLarge, Kind(413, "Too large", "too-long")),
    (adapters.Malformed, Kind(400, "Malformed", "structure")),
    (adapters.Unsupported, Kind(422, "Not spoken here", "not-supported")),
    (adapters.Unmappable, Kind(422, "Cannot be mapped", "code-invalid")),
    (adapters.Refusal, Kind(422, "Refused", "processing")),
    (errors.Unauthenticated, Kind(401, "Not authenticated", "login")),
    (errors.Forbidden, Kind(403, "Not allowed", "forbidden")),
    (errors.NotFound, Kind(404, "Not found", "not-found")),
    (errors.Stale, Kind(409, "The facts changed", "conflict")),
    (errors.Conflict, Kind(409, "Conflict", "conflict")),
    (errors.TooLarge, Kind(413, "Too large", "too-long")),
    (errors.Invalid, Kind(422, "Not acceptable as it stands", "invalid")),
    (errors.Busy, Kind(503, "Full", "throttled")),
    (errors.KeyLost, Kind(410, "Erased", "deleted")),
)
"""The first that fits counts; what fits none is a fault of ours."""

FAULT: Final = Kind(500, "The hub failed", "exception")

STATUS_KINDS: Final = {
    400: Kind(400, "Malformed", "structure"),
    404: Kind(404, "Not found", "not-found"),
    405: Kind(405, "Method not allowed", "not-supported"),
    408: Kind(408, "Too slow", "timeout"),
    413: Kind(413, "Too large", "too-long"),
    415: Kind(415, "Media type not taken here", "not-supported"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is answered."""

    kind: Kind
    detail: str
    faults: tuple[Fault, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class Unwanted(errors.Invalid):
    """The body's media type is not taken here."""


def problem_of(error: Exception) -> Problem:
    """What to answer to an error."""
    if isinstance(error, Unwanted):
        return Problem(STATUS_KINDS[415], str(error))
    cause = error.__cause__
    if isinstance(error, errors.Invalid) and isinstance(cause, adapters.Refusal):
        return Problem(_kind(cause), cause.why, (Fault(cause.place, cause.kind, cause.why),))
    if isinstance(error, errors.HubError):
        return Problem(_kind(error), str(error), error.faults, tuple(_headers(error)))
    return Problem(FAULT, "The request failed on our side and left nothing half-done. It may be sent again.")


def render(request: Request, problem: Problem) -> Response:
    """The response: an OperationOutcome under ``/fhir``, problem details elsewhere."""
    fhir = request.url.path.startswith("/fhir")
    body = outcome(problem) if fhir else details(problem)
    media_type = "application/fhir+json" if fhir else "application/problem+json"
    return Response(msgspec.json.encode(body), problem.kind.status, dict(problem.headers), media_type)


def details(problem: Problem) -> dict[str, Any]:
    """RFC 9457; `errors` lists each place in the sender's own terms."""
    return {
        "type": PROBLEM_TYPES + problem.kind.title.lower().replace(" ", "-"),
        "title": problem.kind.title,
        "status": problem.kind.status,
        "detail": problem.detail,
        "errors": [{"place": one.place, "kind": one.kind, "why": one.why} for one in problem.faults],
    }


def outcome(problem: Problem) -> dict[str, Any]:
    """A FHIR OperationOutcome with an `expression` for each place."""
    issues = [_issue("error", problem.kind.code, one.why, one.place, one.kind) for one in problem.faults]
    return {
        "resourceType": "OperationOutcome",
        "issue": issues or [_issue("error", problem.kind.code, problem.detail)],
    }


def notes(message: str, state: str, faults: Iterable[Fault]) -> dict[str, Any]:
    """An OperationOutcome for what was taken: that it is kept, and what was noticed."""
    kept = _issue("information", "informational", f"Kept as message {message}, {state}.")
    found = [_issue("warning", "processing", one.why, one.place, one.kind) for one in faults]
    return {"resourceType": "OperationOutcome", "issue": [kept, *found]}


def expression(place: str) -> str:
    """A place as a FHIRPath expression; a JSON pointer becomes one, anything else stays as it is."""
    if not place.startswith("/"):
        return place
    path = "Bundle"
    for part in place[1:].split("/"):
        path += f"[{part}]" if part.isdecimal() else "." + part.replace("~1", "/").replace("~0", "~")
    return path


def install(app: FastAPI) -> None:
    """Answer every error of `app` through the table."""

    @app.exception_handler(errors.HubError)
    async def hub_error(request: Request, error: errors.HubError) -> Response:
        problem = problem_of(error)
        if problem.kind is FAULT:
            log.error("request-fault", exc_info=error)
        return render(request, problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = tuple(
            Fault(".".join(str(part) for part in one["loc"]), str(one["type"]), _safe(str(one["msg"])))
            for one in error.errors()
        )
        return render(request, Problem(_kind(errors.Invalid()), "Some fields are missing or wrong.", faults))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        kind = STATUS_KINDS.get(error.status_code, Kind(error.status_code, "Refused", "processing"))
        return render(request, Problem(kind, kind.title + ".", headers=tuple((error.headers or {}).items())))

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        log.error("request-fault", exc_info=error)
        return render(request, problem_of(error))


def _kind(error: Exception) -> Kind:
    return next((kind for cls, kind in KINDS if isinstance(error, cls)), FAULT)


def _headers(error: errors.HubError) -> Iterable[tuple[str, str]]:
    if isinstance(error, errors.Busy):
        yield "retry-after", str(error.retry_after)
    if isinstance(error, errors.Unauthenticated):
        yield "www-authenticate", 'Bearer realm="hub"'


def _issue(severity: str, code: str, why: str, place: str = "", kind: str = "") -> dict[str, Any]:
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": why}
    if kind:
        issue["details"] = {"text": kind}
    if place:
        issue["expression"] = [expression(place)]
    return issue


def _safe(text: str) -> str:
    """A validator's sentence without anything that it quotes."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", text)
