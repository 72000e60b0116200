"""The offline face of the engine: one JSON document in, one out, exactly as `hub decide` documents it.

The shape is that of the LEAP / SHARES consent decision service, extended by the person, the recipient, recorded facts
and resources. Reading is lenient about shapes, and refuses what it cannot understand by naming the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from enum import Enum
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from consent import model
from consent.alone import Asked, decide_alone
from consent.codings import as_list, codes_of, identifiers_of
from consent.engine import decide
from consent.errors import UnreadableInput
from consent.fhir import read_consent
from consent.items import items_of
from consent.labels import label
from consent.model import AgreedBy, Code, ConsentFact, Disclosure, FactRef, Facts, Item, Party, Span
from consent.moments import interval
from consent.release import release
from consent.requests import CORNERS
from consent.rulebook import Edition, Policy
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    DATA_CLASS_SYSTEM,
    HUB_BASE,
    Action,
    DataClass,
    Event,
    Purpose,
    View,
)

ZONE: Final = "Asia/Ho_Chi_Minh"
OBLIGATION_SYSTEM: Final = f"{HUB_BASE}/CodeSystem/obligation"
"""Duties that v3 ActCode has no code for."""
_FACT_LISTS: Final = {
    "relationships": ("relationships", model.Relationship),
    "suspicions": ("suspicions", model.Suspicion),
    "suspects": ("suspicions", model.Suspicion),
    "noContacts": ("no_contacts", model.NoContact),
    "orders": ("orders", model.Order),
    "refusals": ("refusals", model.Refusal),
    "team": ("team", model.TeamMember),
    "treating": ("treating", model.Treating),
    "plans": ("plans", model.Plan),
    "emergency": ("emergencies", model.Emergency),
    "emergencies": ("emergencies", model.Emergency),
    "reports": ("reports", model.Report),
    "referrals": ("referrals", model.OpenReferral),
    "authorities": ("authorities", model.Authority),
}


def decide_input(payload: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """Answer one `hub decide` input; raises :class:`UnreadableInput` when it cannot be read."""
    if not isinstance(payload, Mapping):
        raise UnreadableInput("input: not a JSON object")
    profile = payload.get("profile", "hub")
    if profile not in CORNERS:
        raise UnreadableInput(f"profile: one of {', '.join(CORNERS)}")
    at = moment(payload.get("asOf"), "asOf")
    references = _references(payload)
    facts = facts_from_input(payload, references, at)
    bundle = label(_bundle(payload), policy)
    # Without a word about person, recipient or facts there is nothing for the law to judge.
    alone = profile != "hub" or not any(payload.get(key) for key in ("person", "recipient", "facts"))
    disclosure = _disclosure(payload, references, facts, bundle)
    request = payload.get("request", {})
    category = frozenset(codes_of(request.get("category")))
    if alone:
        asked = Asked(
            purposes=tuple(dict.fromkeys(code.code for code in codes_of(request.get("purposeOfUse")))) or ("",),
            actions=tuple(dict.fromkeys(code.code for code in codes_of(request.get("action")))) or ("disclose",),
            category=category,
        )
        decision = decide_alone(disclosure, facts, policy, at, CORNERS[profile], asked)
    else:
        facts = replace(facts, consents=tuple(one for one in facts.consents if _of_category(one, category)))
        asked_for = replace(
            disclosure,
            purposes=_purposes(request),
            items=disclosure.items if "resources" in payload else _probes(request),
        )
        decision = _for_all(
            [decide(replace(asked_for, action=action), facts, policy, at) for action in _actions(request)]
        )
    if "resources" not in payload:
        return _answer(decision)
    released = [entry["resource"] for entry in release(bundle, decision).get("entry", ())] if decision.leaves else []
    if decision.leaves and not released and not alone:
        decision = _empty(decision, policy.at(at))
    return _answer(decision) | {"released": released}


def _empty(decision: model.Decision, edition: Edition) -> model.Decision:
    """A permit with nothing in it is a denial: what may leave cannot stand without what stays (R25)."""
    why = model.Reason("R25-nothing-stands", "R25", edition.citations.get("R25", ""), edition.version)
    reasons = (why, *(one for one in decision.reasons if not one.code.endswith("-permits")))
    return replace(decision, outcome=model.Outcome.DENY, reasons=reasons, obligations=(), residual=())


def _of_category(fact: ConsentFact, category: frozenset[Code]) -> bool:
    """Whether a consent is of a category asked for; asked for none, every one is."""
    return not category or not category.isdisjoint(fact.tree.categories)


def _for_all(decisions: list[model.Decision]) -> model.Decision:
    """One decision for several actions: what every one of them lets out, else the first that lets nothing out."""
    closed = next((one for one in decisions if not one.leaves), None)
    if closed is not None or len(decisions) == 1:
        return closed or decisions[0]
    least = tuple(
        min(same, key=lambda one: one.view.rank) for same in zip(*(d.verdicts for d in decisions), strict=True)
    )
    leaves = any(one.view is not View.NONE for one in least)
    outcome = model.Outcome.PERMIT if leaves else model.Outcome.DENY
    projections = {name: paths for one in decisions for name, paths in one.projections.items()}
    reasons = tuple(dict.fromkeys(reason for one in decisions for reason in one.reasons))
    return replace(decisions[0], outcome=outcome, verdicts=least, reasons=reasons, projections=projections)


def moment(value: Any, place: str) -> datetime:
    """An aware moment from a FHIR dateTime; raises :class:`UnreadableInput`, naming `place`."""
    found = interval(value, ZONE)
    if found is None:
        raise UnreadableInput(f"{place}: not a FHIR dateTime")
    return found[0]


def consents_from_input(
    payload: Mapping[str, Any], references: Mapping[str, Any], at: datetime
) -> tuple[ConsentFact, ...]:
    """The consents of an input; what the hub knows about an act may stand beside a Consent: ``{"consent": {...},
    "givenBy": ..., "as": "child", "evidence": ..., "withdrawnAt": ...}``.

    Offline nobody can look an act up, so a bare Consent counts as evidenced, as given on its own date (else at `at`),
    and by its performer: a RelatedPerson as representative, anybody else as the child.
    """
    found = []
    for index, one in enumerate(as_list(payload.get("consents"))):
        if not isinstance(one, Mapping):
            raise UnreadableInput(f"consents[{index}]: not an object")
        resource = one.get("consent", one.get("resource", one)) if one.get("resourceType") != "Consent" else one
        about = (
            {} if resource is one else {key: value for key, value in one.items() if key not in ("consent", "resource")}
        )
        tree = read_consent(resource, references)
        stated = _read(ConsentFact, {"resource": {}, **about}, f"consents[{index}]") if about else None
        fact = stated or ConsentFact(FactRef("consent", "", 0), {}, evidence="input")
        if not tree.date and fact.given_at is None:
            fact = replace(fact, given_at=at)
        if not fact.given_by:
            by, as_ = _performer(resource, payload)
            fact = replace(fact, given_by=by, as_=as_)
        found.append(replace(fact, ref=FactRef("consent", tree.id or str(index), 1), resource=resource, tree=tree))
    return tuple(found)


def facts_from_input(payload: Mapping[str, Any], references: Mapping[str, Any], at: datetime) -> Facts:
    """The facts of an input: the person, what is recorded, and the consents."""
    person = payload.get("person", {})
    stated = payload.get("facts", {})
    if not isinstance(person, Mapping) or not isinstance(stated, Mapping):
        raise UnreadableInput("person and facts: objects are wanted")
    person_id = str(person.get("id", "person"))
    lists: dict[str, Any] = {}
    for key, value in stated.items():
        if key not in _FACT_LISTS:
            raise UnreadableInput(f"facts.{key}: not a kind of fact")
        name, kind = _FACT_LISTS[key]
        read = tuple(_read(kind, one, f"facts.{key}[{index}]") for index, one in enumerate(as_list(value)))
        lists[name] = (*lists.get(name, ()), *read)
    facts = Facts(
        person=person_id,
        birth_date=_birth(person.get("birthDate")),
        match_certain=person.get("matchCertain", True) is True,
        zone=str(person.get("zone", ZONE)),
        **lists,
    )
    return replace(facts, consents=consents_from_input(payload, references, at))


def _performer(resource: Mapping[str, Any], payload: Mapping[str, Any]) -> tuple[str, AgreedBy]:
    """Who gave a bare Consent."""
    for one in as_list(resource.get("performer")):
        reference = one.get("reference") if isinstance(one, Mapping) else None
        if isinstance(reference, str) and reference.startswith("RelatedPerson/"):
            return reference.removeprefix("RelatedPerson/"), AgreedBy.REPRESENTATIVE
    person = payload.get("person")
    return str(person.get("id", "person")) if isinstance(person, Mapping) else "person", AgreedBy.CHILD


def _birth(value: Any) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UnreadableInput("person.birthDate: not a date") from None


def _references(payload: Mapping[str, Any]) -> dict[str, Any]:
    stated = payload.get("references", {})
    if not isinstance(stated, Mapping):
        raise UnreadableInput("references: not an object")
    return {str(name): one for name, one in stated.items() if isinstance(one, Mapping)}


def _bundle(payload: Mapping[str, Any]) -> dict[str, Any]:
    resources = as_list(payload.get("resources"))
    if not all(isinstance(one, Mapping) for one in resources):
        raise UnreadableInput("resources: objects are wanted")
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": dict(one)} for one in resources],
    }


def _disclosure(
    payload: Mapping[str, Any], references: Mapping[str, Any], facts: Facts, bundle: dict[str, Any]
) -> Disclosure:
    request = payload.get("request", {})
    if not isinstance(request, Mapping):
        raise UnreadableInput("request: not an object")
    event = request.get("event")
    return Disclosure(
        sender=Party(""),
        recipient=_recipient(payload, request, references),
        person=facts.person,
        case="",
        event=_member(Event, event, "request.event") if event else None,
        purposes=frozenset(),
        items=items_of(bundle) if "resources" in payload else (),
        referral=str(request.get("referral", "")),
        classes=codes_of(request.get("class")),
    )


def _purposes(request: Mapping[str, Any]) -> frozenset[Purpose]:
    stated = codes_of(request.get("purposeOfUse"))
    return frozenset(_member(Purpose, one.code, "request.purposeOfUse") for one in stated)


def _actions(request: Mapping[str, Any]) -> list[Action]:
    stated = codes_of(request.get("action"))
    found = [Action(_member(Action, one.code, "request.action")) for one in stated]
    return list(dict.fromkeys(found)) or [Action.DISCLOSE]


def _probes(request: Mapping[str, Any]) -> tuple[Item, ...]:
    """What the request names by class, or one item of each data class when it names none."""
    named = [
        DataClass(code.code)
        for code in codes_of(request.get("class"))
        if code.system == DATA_CLASS_SYSTEM and code.code in DataClass._value2member_map_
    ]
    return tuple(
        Item(place=data_class.value, data_class=data_class, type=_PROBE_TYPES.get(data_class, "Observation"))
        for data_class in (named or DataClass)
    )


_PROBE_TYPES: Final = {
    DataClass.DEMOGRAPHICS: "Patient", DataClass.SAFETY_PLAN: "CarePlan", DataClass.REFERRAL: "ServiceRequest",
    DataClass.STATEMENT: "Communication", DataClass.SHELTER_LOCATION: "Location", DataClass.COURT_ORDERS: "Flag",
    DataClass.ALLEGATION: "Condition", DataClass.ALLEGED_PERPETRATOR: "RelatedPerson",
}  # fmt: skip


def _recipient(payload: Mapping[str, Any], request: Mapping[str, Any], references: Mapping[str, Any]) -> Party:
    stated = payload.get("recipient", {})
    if not isinstance(stated, Mapping):
        raise UnreadableInput("recipient: not an object")
    identifiers = tuple(identifiers_of(request.get("actor"))) + tuple(identifiers_of(stated.get("identifier")))
    own, parents = _known_as(identifiers, references)
    known = {"sector", "unit", "officer", "id", "roles", "person"}
    plain = {key: value for key, value in stated.items() if key in known}
    party: Party = _read(Party, {"id": "recipient", **plain}, "recipient")
    return replace(
        party,
        identifiers=identifiers,
        references=tuple(dict.fromkeys((*as_list(stated.get("references")), *own))),
        parents=tuple(dict.fromkeys((*as_list(stated.get("parents")), *parents))),
        groups=tuple(as_list(stated.get("groups"))),
    )


def _known_as(identifiers: tuple[Code, ...], references: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The references that stand for somebody with these identifiers, and those above them in the organisation tree."""
    own = [name for name, one in references.items() if set(identifiers_of(one.get("identifier"))) & set(identifiers)]
    parents: list[str] = []
    waiting = list(own)
    while waiting:
        resource = references.get(waiting.pop(0), {})
        for key in ("partOf", "organization", "practitioner", "managingOrganization"):
            above = resource.get(key)
            name = above.get("reference") if isinstance(above, Mapping) else None
            if isinstance(name, str) and name not in parents and name not in own:
                parents.append(name)
                parents += [
                    f"{one.system}|{one.code}" for one in identifiers_of(references.get(name, {}).get("identifier"))
                ]
                waiting.append(name)
    return own, parents


# --- values from JSON ---------------------------------------------------------------------------------------


def _read(kind: type, value: Any, place: str) -> Any:
    """One frozen value of the model from JSON; keys in the model's own names or in camelCase."""
    if not isinstance(value, Mapping):
        raise UnreadableInput(f"{place}: not an object")
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    stated: dict[str, Any] = {}
    for key, inner in value.items():
        name = _snake(str(key))
        if name == "as":
            name = "as_"
        if name not in names:
            raise UnreadableInput(f"{place}.{key}: not known")
        stated[name] = _value(hints[name], inner, f"{place}.{key}")
    if "ref" in names and "ref" not in stated:
        stated["ref"] = FactRef(kind.__name__.lower(), place, 1)
    try:
        return kind(**stated)
    except TypeError:
        raise UnreadableInput(f"{place}: something is missing") from None


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(next(one for one in arguments if one is not type(None)), value, place)
    if origin in (tuple, frozenset):
        return origin(_value(arguments[0], one, place) for one in as_list(value))
    if hint is Code:
        return _code(value, place)
    if hint is Span and isinstance(value, Mapping):
        return Span(
            *(None if value.get(end) is None else moment(value[end], f"{place}.{end}") for end in ("start", "end"))
        )
    if hint is datetime:
        return moment(value, place)
    if hint is date:
        return moment(value, place).date()
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint, value, place)
    if isinstance(hint, type) and is_dataclass(hint):
        return _read(hint, value, place)
    if hint in (str, bool, int) and not isinstance(value, hint):
        raise UnreadableInput(f"{place}: a {hint.__name__} is wanted")
    return value


def _code(value: Any, place: str) -> Code:
    """A Coding (its display is not read), a pair of system and code, or a bare code."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(one, str) for one in value):
        return Code(*value)
    found = codes_of(value)
    if len(found) != 1:
        raise UnreadableInput(f"{place}: a coding is wanted")
    return found[0]


def _member(kind: Any, value: Any, place: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise UnreadableInput(f"{place}: an unknown code") from None


# --- the answer ---------------------------------------------------------------------------------------------


def _answer(decision: model.Decision) -> dict[str, Any]:
    rests_on = {ref for reason in decision.reasons for ref in reason.read}
    return {
        "decision": decision.outcome.value,
        "obligations": [_obligation(one) for one in decision.obligations],
        "residual": [{"type": one.type, "codes": [_coding(code) for code in one.codes]} for one in decision.residual],
        "basedOn": [f"Consent/{ref.id}" for ref in decision.read if ref.kind == "consent" and ref in rests_on],
        "reasons": [
            {"code": one.code, "rule": one.rule, "citation": one.citation, "policyVersion": one.policy_version}
            for one in decision.reasons
        ],
    }


_OBLIGATION_CODES: Final = {
    model.ObligationKind.REDACT: "REDACT", model.ObligationKind.PSEUDONYMISE: "PSEUD",
    model.ObligationKind.NO_REDISCLOSURE: "NORDSCLCD", model.ObligationKind.DELETE_BY: "DELAU",
}  # fmt: skip


def _obligation(one: model.Obligation) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    if one.codes:
        parameters["codes"] = [_coding(code) for code in one.codes]
    if one.except_any_of:
        parameters["exceptAnyOfCodes"] = [_coding(code) for code in one.except_any_of]
    if one.detail:
        parameters["detail"] = one.detail
    known = _OBLIGATION_CODES.get(one.kind)
    coding = Code(ACT_CODE_SYSTEM, known) if known else Code(OBLIGATION_SYSTEM, one.kind.value)
    return {"id": _coding(coding), "parameters": parameters}


def _coding(code: Code) -> dict[str, str]:
    return {"system": code.system, "code": code.code}
