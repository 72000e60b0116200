"""What is said to whoever records a consent, and the little that is refused there (`consent.authoring`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consent import authoring
from consent.authoring import Finding, Severity
from consent.model import ConsentFact, FactRef
from hub import facts
from hub.errors import Fault, Invalid
from hub.facts import read_body
from hub.parts import Parts
from hub.storage.store import Unit


def warnings_of(
    parts: Parts, unit: Unit, case: str, body: Mapping[str, Any], fact: str = ""
) -> tuple[Mapping[str, Any], ...]:
    """The findings about a consent that is about to be recorded in a case (as the next version of `fact`).

    Raises :class:`hub.errors.Invalid` for what is refused at authoring, naming places.
    """
    held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
    consented: Any = read_body("consent", dict(body))
    given: ConsentFact = consented.read(FactRef("consent", fact, 0), held.person)
    found = authoring.check(given, parts.policy, parts.clock.now(), held, parts.settings.zone)
    refused = [one for one in found if one.severity is Severity.REFUSED]
    if refused:
        raise Invalid("The consent cannot be recorded as it stands.", faults=tuple(_fault(one) for one in refused))
    return tuple(authoring.as_json(one) for one in found)


def _fault(finding: Finding) -> Fault:
    return Fault(finding.place, finding.code, finding.en)
