"""What operators do to the hub itself: the registry, administrators, parked deliveries; and how they look at a message.

Each change is audited with who made it: `actor` is an administrator's id, whose role the door has checked.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from hub.directory import Agency
from hub.directory.agency import Jwks, Webhook
from hub.errors import Conflict, Fault, Invalid, KeyLost, NotFound
from hub.outgoing import UNREACHED
from hub.parts import Parts
from hub.security import signing
from hub.security.tokens import Caller, Role
from hub.storage import administrators, attempts, audits, deliveries, messages, overview, strands, tasks, tokens
from hub.storage.audits import Entry, Recorded
from hub.storage.tasks import Task
from hub.timely import offer_again

ADMINISTRATOR_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")

RETRY_FOR: Final = timedelta(hours=24)
"""How long a delivery whose deadline has passed may try again once an operator lets it."""


def add_agencies(parts: Parts, actor: str, documents: Iterable[Mapping[str, Any]]) -> tuple[Agency, ...]:
    """New versions of agencies, all or none. Raises :class:`hub.errors.Invalid`."""
    given = list(documents)
    with parts.store.read() as unit:
        taken = {one.id for one in administrators.everyone(unit)}
    faults = tuple(
        Fault(f"agencies[{n}].id", "taken", "an administrator has this id")
        for n, one in enumerate(given)
        if one.get("id") in taken
    )
    if faults:
        raise Invalid("The registry entry is not valid.", faults=faults)
    added = parts.registry.add_all(given, actor)
    _note(parts, actor, "agency-add", {"agencies": [one.id for one in added]})
    _offer_to_listed(parts, actor, {one.id for one in added})
    return added


def list_officer(parts: Parts, actor: str, agency_id: str, officer: Mapping[str, Any]) -> Agency:
    """List an officer at an agency, or change what its entry says of them. Raises `NotFound`, `Invalid`."""
    entry = parts.registry.get(agency_id).document()
    listed = {one["id"]: one for one in entry.get("officers", ())}
    known = listed.get(officer.get("id", ""), {})
    officers = [*(one for name, one in listed.items() if name != officer.get("id")), {**known, **officer}]
    return add_agencies(parts, actor, [entry | {"officers": officers}])[0]


def _offer_to_listed(parts: Parts, actor: str, added: Set[str]) -> None:
    """Offer anew the cases that held something for an officer whom the registry did not know; it may know them now."""
    with parts.store.read() as unit:
        alarms = tasks.listing(unit, kinds=("alarm",), limit=100_000)
    held = [each for each in alarms if each.reason == UNREACHED and each.subject.get("agency") in added]
    for each in held:
        if each.case is not None:
            with parts.store.write() as unit:
                tasks.close(unit, each.id, actor, parts.clock.now())
            with suppress(KeyLost):
                offer_again(parts, each.case)


def webhook_secret(parts: Parts, actor: str, agency_id: str) -> str:
    """The signing secret of an agency's webhook, hexadecimal. Raises :class:`hub.errors.NotFound` if it has none."""
    out = parts.registry.get(agency_id).transports.out
    if not isinstance(out, Webhook):
        raise NotFound("This agency has no webhook.")
    _note(parts, actor, "agency-secret", {"agency": agency_id})
    return signing.webhook_secret(parts.vault, agency_id, out.secret_version).hex()


def list_administrators(parts: Parts) -> list[dict[str, Any]]:
    """Ids, roles and dates."""
    with parts.store.read() as unit:
        found = administrators.everyone(unit)
    return [
        {"id": one.id, "roles": list(one.roles), "created_at": one.created_at, "disabled_at": one.disabled_at}
        for one in found
    ]


def add_administrator(
    parts: Parts, actor: str, administrator: str, roles: Sequence[Role], jwks: Mapping[str, Any]
) -> None:
    """Raises :class:`hub.errors.Conflict` if the id is taken, :class:`hub.errors.Invalid` for a wrong id or keys."""
    if not ADMINISTRATOR_ID.fullmatch(administrator):
        fault = Fault("id", "pattern", "lower-case letters, digits and hyphens, at least two: it stands in the ledger")
        raise Invalid("This cannot be an administrator's id.", faults=(fault,))
    try:
        keys = Jwks.model_validate(jwks)
    except ValidationError as error:
        faults = tuple(Fault("jwks", str(one["type"]), str(one["msg"])) for one in error.errors())
        raise Invalid("These are not public keys.", faults=faults) from None
    if any(one.id == administrator for one in parts.registry.list()):
        raise Conflict("An agency has this id.")
    with parts.store.write() as unit:
        kept = administrators.add(
            unit, administrator, [role.value for role in roles], keys.model_dump(), parts.clock.now()
        )
        if not kept:
            raise Conflict("An administrator has this id.")
        detail = {"administrator": administrator, "roles": sorted(role.value for role in roles)}
        audits.record(unit, Entry("admin", actor, outcome="admin-add", detail=detail), parts.clock.now())


def disable_administrator(parts: Parts, actor: str, administrator: str) -> None:
    """At once, with all tokens. Raises :class:`hub.errors.NotFound`."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        if not administrators.disable(unit, administrator, at):
            raise NotFound
        tokens.revoke_all(unit, "admin", administrator, at)
        detail = {"administrator": administrator}
        audits.record(unit, Entry("admin", actor, outcome="admin-disable", detail=detail), at)


def message(parts: Parts, message_id: str) -> dict[str, Any]:
    """A message with its strands, their deliveries and attempts, by state. Raises :class:`hub.errors.NotFound`."""
    with parts.store.read() as unit:
        kept = messages.get(unit, message_id)
        if kept is None:
            raise NotFound
        parts_of_it = strands.of_message(unit, message_id)
        queued = overview.deliveries(unit, strands=tuple(one.id for one in parts_of_it), limit=1000)
        tried = {one["id"]: [_attempt(a) for a in attempts.of_delivery(unit, one["id"])] for one in queued}
    found: dict[str, Any] = {name: getattr(kept, name) for name in overview.MESSAGE}
    found["problems"] = kept.problems
    found["strands"] = [{"id": one.id, "event": one.event, "state": one.state} for one in parts_of_it]
    found["deliveries"] = [{**one, "attempts": tried[one["id"]]} for one in queued]
    return found


def retry(parts: Parts, actor: str, delivery_id: str) -> None:
    """Let a parked delivery try again; it is decided anew. Raises `NotFound`, or `Conflict` if it is not parked."""
    at = parts.clock.now()
    with parts.store.write() as unit:
        parked = deliveries.get(unit, delivery_id)
        deadline = None if parked.deadline > at else at + RETRY_FOR
        if not deliveries.unpark(unit, delivery_id, at, deadline):
            raise Conflict("Only a parked delivery can be let go on.")
        audits.record(unit, Entry("admin", actor, delivery=delivery_id, outcome="delivery-retry"), at)
    parts.dispatcher.wake([delivery_id])


def list_tasks(parts: Parts, caller: Caller, state: str, kind: str, limit: int) -> list[Task]:
    """Tasks that the caller's roles own; an operator also sees those that agencies own."""
    with parts.store.read() as unit:
        found = tasks.listing(unit, state=state, kinds=(kind,) if kind else (), limit=limit)
    every = {role.value for role in Role}
    watches = Role.OPERATOR.value in caller.scope
    return [one for one in found if one.owner in caller.scope or (watches and one.owner not in every)]


def audit_row(row: Recorded) -> dict[str, Any]:
    """A row of the ledger for an auditor: everything but the sealed replay."""
    entry = row.entry
    return {
        "id": row.id,
        "at": row.at,
        "kind": entry.kind,
        "actor": entry.actor,
        "agency": entry.agency,
        "case": entry.case,
        "message": entry.message,
        "strand": entry.strand,
        "delivery": entry.delivery,
        "attempt": entry.attempt,
        "outcome": entry.outcome,
        "reasons": list(entry.reasons),
        "policy_version": entry.policy_version,
        "read": [list(one) for one in entry.read],
        "detail": dict(entry.detail),
    }


def cursor(row: Recorded) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(json.dumps([row.at.isoformat(), row.id]).encode()).decode()


def read_cursor(text: str) -> tuple[datetime, str] | None:
    """As :func:`audits.listing` wants it; None for the first page. Raises :class:`hub.errors.Invalid`."""
    if not text:
        return None
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(text.encode()))
        return datetime.fromisoformat(at), str(row_id)
    except (binascii.Error, ValueError, TypeError):
        raise Invalid("`after` is not what a page gave as `next`.") from None


def _attempt(one: attempts.Attempt) -> dict[str, Any]:
    return {
        "number": one.number,
        "agency": one.agency,
        "state": one.state.value,
        "opened_at": one.opened_at,
        "closed_at": one.closed_at,
        "failure": one.failure,
    }


def _note(parts: Parts, actor: str, what: str, detail: Mapping[str, Any]) -> None:
    with parts.store.write() as unit:
        audits.record(unit, Entry("admin", actor, outcome=what, detail=detail), parts.clock.now())
