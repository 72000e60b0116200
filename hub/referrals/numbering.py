"""Numbers requests and answers that say none, since formats and people name a referral by its requester's number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from consent.vocabulary import HUB_BASE
from hub.bundles import V2_IDENTIFIER_TYPE, event_of, header_of, identifiers_of, resolve, resources
from hub.referrals.keeping import OPENING

REFERRAL_SYSTEM: Final = f"{HUB_BASE}/NamingSystem/referral"
"""Numbers that the hub gives."""
_PLACER: Final = {"type": {"coding": [{"system": V2_IDENTIFIER_TYPE, "code": "PLAC"}]}}


def numbered(bundle: dict[str, Any], new: Callable[[], str]) -> dict[str, Any]:
    """A request that its requester did not number, with a number of the hub's: formats require one (HL7 2.5.1, RF1-6),
    and answers name it. The request and its Task are numbered in place; any other bundle stays as it is.
    """
    if event_of(bundle) not in OPENING:
        return bundle
    focus = [resolve(bundle, each) or {} for each in header_of(bundle).get("focus", ())]
    asked = [each for each in focus if each.get("resourceType") == "ServiceRequest"]
    if not asked or any(identifiers_of(each, "PLAC") for each in asked):
        return bundle
    number = {**_PLACER, "system": REFERRAL_SYSTEM, "value": new(), "assigner": {"display": "HUB"}}
    tasks = [each for each in resources(bundle, "Task") if resolve(bundle, each.get("focus")) is asked[0]]
    for each in (asked[0], *tasks):
        each.setdefault("identifier", []).append(dict(number))
    return bundle


def answered(bundle: dict[str, Any], placers: Iterable[str]) -> None:
    """Give the Tasks of an answer that names its request by our message alone (MSA-2) its number, in place."""
    for each in resources(bundle, "Task"):
        if not identifiers_of(each, "PLAC"):
            each.setdefault("identifier", []).extend({**_PLACER, "value": value} for value in placers)
