"""Explains a decision that the ledger keeps: what left, what did not, why, and what would have altered it.

The words are the engine's (:mod:`consent.explain`). What would alter it is found by trying, with the facts that were
read then. Looking is audited before anything is shown.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import consent
from consent.explain import Audience, Lang
from hub.parts import Parts
from hub.replaying import kept_by
from hub.storage import audits, persons

DECIDED: Final = ("attempt", "withheld", "unmasked")
"""Kinds of rows of the ledger that keep a decision."""


def decisions(parts: Parts, actor: str, case: str, limit: int = 200) -> list[dict[str, Any]]:
    """The decisions about a child that the ledger keeps, the oldest first: what to explain; audited as a read."""
    with parts.store.write() as unit:
        persons.get_case(unit, case)
        audits.record(unit, audits.Entry("read", actor, case=case, outcome="decisions"), parts.clock.now())
        rows = audits.listing(unit, case=case, kinds=DECIDED, limit=limit)
    return [
        {
            "record": row.id,
            "at": row.at,
            "agency": row.entry.agency,
            "event": row.entry.detail.get("event", ""),
            "kind": row.entry.kind,
            "decision": row.entry.detail.get("decision", ""),
            "reasons": list(row.entry.reasons),
        }
        for row in rows
        if row.entry.replay is not None
    ]


def explain(parts: Parts, actor: str, record: str, lang: Lang, audience: Audience = "administrator") -> dict[str, Any]:
    """The decision that row `record` of the ledger keeps, in words.

    For a recipient: what every recipient is told, which depends on nothing that is kept. Raises
    :class:`hub.errors.NotFound` where no decision is kept, `KeyLost` once the case was erased.
    """
    at = parts.clock.now()
    with parts.store.write() as unit:
        row, kept = kept_by(parts, unit, record)
        entry = audits.Entry("read", actor, case=row.entry.case, outcome="explained", detail={"record": record})
        audits.record(unit, entry, at)
    said = {"lang": lang, "audience": audience}
    if audience == "recipient":
        return said | {"explanation": consent.explain(kept.decision, parts.policy, lang, audience)}
    asked, facts = kept.disclosure, kept.facts
    changes = consent.changes(asked, facts, parts.policy, kept.at)
    return said | {
        "record": record,
        "at": kept.at,
        "agency": asked.recipient.id,
        "decision": kept.decision.outcome.value,
        "policy_version": kept.decision.policy_version,
        "same_again": consent.decide(asked, facts, parts.policy, kept.at) == kept.decision,
        "explanation": consent.explain(kept.decision, parts.policy, lang, audience, asked.items, changes),
        "items": [asdict(line) for line in consent.describe(kept.decision, parts.policy, lang, asked.items, changes)],
    }
