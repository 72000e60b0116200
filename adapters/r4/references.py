"""Judges what only the whole shows: references inside a bundle, contained resources, and the rules of bundles.

An address outside the bundle is nobody's business here; a ``urn:uuid:`` that leads nowhere is always a mistake.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.r4 import table
from adapters.r4.issues import Issue
from adapters.r4.shape import Reference, Scope, Walk

Json = Mapping[str, Any]

_TYPED_RE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?$")
_RELATIVE_RE = re.compile(r"([A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?|\?.+)")
_SCHEME_RE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WITH_REQUEST: Final = ("batch", "transaction", "history")
_WITH_RESPONSE: Final = ("batch-response", "transaction-response", "history")


def judge(walk: Walk) -> Iterator[Issue]:
    """Yield what is wrong with the references, contained resources and bundles that `walk` met."""
    known = {id(scope): _full_urls(scope) for scope in walk.scopes if _is_bundle(scope)}
    for reference in walk.references:
        yield from _reference(reference, known)
    for scope in walk.scopes:
        yield from _contained(scope)
        if _is_bundle(scope):
            yield from _bundle(scope)


def _error(code: str, at: str, diagnostics: str) -> Issue:
    return Issue("error", code, at, diagnostics)


def _is_bundle(scope: Scope) -> bool:
    return scope.resource.get("resourceType") == "Bundle"


def _dicts(value: object) -> list[tuple[int, Json]]:
    """List the objects of a list with their places; nothing when it is no list."""
    return [(n, item) for n, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Json, key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _full_urls(scope: Scope) -> dict[str, str]:
    """Map each fullUrl of a bundle to the type of its resource."""
    found = {}
    for _, entry in _dicts(scope.resource.get("entry")):
        resource = entry.get("resource")
        name = _text(resource, "resourceType") if isinstance(resource, dict) else ""
        if url := _text(entry, "fullUrl"):
            found[url] = name
    return found


# --- references ---------------------------------------------------------------------------------------------


def _reference(reference: Reference, known: Mapping[int, Mapping[str, str]]) -> Iterator[Issue]:
    target, at = _text(reference.value, "reference"), f"{reference.at}.reference"
    if not target:
        yield from _target_type(reference, _said_type(reference))
    elif target.startswith("#"):
        yield from _local(reference, target)
    elif target.startswith(("urn:uuid:", "urn:oid:")):
        if reference.scope.bundle is None and not _is_bundle(reference.scope):
            return
        found = _look_up(reference.scope, target, known)
        if found is None:
            yield _error("not-found", at, "leads to no entry of the bundle; add the entry or correct the reference")
        else:
            yield from _target_type(reference, found)
    else:
        yield from _address(reference, target, known)


def _address(reference: Reference, target: str, known: Mapping[int, Mapping[str, str]]) -> Iterator[Issue]:
    """Judge a URL or a relative ``Type/id`` by the type that it names."""
    relative = _RELATIVE_RE.fullmatch(target)
    known_type = relative is not None and relative[1] in table.resource_types()
    if not known_type and not _SCHEME_RE.match(target):
        yield _error("value", f"{reference.at}.reference", "must be Type/id of an R4 resource type, or a full URL")
        return
    typed = _TYPED_RE.search(target)
    name = typed[1] if typed and typed[1] in table.resource_types() else ""
    yield from _target_type(reference, _look_up(reference.scope, target, known) or name)


def _look_up(scope: Scope, target: str, known: Mapping[int, Mapping[str, str]]) -> str | None:
    """Find the resource type behind a fullUrl in the bundles around; the nearest wins."""
    room: Scope | None = scope
    while room is not None:
        found = known.get(id(room), {}).get(target)
        if found is not None:
            return found
        room = room.bundle
    return None


def _local(reference: Reference, target: str) -> Iterator[Issue]:
    found = [item for _, item in _dicts(reference.scope.resource.get("contained")) if item.get("id") == target[1:]]
    if found:
        yield from _target_type(reference, _text(found[0], "resourceType"))
    elif target != "#":
        say = "leads to no contained resource; add it or correct the reference (ref-1)"
        yield _error("invariant", f"{reference.at}.reference", say)


def _said_type(reference: Reference) -> str:
    said = _text(reference.value, "type")
    return said if said in table.resource_types() else ""


def _target_type(reference: Reference, name: str) -> Iterator[Issue]:
    """Judge whether a resource of type `name` ("" = unknown) may stand where the reference points from."""
    if not name:
        return
    said = _said_type(reference)
    if said and said != name:
        yield _error("value", f"{reference.at}.type", "names another type than the reference leads to; correct one")
    if reference.targets and name not in reference.targets:
        allowed = ", ".join(reference.targets)
        yield _error("value", reference.at, f"must lead to one of: {allowed}")


# --- contained resources ------------------------------------------------------------------------------------


def _contained(scope: Scope) -> Iterator[Issue]:
    items = _dicts(scope.resource.get("contained"))
    ids = Counter(_text(item, "id") for _, item in items)
    for number, item in items:
        at, name = f"{scope.at}.contained[{number}]", _text(item, "id")
        if not name:
            yield _error("required", f"{at}.id", "is required in a contained resource; give one")
        elif ids[name] > 1:
            yield _error("duplicate", f"{at}.id", "stands twice among the contained resources; make it unique")
        elif f"#{name}" not in scope.local and not _points_home(item):
            yield _error("invariant", at, "is referenced by nothing; refer to it or remove it (dom-3)")
        meta = item.get("meta")
        for key, rule in (("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")):
            if isinstance(meta, dict) and key in meta:
                yield _error("invariant", f"{at}.meta.{key}", f"must not stand in a contained resource ({rule})")


def _points_home(value: object) -> bool:
    """Whether a reference to the container (``#``) stands anywhere inside."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if item.get("reference") == "#":
                return True
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False


# --- bundles ------------------------------------------------------------------------------------------------


def _bundle(scope: Scope) -> Iterator[Issue]:
    bundle, at = scope.resource, scope.at
    kind, entries = _text(bundle, "type"), _dicts(bundle.get("entry"))
    yield from _head(bundle, kind, at)
    first = entries[0][1].get("resource") if entries else None
    name = _text(first, "resourceType") if isinstance(first, dict) else ""
    place = f"{at}.entry[0].resource" if entries else f"{at}.entry"
    if kind == "message" and name != "MessageHeader":
        yield _error("invariant", place, "the first entry of a message is its MessageHeader (bdl-12)")
    if kind == "document" and name != "Composition":
        yield _error("invariant", place, "the first entry of a document is its Composition (bdl-11)")
    for number, entry in entries:
        yield from _entry(entry, kind, f"{at}.entry[{number}]")
    if kind != "history":
        yield from _repeated(entries, at)


def _head(bundle: Json, kind: str, at: str) -> Iterator[Issue]:
    if "total" in bundle and kind not in ("searchset", "history"):
        yield _error("invariant", f"{at}.total", "only a searchset or history has a total; remove it (bdl-1)")
    if kind != "document":
        return
    identifier = bundle.get("identifier")
    if not isinstance(identifier, dict) or not {"system", "value"} <= identifier.keys():
        yield _error("invariant", f"{at}.identifier", "a document needs an identifier, system and value (bdl-9)")
    if "timestamp" not in bundle:
        yield _error("invariant", f"{at}.timestamp", "a document needs a timestamp (bdl-10)")


def _entry(entry: Json, kind: str, at: str) -> Iterator[Issue]:
    if not {"resource", "request", "response"} & entry.keys():
        yield _error("invariant", at, "needs a resource, a request or a response (bdl-5)")
    if "search" in entry and kind != "searchset":
        yield _error("invariant", f"{at}.search", "only a searchset has search entries; remove it (bdl-2)")
    if ("request" in entry) != (kind in _WITH_REQUEST):
        say = "belongs to each entry of a batch, transaction or history, and to no other bundle (bdl-3)"
        yield _error("invariant", f"{at}.request", say)
    if ("response" in entry) != (kind in _WITH_RESPONSE):
        say = "belongs to each entry of a batch or transaction response or history, and to no other bundle (bdl-4)"
        yield _error("invariant", f"{at}.response", say)
    url, resource = _text(entry, "fullUrl"), entry.get("resource")
    if "/_history/" in url:
        yield _error("invariant", f"{at}.fullUrl", "must not name a version; use meta.versionId (bdl-8)")
    typed = _TYPED_RE.search(url) if url.startswith("http") else None
    if typed and isinstance(resource, dict):
        # Only a RESTful address says a type and an id; any other one is as good as a name.
        other = typed[1] in table.resource_types() and typed[1] != resource.get("resourceType")
        if other or ("id" in resource and typed[2] != resource["id"]):
            yield _error("value", f"{at}.fullUrl", "names another type or id than the resource has; correct one")


def _repeated(entries: list[tuple[int, Json]], at: str) -> Iterator[Issue]:
    seen: set[tuple[str, str]] = set()
    for number, entry in entries:
        resource = entry.get("resource")
        meta = resource.get("meta") if isinstance(resource, dict) else None
        key = (_text(entry, "fullUrl"), _text(meta, "versionId") if isinstance(meta, dict) else "")
        if key[0] and key in seen:
            say = "stands twice in the bundle; each entry needs its own (bdl-7)"
            yield _error("duplicate", f"{at}.entry[{number}].fullUrl", say)
        seen.add(key)
