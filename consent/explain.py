"""Says a decision in words, Vietnamese or English, from its own trace and the texts of the policy data.

A recipient hears what is said to every recipient, so that the words tell nothing of what is withheld. An administrator
hears what leaves, what does not, the rule or clause with its source and whether counsel confirmed it, the smallest
change that would alter it (:mod:`consent.supposing`), and who can make that change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from consent.model import Decision, Item, Obligation, ObligationKind, Reason, Verdict
from consent.rulebook import Edition, Policy
from consent.supposing import Change, Step
from consent.vocabulary import View

Lang = Literal["vi", "en"]
Audience = Literal["recipient", "administrator"]
LANGS: Final[tuple[Lang, ...]] = ("vi", "en")


@dataclass(frozen=True, slots=True)
class Why:
    """One reason in words."""

    code: str
    said: str
    rule: str
    """The rule, the cell of the matrix or the clause of a consent, as it is called and what it says."""
    source: str
    confirmed: bool
    """Whether counsel has confirmed that rule or cell."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One smallest change that would alter what leaves of an item."""

    said: str
    """What would have to happen, and who can bring each part of it about."""
    codes: tuple[str, ...]
    about: tuple[str, ...]
    """``kind/id`` of the facts on record that it concerns."""
    view: str
    """What would leave then."""


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a decision in words."""

    place: str
    about: str
    """Its data class in words."""
    view: str
    basis: str
    why: tuple[Why, ...]
    changes: tuple[Alternative, ...]


def explain(
    decision: Decision,
    policy: Policy,
    lang: Lang,
    audience: Audience,
    items: Iterable[Item] = (),
    changes: Mapping[str, tuple[Change, ...]] | None = None,
) -> list[str]:
    """Sentences that explain `decision`, in `lang`, as much as `audience` may hear; see :func:`describe`."""
    if audience == "recipient":
        return for_recipient(policy, lang)
    edition = _edition(decision, policy)
    words = _Words(edition, lang)
    first = words("outcomes", decision.outcome.value)
    sentences = [f"{first} ({decision.outcome.value}). {words('phrases', 'policy')}: {decision.policy_version}."]
    lines = describe(decision, policy, lang, items, changes)
    sentences += [_sentence(line, words) for line in lines]
    told = {reason for verdict in decision.verdicts for reason in verdict.reasons}
    others = (_why(reason, words) for reason in decision.reasons if reason not in told)
    sentences += [_because(why, words) for why in others]
    return sentences + _beside(decision, words)


def for_recipient(policy: Policy, lang: Lang) -> list[str]:
    """All that a recipient is ever told about a decision: the same for each, whatever is or is not withheld."""
    edition = policy.editions[-1][1]
    return [edition.notice[lang], *(str(one[lang]) for one in edition.words["recipient"])]


def describe(
    decision: Decision,
    policy: Policy,
    lang: Lang,
    items: Iterable[Item] = (),
    changes: Mapping[str, tuple[Change, ...]] | None = None,
) -> list[Line]:
    """Every item of `decision` for an administrator, what leaves first; `items` give the data classes their names.

    `changes` are what :func:`consent.supposing.changes` found for the same arguments. Where it found none, the texts of
    the reasons say whether anything outside the recorded facts would help.
    """
    words = _Words(_edition(decision, policy), lang)
    classes = {item.place: item.data_class for item in items}
    lines = [_line(verdict, words, classes, changes) for verdict in decision.verdicts]
    return sorted(lines, key=lambda line: line.view == View.NONE.value)


class _Words:
    """The texts of one edition in one language."""

    def __init__(self, edition: Edition, lang: Lang) -> None:
        self.edition, self.lang = edition, lang

    def __call__(self, part: str, name: str) -> str:
        """What a table calls something; its own name where the table lacks it."""
        row: Mapping[str, Any] = self.edition.words.get(part, {}).get(name, {})
        return str(row.get(self.lang, name))

    def row(self, part: str, name: str) -> Mapping[str, Any]:
        """A whole row; empty where there is none."""
        found: Mapping[str, Any] = self.edition.words.get(part, {}).get(name, {})
        return found


def _line(
    verdict: Verdict, words: _Words, classes: Mapping[str, Any], changes: Mapping[str, tuple[Change, ...]] | None
) -> Line:
    about = ""
    if verdict.place in classes:
        data_class = classes[verdict.place]
        about = words("classes", data_class.value if data_class is not None else "unlabelled")
    found = (changes or {}).get(verdict.place, ())
    leaves = verdict.view is not View.NONE
    # That nothing tried would narrow it is an answer: the reason's own words would name a change that changes nothing.
    hints = () if found or (leaves and changes is not None) else _hints(verdict, words)
    return Line(
        place=verdict.place,
        about=about,
        view=verdict.view.value,
        basis=verdict.basis.value if verdict.basis is not None and leaves else "",
        why=tuple(_why(reason, words) for reason in verdict.reasons),
        changes=tuple(_alternative(one, words) for one in found) or hints,
    )


def _why(reason: Reason, words: _Words) -> Why:
    edition = words.edition
    nevers = {row.id for row in (*edition.absolute_never, *edition.never_flow)}
    source = edition.citations.get(reason.rule, "") if reason.citation in nevers else reason.citation
    flow = f"; {words('phrases', 'never')} {reason.citation}" if reason.citation in nevers else ""
    return Why(
        code=reason.code,
        said=words("reasons", reason.code),
        rule=_rule(reason.rule, words) + flow,
        source=_in_words(source or edition.citations.get(reason.rule, ""), words),
        confirmed=reason.rule in edition.confirmed,
    )


def _in_words(source: str, words: _Words) -> str:
    """A source with the names of its laws in the reader's language."""
    for row in words.edition.words["sources"]:
        source = source.replace(row["en"], row[words.lang])
    return source


def _rule(rule: str, words: _Words) -> str:
    if rule.startswith("matrix:"):
        sector, _, data_class = rule.removeprefix("matrix:").partition("/")
        return f"{words('phrases', 'cell')} {words('sectors', sector)} / {words('classes', data_class)}"
    if rule.startswith("Consent/"):
        return f"{words('phrases', 'clause')} {rule}"
    said = words.row("rules", rule).get(words.lang, "")
    return f"{words('phrases', 'rule')} {rule}" + (f", {said}" if said else "")


def _alternative(change: Change, words: _Words) -> Alternative:
    return Alternative(
        said=f" {words('phrases', 'and')} ".join(_step(step, words) for step in change.steps),
        codes=tuple(step.code for step in change.steps),
        about=tuple(step.about for step in change.steps if step.about),
        view=change.view.value,
    )


def _step(step: Step, words: _Words) -> str:
    who = words("who", str(words.row("changes", step.code).get("who", "nobody")))
    about = f" [{step.about}]" if step.about else ""
    return f"{words('changes', step.code)}{about} ({words('phrases', 'who')}: {who})"


def _hints(verdict: Verdict, words: _Words) -> tuple[Alternative, ...]:
    """What the texts of the reasons say, where no change of a recorded fact alters the outcome."""
    found = {}
    for reason in verdict.reasons:
        row = words.row("reasons", reason.code)
        said, who = str(row.get(f"change_{words.lang}", "")).rstrip("."), words("who", str(row.get("who", "nobody")))
        if said:
            found[reason.code] = Alternative(f"{said} ({words('phrases', 'who')}: {who})", (reason.code,), (), "")
    return tuple(found.values())


# --- as sentences ---------------------------------------------------------------------------------------------


def _sentence(line: Line, words: _Words) -> str:
    name = f"{line.about} ({line.place})" if line.about else line.place
    if line.view == View.NONE.value:
        said = f"{name}: {words('phrases', 'stays')}."
    else:
        basis = f" [{line.basis}: {words('bases', line.basis)}]" if line.basis else ""
        said = f"{name}: {words('phrases', 'leaves')} {words('views', line.view)}{basis}."
    whys = [_because(why, words) for why in line.why]
    return " ".join((said, *dict.fromkeys(whys), *_altered(line.changes, words)))


def _because(why: Why, words: _Words) -> str:
    confirmed = words("phrases", "confirmed" if why.confirmed else "unconfirmed")
    source = f" ({words('phrases', 'source')}: {why.source}; {confirmed})" if why.source else ""
    return f"{why.said} {why.rule}{source}."


def _altered(found: tuple[Alternative, ...], words: _Words) -> Iterable[str]:
    for number, one in enumerate(found):
        lead = words("phrases", "or" if number else "change")
        then = f" → {words('phrases', 'then')} {words('views', one.view)}" if one.view else ""
        yield f"{lead}: {one.said}{then}."


def _beside(decision: Decision, words: _Words) -> list[str]:
    """Duties that go with what leaves, and work that the decision raises."""
    duties = [_duty(one, words) for one in decision.obligations]
    work = [words("tasks", kind) for kind in (*(task.kind for task in decision.tasks), *decision.alarms)]
    sentences = []
    if duties:
        sentences.append(f"{words('phrases', 'duties')}: {'; '.join(dict.fromkeys(duties))}.")
    if work:
        sentences.append(f"{words('phrases', 'tasks')}: {'; '.join(dict.fromkeys(work))}.")
    return sentences


def _duty(duty: Obligation, words: _Words) -> str:
    """A duty with what it is about, in words where the catalogue has them."""
    named = duty.detail.split(",") if duty.detail else []
    if duty.kind is ObligationKind.NOTIFY:
        named = [words("who", one) for one in named]
    elif duty.kind is ObligationKind.NO_REDISCLOSURE and named:
        return (
            f"{words('duties', duty.kind.value)} ({words('phrases', 'purpose')}: {_listed('purposes', named, words)})"
        )
    elif duty.kind is ObligationKind.REDACT:
        lead = words("phrases", "except") if duty.except_any_of else ""
        named = [" ".join(filter(None, (lead, ", ".join(one.code for one in duty.codes or duty.except_any_of))))]
    return " ".join((words("duties", duty.kind.value), ", ".join(named))).rstrip()


def _listed(part: str, names: Iterable[str], words: _Words) -> str:
    return ", ".join(words(part, one) for one in names)


def _edition(decision: Decision, policy: Policy) -> Edition:
    """The edition that decided, or the newest when it is no longer among the policy's."""
    for _, edition in reversed(policy.editions):
        if edition.version == decision.policy_version:
            return edition
    return policy.editions[-1][1]
