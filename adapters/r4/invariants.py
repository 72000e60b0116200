"""R4's invariants on single elements, as far as the hub's resources use them. The keys are R4's.

Each rule is judged on whatever was sent, also when its shape is wrong, so the helpers expect anything
and raise nothing. Rules on bundles, references and contained resources are in `references`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from adapters.r4.issues import Severity
from adapters.r4.moments import surely_after

Json = Mapping[str, Any]

UCUM: Final = "http://unitsofmeasure.org"
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"


@dataclass(frozen=True, slots=True)
class Rule:
    """One invariant."""

    key: str
    holds: Callable[[Json], bool]
    say: str
    """What to do."""
    under: str = ""
    """Added to the element's expression where the culprit is a child."""
    severity: Severity = "error"
    identifies: bool = False
    """What breaks it is nobody in particular."""


# --- readers that expect anything ---------------------------------------------------------------------------


def _many(value: Json, key: str) -> list[Json]:
    found = value.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _one(value: Json, key: str) -> Json:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _codings(concept: Json) -> Iterator[tuple[str, str]]:
    for coding in _many(concept, "coding"):
        system, code = coding.get("system"), coding.get("code")
        if isinstance(code, str):
            yield (system if isinstance(system, str) else "", code)


def _coded(value: Json, key: str, system: str, *codes: str) -> bool:
    return any(found == (_TERMINOLOGY + system, code) for found in _codings(_one(value, key)) for code in codes)


def _starts(value: Json, stem: str) -> bool:
    """Whether an alternative of ``stem[x]`` is given."""
    return any(key.removeprefix("_").startswith(stem) and key.removeprefix("_") != stem for key in value)


def _has(value: Json, key: str) -> bool:
    return key in value or f"_{key}" in value


# --- shapes that many rules share ---------------------------------------------------------------------------


def _any_of(*keys: str) -> Callable[[Json], bool]:
    return lambda value: any(_has(value, key) for key in keys)


def _not_both(one: str, other: str) -> Callable[[Json], bool]:
    return lambda value: not (_has(value, one) and _has(value, other))


def _needs(one: str, other: str) -> Callable[[Json], bool]:
    return lambda value: not _has(value, one) or _has(value, other)


def _not_negative(key: str) -> Callable[[Json], bool]:
    return lambda value: (number := _number(value.get(key))) is None or number >= 0


def _in_order(first: str, second: str) -> Callable[[Json], bool]:
    return lambda value: not surely_after(value.get(first), value.get(second))


# --- rules that need more than a line -----------------------------------------------------------------------


def _range_in_order(value: Json) -> bool:
    low, high = _one(value, "low"), _one(value, "high")
    units = [(side.get("system"), side.get("code"), side.get("unit")) for side in (low, high)]
    least, most = _number(low.get("value")), _number(high.get("value"))
    return least is None or most is None or units[0] != units[1] or least <= most


def _ratio_whole(value: Json) -> bool:
    both, none = "numerator" in value and "denominator" in value, not ("numerator" in value or "denominator" in value)
    return both or (none and "extension" in value)


def _ucum_with_code(value: Json) -> bool:
    return (_has(value, "code") or not _has(value, "value")) and value.get("system", UCUM) == UCUM


def _age(value: Json) -> bool:
    number = _number(value.get("value"))
    return _ucum_with_code(value) and (number is None or number > 0)


def _count(value: Json) -> bool:
    return _ucum_with_code(value) and value.get("code", "1") == "1" and "." not in str(value.get("value", ""))


def _duration(value: Json) -> bool:
    return not _has(value, "code") or (value.get("system") == UCUM and _has(value, "value"))


def _offset_of_meal(value: Json) -> bool:
    when = value.get("when")
    known = when if isinstance(when, list) else []
    return not _has(value, "offset") or (bool(known) and not any(code in ("C", "CM", "CD", "CV") for code in known))


def _value_not_beside_component(value: Json) -> bool:
    if not _starts(value, "value"):
        return True
    own = set(_codings(_one(value, "code")))
    return not any(own & set(_codings(_one(part, "code"))) for part in _many(value, "component"))


def _abated(value: Json) -> bool:
    inactive = ("resolved", "remission", "inactive")
    return not _starts(value, "abatement") or _coded(value, "clinicalStatus", "condition-clinical", *inactive)


def _error_has_no_status(value: Json) -> bool:
    mistaken = _coded(value, "verificationStatus", "condition-ver-status", "entered-in-error")
    return not (mistaken and "clinicalStatus" in value)


def _allergy_status(value: Json) -> bool:
    mistaken = _coded(value, "verificationStatus", "allergyintolerance-verification", "entered-in-error")
    return mistaken != ("clinicalStatus" in value)


def _probability(value: Json) -> bool:
    number = _number(value.get("probabilityDecimal"))
    return number is None or number <= 100


def _no_home(key: str) -> Callable[[Json], bool]:
    return lambda value: not any(item.get("use") == "home" for item in _many(value, key))


def _appointment_times(value: Json) -> bool:
    return _has(value, "start") or value.get("status") in ("proposed", "cancelled", "waitlist")


def _cancelled(value: Json) -> bool:
    return "cancelationReason" not in value or value.get("status") in ("no-show", "cancelled")


def _parameter(value: Json) -> bool:
    return ("part" in value) + ("resource" in value) + _starts(value, "value") == 1


def _only_in(key: str, mode: str) -> Callable[[Json], bool]:
    return lambda value: value.get("mode") == mode or not any(_has(item, key) for item in _many(value, "entry"))


def _link_ids(value: Json) -> Iterator[object]:
    for item in _many(value, "item"):
        yield item.get("linkId")
        yield from _link_ids(item)


def _distinct_link_ids(value: Json) -> bool:
    ids = [str(found) for found in _link_ids(value)]
    return len(ids) == len(set(ids))


def _group_or_display(value: Json) -> bool:
    kind = value.get("type")
    return not (kind == "group" and "item" not in value) and not (kind == "display" and "item" in value)


def _extension(value: Json) -> bool:
    return ("extension" in value) != _starts(value, "value")


_QUANTITY = (Rule("qty-3", _needs("code", "system"), "code needs the system that it is of"),)

INVARIANTS: Final[Mapping[str, tuple[Rule, ...]]] = {
    # datatypes
    "Age": (*_QUANTITY, Rule("age-1", _age, "an age is above 0 and in UCUM units")),
    "Attachment": (Rule("att-1", _needs("data", "contentType"), "data needs a contentType"),),
    "ContactPoint": (Rule("cpt-2", _needs("value", "system"), "value needs a system (phone, email, ...)"),),
    "Count": (*_QUANTITY, Rule("cnt-3", _count, "a count is a whole number with the UCUM code 1")),
    "Distance": (*_QUANTITY, Rule("dis-1", _ucum_with_code, "a distance is in UCUM units")),
    "Duration": (*_QUANTITY, Rule("drt-1", _duration, "a duration is in UCUM units")),
    "Expression": (Rule("exp-1", _any_of("expression", "reference"), "give an expression or a reference"),),
    "Extension": (Rule("ext-1", _extension, "give either one value[x] or nested extensions, not both, not neither"),),
    "Period": (Rule("per-1", _in_order("start", "end"), "start must not lie after end"),),
    "Quantity": _QUANTITY,
    "Range": (Rule("rng-2", _range_in_order, "low must not be above high"),),
    "Ratio": (Rule("rat-1", _ratio_whole, "give both numerator and denominator, or an extension"),),
    "Timing.repeat": (
        Rule("tim-1", _needs("duration", "durationUnit"), "duration needs a durationUnit"),
        Rule("tim-2", _needs("period", "periodUnit"), "period needs a periodUnit"),
        Rule("tim-4", _not_negative("duration"), "duration must not be below 0"),
        Rule("tim-5", _not_negative("period"), "period must not be below 0"),
        Rule("tim-6", _needs("periodMax", "period"), "periodMax needs a period"),
        Rule("tim-7", _needs("durationMax", "duration"), "durationMax needs a duration"),
        Rule("tim-8", _needs("countMax", "count"), "countMax needs a count"),
        Rule("tim-9", _offset_of_meal, "offset needs a when that is no meal itself"),
        Rule("tim-10", _not_both("timeOfDay", "when"), "give timeOfDay or when, not both"),
    ),
    # people and bodies
    "Group": (Rule("grp-1", lambda v: "member" not in v or v.get("actual") is True, "members need actual = true"),),
    "Organization": (
        Rule("org-1", _any_of("identifier", "name"), "give a name or an identifier", identifies=True),
        Rule("org-2", _no_home("address"), "an organization has no home address", ".address"),
        Rule("org-3", _no_home("telecom"), "an organization has no home telecom", ".telecom"),
    ),
    "Patient.contact": (
        Rule("pat-1", _any_of("name", "telecom", "address", "organization"), "give who or where the contact is"),
    ),
    # care
    "AllergyIntolerance": (
        Rule("ait-1", _allergy_status, "give a clinicalStatus, and none when entered in error", ".clinicalStatus"),
    ),
    "Appointment": (
        Rule("app-2", lambda v: _has(v, "start") == _has(v, "end"), "give both start and end, or neither"),
        Rule("app-3", _appointment_times, "only a proposed, cancelled or waitlisted one may lack its times", ".start"),
        Rule("app-4", _cancelled, "only a cancelled or missed one has a cancelationReason", ".cancelationReason"),
    ),
    "Appointment.participant": (Rule("app-1", _any_of("type", "actor"), "give a type or an actor"),),
    "AppointmentResponse": (Rule("apr-1", _any_of("participantType", "actor"), "give participantType or actor"),),
    "CarePlan.activity": (Rule("cpl-3", _not_both("detail", "reference"), "give detail or reference, not both"),),
    "Condition": (
        Rule("con-4", _abated, "a condition that abated is inactive, resolved or in remission", ".clinicalStatus"),
        Rule("con-5", _error_has_no_status, "one entered in error has no clinicalStatus", ".clinicalStatus"),
    ),
    "Condition.evidence": (Rule("con-2", _any_of("code", "detail"), "give a code or a detail"),),
    "Condition.stage": (Rule("con-1", _any_of("summary", "assessment"), "give a summary or an assessment"),),
    "FamilyMemberHistory": (
        Rule("fhs-1", lambda v: not (_starts(v, "age") and _starts(v, "born")), "give age or born, not both"),
        Rule("fhs-2", lambda v: _starts(v, "age") or not _has(v, "estimatedAge"), "estimatedAge needs an age"),
    ),
    "Goal.target": (Rule("gol-1", lambda v: not _starts(v, "detail") or "measure" in v, "a detail needs a measure"),),
    "Immunization.education": (
        Rule("imm-1", _any_of("documentType", "reference"), "give a documentType or reference"),
    ),
    "Linkage": (Rule("lnk-1", lambda v: len(_many(v, "item")) > 1, "links at least two items", ".item"),),
    "MedicationAdministration.dosage": (
        Rule("mad-1", lambda v: "dose" in v or _starts(v, "rate"), "give a dose or a rate"),
    ),
    "Observation": (
        Rule(
            "obs-6",
            lambda v: not ("dataAbsentReason" in v and _starts(v, "value")),
            "has a value and a reason why there is none; keep one",
            ".dataAbsentReason",
        ),
        Rule(
            "obs-7", _value_not_beside_component, "a component has the same code; keep the value in one place", ".value"
        ),
    ),
    "Observation.referenceRange": (Rule("obs-3", _any_of("low", "high", "text"), "give low, high or text"),),
    "RiskAssessment.prediction": (Rule("ras-2", _probability, "a probability is at most 100", ".probability"),),
    "ServiceRequest": (Rule("prr-1", _needs("orderDetail", "code"), "orderDetail needs a code", ".orderDetail"),),
    "Task": (
        Rule("inv-1", _in_order("authoredOn", "lastModified"), "must not lie before authoredOn", ".lastModified"),
    ),
    # records and papers
    "AuditEvent.entity": (Rule("sev-1", _not_both("name", "query"), "give name or query, not both"),),
    "Composition.section": (
        Rule("cmp-1", _any_of("text", "entry", "section"), "give text, entries or sections"),
        Rule("cmp-2", _not_both("emptyReason", "entry"), "a section with entries has no emptyReason", ".emptyReason"),
    ),
    "Consent": (Rule("ppc-1", _any_of("policy", "policyRule"), "give a policy or a policyRule"),),
    "List": (
        Rule("lst-1", _not_both("emptyReason", "entry"), "a list with entries has no emptyReason", ".emptyReason"),
        Rule("lst-2", _only_in("deleted", "changes"), "only a list of changes has deleted entries", ".entry"),
        Rule("lst-3", _only_in("date", "working"), "only a working list has entry dates", ".entry"),
    ),
    "Parameters.parameter": (Rule("inv-1", _parameter, "give exactly one of value[x], resource, part"),),
    "Questionnaire": (Rule("que-2", _distinct_link_ids, "each linkId may stand once", ".item"),),
    "Questionnaire.item": (
        Rule("que-1", _group_or_display, "a group needs items, and a display has none"),
        Rule("que-4", _not_both("answerOption", "answerValueSet"), "give answerOption or answerValueSet, not both"),
        Rule("que-11", _not_both("answerOption", "initial"), "give answerOption or initial, not both"),
    ),
    "QuestionnaireResponse.item": (
        Rule("qrs-1", _not_both("answer", "item"), "nested items of a question stand in its answers", ".item"),
    ),
}
