"""From a row of the database to a frozen value, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import RowMapping

Value = TypeVar("Value")


def made(kind: type[Value], row: RowMapping | Mapping[str, Any]) -> Value:
    """One value of `kind`, whose field names are column names."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})  # type: ignore[arg-type]


def all_made(kind: type[Value], rows: Iterable[RowMapping]) -> tuple[Value, ...]:
    """All of them, in the order given."""
    return tuple(made(kind, row) for row in rows)
