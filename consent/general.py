"""Asks the whole engine about data that is not at hand: which classes may leave, and which labels must not.

A resource of each class that is asked about is made up, labelled as a real one would be, and judged; then once more
with each sensitive label. What of it would stay is said as redactions and as the residual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from consent.codings import as_list
from consent.items import items_of
from consent.labels import label
from consent.masks import TYPE_SYSTEMS
from consent.matching import LABEL_SYSTEMS
from consent.model import Code, Decision, Item, Obligation, ObligationKind, Residual
from consent.rulebook import Policy
from consent.vocabulary import DATA_CLASS_SYSTEM, DataClass, Sensitivity, View

_TYPES: Final = {
    DataClass.DEMOGRAPHICS: "Patient", DataClass.SAFETY_PLAN: "CarePlan", DataClass.REFERRAL: "ServiceRequest",
    DataClass.STATEMENT: "Communication", DataClass.SHELTER_LOCATION: "Location", DataClass.COURT_ORDERS: "Flag",
    DataClass.ALLEGATION: "Condition", DataClass.ALLEGED_PERPETRATOR: "RelatedPerson",
}  # fmt: skip
_LABELS: Final = tuple(one.value for one in Sensitivity)


def in_general(classes: tuple[Code, ...], policy: Policy, judged: Callable[[tuple[Item, ...]], Decision]) -> Decision:
    """The decision about whatever is of these classes (of any, when none is named)."""
    kinds = _kinds(classes, policy)
    decision = judged(_made_up(kinds, (), policy))
    open_ = _left(decision)
    if not open_:
        return decision
    labelled = {one: _left(judged(_made_up(kinds, (one,), policy))) for one in _LABELS}
    permitted = _codes(kinds[place][0] for place in open_)
    obligations: tuple[Obligation, ...] = ()
    residual: list[Residual] = []
    if len(permitted) < len(_codes(data_class for data_class, _ in kinds.values())):
        obligations = (Obligation(ObligationKind.REDACT, except_any_of=permitted),)
        residual.append(Residual("permit", permitted))
    closed = tuple(Code(LABEL_SYSTEMS[one], one) for one in _LABELS if not open_ <= labelled[one])
    if closed:
        obligations += (Obligation(ObligationKind.REDACT, codes=tuple(sorted(closed))),)
        residual.append(Residual("forbid", tuple(sorted(closed))))
    return replace(decision, obligations=(*obligations, *decision.obligations), residual=tuple(residual))


def _kinds(classes: Iterable[Code], policy: Policy) -> dict[str, tuple[DataClass, str]]:
    """What is asked about, by a place of its own: a data class in the type of resource that usually holds it; a type of
    resource in the class that labelling gives it, or in any."""
    usual = policy.editions[-1][1].labels["type_defaults"]
    found: dict[str, tuple[DataClass, str]] = {}
    for code in classes:
        if code.system == DATA_CLASS_SYSTEM and code.code in DataClass._value2member_map_:
            found[code.code] = DataClass(code.code), _TYPES.get(DataClass(code.code), "Observation")
        elif code.system in TYPE_SYSTEMS and code.code[:1].isupper():
            own = as_list(usual.get(code.code)) or list(DataClass)
            found |= {f"{code.code}.{one}": (DataClass(one), code.code) for one in own}
    return found or {one.value: (one, _TYPES.get(one, "Observation")) for one in DataClass}


def _made_up(kinds: dict[str, tuple[DataClass, str]], labels: tuple[str, ...], policy: Policy) -> tuple[Item, ...]:
    def entry(place: str, data_class: DataClass, kind: str) -> dict[str, Any]:
        stated = [{"system": DATA_CLASS_SYSTEM, "code": data_class.value}]
        stated += [{"system": LABEL_SYSTEMS[one], "code": one} for one in labels]
        return {"fullUrl": place, "resource": {"resourceType": kind, "meta": {"security": stated}}}

    entries = [entry(place, *each) for place, each in kinds.items()]
    return items_of(label({"resourceType": "Bundle", "type": "collection", "entry": entries}, policy))


def _left(decision: Decision) -> set[str]:
    return {one.place for one in decision.verdicts if one.view is not View.NONE} if decision.leaves else set()


def _codes(classes: Iterable[DataClass]) -> tuple[Code, ...]:
    return tuple(sorted({Code(DATA_CLASS_SYSTEM, one.value) for one in classes}))
