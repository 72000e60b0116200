"""Where an agency speaks and listens: its messages in its own format, FHIR bundles, and its inbox.

The edge is async and reads a body once; everything behind it is synchronous and runs in a thread.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from adapters.errors import TooLarge
from hub import exchange
from hub.api import problems
from hub.api.callers import HeldCaller, HeldParts, metrics_of
from hub.envelope import Acknowledgement, Envelope, Fetched
from hub.errors import Conflict, Fault, Forbidden, HubError, Invalid, Refused
from hub.parts import Parts
from hub.security.tokens import Caller

FHIR_JSON: Final = "application/fhir+json"
FHIR_TYPES: Final = (FHIR_JSON, "application/json")
KEY_LENGTH: Final = 255

router = APIRouter(tags=["agencies"])


class Place(BaseModel):
    """Something noticed at a place of the message, in the sender's own terms."""

    place: str
    kind: str = ""
    why: str


class Taken(BaseModel):
    """The acknowledgement: the message is kept, and what follows from it is queued."""

    message: str
    state: str
    type: str
    deviations: list[Place]
    loss: list[Place]
    errors: list[Place]


class Outcome(BaseModel):
    """What became of one message of a batch: the acknowledgement, or the problem that it would have had alone."""

    place: str
    """``MSH[2]``: the second message of the batch."""
    status: int
    taken: Taken | None = None
    problem: dict[str, Any] | None = None


class Outcomes(BaseModel):
    """The answer to a batch, in its order."""

    messages: list[Outcome]


class Waiting(BaseModel):
    """One line of an inbox."""

    delivery: str
    media_type: str


class Inbox(BaseModel):
    """What waits to be fetched, oldest first."""

    deliveries: list[Waiting]


@router.post(
    "/agencies/{agency}/messages",
    status_code=202,
    response_model=Taken,
    responses={207: {"model": Outcomes, "description": "A batch of which not every message was taken."}},
    summary="Say something",
)
async def say(agency: str, request: Request, parts: HeldParts, caller: HeldCaller) -> Response:
    """Take in one message in the agency's own format; answered after it is durably kept.

    `Idempotency-Key` makes sending again safe: the same key and content get the same answer, other content 409. An HL7
    batch is taken message by message, each by its own key: 202 with what became of each, 207 when one was not taken.
    """
    caller.require_agency(agency)
    media_type, raw = await _body(request, parts, caller, "http")
    envelope = Envelope(agency, "http", raw, media_type, _key(request))
    batch = await run_in_threadpool(exchange.split, parts, envelope)
    if batch:
        return await _say_each(request, parts, batch)
    taken = await _accept(request, parts, envelope)
    body = msgspec.json.encode(_taken(taken).model_dump())
    return Response(body, 202, {"location": _location(agency, taken)}, "application/json")


@router.post("/fhir", status_code=202, tags=["fhir"], summary="Say something as a FHIR R4 Bundle")
async def say_fhir(request: Request, parts: HeldParts, caller: HeldCaller) -> Response:
    """Take in a message, transaction, document or collection Bundle; answered after it is durably kept."""
    if caller.kind != "agency":
        raise Forbidden("An agency may act only as itself.")
    media_type, raw = await _body(request, parts, caller, "fhir")
    if media_type not in FHIR_TYPES:
        raise problems.Unwanted("Send a Bundle as application/fhir+json.")
    envelope = Envelope(caller.id, "fhir", raw, FHIR_JSON, _key(request), _fhir_pack(parts, caller.id))
    taken = await _accept(request, parts, envelope)
    found = [Fault(one.place, "deviation", one.why) for one in taken.deviations] + list(taken.faults)
    body = msgspec.json.encode(problems.notes(taken.message, taken.state, found))
    return Response(body, 202, {"location": _location(caller.id, taken)}, FHIR_JSON)


@router.get("/agencies/{agency}/messages/{message}", summary="Ask what became of an own message")
def said(agency: str, message: str, parts: HeldParts, caller: HeldCaller) -> dict[str, Any]:
    """State and problems of a message, for its own sender."""
    caller.require_agency(agency)
    return exchange.said(parts, agency, message)


@router.get("/agencies/{agency}/inbox", response_model=Inbox, summary="See what waits")
def inbox(agency: str, parts: HeldParts, caller: HeldCaller) -> Inbox:
    """What the caller may fetch now, the agency's desk or one of its officers; says only that there is something."""
    found = exchange.inbox(parts, agency, officer=caller.reads_for(agency))
    return Inbox(deliveries=[Waiting(delivery=one.delivery, media_type=one.media_type) for one in found])


@router.get("/agencies/{agency}/inbox/{delivery}", summary="Fetch one message")
def fetch(agency: str, delivery: str, parts: HeldParts, caller: HeldCaller) -> Response:
    """The message in the agency's own format; decided and recorded at this moment."""
    return Handing(exchange.fetch(parts, agency, delivery, caller.reads_for(agency)))


@router.post("/agencies/{agency}/inbox/{delivery}/ack", status_code=204, summary="Confirm that it arrived")
def confirm(agency: str, delivery: str, parts: HeldParts, caller: HeldCaller) -> Response:
    """The agency has the message; a second call changes nothing."""
    exchange.confirm(parts, agency, delivery, caller.reads_for(agency))
    return Response(status_code=204)


class Handing(Response):
    """A fetched message on its way out; whatever becomes of the connection, the line hears that it is over."""

    def __init__(self, found: Fetched) -> None:
        """With the message's id and type in headers, as a webhook has them."""
        headers = {"hub-message-id": found.outbound_id, "hub-message-type": found.type or "message"}
        headers |= {"hub-attention": found.attention} if found.attention else {}
        super().__init__(found.raw, headers=headers, media_type=found.media_type)
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._found.done)


async def _body(request: Request, parts: Parts, caller: Caller, transport: str) -> tuple[str, bytes]:
    """(media type, bytes). A body that is too large leaves a refusal."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise problems.Unwanted("Send the body without a content encoding.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        return media_type, await request.body()
    except HTTPException as error:
        if error.status_code == 413:
            refusal = TooLarge("", "too-large", f"The body is larger than {parts.settings.max_body} bytes.")
            await run_in_threadpool(exchange.note_refusal, parts, caller.id, transport, "", refusal)
            metrics_of(request).messages.labels(transport, "refused").inc()
        raise


async def _say_each(request: Request, parts: Parts, batch: tuple[Envelope, ...]) -> Response:
    """Each message by itself: one that is refused loses no other."""
    found = []
    for number, envelope in enumerate(batch, 1):
        place = f"MSH[{number}]"
        try:
            taken = await _accept(request, parts, envelope)
            found.append(Outcome(place=place, status=202, taken=_taken(taken)))
        except HubError as error:
            problem = problems.problem_of(error)
            found.append(Outcome(place=place, status=problem.kind.status, problem=problems.details(problem)))
    status = 202 if all(one.taken for one in found) else 207
    body = msgspec.json.encode(Outcomes(messages=found).model_dump(exclude_none=True))
    return Response(body, status, media_type="application/json")


async def _accept(request: Request, parts: Parts, envelope: Envelope) -> Acknowledgement:
    count = metrics_of(request).messages.labels
    try:
        taken = await run_in_threadpool(exchange.accept, parts, envelope)
    except (Refused, Conflict):
        count(envelope.transport, "refused").inc()
        raise
    count(envelope.transport, "duplicate" if taken.duplicate else taken.state).inc()
    return taken


def _taken(taken: Acknowledgement) -> Taken:
    return Taken(
        message=taken.message,
        state=taken.state,
        type=taken.head.type,
        deviations=[Place(place=one.place, why=one.why) for one in taken.deviations],
        loss=[Place(place=one.place, kind=one.kind, why=one.why) for one in taken.loss],
        errors=[Place(place=one.place, kind=one.kind, why=one.why) for one in taken.faults],
    )


def _key(request: Request) -> str:
    """Idempotency-Key, "" if none."""
    key = request.headers.get("idempotency-key", "").strip().strip('"')
    if len(key) > KEY_LENGTH:
        raise Invalid(
            f"Idempotency-Key may have {KEY_LENGTH} characters.",
            faults=(Fault("Idempotency-Key", "too-long", f"at most {KEY_LENGTH} characters"),),
        )
    return key


def _fhir_pack(parts: Parts, agency: str) -> str:
    """The agency's pack that takes FHIR. Raises :class:`hub.errors.Forbidden`."""
    for name in parts.registry.get(agency).packs.in_:
        if name in parts.packs and FHIR_JSON in parts.packs[name].media_types:
            return name
    raise Forbidden("This agency is not registered as one that speaks FHIR.")


def _location(agency: str, taken: Acknowledgement) -> str:
    return f"/agencies/{agency}/messages/{taken.message}"
