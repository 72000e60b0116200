"""Who was told what about a child, when and on what ground (R41), read from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from consent.vocabulary import View
from hub.parts import Parts
from hub.storage import attempts, audits, persons
from hub.storage.attempts import HELD
from hub.storage.audits import Recorded
from hub.storage.persons import Case
from hub.storage.store import Unit


def account(parts: Parts, actor: str, case: str) -> tuple[dict[str, Any], ...]:
    """Every message about the child that an agency holds or possibly holds, oldest first; itself audited as a read.

    Names agencies, classes of data and grounds; no content and no other person.
    """
    with parts.store.write() as unit:
        held = persons.get_case(unit, case)
        joined = [held, *(persons.case_of(unit, each.id) for each in persons.linked(unit, held.person))]
        lines = [line for each in joined for line in _lines(parts, unit, each)]
        audits.record(unit, audits.Entry("read", actor, case=case, outcome="account"), parts.clock.now())
    return tuple(sorted(lines, key=lambda line: str(line["at"])))


def _lines(parts: Parts, unit: Unit, case: Case) -> list[dict[str, Any]]:
    rows = audits.listing(unit, case=case.id, kinds=("attempt",), limit=100_000)
    return [line for row in rows if (line := _line(parts, unit, case, row)) is not None]


def _line(parts: Parts, unit: Unit, case: Case, row: Recorded) -> dict[str, Any] | None:
    entry = row.entry
    if entry.attempt is None or entry.replay is None:
        return None
    attempt = attempts.get(unit, entry.attempt)
    if attempt.state not in HELD:
        return None
    plain = parts.vault.open(unit, case.vault_key, entry.replay, f"replay:{attempt.id}".encode())
    kept = msgspec.json.decode(plain)
    return {
        "at": (attempt.closed_at or attempt.opened_at).isoformat(),
        "agency": attempt.agency,
        "event": entry.detail.get("event", ""),
        "state": attempt.state.value,
        "told": _told(kept),
        "reasons": list(entry.reasons),
        "policy": entry.policy_version,
    }


def _told(kept: Mapping[str, Any]) -> dict[str, list[str]]:
    """Data class -> the grounds on which something of it left."""
    classes = {each["place"]: each["data_class"] for each in kept["disclosure"]["items"]}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for verdict in kept["decision"]["verdicts"]:
        if verdict["view"] != View.NONE.value:
            found[str(classes.get(verdict["place"]))].add(str(verdict["basis"]))
    return {name: sorted(grounds) for name, grounds in sorted(found.items())}
