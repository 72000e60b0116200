"""Explains a decision that the ledger keeps: what left, what did not, why, and what would have altered it.

The words are the engine's (:mod:`consent.explain`). What would alter it is found by trying, with the facts that were
read then. Looking is audited before anything is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

import consent
from consent.explain import Audience, Lang
from consent.model import Disclosure, Facts
from consent.rulebook import Policy
from consent.supposing import Change
from hub.parts import Parts
from hub.replaying import kept_by
from hub.storage import audits, persons

DECIDED: Final = ("attempt", "withheld", "unmasked")
"""Kinds of rows of the ledger that keep a decision."""

ONLY_AN_OFFICER: Final[Mapping[Lang, str]] = {
    "vi": "Phần niêm phong hoặc chỉ dành cho cán bộ được nêu tên không gửi cho bộ phận tiếp nhận chung: lệnh"
    " (hoặc danh sách nhóm phụ trách) phải nêu số hiệu của cán bộ đọc, và mục đăng ký của cơ quan nhận phải có"
    " cán bộ đó.",
    "en": "What is sealed, or for a named officer, does not go to the agency's desk: the order (or the case team) must"
    " name the officer who reads by their number, and the registry entry of the agency has to list that officer.",
}
"""What else it takes where nobody is named who reads."""
_SOMEBODY: Final = "supposed"


def what_would_change(
    asked: Disclosure, facts: Facts, policy: Policy, at: datetime
) -> tuple[dict[str, tuple[Change, ...]], bool]:
    """The smallest changes that would alter a decision, by place; whether some of them also need a named officer.

    Where the desk was asked for, what no change opens to it is tried again for an officer who would be named.
    """
    found = consent.changes(asked, facts, policy, at)
    party = asked.recipient
    if party.officer or party.person or all(found.values()):
        return found, False
    named = replace(asked, recipient=replace(party, officer=_SOMEBODY))
    then = consent.changes(named, facts, policy, at)
    opened = {place: some for place, some in then.items() if some and not found[place]}
    return found | opened, bool(opened)


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
    changes, officer = what_would_change(asked, facts, parts.policy, kept.at)
    words = consent.explain(kept.decision, parts.policy, lang, audience, asked.items, changes)
    return said | {
        "record": record,
        "at": kept.at,
        "agency": asked.recipient.id,
        "decision": kept.decision.outcome.value,
        "policy_version": kept.decision.policy_version,
        "same_again": consent.decide(asked, facts, parts.policy, kept.at) == kept.decision,
        "explanation": words + ([ONLY_AN_OFFICER[lang]] if officer else []),
        "items": [asdict(line) for line in consent.describe(kept.decision, parts.policy, lang, asked.items, changes)],
    }
