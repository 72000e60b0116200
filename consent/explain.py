"""Says a decision in words, Vietnamese or English, from its own trace and the texts of the policy data.

A recipient hears only what does not depend on withheld data; an administrator hears what left, what did not, the rule
and its source, the smallest change that would alter it, and who can make it.
"""

from __future__ import annotations

from typing import Literal

from consent.model import Decision, Reason
from consent.rulebook import Edition, Policy
from consent.vocabulary import View

Lang = Literal["vi", "en"]
Audience = Literal["recipient", "administrator"]


def explain(decision: Decision, policy: Policy, lang: Lang, audience: Audience) -> list[str]:
    """Sentences that explain `decision`, in `lang`, as much as `audience` may hear."""
    edition = _edition(decision, policy)
    if audience == "recipient":
        return [_notice(edition, lang)]
    lines = [f"{decision.outcome.value} ({decision.policy_version})"]
    for verdict in decision.verdicts:
        for reason in verdict.reasons:
            basis = f" [{verdict.basis.value}]" if verdict.basis and verdict.view is not View.NONE else ""
            lines.append(f"{verdict.place}: {verdict.view.value}{basis}. {_why(reason, edition, lang)}")
    for reason in decision.reasons:
        if not any(reason in verdict.reasons for verdict in decision.verdicts):
            lines.append(_why(reason, edition, lang))
    return lines


def _edition(decision: Decision, policy: Policy) -> Edition:
    """The edition that decided, or the newest when it is no longer among the policy's."""
    for _, edition in reversed(policy.editions):
        if edition.version == decision.policy_version:
            return edition
    return policy.editions[-1][1]


def _notice(edition: Edition, lang: Lang) -> str:
    return edition.notice[lang]


def _why(reason: Reason, edition: Edition, lang: Lang) -> str:
    text = edition.texts.get(reason.code, {})
    said = text.get(lang, reason.code)
    change = text.get(f"change_{lang}", "")
    source = f" ({reason.rule}: {reason.citation})" if reason.citation else f" ({reason.rule})"
    return " ".join(part for part in (f"{said}{source}", change) if part)
