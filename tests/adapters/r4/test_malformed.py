"""Each mistake is found, at its place, and without repeating what was sent."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from adapters.r4.validate import validate
from tests.adapters.r4 import samples

Json = dict[str, Any]
Case = tuple[str, Json, str, str]
"""Name, resource, the code and the expression that are expected."""

PATIENT: Json = {"resourceType": "Patient"}
OBSERVATION: Json = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
NESTED = {"extension": [{"url": "a", "valueString": "x"}]}


def patient(**more: Any) -> Json:
    """Make a Patient with only these elements."""
    return {**PATIENT, **more}


def observation(**more: Any) -> Json:
    """Make a sound Observation with these elements added."""
    return {**OBSERVATION, **more}


def timing(**repeat: Any) -> Json:
    """Make an Observation whose effectiveTiming repeats so."""
    return observation(effectiveTiming={"repeat": repeat})


def without(name: str, *keys: str, **more: Any) -> Json:
    """Take a sound sample, leave elements out, and add others."""
    return {key: value for key, value in samples.SINGLE[name].items() if key not in keys} | more


NAMES: list[Case] = [
    ("no type", {"id": "x"}, "structure", "Resource"),
    ("unknown type", {"resourceType": "Ingredient"}, "structure", "Resource"),
    ("abstract type", {"resourceType": "DomainResource"}, "structure", "Resource"),
    ("type of a later release", {"resourceType": "SubscriptionStatus"}, "structure", "Resource"),
    ("type is no string", {"resourceType": ["Patient"]}, "structure", "Resource"),
    ("unknown element", patient(colour="x"), "structure", "Patient.colour"),
    ("unknown nested element", patient(name=[{"middle": "x"}]), "structure", "Patient.name[0].middle"),
    ("element that looks like data", patient(**{"Nguyễn A": "x"}), "structure", "Patient"),
    ("resourceType in a datatype", patient(name=[{"resourceType": "x"}]), "structure", "Patient.name[0].resourceType"),
    ("element of another release", patient(meta={"accounts": []}), "structure", "Patient.meta.accounts"),
    ("underscore on an object", patient(_name=[{"id": "x"}]), "structure", "Patient._name"),
    ("choice not allowed here", observation(valueAge={"value": 1}), "structure", "Observation.valueAge"),
    ("choice without a type", observation(value="x"), "structure", "Observation.value"),
]

COUNTS: list[Case] = [
    ("required element", {"resourceType": "Observation", "status": "final"}, "required", "Observation.code"),
    ("required code", {"resourceType": "Observation", "code": {"text": "x"}}, "required", "Observation.status"),
    ("required nested", observation(component=[{"valueInteger": 1}]), "required", "Observation.component[0].code"),
    ("required choice", without("Provenance", "target"), "required", "Provenance.target"),
    (
        "required value[x]",
        without("Task", input=[{"type": {"text": "x"}}]),
        "required",
        "Task.input[0].value",
    ),
    ("required in datatype", patient(text={"status": "empty"}), "required", "Patient.text.div"),
    ("extension url", patient(extension=[{"valueCode": "x"}]), "required", "Patient.extension[0].url"),
    ("object for list", patient(name={"family": "x"}), "structure", "Patient.name"),
    ("string for list", patient(name=[{"given": "x"}]), "structure", "Patient.name[0].given"),
    ("list for object", patient(maritalStatus=[{"text": "x"}]), "structure", "Patient.maritalStatus"),
    ("list for primitive", patient(gender=["male"]), "structure", "Patient.gender"),
    ("string for object", patient(maritalStatus="M"), "structure", "Patient.maritalStatus"),
    ("object for string", patient(gender={"value": "male"}), "structure", "Patient.gender"),
    ("list in list", patient(name=[{"given": [["x"]]}]), "structure", "Patient.name[0].given[0]"),
    ("value[x] twice", observation(valueString="x", valueInteger=1), "structure", "Observation.value"),
    ("null", patient(gender=None), "value", "Patient.gender"),
    ("null in list", patient(name=[None]), "value", "Patient.name[0]"),
    ("null without extension", patient(name=[{"given": ["x", None]}]), "value", "Patient.name[0].given[1]"),
    (
        "extensions out of step",
        patient(
            name=[{"given": ["x"], "_given": [None, {"extension": [{"url": "http://e.example/x", "valueCode": "x"}]}]}]
        ),
        "structure",
        "Patient.name[0].given",
    ),
    ("empty list", patient(name=[]), "value", "Patient.name"),
    ("empty list of strings", patient(name=[{"given": []}]), "value", "Patient.name[0].given"),
    ("empty object", patient(maritalStatus={}), "value", "Patient.maritalStatus"),
    ("empty object in list", patient(name=[{}]), "value", "Patient.name[0]"),
    ("empty string", patient(name=[{"family": ""}]), "value", "Patient.name[0].family"),
    ("empty resource", {}, "structure", "Resource"),
]

TEXTS: list[Case] = [
    ("quoted boolean", patient(active="true"), "value", "Patient.active"),
    ("number as boolean", patient(active=1), "value", "Patient.active"),
    ("quoted integer", observation(valueInteger="1"), "value", "Observation.value"),
    ("boolean as integer", observation(valueInteger=True), "value", "Observation.value"),
    ("decimal as integer", observation(valueInteger=Decimal("1.0")), "value", "Observation.value"),
    ("integer too large", observation(valueInteger=2**31), "value", "Observation.value"),
    ("quoted decimal", observation(valueQuantity={"value": "1.5"}), "value", "Observation.value.value"),
    ("not a number", observation(valueQuantity={"value": math.nan}), "value", "Observation.value.value"),
    ("infinite decimal", observation(valueQuantity={"value": Decimal("Infinity")}), "value", "Observation.value.value"),
    ("number as string", patient(name=[{"family": 7}]), "value", "Patient.name[0].family"),
    ("zero rank", patient(telecom=[{"rank": 0}]), "value", "Patient.telecom[0].rank"),
    ("negative size", without("DocumentReference", content=[{"attachment": {"size": -1}}]), "value",
     "DocumentReference.content[0].attachment.size"),
    ("long id", patient(id="a" * 65), "value", "Patient.id"),
    ("id with underscore", patient(id="a_b"), "value", "Patient.id"),
    ("code with blank at the end", patient(language="vi "), "value", "Patient.language"),
    ("date with time", patient(birthDate="2016-02-29T00:00:00Z"), "value", "Patient.birthDate"),
    ("date in another order", patient(birthDate="29/02/2016"), "value", "Patient.birthDate"),
    ("day that is none", patient(birthDate="2015-02-29"), "value", "Patient.birthDate"),
    ("April has 30 days", observation(effectiveDateTime="2026-04-31"), "value", "Observation.effective"),
    ("year 0", patient(birthDate="0000"), "value", "Patient.birthDate"),
    ("time without zone", observation(effectiveDateTime="2026-05-04T08:30:00"), "value", "Observation.effective"),
    ("time without seconds", observation(effectiveDateTime="2026-05-04T08:30Z"), "value", "Observation.effective"),
    ("zone out of range", observation(effectiveDateTime="2026-05-04T08:30:00+15:00"), "value", "Observation.effective"),
    ("instant without time", observation(issued="2026-05-04"), "value", "Observation.issued"),
    ("time of day with zone", observation(valueTime="08:30:00Z"), "value", "Observation.value"),
    ("uri with blank", patient(implicitRules="http://a b"), "value", "Patient.implicitRules"),
    ("broken uuid", patient(identifier=[{"system": "urn:uuid:12"}]), "value", "Patient.identifier[0].system"),
    ("broken oid", patient(identifier=[{"system": "urn:oid:9.1"}]), "value", "Patient.identifier[0].system"),
    ("oid without urn", patient(extension=[{"url": "http://e.example/x", "valueOid": "1.2.3"}]), "value",
     "Patient.extension[0].value"),
    ("uuid in capitals", patient(extension=[{"url": "http://e.example/x", "valueUuid": samples.urn(1).upper()}]),
     "value",
     "Patient.extension[0].value"),
    ("not base64", patient(photo=[{"contentType": "image/png", "data": "A*=="}]), "value", "Patient.photo[0].data"),
    ("base64 cut off", patient(photo=[{"contentType": "image/png", "data": "AAA"}]), "value", "Patient.photo[0].data"),
    ("control character", patient(name=[{"family": "a\x0bb"}]), "value", "Patient.name[0].family"),
    ("broken unicode", patient(name=[{"family": "\ud800"}]), "value", "Patient.name[0].family"),
    ("endless string", patient(name=[{"family": "a" * 1_048_577}]), "too-long", "Patient.name[0].family"),
    ("script in narrative", patient(text={"status": "generated",
     "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'}), "value", "Patient.text.div"),
    ("handler in narrative", patient(text={"status": "generated",
     "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x">x</p></div>'}), "value", "Patient.text.div"),
    ("narrative without namespace", patient(text={"status": "generated", "div": "<div>x</div>"}), "value",
     "Patient.text.div"),
    ("entity bomb in narrative", patient(text={"status": "generated",
     "div": '<!DOCTYPE d [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>'}), "value",
     "Patient.text.div"),
    ("narrative that says nothing", patient(text={"status": "generated",
     "div": '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'}), "value", "Patient.text.div"),
    ("relative extension url", patient(extension=[{"url": "race", "valueCode": "x"}]),
     "value", "Patient.extension[0].url"),
]  # fmt: skip

CODES: list[Case] = [
    ("gender", patient(gender="xx"), "code-invalid", "Patient.gender"),
    ("gender in capitals", patient(gender="Female"), "code-invalid", "Patient.gender"),
    ("task status", without("Task", status="done"), "code-invalid", "Task.status"),
    ("name use", patient(name=[{"use": "legal"}]), "code-invalid", "Patient.name[0].use"),
    ("deep code", without("Consent", provision={"type": "allow"}), "code-invalid", "Consent.provision.type"),
    ("media type", patient(photo=[{"contentType": "png"}]), "code-invalid", "Patient.photo[0].contentType"),
    ("concept without coding", without("Condition", clinicalStatus={"text": "active"}), "code-invalid",
     "Condition.clinicalStatus"),
    ("concept of another system", without("Condition", clinicalStatus={"coding": [{"system": "http://x",
     "code": "active"}]}),
     "code-invalid", "Condition.clinicalStatus"),
    ("concept without system", without("Condition", clinicalStatus={"coding": [{"code": "active"}]}), "code-invalid",
     "Condition.clinicalStatus"),
]  # fmt: skip

INVARIANTS: list[Case] = [
    ("id alone says nothing (ele-1)", patient(name=[{"id": "x"}]), "invariant", "Patient.name[0]"),
    ("ext-1 both", patient(extension=[{"url": "http://e.example/x", "valueCode": "x", **NESTED}]), "invariant",
     "Patient.extension[0]"),
    ("ext-1 neither", patient(extension=[{"url": "http://e.example/x"}]), "invariant", "Patient.extension[0]"),
    ("ext-1 on a primitive", patient(birthDate="2016", _birthDate={"extension": [{"url": "http://e.example/x"}]}),
     "invariant", "Patient.birthDate.extension[0]"),
    ("per-1", observation(effectivePeriod={"start": "2026-05-05", "end": "2026-05-04"}), "invariant",
     "Observation.effective"),
    ("per-1 across zones", observation(effectivePeriod={"start": "2026-05-04T08:00:00+07:00",
     "end": "2026-05-04T00:59:59Z"}), "invariant", "Observation.effective"),
    ("qty-3", observation(valueQuantity={"value": 1, "code": "mg"}), "invariant", "Observation.value"),
    ("sqty-1", observation(referenceRange=[{"low": {"value": 1, "comparator": "<"}}]), "invariant",
     "Observation.referenceRange[0].low.comparator"),
    ("rng-2", observation(valueRange={"low": {"value": 2}, "high": {"value": 1}}), "invariant", "Observation.value"),
    ("rat-1", observation(valueRatio={"numerator": {"value": 2}}), "invariant", "Observation.value"),
    ("cpt-2", patient(telecom=[{"value": "+84"}]), "invariant", "Patient.telecom[0]"),
    ("att-1", patient(photo=[{"data": "AAAA"}]), "invariant", "Patient.photo[0]"),
    ("age-1", without("Condition", onsetAge={"value": 9}), "invariant", "Condition.onset"),
    ("drt-1", without("Encounter", length={"code": "min", "system": samples.UCUM}), "invariant", "Encounter.length"),
    ("tim-2", timing(period=1), "invariant", "Observation.effective.repeat"),
    ("tim-9", timing(offset=1, when=["C"]), "invariant", "Observation.effective.repeat"),
    ("obs-3", observation(referenceRange=[{"age": {"low": {"value": 1}}}]),
     "invariant", "Observation.referenceRange[0]"),
    ("obs-6", observation(valueString="x", dataAbsentReason={"text": "x"}),
     "invariant", "Observation.dataAbsentReason"),
    ("obs-7", observation(valueString="x", code={"coding": [{"system": "s:s", "code": "1"}]},
     component=[{"code": {"coding": [{"system": "s:s", "code": "1"}]}}]), "invariant", "Observation.value"),
    ("pat-1", patient(contact=[{"gender": "male"}]), "invariant", "Patient.contact[0]"),
    ("con-4", without("Condition", abatementString="x"), "invariant", "Condition.clinicalStatus"),
    ("con-5", without("Condition", verificationStatus={"coding": [
        {"system": f"{samples.THO}condition-ver-status", "code": "entered-in-error"}]}), "invariant",
     "Condition.clinicalStatus"),
    ("ppc-1", without("Consent", "policyRule"), "invariant", "Consent"),
    ("cmp-1", without("Composition", section=[{"title": "x"}]), "invariant", "Composition.section[0]"),
    ("qrs-1", without("QuestionnaireResponse", item=[{"linkId": "1", "answer": [{"valueInteger": 1}],
     "item": [{"linkId": "2"}]}]), "invariant", "QuestionnaireResponse.item[0].item"),
    ("ras-2", without("RiskAssessment", prediction=[{"probabilityDecimal": Decimal("100.1")}]), "invariant",
     "RiskAssessment.prediction[0].probability"),
    ("inv-1 of Task", without("Task", lastModified="2026-05-03"), "invariant", "Task.lastModified"),
    ("inv-1 of Parameters", {"resourceType": "Parameters", "parameter": [{"name": "x"}]}, "invariant",
     "Parameters.parameter[0]"),
    ("org-1", {"resourceType": "Organization", "active": True}, "invariant", "Organization"),
    ("org-3", {"resourceType": "Organization", "name": "x", "telecom": [{"use": "home"}]}, "invariant",
     "Organization.telecom"),
    ("prr-1", without("ServiceRequest", "code", orderDetail=[{"text": "x"}]),
     "invariant", "ServiceRequest.orderDetail"),
    ("app-3", {"resourceType": "Appointment", "status": "booked", "participant": [
        {"status": "accepted", "actor": {"display": "x"}}]}, "invariant", "Appointment.start"),
    ("sev-1", {"resourceType": "AuditEvent", "type": {"code": "x"}, "recorded": "2026-05-04T08:30:00Z",
     "agent": [{"requestor": True}], "source": {"observer": {"display": "x"}}, "entity": [{"name": "x",
     "query": "AAAA"}]},
     "invariant", "AuditEvent.entity[0]"),
    ("lst-1", {"resourceType": "List", "status": "current", "mode": "working", "emptyReason": {"text": "x"},
     "entry": [{"item": {"display": "x"}}]}, "invariant", "List.emptyReason"),
]  # fmt: skip


def contained(*items: Json, **more: Any) -> Json:
    """Make an Observation that contains these."""
    return observation(contained=list(items), **more)


SPECIMEN: Json = {"resourceType": "Specimen", "id": "s"}
USED: Json = {"specimen": {"reference": "#s"}}

CONTAINED: list[Case] = [
    ("ref-1", observation(specimen={"reference": "#none"}), "invariant", "Observation.specimen.reference"),
    ("dom-2", contained({**SPECIMEN, "contained": [{"resourceType": "Patient", "id": "p"}]}, **USED), "invariant",
     "Observation.contained[0].contained"),
    ("dom-3", contained(SPECIMEN), "invariant", "Observation.contained[0]"),
    ("dom-4", contained({**SPECIMEN, "meta": {"versionId": "1"}}, **USED), "invariant",
     "Observation.contained[0].meta.versionId"),
    ("dom-5", contained({**SPECIMEN, "meta": {"security": [{"code": "R"}]}}, **USED), "invariant",
     "Observation.contained[0].meta.security"),
    ("no id", contained({"resourceType": "Specimen", "type": {"text": "x"}}),
     "required", "Observation.contained[0].id"),
    ("id twice", contained(SPECIMEN, SPECIMEN, **USED), "duplicate", "Observation.contained[0].id"),
    ("wrong inside", contained({**SPECIMEN, "status": "x"}, **USED), "code-invalid", "Observation.contained[0].status"),
    ("unknown type inside", contained({"resourceType": "X", "id": "s"}, **USED),
     "structure", "Observation.contained[0]"),
    ("no object inside", contained("x", **USED), "structure", "Observation.contained[0]"),  # type: ignore[arg-type]
]  # fmt: skip

REFERENCES: list[Case] = [
    ("wrong target", observation(subject={"reference": "Practitioner/1"}), "value", "Observation.subject"),
    ("wrong contained target", contained(SPECIMEN, subject={"reference": "#s"}), "value", "Observation.subject"),
    ("wrong logical target", observation(subject={"type": "Practitioner", "identifier": {"value": "1"}}), "value",
     "Observation.subject"),
    ("type says another", observation(subject={"reference": "Patient/1", "type": "Group"}), "value",
     "Observation.subject.type"),
    ("no R4 type", observation(subject={"reference": "Person2/1"}), "value", "Observation.subject.reference"),
    ("no R4 type at all", observation(subject={"reference": "Citation/1"}), "value", "Observation.subject.reference"),
]  # fmt: skip

ALL = NAMES + COUNTS + TEXTS + CODES + INVARIANTS + CONTAINED + REFERENCES


@pytest.mark.parametrize(("resource", "code", "expression"), [case[1:] for case in ALL], ids=[case[0] for case in ALL])
def test_a_mistake_is_found_at_its_place(resource: Json, code: str, expression: str) -> None:
    """The issue has the code and the FHIRPath of the mistake."""
    found = validate(resource)
    assert (code, expression) in [(issue.code, issue.expression) for issue in found], found
    assert all(issue.severity == "error" for issue in found)


def change(*path: str | int, to: Any) -> Callable[[Json], None]:
    """Make a change to a message bundle at a place."""

    def apply(bundle: Json) -> None:
        place: Any = bundle
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return apply


def drop(*path: str | int) -> Callable[[Json], None]:
    """Take something out of a message bundle."""

    def apply(bundle: Json) -> None:
        place: Any = bundle
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return apply


E, R = "entry", "resource"
BUNDLES: list[tuple[str, Callable[[Json], None], str, str]] = [
    ("bdl-12", drop(E, 0), "invariant", "Bundle.entry[0].resource"),
    ("bdl-12 without entries", drop(E), "invariant", "Bundle.entry"),
    ("bdl-11", change("type", to="document"), "invariant", "Bundle.entry[0].resource"),
    ("bdl-9", change("type", to="document"), "invariant", "Bundle.identifier"),
    ("bdl-1", change("total", to=4), "invariant", "Bundle.total"),
    ("bdl-2", change(E, 1, "search", to={"mode": "match"}), "invariant", "Bundle.entry[1].search"),
    ("bdl-3 without", change("type", to="transaction"), "invariant", "Bundle.entry[2].request"),
    ("bdl-3 needless", change(E, 1, "request", to={"method": "GET", "url": "x"}),
     "invariant", "Bundle.entry[1].request"),
    ("bdl-4", change(E, 1, "response", to={"status": "200"}), "invariant", "Bundle.entry[1].response"),
    ("bdl-5", drop(E, 3, R), "invariant", "Bundle.entry[3]"),
    ("bdl-7", change(E, 3, "fullUrl", to=samples.urn(2)), "duplicate", "Bundle.entry[3].fullUrl"),
    ("bdl-8", change(E, 1, "fullUrl", to="https://e.example/Patient/1/_history/1"),
     "invariant", "Bundle.entry[1].fullUrl"),
    ("fullUrl of another id", change(E, 1, "fullUrl", to="https://e.example/Patient/1"),
     "value", "Bundle.entry[1].fullUrl"),
    ("fullUrl of another type", change(E, 3, "fullUrl", to="https://e.example/Task/1"),
     "value", "Bundle.entry[3].fullUrl"),
    ("broken fullUrl", change(E, 1, "fullUrl", to="urn:uuid:1"), "value", "Bundle.entry[1].fullUrl"),
    ("dangling", change(E, 2, R, "subject", "reference", to=samples.urn(9)), "not-found",
     "Bundle.entry[2].resource.subject.reference"),
    ("dangling focus", change(E, 0, R, "focus", 0, "reference", to=samples.urn(9)), "not-found",
     "Bundle.entry[0].resource.focus[0].reference"),
    ("dangling for the outer bundle", change(E, 2, R, "subject", "reference", to=samples.urn(11)), "not-found",
     "Bundle.entry[2].resource.subject.reference"),
    ("dangling within", change(E, 3, R, E, 1, R, "managingOrganization", "reference", to=samples.urn(9)), "not-found",
     "Bundle.entry[3].resource.entry[1].resource.managingOrganization.reference"),
    ("wrong type behind a fullUrl", change(E, 2, R, "subject", "reference", to=samples.urn(1)), "value",
     "Bundle.entry[2].resource.subject"),
    ("wrong within a resource", change(E, 1, R, "birthDate", to="x"), "value", "Bundle.entry[1].resource.birthDate"),
    ("wrong within a nested bundle", change(E, 3, R, E, 0, R, "active", to="x"), "value",
     "Bundle.entry[3].resource.entry[0].resource.active"),
    ("unknown type", change(E, 1, R, "resourceType", to="Person2"), "structure", "Bundle.entry[1].resource"),
    ("no type", drop(E, 1, R, "resourceType"), "structure", "Bundle.entry[1].resource"),
    ("no object", change(E, 1, R, to="x"), "structure", "Bundle.entry[1].resource"),
    ("entries are no list", change(E, to={}), "structure", "Bundle.entry"),
    ("unknown bundle type", change("type", to="messages"), "code-invalid", "Bundle.type"),
    ("dom-3 in an entry", drop(E, 2, R, "specimen"), "invariant", "Bundle.entry[2].resource.contained[0]"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("harm", "code", "expression"), [case[1:] for case in BUNDLES], ids=[case[0] for case in BUNDLES]
)
def test_a_mistake_in_a_bundle_is_found_at_its_place(harm: Callable[[Json], None], code: str, expression: str) -> None:
    """The issue has the code and the FHIRPath of the mistake, through entries and nested bundles."""
    bundle = samples.message()
    harm(bundle)
    found = validate(bundle)
    assert (code, expression) in [(issue.code, issue.expression) for issue in found], found


def test_one_mistake_does_not_hide_another() -> None:
    """Everything that is wrong is said at once."""
    found = validate({"resourceType": "Observation", "value": 1, "issued": "x", "subject": {"reference": "#x"}})
    assert {issue.expression for issue in found} == {
        "Observation.status",
        "Observation.code",
        "Observation.value",
        "Observation.issued",
        "Observation.subject.reference",
    }


def test_nothing_that_was_sent_is_repeated() -> None:
    """No issue holds a value, nor a member name that could be one."""
    canary = "NguyễnThịChimHoàngYến"
    sent = [
        patient(gender=canary, birthDate=canary, id=canary, active=canary, **{canary: 1}, implicitRules=f"{canary} x"),
        {"resourceType": canary},
        observation(code={"coding": [{"code": f" {canary}"}]}, subject={"reference": f"{canary}/1"}),
        {
            "resourceType": "Bundle",
            "type": canary,
            "entry": [{"fullUrl": canary, "resource": {"resourceType": canary}}],
        },
    ]
    said = [f"{issue.expression} {issue.diagnostics}" for resource in sent for issue in validate(resource)]
    assert len(said) > 8
    assert not [line for line in said if canary in line]


def test_a_bottomless_resource_is_refused() -> None:
    """Extensions inside extensions end the walk, not the program."""
    extension: Json = {"url": "x", "valueString": "x"}
    for _ in range(400):
        extension = {"url": "x", "extension": [extension]}
    found = validate(patient(extension=[{**extension, "url": "http://e.example/x"}]))
    assert "too-costly" in [issue.code for issue in found]


def test_an_answer_stays_small() -> None:
    """After two hundred findings the rest is summed up in one."""
    found = validate(patient(name=[{"family": 1} for _ in range(5000)]))
    assert len(found) == 201
    assert found[-1].code == "too-costly"


def test_the_resource_is_left_as_it_was() -> None:
    """Validation reads and never mends."""
    bundle = samples.message()
    before = copy.deepcopy(bundle)
    validate(bundle)
    assert bundle == before


@pytest.mark.parametrize("thing", [None, 1, "x", [], [{}], True])
def test_anything_but_an_object_is_refused(thing: Any) -> None:
    """JSON that is no object is an issue, not a crash."""
    assert [issue.code for issue in validate(thing)] == ["structure"]
