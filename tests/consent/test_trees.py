"""One tree, one item: each kind of constraint at each depth, and the shapes that real files have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from consent.errors import UnreadableInput
from consent.fhir import read_consent
from consent.items import items_of
from consent.model import Code, Item, Party
from consent.trees import Ask, Result, judge_tree
from consent.vocabulary import DataClass
from tests.consent.world import AT, LOINC, consent_of, provision

ASK = Ask(
    recipient=Party(
        "a", identifiers=(Code("urn:agency", "a"),), references=("Organization/a",), roles=(Code("", "NURSE"),)
    ),
    sender=Party("s", identifiers=(Code("urn:agency", "s"),), references=("Organization/s",)),
    purpose="TREAT",
    action="disclose",
    at=AT,
    zone="Asia/Ho_Chi_Minh",
)  # fmt: skip
ITEM = Item(
    place="urn:uuid:1",
    data_class=DataClass.MEDICAL_EXAM,
    labels=frozenset({"PSY"}),
    type="Observation",
    codes=(Code(LOINC, "x"),),
    at=datetime(2026, 6, 10, 8, tzinfo=UTC),
    author="Organization/s",
    episode="EpisodeOfCare/1",
    refs=("urn:uuid:2",),
    names=("Observation/1",),
    cited_by=("urn:uuid:4", "DiagnosticReport/4"),
)
YES, NO, NA, UNSURE = Result.PERMIT, Result.DENY, Result.NOT_APPLICABLE, Result.INDETERMINATE


def judged(constraint: dict[str, Any], item: Item = ITEM, ask: Ask = ASK) -> Result:
    """A permit with this constraint."""
    return judge_tree(read_consent(consent_of({"type": "permit", **constraint})), ask, item).result


def coded(code: str, system: str = LOINC) -> list[dict[str, Any]]:
    return [{"coding": [{"system": system, "code": code}]}]


ACTIONS = "http://terminology.hl7.org/CodeSystem/consentaction"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ({"action": coded("disclose", ACTIONS)}, YES),
        ({"action": coded("collect", ACTIONS)}, NA),
        ({"code": coded("x")}, YES),
        ({"code": coded("y")}, NA),
        ({"code": {"coding": {"system": LOINC, "code": "x"}}}, YES),
        ({"code": [{"text": "x-ray"}]}, UNSURE),
        ({"securityLabel": [{"system": ACT_CODE, "code": "PSY"}]}, YES),
        ({"securityLabel": [{"system": ACT_CODE, "code": "HIV"}]}, NA),
        ({"securityLabel": [{"code": "PSY"}]}, UNSURE),
        ({"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}, YES),
        ({"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Condition"}]}, NA),
        ({"class": [{"system": "urn:unknown", "code": "Observation"}]}, UNSURE),
        ({"dataPeriod": {"start": "2026-06-10", "end": "2026-06-10"}}, YES),
        ({"dataPeriod": {"start": "2026-06-11"}}, NA),
        ({"dataPeriod": {"end": "2026-06-09"}}, NA),
        ({"dataPeriod": {"start": "soon"}}, UNSURE),
        ({"data": [{"meaning": "instance", "reference": {"reference": "urn:uuid:1"}}]}, YES),
        ({"data": [{"meaning": "instance", "reference": {"reference": "urn:uuid:2"}}]}, NA),
        ({"data": [{"meaning": "instance", "reference": {"reference": "Observation/1"}}]}, YES),
        ({"data": [{"meaning": "related", "reference": {"reference": "urn:uuid:1"}}]}, YES),
        ({"data": [{"meaning": "related", "reference": {"reference": "DiagnosticReport/4"}}]}, YES),
        ({"data": [{"meaning": "related", "reference": {"reference": "urn:uuid:2"}}]}, UNSURE),
        ({"data": [{"meaning": "dependents", "reference": {"reference": "Observation/1"}}]}, YES),
        ({"data": [{"meaning": "dependents", "reference": {"reference": "EpisodeOfCare/1"}}]}, YES),
        ({"data": [{"meaning": "dependents", "reference": {"reference": "DiagnosticReport/4"}}]}, UNSURE),
        ({"data": [{"meaning": "authoredby", "reference": {"reference": "Practitioner/t"}}]}, UNSURE),
        ({"data": [{"meaning": "dependents", "reference": {"reference": "urn:uuid:2"}}]}, YES),
        ({"data": [{"meaning": "dependents", "reference": {"reference": "urn:uuid:3"}}]}, UNSURE),
        ({"data": [{"meaning": "authoredby", "reference": {"reference": "Organization/s"}}]}, YES),
        ({"data": [{"meaning": "authoredby", "reference": {"reference": "Organization/t"}}]}, NA),
        ({"actor": [{"role": {"coding": [{"code": "NURSE"}]}}]}, YES),
        ({"actor": [{"role": {"coding": [{"code": "CLERK"}]}}]}, NA),
        ({"actor": [{"role": coded("CST", ""), "reference": {"reference": "Organization/s"}}]}, YES),
        ({"actor": [{"role": coded("CST", ""), "reference": {"reference": "Organization/a"}}]}, NA),
        ({"period": {"start": "2026-06-15", "end": "2026-06-15"}}, YES),
        ({"period": {"end": "2026-06-14"}}, NA),
        ({"expression": {"language": "text/cql"}}, UNSURE),
    ],
    ids=lambda value: str(value)[:70],
)
def test_each_kind_of_constraint(constraint: dict[str, Any], expected: Result) -> None:
    """Met, not met, or not to be decided."""
    assert judged(constraint) is expected


def test_ties_between_resources_are_followed_to_any_depth() -> None:
    """A report depends on what its results are derived from, and the source is related to the report, by every name."""
    source = {"resourceType": "Observation", "id": "a", "performer": [{"reference": "Practitioner/p"}]}
    derived = {"resourceType": "Observation", "id": "b", "derivedFrom": [{"reference": "urn:uuid:a"}]}
    report = {"resourceType": "DiagnosticReport", "id": "c", "result": [{"reference": "Observation/b"}]}
    alone = {"resourceType": "Condition", "id": "d"}
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in (source, derived, report, alone)]
    found = {item.place[-1]: item for item in items_of({"resourceType": "Bundle", "entry": entries})}
    assert set(found["c"].refs) == {"urn:uuid:a", "Observation/a", "urn:uuid:b", "Observation/b", "Practitioner/p"}
    assert set(found["a"].cited_by) == {"urn:uuid:b", "Observation/b", "urn:uuid:c", "DiagnosticReport/c"}
    assert found["a"].authors == ("Practitioner/p",)

    def meant(meaning: str, reference: str, item: Item) -> Result:
        return judged({"data": [{"meaning": meaning, "reference": {"reference": reference}}]}, item)

    assert meant("dependents", "Observation/a", found["c"]) is YES
    assert meant("related", "urn:uuid:c", found["a"]) is YES
    assert meant("dependents", "Observation/a", found["d"]) is NA
    assert meant("authoredby", "Practitioner/p", found["a"]) is YES
    assert meant("authoredby", "Practitioner/q", found["a"]) is NA


CITY = replace(ASK.recipient, parents=("Organization/city", "urn:agency|city"), groups=("Group/9",))


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"identifier": {"system": "urn:agency", "value": "a"}}, YES),
        ({"identifier": [{"system": "urn:agency", "value": "b"}]}, NA),
        ({"identifier": {"system": "urn:agency", "value": "city"}}, YES),
        ({"reference": "Organization/city"}, YES),
        ({"reference": "Group/9"}, YES),
        ({"reference": "Group/7"}, YES),
        ({"reference": "Group/8"}, NA),
        ({"reference": "Organization/b"}, NA),
    ],
    ids=str,
)
def test_an_actor_is_named_in_many_ways(named: dict[str, Any], expected: Result) -> None:
    """By identifier or reference, its own or of an organisation above it, and as a member of a group."""
    members = {"Group/7": ("Organization/b", "Organization/a"), "Group/8": ("Organization/b",)}
    known = {
        name: {"resourceType": "Group", "member": [{"entity": {"reference": one}} for one in of]}
        for name, of in members.items()
    }
    tree = read_consent(consent_of({"type": "permit", "actor": [{"reference": named}]}), known)
    assert judge_tree(tree, replace_ask(recipient=CITY), ITEM).result is expected
    with_role = {"type": "permit", "actor": [{"reference": named, "role": {"coding": [{"code": "CLERK"}]}}]}
    assert judge_tree(read_consent(consent_of(with_role), known), replace_ask(recipient=CITY), ITEM).result is NA


def replace_ask(**changes: Any) -> Ask:
    return Ask(**{name: getattr(ASK, name) for name in ASK.__struct_fields__} | changes)


REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


@pytest.mark.parametrize(
    ("met", "missed"),
    [
        ({"purpose": [{"system": REASON, "code": "TREAT"}]}, {"purpose": [{"system": REASON, "code": "HPAYMT"}]}),
        ({"action": coded("disclose", ACTIONS)}, {"action": coded("collect", ACTIONS)}),
        ({"actor": [{"reference": {"reference": "Organization/a"}}]}, {"actor": [{"reference": {"reference": "x/b"}}]}),
        ({"period": {"start": "2026-06-15"}}, {"period": {"start": "2026-06-16"}}),
        ({"code": coded("x")}, {"code": coded("y")}),
        ({"class": [{"code": "Observation"}]}, {"class": [{"code": "Condition"}]}),
        (
            {"securityLabel": [{"system": ACT_CODE, "code": "PSY"}]},
            {"securityLabel": [{"system": ACT_CODE, "code": "HIV"}]},
        ),
        ({"dataPeriod": {"start": "2026-06-10"}}, {"dataPeriod": {"start": "2026-06-11"}}),
        (
            {"data": [{"meaning": "instance", "reference": {"reference": "urn:uuid:1"}}]},
            {"data": [{"meaning": "instance", "reference": {"reference": "urn:uuid:9"}}]},
        ),
    ],
    ids=lambda value: next(iter(value)),
)
def test_every_kind_is_inherited_and_replaced(met: dict[str, Any], missed: dict[str, Any]) -> None:
    """Two levels down a branch keeps what an ancestor said of each kind, until it says that kind itself."""
    other = "dataPeriod" if "dataPeriod" not in met else "code"
    step = {"dataPeriod": {"start": "2026-01-01"}} if other == "dataPeriod" else {"code": coded("x")}
    inner = {"type": "permit", **step}

    def under(outer: dict[str, Any], own: dict[str, Any]) -> Result:
        middle = {"type": "deny", **outer, "provision": [{**inner, **own}]}
        tree = read_consent(consent_of({"type": "deny", "provision": [middle]}))
        return judge_tree(tree, ASK, ITEM).result

    assert under(met, {}) is YES
    assert under(missed, {}) is NO
    assert under(missed, met) is YES
    assert under(met, missed) is NO


def test_a_tree_of_many_provisions_is_judged_like_a_small_one() -> None:
    """Beyond the bits of a machine word, and whatever was judged before, the same clause decides."""
    nested = [{"type": "permit", "code": coded(str(number))} for number in range(200)]
    tree = read_consent(consent_of({"type": "deny", "provision": [*nested, {"type": "deny", "code": coded("137")}]}))
    for number in (0, 137, 199, 200, 0, 137):
        found = judge_tree(tree, ASK, replace(ITEM, codes=(Code(LOINC, str(number)),))).result
        assert found is (YES if number in (0, 199) else NO)


def test_a_date_that_only_partly_lies_in_the_period_cannot_be_decided() -> None:
    """An item dated by day, a period that begins in the middle of it."""
    item = replace(ITEM, at=date(2026, 6, 10))
    assert judged({"dataPeriod": {"start": "2026-06-10T12:00:00Z"}}, item) is UNSURE
    assert judged({"dataPeriod": {"start": "2026-06-10"}}, item) is YES
    assert judged({"dataPeriod": {"start": "2026-06-10"}}, replace(ITEM, at=None)) is UNSURE


def test_kinds_are_and_and_repeats_are_or() -> None:
    """All kinds must be met, any repeat of each."""
    both = {"code": [*coded("y"), *coded("x")], "securityLabel": [{"system": ACT_CODE, "code": "PSY"}]}
    assert judged(both) is YES
    assert judged({**both, "action": coded("collect", ACTIONS)}) is NA


def test_a_branch_inherits_what_it_does_not_state() -> None:
    """A nested provision keeps its ancestors' kinds, replaces those it states, and refines only its parent."""
    nested = {"code": coded("x"), "provision": [{"type": "deny", "action": coded("disclose", ACTIONS)}]}
    assert judged(nested) is NO
    assert judged(nested, replace(ITEM, codes=(Code(LOINC, "y"),))) is NA
    inner = {"type": "permit", "securityLabel": [{"system": ACT_CODE, "code": "PSY"}]}
    root = {"provision": [{"type": "deny", "code": coded("x"), "provision": [inner]}]}
    assert judged(root) is YES
    assert judged(root, replace(ITEM, labels=frozenset())) is NO


def test_the_root_period_bounds_every_branch() -> None:
    """A nested period cannot outlive the root's."""
    root = {"period": {"end": "2026-01-01"}, "provision": [{"type": "deny", "period": {"end": "2030-01-01"}}]}
    assert judged(root) is NA


def test_r5_provisions_flip_at_every_level() -> None:
    """Without types each level is the exception to the one above."""
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "decision": "permit",
        "provision": [{"code": coded("x"), "provision": [{"securityLabel": [{"system": ACT_CODE, "code": "PSY"}]}]}],
    }
    tree = read_consent(consent)
    assert judge_tree(tree, ASK, ITEM).result is YES
    assert judge_tree(tree, ASK, replace(ITEM, labels=frozenset())).result is NO
    assert judge_tree(tree, ASK, replace(ITEM, codes=())).result is YES


def test_sloppy_shapes_are_read() -> None:
    """An object for a list, an identifier as object or list, a contained organisation."""
    organization = {"resourceType": "Organization", "id": "o", "identifier": {"system": "urn:agency", "value": "a"}}
    contained = {"contained": organization}
    root = {"type": "permit", "actor": {"reference": {"reference": "#o"}}}
    tree = read_consent({**consent_of(root), **contained})
    assert judge_tree(tree, ASK, ITEM).result is YES
    other = {"contained": [{**organization, "identifier": [{"system": "urn:agency", "value": "b"}]}]}
    assert judge_tree(read_consent({**consent_of(root), **other}), ASK, ITEM).result is NA


@pytest.mark.parametrize("value", [None, [], "Consent", {"resourceType": "Patient"}])
def test_what_is_no_consent_is_refused(value: Any) -> None:
    """Only a Consent can be read as one."""
    with pytest.raises(UnreadableInput):
        read_consent(value)


def test_a_denial_not_understood_may_be_a_denial() -> None:
    """An unreadable denial is not the same as none: it is remembered that it may deny."""
    tree = read_consent(consent_of(provision("permit") | {"provision": [{"type": "deny", "code": [{"text": "x"}]}]}))
    answer = judge_tree(tree, ASK, ITEM)
    assert (answer.result, answer.may_deny) == (UNSURE, True)
