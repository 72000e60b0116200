"""Every documented field of `hub decide`, one after another, in every profile: present it changes the answer."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import consent
from consent.errors import UnreadableInput
from consent.outside import OBLIGATION_SYSTEM
from consent.vocabulary import DATA_CLASS_SYSTEM
from hub.cli import run
from tests.consent.world import policy

PROFILES = ("hub", "pcf", "leap-2020")
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC = "http://loinc.org"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CLINIC = {"system": "urn:oid:1.2.3", "value": "CLINIC"}
SHELTER = {"system": "urn:oid:1.2.3", "value": "SHELTER"}
PERMIT, DENY, NOBODY, UNSURE = "PERMIT", "DENY", "NO_CONSENT", "INDETERMINATE"

Json = dict[str, Any]


def clinic_consent(**provision: Any) -> Json:
    """A LEAP-like consent: opt-out, the clinic may have what the provision says."""
    return {
        "resourceType": "Consent",
        "id": "clinic",
        "status": "active",
        "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": "Patient/child"},
        "dateTime": "2026-05-01T08:00:00+07:00",
        "policyRule": {"coding": [{"system": ACT, "code": "OPTIN"}]},
        "provision": {
            "type": "permit",
            "actor": [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": "Organization/54"}}],
            "purpose": [{"system": REASON, "code": "TREAT"}],
            **provision,
        },
    }


def payload(**more: Any) -> Json:
    """A request that every profile permits."""
    return {
        "asOf": "2026-06-15T09:00:00Z",
        "consents": [clinic_consent()],
        "references": {"Organization/54": {"resourceType": "Organization", "identifier": [CLINIC]}},
        "request": {"actor": [CLINIC], "purposeOfUse": ["TREAT"]},
        **more,
    }


def answers(given: Json) -> tuple[str, ...]:
    """The decision of each profile."""
    return tuple(consent.decide_input({**given, "profile": one}, policy())["decision"] for one in PROFILES)


def requested(**more: Any) -> Json:
    """The same with another request."""
    return payload(request={"actor": [CLINIC], "purposeOfUse": ["TREAT"], **more})


ALL = (PERMIT, PERMIT, PERMIT)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("nothing changed", payload(), ALL),
        ("asOf before it was given", payload(asOf="2026-02-01"), (NOBODY, NOBODY, NOBODY)),
        ("asOf after its end", payload(asOf="2026-12-01", consents=[clinic_consent(period={"end": "2026-11-30"})]),
         (NOBODY, NOBODY, NOBODY)),
        ("asOf after the default end", payload(asOf="2027-06-01T00:00:00Z"), (NOBODY, PERMIT, PERMIT)),
        ("no consents", payload(consents=[]), (NOBODY, NOBODY, NOBODY)),
        ("one consent, no list", payload(consents=clinic_consent()), ALL),
        ("references that do not resolve", payload(references={}), (UNSURE, UNSURE, NOBODY)),
        ("another actor", requested(actor=[SHELTER]), (NOBODY, NOBODY, NOBODY)),
        ("one actor, no list", requested(actor=CLINIC), ALL),
        ("no actor", requested(actor=[]), (UNSURE, UNSURE, NOBODY)),
        ("the category that it has", requested(category=[{"system": LOINC, "code": "59284-0"}]), ALL),
        ("its scope as category", requested(category=[{"system": SCOPE, "code": "patient-privacy"}]), ALL),
        ("another category", requested(category=[{"system": LOINC, "code": "00000-0"}]), (NOBODY, NOBODY, NOBODY)),
        ("another purpose", requested(purposeOfUse=["HPAYMT"]), (NOBODY, NOBODY, NOBODY)),
        ("one of two purposes", requested(purposeOfUse=["TREAT", "HPAYMT"]), (NOBODY, NOBODY, PERMIT)),
        ("a purpose as Coding", requested(purposeOfUse=[{"system": REASON, "code": "TREAT"}]), ALL),
        ("no purpose", requested(purposeOfUse=[]), (UNSURE, UNSURE, PERMIT)),
        ("an hour before the default end", payload(asOf="2027-05-01T00:00:00Z"), ALL),
        ("at the default end", payload(asOf="2027-05-01T01:00:00Z"), (NOBODY, PERMIT, PERMIT)),
        ("no scope", payload(consents=[{k: v for k, v in clinic_consent().items() if k != "scope"}]), ALL),
        ("what changes everything", payload(consents=[clinic_consent() | {"modifierExtension": [{"url": "urn:x"}]}]),
         (UNSURE, UNSURE, UNSURE)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_fields_of_request_and_consents(name: str, given: Json, expected: tuple[str, ...]) -> None:
    """Each field present, absent or different, answered by each profile as its corners say."""
    assert answers(given) == expected


def with_provision(**stated: Any) -> Json:
    return payload(consents=[clinic_consent(**stated)])


ODD = {"system": REASON, "code": "XYZZY"}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"purpose": [{"system": REASON, "code": "TREAT"}, ODD]}, (UNSURE, PERMIT, PERMIT)),
        ({"provision": [{"type": "deny"}]}, (DENY, DENY, DENY)),
        ({"type": "deny", "provision": [{"type": "permit"}]}, (UNSURE, UNSURE, DENY)),
    ],
)
def test_corners_of_a_provision(stated: Json, expected: tuple[str, ...]) -> None:
    """A purpose that nobody knows beside a known one, an exception of everything, an exception that says nothing."""
    assert answers(with_provision(**stated)) == expected


def test_whoever_is_above_the_actor_is_named_by_reference_too() -> None:
    """The consent names the hospital, which has no number; its ward has one and asks."""
    given = payload()
    given["consents"][0]["provision"]["actor"][0]["reference"] = {"reference": "Organization/1"}
    ward = given["references"]["Organization/54"]
    assert answers(given) == (NOBODY, NOBODY, NOBODY)
    given["references"] = {"Organization/54": ward | {"partOf": {"reference": "Organization/1"}}}
    assert answers(given) == ALL


@pytest.mark.parametrize(
    ("stated", "request_field", "expected"),
    [
        ({"action": [{"coding": [{"system": ACTION, "code": "disclose"}]}]}, {"action": []}, ALL),
        ({"action": [{"coding": [{"system": ACTION, "code": "disclose"}]}]},
         {"action": [{"system": ACTION, "code": "disclose"}]}, ALL),
        ({"action": [{"coding": [{"system": ACTION, "code": "access"}]}]},
         {"action": [{"system": ACTION, "code": "correct"}]}, (NOBODY, NOBODY, NOBODY)),
        ({"class": [{"system": LOINC, "code": "34133-9"}]}, {"class": [{"system": LOINC, "code": "34133-9"}]}, ALL),
        ({"class": [{"system": LOINC, "code": "34133-9"}]}, {"class": [{"system": LOINC, "code": "11506-3"}]},
         (NOBODY, NOBODY, NOBODY)),
    ],
)  # fmt: skip
def test_action_and_class(stated: Json, request_field: Json, expected: tuple[str, ...]) -> None:
    """An action or class of the request is matched with the provision's; an action not stated is a disclosure."""
    given = with_provision(**stated)
    given["request"] |= request_field
    assert answers(given) == expected


@pytest.mark.parametrize("profile", PROFILES)
def test_obligations_have_the_documented_shape(profile: str) -> None:
    """A denied label becomes REDACT with codes, and says so as a residual; `basedOn` names the consent."""
    label = {"system": ACT, "code": "HIV"}
    nested = {"type": "deny", "securityLabel": [label]}
    answer = consent.decide_input({**with_provision(provision=[nested]), "profile": profile}, policy())
    assert answer["obligations"] == [{"id": {"system": ACT, "code": "REDACT"}, "parameters": {"codes": [label]}}]
    assert {"type": "forbid", "codes": [label]} in answer["residual"]
    assert answer["basedOn"] == ["Consent/clinic"]
    assert {"code", "rule", "citation", "policyVersion"} == set(answer["reasons"][0])
    assert set(answer) == {"decision", "obligations", "residual", "basedOn", "reasons"}


def test_only_these_is_an_obligation_with_exceptions() -> None:
    """A base denial with a permitted label permits only that, where the profile does not drop it."""
    label = {"system": ACT, "code": "HIV"}
    given = with_provision(type="deny", provision=[{"type": "permit", "securityLabel": [label]}])
    given["consents"][0].pop("policyRule")
    for profile in ("hub", "pcf"):
        (only,) = consent.decide_input({**given, "profile": profile}, policy())["obligations"]
        assert only["parameters"] == {"exceptAnyOfCodes": [label]}


@pytest.mark.parametrize("profile", PROFILES)
def test_resources_are_released(profile: str) -> None:
    """With resources the answer holds what remains; without, it has no such field."""
    plain = observation("plain")
    secret = observation("secret", {"system": ACT, "code": "HIV"})
    nested = {"type": "deny", "securityLabel": [{"system": ACT, "code": "HIV"}]}
    given = {**with_provision(provision=[nested]), "profile": profile}
    assert "released" not in consent.decide_input(given, policy())
    answer = consent.decide_input({**given, "resources": [plain, secret]}, policy())
    assert [one["id"] for one in answer["released"]] == ["plain"]
    assert consent.decide_input({**given, "resources": plain}, policy())["released"]
    refused = consent.decide_input({**given, "consents": [], "resources": [plain]}, policy())
    assert refused["released"] == []


@pytest.mark.parametrize("profile", ["hub", "pcf"])
def test_what_no_consent_speaks_of_is_not_released(profile: str) -> None:
    """A consent to one class releases the resources of that class, and nothing that it says nothing about."""
    other = observation("other")
    other["meta"]["security"][0] = {"system": DATA_CLASS_SYSTEM, "code": "attendance"}
    given = with_provision(**{"class": [{"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}]})
    answer = consent.decide_input({**given, "profile": profile, "resources": [observation("plain"), other]}, policy())
    assert [one["id"] for one in answer["released"]] == ["plain"]


def observation(name: str, *labels: Json) -> Json:
    """A labelled exam finding."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}, *labels]},
        "code": {"coding": [{"system": LOINC, "code": "39156-5"}]},
    }


# --- all layers: person, recipient, facts ---------------------------------------------------------------------

SINCE = {"span": {"start": "2026-01-01"}}
CHILD = {"id": "child", "birthDate": "2014-03-01"}
MOTHER = {"person": "mother", "tie": "guardian", "to": "child", "role": "MTH"}


def asked(sector: str, data_class: str, facts: Json, **more: Any) -> Json:
    """All layers asked about one data class for an agency of a sector."""
    return {
        "asOf": "2026-06-15T09:00:00Z",
        "person": CHILD,
        "recipient": {"id": "agency", "sector": sector},
        "request": {"purposeOfUse": ["CAREMGT"], "class": [{"system": DATA_CLASS_SYSTEM, "code": data_class}]},
        "facts": facts,
        **more,
    }


ORDER = {
    "number": "12/QĐ", "body": "court", "issued": "2026-06-01", "verifiedBy": "signature:k1",
    "items": [{"dataClass": "forensic", "recipient": "agency"}],
}  # fmt: skip
NEEDS_SHELTER = [
    {"resourceType": "Consent", "id": who, "status": "active", "dateTime": "2026-05-01",
     "performer": [{"reference": performer}], "provision": {"type": "permit", "class": [
         {"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}], "purpose": [{"system": REASON, "code": "CAREMGT"}]}}
    for who, performer in (("own", "Patient/child"), ("hers", "RelatedPerson/mother"))
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "without"),
    [
        ("treating", asked("health", "medical-exam", {"treating": [{"agency": "agency", **SINCE}]}), "treating"),
        ("plans", asked("social", "safety-plan", {"plans": {"agencies": ["agency"], "approvedBy": "x", **SINCE}}),
         "plans"),
        ("orders", asked("police", "forensic", {"orders": [ORDER]}), "orders"),
        ("reports", asked("police", "allegation", {"reports": [{"agencies": ["agency"], **SINCE}]},
                          request={"event": "report", "purposeOfUse": ["THREAT"],
                                   "class": [{"system": DATA_CLASS_SYSTEM, "code": "allegation"}]}), "reports"),
        ("emergency", asked("health", "court-orders", {"emergency": {
            "agency": "agency", "reason": "unconscious", "span": {"start": "2026-06-15T08:00:00Z"}}}), "emergency"),
        ("relationships", asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=NEEDS_SHELTER),
         "relationships"),
        ("referrals", asked("social", "referral", {"plans": [{"agencies": ["agency"], "approvedBy": "x", **SINCE}],
                            "referrals": [{"id": "r1", "requester": "agency", "performer": "h", "state": "requested"}]},
                            request={"referral": "r1", "purposeOfUse": ["CAREMGT"],
                                     "class": [{"system": DATA_CLASS_SYSTEM, "code": "referral"}]}), "referrals"),
        ("team", asked("social", "shelter-location", {"plans": [{"agencies": ["agency"], "approvedBy": "x", **SINCE}],
                       "team": [{"agency": "agency", "role": "case-owner", "officer": "o1", **SINCE}]}), "plans"),
        ("authorities", asked("social", "medical-exam", {"authorities": [{
            "kind": "override", "legalBasis": "art. 1", "reason": "r", "requestedBy": "a", "approvedBy": "b",
            "agency": "agency", "dataClasses": ["medical-exam"], **SINCE}]}), "authorities"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_facts_that_open(name: str, given: Json, without: str) -> None:
    """Each kind of fact is read: with it something leaves, without it nothing."""
    assert consent.decide_input(given, policy())["decision"] == PERMIT
    less = deepcopy(given)
    del less["facts"][without]
    assert consent.decide_input(less, policy())["decision"] != PERMIT


@pytest.mark.parametrize(
    "fact",
    [
        {"refusals": [{"by": "child"}]},
        {"suspicions": [{"person": "boss", "setBy": "a"}],
         "relationships": [{"person": "boss", "tie": "staff", "to": "agency"}]},
        {"suspects": [{"person": "boss", "setBy": "a"}],
         "relationships": [{"person": "boss", "tie": "staff", "to": "agency"}]},
        {"authorities": [{"kind": "stop", **SINCE}]},
    ],
    ids=lambda fact: next(iter(fact)),
)  # fmt: skip
def test_facts_that_close(fact: Json) -> None:
    """A refusal, a suspect on the staff, an authority's stop: what treatment opened is closed."""
    given = asked("health", "medical-exam", {"treating": [{"agency": "agency", **SINCE}], **fact})
    assert consent.decide_input(given, policy())["decision"] == DENY


def test_no_contacts_bar_a_guardian() -> None:
    """A mother who may not contact the child does not consent for it."""
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=NEEDS_SHELTER)
    given["facts"]["noContacts"] = [{"person": "mother"}]
    assert consent.decide_input(given, policy())["decision"] == DENY


def test_the_named_officer_and_role_are_read() -> None:
    """The shelter's address in full needs the recipient's named officer in the team; else only the flag leaves."""
    location = {
        "resourceType": "Location", "id": "l", "status": "active", "mode": "instance",
        "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": "shelter-location"}]},
        "address": {"city": "Mẫu"},
    }  # fmt: skip
    facts = {
        "plans": [{"agencies": ["agency"], "approvedBy": "x", **SINCE}],
        "team": [{"agency": "agency", "role": "case-owner", "officer": "o1", **SINCE}],
    }
    given = asked("social", "shelter-location", facts, resources=[location])
    assert "address" not in consent.decide_input(given, policy())["released"][0]
    given["recipient"]["officer"] = "o1"
    assert "address" in consent.decide_input(given, policy())["released"][0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("birthDate", "2004-01-01"), ("matchCertain", False), ("zone", "Pacific/Kiritimati")],
)
def test_fields_of_the_person(field: str, value: Any) -> None:
    """Birth date, certainty of the match and the zone of birthdays are read."""
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=NEEDS_SHELTER)
    if field == "zone":
        # On the eve of the sixteenth birthday both are needed; where the day has begun, her word is enough.
        given |= {"asOf": "2030-02-28T12:00:00Z", "consents": [{**NEEDS_SHELTER[0], "dateTime": "2030-02-01"}]}
        assert consent.decide_input(given, policy())["decision"] == DENY
        given["person"] = CHILD | {field: value}
        assert consent.decide_input(given, policy())["decision"] == PERMIT
        return
    given["person"] = CHILD | {field: value}
    if field == "birthDate":
        # An adult's parent has no say, and she consented while she was grown.
        given["consents"] = [NEEDS_SHELTER[1]]
    assert consent.decide_input(given, policy())["decision"] != PERMIT


def test_recipients_are_known_by_every_name() -> None:
    """Identifier, reference, parent, group and role of the recipient all match an actor of a consent."""

    def given(actor: Json, **recipient: Any) -> str:
        consents = [{**one, "provision": {**one["provision"], "actor": [actor]}} for one in NEEDS_SHELTER]
        made = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=consents)
        made["recipient"] |= recipient
        return str(consent.decide_input(made, policy())["decision"])

    named = {"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": "Organization/54"}}
    by_identifier = {"reference": {"identifier": SHELTER}}
    role = {"role": {"coding": [{"system": "urn:role", "code": "shelter-worker"}]}}
    assert given(named, references=["Organization/54"]) == PERMIT
    assert given(named, parents=["Organization/54"]) == PERMIT
    assert given({"reference": {"reference": "Group/1"}}, groups=["Group/1"], references=["Organization/9"]) == PERMIT
    assert given(by_identifier, identifier=SHELTER) == PERMIT
    assert given(role, roles=[{"system": "urn:role", "code": "shelter-worker", "display": "Worker"}]) == PERMIT
    assert given(named, references=["Organization/55"]) != PERMIT


def test_category_and_actions_count_on_all_layers_too() -> None:
    """A consent of another category is not asked; of several actions every one must be permitted."""
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=deepcopy(NEEDS_SHELTER))
    given["request"]["category"] = [{"system": LOINC, "code": "59284-0"}]
    assert consent.decide_input(given, policy())["decision"] == NOBODY
    for one in given["consents"]:
        one["category"] = [{"coding": [{"system": LOINC, "code": "59284-0"}]}]
    assert consent.decide_input(given, policy())["decision"] == PERMIT
    given["request"]["action"] = [{"system": ACTION, "code": "disclose"}, {"system": ACTION, "code": "access"}]
    assert consent.decide_input(given, policy())["decision"] == PERMIT
    for one in given["consents"]:
        one["provision"]["action"] = [{"coding": [{"system": ACTION, "code": "disclose"}]}]
    assert consent.decide_input(given, policy())["decision"] == NOBODY
    given["request"]["action"] = given["request"]["action"][:1]
    assert consent.decide_input(given, policy())["decision"] == PERMIT


def test_several_actions_permit_what_each_of_them_does() -> None:
    """One thing of two that every action lets out is a permit."""
    both = [{"system": DATA_CLASS_SYSTEM, "code": one} for one in ("medical-exam", "photographs")]
    actions = [{"system": ACTION, "code": one} for one in ("disclose", "access")]
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=NEEDS_SHELTER)
    given["request"] |= {"class": both, "action": actions}
    assert consent.decide_input(given, policy())["decision"] == PERMIT


def test_what_one_of_several_actions_may_not_stays() -> None:
    """A mood may be disclosed and not accessed: asked for both, only the finding is released."""
    consents = deepcopy(NEEDS_SHELTER)
    moods = {"system": DATA_CLASS_SYSTEM, "code": "mental-health"}
    access = {"coding": [{"system": ACTION, "code": "access"}]}
    for one in consents:
        one["provision"]["class"].append(moods)
        one["provision"]["provision"] = [{"type": "deny", "class": [moods], "action": [access]}]
    mood = observation("mood")
    mood["meta"]["security"] = [moods]
    given = asked("social", "", {"relationships": [MOTHER]}, consents=consents, resources=[observation("o"), mood])
    for names, left in ((("disclose",), ["o", "mood"]), (("disclose", "access"), ["o"])):
        actions = [{"system": ACTION, "code": one} for one in names]
        given["request"] = {"purposeOfUse": ["CAREMGT"], "action": actions}
        assert [one["id"] for one in consent.decide_input(given, policy())["released"]] == left


@pytest.mark.parametrize(("field", "decision"), [("issued", DENY), ("outsideJurisdiction", None), ("signature", None)])
def test_null_stands_where_nothing_is_known(field: str, decision: str | None) -> None:
    """A date that may be missing may be null; a yes or no may not, nor what nobody knows."""
    given = asked("police", "forensic", {"orders": [ORDER | {field: None}]})
    if decision is None:
        with pytest.raises(UnreadableInput):
            consent.decide_input(given, policy())
    else:
        assert consent.decide_input(given, policy())["decision"] == decision


def test_what_is_known_of_an_act_may_stand_beside_a_consent() -> None:
    """Evidence, giver and withdrawal beside the resource are read: without evidence or after withdrawal, no permit."""

    def decided(**about: Any) -> str:
        own = {"consent": NEEDS_SHELTER[0], "givenBy": "child", "as": "child", "evidence": "paper", **about}
        given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=[own, NEEDS_SHELTER[1]])
        return str(consent.decide_input(given, policy())["decision"])

    assert decided() == PERMIT
    assert decided(evidence="") == DENY
    assert decided(withdrawnAt="2026-06-01") == DENY
    assert decided(givenBy="somebody") == DENY


def test_duties_without_a_standard_code_have_a_system_of_ours() -> None:
    """NORDSCLCD is HL7's; who must be told afterwards is not, and does not pretend to be."""
    given = asked("health", "court-orders", {"emergency": [{
        "agency": "agency", "reason": "unconscious", "span": {"start": "2026-06-15T08:00:00Z"}}]})  # fmt: skip
    systems = {one["id"]["code"]: one["id"]["system"] for one in consent.decide_input(given, policy())["obligations"]}
    assert systems == {"NORDSCLCD": ACT, "DELAU": ACT, "REDACT": ACT, "notify": OBLIGATION_SYSTEM}


@pytest.mark.parametrize("profile", ["pcf", "leap-2020"])
def test_other_profiles_judge_the_consents_alone(profile: str) -> None:
    """Person, recipient and facts may stand there and change nothing: no law is asked."""
    more = {"person": CHILD, "facts": {"refusals": [{"by": "child"}]}, "recipient": {"sector": "education"}}
    given = payload(profile=profile)
    assert consent.decide_input(given | more, policy()) == consent.decide_input(given, policy())


def test_a_consent_counts_from_its_own_date() -> None:
    """Dated after `asOf` it permits nothing yet; dated when the child was too young to give it, it never does (R4)."""

    def decided(born: str, given: str) -> Json:
        both = [{**one, "dateTime": given, "provision": {**one["provision"], "period": {"end": "2030-01-01"}}}
                for one in NEEDS_SHELTER]  # fmt: skip
        made = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=both)
        return consent.decide_input(made | {"person": CHILD | {"birthDate": born}}, policy())

    assert decided("2014-03-01", "2026-06-01")["decision"] == PERMIT
    assert decided("2014-03-01", "2026-07-01")["decision"] == NOBODY
    assert decided("2014-03-01", "2020-06-01")["reasons"][0]["code"] == "R4-too-young-when-given"


# --- the command ----------------------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 whatever the decision, 2 for what cannot be read (naming the place), 64 for wrong usage."""
    file = tmp_path / "in.json"
    for given, decision in ((payload(), PERMIT), (payload(consents=[]), NOBODY), (requested(purposeOfUse=[]), UNSURE)):
        file.write_text(json.dumps(given), "utf-8")
        assert run(["decide", str(file)]) == 0
        assert json.loads(capsys.readouterr().out)["decision"] == decision
    for wrong in (payload(asOf="soon"), payload(profile="other"), payload(facts={"gossip": []}), [payload()]):
        file.write_text(json.dumps(wrong), "utf-8")
        assert run(["decide", str(file)]) == 2
        assert capsys.readouterr().err.startswith("hub: ")
    file.write_text("{", "utf-8")
    assert run(["decide", str(file)]) == 2
    assert run(["decide"]) == 64
    assert run(["decide", str(file), "--loud"]) == 64


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (asked("health", "medical-exam", {"treating": [{"agency": "a", "since": "x"}]}), "facts.treating[0].since"),
        (asked("health", "medical-exam", {"orders": [{"number": "1"}]}), "facts.orders[0]"),
        (asked("police", "forensic", {"orders": [ORDER | {"items": {"codes": {}}}]}), "facts.orders[0].items.codes"),
        (asked("health", "medical-exam", {}, request={"action": ["sell"]}), "request.action"),
        (asked("army", "medical-exam", {}), "recipient.sector"),
        (payload(consents=[{"resourceType": "Patient"}]), "consent"),
    ],
)  # fmt: skip
def test_an_unreadable_place_is_named(given: Json, place: str) -> None:
    """The message says where, and never what stood there."""
    with pytest.raises(UnreadableInput) as caught:
        consent.decide_input(given, policy())
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("at", ["2025-12-31T16:59:59Z", "1990-01-01"])
def test_before_the_first_policy_nothing_can_be_judged(profile: str, at: str) -> None:
    """A time at which no policy is in force cannot be judged: the place is named, in every mode."""
    for given in ({}, asked("social", "medical-exam", {})):
        with pytest.raises(UnreadableInput, match="asOf: no policy is in force then"):
            consent.decide_input({**given, "profile": profile, "asOf": at}, policy())


@pytest.mark.parametrize("zone", ["Mars/X", "../x", 5, "", None])
def test_an_unknown_zone_cannot_be_judged(zone: object) -> None:
    """A zone that nobody knows leaves birthdays open: the place is named, not what stood there."""
    given = asked("social", "medical-exam", {}, person={**CHILD, "zone": zone})
    with pytest.raises(UnreadableInput) as caught:
        consent.decide_input(given, policy())
    assert str(caught.value) == "person.zone: not an IANA time zone"


# --- whose act it is ------------------------------------------------------------------------------------------

GIRL = {"id": "child", "birthDate": "2009-03-01"}


def bare(root: Json | None = None, **more: Any) -> Json:
    """A Consent with nothing known beside it, about a girl of seventeen."""
    return {"resourceType": "Consent", "id": "bare", "status": "active", "dateTime": "2026-05-01",
            "patient": {"reference": "Patient/child"}, "provision": root or {"type": "permit"}, **more}  # fmt: skip


def of_girl(*consents: Json, **more: Any) -> Json:
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=list(consents), **more)
    return given | {"person": GIRL}


@pytest.mark.parametrize(
    "given",
    [
        bare(performer=[{"reference": "https://elsewhere.example/RelatedPerson/mother"}]),
        bare(performer=[{"type": "RelatedPerson", "identifier": {"system": "x", "value": "1"}}]),
        bare(performer=[{"reference": "#m"}], contained=[{"resourceType": "RelatedPerson", "id": "m"}]),
        bare(performer=[{"display": "Mẹ"}]),
        bare(performer=[{"reference": "Practitioner/1"}]),
        bare(performer=[{"reference": "Patient/other"}]),
        bare(grantor=[{"reference": "RelatedPerson/mother"}]),
        bare(patient={"reference": "Patient/other"}),
        bare(patient=None, subject={"reference": "Patient/other"}),
        bare(verification=[{"verified": False}]),
    ],
    ids=lambda one: json.dumps({key: one.get(key) for key in ("performer", "grantor", "patient", "verification")}),
)  # fmt: skip
def test_r5_a_consent_whose_giver_is_not_the_child_is_not_the_childs(given: Json) -> None:
    """At seventeen only her own word counts; who gave it is looked for, not supposed (R5, R12)."""
    assert consent.decide_input(of_girl(given), policy())["decision"] != PERMIT
    assert consent.decide_input(of_girl(bare()), policy())["decision"] == PERMIT
    assert (
        consent.decide_input(of_girl(bare(performer=[{"reference": "Patient/child"}])), policy())["decision"] == PERMIT
    )


def test_a_denial_of_nobody_whom_the_input_knows_still_denies() -> None:
    """What a practitioner wrote down for her permits nothing, and what it denies is not passed over."""
    denies = bare({"type": "deny"}, id="no", performer=[{"reference": "Practitioner/1"}])
    assert consent.decide_input(of_girl(bare(), denies), policy())["decision"] == DENY
    other = bare({"type": "deny"}, id="no", patient={"reference": "Patient/other"})
    assert consent.decide_input(of_girl(bare(), other), policy())["decision"] == PERMIT


def test_a_consent_of_two_counts_for_both() -> None:
    """Child and mother who signed one form: at twelve both are needed, and both are there."""
    both = bare(performer=[{"reference": "Patient/child"}, {"reference": "RelatedPerson/mother"}])
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=[both])
    answer = consent.decide_input(given, policy())
    assert (answer["decision"], answer["basedOn"]) == (PERMIT, ["Consent/bare"])
    assert consent.decide_input(given | {"consents": [bare()]}, policy())["decision"] == DENY


def test_the_patient_of_the_resources_is_the_child() -> None:
    """Where the person has no such id, the patient of what is asked about says whom a consent must be about."""
    patient = {"resourceType": "Patient", "id": "p", "gender": "female",
               "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": "demographics"}]}}  # fmt: skip
    exam = observation("exam") | {"subject": {"reference": "Patient/p"}}
    hers = bare(patient={"reference": "Patient/p"}, performer=[{"reference": "Patient/p"}])
    assert consent.decide_input(of_girl(hers, resources=[patient, exam]), policy())["decision"] == PERMIT
    assert (
        consent.decide_input(of_girl(bare(patient={"reference": "Patient/q"}), resources=[patient, exam]), policy())[
            "decision"
        ]
        == NOBODY
    )


# --- what is not at hand --------------------------------------------------------------------------------------


def in_general(*classes: Json, root: Json | None = None) -> Json:
    given = of_girl(bare(root))
    given["request"] = {"purposeOfUse": ["CAREMGT"], "class": list(classes)}
    return consent.decide_input(given, policy())


def data_class(name: str) -> Json:
    return {"system": DATA_CLASS_SYSTEM, "code": name}


def residual(answer: Json) -> dict[str, list[str]]:
    return {one["type"]: [code["code"] for code in one["codes"]] for one in answer["residual"]}


def test_a_permit_says_what_of_the_asked_it_permits() -> None:
    """Two classes asked for and one permitted: the permit is of that one; a class wholly denied is a denial."""
    answer = in_general(data_class("medical-exam"), data_class("photographs"))
    assert answer["decision"] == PERMIT
    assert residual(answer)["permit"] == ["medical-exam"]
    assert {"exceptAnyOfCodes": [data_class("medical-exam")]} in [one["parameters"] for one in answer["obligations"]]
    assert in_general(data_class("photographs"))["decision"] == DENY
    assert in_general({"system": "http://hl7.org/fhir/resource-types", "code": "Media"})["decision"] == DENY
    assert residual(in_general())["permit"] == ["medical-exam"]
    only = in_general(data_class("medical-exam"))
    assert set(residual(only)) == {"forbid"}


def test_a_recall_says_nothing_of_classes() -> None:
    """Only its envelope leaves: no residual, and no redaction of nothing."""
    given = of_girl(bare())
    given["request"]["event"] = "recall"
    answer = consent.decide_input(given, policy())
    assert (answer["decision"], answer["residual"], answer["obligations"]) == (PERMIT, [], [])


def test_r26_a_permit_in_general_forbids_the_labels_that_it_does_not_name() -> None:
    """What no clause names stays: said as the residual, since no data is there to be judged."""
    answer = in_general(data_class("medical-exam"))
    assert residual(answer)["forbid"] == ["ETH", "HIV", "PSY", "SDV", "STD"]
    redacted = [one["parameters"]["codes"] for one in answer["obligations"] if one["id"]["code"] == "REDACT"]
    assert [[code["code"] for code in codes] for codes in redacted] == [["ETH", "HIV", "PSY", "SDV", "STD"]]
    named = {"type": "permit", "securityLabel": [{"system": ACT, "code": "PSY"}]}
    answer = in_general(data_class("medical-exam"), root={"type": "permit", "provision": [named]})
    assert residual(answer)["forbid"] == ["ETH", "HIV", "SDV", "STD"]


def test_permits_of_part_of_the_asked_classes_are_of_that_part() -> None:
    """A request that names two classes is not covered by a permit for one of them."""
    root = {"type": "permit", "class": [data_class("medical-exam")]}
    needs = data_class("support-need")
    both = in_general(data_class("medical-exam"), needs, root=root)
    assert residual(both)["permit"] == ["medical-exam"]
    assert in_general(needs, root=root)["decision"] == NOBODY


# --- what stands in the input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("end", "expected"), [("2026-06-15", DENY), ("2026-06-14", PERMIT), ("2026-06", DENY)])
def test_the_day_on_which_a_refusal_ends_belongs_to_it(end: str, expected: str) -> None:
    """As in every FHIR period: an end holds to its precision."""
    given = asked("social", "medical-exam", {"relationships": [MOTHER], "refusals": [
        {"by": "child", "span": {"start": "2026-01-01", "end": end}}]}, consents=NEEDS_SHELTER)  # fmt: skip
    assert consent.decide_input(given, policy())["decision"] == expected


def test_r15_a_closed_case_ends_its_consents() -> None:
    """When the case was closed may stand among the facts."""
    given = asked("social", "medical-exam", {"relationships": [MOTHER]}, consents=NEEDS_SHELTER)
    given["facts"]["caseClosed"] = "2026-06-01"
    assert consent.decide_input(given, policy())["decision"] == DENY
    given["facts"]["caseClosed"] = "2026-07-01"
    assert consent.decide_input(given, policy())["decision"] == PERMIT


def test_a_purpose_that_only_consents_know_is_answered() -> None:
    """Research is no purpose of the hub, and a consent may be about it."""
    given = of_girl(bare({"type": "permit", "purpose": [{"system": REASON, "code": "HRESCH"}]}))
    given["request"]["purposeOfUse"] = ["HRESCH"]
    assert consent.decide_input(given, policy())["decision"] == PERMIT
    given["facts"] = {"treating": [{"agency": "agency", **SINCE}]}
    assert consent.decide_input(given | {"consents": []}, policy())["decision"] == NOBODY


def test_an_empty_recipient_is_a_recipient() -> None:
    """Said and empty is not unsaid: the law is asked, and knows nobody to whom anything may go."""
    given = payload()
    assert consent.decide_input(given, policy())["decision"] == PERMIT
    for key in ("person", "recipient", "facts"):
        assert consent.decide_input(given | {key: {}}, policy())["decision"] != PERMIT


@pytest.mark.parametrize("security", [{"system": ACT, "code": "HIV"}, [{"system": ACT, "code": "HIV"}]])
def test_one_label_without_its_list_is_read(security: Any) -> None:
    """A single object where the specification wants a list."""
    nested = {"type": "deny", "securityLabel": [{"system": ACT, "code": "HIV"}]}
    secret = observation("secret") | {"meta": {"security": security}}
    given = {**with_provision(provision=[nested]), "profile": "pcf", "resources": [secret, observation("plain")]}
    assert [one["id"] for one in consent.decide_input(given, policy())["released"]] == ["plain"]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (payload(profile=[]), "profile"),
        (payload(asOf="1990-01-01"), "asOf"),
        (payload(purpose="TREAT"), "purpose: not known"),
        (requested(purposeOfUse=[5]), "request.purposeOfUse"),
        (requested(purposeOfUse=[{"coding": []}]), "request.purposeOfUse"),
        (requested(action=[{}]), "request.action"),
        (requested(category=[7]), "request.category"),
        (requested(**{"class": [None]}), "request.class"),
        (requested(actor=["clinic"]), "request.actor"),
        (requested(actor=[{"system": "x", "value": 1}]), "request.actor"),
        (requested(purpose=["TREAT"]), "request.purpose: not known"),
        (payload(person={"birthdate": "2014-03-01"}), "person.birthdate: not known"),
        (payload(person={"birthDate": "20140301"}), "person.birthDate"),
        (payload(person={"zone": "Mars/Base"}), "person.zone"),
        (payload(person={"zone": "../etc"}), "person.zone"),
        (payload(person={"matchCertain": "no"}), "person.matchCertain"),
        (payload(recipient={"sectors": "police"}), "recipient.sectors: not known"),
        (payload(recipient={"parents": [{"a": 1}]}), "recipient.parents"),
        (payload(recipient={"references": [5]}), "recipient.references"),
        (payload(recipient={"id": ""}), "recipient.id"),
        (payload(facts={"treating": {"agency": ""}}), "facts.treating[0].agency"),
        (asked("police", "forensic", {"orders": [ORDER | {"span": {"from": "2020"}}]}), "facts.orders[0].span.from"),
        (asked("police", "forensic", {"orders": [ORDER | {"span": {"end": "soon"}}]}), "facts.orders[0].span.end"),
        (payload(consents=[clinic_consent(), {"resourceType": "Patient"}]), "consents[1]"),
        (payload(resources=[{"resourceType": "Patient", "meta": []}]), "resources[0].meta"),
        (payload(resources=[{"resourceType": "Patient", "meta": None}]), "resources[0].meta"),
        (payload(resources=[{"resourceType": "Patient", "meta": {"security": ["HIV"]}}]), "resources[0].meta.security"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_stands_there_and_cannot_be_read_is_not_read_as_nothing(given: Json, place: str) -> None:
    """A key that nobody reads, a code that is none, a name of nobody: refused by naming the place."""
    with pytest.raises(UnreadableInput) as caught:
        consent.decide_input(given, policy())
    assert str(caught.value).startswith(place)
