"""More edges that mutants showed: several purposes at once, dates, references, and what a policy may not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
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
    LOINC,
    agency,
    ask,
    child,
    consent_of,
    decide,
    given,
    item,
    plan,
    policy,
    provision,
    view,
)

MEDICAL, SOCIAL = DataClass.MEDICAL_EXAM, Sector.SOCIAL
ODD_PURPOSE = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "XYZZY"}
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


# --- consents -----------------------------------------------------------------------------------------------


def judged(root: dict[str, Any], one: Any = None, party: Any = None, profile: str = "hub") -> Result:
    """What one tree says of an exam for the shelter that cares."""
    asked = Ask(party or agency(SOCIAL), agency(Sector.HEALTH), "CAREMGT", "disclose", AT, "Asia/Ho_Chi_Minh")
    asked = msgspec.structs.replace(asked, profile=profile)
    return judge_tree(consent.read_consent(consent_of(root)), asked, one or item(MEDICAL)).result


def test_a_clause_that_names_the_codes_names_what_they_say() -> None:
    """R26: a permit of these codes covers the label that they bring; a permit of the class alone does not."""
    psy = item(MEDICAL, "PSY", codes=(Code(LOINC, "a"),))
    for named, expected in (({"code": [{"coding": [{"system": LOINC, "code": "a"}]}]}, View.SUMMARY), ({}, View.NONE)):
        root = provision(to=SOCIAL, classes=[MEDICAL]) | named
        assert view(SOCIAL, psy, child(consents=(given(root), given(root, by=CHILD)))) is expected


def test_what_a_branch_states_anew_is_clear_again() -> None:
    """Below a clause for another agency, with a purpose that nobody knows, stand agency and purpose said clearly."""
    odd = provision("deny", to=Sector.COURT) | {"purpose": [ODD_PURPOSE]}
    for purpose, expected in (("TREAT", Result.DENY), ("CAREMGT", Result.INDETERMINATE)):
        clear = provision("permit", to=SOCIAL, purpose=[purpose])
        assert judged({"type": "deny", "provision": [odd | {"provision": [clear]}]}) is expected


def test_a_role_below_a_name_is_not_that_name() -> None:
    """A clause for a role below one for a named agency opens its own content, not the agency's."""
    nurse = {"system": "urn:role", "code": "nurse"}
    by_role = provision(classes=[DataClass.REFERRAL]) | {"actor": [{"role": {"coding": [nurse]}}]}
    root = provision(to=Sector.COURT) | {"provision": [by_role]}
    party = agency(SOCIAL, roles=(Code("urn:role", "nurse"),))
    assert judged(root, party=party) is Result.NOT_APPLICABLE
    assert judged(root, item(DataClass.REFERRAL), party) is Result.PERMIT


def test_a_named_agency_in_a_role_is_no_other_in_that_role() -> None:
    """Name and role are both conditions, whichever of them another agency meets."""
    nurse = {"system": "urn:role", "code": "nurse"}
    actor = {"role": {"coding": [nurse]}, "reference": {"reference": "Organization/social"}}
    root = {"type": "permit", "actor": [actor]}
    for sector, expected in ((SOCIAL, Result.PERMIT), (Sector.COURT, Result.NOT_APPLICABLE)):
        assert judged(root, party=agency(sector, roles=(Code("urn:role", "nurse"),))) is expected


def test_a_class_that_says_its_label_may_stand_beside_any_other() -> None:
    """R26: mental health says PSY by itself, also beside a document type that is no data class of ours."""
    root = provision(to=SOCIAL, classes=[DataClass.MENTAL_HEALTH])
    root["class"].append({"system": LOINC, "code": "34133-9"})
    facts = child(consents=(given(root), given(root, by=CHILD)))
    assert view(SOCIAL, item(DataClass.MENTAL_HEALTH, "PSY"), facts) is View.SUMMARY


def test_a_reason_names_its_rule() -> None:
    """What is missing leads to the rule that asks for it."""
    alone = child(consents=(given(provision(to=SOCIAL, classes=[MEDICAL]), by=CHILD),))
    reason = decide(ask(SOCIAL, item(MEDICAL)), alone).verdicts[0].reasons[0]
    assert (reason.code, reason.rule) == ("R4-representative-missing", "R4")


def test_a_label_without_its_system_may_be_meant() -> None:
    """Where codes outside the known ones are read at all, a bare label permits nothing and is not passed over."""
    root = {"type": "permit", "securityLabel": [{"code": "HIV"}]}
    assert judged(root, item(MEDICAL, "HIV"), profile="pcf") is Result.INDETERMINATE
    assert judged(root, item(MEDICAL), profile="pcf") is Result.NOT_APPLICABLE


# --- policy, labels, releases -------------------------------------------------------------------------------


def part(name: str) -> tuple[str, Any]:
    """The policy's document of one part."""
    return next((file, content) for file, content in DOCUMENTS.items() if content.get("part") == name)


def test_an_edition_is_in_force_from_its_day() -> None:
    """Before it the earlier one holds; what an old decision rested on can still be asked."""
    file, labels = part("labels")
    both = consent.read_policy({**DOCUMENTS, f"later-{file}": {**labels, "effective_from": "2027-01-01"}})
    new_year = datetime(2026, 12, 31, 17, tzinfo=UTC)
    versions = [both.at(new_year + timedelta(seconds=one)).version[:10] for one in (-1, 0)]
    assert versions == [policy().at(AT).version[:10], "2027-01-01"]


def test_only_the_row_that_counsel_confirmed_is_confirmed() -> None:
    """A row may be confirmed by itself, and says nothing of the others."""
    file, matrix = part("matrix")
    rows = {name: {**row, "confirmed": name == "forensic"} for name, row in matrix["rows"].items()}
    edition = consent.read_policy({**DOCUMENTS, file: {**matrix, "rows": rows}}).at(AT)
    cells = {one for one in edition.confirmed if one.startswith("matrix:")}
    assert cells == {f"matrix:{sector.value}/forensic" for sector in Sector}


def bundle_of(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:0", "resource": resource}]}


@pytest.mark.parametrize(
    ("kind", "element", "path"),
    [
        ("Observation", {"code": {"text": "x"}}, "code.text"),
        ("Observation", {"code": {"coding": [{"code": "1"}], "text": "x"}}, "code.text"),
        ("Patient", {"name": [{"text": "x"}]}, ""),
        ("Patient", {"address": [{"text": "x"}]}, ""),
    ],
)
def test_the_text_of_a_concept_is_narrative(kind: str, element: dict[str, Any], path: str) -> None:
    """Words beside or instead of codes are free text; the text of a name or an address is that name or address."""
    labelled = consent.label(bundle_of({"resourceType": kind, **element}), policy())
    narrative = [one.place.split("#")[1] for one in consent.items_of(labelled) if one.data_class is DataClass.NARRATIVE]
    assert narrative == ([path] if path else [])


@pytest.mark.parametrize(
    ("value", "narrative"), [("N" * 60, False), ("N" * 61, True), ("Người đón (mẫu)\nvà một dòng", True)]
)
def test_a_name_is_one_short_line(value: str, narrative: bool) -> None:
    """Who may collect the child is a name while it is as short as one; what is longer or has lines is free text."""
    code = {"coding": [{"system": "https://hub.onestop.example/fhir/CodeSystem/support-need", "code": "collect-by"}]}
    said = {"resourceType": "Observation", "status": "final", "code": code, "valueString": value}
    found = {one.data_class for one in consent.items_of(consent.label(bundle_of(said), policy()))}
    assert (DataClass.NARRATIVE in found) == narrative


INLINE = {
    "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
    "valueCoding": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SDV"},
}


def test_a_labelled_primitive_is_one_item() -> None:
    """The label stands beside the value, and is not a second element of its own."""
    patient = {"resourceType": "Patient", "birthDate": "2014-03-01", "_birthDate": {"extension": [INLINE]}}
    places = [one.place for one in consent.items_of(bundle_of(patient))]
    assert places == ["urn:uuid:0", "urn:uuid:0#birthDate"]


def test_what_needs_one_of_several_values_goes_without_them() -> None:
    """An input of a task whose value stays behind does not leave as a mere type; one beside it does."""
    kind = {"coding": [{"system": "urn:x", "code": "q"}]}
    inputs = [
        {"type": kind, "valueString": "x", "_valueString": {"extension": [INLINE]}},
        {"type": kind, "valueString": "y"},
    ]
    (entry,) = released({"resourceType": "Task", "status": "requested", "intent": "order", "input": inputs})["entry"]
    assert entry["resource"]["input"] == inputs[1:]


def test_an_extension_that_a_projection_does_not_name_stays() -> None:
    """Of the extensions that are content a summary keeps those that it names, the whole keeps all."""
    known = [
        {"url": f"https://hub.onestop.example/fhir/StructureDefinition/{name}", "valueString": "x"}
        for name in ("ward", "school-class")
    ]
    patient = {"resourceType": "Patient", "active": True, "extension": known}
    names = {**EDITION.projections, "mine": ("Patient.active", "Patient.extension[school-class]")}
    for verdict, kept in (
        (Verdict("urn:uuid:0", View.FULL), known),
        (Verdict("urn:uuid:0", View.SUMMARY, "mine"), known[1:]),
    ):
        decision = Decision(Outcome.PERMIT, (verdict,), (), projections=names, notice=EDITION.notice)
        (entry,) = consent.release(bundle_of(patient) | {"type": "collection"}, decision)["entry"]
        assert entry["resource"]["extension"] == kept
