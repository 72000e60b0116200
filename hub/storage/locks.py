"""Named locks that end with the transaction. SQLite needs none: its writers come one after another."""

from __future__ import annotations

import hashlib

from sqlalchemy import text

from hub.storage.store import Unit


def hold(unit: Unit, *names: str) -> None:
    """Wait for the locks of all `names`, always in the same order, so that two who want both never block each other."""
    if unit.dialect.name == "sqlite":
        return
    for number in sorted({_number(name) for name in names}):
        unit.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
