"""What a decision says about itself, in both languages, to whom, and what would change it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import consent
from consent.explain import LANGS, for_recipient
from consent.model import Authority, Disclosure, Facts, Obligation, ObligationKind, Outcome, Relationship, Tie
from consent.supposing import Change
from consent.vocabulary import Basis, DataClass, Event, Purpose, Sector, View
from tests.consent.world import (
    AT,
    CHILD,
    FATHER,
    MOTHER,
    SINCE,
    agency,
    ask,
    child,
    decide,
    father,
    given,
    item,
    line,
    no_contact,
    order,
    plan,
    policy,
    provision,
    ref,
    refusal,
    report,
    suspect,
    treating,
)

EDITION = policy().at(AT)
WORDS = EDITION.words
TO_SHELTER = provision(to=Sector.SOCIAL, classes=[DataClass.MEDICAL_EXAM])


def found(disclosure: Disclosure, facts: Facts) -> tuple[Change, ...]:
    """The changes that would alter the one item asked about."""
    (some,) = consent.changes(disclosure, facts, policy(), AT).values()
    return some


def codes(disclosure: Disclosure, facts: Facts) -> list[tuple[str, ...]]:
    """The steps of each change, by code."""
    return [tuple(step.code for step in change.steps) for change in found(disclosure, facts)]


# --- the catalogue --------------------------------------------------------------------------------------------


def texts(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of the catalogue that holds a text in some language."""
    if isinstance(value, dict) and ("en" in value or "vi" in value):
        yield place, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(inner, f"{place}.{key}")


def test_every_text_stands_in_both_languages() -> None:
    """No row of the catalogue lacks Vietnamese or English, and none is left empty."""
    rows = list(texts(dict(WORDS), "texts"))
    assert len(rows) > 250
    for place, row in rows:
        for stem in {name.rsplit("_", 1)[0] for name in row if name.endswith(("_vi", "_en"))} | {""}:
            for name in (f"{stem}_{lang}".lstrip("_") for lang in LANGS):
                assert str(row[name]).strip(), f"{place}.{name}"


def test_vietnamese_is_vietnamese() -> None:
    """No sentence of the catalogue is an English one copied."""
    same = [
        place for place, row in texts(dict(WORDS), "texts") if row["vi"] == row["en"] and place != "texts.rules.R34"
    ]
    assert same == []


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("outcomes", {one.value for one in Outcome}),
        ("views", {one.value for one in View}),
        ("bases", {one.value for one in Basis}),
        ("sectors", {one.value for one in Sector}),
        ("classes", {one.value for one in DataClass} | {"unlabelled"}),
        ("duties", {one.value for one in ObligationKind}),
        ("purposes", {one.value for one in Purpose}),
        ("rules", {f"R{number}" for number in range(1, 42)}),
    ],
)
def test_everything_that_can_be_named_has_a_name(part: str, names: set[str]) -> None:
    """Each value that an explanation may show has its words, and no words are left over."""
    assert set(WORDS[part]) == names


def test_every_reason_has_its_words_in_both_languages() -> None:
    """What it says, the change that would help, and who can make it: in Vietnamese and in English."""
    for code, row in EDITION.texts.items():
        assert set(row) == {"vi", "en", "change_vi", "change_en", "who"}, code
        assert all(row.values()), code
        assert row["who"] in WORDS["who"], code


def test_every_reason_that_the_engine_gives_has_words() -> None:
    """No reason, task or alarm stands in the engine without a text in the policy data."""
    source = "\n".join(file.read_text("utf-8") for file in Path(consent.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'"((?:R\d+|C|D|T|own)-[a-z0-9-]+|internal-error)"', source))
    codes |= {f"{row.rule}-never-flow" for row in EDITION.never_flow}
    assert codes <= set(EDITION.texts), codes - set(EDITION.texts)
    raised = set(re.findall(r'Task\(\s*"([a-z-]+)"', source)) | {"order-opens-absolute-never", "barred-withdrawal"}
    assert raised == set(WORDS["tasks"])


def test_every_change_that_is_tried_has_words_and_somebody_who_can_make_it() -> None:
    """What the search tries and what the catalogue describes are the same."""
    source = (Path(consent.__file__).parent / "supposing.py").read_text("utf-8")
    stems = {re.sub(r"-(child|representative)$", "", code) for code in WORDS["changes"]}
    for code, row in WORDS["changes"].items():
        assert row["who"] in WORDS["who"], code
    for stem in stems:
        assert f'"{stem}' in source, stem


# --- the administrator's form ---------------------------------------------------------------------------------


def test_an_administrator_hears_what_why_whence_and_what_would_change_it() -> None:
    """A refused disclosure names the item, the reason, the rule, its source, and the smallest change with its maker."""
    asked, facts = ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM)), child(consents=(given(TO_SHELTER, by=CHILD),))
    decision, changes = decide(asked, facts), consent.changes(asked, facts, policy(), AT)
    vietnamese = consent.explain(decision, policy(), "vi", "administrator", asked.items, changes)
    assert "khám y tế" in vietnamese[1]
    assert "Thiếu sự đồng ý của người đại diện hợp lệ." in vietnamese[1]
    assert "Luật Bảo vệ dữ liệu cá nhân 91/2025/QH15" in vietnamese[1]
    english = consent.explain(decision, policy(), "en", "administrator", asked.items, changes)
    assert "medical exam" in english[1]
    assert "does not leave" in english[1]
    assert "Rule R4" in english[1]
    assert "not yet confirmed by counsel" in english[1]
    assert "the representative consents" in english[1]
    assert "who can make it: a representative who may" in english[1]


def test_what_leaves_is_said_first_with_its_ground_and_duties() -> None:
    """Permitted items come first, by clause and basis; the duties that go along are listed."""
    facts = child(consents=(given(TO_SHELTER, by=CHILD), given(TO_SHELTER)))
    asked = ask(Sector.SOCIAL, item(DataClass.FORENSIC), item(DataClass.MEDICAL_EXAM))
    lines = consent.describe(decide(asked, facts), policy(), "en", asked.items)
    assert [one.view for one in lines] == ["summary", "none"]
    assert (lines[0].about, lines[0].basis) == ("medical exam", "C")
    assert lines[0].why[0].rule.startswith("Clause Consent/by-")
    said = consent.explain(decide(asked, facts), policy(), "en", "administrator")
    assert any(one.startswith("Duties") and "do not pass it on" in one for one in said)


def test_work_for_people_is_said() -> None:
    """A task or an alarm that a decision raises stands in its explanation."""
    facts = child(consents=(given(provision("deny", to=Sector.SOCIAL), by=CHILD), given(TO_SHELTER)))
    said = consent.explain(
        decide(ask(Sector.SOCIAL, item(DataClass.MEDICAL_EXAM)), facts), policy(), "vi", "administrator"
    )
    assert any("nhân viên xã hội nói chuyện với trẻ" in one for one in said)


def test_a_closed_flow_names_law_and_flow() -> None:
    """Of a never the source is the rule's law, and the flow that is closed is named beside it."""
    asked = ask(Sector.EDUCATION, item(DataClass.PHOTOGRAPHS))
    (only,) = consent.describe(decide(asked, child()), policy(), "en", asked.items)
    assert "closed flow photographs-to-school" in only.why[0].rule
    assert only.why[0].source == "Law on Children 102/2016/QH13, art. 21"
    assert only.changes[0].said.startswith("No change opens it")


# --- the recipient's form -------------------------------------------------------------------------------------


def worlds(rng: Random) -> Iterator[tuple[Disclosure, Facts]]:
    """Requests of one recipient in worlds that differ in everything that it may not know."""
    pieces: list[tuple[str, Any]] = [
        ("consents", given(TO_SHELTER)),
        ("consents", given(TO_SHELTER, by=CHILD)),
        ("refusals", refusal()),
        ("orders", order(line(DataClass.FORENSIC, "social"), verified_by="")),
        ("suspicions", suspect(MOTHER)),
        ("plans", plan("social")),
        ("reports", report("social")),
        ("authorities", Authority(ref("authority"), "stop", span=SINCE)),
    ]
    for _ in range(60):
        picked: dict[str, tuple[Any, ...]] = {}
        for name, value in rng.sample(pieces, rng.randrange(len(pieces))):
            picked[name] = (*picked.get(name, ()), value)
        facts = child(match_certain=rng.random() < 0.8, **picked)
        classes = rng.sample(list(DataClass), rng.randrange(1, 6))
        yield ask(Sector.SOCIAL, *(item(one, *rng.sample(["HIV", "PSY"], rng.randrange(2))) for one in classes)), facts


@pytest.mark.parametrize("lang", LANGS)
def test_a_recipient_hears_the_same_whatever_is_withheld(lang: Any) -> None:
    """Whatever is on record, asked for, permitted or withheld: the words for a recipient do not differ by a letter."""
    said = set()
    for asked, facts in worlds(Random(7)):
        decision, changes = decide(asked, facts), consent.changes(asked, facts, policy(), AT)
        said.add(tuple(consent.explain(decision, policy(), lang, "recipient", asked.items, changes)))
    assert said == {tuple(for_recipient(policy(), lang))}


def test_a_recipients_words_name_no_reason_rule_class_or_fact() -> None:
    """The constant form speaks of no data class, rule, basis, person or consent."""
    for lang in LANGS:
        text = " ".join(for_recipient(policy(), lang)).casefold()
        assert not re.search(r"\br\d+\b", text)
        for part in ("classes", "bases", "changes"):
            assert not any(row[lang].casefold() in text for row in WORDS[part].values())


def test_the_recipients_words_outlive_an_edition() -> None:
    """A decision of a policy version that is no longer held is told in the same words."""
    decision = decide(ask(Sector.SOCIAL, item(DataClass.FORENSIC)), child())
    old = replace(decision, policy_version="2020-01-01.00000000")
    assert consent.explain(old, policy(), "vi", "recipient") == for_recipient(policy(), "vi")


# --- the smallest change --------------------------------------------------------------------------------------

EXAM = item(DataClass.MEDICAL_EXAM)
BOTH = (given(TO_SHELTER, by=CHILD), given(TO_SHELTER))
UNVERIFIED = child(orders=(order(line(DataClass.FORENSIC), verified_by=""),))
REVOKED = child(orders=(order(line(DataClass.FORENSIC), revoked=True),))
STOPPED = child(treating=(treating(),), authorities=(Authority(ref("authority"), "stop", span=SINCE),))
DENIED = child(consents=(*BOTH, given(provision("deny", to=Sector.SOCIAL), name="no")))
WALLED = child(relationships=(Relationship(ref("guardian", "m"), MOTHER, Tie.GUARDIAN, CHILD, may_consent=False),))


@pytest.mark.parametrize(
    ("change", "recipient", "what", "facts"),
    [
        ("consent-child", Sector.SOCIAL, EXAM, child(consents=(given(TO_SHELTER),))),
        ("consent-representative", Sector.SOCIAL, EXAM, child(consents=(given(TO_SHELTER, by=CHILD),))),
        ("refusal-withdrawn-child", Sector.SOCIAL, EXAM, child(consents=BOTH, refusals=(refusal(),))),
        ("refusal-withdrawn-representative", Sector.SOCIAL, EXAM, child(consents=BOTH, refusals=(refusal(MOTHER),))),
        ("evidence-stored", Sector.SOCIAL, EXAM, child(consents=(BOTH[0], given(TO_SHELTER, evidence="")))),
        ("review-finished", Sector.SOCIAL, EXAM, child(consents=(BOTH[0], given(TO_SHELTER, suspended=True)))),
        ("suspicion-cleared", Sector.SOCIAL, EXAM, child(consents=BOTH, suspicions=(suspect(MOTHER),))),
        ("contact-allowed", Sector.SOCIAL, EXAM, child(consents=BOTH, no_contacts=(no_contact(MOTHER),))),
        ("guardianship-restored", Sector.SOCIAL, EXAM, replace(WALLED, consents=BOTH)),
        ("case-reopened", Sector.SOCIAL, EXAM, child(consents=BOTH, case_closed=AT)),
        ("plan-approved", Sector.SOCIAL, item(DataClass.SAFETY_PLAN), child()),
        ("treating-recorded", Sector.HEALTH, EXAM, child()),
        ("order-verified", Sector.POLICE, item(DataClass.FORENSIC), UNVERIFIED),
        ("order-renewed", Sector.POLICE, item(DataClass.FORENSIC), REVOKED),
        ("order-issued", Sector.COURT, item(DataClass.STATEMENT), child()),
        ("match-resolved", Sector.HEALTH, EXAM, child(treating=(treating(),), match_certain=False)),
        ("stop-lifted", Sector.HEALTH, EXAM, STOPPED),
        ("denial-withdrawn-representative", Sector.SOCIAL, EXAM, DENIED),
    ],
)
def test_one_change_that_opens_is_found(change: str, recipient: Sector, what: Any, facts: Facts) -> None:
    """Each way in which one person could open it is found by trying, and really opens it."""
    asked = ask(recipient, what)
    assert decide(asked, facts).verdicts[0].view is View.NONE
    one = next(each for each in found(asked, facts) if each.steps[0].code == change)
    assert len(one.steps) == 1
    assert decide(asked, one.steps[0].applied(facts)).verdicts[0].view is one.view is not View.NONE


@pytest.mark.parametrize(
    ("change", "recipient", "what", "facts"),
    [
        ("consent-withdrawn-child", Sector.SOCIAL, EXAM, child(consents=BOTH)),
        ("consent-withdrawn-representative", Sector.SOCIAL, EXAM, child(consents=BOTH)),
        ("refused-child", Sector.HEALTH, EXAM, child(treating=(treating(),))),
        ("refused-representative", Sector.HEALTH, EXAM, child(treating=(treating(),))),
        ("treatment-ended", Sector.HEALTH, EXAM, child(treating=(treating(),))),
        ("plan-ended", Sector.SOCIAL, item(DataClass.SAFETY_PLAN), child(plans=(plan("social"),))),
        ("order-revoked", Sector.POLICE, item(DataClass.FORENSIC), child(orders=(order(line(DataClass.FORENSIC)),))),
    ],
)
def test_one_change_that_closes_is_found(change: str, recipient: Sector, what: Any, facts: Facts) -> None:
    """Of what leaves it is found whose word or which ending would stop it."""
    asked = ask(recipient, what)
    assert decide(asked, facts).verdicts[0].view is not View.NONE
    one = next(each for each in found(asked, facts) if each.steps[0].code == change)
    assert decide(asked, one.steps[0].applied(facts)).verdicts[0].view is one.view is View.NONE


def test_two_people_are_named_where_one_is_not_enough() -> None:
    """Child and mother of a statement to the hospital: neither alone opens it, both do, and only the two are named."""
    some = codes(ask(Sector.HEALTH, item(DataClass.STATEMENT)), child())
    assert ("consent-child", "consent-representative") in some
    assert ("consent-child",) not in some
    assert ("consent-representative",) not in some


def test_no_part_of_a_change_is_enough_by_itself() -> None:
    """Every change that is found alters the view, and no part of it does."""
    for asked, facts in list(worlds(Random(11)))[:20]:
        now = {one.place: one.view for one in decide(asked, facts).verdicts}
        for place, some in consent.changes(asked, facts, policy(), AT).items():
            for change in some:
                then = facts
                for step in change.steps:
                    then = step.applied(then)
                views = {one.place: one.view for one in decide(asked, then).verdicts}
                assert views[place] is change.view is not now[place]
                for step in change.steps if len(change.steps) > 1 else ():
                    alone = {one.place: one.view for one in decide(asked, step.applied(facts)).verdicts}
                    assert alone[place] is now[place]


def test_a_suspect_is_never_asked_for_consent() -> None:
    """A barred father's consent is not offered as a change; another representative's is."""
    facts = child(relationships=(father(),), suspicions=(suspect(FATHER),), consents=(given(TO_SHELTER, by=CHILD),))
    some = codes(ask(Sector.SOCIAL, EXAM), facts)
    assert ("consent-other-representative",) in some
    assert ("consent-representative",) not in some


def test_nothing_opens_an_absolute_never() -> None:
    """Photographs to a school: no consent, order or plan is offered."""
    facts = child(orders=(order(line(DataClass.PHOTOGRAPHS, "education")),))
    assert found(ask(Sector.EDUCATION, item(DataClass.PHOTOGRAPHS)), facts) == ()


def test_no_explanation_invites_to_assert_a_danger() -> None:
    """Emergencies, break-glass, reports and overrides are not among the changes that are tried."""
    unit = agency(Sector.POLICE, officer="officer-1")
    asked = ask(unit, item(DataClass.SHELTER_LOCATION), event=Event.QUERY, purposes=frozenset({Purpose.THREAT}))
    tried = {step.code for change in found(asked, child()) for step in change.steps}
    assert tried <= {"order-issued"}
    assert not [code for code in WORDS["changes"] if "emergency" in code and code != "emergency-over"]


REFUSED = [("refused-child", "order-revoked"), ("refused-representative", "order-revoked")]


def test_no_change_is_named_that_changes_nothing() -> None:
    """Two grounds give the same: neither's end alone is offered, both together are, and no reason's own words."""
    facts = child(treating=(treating(),), orders=(order(line(DataClass.DEMOGRAPHICS, "health")),), refusals=())
    asked = ask(Sector.HEALTH, item(DataClass.DEMOGRAPHICS))
    assert sorted(codes(asked, facts)) == [("order-revoked", "treatment-ended"), *REFUSED]
    decision, changes = decide(asked, facts), consent.changes(asked, facts, policy(), AT)
    for lang in LANGS:
        (told,) = consent.describe(decision, policy(), lang, asked.items, changes)
        assert all(one.codes != ("R22-order-permits",) for one in told.changes)
        (bare,) = consent.describe(decision, policy(), lang, asked.items, {one.place: () for one in asked.items})
        assert bare.changes == ()


@pytest.mark.parametrize("lang", LANGS)
def test_R40_is_explained_by_the_alternate_and_not_by_clearing_the_suspicion(lang: Any) -> None:
    """Of a linked recipient it is said that another addressee hears it; never that the suspicion be cleared."""
    staff = Relationship(ref("relationship", "staff"), FATHER, Tie.STAFF, "police")
    facts = child(relationships=(staff,), suspicions=(suspect(),), reports=(report("police"),))
    asked = ask(Sector.POLICE, item(DataClass.ALLEGATION), event=Event.REPORT)
    decision, changes = decide(asked, facts), consent.changes(asked, facts, policy(), AT)
    assert changes == {asked.items[0].place: ()}
    (told,) = consent.describe(decision, policy(), lang, asked.items, changes)
    assert [one.codes for one in told.changes] == [("R40-linked",)]
    assert {"vi": "địa chỉ thay thế", "en": "alternate addressee"}[lang] in told.changes[0].said.casefold()


def test_duties_are_said_in_words() -> None:
    """Who is told afterwards and the purpose have names in both languages; no code stands bare."""
    facts = child(reports=(report("police"),))
    decision = decide(ask(Sector.POLICE, item(DataClass.ALLEGATION), event=Event.REPORT), facts)
    said = {lang: consent.explain(decision, policy(), lang, "administrator")[-1] for lang in LANGS}
    assert "báo sau cho trẻ" in said["vi"]
    assert "mục đích: quản lý và phối hợp chăm sóc" in said["vi"]
    assert "tell afterwards the child" in said["en"]
    assert "purpose: care management" in said["en"]
    assert not re.search(r"\b(child|CAREMGT)\b", said["vi"])
    broken = replace(decision, obligations=(Obligation(ObligationKind.NOTIFY, detail="case-owner,data-officer"),))
    assert (
        "cán bộ quản lý trường hợp, cán bộ bảo vệ dữ liệu"
        in consent.explain(broken, policy(), "vi", "administrator")[-1]
    )


def test_vietnamese_decrees_are_called_as_they_are() -> None:
    """A decree's number is spelt with its Đ in Vietnamese, and lists of words stand between commas."""
    decision = decide(
        ask(Sector.HOTLINE, item(DataClass.ALLEGATION), event=Event.REPORT), child(reports=(report("hotline"),))
    )
    text = " ".join(consent.explain(decision, policy(), "vi", "administrator"))
    assert "56/2017/NĐ-CP" in text
    assert "ND-CP" not in text
    assert not [row for place, row in texts(dict(WORDS), "texts") if row["vi"].count(";") > 1]
