"""What agencies said, as they said it (sealed), and what was refused (without its content)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.storage.ids import new_id
from hub.storage.rows import all_made, made
from hub.storage.store import Unit
from hub.storage.tables import message, refusal


class KeyTaken(Exception):
    """Another message of this agency with the same key was committed meanwhile."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as kept; `original` and `answer` are sealed under the intake key."""

    id: str
    agency: str
    key_token: str | None
    content_hash: str
    transport: str
    type: str
    event: str | None
    pack: str
    pack_version: str
    pack_hash: str
    state: str
    received_at: datetime
    original: bytes | None
    intake_key: str | None
    answer: bytes | None
    problems: Mapping[str, Any]


def add(unit: Unit, kept: Kept) -> None:
    """Keep a message. Raises :class:`KeyTaken`; the transaction is then of no more use."""
    row = {name: getattr(kept, name) for name in kept.__slots__}
    try:
        unit.execute(insert(message).values(row))
    except IntegrityError as error:
        raise KeyTaken from error


def with_key(unit: Unit, agency: str, key_token: str) -> Kept | None:
    """The message that used this key before."""
    found = (
        unit.execute(select(message).where(message.c.agency == agency, message.c.key_token == key_token))
        .mappings()
        .first()
    )
    return made(Kept, found) if found else None


def get(unit: Unit, message_id: str) -> Kept | None:
    """One message."""
    found = unit.execute(select(message).where(message.c.id == message_id)).mappings().first()
    return made(Kept, found) if found else None


def release_keys(unit: Unit, before: datetime) -> int:
    """Forget the keys of messages received before that moment (30 days: `delivery.md`, rule 2); how many."""
    return unit.execute(
        update(message).where(message.c.received_at < before, message.c.key_token.is_not(None)).values(key_token=None)
    ).rowcount


def refuse(
    unit: Unit, agency: str | None, at: datetime, transport: str, type_: str, faults: Sequence[Mapping[str, str]]
) -> str:
    """Note that a message was refused: places and reasons, nothing of the message."""
    row = {"id": new_id(), "agency": agency, "at": at, "transport": transport, "type": type_, "faults": list(faults)}
    unit.execute(insert(refusal).values(row))
    return str(row["id"])


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused message: who, when, how and why, nothing of what it said."""

    id: str
    agency: str | None
    at: datetime
    transport: str
    type: str
    faults: Sequence[Mapping[str, str]]


def refusals(unit: Unit, limit: int = 200) -> tuple[Refusal, ...]:
    """The newest refusals first."""
    rows = unit.execute(select(refusal).order_by(refusal.c.at.desc(), refusal.c.id).limit(limit)).mappings()
    return all_made(Refusal, rows)
