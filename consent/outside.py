"""The offline face of the engine: one JSON document in, one out, exactly as `hub decide` documents it.

The shape is that of the LEAP / SHARES consent decision service, extended by the person, the recipient, recorded facts
and resources. Reading is lenient about shapes, and refuses what it cannot understand by naming the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from enum import Enum
from types import UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

from consent import model
from consent.alone import Asked, decide_alone
from consent.codings import as_list, codes_of, identifiers_of, known_purpose, text_of
from consent.engine import decide
from consent.errors import UnreadableInput
from consent.fhir import read_consent, unversioned
from consent.general import in_general
from consent.items import items_of
from consent.labels import label
from consent.model import AgreedBy, Code, ConsentFact, Disclosure, FactRef, Facts, Item, Party, Span
from consent.moments import interval, zone_of
from consent.release import release
from consent.requests import CORNERS
from consent.rulebook import Edition, Policy
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    HUB_BASE,
    Action,
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
    if not isinstance(profile, str) or profile not in CORNERS:
        raise UnreadableInput(f"profile: one of {', '.join(CORNERS)}")
    _known(payload, _KEYS, "")
    at = moment(payload.get("asOf"), "asOf")
    if at < policy.editions[0][0]:
        raise UnreadableInput("asOf: no policy is in force then")
    references = _references(payload)
    # Without a word about person, recipient or facts there is nothing for the law to judge.
    alone = profile != "hub" or not any(key in payload for key in ("person", "recipient", "facts"))
    facts = facts_from_input(payload, references, at, whose=not alone)
    bundle = label(_bundle(payload), policy)
    disclosure = _disclosure(payload, references, facts, bundle)
    request = payload.get("request", {})
    category = frozenset(_codes(request, "category"))
    if alone:
        asked = Asked(
            purposes=tuple(dict.fromkeys(code.code for code in _codes(request, "purposeOfUse"))) or ("",),
            actions=tuple(dict.fromkeys(code.code for code in _codes(request, "action"))) or ("disclose",),
            category=category,
        )
        decision = decide_alone(disclosure, facts, policy, at, CORNERS[profile], asked)
    else:
        facts = replace(facts, consents=tuple(one for one in facts.consents if _of_category(one, category)))
        actions = _actions(request)

        def judged(items: tuple[Item, ...]) -> model.Decision:
            each = replace(disclosure, purposes=_purposes(request), items=items)
            return _for_all([decide(replace(each, action=action), facts, policy, at) for action in actions])

        if "resources" not in payload:
            return _answer(in_general(disclosure.classes, policy, judged))
        decision = judged(disclosure.items)
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
    duties = tuple(dict.fromkeys(duty for one in decisions for duty in one.obligations)) if leaves else ()
    return replace(
        decisions[0], outcome=outcome, verdicts=least, reasons=reasons, projections=projections, obligations=duties
    )


def moment(value: Any, place: str) -> datetime:
    """An aware moment from a FHIR dateTime; raises :class:`UnreadableInput`, naming `place`."""
    found = interval(value, ZONE)
    if found is None:
        raise UnreadableInput(f"{place}: not a FHIR dateTime")
    return found[0]


def consents_from_input(
    payload: Mapping[str, Any], references: Mapping[str, Any], at: datetime, whose: bool = True
) -> tuple[ConsentFact, ...]:
    """The consents of an input; what the hub knows about an act may stand beside a Consent: ``{"consent": {...},
    "givenBy": ..., "as": "child", "evidence": ..., "withdrawnAt": ...}``.

    Offline nobody can look an act up, so a bare Consent counts as evidenced, as given on its own date (else at `at`),
    and by those who gave it: its grantors, else its performers, else the child whom it is about. With `whose`, one that
    is about somebody else is left out, and of one whose giver is nobody whom the input knows, or that was verified and
    found wanting, only denials count.
    """
    found = []
    patients = _patients(payload) if whose else frozenset()
    for index, one in enumerate(as_list(payload.get("consents"))):
        if not isinstance(one, Mapping):
            raise UnreadableInput(f"consents[{index}]: not an object")
        resource = one.get("consent", one.get("resource", one)) if one.get("resourceType") != "Consent" else one
        about = (
            {} if resource is one else {key: value for key, value in one.items() if key not in ("consent", "resource")}
        )
        try:
            tree = read_consent(resource, references)
        except UnreadableInput:
            raise UnreadableInput(f"consents[{index}]: not a FHIR Consent") from None
        stated = _read(ConsentFact, {"resource": {}, **about}, f"consents[{index}]") if about else None
        fact = stated or ConsentFact(FactRef("consent", "", 0), {}, evidence="input")
        if not tree.date and fact.given_at is None:
            fact = replace(fact, given_at=at)
        fact = replace(fact, ref=FactRef("consent", tree.id or str(index), 1), resource=resource, tree=tree)
        if fact.given_by or not whose:
            found.append(fact)
            continue
        if tree.patient and _RELATIVE_PATIENT.match(tree.patient) and tree.patient not in patients:
            continue
        sure = not tree.patient or tree.patient in patients
        if _refuted(resource):
            fact = replace(fact, evidence="")
        givers = _givers(resource, payload, patients) if sure else ()
        found += [replace(fact, given_by=by, as_=as_) for by, as_ in givers]
        if not givers:
            found.append(replace(fact, given_by=_person_id(payload), as_=AgreedBy.CHILD, evidence=""))
    return tuple(found)


_RELATIVE_PATIENT: Final = re.compile(r"Patient/[^/]+\Z")


def _person_id(payload: Mapping[str, Any]) -> str:
    person = payload.get("person")
    return str(person.get("id", "person")) if isinstance(person, Mapping) else "person"


def _patients(payload: Mapping[str, Any]) -> frozenset[str]:
    """The references that stand for the child: by the person's id, and the patient of the resources where that has
    another; without either the one whom all consents are about."""
    own = f"Patient/{_person_id(payload)}"
    seen = set()
    for one in as_list(payload.get("resources")):
        if isinstance(one, Mapping):
            if one.get("resourceType") == "Patient":
                seen.add(f"Patient/{text_of(one.get('id'))}")
            seen |= {_referred(one.get(key)) for key in ("subject", "patient")}
    person = payload.get("person")
    unnamed = not isinstance(person, Mapping) or "id" not in person
    if unnamed and not any(_RELATIVE_PATIENT.match(one) for one in seen):
        consents = [one for one in as_list(payload.get("consents")) if isinstance(one, Mapping)]
        bare = [one.get("consent", one.get("resource", one)) for one in consents]
        seen = {_referred(one.get("patient") or one.get("subject")) for one in bare if isinstance(one, Mapping)} - {""}
        seen = seen if len(seen) == 1 else set()
    patients = {one for one in seen if _RELATIVE_PATIENT.match(one)}
    return frozenset({own} if own in patients else patients | {own})


def _referred(value: Any) -> str:
    return unversioned(text_of(value.get("reference"))) if isinstance(value, Mapping) else ""


def _givers(
    resource: Mapping[str, Any], payload: Mapping[str, Any], patients: frozenset[str]
) -> list[tuple[str, AgreedBy]]:
    """Who gave a bare Consent, of those whom the input knows: the child, and persons related to the child."""
    stated = as_list(resource.get("grantor")) or as_list(resource.get("performer"))
    if not stated:
        return [(_person_id(payload), AgreedBy.CHILD)]
    found: list[tuple[str, AgreedBy]] = []
    for one in map(_referred, stated):
        kind, _, name = one.partition("/")
        if one in patients:
            found.append((_person_id(payload), AgreedBy.CHILD))
        elif kind == "RelatedPerson" and name and "/" not in name:
            found.append((name, AgreedBy.REPRESENTATIVE))
    return list(dict.fromkeys(found))


def _refuted(resource: Mapping[str, Any]) -> bool:
    """Whether somebody looked whether it holds, and nobody found that it does."""
    looked = [one for one in as_list(resource.get("verification")) if isinstance(one, Mapping)]
    return bool(looked) and not any(one.get("verified") is True for one in looked)


def facts_from_input(
    payload: Mapping[str, Any], references: Mapping[str, Any], at: datetime, whose: bool = True
) -> Facts:
    """The facts of an input: the person, what is recorded, and the consents."""
    person = payload.get("person", {})
    stated = payload.get("facts", {})
    if not isinstance(person, Mapping) or not isinstance(stated, Mapping):
        raise UnreadableInput("person and facts: objects are wanted")
    _known(person, _PERSON_KEYS, "person.")
    if not isinstance(person.get("id", "person"), str) or person.get("id") == "":
        raise UnreadableInput("person.id: a name is wanted")
    if not isinstance(person.get("matchCertain", True), bool):
        raise UnreadableInput("person.matchCertain: a bool is wanted")
    lists: dict[str, Any] = {}
    for key, value in stated.items():
        if key == "caseClosed":
            lists["case_closed"] = moment(value, "facts.caseClosed")
            continue
        if key not in _FACT_LISTS:
            raise UnreadableInput(f"facts.{key}: not a kind of fact")
        name, kind = _FACT_LISTS[key]
        read = tuple(_read(kind, one, f"facts.{key}[{index}]") for index, one in enumerate(as_list(value)))
        lists[name] = (*lists.get(name, ()), *read)
    facts = Facts(
        person=_person_id(payload),
        birth_date=_birth(person.get("birthDate")),
        match_certain=person.get("matchCertain", True) is True,
        zone=_zone(person.get("zone", ZONE)),
        **lists,
    )
    return replace(facts, consents=consents_from_input(payload, references, at, whose))


def _zone(value: Any) -> str:
    try:
        return zone_of(str(value)).key
    except UnreadableInput:
        raise UnreadableInput("person.zone: not an IANA time zone") from None


def _birth(value: Any) -> date | None:
    if value is None:
        return None
    found = interval(value, ZONE)
    if found is None or len(value) != len("2014-03-01"):
        raise UnreadableInput("person.birthDate: not a date")
    return found[0].date()


def _references(payload: Mapping[str, Any]) -> dict[str, Any]:
    stated = payload.get("references", {})
    if not isinstance(stated, Mapping):
        raise UnreadableInput("references: not an object")
    return {str(name): one for name, one in stated.items() if isinstance(one, Mapping)}


def _bundle(payload: Mapping[str, Any]) -> dict[str, Any]:
    resources = as_list(payload.get("resources"))
    if not all(isinstance(one, Mapping) for one in resources):
        raise UnreadableInput("resources: objects are wanted")
    entries = [{"resource": _tidy(one, f"resources[{index}]")} for index, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _tidy(resource: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A resource with its labels as a list, as the specification has it; those of contained ones too."""
    found = dict(resource)
    if "meta" in found:
        meta = found["meta"]
        security = as_list(meta.get("security")) if isinstance(meta, Mapping) else [meta]
        if not all(isinstance(one, Mapping) for one in security):
            raise UnreadableInput(f"{place}.meta.security: codings are wanted")
        found["meta"] = {**meta, "security": security}
    contained = as_list(found.get("contained"))
    if contained:
        found["contained"] = [
            _tidy(one, f"{place}.contained[{index}]") if isinstance(one, Mapping) else one
            for index, one in enumerate(contained)
        ]
    return found


def _disclosure(
    payload: Mapping[str, Any], references: Mapping[str, Any], facts: Facts, bundle: dict[str, Any]
) -> Disclosure:
    request = payload.get("request", {})
    if not isinstance(request, Mapping):
        raise UnreadableInput("request: not an object")
    _known(request, _REQUEST_KEYS, "request.")
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
        classes=_codes(request, "class"),
    )


_KEYS: Final = ("asOf", "profile", "consents", "references", "request", "person", "recipient", "facts", "resources")
_REQUEST_KEYS: Final = ("actor", "category", "purposeOfUse", "action", "class", "event", "referral")
_PERSON_KEYS: Final = ("id", "birthDate", "matchCertain", "zone")
_RECIPIENT_KEYS: Final = (
    "id", "sector", "unit", "officer", "roles", "person", "identifier", "references", "parents", "groups",
    "alternateFor",
)  # fmt: skip


def _known(value: Mapping[str, Any], keys: tuple[str, ...], place: str) -> None:
    """Refuse a key that nobody here reads: it may have been meant to close something."""
    for key in value:
        if key not in keys:
            raise UnreadableInput(f"{place}{key}: not known")


def _codes(request: Mapping[str, Any], key: str) -> tuple[Code, ...]:
    """The codes that a request states; what is no code is refused, not read as nothing stated."""
    found: list[Code] = []
    for one in as_list(request.get(key)):
        codes = codes_of(one)
        if not codes or not all(code.code for code in codes):
            raise UnreadableInput(f"request.{key}: codes are wanted")
        found += codes
    return tuple(found)


def _purposes(request: Mapping[str, Any]) -> frozenset[Purpose]:
    """The purposes asked for; one that the hub has no use for can still be one that a consent is about."""
    return frozenset(
        cast(Purpose, one.code) if known_purpose(one) else _member(Purpose, one.code, "request.purposeOfUse")
        for one in _codes(request, "purposeOfUse")
    )


def _actions(request: Mapping[str, Any]) -> list[Action]:
    found = [Action(_member(Action, one.code, "request.action")) for one in _codes(request, "action")]
    return list(dict.fromkeys(found)) or [Action.DISCLOSE]


def _recipient(payload: Mapping[str, Any], request: Mapping[str, Any], references: Mapping[str, Any]) -> Party:
    stated = payload.get("recipient", {})
    if not isinstance(stated, Mapping):
        raise UnreadableInput("recipient: not an object")
    _known(stated, _RECIPIENT_KEYS, "recipient.")
    identifiers = (
        *_identifiers(request.get("actor"), "request.actor"),
        *_identifiers(stated.get("identifier"), "recipient.identifier"),
    )
    own, parents = _known_as(identifiers, references)
    known = {"sector", "unit", "officer", "id", "roles", "person", "alternateFor"}
    plain = {key: value for key, value in stated.items() if key in known}
    party: Party = _read(Party, {"id": "recipient", **plain}, "recipient")
    return replace(
        party,
        identifiers=identifiers,
        references=tuple(dict.fromkeys((*_names(stated, "references"), *own))),
        parents=tuple(dict.fromkeys((*_names(stated, "parents"), *parents))),
        groups=_names(stated, "groups"),
    )


def _identifiers(value: Any, place: str) -> list[Code]:
    found = identifiers_of(value)
    if len(found) != len(as_list(value)) or not all(one.code for one in found):
        raise UnreadableInput(f"{place}: identifiers are wanted")
    return found


def _names(recipient: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """References to or above the recipient, as strings or as Reference objects."""
    found = [_referred(one) if isinstance(one, Mapping) else text_of(one) for one in as_list(recipient.get(key))]
    if not all(found):
        raise UnreadableInput(f"recipient.{key}: references are wanted")
    return tuple(map(unversioned, found))


def _known_as(identifiers: tuple[Code, ...], references: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The references that stand for somebody with these identifiers, and those above them in the organisation tree."""
    own = [name for name, one in references.items() if set(identifiers_of(one.get("identifier"))) & set(identifiers)]
    parents: list[str] = []
    waiting = list(own)
    while waiting:
        resource = references.get(waiting.pop(0), {})
        for key in ("partOf", "organization", "practitioner", "managingOrganization", "providedBy"):
            above = resource.get(key)
            name = unversioned(text_of(above.get("reference"))) if isinstance(above, Mapping) else ""
            if name and name not in parents and name not in own:
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
        if name in _IDS and stated[name] == "":
            raise UnreadableInput(f"{place}.{key}: a name is wanted")
    if "ref" in names and "ref" not in stated:
        stated["ref"] = FactRef(kind.__name__.lower(), place, 1)
    try:
        return kind(**stated)
    except TypeError:
        raise UnreadableInput(f"{place}: something is missing") from None


_IDS: Final = frozenset({"id", "agency", "person", "to", "by", "requester", "performer"})
"""Fields that say who: nobody is called nothing, and two who are would be the same."""


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
        return _span(value, place)
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


def _span(value: Mapping[str, Any], place: str) -> Span:
    """A period as FHIR has it: its end belongs to it, to the precision in which it is written."""
    _known(value, ("start", "end"), f"{place}.")
    start, end = (value.get(name) for name in ("start", "end"))
    found = interval(end, ZONE)
    if end is not None and found is None:
        raise UnreadableInput(f"{place}.end: not a FHIR dateTime")
    return Span(None if start is None else moment(start, f"{place}.start"), found[1] if found else None)


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
