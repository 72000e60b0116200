"""Reads what the ledger keeps of a decision, so that it can be explained, or made again, years later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from consent.model import ConsentFact, Decision, Disclosure, Facts
from hub.errors import NotFound
from hub.parts import Parts
from hub.storage import audits, persons
from hub.storage.audits import Entry, Recorded
from hub.storage.store import Unit


@dataclass(frozen=True, slots=True)
class Kept:
    """The arguments of a decision and its answer, as :meth:`hub.disclosing.Disclosed.replay` wrote them."""

    disclosure: Disclosure
    facts: Facts
    at: datetime
    decision: Decision


def sealed_for(entry: Entry) -> bytes:
    """What a replay is sealed for: it opens only as the replay of this attempt, delivery or strand."""
    return f"replay:{entry.attempt or entry.delivery or entry.strand}".encode()


def kept_by(parts: Parts, unit: Unit, record: str) -> tuple[Recorded, Kept]:
    """A row of the ledger with the decision that it keeps.

    Raises :class:`hub.errors.NotFound` where there is none, `KeyLost` once its case was erased.
    """
    row = audits.get(unit, record)
    if row is None or row.entry.case is None or row.entry.replay is None:
        raise NotFound
    key = persons.get_case(unit, row.entry.case).vault_key
    plain = parts.vault.open(unit, key, row.entry.replay, sealed_for(row.entry))
    return row, read_replay(plain)


def read_replay(plain: bytes) -> Kept:
    """What was kept, as the very values that were decided by."""
    kept: Kept = _read(Kept, msgspec.json.decode(plain))
    return kept


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: Any) -> Any:
    """One value of the model from plain JSON, by its type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return None if value is None else _read(_member(arguments, value), value)
    if origin in (tuple, frozenset):
        return origin(_read(arguments[0], one) for one in value)
    if origin is Mapping:
        return {key: _read(arguments[1], one) for key, one in value.items()}
    if hint in (datetime, date):
        return hint.fromisoformat(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = _hints(hint)
        # A compiled tree is made again from the consent's own text.
        skipped = {"tree"} if hint is ConsentFact else set()
        names = [field.name for field in fields(hint) if field.name not in skipped]
        return hint(**{name: _read(hints[name], value[name]) for name in names if name in value})
    return value


def _member(arguments: tuple[Any, ...], value: Any) -> Any:
    """Which type of a union a value has: a moment has a time, a date has none."""
    wanted = [one for one in arguments if one is not type(None)]
    if len(wanted) > 1:
        return datetime if "T" in value else date
    return wanted[0]
