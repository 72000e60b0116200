"""What is said to whoever writes a consent down."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent import authoring
from consent.authoring import Finding, Severity, as_json, check
from consent.model import Facts
from consent.vocabulary import ACT_CODE_SYSTEM, ACT_REASON_SYSTEM, DataClass, Sector, View
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    MOTHER,
    ask,
    child,
    consent_of,
    decide,
    father,
    given,
    item,
    policy,
    provision,
    suspect,
)

TREAT = [{"system": ACT_REASON_SYSTEM, "code": "TREAT"}]
CARE = [{"system": ACT_REASON_SYSTEM, "code": "CAREMGT"}]
YEAR = {"start": "2026-01-01", "end": "2026-12-31"}
SOUND = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM], purpose=["CAREMGT"], period=YEAR)
"""Says whom, what, why and until when."""


def findings(root: dict[str, Any], facts: Facts | None = None, **changes: Any) -> list[Finding]:
    """What is said about a mother's consent with this root."""
    return list(check(given(root, **changes), policy(), AT, facts))


def codes(root: dict[str, Any], facts: Facts | None = None, **changes: Any) -> dict[str, str]:
    """Code -> place."""
    return {one.code: one.place for one in findings(root, facts, **changes)}


def nest(*children: dict[str, Any], kind: str = "permit", **more: Any) -> dict[str, Any]:
    """A sound root with exceptions."""
    return SOUND | {"type": kind, "provision": list(children)} | more


def test_a_sound_consent_hears_nothing() -> None:
    """Recipient, data, purpose, end and evidence stated, given by who may: no finding."""
    assert findings(SOUND, child()) == []


def test_an_empty_nested_permit_is_refused() -> None:
    """It says nothing, and the engine would permit nothing by it either."""
    (found,) = [one for one in findings(nest({"type": "permit"})) if one.severity is Severity.REFUSED]
    assert (found.code, found.place) == ("empty-permit", "provision.provision[0]")
    asked = ask(Sector.HEALTH, item(DataClass.MEDICAL_EXAM))
    assert decide(asked, child(consents=(given(nest({"type": "permit"}, kind="deny")),))).verdicts[0].view is View.NONE


def test_an_empty_nested_permit_means_all_in_leap() -> None:
    """The profile `leap-2020` reads it as everything, so that it is told of as too broad there and not refused."""
    told = findings(nest({"type": "permit"}, kind="deny"), profile="leap-2020")
    assert not [one for one in told if one.severity is Severity.REFUSED]


def test_only_the_empty_permit_is_refused() -> None:
    """Everything else is a warning: what the engine reads closed may be recorded as it was signed."""
    bad = nest(
        {"type": "permit"}, {"purpose": TREAT}, {"type": "deny", "securityLabel": [{"code": "X"}]}, kind="permit"
    )
    told = findings(bad, evidence="")
    assert len(told) > 3
    assert {one.code for one in told if one.severity is Severity.REFUSED} == {"empty-permit"}
    assert told[0].severity is Severity.REFUSED


def test_a_nested_clause_without_type_is_told_of_in_r4() -> None:
    """R4 requires it; R5 flips the parent instead."""
    assert codes(nest({"purpose": TREAT}))["type-missing"] == "provision.provision[0]"
    five = consent_of({}) | {"decision": "deny", "provision": [{"purpose": TREAT}]}
    fact = replace(given(SOUND), resource=five)
    assert "type-missing" not in {one.code for one in check(fact, policy(), AT)}


@pytest.mark.parametrize(
    ("child_clause", "place"),
    [
        ({"type": "permit", "modifierExtension": [{"url": "x"}]}, "provision.provision[0].modifierExtension"),
        ({"type": "deny", "purpose": []}, "provision.provision[0].purpose"),
    ],
)
def test_what_cannot_be_read_is_named(child_clause: dict[str, Any], place: str) -> None:
    """A place that nobody can read permits nothing, and the writer is told where it is."""
    assert place in [one.place for one in findings(nest(child_clause)) if one.code == "unreadable"]


def test_an_unknown_code_is_named_in_the_profile_that_cannot_read_it() -> None:
    """`hub` reads known codes only; `pcf` takes others."""
    odd = nest({"type": "deny", "purpose": [{"system": ACT_REASON_SYSTEM, "code": "WHATEVER"}]})
    assert codes(odd)["unknown-code"] == "provision.provision[0].purpose"
    assert "unknown-code" not in codes(odd, profile="pcf")


def test_a_missing_base_rule_is_told_of() -> None:
    """Neither a root type, nor a decision, nor a policy rule that is known."""
    assert "no-base" in codes(provision(None, to=Sector.SOCIAL))
    assert "no-base" not in codes(SOUND)


def test_siblings_that_clash_are_told_of() -> None:
    """One permits treatment with all data, one denies it for the exam: the denial holds where both apply."""
    exam = [{"system": item(DataClass.MEDICAL_EXAM).type, "code": "x"}]
    root = nest(
        {"type": "permit", "purpose": TREAT},
        {"type": "deny", "purpose": TREAT, "code": [{"coding": exam}]},
        kind="deny",
    )
    (clash,) = [one for one in findings(root) if one.code == "clash"]
    assert (clash.place, clash.other) == ("provision.provision[0]", "provision.provision[1]")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"purpose": TREAT}, {"purpose": CARE}),
        ({"period": {"end": "2026-05-01"}}, {"period": {"start": "2026-06-01"}}),
        (provision(to=Sector.SOCIAL), provision(to=Sector.HEALTH)),
        (provision(classes=[DataClass.FORENSIC]), provision(classes=[DataClass.STATEMENT])),
        ({"dataPeriod": {"end": "2025-05-01"}}, {"dataPeriod": {"start": "2025-06-01"}}),
    ],
)
def test_siblings_that_never_meet_do_not_clash(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Different purposes, times, recipients, classes or dates of data: no contradiction."""
    told = codes(nest(one | {"type": "permit"}, other | {"type": "deny"}, kind="deny"))
    assert not {"clash", "dead-overridden"} & set(told)


def test_a_permit_that_a_sibling_covers_is_dead() -> None:
    """A denial of the same level that covers all of it leaves nothing of it; it really permits nothing."""
    root = nest({"type": "permit", "purpose": CARE}, {"type": "deny"} | {"period": YEAR}, kind="deny")
    assert codes(root)["dead-overridden"] == "provision.provision[0]"
    both = (given(root, by=CHILD), given(root))
    assert decide(ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM)), child(consents=both)).verdicts[0].view is View.NONE


def test_a_clause_outside_the_consents_period_is_dead() -> None:
    """The root period bounds all; a period that ends before it starts holds nothing."""
    late = nest({"type": "deny", "period": {"start": "2027-06-01"}})
    assert codes(late)["dead-period"] == "provision.provision[0]"
    assert "dead-period" in codes(SOUND | {"period": {"start": "2026-12-01", "end": "2026-01-01"}})
    assert "dead-period" not in codes(nest({"type": "deny", "period": {"start": "2026-06-01"}}))


def test_a_clause_that_repeats_its_parent_is_told_of() -> None:
    """A permit within a permit that covers it already adds nothing; one that widens does."""
    assert codes(nest({"type": "permit", "purpose": CARE}))["redundant"] == "provision.provision[0]"
    assert "redundant" not in codes(nest({"type": "permit", "purpose": TREAT}))


def test_a_stated_denial_is_not_idle() -> None:
    """It outranks duty and treatment, which a base rule does not, and stops the permit beside it: it is kept."""
    no = provision("deny", to=Sector.POLICE)
    treat = {"type": "permit", "purpose": TREAT}
    opt_in = {"type": "deny", "period": YEAR, "provision": [treat, no]}
    assert "redundant" not in codes(opt_in)
    assert "redundant" not in codes({"type": "deny", "period": YEAR, "provision": [no]})
    stated = provision("deny", to=Sector.POLICE, period=YEAR)
    again = {"type": "deny", "purpose": TREAT}
    assert codes(stated | {"provision": [again]})["redundant"] == "provision.provision[0]"
    assert "redundant" not in codes(stated | {"provision": [{"type": "permit", "purpose": TREAT}, again]})


def test_a_permit_that_names_what_a_wider_one_covers_is_not_idle() -> None:
    """A sensitive label leaves only where a clause names it (R26)."""
    named = {"type": "permit", "securityLabel": [{"code": "PSY", "system": ACT_CODE_SYSTEM}]}
    assert "redundant" not in codes(nest(named))


def test_a_clause_that_is_over_is_told_of() -> None:
    """The consent stands and this part of it has passed."""
    past = {"type": "permit", "purpose": TREAT, "period": {"start": "2026-01-01", "end": "2026-02-01"}}
    assert codes(nest(past, kind="deny"))["past-period"] == "provision.provision[0]"
    assert "past-period" not in codes(SOUND | {"period": {"end": "2026-05-01"}})


@pytest.mark.parametrize(("rule", "kind", "clashes"), [
    ("OPTOUT", "permit", True), ("OPTIN", "deny", True), ("OPTIN", "permit", False), ("OPTOUT", "deny", False),
])  # fmt: skip
def test_a_policy_rule_that_contradicts_the_root_is_told_of(rule: str, kind: str, clashes: bool) -> None:
    """The profiles look in different places first, and so would answer differently."""
    resource = consent_of(SOUND | {"type": kind}) | {"policyRule": {"coding": [{"code": rule}]}}
    told = {one.code for one in check(replace(given(SOUND), resource=resource), policy(), AT)}
    assert ("policy-clash" in told) is clashes


@pytest.mark.parametrize("reference", [
    {"reference": "Group/99"}, {"reference": "https://a.example/Organization/1"}, {"identifier": {"value": "1"}},
])  # fmt: skip
def test_an_actor_whom_nobody_can_resolve_is_told_of(reference: dict[str, Any]) -> None:
    """Nobody can tell whom the denial is about, and then it stops everybody."""
    root = nest({"type": "deny", "actor": [{"reference": reference}]})
    assert codes(root)["actor-unresolved"] == "provision.provision[0].actor"


@pytest.mark.parametrize(
    ("left_out", "code"),
    [("actor", "no-recipient"), ("class", "no-class"), ("purpose", "no-purpose"), ("period", "no-end")],
)
def test_a_grant_that_is_too_broad_is_told_of(left_out: str, code: str) -> None:
    """No recipient, no kind of data, no purpose, no end: each is named."""
    root = {key: value for key, value in SOUND.items() if key != left_out}
    assert codes(root) == {code: "provision"}


def test_an_opt_out_without_clauses_is_the_broadest_grant() -> None:
    """A policy rule that permits, and nothing else, permits everything to everybody."""
    resource = consent_of({}) | {"policyRule": {"coding": [{"code": "OPTOUT"}]}}
    del resource["provision"]
    quiet = {one.code for one in check(replace(given(SOUND), resource=resource), policy(), AT)}
    broad = resource | {"policyRule": {"coding": [{"code": "OPTIN"}]}}
    told = {one.code for one in check(replace(given(SOUND), resource=broad), policy(), AT)}
    assert quiet == set()
    assert told == {"no-recipient", "no-class", "no-purpose", "no-end"}


def test_a_consent_without_evidence_is_told_of() -> None:
    """Silence is no consent (R12)."""
    assert codes(SOUND, evidence="") == {"no-evidence": "evidence"}


def test_a_consent_that_is_over_inactive_or_of_another_scope_is_told_of() -> None:
    """It may be recorded, and permits nothing."""
    assert "over" in codes(SOUND | {"period": {"end": "2026-05-01"}})
    other = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]}
    for change, code in (({"status": "draft"}, "not-active"), ({"scope": other}, "wrong-scope")):
        fact = replace(given(SOUND), resource=consent_of(SOUND, **change))
        assert code in {one.code for one in check(fact, policy(), AT)}


def test_a_giver_who_does_not_count_is_told_of() -> None:
    """A suspect father, a stranger, a child of five: recorded, and warned of."""
    family = child(relationships=(*child().relationships, father()), suspicions=(suspect(FATHER),))
    assert "giver-not-counted" in codes(SOUND, family, by=FATHER)
    assert "giver-not-counted" in codes(SOUND, family, by="stranger")
    assert "giver-not-counted" in codes(SOUND, child(born=AT.date().replace(year=2021)), by=CHILD)
    assert "giver-not-counted" not in codes(SOUND, family, by=MOTHER)


def test_a_consent_that_contradicts_another_is_told_of() -> None:
    """The child denies to the shelter what the mother now permits: the denial holds, and both clauses are named."""
    no = given(provision("deny", to=Sector.SOCIAL), by=CHILD)
    (clash,) = [one for one in findings(SOUND, child(consents=(no,))) if one.code == "clash-consents"]
    assert (clash.place, clash.other) == ("provision", f"Consent/{no.ref.id}#provision")
    for ended in (replace(no, withdrawn_at=AT), replace(no, replaced=True)):
        assert "clash-consents" not in codes(SOUND, child(consents=(ended,)))


def test_a_consent_that_denies_everything_is_told_of() -> None:
    """It closes what another consent permits; two opt-ins for two agencies add up, and nothing is said of them."""

    def opt_in(to: Sector) -> dict[str, Any]:
        clause = provision(to=to, classes=[DataClass.MEDICAL_EXAM], purpose=["CAREMGT"])
        return {"type": "deny", "period": YEAR, "provision": [clause]}

    first, nothing = given(opt_in(Sector.SOCIAL), name="first"), {"type": "deny", "period": YEAR}
    assert "base-closes" not in codes(opt_in(Sector.HEALTH), child(consents=(first,)))
    assert "base-closes" in codes(nothing, child(consents=(first,)))
    assert "base-closes" in codes(opt_in(Sector.HEALTH), child(consents=(given(nothing, name="nothing"),)))


def test_a_finding_is_a_value_in_both_languages() -> None:
    """Code, place, severity and both texts; every code that can be given has them."""
    (found,) = findings(SOUND, evidence="")
    assert as_json(found) == {
        "code": "no-evidence",
        "place": "evidence",
        "severity": "warning",
        "vi": "Không có bằng chứng lưu giữ nên không phải là đồng ý.",
        "en": "There is no stored evidence so it is not a consent.",
    }


def test_every_finding_has_words() -> None:
    """What the checks can say and what the catalogue holds are the same."""
    source = Path(authoring.__file__).read_text("utf-8")
    given_codes = set(re.findall(r'_warning\(\s*"([a-z-]+)"', source)) | {"empty-permit"}
    assert given_codes == set(policy().at(AT).words["findings"])
