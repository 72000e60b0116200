"""The corners of the named profiles, one by one, through the offline face that integrators use."""

from __future__ import annotations

from typing import Any

import pytest

import consent
from consent.errors import UnreadableInput
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass
from tests.consent.world import LOINC, policy

PROFILES = ("hub", "pcf", "leap-2020")
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACTOR = {"system": "urn:agency", "value": "shelter"}
HIV, PSY = {"system": ACT_CODE, "code": "HIV"}, {"system": ACT_CODE, "code": "PSY"}


def purpose(*codes: str) -> list[dict[str, str]]:
    return [{"system": REASON, "code": code} for code in codes]


def asked(root: dict[str, Any] | None, profile: str, *more: dict[str, Any], **payload: Any) -> dict[str, Any]:
    """The answer to one request about one consent with this root provision (and further whole consents)."""
    base = {
        "resourceType": "Consent",
        "id": "1",
        "status": "active",
        "dateTime": "2026-05-01",
        "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy"}]},
    }
    own = [base if root is None else {**base, "provision": root}]
    consents = [{**base, "id": str(number), **one} for number, one in enumerate(more, 2)]
    request = payload.pop("request", {"actor": [ACTOR], "purposeOfUse": ["TREAT"]})
    return consent.decide_input(
        {"asOf": "2026-06-15T09:00:00Z", "profile": profile, "consents": own + consents, "request": request, **payload},
        policy(),
    )


def said(root: dict[str, Any] | None, *more: dict[str, Any], **payload: Any) -> tuple[str, ...]:
    """The decision by each profile, in the order hub, pcf, leap-2020."""
    return tuple(asked(root, profile, *more, **payload)["decision"] for profile in PROFILES)


def with_root(base: str, *nested: dict[str, Any], **stated: Any) -> dict[str, Any]:
    return {"type": base, **stated, "provision": list(nested)}


PERMIT, DENY, NOBODY, UNSURE = "PERMIT", "DENY", "NO_CONSENT", "INDETERMINATE"


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ({"type": "permit"}, (PERMIT, PERMIT, PERMIT)),
        ({"type": "deny"}, (DENY, DENY, DENY)),
        # A nested type: honoured by hub and pcf, ignored by leap, where a match flips the parent.
        (with_root("permit", {"type": "permit", "purpose": purpose("TREAT")}), (PERMIT, PERMIT, DENY)),
        (with_root("permit", {"type": "deny", "purpose": purpose("TREAT")}), (DENY, DENY, DENY)),
        (with_root("deny", {"type": "deny", "purpose": purpose("TREAT")}), (DENY, DENY, PERMIT)),
        # No nested type.
        (with_root("permit", {"purpose": purpose("TREAT")}), (UNSURE, UNSURE, DENY)),
        # An empty nested permit.
        (with_root("deny", {"type": "permit"}), (UNSURE, UNSURE, PERMIT)),
        # Siblings that clash.
        (
            with_root(
                "permit", {"type": "permit", "purpose": purpose("TREAT")}, {"type": "deny", "purpose": purpose("TREAT")}
            ),
            (DENY, DENY, DENY),
        ),
        # Permit inside permit widens what the parent covers.
        (
            with_root("permit", {"type": "permit", "purpose": purpose("TREAT")}, purpose=purpose("HPAYMT")),
            (PERMIT, PERMIT, DENY),
        ),
        # Root purpose or period that does not match.
        ({"type": "permit", "purpose": purpose("HPAYMT")}, (NOBODY, NOBODY, NOBODY)),
        ({"type": "deny", "purpose": purpose("HPAYMT")}, (NOBODY, NOBODY, NOBODY)),
        ({"type": "permit", "period": {"end": "2026-01-01"}}, (NOBODY, NOBODY, NOBODY)),
        ({"type": "deny", "period": {"start": "2027"}}, (NOBODY, NOBODY, NOBODY)),
        # The branch of a purpose that the root does not have is reached (IHE's own break-glass example).
        (
            with_root("deny", {"type": "permit", "purpose": purpose("TREAT")}, purpose=purpose("HOPERAT")),
            (PERMIT, PERMIT, PERMIT),
        ),
        # An unknown actor: undecidable, and for leap no consent.
        (
            {"type": "permit", "actor": [{"reference": {"reference": "Organization/404"}}]},
            (UNSURE, UNSURE, NOBODY),
        ),
        # A modifierExtension is read by nobody, and what cannot be read stops every profile.
        ({"type": "permit", "modifierExtension": [{"url": "urn:x"}]}, (UNSURE, UNSURE, UNSURE)),
    ],
)
def test_each_corner_is_read_as_its_profile_says(root: dict[str, Any], expected: tuple[str, ...]) -> None:
    """Hub, pcf and leap-2020 each answer as the design's table has it."""
    assert said(root) == expected


def test_an_absent_purpose() -> None:
    """Hub and pcf cannot decide without a purpose where a provision asks for one; for leap anything matches."""
    request = {"actor": [ACTOR]}
    assert said({"type": "permit", "purpose": purpose("TREAT")}, request=request) == (UNSURE, UNSURE, PERMIT)
    assert said({"type": "permit"}, request=request) == (PERMIT, PERMIT, PERMIT)


def test_the_base_rule_is_looked_for_in_each_profiles_places() -> None:
    """Hub: decision, root type, policy rule; leap: policy rule first; nothing said means deny."""
    optin = {"coding": [{"system": ACT_CODE, "code": "OPTIN"}]}
    base = {"provision": {"type": "deny"}, "policyRule": optin}
    answers = [asked(None, profile, base, consents=[])["decision"] for profile in PROFILES]
    assert answers == [NOBODY, NOBODY, NOBODY]
    for profile, expected in zip(PROFILES, (DENY, DENY, PERMIT), strict=True):
        consents = [{"resourceType": "Consent", "status": "active", **base}]
        assert asked(None, profile, consents=consents)["decision"] == expected
    only_rule = [{"resourceType": "Consent", "status": "active", "policyRule": optin}]
    assert [asked(None, profile, consents=only_rule)["decision"] for profile in PROFILES] == [PERMIT] * 3
    nothing = [{"resourceType": "Consent", "status": "active"}]
    assert [asked(None, profile, consents=nothing)["decision"] for profile in PROFILES] == [DENY] * 3


def test_r5_provisions_are_exceptions_to_the_decision() -> None:
    """R5 has a base decision, a list of provisions without types, and each flips its parent."""
    r5 = [
        {
            "resourceType": "Consent",
            "status": "active",
            "decision": "permit",
            "provision": [{"purpose": purpose("TREAT"), "provision": [{"purpose": purpose("ETREAT")}]}],
        }
    ]
    assert asked(None, "hub", consents=r5)["decision"] == DENY
    other = {"actor": [ACTOR], "purposeOfUse": ["ETREAT"]}
    assert asked(None, "hub", consents=r5, request=other)["decision"] == PERMIT


def obligations(answer: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [
        (kind, [code["code"] for code in codes])
        for one in answer["obligations"]
        for kind, codes in one["parameters"].items()
    ]


def test_a_denial_by_label_redacts_that_label() -> None:
    """Base permit, label denied: permit, and what carries the label is redacted."""
    root = with_root("permit", {"type": "deny", "securityLabel": [HIV, PSY]})
    for profile in PROFILES:
        answer = asked(root, profile)
        assert (answer["decision"], obligations(answer)) == (PERMIT, [("codes", ["HIV", "PSY"])])
    residual = asked(root, "pcf")["residual"]
    assert [(one["type"], [code["code"] for code in one["codes"]]) for one in residual] == [("forbid", ["HIV", "PSY"])]


def test_a_permit_by_label_under_a_base_denial() -> None:
    """Hub: permit, only these; pcf: the permit residual; leap drops obligations on a denial."""
    root = with_root("deny", {"type": "permit", "securityLabel": [HIV]})
    hub = asked(root, "hub")
    assert (hub["decision"], obligations(hub)) == (PERMIT, [("exceptAnyOfCodes", ["HIV"])])
    assert asked(root, "pcf")["residual"][0]["type"] == "permit"
    leap = asked(root, "leap-2020")
    assert (leap["decision"], leap["obligations"]) == (DENY, [])


def test_label_and_class_in_one_provision() -> None:
    """Hub redacts no more classes than it must; leap unites label and class into one redaction."""
    named = [{"system": LOINC, "code": "doc"}]
    root = with_root("permit", {"type": "deny", "securityLabel": [HIV], "class": named})
    assert obligations(asked(root, "hub")) == [("codes", ["HIV"])]
    assert obligations(asked(root, "leap-2020")) == [("codes", ["doc", "HIV"])]
    only = with_root("deny", {"type": "permit", "securityLabel": [HIV], "class": named})
    assert obligations(asked(only, "hub")) == [("exceptAnyOfCodes", ["HIV"]), ("exceptAnyOfCodes", ["doc"])]


def test_a_redaction_that_covers_the_whole_request_is_a_denial() -> None:
    """A request that names just the class which a provision denies gets a denial, not a permit of nothing."""
    named = [{"system": LOINC, "code": "doc"}]
    root = with_root("permit", {"type": "deny", "class": named})
    request = {"actor": [ACTOR], "purposeOfUse": ["TREAT"], "class": named}
    assert said(root, request=request) == (DENY, DENY, DENY)
    wider = {**request, "class": [*named, {"system": LOINC, "code": "other"}]}
    assert said(root, request=wider) == (PERMIT, PERMIT, PERMIT)
    assert said(root, request={**request, "class": [{"system": LOINC, "code": "other"}]}) == (PERMIT, PERMIT, PERMIT)


def test_several_consents() -> None:
    """Hub and pcf: a denial wins whatever its date; leap: the newest answers alone."""
    newer_permit = {"dateTime": "2026-06-01", "provision": {"type": "permit"}}
    assert said({"type": "deny"}, newer_permit) == (DENY, DENY, PERMIT)
    older_permit = {"dateTime": "2025-12-01", "provision": {"type": "permit"}}
    assert said({"type": "deny"}, older_permit) == (DENY, DENY, DENY)


def test_invariant_6_what_cannot_be_read_in_full_never_permits_by_label_either() -> None:
    """A nested permit that nobody can read leaves nothing by its labels, whatever the base rule and the profile."""
    label = {"type": "permit", "securityLabel": [HIV]}
    for more in ({"modifierExtension": [{"url": "urn:x"}]}, {"expression": {"language": "text/cql"}}):
        for root in (with_root("deny", label | more), with_root("deny", label) | more):
            assert said(root)[:2] == (UNSURE, UNSURE)
            assert PERMIT not in said(root)
    sibling = {"type": "deny", "securityLabel": [HIV], "modifierExtension": [{"url": "urn:x"}]}
    assert said(with_root("deny", label, sibling))[:2] == (UNSURE, UNSURE)
    odd = [{"system": "urn:local", "code": "CARE"}]
    assert asked(with_root("deny", label | {"purpose": odd}), "hub")["decision"] == UNSURE


def test_r2_every_purpose_and_action_must_be_covered_whatever_their_order() -> None:
    """Of two purposes only one is permitted: nothing leaves; each permits another label: both labels are needed."""
    treat = {"type": "permit", "purpose": purpose("TREAT"), "securityLabel": [HIV]}
    research = {"type": "permit", "purpose": purpose("HRESCH"), "securityLabel": [PSY]}
    for purposes in (["TREAT", "HRESCH"], ["HRESCH", "TREAT"]):
        request = {"actor": [ACTOR], "purposeOfUse": purposes}
        assert said(with_root("deny", treat), request=request) == (DENY, DENY, DENY)
        refused = with_root("permit", {"type": "deny", "purpose": purpose("HRESCH")})
        assert said(refused, request=request) == (DENY, DENY, DENY)
        both = with_root("deny", treat, research)
        for profile in ("hub", "pcf"):
            answer = asked(both, profile, request=request, resources=[observation("one", HIV)])
            assert (answer["decision"], answer["released"]) == (DENY, [])
            only = obligations(asked(both, profile, request=request))
            assert only == [("exceptAnyOfCodes", ["HIV"]), ("exceptAnyOfCodes", ["PSY"])]
    access = {"type": "permit", "action": [{"coding": [{"code": "access"}]}], "securityLabel": [HIV]}
    request = {"actor": [ACTOR], "purposeOfUse": ["TREAT"], "action": ["access", "disclose"]}
    assert said(with_root("deny", access), request=request) == (DENY, DENY, DENY)


@pytest.mark.parametrize(
    "stated",
    [
        {"purpose": [{"system": "urn:local", "code": "CARE"}]},
        {"purpose": [{"display": "x"}]},
        {"action": [{"coding": [{"system": "urn:local", "code": "look"}]}]},
        {"purpose": purpose("HRESCH"), "modifierExtension": [{"url": "x"}]},
    ],
)
def test_invariant_6_a_denial_with_an_unknown_code_is_not_passed_over(stated: dict[str, Any]) -> None:
    """It may mean the request at hand, so that another consent's permit does not stand."""
    assert asked({"type": "permit"}, "hub", {"provision": {"type": "deny", **stated}})["decision"] == UNSURE


def test_which_consents_count_is_no_corner_of_a_profile() -> None:
    """Another scope, or given later: it says nothing; the newest that cannot be read is not passed over."""
    for scope in ("adr", "research", "treatment"):
        other = {"scope": {"coding": [{"system": SCOPE, "code": scope}]}, "provision": {"type": "permit"}}
        assert said({"type": "deny", "purpose": purpose("HPAYMT")}, other) == (NOBODY, NOBODY, NOBODY)
    later = {"dateTime": "2027-01-01", "provision": {"type": "permit"}}
    assert said({"type": "deny"}, later) == (DENY, DENY, DENY)
    unread = {"dateTime": "2026-06-01", "modifierExtension": [{"url": "x"}], "provision": {"type": "deny"}}
    assert said({"type": "permit"}, unread) == (UNSURE, UNSURE, UNSURE)
    wrapped = {"consent": {"resourceType": "Consent", "status": "active", "provision": {"type": "permit"}}}
    for over in ({"withdrawnAt": "2026-06-01"}, {"suspended": True}):
        consents = [wrapped | over | {"evidence": "paper"}]
        assert [asked(None, one, consents=consents)["decision"] for one in PROFILES] == [NOBODY] * 3


def test_r15_a_stated_denial_does_not_run_out() -> None:
    """After twelve months a permit is over and a denial is not, judged alone as on all layers."""
    old = {"dateTime": "2024-01-01"}
    assert (
        asked({"type": "permit"}, "hub", old | {"provision": {"type": "deny", "purpose": purpose("TREAT")}})["decision"]
        == DENY
    )
    assert (
        asked({"type": "deny", "purpose": purpose("HPAYMT")}, "hub", old | {"provision": {"type": "permit"}})[
            "decision"
        ]
        == NOBODY
    )


def test_r15_a_date_that_is_none_is_no_beginning() -> None:
    """Nobody can tell when a permit with an unreadable date ends, so that it is over."""
    for date, expected in (("2026-05-01", PERMIT), ("some day", NOBODY)):
        consents = [{"resourceType": "Consent", "status": "active", "dateTime": date, "provision": {"type": "permit"}}]
        assert asked(None, "hub", consents=consents)["decision"] == expected


def test_permits_of_one_person_add_up() -> None:
    """Two permits for two labels permit either; an opt-in's base rule closes that opt-in only, at the hub."""
    one = {"type": "permit", "securityLabel": [HIV]}
    answer = asked(one, "hub", {"provision": {"type": "permit", "securityLabel": [PSY]}})
    assert obligations(answer) == [("exceptAnyOfCodes", ["HIV", "PSY"])]
    opt_in = {"provision": with_root("deny", {"type": "permit", "securityLabel": [HIV]})}
    assert (
        asked({"type": "permit"}, "hub", opt_in)["decision"],
        obligations(asked({"type": "permit"}, "hub", opt_in)),
    ) == (
        PERMIT,
        [],
    )
    assert obligations(asked({"type": "permit"}, "pcf", opt_in)) == [("exceptAnyOfCodes", ["HIV"])]


def test_what_is_permitted_and_what_is_forbidden_never_contradict() -> None:
    """A permit denied to the very actor who asks permits nothing; an exception to a redaction stands beside it."""
    no = {"type": "deny", "actor": [{"reference": {"identifier": ACTOR}}]}
    root = with_root("deny", with_root("permit", no, securityLabel=[HIV]))
    assert said(root)[:2] == (DENY, DENY)
    mixed = with_root("permit", {"type": "deny", "securityLabel": [HIV]}, {"type": "permit", "securityLabel": [PSY]})
    assert obligations(asked(mixed, "hub")) == [("codes", ["HIV"])]
    assert obligations(asked(mixed, "pcf")) == [("codes", ["HIV"]), ("exceptAnyOfCodes", ["PSY"])]
    assert len(asked(mixed, "pcf")["obligations"]) == 1
    opt_in = with_root("deny", {"type": "permit", "securityLabel": [HIV]}, {"type": "deny", "securityLabel": [PSY]})
    answer = asked(opt_in, "pcf", resources=[observation("both", HIV, PSY), observation("psy", PSY)])
    assert ([one["id"] for one in answer["released"]], obligations(answer)) == (
        ["both"],
        [("exceptAnyOfCodes", ["HIV"])],
    )


def test_data_and_its_dates_are_evaluated_for_each_resource() -> None:
    """Alone as on all layers: what no code can say is judged where the resources are there."""
    old, new = (
        observation(name) | {"effectiveDateTime": date} for name, date in (("old", "2020-01-01"), ("new", "2026-05-01"))
    )
    since = {"dataPeriod": {"start": "2025-01-01"}}
    instance = {"data": [{"meaning": "instance", "reference": {"reference": "Observation/old"}}]}
    for stated, kept in ((since, ["new"]), (instance, ["old"])):
        other = [one for one in ("old", "new") if one not in kept]
        assert [released({"type": "permit", **stated}, one, old, new) for one in PROFILES] == [kept] * 3
        denied = with_root("permit", {"type": "deny", **stated})
        assert [released(denied, one, old, new) for one in PROFILES] == [other] * 3
        assert said(denied) == (UNSURE, UNSURE, UNSURE)


def test_actors_are_resolved_through_references_trees_and_groups() -> None:
    """By identifier behind a reference, by membership in a group, and up the organisation tree."""
    references = {
        "Organization/5": {
            "resourceType": "Organization",
            "identifier": [ACTOR],
            "partOf": {"reference": "Organization/1"},
        },
        "Organization/1": {"resourceType": "Organization", "identifier": {"system": "urn:agency", "value": "city"}},
        "Group/1": {"resourceType": "Group", "member": [{"entity": {"reference": "Organization/5"}}]},
        "Organization/9": {"resourceType": "Organization", "identifier": [{"system": "urn:agency", "value": "other"}]},
    }
    named = {"Organization/5": PERMIT, "Organization/1": PERMIT, "Group/1": PERMIT, "Organization/9": NOBODY}
    for name, expected in named.items():
        root = {"type": "permit", "actor": {"reference": {"reference": name}}}
        assert said(root, references=references) == (expected,) * 3
    by_identifier = {"type": "permit", "actor": [{"reference": {"identifier": ACTOR}}]}
    assert said(by_identifier) == (PERMIT,) * 3


REFERENCES: dict[str, Any] = {
    "Organization/5": {"resourceType": "Organization", "identifier": [ACTOR]},
    "Practitioner/7": {"resourceType": "Practitioner", "identifier": [ACTOR]},
    "PractitionerRole/3": {"resourceType": "PractitionerRole", "practitioner": {"reference": "Practitioner/7"}},
    "CareTeam/1": {"resourceType": "CareTeam", "participant": [{"member": {"reference": "Organization/5"}}]},
    "Group/1": {"resourceType": "Group", "member": [{"entity": {"reference": "CareTeam/1"}}]},
    "Group/4": {"resourceType": "Group", "actual": False, "characteristic": [{"code": {"text": "police"}}]},
    "Group/5": {"resourceType": "Group", "member": [{"entity": {"reference": "Group/99"}}]},
}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "CareTeam/1"}, DENY),
        ({"reference": "Group/1"}, DENY),
        ({"reference": "PractitionerRole/3"}, DENY),
        ({"reference": "Organization/5/_history/2"}, DENY),
        ({"reference": "Group/99"}, UNSURE),
        ({"reference": "Group/4"}, UNSURE),
        ({"reference": "Group/5"}, UNSURE),
        ({"reference": "CareTeam/99"}, UNSURE),
        ({"reference": "PractitionerRole/99"}, UNSURE),
        ({"reference": "https://elsewhere.example/fhir/Organization/5"}, UNSURE),
        ({"reference": "urn:uuid:6e1c7f0e-0000-4000-8000-000000000000"}, UNSURE),
        ({"identifier": {"value": "shelter"}}, UNSURE),
        ({"identifier": {"system": "urn:other", "value": "shelter"}}, PERMIT),
        ({"reference": "Organization/99"}, PERMIT),
    ],
    ids=str,
)
def test_an_actor_that_cannot_be_resolved_is_not_somebody_else(reference: dict[str, Any], expected: str) -> None:
    """A denial to somebody who may be the recipient is not passed over; leap says that the consent does not apply."""
    root = with_root("permit", {"type": "deny", "actor": [{"reference": reference}]})
    leap = PERMIT if expected == UNSURE else expected
    assert said(root, references=REFERENCES) == (expected, expected, leap)
    payload: dict[str, Any] = {
        "person": {"id": "child", "birthDate": "2009-03-01"},
        "recipient": {"sector": "social", "identifier": ACTOR, "references": ["Organization/5"]},
        "request": {"purposeOfUse": ["CAREMGT"], "class": [{"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}]},
    }
    assert asked(root, "hub", references=REFERENCES, **payload)["decision"] == expected


def test_a_role_that_nobody_knows_the_recipient_to_have_is_undecidable() -> None:
    """Named with a role: without any role of that kind nobody can tell; with another of the kind it is not meant."""
    nurse, doctor = ({"system": "urn:roles", "code": code} for code in ("nurse", "doctor"))
    root = with_root(
        "permit", {"type": "deny", "actor": [{"role": {"coding": [nurse]}, "reference": {"identifier": ACTOR}}]}
    )
    payload: dict[str, Any] = {
        "person": {"id": "child", "birthDate": "2009-03-01"},
        "request": {"purposeOfUse": ["CAREMGT"], "class": [{"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}]},
    }
    for roles, expected in (([], UNSURE), ([doctor], PERMIT), ([nurse], DENY)):
        recipient = {"sector": "social", "identifier": ACTOR, "roles": roles}
        assert asked(root, "hub", recipient=recipient, **payload)["decision"] == expected


@pytest.mark.parametrize(
    ("reference", "kept"),
    [
        ("Observation/old/_history/3", ["new"]),
        ("https://elsewhere.example/fhir/Observation/old", ["new"]),
        ("https://elsewhere.example/fhir/Observation/other", ["old", "new"]),
    ],
)
def test_an_instance_that_may_be_meant_is_not_another_one(reference: str, kept: list[str]) -> None:
    """A version of it is it; the same name on a server that nobody knows may be it."""
    root = with_root(
        "permit", {"type": "deny", "data": [{"meaning": "instance", "reference": {"reference": reference}}]}
    )
    assert [released(root, one, observation("old"), observation("new")) for one in PROFILES] == [kept] * 3


def observation(name: str, *labels: dict[str, str]) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": name}]},
        "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": DataClass.MEDICAL_EXAM.value}, *labels]},
    }


def released(root: dict[str, Any], profile: str, *resources: dict[str, Any]) -> list[str]:
    return [one["id"] for one in asked(root, profile, resources=list(resources))["released"]]


def test_released_holds_what_remains() -> None:
    """What carries a denied label goes; with several labels any denial wins, unless pcf permits one of them."""
    resources = (observation("plain"), observation("hiv", HIV), observation("both", HIV, PSY))
    root = with_root("permit", {"type": "deny", "securityLabel": [HIV]})
    assert [released(root, profile, *resources) for profile in PROFILES] == [["plain"]] * 3
    mixed = with_root("permit", {"type": "deny", "securityLabel": [HIV]}, {"type": "permit", "securityLabel": [PSY]})
    assert [released(mixed, profile, *resources) for profile in ("hub", "pcf")] == [["plain"], ["plain", "both"]]


def test_an_unlabelled_item_leaves_by_the_base_rule_except_at_the_hub() -> None:
    """Without a data class nothing leaves the hub; pcf and leap let the base rule decide."""
    bare = {"resourceType": "Observation", "id": "bare", "status": "final", "code": {"text": "x"}}
    bare["code"] = {"coding": [{"system": LOINC, "code": "x"}]}
    assert [released({"type": "permit"}, profile, bare) for profile in PROFILES] == [[], ["bare"], ["bare"]]


def test_the_hub_profile_judges_all_layers_when_it_is_told_the_facts() -> None:
    """With person, recipient and facts the matrix, the law and the persons decide too."""
    payload: dict[str, Any] = {
        "person": {"id": "child", "birthDate": "2014-03-01"},
        "recipient": {"id": "h", "sector": "health"},
        "facts": {"treating": [{"agency": "h", "span": {"start": "2026-01-01"}}]},
        "resources": [observation("exam")],
        "consents": [],
    }
    answer = asked(None, "hub", **payload)
    assert (answer["decision"], [one["id"] for one in answer["released"]]) == (PERMIT, ["exam"])
    assert answer["reasons"][0]["rule"] == "matrix:health/medical-exam"
    nobody = asked(None, "hub", **{**payload, "facts": {}})
    assert (nobody["decision"], nobody["released"]) == (NOBODY, [])


@pytest.mark.parametrize(
    "payload",
    [
        {"asOf": "yesterday"},
        {"profile": "other"},
        {"consents": ["x"]},
        {"request": []},
        {"facts": {"rumours": []}},
        {"facts": {"treating": [{"agency": 5}]}},
        {"person": {"birthDate": "soon"}},
        {"recipient": {"sector": "army"}},
        {"resources": ["x"]},
        {"references": []},
        {"request": {"purposeOfUse": ["FUN"]}, "person": {"id": "x"}},
    ],
    ids=lambda payload: next(iter(payload)),
)
def test_what_cannot_be_read_is_refused_by_naming_the_place(payload: dict[str, Any]) -> None:
    """The message names where, never what."""
    with pytest.raises(UnreadableInput) as caught:
        consent.decide_input({"asOf": "2026-06-15T09:00:00Z", "consents": [], "request": {}, **payload}, policy())
    assert "yesterday" not in str(caught.value)
    assert "army" not in str(caught.value)
