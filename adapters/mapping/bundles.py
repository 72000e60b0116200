"""The pack that speaks FHIR bundles: copies what is there, gives it the hub's identities and classes, splits it.

Nothing is mapped field by field; what bundles may hold, of which class it is and which event it makes is data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec

from adapters.errors import BrokenPack, Unsupported, Unwritable
from adapters.mapping.assemble import MESSAGE_ID_SYSTEM, response_to
from adapters.mapping.bundle_map import BundleMap, bundle_map
from adapters.mapping.bundle_reading import BundleReading, header_fields, is_hubs, load, resources_of, type_said
from adapters.mapping.dates import fhir_moment
from adapters.mapping.engine import event_of
from adapters.mapping.paths import Json
from adapters.mapping.script import answered_key
from adapters.pack import Bundle, Context, Head, Reading, Writing
from adapters.r4 import table
from adapters.r4.validate import validate
from consent.vocabulary import EVENT_SYSTEM, HUB_BASE, Event

REPLACES_URL: Final = f"{HUB_BASE}/StructureDefinition/replaces"
"""Extension of the MessageHeader: the earlier message that this one replaces."""
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class BundlePack:
    """A pack whose codec is fhir."""

    id: str
    version: str
    hash: str
    titles: Mapping[str, str]
    media_types: tuple[str, ...]
    directions: Mapping[str, str]
    """Bundle type -> in, out or both."""
    events: Mapping[str, Event]
    """Bundle type -> the event of those that show none."""
    map: BundleMap
    losses: Mapping[str, int] = field(default_factory=dict)
    """Bundle type -> how many places a synthetic message may lose (the law's part 2)."""

    def writes(self, event: Event) -> bool:
        """Every event can be said as a message bundle."""
        return self.directions.get("message", "in") != "in" and event in set(Event)

    def split(self, raw: bytes) -> tuple[bytes, ...]:
        """A bundle is one message."""
        return ()

    def head(self, raw: bytes, context: Context) -> Head:
        """What a bundle says about itself."""
        data, _, _ = load(raw)
        return self._head(data)

    def read(self, raw: bytes, context: Context) -> Reading:
        """Read a bundle into one strand for each child."""
        data, tree, deviations = load(raw)
        head = self._head(data)
        source = f"{HUB_BASE}/pack/{self.id}#{self.version}"
        return BundleReading(self.map, source, context, head, sha256(raw).digest()).read(data, tree, deviations)

    def write(self, bundle: Bundle, context: Context) -> Writing:
        """Say the canonical bundle as it is, without the hub's own tags."""
        event_of(bundle)
        said = _outward(bundle, context)
        faults = [issue for issue in validate(said) if issue.severity in ("fatal", "error")]
        if faults:
            raise Unwritable(faults[0].expression, faults[0].code, faults[0].diagnostics)
        key = context.header.get("message-id", "")
        return Writing(_ENCODER.encode(said), self.media_types[0], "Bundle/message", key)

    def _head(self, data: Json) -> Head:
        kind = data.get("type") if data.get("resourceType") == "Bundle" else None
        if data.get("resourceType") != "Bundle":
            raise Unsupported(
                "/resourceType", "unsupported", f"{type_said(data)} alone is not spoken here; send a Bundle"
            )
        if self.directions.get(str(kind), "out") == "out":
            raise Unsupported("/type", "unsupported", "a bundle of this type is not spoken here")
        header = next((r for r in resources_of(data) if r.get("resourceType") == "MessageHeader"), {})
        identifier = data.get("identifier")
        key = identifier.get("value", "") if isinstance(identifier, dict) else ""
        fields = header_fields(data, header, key)
        event = self._event(header, list(resources_of(data)), str(kind))
        return Head(f"Bundle/{kind}", key, event, "4.0.1", answers=fields.get("answers", ""), fields=fields)

    def _event(self, header: Json, resources: Sequence[Json], kind: str) -> Event | None:
        coding = header.get("eventCoding")
        said = (
            (coding.get("system", ""), coding.get("code", ""))
            if isinstance(coding, dict)
            else ("", header.get("eventUri", ""))
        )
        if said[0] == EVENT_SYSTEM and said[1] in set(Event):
            return Event(said[1])
        if said[1]:
            if said not in self.map.codes:
                raise Unsupported(
                    "/entry/0/resource/eventCoding", "unknown-event", "this event is not among the agreed ones"
                )
            return self.map.codes[said]
        found = self.map.event_of(resources) or self.events.get(kind)
        if found is None:
            raise Unsupported(
                "/entry", "unknown-event", "nothing here shows what the bundle is about; say it in a MessageHeader"
            )
        return found


def bundle_pack(manifest: Mapping[str, Any], data: Mapping[str, Any], digest: str) -> BundlePack:
    """A fhir pack from its manifest and what it says of bundles; what cannot be is a :class:`BrokenPack`."""
    name = manifest["classes"]
    directions, events = {}, {}
    for message in manifest["messages"]:
        kind = message["type"].removeprefix("Bundle/")
        if not message["type"].startswith("Bundle/") or kind not in (table.required_codes("Bundle.type") or ()):
            raise BrokenPack(f"manifest.yaml message {message['type']}: no bundle is of this type")
        directions[kind] = message.get("direction", "both")
        if isinstance(message.get("event"), str):
            events[kind] = Event(message["event"])
    return BundlePack(
        id=manifest["id"],
        version=manifest["version"],
        hash=digest,
        titles=manifest["titles"],
        media_types=tuple(manifest["media-types"]),
        directions=directions,
        events=events,
        map=bundle_map(data, name),
        losses={m["type"].removeprefix("Bundle/"): int(m["loss"]) for m in manifest["messages"] if "loss" in m},
    )


def _outward(bundle: Bundle, context: Context) -> Json:
    """The bundle as it leaves: the header from the context, without the hub's own tags."""
    header, said = context.header, deepcopy(bundle)
    said.pop("identifier", None)
    if header.get("message-id"):
        said["identifier"] = {"system": MESSAGE_ID_SYSTEM, "value": header["message-id"]}
    said["timestamp"] = fhir_moment(context.at)
    for number, entry in enumerate(said["entry"]):
        resource = entry["resource"]
        meta = resource.get("meta", {})
        if tags := [tag for tag in meta.pop("tag", ()) if not is_hubs(tag)]:
            meta["tag"] = tags
        if number == 0:
            meta.pop("source", None)
            _address(resource, header, context.agency)
        if not meta:
            resource.pop("meta", None)
    return said


def _address(first: Json, header: Mapping[str, str], agency: str) -> None:
    """Who says it to whom is the context's alone: where it came from may be what must not be told."""
    for name in ("sender", "destination"):
        first.pop(name, None)
    source: Json = {"endpoint": f"{HUB_BASE}/Endpoint/hub"}
    first["source"] = {"name": header["sender"], **source} if header.get("sender") else source
    if header.get("sender-facility"):
        first["sender"] = {"type": "Organization", "display": header["sender-facility"]}
    destination: Json = {"endpoint": f"{HUB_BASE}/Endpoint/{agency or 'unknown'}"}
    if header.get("recipient"):
        destination["name"] = header["recipient"]
    if header.get("recipient-facility"):
        destination["receiver"] = {"type": "Organization", "display": header["recipient-facility"]}
    if len(destination) > 1:
        first["destination"] = [destination]
    if isinstance(first.get("response"), dict):
        rest = {name: value for name, value in first["response"].items() if not name.endswith("identifier")}
        first["response"] = {**response_to(answered_key(first)), **rest}
    elif header.get("replaces"):
        first.setdefault("extension", []).append({"url": REPLACES_URL, "valueString": header["replaces"]})
