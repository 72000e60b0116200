"""The end of a reading: identities, links and references of what was made, and the message Bundle around it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from hashlib import sha256

from adapters.errors import Unmappable
from adapters.mapping import identity
from adapters.mapping.dates import fhir_moment
from adapters.mapping.kin import Kin
from adapters.mapping.making import Key, Making
from adapters.mapping.paths import Json, Step
from adapters.mapping.reader import repeated
from adapters.mapping.siblings import Siblings, known_by
from adapters.mapping.walk import Made, Walk
from adapters.pack import Bundle, Context, Deviation, Head, LossKind
from adapters.r4 import table
from consent.vocabulary import CLAIM_URL, EVENT_SYSTEM, HUB_BASE

MESSAGE_ID_SYSTEM = f"{HUB_BASE}/NamingSystem/message-id"
MESSAGE_KEY_URL = f"{HUB_BASE}/StructureDefinition/message-key"


@cache
def required_elements(kind: str) -> tuple[tuple[str, ...], ...]:
    """The elements that R4 requires of a resource; of a choice, the names that each may have."""
    choices: dict[str, list[str]] = {}
    for name, element in table.fields(kind).items():
        if element.min:
            choices.setdefault(element.choice or name, []).append(name)
    return tuple((*names, *(f"_{name}" for name in names)) for names in choices.values())


class Assembly:
    """One strand's resources on the way to a Bundle."""

    def __init__(
        self, walk: Walk, context: Context, head: Head, raw: bytes, strand: int, siblings: Siblings | None = None
    ) -> None:
        """`siblings`: the other children of the message, when there are any."""
        self.walk = walk
        self.context = context
        self.head = head
        self.strand = strand
        self.raw = raw
        self.used: dict[str, Made] = {}
        self.times: dict[str, int] = {}
        """How often a key that is not merged has stood."""
        self.linked: set[tuple[int, str]] = set()
        """(id of a list, fullUrl) of the references put."""
        self.kin = Kin(walk.made)
        self.siblings = siblings

    @cached_property
    def salt(self) -> str:
        """What makes resources without a key this message's own."""
        return (self.context.salt or sha256(self.raw).digest()).hex()

    def bundle(self, pack: tuple[str, str]) -> Bundle:
        """The canonical message Bundle."""
        for made in self.walk.made:
            self._identify(made)
        if self.siblings is not None:
            self.siblings.tell_apart(self.walk, self.kin, f"{self.salt}.{self.strand}", self.context.id_key)
        kept = self._without_repeats()
        header = self._header(pack)
        for made in self.walk.made:  # what was merged is linked to all the same
            self._link(made, header)
        for made in kept:
            self._refer(made)
        entries = [{"fullUrl": header.pop("_url"), "resource": header}]
        entries += [{"fullUrl": made.full_url, "resource": self._finish(made)} for made in kept]
        bundle: Json = {"resourceType": "Bundle", "type": "message", "timestamp": self._timestamp(), "entry": entries}
        if message_id := self.head.fields.get("message-id"):
            bundle["identifier"] = {"system": MESSAGE_ID_SYSTEM, "value": message_id}
        return bundle

    def _timestamp(self) -> str:
        return self.head.fields.get("at") or fhir_moment(self.context.at)

    def _identify(self, made: Made) -> str:
        if made.full_url:
            return made.full_url
        making: Making = made.row
        for key in making.keys:
            parts = self._key(made, key)
            if parts is not None:
                made.keyed = True
                made.full_url = identity.full_url(self.context.id_key, making.type, *parts)
                return made.full_url
        ordinal = f"{self.strand}.{made.number}"
        made.full_url = identity.full_url(self.context.id_key, making.type, self.context.agency, self.salt, ordinal)
        return made.full_url

    def _key(self, made: Made, key: Key) -> tuple[str, ...] | None:
        if key.find is not None:
            return identity.key_parts(key.find(made.resource), key.text, self.context.agency)
        owner = self.kin.of_role(made, key.of)
        if owner is None:
            return None
        url = self._identify(owner)
        if not owner.keyed:
            return None
        if not key.by:
            return ("of", url, str(self.kin.ordinal(made, key.of)))
        values = identity.values_at(made.resource, key.by)
        return ("of", url, *values) if any(values) else None

    def _without_repeats(self) -> list[Made]:
        """A key that stands twice: merged where the row says so, else both kept and the second told apart,
        and what is known by the second goes with it."""
        kept: list[Made] = []
        apart: set[int] = set()
        for made in self.walk.made:
            if apart and made.keyed and (above := known_by(made, self.kin)) is not None and id(above) in apart:
                made.full_url = identity.full_url(self.context.id_key, made.full_url, above.full_url)
                apart.add(id(made))
            first = self.used.setdefault(made.full_url, made)
            if first is made:
                kept.append(made)
            elif made.row.row.same == "merge":
                if first.resource != made.resource:
                    for one in (first, made):
                        self.walk.note(
                            one.place, LossKind.MERGE, "joined with what stands elsewhere under the same key"
                        )
                _merge(first.resource, made.resource)
                made.resource = first.resource
            else:
                self.walk.deviations.append(repeated(made.place))
                self._tell_apart(made)
                apart.add(id(made))
                kept.append(made)
        return kept

    def _tell_apart(self, made: Made) -> None:
        """Give a second resource of one key an id of its own."""
        key = made.full_url
        while made.full_url in self.used:
            self.times[key] = self.times.get(key, 1) + 1
            made.full_url = identity.full_url(self.context.id_key, key, str(self.times[key]))
        self.used[made.full_url] = made

    def _holder(self, made: Made, header: Json) -> Json | None:
        """The resource that holds the link to what was made."""
        making: Making = made.row
        if making.link_type == "MessageHeader":
            return header
        above = made.above
        while above is not None:
            if above.type == making.link_type:
                return above.resource
            above = above.above
        before = self.kin.last_of(making.link_type, made)
        return before.resource if before is not None else None

    def _link(self, made: Made, header: Json) -> None:
        making: Making = made.row
        if not making.link:
            return
        if making.own_link:
            target = self._target(made)
            if target is not None:
                self._refer_to(made.resource, making.link, target.full_url)
            return
        holder = self._holder(made, header)
        if holder is not None:
            self._refer_to(holder, making.link, made.full_url, made.inside)

    def _target(self, made: Made) -> Made | None:
        """What a link that the made resource holds leads to: the nearest enclosing target, else the last one made."""
        making: Making = made.row
        above = made.above
        while above is not None:
            if above.type in making.targets:
                return above
            above = above.above
        return self.kin.nearest_of(making.targets, made)

    def _refer(self, made: Made) -> None:
        making: Making = made.row
        for steps, role in making.refs:
            target = self.kin.of_role(made, role)
            if target is not None:
                self._refer_to(made.resource, steps, target.full_url)

    def _refer_to(self, holder: Json, way: tuple[Step, ...], url: str, inside: Json | None = None) -> None:
        """A reference at the end of the way; in a list of backbone elements, in an item of its own (or in `inside`)."""
        element, last = holder, way[-1]
        if len(way) > 1:
            element = _item(holder, way, inside)
        if not last.is_list:
            if last.name not in element:
                element[last.name] = {"reference": url}
            return
        held = element.setdefault(last.name, [])
        if (id(held), url) not in self.linked:
            self.linked.add((id(held), url))
            held.append({"reference": url})

    def _finish(self, made: Made) -> Json:
        """The resource with its id, labels and tag; what R4 requires and the message does not give refuses."""
        making, resource = made.row, made.resource
        for names in required_elements(making.type):
            if resource.keys().isdisjoint(names):
                why = f"{making.type}.{names[0]} is required, and nothing here gives it"
                raise Unmappable(made.place, "required", why)
        meta: Json = {"security": [dict(coding) for coding in making.codings]}
        if not made.keyed:
            meta["tag"] = [dict(identity.NEVER_MATCHES)]
        resource.pop("meta", None)
        return {"resourceType": making.type, "id": made.full_url.removeprefix("urn:uuid:"), "meta": meta, **resource}

    def _header(self, pack: tuple[str, str]) -> Json:
        fields, context = self.head.fields, self.context
        key = self.head.key or self.salt
        child = next((made for made in self.walk.made if made.type == "Patient" and made.keyed), None)
        part = child.full_url if child is not None else str(self.strand)
        url = identity.full_url(context.id_key, "MessageHeader", context.agency, key, part)
        if self.siblings is not None:
            url = self.siblings.header(url, self.strand, context.id_key)
        header: Json = {"_url": url, "resourceType": "MessageHeader", "id": url.removeprefix("urn:uuid:")}
        header["meta"] = {"source": f"{HUB_BASE}/pack/{pack[0]}#{pack[1]}"}
        claims = [claim_extension(claim, context.agency) for claim in self.walk.claims]
        if claims:
            header["extension"] = claims
        if self.head.event is not None:
            header["eventCoding"] = {"system": EVENT_SYSTEM, "code": self.head.event.value}
        receiver = _named(fields.get("recipient-facility"))
        if fields.get("recipient") or receiver:
            destination: Json = {"endpoint": f"{HUB_BASE}/Endpoint/{fields.get('recipient-id') or 'hub'}"}
            if fields.get("recipient"):
                destination = {"name": fields["recipient"], **destination}
            header["destination"] = [{**destination, "receiver": receiver} if receiver else destination]
        if sender := _named(fields.get("sender-facility")):
            header["sender"] = sender
        source: Json = {"endpoint": f"{HUB_BASE}/Endpoint/{context.agency or 'unknown'}"}
        header["source"] = {"name": fields["sender"], **source} if fields.get("sender") else source
        if answers := (fields.get("replaces") or fields.get("answers")):
            header["response"] = response_to(answers)
        return header


def _named(name: str | None) -> Json | None:
    """A logical reference to an organization known by name."""
    return {"type": "Organization", "display": name} if name else None


def response_to(key: str) -> Json:
    """The message that this one answers or takes back; R4 wants an id, so another key stands beside its digest."""
    if len(key) <= 64 and all(char.isascii() and (char.isalnum() or char in "-.") for char in key):
        return {"identifier": key, "code": "ok"}
    beside = {"extension": [{"url": MESSAGE_KEY_URL, "valueString": key}]}
    return {"identifier": sha256(key.encode()).hexdigest(), "_identifier": beside, "code": "ok"}


def claim_extension(claim: Json, agency: str) -> Json:
    """A claim as it stands in the MessageHeader, with its claimant when it names nobody."""
    parts = [{"url": "kind", "valueCode": claim["kind"]}, *claim["parts"]]
    if agency and not any(part["url"] == "by" for part in parts):
        parts.append({"url": "claimant", "valueString": agency})
    return {"url": CLAIM_URL, "extension": parts}


def _item(holder: Json, way: tuple[Step, ...], inside: Json | None) -> Json:
    """The element that holds the last step of a way, its lists given an item each."""
    element = holder
    for position, step in enumerate(way[:-1], 2):
        if step.is_list:
            item: Json = inside if inside is not None and position == len(way) else {}
            element.setdefault(step.name, []).append(item)
            element = item
        else:
            element = element.setdefault(step.name, {})
    return element


def _merge(first: Json, second: Json) -> None:
    """What the second says beside the first; where both say something, the first holds."""
    for key, value in second.items():
        if key not in first:
            first[key] = value
        elif isinstance(value, list) and isinstance(first[key], list):
            first[key].extend(item for item in value if item not in first[key])


def deviations(found: Iterable[Deviation]) -> tuple[Deviation, ...]:
    """Each deviation once, in order."""
    return tuple(dict.fromkeys(found))
