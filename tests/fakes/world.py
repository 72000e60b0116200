"""A small hub in one process with synthetic agencies, and canonical messages about a synthetic child."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from consent import Policy, policy_documents, read_policy
from consent.vocabulary import (
    CLAIM_URL,
    DATA_CLASS_SYSTEM,
    EVENT_SYSTEM,
    HUB_BASE,
    REFERRAL_STATE_SYSTEM,
)
from hub import casework, exchange
from hub.clock import Clock
from hub.directory import Registry
from hub.envelope import Acknowledgement, Envelope
from hub.messaging.dispatcher import EmbeddedDispatcher
from hub.parts import Parts
from hub.referrals import read_routes
from hub.security.vault import Vault
from hub.settings import Settings
from hub.states import DeliveryState
from hub.storage import deliveries, persons, tasks
from hub.storage.store import Store
from tests.fakes.plain import PlainPack
from tests.fakes.wire import RecordingTransport

Json = dict[str, Any]

HOSPITAL, POLICE, SCHOOL, SHELTER, CENTRE = "benh-vien-mau", "cong-an-mau", "truong-mau", "nha-tam-lanh-mau", "ctxh-mau"
STAND_IN = "cong-an-khac-mau"
"""The police unit that is spoken to when the first one is linked to a suspect."""
NAME = "Thử-Nghiệm Thị Mẫu"
PERSONAL_NUMBER = "079312000001"
PLACER = "TC-2026-0457"
DECISION = "457/QĐ-MẪU"


AGENCY_SYSTEM = f"{HUB_BASE}/NamingSystem/agency"
TERMS = "http://terminology.hl7.org/CodeSystem"


def agency(id_: str, sector: str, unit: str, out: str = "webhook", **more: Any) -> Json:
    """A registry entry."""
    ways: dict[str, Json] = {
        "webhook": {"type": "webhook", "url": f"https://{id_}.example/in"},
        "mllp": {"type": "mllp", "host": f"{id_}.example", "port": 2575},
        "inbox": {"type": "inbox"},
    }
    return {
        "id": id_,
        "sector": sector,
        "unit": unit,
        "titles": {"vi": id_, "en": id_},
        "packs": {"in": ["test/plain"], "out": "test/plain"},
        "transports": {"out": ways[out]},
        **more,
    }


AGENCIES = (
    agency(
        HOSPITAL, "health", "exam-unit", identifiers=[{"system": f"{HUB_BASE}/NamingSystem/agency", "value": "BV-MAU"}]
    ),
    agency(STAND_IN, "police", "investigators"),
    agency(POLICE, "police", "investigators", alternate=STAND_IN),
    agency(SCHOOL, "education", "school"),
    agency(SHELTER, "social", "shelter", out="inbox"),
    agency(CENTRE, "social", "social-work-centre"),
)


@cache
def _policy() -> Policy:
    return read_policy(policy_documents())


class World:
    """The hub's parts, its one transport, and what a test does with them."""

    def __init__(self, store: Store, vault: Vault, clock: Clock, **packs: Any) -> None:
        self.wire = RecordingTransport()
        self.clock = clock
        registry = Registry(store, clock)
        registry.add_all(AGENCIES, "test")
        self.parts = Parts(
            settings=Settings(),
            clock=clock,
            store=store,
            vault=vault,
            registry=registry,
            packs={"test/plain": PlainPack(), **packs},
            policy=_policy(),
            routes=read_routes(),
            dispatcher=EmbeddedDispatcher(),
            transports={"webhook": self.wire, "mllp": self.wire},
        )

    def with_settings(self, settings: Settings) -> World:
        """The same hub under other settings."""
        other = copy(self)
        other.parts = replace(self.parts, settings=settings)
        return other

    def say(self, agency_id: str, *bundles: Json, key: str = "") -> Acknowledgement:
        """An agency sends one message."""
        raw = json.dumps(bundles[0] if len(bundles) == 1 else list(bundles), ensure_ascii=False).encode()
        return exchange.accept(self.parts, Envelope(agency_id, "http", raw, key=key))

    def deliver_all(self) -> list[DeliveryState]:
        """Do what the worker does until nothing is due."""
        parts, ended = self.parts, []
        skip = [each.id for each in parts.registry.list() if each.transports.fetches]
        while True:
            with parts.store.write() as unit:
                process = parts.presence.announce(unit, parts.clock.now())
                claim = deliveries.claim(unit, process, parts.clock.now(), parts.lanes.lease, skip=skip)
            if claim is None:
                return ended
            ended.append(exchange.deliver(parts, claim))

    def received(self, agency_id: str) -> list[Json]:
        """What an agency was sent, in order."""
        return [json.loads(each.raw) for each in self.wire.to(agency_id)]

    def case(self) -> str:
        """The one case that there is."""
        with self.parts.store.read() as unit:
            (found,) = persons.cases(unit)
        return found.id

    def cases(self) -> list[str]:
        """All cases that are not merged into another, oldest first."""
        with self.parts.store.read() as unit:
            return [each.id for each in persons.cases(unit)]

    def states(self, agency_id: str) -> list[str]:
        """How the deliveries to an agency stand, in the order in which they were offered."""
        with self.parts.store.read() as unit:
            return [each.state.value for each in deliveries.listing(unit, agency=agency_id)]

    def tasks(self) -> list[tuple[str, str]]:
        """Kind and reason of what waits for a person."""
        with self.parts.store.read() as unit:
            return [(each.kind, each.reason) for each in tasks.listing(unit)]

    def fact(self, kind: str, body: Json, by: str = "can-bo-a") -> casework.Recorded:
        """A case worker records a fact of the one case."""
        return casework.record(self.parts, by, self.case(), kind, body)

    def relate(self, name: str) -> str:
        """A person beside the child."""
        return casework.relate(self.parts, "can-bo-a", self.case(), {"name": name})

    def child(self) -> str:
        """The child of that case."""
        with self.parts.store.read() as unit:
            return persons.get_case(unit, self.case()).person


# --- canonical messages --------------------------------------------------------------------------------------------


def labelled(resource: Json, data_class: str) -> Json:
    """A resource with its data class."""
    return {**resource, "meta": {"security": [{"system": DATA_CLASS_SYSTEM, "code": data_class}]}}


def coded(system: str, code: str) -> Json:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def identifier(kind: str, value: str, system: str = "") -> Json:
    """A typed identifier."""
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
    found: Json = {"type": {"coding": [coding]}, "value": value}
    return found | ({"system": system} if system else {})


def patient(number: str = PERSONAL_NUMBER, record: str = "BN-0001", name: str = NAME, born: str = "2016-05-20") -> Json:
    """The child."""
    family, *given = name.split(" ")
    numbers = [identifier("NI", number, f"{HUB_BASE}/NamingSystem/personal-number")] if number else []
    numbers += [identifier("MR", record)] if record else []
    resource: Json = {
        "resourceType": "Patient",
        "name": [{"family": family, "given": given, "text": name}],
        "gender": "female",
        "birthDate": born,
    }
    return labelled(resource | ({"identifier": numbers} if numbers else {}), "demographics")


def message(
    event: str, key: str, focus: str, parts: Mapping[str, Json], claims: tuple[Json, ...] = (), **header: Any
) -> Json:
    """A canonical message; `parts` are resources by their `urn:` name."""
    head: Json = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": EVENT_SYSTEM, "code": event},
        "source": {"endpoint": f"{HUB_BASE}/Endpoint/test"},
        "focus": [{"reference": url(focus)}],
        **header,
    }
    if claims:
        head["extension"] = [
            {
                "url": CLAIM_URL,
                "extension": [{"url": k, "valueCode" if k == "kind" else "valueString": v} for k, v in c.items()],
            }
            for c in claims
        ]
    entries = [{"fullUrl": url("header-" + key), "resource": head}]
    entries += [{"fullUrl": url(name), "resource": resource} for name, resource in parts.items()]
    return {
        "resourceType": "Bundle",
        "type": "message",
        "identifier": {"system": f"{HUB_BASE}/NamingSystem/message-id", "value": key},
        "timestamp": "2026-11-22T10:00:00+07:00",
        "entry": entries,
    }


def _claim(claim: Json) -> list[Json]:
    return [{"url": name, "valueCode" if name == "kind" else "valueString": value} for name, value in claim.items()]


def url(name: str) -> str:
    """A `urn:uuid` made of a name."""
    from uuid import NAMESPACE_URL, uuid5

    return f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"


def reference(name: str) -> Json:
    """A reference to a resource of the same message."""
    return {"reference": url(name)}


def observation(code: str, value: str, data_class: str, child: str = "child") -> Json:
    """One coded result."""
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": reference(child),
        "effectiveDateTime": "2026-11-22T09:00:00+07:00",
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": value}]},
    }
    return labelled(resource, data_class)


def report(results: list[str], data_class: str, placer: bool = False, child: str = "child") -> Json:
    """A report over results; with `placer` it answers the request."""
    resource: Json = {
        "resourceType": "DiagnosticReport",
        "identifier": [identifier("FILL", "BV-9001")],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
        "subject": reference(child),
        "effectiveDateTime": "2026-11-22T09:00:00+07:00",
        "result": [reference(each) for each in results],
    }
    return labelled(resource | ({"basedOn": [reference("request")]} if placer else {}), data_class)


def request(
    service: str = "forensic", asked: tuple[str, ...] = ("forensic", "medical-exam"), status: str = "active"
) -> Json:
    """What a referral asks for."""
    resource = {
        "resourceType": "ServiceRequest",
        "identifier": [identifier("PLAC", PLACER)],
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": f"{HUB_BASE}/CodeSystem/service-type", "code": service}]},
        "subject": reference("child"),
        "performer": [reference("performer")],
        "orderDetail": [{"coding": [{"system": DATA_CLASS_SYSTEM, "code": each}]} for each in asked],
    }
    return labelled(resource, "referral")


def task(state: str, status: str, owner: bool = True) -> Json:
    """How far a referral is."""
    resource: Json = {
        "resourceType": "Task",
        "identifier": [identifier("PLAC", PLACER)],
        "status": status,
        "businessStatus": {"coding": [{"system": REFERRAL_STATE_SYSTEM, "code": state}]},
        "intent": "order",
        "for": reference("child"),
    }
    if owner:
        resource["owner"] = reference("performer")
        resource["focus"] = reference("request")
    return labelled(resource, "referral")


def organization(value: str) -> Json:
    """An agency as a message names it."""
    found = identifier("XX", value, f"{HUB_BASE}/NamingSystem/agency")
    return labelled({"resourceType": "Organization", "identifier": [found], "name": value}, "referral")


def exam(key: str = "EX-1", child: Json | None = None) -> Json:
    """The hospital's exam record: an injury, a mental-health score, an HIV test, and a sentence of free text."""
    note = labelled(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "34109-9"}]},
            "subject": reference("child"),
            "valueString": "Trẻ kể lại sự việc (ghi chú thử nghiệm).",
        },
        "narrative",
    )
    return message(
        "exam-record",
        key,
        "report",
        {
            "child": child or patient(),
            "report": report(["injury", "mood", "hiv", "note"], "medical-exam"),
            "injury": observation("39156-5", "125667009", "medical-exam"),
            "mood": observation("44249-1", "35489007", "mental-health"),
            "hiv": observation("75622-1", "260385009", "sexual-health"),
            "note": note,
        },
    )


def forensic_request(key: str = "RQ-1") -> Json:
    """The police ask for a forensic exam, with a decision number."""
    return message(
        "referral-request",
        key,
        "request",
        {
            "child": patient(record="HS-0099"),
            "request": request(),
            "task": task("requested", "requested"),
            "performer": organization("BV-MAU"),
        },
        claims=({"kind": "decision", "value": DECISION, "by": "Cơ quan mẫu"},),
    )


def accepted(key: str = "AC-1") -> Json:
    """The hospital accepts; its answer names nobody."""
    return message(
        "referral-status", key, "task", {"task": {**task("accepted", "accepted", owner=False), "for": {"display": "?"}}}
    )


def result(key: str = "RS-1") -> Json:
    """The forensic result, with more than was asked for."""
    return message(
        "result",
        key,
        "report",
        {
            "child": patient(),
            "request": request(status="completed"),
            "performer": organization("BV-MAU"),
            "report": report(["trace", "injury", "mood", "hiv"], "forensic", placer=True),
            "trace": observation("74384-9", "258500001", "forensic"),
            "injury": observation("39156-5", "125667009", "medical-exam"),
            "mood": observation("44249-1", "35489007", "mental-health"),
            "hiv": observation("75622-1", "260385009", "sexual-health"),
        },
    )


def support(key: str = "SU-1") -> Json:
    """The social-work centre tells the school what the child needs there."""
    need = labelled(
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [
                {"coding": [{"system": f"{HUB_BASE}/CodeSystem/observation-category", "code": "support-need"}]}
            ],
            "code": {"coding": [{"system": f"{HUB_BASE}/CodeSystem/support-need", "code": "absence-allowed"}]},
            "subject": reference("child"),
            "valueBoolean": True,
        },
        "support-need",
    )
    return message("school-support", key, "need", {"child": patient(record="CT-0001"), "need": need})


def order(recipients: Mapping[str, tuple[str, ...]], number: str = DECISION) -> Json:
    """An order's body: data classes by recipient."""
    items = [{"data_class": name, "recipient": who} for who, names in recipients.items() for name in names]
    return {"number": number, "body": POLICE, "issued": "2026-11-20", "items": items, "start": "2026-11-20T00:00:00Z"}


def consent(given_by: str, as_: str, to: str, person: str) -> Json:
    """A consent to tell one agency all but what needs an explicit word."""
    provision = {
        "type": "permit",
        "actor": [
            {
                "role": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]
                },
                "reference": {"reference": f"Organization/{to}"},
            }
        ],
        "purpose": [{"system": f"{TERMS}/v3-ActReason", "code": code} for code in ("CAREMGT", "TREAT")],
    }
    resource = {
        "resourceType": "Consent",
        "status": "active",
        "scope": coded(f"{TERMS}/consentscope", "patient-privacy"),
        "category": [coded("http://loinc.org", "59284-0")],
        "patient": {"reference": f"Patient/{person}"},
        "dateTime": "2026-11-22T10:00:00Z",
        "policyRule": coded(f"{TERMS}/v3-ActCode", "OPTOUT"),
        "provision": provision,
    }
    return {
        "resource": resource,
        "given_by": given_by,
        "as": as_,
        "evidence": "sha256:synthetic-paper",
        "given_at": datetime(2026, 11, 22, 10, tzinfo=UTC).isoformat(),
    }
