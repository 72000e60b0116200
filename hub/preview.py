"""What would each agency receive now? The same functions as a delivery, in each agency's own format, masked.

Nothing is sent or queued. Letters and digits of whatever could be personal are replaced before the pack writes, so
that an administrator sees what kind of thing would leave, and not the thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from adapters.errors import Unwritable
from adapters.pack import Bundle, Context
from consent.model import ConsentFact, FactRef, Facts
from consent.vocabulary import Event
from hub import facts, referrals
from hub.bundles import data_classes_of
from hub.directory.agency import Agency
from hub.disclosing import Disclosed, disclose
from hub.facts import read_body
from hub.outgoing import NAME
from hub.parts import Parts
from hub.referrals.routes import Routed, Situation, route
from hub.states import StrandState
from hub.storage import audits, persons, strands
from hub.storage.store import Unit
from hub.storage.strands import Strand

PLAIN: Final = frozenset(
    {
        "resourceType", "fullUrl", "url", "reference", "system", "code", "status", "intent", "use", "type", "mode",
        "priority", "language", "contentType", "linkId", "gender", "comparator", "unit",
    }
)  # fmt: skip
"""Elements that hold codes and addresses of ours; every other text is masked."""
_DATE: Final = re.compile(r"\d{4}(-\d{2}(-\d{2}(T.*)?)?)?")


def preview(
    parts: Parts, actor: str, case: str, given: Iterable[Mapping[str, Any]] = (), withdrawn: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """For each agency the messages that it would receive now, and why it would not receive others; audited as a read.

    `given` are bodies of consents as if they had been recorded, `withdrawn` fact ids of consents as if they had ended.
    """
    at = parts.clock.now()
    with parts.store.write() as unit:
        persons.get_case(unit, case)
        audits.record(unit, audits.Entry("read", actor, case=case, outcome="preview"), at)
    with parts.store.read() as unit:
        held = _supposed(facts.facts_of(unit, parts.vault, case, parts.settings.zone), given, set(withdrawn))
        known = referrals.reachable(parts.registry, at)
        found: dict[str, list[dict[str, Any]]] = {each.id: [] for each in known.values()}
        for strand in strands.current_of(strands.of_case(unit, case)):
            for routed in _routed(parts, unit, strand, held):
                told = disclose(parts, unit, strand, routed.agency, routed.purposes, at, held)
                found.setdefault(told.recipient, []).append(_shown(parts, strand, routed, told))
    return [
        {
            "agency": agency,
            "messages": [each for each in shown if "message" in each],
            "withheld": [each for each in shown if "message" not in each],
        }
        for agency, shown in sorted(found.items())
    ]


def _supposed(held: Facts, given: Iterable[Mapping[str, Any]], withdrawn: set[str]) -> Facts:
    kept = tuple(each for each in held.consents if each.ref.id not in withdrawn)
    added: list[ConsentFact] = []
    for number, body in enumerate(given):
        consent: Any = read_body("consent", dict(body))
        added.append(consent.read(FactRef("consent", f"supposed-{number}", 0), held.person))
    return replace(held, consents=(*kept, *added))


def _routed(parts: Parts, unit: Unit, strand: Strand, held: Facts) -> tuple[Routed, ...]:
    if strand.state == StrandState.UNROUTED or strand.event == Event.RECALL:
        return ()
    told = Situation(
        event=Event(strand.event),
        sender=strand.agency,
        classes=data_classes_of(strands.bundle_of(unit, parts.vault, strand.id)),
        facts=held,
        referral=strand.referral or "",
        held=strand.state == StrandState.HELD_FOR_MATCH,
    )
    at = parts.clock.now()
    return route(parts.routes, told, referrals.reachable(parts.registry, at), at)


def _shown(parts: Parts, strand: Strand, routed: Routed, told: Disclosed) -> dict[str, Any]:
    agency = parts.registry.get(told.recipient)
    reasons = list(dict.fromkeys(each.code for each in told.decision.reasons))
    about = {"event": strand.event, "from": strand.agency, "route": routed.route, "reasons": reasons}
    if not told.leaves or told.bundle is None:
        return about
    classes = {each.place: each.data_class for each in told.disclosure.items}
    leaving = sorted({str(classes[place]) for place in told.places() if place in classes})
    return about | {"classes": leaving} | _written(parts, agency, masked(told.bundle), told)


def _written(parts: Parts, agency: Agency, bundle: Bundle, told: Disclosed) -> dict[str, str]:
    pack = parts.packs.get(agency.packs.out or "")
    header = {"sender": NAME, "recipient": agency.id, "message-id": "PREVIEW", "processing": "T"}
    if pack is None:
        return {"type": "", "message": ""}
    try:
        said = pack.write(bundle, Context(at=told.at, agency=agency.id, dialect=agency.packs.dialect, header=header))
    except Unwritable as why:
        return {"type": "", "message": "", "unwritable": why.kind}
    return {"type": said.type, "message": said.raw.decode("utf-8", "replace")}


def masked(value: Any, key: str = "", plain: bool = False) -> Any:
    """The same structure with every letter X, every digit 0 and every date the first of its year."""
    if isinstance(value, Mapping):
        coded = "system" in value and "code" in value
        return {name: masked(each, name, plain=coded and name == "display") for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each, key) for each in value]
    if isinstance(value, bool) or value is None or plain or key in PLAIN or key == "versionId":
        return value
    if isinstance(value, Decimal | int | float):
        return type(value)(0)
    return _masked_text(str(value))


def _masked_text(text: str) -> str:
    if _DATE.fullmatch(text):
        first = f"{text[:4]}-01-01"
        return f"{first}T00:00:00+00:00" if "T" in text else first[: len(text)]
    return "".join("0" if char.isdigit() else "X" if char.isalpha() else char for char in text)
