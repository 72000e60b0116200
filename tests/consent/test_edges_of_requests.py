"""Edges of requests, clauses and inputs that mutants of the engine showed nobody had tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

import consent
from consent.errors import UnreadableInput
from consent.general import in_general
from consent.model import Code, Decision, Item, Outcome
from consent.moments import interval
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, Sector, View
from tests.consent.test_outside import (
    ACT,
    DENY,
    LOINC,
    MOTHER,
    NEEDS_SHELTER,
    NOBODY,
    PERMIT,
    REASON,
    SINCE,
    Json,
    asked,
    clinic_consent,
    payload,
)
from tests.consent.world import AT, CHILD, agency, child, consent_of, given, item, plan, policy, provision, view

SOCIAL, COURT = Sector.SOCIAL, Sector.COURT
MEDICAL, REFERRAL = DataClass.MEDICAL_EXAM, DataClass.REFERRAL
HIV, PSY = ({"system": ACT, "code": code} for code in ("HIV", "PSY"))
EXAM = {"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}
R4_TYPES, R5_TYPES = "http://hl7.org/fhir/resource-types", "http://hl7.org/fhir/fhir-types"
ONLY_SOCIAL = {"reference": "Organization/social"}
WORDS_ALONE = {"display": "mọi mục đích"}


def answered(root: Json, *more: Json, profile: str = "hub", **request: Any) -> Json:
    """What these consents alone say to the clinic."""
    stated = {**payload()["request"], **request}
    consents = [clinic_consent() | {"provision": root}, *more]
    return consent.decide_input(payload(consents=consents, request=stated, profile=profile), policy())


def nested(kind: str, *below: Json, **stated: Any) -> Json:
    return {"type": kind, **stated, "provision": list(below)}


def judged(root: Json, one: Any = None, references: Json | None = None, **ask: Any) -> Result:
    """What one tree says of an exam for the shelter that cares."""
    this = Ask(agency(SOCIAL), agency(Sector.HEALTH), "CAREMGT", "disclose", AT, "Asia/Ho_Chi_Minh")
    tree = consent.read_consent(consent_of(root), references)
    return judge_tree(tree, msgspec.structs.replace(this, **ask), one or item(MEDICAL)).result


def called(*names: Json) -> list[Json]:
    """One actor who would receive, by these names."""
    return [{"role": {"coding": [{"code": "IRCP"}]}, "reference": list(names)}]


# --- consents alone -----------------------------------------------------------------------------------------------


def test_a_denial_that_one_consent_states_outranks_what_another_permits() -> None:
    """Consents add up, but for what one of them denies in so many words."""
    refuses = nested("permit", {"type": "deny", "purpose": [{"system": REASON, "code": "TREAT"}]})
    assert answered({"type": "permit"}, clinic_consent())["decision"] == PERMIT
    assert answered(refuses, clinic_consent())["decision"] == DENY


@pytest.mark.parametrize("status", ["draft", "inactive", "entered-in-error"])
@pytest.mark.parametrize("kind", ["permit", "deny"])
def test_only_an_active_consent_speaks(status: str, kind: str) -> None:
    """One that is not yet, no longer or by mistake there neither permits nor denies."""
    one = clinic_consent(type=kind) | {"status": status}
    assert consent.decide_input(payload(consents=[one]), policy())["decision"] == NOBODY


@pytest.mark.parametrize("profile", ["hub", "pcf"])
def test_of_two_conditions_the_one_goes_that_takes_less_with_it(profile: str) -> None:
    """Where exams are denied with either of two labels, exams go: to go by label would take more that is permitted."""
    denied = [{"type": "deny", "securityLabel": [label], "class": [EXAM]} for label in (HIV, PSY)]
    answer = answered(nested("permit", *denied), profile=profile)
    assert [one["parameters"] for one in answer["obligations"]] == [{"codes": [EXAM]}]


UNLESS = nested("permit", nested("deny", {"type": "permit", "securityLabel": [PSY]}, securityLabel=[HIV]))


@pytest.mark.parametrize(
    ("root", "profile", "residual"),
    [
        (nested("deny", {"type": "permit", "securityLabel": [HIV]}), "hub", {"permit": [HIV]}),
        (nested("deny", {"type": "permit", "securityLabel": [HIV]}), "pcf", {"permit": [HIV]}),
        (UNLESS, "hub", {"forbid": [HIV]}),
        (UNLESS, "pcf", {"permit": [PSY], "forbid": [HIV]}),
    ],
)  # fmt: skip
def test_what_alone_is_permitted_is_a_residual(root: Json, profile: str, residual: Json) -> None:
    """A redaction of all but some codes says that those are permitted; of some codes but others, only in pcf."""
    answer = answered(root, profile=profile)
    assert {one["type"]: one["codes"] for one in answer["residual"]} == residual


@pytest.mark.parametrize(
    ("root", "purposes", "code", "clause"),
    [
        (nested("deny", {"type": "permit", "securityLabel": [HIV]}), ["TREAT"], "C-permits", "provision.provision[0]"),
        (nested("permit", {"type": "deny", "purpose": [{"system": REASON, "code": "TREAT"}]}), ["HPAYMT", "TREAT"],
         "R17-consent-denies", "provision.provision[0]"),
        ({"type": "permit"}, ["TREAT"], "C-permits", "provision"),
    ],
)  # fmt: skip
def test_a_reason_names_the_clause_that_decided(root: Json, purposes: list[str], code: str, clause: str) -> None:
    """What permits where something is permitted, and for two purposes the clause of the one that is denied."""
    (reason,) = answered(root, purposeOfUse=purposes)["reasons"]
    assert (reason["code"], reason["rule"]) == (code, f"Consent/clinic#{clause}")


@pytest.mark.parametrize(
    ("wanted", "named", "expected"),
    [
        (R4_TYPES, R5_TYPES, PERMIT),
        (R5_TYPES, R4_TYPES, PERMIT),
        (R4_TYPES, LOINC, NOBODY),
        (LOINC, R4_TYPES, NOBODY),
        (LOINC, LOINC, PERMIT),
    ],
)
def test_a_type_of_resource_is_the_same_in_r4_and_r5(wanted: str, named: str, expected: str) -> None:
    """And the same word as a code of another system is another class."""
    root = {"type": "permit", "class": [{"system": named, "code": "Observation"}]}
    assert answered(root, **{"class": [{"system": wanted, "code": "Observation"}]})["decision"] == expected


# --- trees --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "named", "wanted", "expected"),
    [
        ("permit", R4_TYPES, {Code(R5_TYPES, "Observation")}, Result.PERMIT),
        ("permit", R4_TYPES, {Code(LOINC, "Observation")}, Result.NOT_APPLICABLE),
        ("permit", R4_TYPES, {Code(R4_TYPES, "Observation"), Code(R4_TYPES, "Condition")}, Result.NOT_APPLICABLE),
        ("deny", R4_TYPES, {Code(R4_TYPES, "Observation"), Code(R4_TYPES, "Condition")}, Result.DENY),
    ],
)
def test_a_request_by_class_is_covered_whole_or_denied_by_part(
    kind: str, named: str, wanted: set[Code], expected: Result
) -> None:
    """What permits must cover every class that is asked for; a denial of one of them is one of all."""
    root = {"type": kind, "class": [{"system": named, "code": "Observation"}]}
    assert judged(root, item(MEDICAL, type="Encounter"), classes=frozenset(wanted)) is expected


def test_an_identifier_in_an_exception_names_nobody_above_it() -> None:
    """The consent is about the court; only its exception names the shelter, and that is about referrals."""
    court, shelter = ({"identifier": {"system": "urn:agency", "value": one.value}} for one in (COURT, SOCIAL))
    below = provision("permit", classes=[REFERRAL], actor=called(shelter))
    root = nested("permit", below, actor=called(court))
    assert judged(root) is Result.NOT_APPLICABLE
    assert judged(root, item(REFERRAL)) is Result.PERMIT
    assert judged(root, recipient=agency(COURT)) is Result.PERMIT


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"refs": ("urn:uuid:2",)}, Result.INDETERMINATE),
        ({"episode": "EpisodeOfCare/1"}, Result.INDETERMINATE),
        ({}, Result.NOT_APPLICABLE),
    ],
)
def test_what_refers_to_anything_may_depend_on_what_a_clause_names(changes: Json, expected: Result) -> None:
    """A bundle shows only some ties; what refers to nothing and belongs to no episode depends on nothing."""
    data = [{"meaning": "dependents", "reference": {"reference": "Observation/9"}}]
    assert judged({"type": "permit", "data": data}, item(MEDICAL, **changes)) is expected


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("https://a.example/Practitioner/1", Result.PERMIT),
        ("https://a.example/Practitioner/2", Result.NOT_APPLICABLE),
        ("https://a.example/Organization/1", Result.INDETERMINATE),
        ("https://b.example/Practitioner/1", Result.INDETERMINATE),
    ],
)
def test_authors_of_one_kind_on_one_server_can_be_compared(author: str, expected: Result) -> None:
    """An organisation may be where that practitioner works, and on another server it may be the same one."""
    data = [{"meaning": "authoredby", "reference": {"reference": "https://a.example/Practitioner/1"}}]
    assert judged({"type": "permit", "data": data}, item(MEDICAL, author=author)) is expected


NURSE, CLERK = ({"role": {"coding": [{"system": "urn:role", "code": code}]}} for code in ("nurse", "clerk"))


@pytest.mark.parametrize(
    "actor",
    [
        {"reference": ONLY_SOCIAL},
        {"reference": {"reference": "Organization/above"}},
        {"reference": {"identifier": {"system": "urn:agency", "value": "above"}}},
        NURSE,
        NURSE | {"reference": ONLY_SOCIAL},
    ],
    ids=str,
)
def test_whom_an_exception_names_nobody_above_it_names(actor: Json) -> None:
    """In whichever way: the root is about the court alone, in a role that the shelter has not."""
    root = nested("permit", provision("permit", classes=[REFERRAL], actor=[actor]), actor=[CLERK])
    shelter = agency(SOCIAL, roles=(Code("urn:role", "nurse"),), parents=("Organization/above", "urn:agency|above"))
    assert judged(root, recipient=shelter) is Result.NOT_APPLICABLE
    assert judged(root, item(REFERRAL), recipient=shelter) is Result.PERMIT


def test_an_exception_for_somebody_else_leaves_the_rest_to_all() -> None:
    """The root names nobody and holds for everybody."""
    root = nested("permit", provision("deny", to=COURT))
    assert judged(root) is Result.PERMIT
    assert judged(root, recipient=agency(COURT)) is Result.DENY


@pytest.mark.parametrize("missing", [(), ("identifiers",), ("references",), ("identifiers", "references")], ids=str)
def test_a_root_for_everybody_is_for_whoever_is_known_by_little(missing: tuple[str, ...]) -> None:
    """Only the exception names anybody, so only of the exception nobody can tell."""
    root = nested("permit", provision("permit", to=COURT, classes=[REFERRAL]))
    assert judged(root, recipient=agency(SOCIAL, **dict.fromkeys(missing, ()))) is Result.PERMIT


def test_roles_of_different_systems_cannot_be_compared() -> None:
    """A role of a system that the shelter has no role of may be its own, whatever an exception knows of others."""
    other = {"role": {"coding": [{"system": "urn:other", "code": "x"}]}}
    root = nested("permit", provision("permit", classes=[REFERRAL], actor=[CLERK]), actor=[other])
    assert judged(root, recipient=agency(SOCIAL, roles=(Code("urn:role", "nurse"),))) is Result.INDETERMINATE


def test_an_agency_that_has_no_number_may_be_the_one_of_that_number() -> None:
    """Who is named by number and role is not compared with whoever is known by references only."""
    actor = NURSE | {"reference": {"identifier": {"system": "urn:agency", "value": "court"}}}
    root = {"type": "permit", "actor": [actor]}
    nurse = agency(SOCIAL, roles=(Code("urn:role", "nurse"),))
    assert judged(root, recipient=nurse) is Result.NOT_APPLICABLE
    assert judged(root, recipient=agency(SOCIAL, roles=nurse.roles, identifiers=())) is Result.INDETERMINATE


# --- reading a Consent --------------------------------------------------------------------------------------------


def told(root: Json, kind: View) -> None:
    facts = child(plans=(plan("social"),), consents=(given(root, by=CHILD),))
    assert view(SOCIAL, MEDICAL, facts) is kind


def test_any_purpose_is_every_purpose() -> None:
    """PurposeOfUse stands for all purposes, so such a denial is about care too; one for payment is not."""
    told(provision("deny", purpose=["PurposeOfUse"]), View.NONE)
    told(provision("deny", purpose=["HPAYMT"]), View.SUMMARY)


def test_a_purpose_in_words_may_be_the_one_asked_for() -> None:
    """A denial for payment and for what only words say cannot be passed over."""
    told(provision("deny", purpose=["HPAYMT"]) | {"purpose": [{"system": REASON, "code": "HPAYMT"}, WORDS_ALONE]},
         View.NONE)  # fmt: skip


def test_a_denial_for_the_court_and_for_nobody_knows_whom_may_be_for_the_shelter() -> None:
    """A name that nobody can resolve keeps a consent from being passed over."""
    court = {"reference": "Organization/court"}
    told(provision("deny", actor=called(court)), View.SUMMARY)
    told(provision("deny", actor=called(court, {"reference": "urn:uuid:nobody"})), View.NONE)


@pytest.mark.parametrize(
    "data", [{"meaning": "instance"}, {"reference": {"reference": "Observation/9"}}, "Observation/9"], ids=str
)
def test_data_is_named_by_meaning_and_reference(data: Any) -> None:
    """One without the other cannot be read."""
    assert judged({"type": "permit", "data": [data]}) is Result.INDETERMINATE


def test_what_is_not_understood_leaves_the_rest_as_it_says() -> None:
    """A clause for the court is not for the shelter, whatever else stands in it."""
    root = provision("permit", to=COURT) | {"expression": {"language": "text/cql"}}
    assert judged(root) is Result.NOT_APPLICABLE
    assert judged(root, recipient=agency(COURT)) is Result.INDETERMINATE


@pytest.mark.parametrize(
    "period", [{"start": "2026-01-01", "extension": [{"url": "urn:x"}]}, {"modifier": "x"}, "2026", ["2026"]], ids=str
)
def test_a_period_that_says_more_than_its_bounds_is_not_understood(period: Any) -> None:
    """Also one that is no period at all."""
    assert judged({"type": "permit", "period": {"start": "2026-01-01", "id": "x"}}) is Result.PERMIT
    assert judged({"type": "permit", "period": period}) is Result.INDETERMINATE


def test_what_a_branch_says_clearly_below_words_is_clear() -> None:
    """Below a clause for the court with a purpose in words, one for the shelter and treatment says nothing of care."""
    clear = provision("permit", to=SOCIAL, purpose=["TREAT"])
    words = provision("deny", to=COURT) | {"purpose": [WORDS_ALONE], "provision": [clear]}
    assert judged({"type": "deny", "provision": [words]}) is Result.DENY
    assert judged({"type": "deny", "provision": [words]}, purpose="TREAT") is Result.INDETERMINATE


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([{"reference": "Organization/court"}], Result.NOT_APPLICABLE),
        ([{"reference": "Organization/court"}, {"reference": "urn:uuid:nobody"}], Result.INDETERMINATE),
        ([{"reference": "Organization/court"}, {"display": "Ai đó"}], Result.INDETERMINATE),
        ([{"reference": "Organization/court"}, ONLY_SOCIAL], Result.PERMIT),
    ],
)
def test_one_name_that_nobody_can_resolve_may_be_anybody(names: list[Json], expected: Result) -> None:
    """Whoever is not among the names known is not ruled out by them."""
    assert judged({"type": "permit", "actor": called(*names)}) is expected


def test_a_group_of_which_one_member_is_nobody_may_hold_anybody() -> None:
    """Of two members one is known: whoever is not that one is not ruled out."""
    for other, expected in (("Organization/police", Result.NOT_APPLICABLE), ("urn:uuid:nobody", Result.INDETERMINATE)):
        members = [{"entity": {"reference": one}} for one in ("Organization/court", other)]
        known = {"Group/0": {"resourceType": "Group", "actual": True, "member": members}}
        root = {"type": "permit", "actor": called({"reference": "Group/0"})}
        assert judged(root, references=known) is expected


@pytest.mark.parametrize(("groups", "expected"), [(1, Result.PERMIT), (9, Result.PERMIT), (10, Result.INDETERMINATE)])
def test_groups_of_groups_are_followed_nine_deep(groups: int, expected: Result) -> None:
    """Deeper than that nobody looks, and nobody is ruled out."""
    inner = [*({"reference": f"Group/{number}"} for number in range(1, groups)), ONLY_SOCIAL]
    known = {f"Group/{number}": {"resourceType": "Group", "actual": True, "member": [{"entity": one}]}
             for number, one in enumerate(inner)}  # fmt: skip
    assert judged({"type": "permit", "actor": called({"reference": "Group/0"})}, references=known) is expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({}, Result.PERMIT),
        ({"actual": True}, Result.PERMIT),
        ({"actual": False}, Result.INDETERMINATE),
        ({"membership": "enumerated"}, Result.PERMIT),
        ({"membership": "definitional"}, Result.INDETERMINATE),
        ({"characteristic": [{"exclude": False}]}, Result.INDETERMINATE),
    ],
    ids=str,
)
def test_only_a_group_that_lists_its_members_names_them(stated: Json, expected: Result) -> None:
    """One that is described may hold anybody."""
    group = {"resourceType": "Group", "member": [{"entity": ONLY_SOCIAL}], **stated}
    root = {"type": "permit", "actor": called({"reference": "Group/1"})}
    assert judged(root, references={"Group/1": group}) is expected


# --- an input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (Code(DATA_CLASS_SYSTEM, "medical-exam"), {MEDICAL}),
        (Code("urn:other", "medical-exam"), set(DataClass)),
        (Code(DATA_CLASS_SYSTEM, "no-such"), set(DataClass)),
    ],
)
def test_a_class_of_the_hub_is_one_of_its_codes_in_its_system(stated: Code, expected: set[DataClass]) -> None:
    """What only looks like one is none: the request is about whatever there is."""
    seen: set[Any] = set()

    def judging(items: tuple[Item, ...]) -> Decision:
        seen.update(one.data_class for one in items)
        return Decision(Outcome.DENY, (), ())

    assert in_general((stated,), policy(), judging).outcome is Outcome.DENY
    assert seen == expected


def test_the_first_policy_is_in_force_from_its_first_moment() -> None:
    """Before it there is none to decide by."""
    first = policy().editions[0][0]
    assert consent.decide_input(payload(asOf=first.isoformat()), policy())["decision"] == NOBODY
    with pytest.raises(UnreadableInput, match="asOf"):
        consent.decide_input(payload(asOf=(first - timedelta(seconds=1)).isoformat()), policy())


def test_a_permit_of_nothing_no_longer_says_that_it_permits() -> None:
    """Where nothing can stand, the reasons are why not."""
    facts = {"plans": [{"agencies": ["agency"], "approvedBy": "x", **SINCE}]}
    notes = {"resourceType": "Composition", "status": "final", "title": "x",
             "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": "safety-plan"}]}}  # fmt: skip
    request = {"purposeOfUse": ["CAREMGT"]}
    answer = consent.decide_input(asked("social", "", facts, request=request, resources=[notes]), policy())
    codes = [one["code"] for one in answer["reasons"]]
    assert (answer["decision"], codes[0]) == (DENY, "R25-nothing-stands")
    assert not [one for one in codes if one.endswith("-permits")]


@pytest.mark.parametrize(("other", "expected"), [("kid", PERMIT), ("cousin", NOBODY)])
def test_where_nobody_is_named_the_one_whom_all_consents_are_about_is_the_child(other: str, expected: str) -> None:
    """Two consents about one patient are about the child; about two patients they are about nobody in particular."""
    own, hers = NEEDS_SHELTER
    consents = [
        {**own, "patient": {"reference": "Patient/kid"}, "performer": [{"reference": "Patient/kid"}]},
        {**hers, "patient": {"reference": f"Patient/{other}"}},
    ]
    facts = {"relationships": [{**MOTHER, "to": "person"}]}
    given = asked("social", "medical-exam", facts, consents=consents, person={"birthDate": "2014-03-01"})
    assert consent.decide_input(given, policy())["decision"] == expected


@pytest.mark.parametrize("name", ["", 7, None, ["child"]])
def test_a_person_is_called_by_a_name(name: Any) -> None:
    """An empty one, or what is no text, is none."""
    given = asked("health", "medical-exam", {}, person={"id": name, "birthDate": "2014-03-01"})
    with pytest.raises(UnreadableInput, match=r"person\.id"):
        consent.decide_input(given, policy())


@pytest.mark.parametrize(
    ("odd", "place"),
    [
        ({"consents": ["x"], "person": {}}, "consents"),
        ({"resources": [{"resourceType": "Basic", "contained": [{"meta": "x"}]}]}, "contained"),
    ],
    ids=str,
)
def test_what_is_no_object_is_refused_by_its_place(odd: Json, place: str) -> None:
    """Wherever one is wanted."""
    with pytest.raises(UnreadableInput, match=place):
        consent.decide_input(payload(**odd), policy())


def test_what_is_no_resource_resolves_nothing() -> None:
    """A reference to something else is one that nobody can resolve."""
    none = consent.decide_input(payload(references={}), policy())
    assert consent.decide_input(payload(references={"Organization/54": "x"}), policy()) == none


@pytest.mark.parametrize(("fraction", "micro"), [("5", 500000), ("000001", 1), ("1234567", 123456)])
def test_a_fraction_of_a_second_is_read_to_the_microsecond(fraction: str, micro: int) -> None:
    """However many digits it has."""
    found = interval(f"2026-06-15T09:00:00.{fraction}Z", "UTC")
    assert found is not None
    assert (found[0].microsecond, found[1] - found[0]) == (micro, timedelta(microseconds=1))


def test_by_consents_alone_a_permit_stands_though_nothing_is_left_of_it() -> None:
    """The law has no word there, and no R25."""
    notes = {"resourceType": "Composition", "status": "final", "title": "x",
             "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": "safety-plan"}]}}  # fmt: skip
    answer = consent.decide_input(payload(resources=[notes]), policy())
    assert (answer["decision"], answer["released"]) == (PERMIT, [])
    assert [one["code"] for one in answer["reasons"]] == ["C-permits"]
