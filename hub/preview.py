"""What would each agency receive now, or if ...? The same functions as a delivery, in each agency's own format, masked.

Nothing is sent or queued. Letters and digits of whatever could be personal are replaced before the pack writes, so
that an administrator sees what kind of thing would leave, and not the thing. Unmasking is a disclosure of its own, to
the administrator as a named officer of an agency: asked at the one door for a stated purpose, shown only as far as
that answer reaches, and recorded before anything is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import consent
from adapters.errors import Unwritable
from adapters.pack import Bundle, Context
from consent.explain import Lang
from consent.model import ConsentFact, FactRef, Facts, Suspicion
from consent.vocabulary import Action, Event, Purpose, View
from hub import facts, referrals
from hub.bundles import data_classes_of
from hub.directory.agency import Agency
from hub.disclosing import Disclosed, disclose, disclose_each
from hub.errors import Fault, Forbidden, Invalid
from hub.explaining import ONLY_AN_OFFICER, what_would_change
from hub.facts import read_body
from hub.outgoing import NAME
from hub.parts import Parts
from hub.referrals.routes import Routed, Situation, route
from hub.replaying import sealed_for
from hub.states import StrandState
from hub.storage import audits, persons, strands
from hub.storage import facts as stored
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


@dataclass(frozen=True, slots=True)
class Supposed:
    """What is taken to be so, beside what is on record."""

    given: Sequence[Mapping[str, Any]] = ()
    """Bodies of consents, as if recorded."""
    withdrawn: Sequence[str] = ()
    """Fact ids of consents and refusals, as if withdrawn."""
    verified: Sequence[str] = ()
    """Fact ids of orders, as if verified."""
    suspects: Sequence[str] = ()
    """Persons of the case, as if suspects."""
    on: date | None = None
    """As of the first moment of that day: what would hold from then, after a birthday or the end of a consent."""


@dataclass(frozen=True, slots=True)
class Unmask:
    """An administrator asks to see the thing itself."""

    agency: str
    """The agency as whose named officer in the case team they read."""
    purpose: str
    """A v3 ActReason code."""


NOTHING: Final = Supposed()


def preview(
    parts: Parts,
    actor: str,
    case: str,
    supposed: Supposed = NOTHING,
    *,
    lang: Lang | None = None,
    unmask: Unmask | None = None,
) -> list[dict[str, Any]]:
    """For each agency the messages that it would receive, and why it would not receive others; audited as a read.

    With `lang` each is explained in words. Raises :class:`hub.errors.Invalid` for a supposition about something that
    is not on record, `Forbidden` where `actor` may not unmask.
    """
    now = parts.clock.now()
    with parts.store.write() as unit:
        persons.get_case(unit, case)
        audits.record(unit, audits.Entry("read", actor, case=case, outcome="preview"), now)
    found: dict[str, list[dict[str, Any]]]
    looks: list[audits.Entry] = []
    with parts.store.read() as unit:
        held, at = _supposed(parts, unit, case, actor, supposed, now)
        reader = _Reader(parts, unit, actor, case, unmask, now) if unmask else None
        known = referrals.reachable(parts.registry, now)
        found = {each.id: [] for each in known.values()}
        for strand in strands.current_of(strands.of_case(unit, case)):
            for routed in _routed(parts, unit, strand, held, at):
                for told in disclose_each(parts, unit, strand, routed.agency, routed.purposes, at, held):
                    entry, plain = reader.look(strand, told) if reader and told.leaves else (None, False)
                    looks += [entry] if entry else []
                    found.setdefault(told.recipient, []).append(_shown(parts, strand, routed, told, lang, plain))
    if looks:
        with parts.store.write() as unit:
            for entry in looks:
                audits.record(unit, entry, now)
    return [
        {
            "agency": agency,
            "messages": [each for each in shown if "message" in each],
            "withheld": [each for each in shown if "message" not in each],
        }
        for agency, shown in sorted(found.items())
    ]


# --- what is supposed ----------------------------------------------------------------------------------------------


def _supposed(
    parts: Parts, unit: Unit, case: str, actor: str, supposed: Supposed, now: datetime
) -> tuple[Facts, datetime]:
    """The facts as they would be, and the moment at which they are read."""
    held = facts.facts_of(unit, parts.vault, case, parts.settings.zone)
    at = _moment(parts, supposed.on, now)
    _require(
        "withdrawn",
        supposed.withdrawn,
        {*(each.ref.id for each in held.consents), *(each.ref.id for each in held.refusals)},
    )
    _require("verified", supposed.verified, [each.ref.id for each in held.orders])
    key = persons.get_case(unit, case).vault_key
    if supposed.suspects:
        _require("suspects", supposed.suspects, stored.related(unit, parts.vault, key, case))
    added = [
        _given(body, FactRef("consent", f"supposed-{number}", 0), held) for number, body in enumerate(supposed.given)
    ]
    suspicions = [
        Suspicion(FactRef("suspect", f"supposed-{number}", 0), person, actor)
        for number, person in enumerate(supposed.suspects)
    ]
    consents = (
        replace(each, withdrawn_at=now, withdrawn_by="") if each.ref.id in supposed.withdrawn else each
        for each in held.consents
    )
    orders = (
        replace(each, verified_by="signature:supposed") if each.ref.id in supposed.verified else each
        for each in held.orders
    )
    then = replace(
        held,
        consents=(*consents, *added),
        refusals=tuple(each for each in held.refusals if each.ref.id not in supposed.withdrawn),
        orders=tuple(orders),
        suspicions=(*held.suspicions, *suspicions),
    )
    return then, at


def _moment(parts: Parts, on: date | None, now: datetime) -> datetime:
    zone = ZoneInfo(parts.settings.zone)
    if on is None or on == now.astimezone(zone).date():
        return now
    at = datetime.combine(on, time(), zone)
    if at < now:
        raise Invalid("The day lies in the past.", faults=(Fault("on", "past", "name today or a later day"),))
    return at


def _given(body: Mapping[str, Any], ref: FactRef, held: Facts) -> ConsentFact:
    consented: Any = read_body("consent", dict(body))
    found: ConsentFact = consented.read(ref, held.person)
    return found


def _require(place: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a supposition about something that the case does not have: it would silently suppose nothing."""
    if set(wanted) - set(known):
        fault = Fault(place, "unknown", "use ids that this case has on record")
        raise Invalid("The preview supposes something about what is not on record.", faults=(fault,))


def _routed(parts: Parts, unit: Unit, strand: Strand, held: Facts, at: datetime) -> tuple[Routed, ...]:
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
    return route(parts.routes, told, referrals.reachable(parts.registry, parts.clock.now()), at)


# --- unmasking -----------------------------------------------------------------------------------------------------


class _Reader:
    """An administrator who reads as an agency's named officer: what the one door gives that officer, by what is on
    record and not by what is supposed."""

    def __init__(self, parts: Parts, unit: Unit, actor: str, case: str, unmask: Unmask, at: datetime) -> None:
        if unmask.purpose not in Purpose._value2member_map_:
            fault = Fault("purpose", "unknown", "a v3 ActReason code: " + ", ".join(Purpose))
            raise Invalid("Unmasking needs a purpose.", faults=(fault,))
        parts.registry.get(unmask.agency)
        self._parts, self._unit, self._actor, self._case = parts, unit, actor, case
        self._unmask, self._at = unmask, at
        self._key = persons.get_case(unit, case).vault_key
        if not self._is_officer():
            raise Forbidden("Only whom somebody else recorded as the agency's officer in the case team may unmask.")

    def _is_officer(self) -> bool:
        """Named in the team now, by somebody else."""
        for each in stored.of_case(self._unit, self._parts.vault, self._key, self._case):
            if each.kind == "team" and each.recorded_by != self._actor:
                body: Any = read_body("team", dict(each.body))
                named = (body.agency, body.officer) == (self._unmask.agency, self._actor)
                if named and body.span.holds(self._at):
                    return True
        return False

    def look(self, strand: Strand, told: Disclosed) -> tuple[audits.Entry, bool]:
        """The row of the ledger for looking at one message, and whether the officer may see all that it says."""
        unmask = self._unmask
        mine = disclose(
            self._parts,
            self._unit,
            strand,
            unmask.agency,
            (unmask.purpose,),
            self._at,
            None,
            Action.ACCESS,
            self._actor,
        )
        covered = mine.recipient == unmask.agency and mine.leaves and _covers(mine, told)
        entry = audits.Entry(
            kind="unmasked",
            actor=self._actor,
            agency=unmask.agency,
            case=self._case,
            strand=strand.id,
            outcome="shown" if covered else "withheld",
            reasons=tuple(dict.fromkeys(each.code for each in mine.decision.reasons)),
            policy_version=mine.decision.policy_version,
            input_hash=mine.decision.input_hash,
            read=tuple((each.kind, each.id, each.version) for each in mine.decision.read),
            detail={
                "event": strand.event,
                "purpose": unmask.purpose,
                "officer": self._actor,
                "as_for": told.recipient,
                "classes": _leaving(told) if covered else [],
                "decision": mine.decision.outcome.value,
            },
        )
        replay = self._parts.vault.seal(self._unit, self._key, mine.replay(), sealed_for(entry))
        return replace(entry, replay=replay), covered


def _covers(mine: Disclosed, told: Disclosed) -> bool:
    """Whether the officer may see each item at least as `told` would show it; a summary covers only itself."""
    own = {each.place: each for each in mine.decision.verdicts}
    return all(
        own[each.place].view is View.FULL
        or (own[each.place].view, own[each.place].projection) == (each.view, each.projection)
        for each in told.decision.verdicts
        if each.view is not View.NONE
    )


# --- what is shown -------------------------------------------------------------------------------------------------


def _shown(
    parts: Parts, strand: Strand, routed: Routed, told: Disclosed, lang: Lang | None, plain: bool
) -> dict[str, Any]:
    agency = parts.registry.get(told.recipient)
    reasons = list(dict.fromkeys(each.code for each in told.decision.reasons))
    about: dict[str, Any] = {"event": strand.event, "from": strand.agency, "route": routed.route, "reasons": reasons}
    about |= {"officer": told.officer} if told.officer else {}
    about |= {"unreached": list(told.unreached)} if told.unreached else {}
    if lang is not None:
        about["explanation"] = _explained(parts, told, lang)
    if not told.leaves or told.bundle is None:
        return about
    bundle = told.bundle if plain else masked(told.bundle)
    return about | {"classes": _leaving(told), "masked": not plain} | _written(parts, agency, bundle, told)


def _leaving(told: Disclosed) -> list[str]:
    """The data classes of what leaves."""
    classes = {each.place: each.data_class for each in told.disclosure.items}
    return sorted({str(classes[place]) for place in told.places() if place in classes})


def _explained(parts: Parts, told: Disclosed, lang: Lang) -> list[str]:
    asked, decision = told.disclosure, told.decision
    changes, officer = what_would_change(asked, told.facts, parts.policy, told.at)
    said = consent.explain(decision, parts.policy, lang, "administrator", asked.items, changes)
    return said + ([ONLY_AN_OFFICER[lang]] if officer else [])


def _written(parts: Parts, agency: Agency, bundle: Bundle, told: Disclosed) -> dict[str, str]:
    pack = parts.packs.get(agency.packs.out or "")
    header = {"sender": NAME, "recipient": agency.id, "message-id": "PREVIEW", "processing": "T"}
    if pack is None:
        return {"type": "", "message": ""}
    try:
        said = pack.write(bundle, Context(at=told.at, agency=agency.id, dialect=agency.packs.dialect, header=header))
    except Unwritable as why:
        return {"type": "", "message": "", "unwritable": f"{why.kind}: {why}"}
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
