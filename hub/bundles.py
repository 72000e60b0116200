"""Looks things up in a canonical bundle (see `adapters/canonical.md`): pure, knows shapes and nothing of cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consent.vocabulary import CLAIM_URL, DATA_CLASS_SYSTEM, EVENT_SYSTEM, HUB_BASE

MESSAGE_ID_SYSTEM = f"{HUB_BASE}/NamingSystem/message-id"
V2_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
"""What kind of number an identifier is (HL7 v2 table 0203)."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """Something that a sender claims beside the content: never a permission."""

    kind: str
    """``decision``, ``consent``, ``withdrawal``, ``emergency``."""
    value: str = ""
    by: str = ""
    date: str = ""


def resources(bundle: Json, *types: str) -> Iterator[dict[str, Any]]:
    """The resources of a bundle, of these types only when some are named, in order."""
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource")
        if resource is not None and (not types or resource["resourceType"] in types):
            yield resource


def header_of(bundle: Json) -> dict[str, Any]:
    """The MessageHeader; an empty one if there is none."""
    return next(resources(bundle, "MessageHeader"), {})


def patient_of(bundle: Json) -> dict[str, Any] | None:
    """The child; None when nobody is named."""
    return next(resources(bundle, "Patient"), None)


def replaced_of(bundle: Json) -> tuple[dict[str, Any], ...]:
    """The records that the sender says the child's record replaces (``Patient.link``): what it says, no more."""
    links = (patient_of(bundle) or {}).get("link", ())
    found = (resolve(bundle, link.get("other")) for link in links if link.get("type") == "replaces")
    return tuple(each for each in found if each is not None and each["resourceType"] == "Patient")


def event_of(bundle: Json) -> str:
    """The code of its event, "" if it has none."""
    return code_of(header_of(bundle).get("eventCoding"), EVENT_SYSTEM)


def focuses_of(bundle: Json) -> tuple[str, ...]:
    """What the message is about: the `fullUrl`s, sorted."""
    return tuple(sorted(each.get("reference", "") for each in header_of(bundle).get("focus", ())))


def resolve(bundle: Json, reference: Json | None) -> dict[str, Any] | None:
    """The resource of the bundle that a reference names."""
    url = (reference or {}).get("reference")
    found = (entry.get("resource") for entry in bundle.get("entry", ()) if url and entry.get("fullUrl") == url)
    return next(found, None)


def claims_of(bundle: Json) -> tuple[Claimed, ...]:
    """What the sender claims."""
    found = []
    for claim in header_of(bundle).get("extension", ()):
        if claim.get("url") == CLAIM_URL:
            parts = {each["url"]: _value(each) for each in claim.get("extension", ())}
            found.append(Claimed(**{name: parts.get(name, "") for name in ("kind", "value", "by", "date")}))
    return tuple(found)


def data_classes_of(bundle: Json) -> frozenset[str]:
    """Every data class that a resource or an element of it carries."""
    return frozenset(_classes(bundle.get("entry", ())))


def identifiers_of(resource: Json, kind: str) -> tuple[str, ...]:
    """The values of a resource's identifiers of that type."""
    return tuple(
        str(each["value"])
        for each in resource.get("identifier", ())
        if each.get("value") and any(coding.get("code") == kind for coding in each.get("type", {}).get("coding", ()))
    )


def code_of(coded: Json | None, system: str) -> str:
    """The code of that system in a Coding or CodeableConcept; "" if it has none."""
    if not coded:
        return ""
    codings = coded.get("coding", (coded,))
    return next((str(each["code"]) for each in codings if each.get("system") == system and "code" in each), "")


def recall_bundle(earlier: str, at: str) -> dict[str, Any]:
    """A recall: names the earlier message's key, and nothing else."""
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": EVENT_SYSTEM, "code": "recall"},
        "source": {"endpoint": f"{HUB_BASE}/Endpoint/hub"},
        "response": {"identifier": earlier, "code": "ok"},
    }
    return {
        "resourceType": "Bundle",
        "type": "message",
        "timestamp": at,
        "entry": [{"fullUrl": f"{HUB_BASE}/MessageHeader/recall", "resource": header}],
    }


def _classes(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("system") == DATA_CLASS_SYSTEM and "code" in value:
            yield str(value["code"])
        for each in value.values():
            yield from _classes(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _classes(each)


def _value(extension: Json) -> str:
    return next((str(value) for name, value in extension.items() if name.startswith("value")), "")
