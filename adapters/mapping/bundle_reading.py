"""One bundle being read: checked, its entries keyed and classed, split by child, put into canonical bundles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Any, Final

from adapters.codecs import json as json_codec
from adapters.errors import Malformed, Unmappable, Unsupported
from adapters.mapping import identity, paths
from adapters.mapping.assemble import MESSAGE_ID_SYSTEM, claim_extension
from adapters.mapping.bundle_graph import Entry, prune, readdress, references, resolve, strands
from adapters.mapping.bundle_map import BundleMap, ClaimRow
from adapters.mapping.dates import fhir_moment
from adapters.mapping.paths import Json
from adapters.mapping.residual import Leaves
from adapters.mapping.script import answered_key
from adapters.mapping.walk import extend, label_codings, label_extensions
from adapters.pack import Bundle, Context, Deviation, Head, Loss, LossKind, Reading, Strand
from adapters.r4 import table
from adapters.tree import Branch, Node, State
from consent.vocabulary import EVENT_SYSTEM, HUB_BASE, Event

_CHANGING: Final = frozenset({"POST", "PUT"})
_NUMBERS: Final = frozenset({"decimal", "integer", "positiveInt", "unsignedInt"})
_SERVERS_OWN: Final = ("versionId", "lastUpdated", "source")
"""Parts of `meta` that say something of the sender's server and nothing of the record."""
_BUNDLE_READ: Final = frozenset({"resourceType", "type", "identifier", "timestamp", "entry"})
_HEADER_KEPT: Final = (
    "extension", "destination", "sender", "enterer", "author", "source", "responsible", "reason", "response",
)  # fmt: skip


_HEADER_READ: Final = frozenset({"resourceType", "id", "meta", "eventCoding", "eventUri", "focus", *_HEADER_KEPT})


class BundleReading:
    """One bundle being read."""

    def __init__(self, data: BundleMap, source: str, context: Context, head: Head, digest: bytes) -> None:
        """`source` names the pack and its version; `digest` is the message's hash."""
        self.map, self.source, self.context, self.head = data, source, context, head
        self.salt = (context.salt or digest).hex()
        self.loss: list[Loss] = []
        self.deviations: list[Deviation] = []
        self.urls: set[str] = set()

    def read(self, data: Json, tree: Node, deviations: list[Deviation]) -> Reading:
        """The whole way."""
        self.deviations += deviations
        self._leave("", data, _BUNDLE_READ)
        entries = list(self._entries(data, tree))
        for entry in entries:
            self._check(entry)
        claims = list(self._claims(entries))
        self.loss += resolve(entries, self.context.agency)
        header = next((entry for entry in entries if entry.type == "MessageHeader"), None)
        rest = [entry for entry in entries if entry is not header and not entry.out]
        for number, entry in enumerate(rest):
            self._identify(entry, number)
        found = []
        for number, mine in enumerate(strands(rest, self.map.shared)):
            bundle = self._bundle(mine, header, claims, number)
            found.append(Strand(bundle, Leaves(_part(tree, [*mine, header] if header else mine))))
        return Reading(self.head, tuple(found), tuple(dict.fromkeys(self.deviations)), tuple(dict.fromkeys(self.loss)))

    def _entries(self, data: Json, tree: Node) -> Iterator[Entry]:
        """The entries with their contained resources, which become entries of their own."""
        nodes = [node for node in tree.children() if node.name == "entry" and node.state is not State.EMPTY]
        items = data.get("entry", [])
        for number, item in enumerate(items if isinstance(items, list) else []):
            place = f"/entry/{number}"
            resource = item.get("resource") if isinstance(item, dict) else None
            if not isinstance(resource, dict):
                raise Unmappable(place, "no-resource", "every entry needs a resource")
            self._check_request(item, place)
            address = item.get("fullUrl")
            entry = Entry(f"{place}/resource", resource, nodes[number], address if isinstance(address, str) else "")
            yield entry
            yield from self._contained(entry)
            if number == 0 and resource.get("resourceType") != "MessageHeader" and data.get("type") == "message":
                raise Malformed(f"{place}/resource", "message", "the first entry of a message is its MessageHeader")

    def _contained(self, container: Entry) -> Iterator[Entry]:
        held = container.resource.pop("contained", [])
        for number, resource in enumerate(held if isinstance(held, list) else [held]):
            place = f"{container.place}/contained/{number}"
            if not isinstance(resource, dict):
                raise Malformed(place, "syntax", "a contained resource is an object")
            check_resource(resource, place)
            self.loss.append(Loss(place, LossKind.NORMALISE, "a contained resource stands on its own"))
            yield Entry(place, resource, None, f"{container.place}#{resource.get('id', '')}", container)

    def _check_request(self, item: Json, place: str) -> None:
        request = item.get("request")
        if isinstance(request, dict) and request.get("method") not in _CHANGING:
            raise Unsupported(
                f"{place}/request/method", "request", "only what is sent to be kept is taken: POST or PUT"
            )

    def _check(self, entry: Entry) -> None:
        """Refuse what would change the meaning of what we copy, and what nobody has agreed on."""
        resource = entry.resource
        if resource.get("resourceType") == "MessageHeader":
            self._leave(entry.place, resource, _HEADER_READ)
        if resource.get("resourceType") != "MessageHeader" and not self.map.knows(resource):
            raise Unmappable(
                f"{entry.place}/resourceType",
                "resource-type",
                f"{type_said(resource)} is not spoken here; leave it out",
            )
        for place, name in _modifiers(resource, entry.place):
            raise Unmappable(place, "modifier", f"{name} may change what the rest means, so the whole is refused")
        for name in ("id", *sorted(self.map.drop)):
            if resource.pop(name, None) is not None:
                why = "the hub gives its own" if name == "id" else "does not travel"
                self.loss.append(
                    Loss(f"{entry.place}/{name}", LossKind.NORMALISE if name == "id" else LossKind.DROP, why)
                )
            resource.pop(f"_{name}", None)
        meta = resource.get("meta")
        for name in _SERVERS_OWN:
            if meta and meta.pop(name, None) is not None:
                self.loss.append(
                    Loss(f"{entry.place}/meta/{name}", LossKind.DROP, "says something of the sender's server only")
                )

    def _leave(self, place: str, said: Json, read: frozenset[str]) -> None:
        """Report what nobody reads."""
        for name in said:
            if name not in read:
                self.loss.append(Loss(f"{place}/{name}", LossKind.DROP, "not mapped"))

    def _claims(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Json]]:
        """What is said and not granted; leaves out the resources that are nothing but claims."""
        for entry in entries:
            for row in self.map.claims:
                if row.kind.holds(entry.resource):
                    yield from ((entry, claim) for claim in _said(row, entry.resource, self.context.agency))
                    if row.drop:
                        entry.out = True
                        self.loss.append(Loss(entry.place, LossKind.DROP, "read as a claim: a sender cannot grant it"))

    def _identify(self, entry: Entry, number: int) -> None:
        row = self.map.class_row(entry.resource)
        assert row is not None
        agency, key = self.context.agency, self.context.id_key
        for path in row.keys:
            held = [container[key] for container, key in paths.slots(entry.resource, path.steps)]
            parts = identity.key_parts(held, path.text, agency)
            if parts is not None:
                entry.keyed, entry.url = True, identity.full_url(key, entry.type, *parts)
                break
        else:
            entry.url = identity.full_url(key, entry.type, agency, self.salt, str(number))
        if entry.url in self.urls:
            self.deviations.append(
                Deviation(entry.place, "the same identifier stands twice in this message; both are kept")
            )
            entry.url = identity.full_url(key, entry.url, self.salt, str(number))
        self.urls.add(entry.url)

    def _bundle(self, mine: list[Entry], header: Entry | None, claims: list[tuple[Entry, Json]], number: int) -> Bundle:
        for entry in mine:
            self.loss += readdress(entry)
        told = [claim for entry, claim in claims if self._is_of(entry, mine)]
        first = self._header(mine, header, told, number)
        entries = [{"fullUrl": f"urn:uuid:{first['id']}", "resource": first}]
        entries += [{"fullUrl": entry.url, "resource": self._finish(entry)} for entry in mine]
        timestamp = self.head.fields.get("at") or fhir_moment(self.context.at)
        bundle: Json = {"resourceType": "Bundle", "type": "message", "timestamp": timestamp, "entry": entries}
        if self.head.key:
            bundle["identifier"] = {"system": MESSAGE_ID_SYSTEM, "value": self.head.key}
        return bundle

    def _is_of(self, entry: Entry, mine: list[Entry]) -> bool:
        """Whether what an entry claims concerns this child: it is the child's, or (left out) leads to the child's."""
        if not entry.out:
            return entry in mine
        children = [lead.target for lead in entry.leads if lead.target.type == "Patient"]
        return not children or any(child in mine for child in children)

    def _finish(self, entry: Entry) -> Json:
        """A copy of the resource with its id, class, labels and tag."""
        row = self.map.class_row(entry.resource)
        assert row is not None
        resource = deepcopy(entry.resource)
        for path, data_class in row.inline:
            _label_inline(resource, path.steps, data_class)
        meta = {key: value for key, value in resource.pop("meta", {}).items() if key not in ("security", "tag")}
        own = entry.resource.get("meta", {})
        meta["security"] = _with(label_codings(row.data_class, row.labels), own.get("security"))
        tags = [tag for tag in _dicts(own.get("tag")) if not is_hubs(tag)]
        if tags := tags + ([] if entry.keyed else [dict(identity.NEVER_MATCHES)]):
            meta["tag"] = tags
        name = resource.pop("resourceType")
        return {"resourceType": name, "id": entry.url.removeprefix("urn:uuid:"), "meta": meta, **resource}

    def _header(self, mine: list[Entry], header: Entry | None, claims: list[Json], number: int) -> Json:
        """The canonical MessageHeader: what the sender said in its own, the event, who claims what, the focus."""
        context, said = self.context, dict(header.resource) if header else {}
        key = self.head.key or self.salt
        part = next((entry.url for entry in mine if entry.type == "Patient" and entry.keyed), str(number))
        url = identity.full_url(context.id_key, "MessageHeader", context.agency, key, part)
        first: Json = {"resourceType": "MessageHeader", "id": url.removeprefix("urn:uuid:")}
        first["meta"] = {"source": self.source}
        kept: Json = {name: said[name] for name in _HEADER_KEPT if name in said}
        for holder, name, reference, _ in list(references(kept, "")):
            holder[name] = _named_party(reference, header)
        prune(kept)
        source = kept.get("source") if isinstance(kept.get("source"), dict) else {}
        kept["source"] = {**(source or {}), "endpoint": f"{HUB_BASE}/Endpoint/{context.agency or 'unknown'}"}
        if extensions := _with(
            [claim for claim in claims if claim not in _dicts(kept.get("extension"))], kept.pop("extension", None)
        ):
            first["extension"] = extensions
        if self.head.event is not None:
            first["eventCoding"] = {"system": EVENT_SYSTEM, "code": self.head.event.value}
        first |= deepcopy(kept)
        if focus := self._focus(mine, header):
            first["focus"] = [{"reference": target.url} for target in focus]
        return first

    def _focus(self, mine: list[Entry], header: Entry | None) -> list[Entry]:
        """What the sender says it is about, then what the event is about by the pack's data; else the child."""
        kinds = self.map.focus.get(self.head.event, ()) if self.head.event else ()
        leads = header.leads if header else []
        allowed = {kind.type for row in self.map.focus.values() for kind in row}
        told = [
            lead.target
            for lead in leads
            if "/focus/" in lead.place and lead.target in mine and lead.target.type in allowed
        ]
        found = dict.fromkeys([*told, *(e for e in mine for kind in kinds if kind.holds(e.resource))])
        if not found and self.head.event is not Event.RECALL:
            return [entry for entry in mine if entry.type == "Patient"]
        return list(found)


def load(raw: bytes) -> tuple[Json, Node, list[Deviation]]:
    """The bundle as parsed JSON with its tree of places."""
    parsed = json_codec.parse(raw)
    deviations = list(parsed.deviations)
    data = _plain(parsed.tree, deviations)
    if not isinstance(data, dict):
        raise Malformed("", "syntax", "a bundle is one object")
    if data.get("resourceType") != "Bundle":
        return data, parsed.tree, deviations
    _check_shape(data, "Bundle", "")
    for number, item in enumerate(data.get("entry", ())):
        if isinstance(item.get("resource"), dict):
            check_resource(item["resource"], f"/entry/{number}/resource")
    return data, parsed.tree, deviations


def _plain(node: Node, deviations: list[Deviation]) -> Any:
    """A tree as parsed JSON: whole numbers as int, the others as Decimal; what is empty is left out."""
    if node.state is State.NULL:
        return None
    children = list(node.children())
    if not children:
        value = node.value
        return int(value) if isinstance(value, Decimal) and str(value).lstrip("-").isdigit() else value
    found: Json = {}
    for child in children:
        if child.state is State.EMPTY:
            deviations.append(Deviation(child.place, "empty, as if it were not there"))
            continue
        value = _plain(child, deviations)
        if getattr(child, "repeats", False):
            found.setdefault(child.name, []).append(value)
        elif value is None:
            deviations.append(Deviation(child.place, "null, as if it were not there"))
        else:
            found[child.name] = value
    return found[""] if list(found) == [""] else found


def resources_of(data: Json) -> Iterator[Json]:
    """The resources of a bundle as it was sent."""
    for item in _dicts(data.get("entry")):
        if isinstance(item.get("resource"), dict):
            yield item["resource"]


def _dicts(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_hubs(tag: Json) -> bool:
    """Whether a meta.tag is the hub's own."""
    return str(tag.get("system", "")).startswith(HUB_BASE)


def type_said(resource: Json) -> str:
    """The resource's type when R4 has it; never what else may stand there."""
    said = resource.get("resourceType")
    return said if isinstance(said, str) and said in table.resource_types() else "a resource that R4 does not have"


def header_fields(data: Json, header: Json, key: str) -> dict[str, str]:
    """Header leaves by the names of `Context.header`."""
    source = header.get("source")
    destination = next(iter(_dicts(header.get("destination"))), {})
    response, sender = header.get("response"), header.get("sender")
    found = {
        "message-id": key,
        "at": data.get("timestamp"),
        "sender": source.get("name") if isinstance(source, dict) else "",
        "sender-facility": sender.get("display") if isinstance(sender, dict) else "",
        "recipient": destination.get("name"),
        "answers": answered_key(header) if isinstance(response, dict) else "",
    }
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def check_resource(resource: Json, place: str) -> None:
    """Refuse a resource that is no FHIR in its shape; what it says may still be wrong."""
    name = resource.get("resourceType")
    if not isinstance(name, str):
        raise Malformed(f"{place}/resourceType", "shape", "every resource names its type")
    _check_shape(resource, name, place)


def _check_shape(element: Json, node: str, place: str) -> None:
    """Refuse an object where R4 has a value, one where it has several, and the like: it could not be copied as FHIR."""
    for name, value in element.items():
        found = table.fields(node).get(name)
        if found is None:
            continue
        if isinstance(value, list) is not found.is_list:
            raise Malformed(f"{place}/{name}", "shape", "is a list" if found.is_list else "is no list")
        for number, item in enumerate(value if found.is_list else [value]):
            at = f"{place}/{name}/{number}" if found.is_list else f"{place}/{name}"
            if found.is_primitive and not (_fits(item, found.types[0]) or (item is None and found.is_list)):
                raise Malformed(at, "shape", f"is no {found.types[0]} as JSON writes it")
            if not found.is_primitive and not isinstance(item, dict):
                raise Malformed(at, "shape", "is an object")
            if isinstance(item, dict) and found.node and found.node != "Resource":
                _check_shape(item, found.node, at)


def _fits(value: Any, type_name: str) -> bool:
    """Whether JSON writes a primitive of that type so."""
    if type_name == "boolean":
        return isinstance(value, bool)
    if type_name in _NUMBERS:
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    return isinstance(value, str)


def _modifiers(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Where something stands that may change the meaning of the rest."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if key in ("modifierExtension", "implicitRules"):
            yield f"{place}/{key}", str(key)
        yield from _modifiers(item, f"{place}/{key}")


def _said(row: ClaimRow, resource: Json, agency: str) -> Iterator[Json]:
    """The claims of one resource, as extensions of the MessageHeader."""
    roots = [resource] if row.at is None else [holder[key] for holder, key in paths.slots(resource, row.at.steps)]
    for root in roots:
        value = _first(root, row.value)
        if value:
            parts: list[Json] = [{"url": "value", "valueString": value}]
            if by := next((text for path in row.by if (text := _first(root, path))), ""):
                parts.append({"url": "by", "valueString": by})
            if row.date is not None and (date := _first(root, row.date)):
                parts.append({"url": "date", "valueDate": date[:10]})
            yield claim_extension({"kind": row.claim, "parts": parts}, agency)


def _first(root: Any, path: paths.Path) -> str:
    return next((paths.text_of(holder[key]) for holder, key in paths.slots(root, path.steps)), "")


def _named_party(reference: Json, header: Entry | None) -> Json:
    """A reference of the header to a resource of the bundle, as a logical one: a header leads to its focus."""
    lead = next((lead for lead in header.leads if lead.reference is reference), None) if header else None
    if lead is None:
        return reference
    resource = lead.target.resource
    said: Json = {"type": lead.target.type}
    if identifier := next(iter(_dicts(resource.get("identifier"))), None):
        said["identifier"] = identifier
    name = reference.get("display") or resource.get("name")
    if isinstance(name, str):
        said["display"] = name
    return said if len(said) > 1 else {**said, "display": lead.target.type}


def _label_inline(element: Any, steps: Sequence[paths.Step], data_class: str) -> None:
    """Label what stands at the end of the steps with a class of its own, once."""
    if not isinstance(element, dict):
        return
    name, rest = steps[0].name, steps[1:]
    held = element.get(name)
    if rest:
        for below in held if isinstance(held, list) else [held]:
            _label_inline(below, rest, data_class)
        return
    labels = label_extensions(data_class, ())
    places = [(held, index) for index in range(len(held))] if isinstance(held, list) else [(element, name)]
    for container, key in places if held is not None else ():
        if labels[0] not in _extensions(container, key, element, name):
            extend(container, key, name, labels, element)


def _extensions(container: Any, key: Any, element: Json, name: str) -> list[Json]:
    """The extensions of a value; of a primitive, those that stand beside it."""
    value = container[key]
    if not isinstance(value, dict):
        value = element.get(f"_{name}")
        if isinstance(value, list):
            value = value[key] if key < len(value) else None
    return _dicts(value.get("extension")) if isinstance(value, dict) else []


def _with(first: Sequence[Mapping[str, Any]], more: Any) -> list[Json]:
    """The first, then what is not among them."""
    found = [dict(item) for item in first]
    return found + [item for item in _dicts(more) if item not in found]


def _part(tree: Node, entries: Sequence[Entry]) -> Node:
    """The tree of a strand's own entries, and of what belongs to the whole bundle."""
    mine = {id(entry.node) for entry in entries}
    branch = Branch(tree.name, tree.place)
    branch.nodes = [node for node in tree.children() if node.name != "entry" or id(node) in mine]  # type: ignore[misc]
    return branch
