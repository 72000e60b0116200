"""Who was told what about a child, when and on what ground (R41), read from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from consent.vocabulary import View
from hub.parts import Parts
from hub.replaying import sealed_for
from hub.storage import attempts, audits, persons
from hub.storage.attempts import HELD
from hub.storage.audits import Recorded
from hub.storage.persons import Case
from hub.storage.store import Unit


def account(parts: Parts, actor: str, case: str) -> tuple[dict[str, Any], ...]:
    """Every message about the child that an agency holds or possibly holds, and every unmasked look at one, oldest
    first; itself audited as a read.

    Names agencies, classes of data and grounds; no content and no other person.
    """
    with parts.store.write() as unit:
        held = persons.get_case(unit, case)
        joined = [held, *(persons.case_of(unit, each.id) for each in persons.linked(unit, held.person))]
        lines = [line for each in joined for line in _lines(parts, unit, each)]
        audits.record(unit, audits.Entry("read", actor, case=case, outcome="account"), parts.clock.now())
    return tuple(sorted(lines, key=lambda line: str(line["at"])))


def _lines(parts: Parts, unit: Unit, case: Case) -> list[dict[str, Any]]:
    rows = audits.listing(unit, case=case.id, kinds=("attempt", "unmasked"), limit=100_000)
    return [line for row in rows if (line := _line(parts, unit, case, row)) is not None]


def _line(parts: Parts, unit: Unit, case: Case, row: Recorded) -> dict[str, Any] | None:
    entry = row.entry
    if entry.replay is None:
        return None
    if entry.attempt is not None:
        attempt = attempts.get(unit, entry.attempt)
        at, agency, state = attempt.closed_at or attempt.opened_at, attempt.agency, attempt.state.value
        held = attempt.state in HELD
    else:
        at, agency, state = row.at, entry.agency or "", "unmasked"
        held = entry.outcome == "shown"
    if not held:
        return None
    kept = msgspec.json.decode(parts.vault.open(unit, case.vault_key, entry.replay, sealed_for(entry)))
    return {
        "at": at.isoformat(),
        "agency": agency,
        "event": entry.detail.get("event", ""),
        "state": state,
        "told": _shown(_told(kept), entry),
        "reasons": list(entry.reasons),
        "policy": entry.policy_version,
    }


def _shown(told: dict[str, list[str]], entry: audits.Entry) -> dict[str, list[str]]:
    """Of an unmasked look only the classes that it showed."""
    shown = entry.detail.get("classes")
    return told if shown is None else {name: grounds for name, grounds in told.items() if name in shown}


def _told(kept: Mapping[str, Any]) -> dict[str, list[str]]:
    """Data class -> the grounds on which something of it left."""
    classes = {each["place"]: each["data_class"] for each in kept["disclosure"]["items"]}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for verdict in kept["decision"]["verdicts"]:
        if verdict["view"] != View.NONE.value:
            found[str(classes.get(verdict["place"]))].add(str(verdict["basis"]))
    return {name: sorted(grounds) for name, grounds in sorted(found.items())}
