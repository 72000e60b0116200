"""Who asks: the access token, looked up for every request; and the token endpoint itself.

A caller who fails to prove who it is leaves a refusal for the operator, at most `NOTED_A_MINUTE` of them, so that
strangers cannot fill the database.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from adapters.errors import Refusal
from hub import exchange
from hub.errors import NotFound, TooLarge, Unauthenticated
from hub.metrics import Metrics
from hub.parts import Parts
from hub.security import roles, tokens
from hub.security.oauth import Client, TokenServer
from hub.security.signing import ALGORITHMS
from hub.security.tokens import Caller
from hub.storage import administrators

NOTED_A_MINUTE: Final = 60
FORM_LIMIT: Final = 16_384
"""Bytes of a token request."""

router = APIRouter(tags=["tokens"])


def parts_of(request: Request) -> Parts:
    """The parts that this application works with."""
    parts: Parts = request.app.state.parts
    return parts


def metrics_of(request: Request) -> Metrics:
    """The application's metrics."""
    metrics: Metrics = request.app.state.metrics
    return metrics


def caller_of(request: Request) -> Caller:
    """Who presents the access token. Raises :class:`hub.errors.Unauthenticated`."""
    parts = parts_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated
        found = tokens.caller(parts.store, parts.clock, token.strip())
        _require_in_force(parts, found)
    except Unauthenticated as error:
        note_stranger(request, "access-token", str(error))
        raise
    request.state.caller = found.id
    return found


async def _held_parts(request: Request) -> Parts:
    """Async, so that nobody waits for a thread to hand over what is at hand."""
    return parts_of(request)


HeldParts = Annotated[Parts, Depends(_held_parts)]
HeldCaller = Annotated[Caller, Depends(caller_of)]


def note_stranger(request: Request, place: str, why: str) -> None:
    """Leave a refusal for the operator, unless strangers have left too many in this minute."""
    metrics_of(request).refused_callers.inc()
    minute, count = getattr(request.app.state, "strangers", (0, 0))
    now = int(parts_of(request).clock.now().timestamp()) // 60
    count = count + 1 if minute == now else 1
    request.app.state.strangers = (now, count)
    if count <= NOTED_A_MINUTE:
        refusal = Refusal(place, "not-authenticated", why)
        exchange.note_refusal(parts_of(request), "", "http", "", refusal)


def find_client(parts: Parts, client_id: str) -> Client | None:
    """The agency, its officer (``<agency>/<officer>``) or the administrator of that id, if in force now."""
    named, slash, officer_id = client_id.partition("/")
    if slash:
        return _find_officer(parts, named, officer_id)
    with suppress(NotFound):
        agency = parts.registry.get(client_id, parts.clock.now())
        return Client("agency", agency.id, agency.jwks.model_dump(), frozenset(agency.scopes))
    with parts.store.read() as unit:
        person = administrators.get(unit, client_id)
    if person is None or person.disabled_at is not None:
        return None
    return Client("admin", person.id, person.jwks, frozenset(person.roles))


def _find_officer(parts: Parts, agency_id: str, officer_id: str) -> Client | None:
    """An officer whom the agency's entry lists now; may fetch what is for that officer, and nothing else."""
    at = parts.clock.now()
    with suppress(NotFound):
        found = parts.registry.get(agency_id, at).officer(officer_id, at)
        if found is not None:
            return Client("officer", f"{agency_id}/{officer_id}", found.jwks.model_dump(), frozenset())
    return None


@router.post("/oauth/token", summary="Get an access token (client_credentials with private_key_jwt)")
async def token(request: Request) -> Response:
    """The token endpoint; RS384 or ES384, `exp` at most five minutes ahead, `jti` used once."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _oauth_error("Send application/x-www-form-urlencoded.")
    if len(await request.body()) > FORM_LIMIT:
        raise TooLarge
    form = await request.form()
    if len(form.multi_items()) != len(form):
        return _oauth_error("A parameter was sent twice.")
    server: TokenServer = request.app.state.tokens
    answer = await run_in_threadpool(server.answer, {name: str(value) for name, value in form.items()})
    if answer.status == 401:
        why = str(answer.body.get("error_description", ""))
        await run_in_threadpool(note_stranger, request, "client_assertion", why)
    return JSONResponse(dict(answer.body), answer.status, dict(answer.headers))


@router.get("/.well-known/smart-configuration", summary="SMART Backend Services configuration")
@router.get("/fhir/.well-known/smart-configuration", include_in_schema=False)
def smart_configuration(parts: HeldParts) -> dict[str, Any]:
    """What a client needs to know to get a token; open to all."""
    return {
        "issuer": parts.settings.url,
        "token_endpoint": parts.settings.token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    }


def may(what: str) -> Any:
    """A dependency: the caller, who must be an administrator that may do `what` (:data:`hub.security.roles.MAY`)."""

    def allowed(caller: HeldCaller) -> Caller:
        roles.require(caller, what)
        return caller

    return Depends(allowed)


def _require_in_force(parts: Parts, caller: Caller) -> None:
    """A token ends with whom it was given to. Raises :class:`hub.errors.Unauthenticated`."""
    if caller.kind in ("agency", "officer") and find_client(parts, caller.id) is None:
        raise Unauthenticated


def _oauth_error(why: str) -> Response:
    return JSONResponse({"error": "invalid_request", "error_description": why}, 400, {"cache-control": "no-store"})
