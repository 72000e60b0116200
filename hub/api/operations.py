"""Where operators and auditors look: the registry, messages and deliveries by state, tasks, the ledger, health.

An operator sees ids, states, codes and places; nothing here opens what is sealed, but for `account`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hub import administration, casework
from hub.api.callers import HeldParts, caller_of, may, metrics_of
from hub.directory import Agency
from hub.metrics import CONTENT_TYPE
from hub.security import roles
from hub.security.tokens import Caller, Role
from hub.settings import is_loopback
from hub.storage import audits, overview, tasks

LATE = timedelta(minutes=5)
"""How long a due delivery may wait before `/health` says so."""

log = structlog.get_logger()
router = APIRouter(tags=["operations"])

Limit = Annotated[int, Query(ge=1, le=1000)]


class NewAdministrator(BaseModel):
    """Who, with which roles and public keys."""

    model_config = ConfigDict(extra="forbid")

    id: str
    roles: list[Role] = Field(min_length=1)
    jwks: dict[str, Any]


@router.get("/agencies", summary="List the registry")
def list_agencies(parts: HeldParts, caller: Annotated[Caller, may("agency-list")]) -> dict[str, list[dict[str, Any]]]:
    """Every agency in its newest version."""
    return {"agencies": [one.document() for one in parts.registry.list()]}


@router.post("/agencies", status_code=201, summary="Add agencies, or new versions of them")
def add_agencies(
    documents: Annotated[dict[str, Any] | list[dict[str, Any]], Body()],
    parts: HeldParts,
    caller: Annotated[Caller, may("agency-add")],
) -> dict[str, list[str]]:
    """All of them or none."""
    given = documents if isinstance(documents, list) else [documents]
    return {"agencies": [one.id for one in administration.add_agencies(parts, caller.id, given)]}


@router.get("/agencies/{agency}", summary="Read a registry entry")
def read_agency(agency: str, parts: HeldParts, caller: Annotated[Caller, may("agency-list")]) -> dict[str, Any]:
    """The newest version."""
    found: Agency = parts.registry.get(agency)
    return found.document()


@router.get("/agencies/{agency}/secret", summary="The signing secret of an agency's webhook")
def read_secret(agency: str, parts: HeldParts, caller: Annotated[Caller, may("agency-secret")]) -> dict[str, str]:
    """Hexadecimal; to be handed to the agency's technicians over a safe way."""
    return {"secret": administration.webhook_secret(parts, caller.id, agency)}


@router.get("/administrators", summary="List administrators")
def list_administrators(
    parts: HeldParts, caller: Annotated[Caller, may("admin-list")]
) -> dict[str, list[dict[str, Any]]]:
    """Ids and roles."""
    return {"administrators": administration.list_administrators(parts)}


@router.post("/administrators", status_code=201, summary="Add an administrator")
def add_administrator(
    asked: NewAdministrator, parts: HeldParts, caller: Annotated[Caller, may("admin-add")]
) -> dict[str, str]:
    """With the public keys with which they ask for tokens."""
    administration.add_administrator(parts, caller.id, asked.id, asked.roles, asked.jwks)
    return {"administrator": asked.id}


@router.post("/administrators/{administrator}/disable", status_code=204, summary="Disable an administrator")
def disable_administrator(
    administrator: str, parts: HeldParts, caller: Annotated[Caller, may("admin-disable")]
) -> Response:
    """At once: their tokens end too."""
    administration.disable_administrator(parts, caller.id, administrator)
    return Response(status_code=204)


@router.get("/messages", summary="List messages")
def list_messages(
    parts: HeldParts,
    caller: Annotated[Caller, may("message-list")],
    agency: str = "",
    state: str = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """The newest first."""
    with parts.store.read() as unit:
        return {"messages": overview.messages(unit, agency=agency, state=state, limit=limit)}


@router.get("/messages/{message}", summary="See what became of a message")
def show_message(message: str, parts: HeldParts, caller: Annotated[Caller, may("message-list")]) -> dict[str, Any]:
    """The message, its strands, deliveries and attempts, by state."""
    return administration.message(parts, message)


@router.get("/deliveries", summary="List deliveries")
def list_deliveries(
    parts: HeldParts,
    caller: Annotated[Caller, may("message-list")],
    agency: str = "",
    state: str = "",
    limit: Limit = 100,
) -> dict[str, Any]:
    """The newest first; `state=parked` are those that wait for a person."""
    with parts.store.read() as unit:
        return {"deliveries": overview.deliveries(unit, agency=agency, state=state, limit=limit)}


@router.post("/deliveries/{delivery}/retry", status_code=202, summary="Let a parked delivery try again")
def retry(delivery: str, parts: HeldParts, caller: Annotated[Caller, may("delivery-retry")]) -> dict[str, str]:
    """It is decided anew, as of now."""
    administration.retry(parts, caller.id, delivery)
    return {"delivery": delivery}


@router.get("/refusals", summary="List refused messages")
def list_refusals(
    parts: HeldParts, caller: Annotated[Caller, may("refusal-list")], agency: str = "", limit: Limit = 100
) -> dict[str, Any]:
    """The newest first: who, when, which type, which places and why."""
    with parts.store.read() as unit:
        return {"refusals": overview.refusals(unit, agency=agency, limit=limit)}


@router.get("/tasks", summary="List what waits for a person")
def list_tasks(
    parts: HeldParts,
    caller: Annotated[Caller, may("task-list")],
    state: Literal["open", "done"] = "open",
    kind: str = "",
    limit: Limit = 200,
) -> dict[str, list[tasks.Task]]:
    """Tasks that the caller's roles may see, the oldest first."""
    return {"tasks": administration.list_tasks(parts, caller, state, kind, limit)}


@router.get("/audit", summary="Read the ledger")
def list_audit(
    parts: HeldParts,
    caller: Annotated[Caller, may("audit-list")],
    case: str | None = None,
    agency: str | None = None,
    delivery: str | None = None,
    message: str | None = None,
    since: datetime | None = None,
    after: str = "",
    limit: Limit = 200,
) -> dict[str, Any]:
    """Who was told what, when, on what ground; the oldest first. `next` is the `after` of the following page."""
    seen = administration.read_cursor(after)
    with parts.store.read() as unit:
        rows = audits.listing(
            unit, case=case, agency=agency, delivery=delivery, message=message, since=since, after=seen, limit=limit
        )
    more = administration.cursor(rows[-1]) if len(rows) == limit else ""
    return {"audit": [administration.audit_row(row) for row in rows], "next": more}


@router.get("/cases/{case}/account", summary="An account of who was told what about this child")
def account(case: str, parts: HeldParts, caller: Annotated[Caller, may("case-account")]) -> dict[str, Any]:
    """From the ledger, without other persons (R41); reading it is audited."""
    return {"account": list(casework.account(parts, caller.id, case))}


@router.get("/health", summary="Whether the hub can work")
def health(parts: HeldParts, response: Response) -> dict[str, str]:
    """200 when the database answers, else 503; open to all, so it says little."""
    try:
        fetching = [each.id for each in parts.registry.list() if each.transports.fetches]
        with parts.store.read() as unit:
            oldest = overview.oldest_waiting(unit, fetching)
    except Exception:
        log.exception("health-fault")
        response.status_code = 503
        return {"status": "failing"}
    late = oldest is not None and parts.clock.now() - oldest > LATE
    return {"status": "ok", "deliveries": "late" if late else "in time"}


@router.get("/metrics", summary="Metrics in Prometheus' format", response_class=Response)
def metrics(request: Request) -> Response:
    """Counts and times; from this machine open, elsewhere for operators."""
    if request.client is None or not is_loopback(request.client.host):
        roles.require(caller_of(request), "message-list")
    return Response(metrics_of(request).text(), media_type=CONTENT_TYPE)
