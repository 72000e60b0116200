"""More edges that mutants showed: several purposes at once, dates, references, and what a policy may not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import consent
from consent.engine import projected
from consent.model import Code, Decision, Obligation, ObligationKind, Outcome, Verdict
from consent.moments import interval, months_after
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DataClass, Purpose, Sector, View
from tests.consent.world import (
    AT,
    CHILD,
    agency,
    child,
    consent_of,
    given,
    item,
    plan,
    policy,
    provision,
    view,
)

MEDICAL, SOCIAL = DataClass.MEDICAL_EXAM, Sector.SOCIAL
TWO = frozenset({Purpose.CAREMGT, Purpose.TREAT})
EDITION = policy().at(AT)
DOCUMENTS = consent.policy_documents()


def planned(*consents: Any) -> Any:
    """A child whose plan opens the exam's summary, beside these consents."""
    return child(plans=(plan("social"),), consents=consents)


def test_a_month_later_is_the_last_day_where_the_day_is_missing() -> None:
    """31 January and a month is 28 February, or the 29th in a leap year."""
    for year, day in ((2026, 28), (2028, 29)):
        assert months_after(datetime(year, 1, 31, tzinfo=UTC), 1) == datetime(year, 2, day, tzinfo=UTC)
    assert months_after(datetime(2026, 10, 31, tzinfo=UTC), 1) == datetime(2026, 11, 30, tzinfo=UTC)


def test_seconds_are_read() -> None:
    """Half a minute past is not the full minute."""
    found = interval("2026-06-15T09:00:30Z", "UTC")
    assert found is not None
    assert found[0] == datetime(2026, 6, 15, 9, 0, 30, tzinfo=UTC)


def test_a_consent_dated_today_counts_today() -> None:
    """A date without a time begins with its day."""
    facts = []
    for by in ("person-mother", CHILD):
        one = given(provision(to=SOCIAL, classes=[MEDICAL]), by=by, given_at=None)
        facts.append(replace(one, resource={**one.resource, "dateTime": "2026-06-15"}))
    assert view(SOCIAL, MEDICAL, child(consents=tuple(facts))) is View.SUMMARY


def test_taking_back_what_nobody_could_read_leaves_the_doubt() -> None:
    """A withdrawn consent that cannot be read may have been a refusal."""
    unclear = given({"type": "deny"}, by=CHILD, withdrawn_at=AT)
    unclear = replace(unclear, resource={**unclear.resource, "modifierExtension": [{"url": "urn:x"}]})
    assert view(SOCIAL, MEDICAL, planned(unclear)) is View.NONE
    clear = given({"type": "deny"}, by=CHILD, withdrawn_at=AT)
    assert view(SOCIAL, MEDICAL, planned(clear)) is View.SUMMARY


def test_a_denial_for_one_of_two_purposes_is_a_denial() -> None:
    """What is denied for one purpose is not told for two, even where nothing is said about the other."""
    only = given(provision("deny", purpose=["CAREMGT"]), by=CHILD)
    assert view(SOCIAL, MEDICAL, planned(only), purposes=TWO) is View.NONE
    assert view(SOCIAL, MEDICAL, planned(only), purposes=frozenset({Purpose.TREAT})) is View.SUMMARY


def test_a_doubt_for_one_of_two_purposes_is_a_doubt() -> None:
    """A clause for one purpose that may deny closes both."""
    odd = provision("deny", purpose=["TREAT"]) | {"class": [{"display": "all"}]}
    unclear = given(provision("permit") | {"provision": [odd]}, by=CHILD)
    assert view(SOCIAL, MEDICAL, planned(unclear), purposes=TWO) is View.NONE
    assert view(SOCIAL, MEDICAL, planned(unclear), purposes=frozenset({Purpose.CAREMGT})) is View.SUMMARY


def test_an_agency_is_found_by_its_identifier_and_role() -> None:
    """Identifier and role of the actor, both the party's own."""
    nurse = {"system": "urn:role", "code": "nurse"}
    actor = {"role": {"coding": [nurse]}, "reference": {"identifier": {"system": "urn:agency", "value": "social"}}}
    for role, expected in (("nurse", Result.PERMIT), ("clerk", Result.NOT_APPLICABLE)):
        party = agency(SOCIAL, roles=(Code("urn:role", role),))
        asked = Ask(party, agency(Sector.HEALTH), "CAREMGT", "disclose", AT, "Asia/Ho_Chi_Minh")
        tree = consent.read_consent(consent_of({"type": "permit", "actor": [actor]}))
        assert judge_tree(tree, asked, item(MEDICAL)).result is expected


def test_a_projection_of_several_keeps_what_all_keep() -> None:
    """Three projections keep only the paths of all three."""
    names = {"a": ("X.one", "X.two"), "b": ("X.one", "X.two"), "c": ("X.two", "X.three")}
    assert projected("a&b&c", replace(EDITION, projections=names)) == ("X.two",)
    assert projected("a&b", replace(EDITION, projections=names)) == ("X.one", "X.two")


def test_a_policy_may_not_say_what_nobody_understands() -> None:
    """A never with an exception or an addressee of its own invention cannot be read."""
    name = next(name for name, content in DOCUMENTS.items() if content.get("part") == "law")
    law = DOCUMENTS[name]
    row = {"id": "made-up", "rule": "R1", "classes": ["narrative"], "sectors": ["court"]}
    for odd in ({"unless": "somebody"}, {"to": "whoever"}):
        with pytest.raises(consent.UnreadablePolicy):
            consent.read_policy({**DOCUMENTS, name: {**law, "never_flow": [*law["never_flow"], row | odd]}})


def released(resource: dict[str, Any], *duties: Obligation) -> dict[str, Any]:
    """The bundle that leaves with one resource in full."""
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": "urn:uuid:0", "resource": resource}],
    }
    verdicts = (Verdict("urn:uuid:0", View.FULL),)
    stated = duties or (Obligation(ObligationKind.NO_REDISCLOSURE, detail="TREAT"),)
    decision = Decision(Outcome.PERMIT, verdicts, (), stated, projections=EDITION.projections, notice=EDITION.notice)
    return consent.release(bundle, decision)


FLAG = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "urn:uuid:0"}}


@pytest.mark.parametrize(
    ("author", "kept"),
    [
        ({"type": "Organization", "identifier": {"system": "urn:o", "value": "1"}}, True),
        ({"type": "Organization", "identifier": {"system": "urn:o"}}, False),
        ({"reference": "urn:uuid:gone"}, False),
        ({"display": "Ai đó"}, False),
        (
            {
                "reference": "urn:uuid:gone",
                "extension": [
                    {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
                ],
            },
            False,
        ),
    ],
)
def test_a_reference_leaves_to_what_leaves_or_to_an_agency_by_number(author: dict[str, Any], kept: bool) -> None:
    """To something withheld, by display, or by an identifier without a value it does not."""
    (entry,) = released(FLAG | {"author": author, "strange": 1})["entry"]
    assert ("author" in entry["resource"]) == kept
    assert "strange" not in entry["resource"]


def test_the_purposes_on_the_bundle_are_those_of_use() -> None:
    """Whoever is to be told afterwards is no purpose."""
    use = Obligation(ObligationKind.NO_REDISCLOSURE, detail="TREAT,CAREMGT")
    out = released(FLAG, Obligation(ObligationKind.NOTIFY, detail="child"), use)
    codes = [one["code"] for one in out["meta"]["security"]]
    assert codes[2:] == ["TREAT", "CAREMGT"]


def test_a_consent_that_ends_this_moment_is_over() -> None:
    """R15: twelve months to the moment."""
    root = provision(to=SOCIAL, classes=[MEDICAL])
    for moment, expected in (
        (datetime(2025, 6, 15, 9, tzinfo=UTC), View.NONE),
        (datetime(2025, 6, 15, 9, tzinfo=UTC) + timedelta(seconds=1), View.SUMMARY),
    ):
        facts = child(consents=(given(root, given_at=moment), given(root, by=CHILD, given_at=moment)))
        assert view(SOCIAL, MEDICAL, facts) is expected
