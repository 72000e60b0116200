"""Part 3 of the law: what was written and is read again says what was read, as far as no loss was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.checking.context import CONTEXT
from adapters.checking.declared import Declared, touches
from adapters.checking.places import canonical_leaves, unlabelled, unnumbered
from adapters.checking.problems import Breach
from adapters.errors import AdapterError
from adapters.pack import Bundle, Context, Pack, Reading, Strand, Writing

NEVER_MATCHES: Final = "never-matches"


def stability_breaches(
    pack: Pack,
    declared: Declared,
    strand: Strand,
    written: Writing,
    context: Context,
    others: Sequence[Strand] = (),
) -> Iterator[Breach]:
    """Part 3: read(write(read(m))) == read(m), fullUrls included, as far as nothing was lost on the way out; what was
    written once is from then on read and written the same, byte for byte. `others`: the message's other children, whose
    key a resource may share: alone, it has that key's id."""
    try:
        first = _only(pack.read(written.raw, CONTEXT))
        second_raw = pack.write(first.bundle, context).raw
        second = _only(pack.read(second_raw, CONTEXT))
    except AdapterError as fault:
        place = getattr(fault, "place", "")
        yield Breach(3, place, f"what was written cannot be read and written again: {type(fault).__name__}")
        return
    if second_raw != written.raw:
        yield Breach(3, "", "a second write is not byte-equal")
    if place := _difference(_comparable(first.bundle), _comparable(second.bundle)):
        yield Breach(3, place, "reading what was written twice is another than reading what was written once")
    mine = _renamed(strand.bundle, _shared(strand.bundle, first.bundle, others)) if others else strand.bundle
    if not written.loss and (place := _difference(_comparable(mine), _comparable(first.bundle))):
        yield Breach(3, place, "reading what was written is another than what was read")
    if written.loss:
        told = _Told(frozenset(unnumbered(loss.place) for loss in written.loss), declared)
        for place in sorted(
            {place for place, whole, new in _changed(mine, first.bundle) if not told.covers(place, whole, new)}
        ):
            yield Breach(3, place, "is another when what was written is read, and no loss is reported there")


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known to be said otherwise, or not at all, on the way through the format."""

    lost: frozenset[str]
    """Canonical places that the writer reports as lost."""
    declared: Declared

    def covers(self, place: str, whole: str, new: bool) -> bool:
        """Whether what changed at a place was told: reported as lost, said in the format's own way, a default of a
        resource of which something was lost, or, of what only appears (`new`), a constant of the format or what another
        place says as well; `whole` is the place with the extensions on its way."""
        declared, resource = self.declared, place.partition(".")[0]
        coding = place.removesuffix(".system")  # a code's system comes and goes with what else its coding says
        if any(touches(one, other) for one in self.lost for other in (coding, whole, *_words(place))):
            return True
        if place in declared.defaults and any(touches(one, resource) for one in self.lost):
            return True
        appears = declared.may_appear() | declared.defaults | declared.said_once() if new else set[str]()
        code = f"{coding}.code" if coding != place else place
        return place in declared.said_otherwise() or bool({place, code} & appears)


def _words(place: str) -> tuple[str, ...]:
    """Where else the words of a code may stand: in its display or, when the rest of it is lost, in the text."""
    for end in (".coding.display", ".text"):
        if place.endswith(end):
            concept = place.removesuffix(end)
            return f"{concept}.coding", f"{concept}.text"
    return ()


def _changed(one: Bundle, other: Bundle) -> set[tuple[str, str, bool]]:
    """The canonical places, without indices, at which the resources of two bundles do not say the same: each with its
    whole way, and whether it only appears."""
    before, after = (Counter(_saying(bundle)) for bundle in (one, other))
    gone = {(place, whole) for place, whole, _ in before - after}
    came = {(place, whole) for place, whole, _ in after - before}
    return {(place, whole, (place, whole) not in gone) for place, whole in gone | came}


def _saying(bundle: Bundle) -> Iterator[tuple[str, str, str]]:
    """The leaves of a bundle's resources, without what the hub says itself; an extension stands at what it extends.

    A code that is kept beside a primitive (`_use`) is no word of the canonical side, and goes with its element unsaid.
    """
    for entry in bundle["entry"][1:]:
        resource = unlabelled(entry["resource"])
        for place, value in canonical_leaves(resource, str(resource.get("resourceType"))):
            whole = unnumbered(place)
            parts = whole.split(".")
            ours = parts[1] in ("id", "meta") or parts[-1] in ("reference", "resourceType", "url")
            if not ours and not any(part.startswith("_") for part in parts):
                short = whole.partition(".extension.")[0]
                yield short if "." in short else f"{short}.extension", whole, value


def _shared(bundle: Bundle, alone: Bundle, others: Sequence[Strand]) -> dict[str, str]:
    """The ids that resources have only because another child's have theirs, and those that they have alone."""
    taken = {entry["fullUrl"] for other in others for entry in other.bundle["entry"][1:]}
    names: dict[str, str] = {}
    for here, there in zip(bundle["entry"][1:], alone["entry"][1:], strict=False):
        if here["fullUrl"] != there["fullUrl"] and there["fullUrl"] in taken:
            names[here["fullUrl"]] = there["fullUrl"]
            names[here["resource"]["id"]] = there["resource"]["id"]
    return names


def _only(reading: Reading) -> Strand:
    (strand,) = reading.strands
    return strand


def _comparable(bundle: Bundle) -> Any:
    """The bundle without what the context says and the hub labels anew (`consent.label`), its entries by type and
    address, its salted addresses numbered: FHIR R4 (2.4.1, messaging) gives the order of a message's entries no meaning
    but that the header comes first."""
    header = dict(bundle["entry"][0]["resource"])
    for name in ("id", "meta", "source", "sender", "destination"):
        header.pop(name, None)
    entries = sorted(unlabelled(bundle["entry"][1:]), key=lambda entry: str(entry["resource"]["resourceType"]))
    salted = [entry["fullUrl"] for entry in entries if NEVER_MATCHES in str(entry["resource"].get("meta", ""))]
    names = {url: f"salted {number:04}" for number, url in enumerate(salted)}
    entries.sort(key=lambda entry: (entry["resource"]["resourceType"], names.get(entry["fullUrl"], entry["fullUrl"])))
    names |= {url.removeprefix("urn:uuid:"): name for url, name in names.items()}
    return _renamed({"entry": [{"resource": header}, *entries]}, names)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _difference(one: Any, other: Any, place: str = "Bundle") -> str:
    """Where two values first differ; "" when they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            if found := _difference(one.get(name), other.get(name), f"{place}.{name}"):
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            if index >= min(len(one), len(other)):
                return f"{place}[{index}]"
            kind = one[index].get("resource", {}).get("resourceType", "") if isinstance(one[index], dict) else ""
            if found := _difference(one[index], other[index], f"{place}[{index}]{f'({kind})' if kind else ''}"):
                return found
        return ""
    return "" if str(one) == str(other) and type(one) is type(other) else place
