"""Walks a resource's elements, and reads and writes the labels that they carry.

A place inside a resource is dotted, indices in brackets: ``note[0].text``. The inline label of a primitive stands
on its ``_element``, as FHIR writes extensions of primitives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from consent.vocabulary import INLINE_LABEL_URL

SKIPPED: Final = frozenset({"meta", "extension", "modifierExtension", "contained", "text"})
"""Parts of a resource that hold no element of its own content."""


def copied(value: Any) -> Any:
    """A deep copy of parsed JSON; leaves are immutable and shared."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value


def resources_of(bundle: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every resource of a bundle with its place: ``fullUrl``, else type and id, else where it stands."""
    for index, entry in enumerate(bundle.get("entry") or ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            place = entry.get("fullUrl")
            if not isinstance(place, str) or not place:
                own = resource.get("id")
                place = f"{resource.get('resourceType')}/{own}" if own else f"entry[{index}]"
            yield place, resource


def inline_labels(element: Any) -> list[dict[str, Any]]:
    """The Codings of the inline labels on an element (or on the ``_element`` of a primitive)."""
    extensions = element.get("extension") if isinstance(element, dict) else None
    if not isinstance(extensions, list):
        return []
    return [
        extension["valueCoding"]
        for extension in extensions
        if isinstance(extension, dict)
        and extension.get("url") == INLINE_LABEL_URL
        and isinstance(extension.get("valueCoding"), dict)
    ]


def put_inline(parent: dict[str, Any], key: str, index: int | None, coding: Mapping[str, str]) -> None:
    """Put one inline label on ``parent[key]`` (or on its item `index`), unless it is there already."""
    value = parent[key] if index is None else parent[key][index]
    # What stands where the extensions of a primitive belong and is no such thing says nothing: it makes room.
    beside = parent.get(f"_{key}")
    if isinstance(value, dict):
        target = value
    elif index is None:
        target = parent[f"_{key}"] = beside if isinstance(beside, dict) else {}
    else:
        shadows = parent[f"_{key}"] = beside if isinstance(beside, list) else []
        shadows.extend([None] * (len(parent[key]) - len(shadows)))
        target = shadows[index] = shadows[index] if isinstance(shadows[index], dict) else {}
    if dict(coding) not in inline_labels(target):
        if not isinstance(target.get("extension"), list):
            target["extension"] = []
        target["extension"].append({"url": INLINE_LABEL_URL, "valueCoding": dict(coding)})


def elements(
    value: dict[str, Any], path: str = "", top: bool = True
) -> Iterator[tuple[str, dict[str, Any], str, int | None]]:
    """Every element below `value`, parents first: path, the dict that holds it, key, index if it repeats."""
    for key in list(value):
        if key.startswith("_") or (key in SKIPPED and (top or key != "text")) or key == "resourceType":
            continue
        inner = value[key]
        here = f"{path}.{key}" if path else key
        if isinstance(inner, list):
            for index, one in enumerate(inner):
                yield f"{here}[{index}]", value, key, index
                if isinstance(one, dict):
                    yield from elements(one, f"{here}[{index}]", top=False)
        else:
            yield here, value, key, None
            if isinstance(inner, dict):
                yield from elements(inner, here, top=False)


def shadow(parent: Mapping[str, Any], key: str, index: int | None) -> Any:
    """What carries the extensions of an element: the element itself, or ``_key`` for a primitive."""
    value = parent.get(key) if index is None else parent[key][index]
    if isinstance(value, dict):
        return value
    beside = parent.get(f"_{key}")
    if index is None:
        return beside
    return beside[index] if isinstance(beside, list) and index < len(beside) else None


def bare(path: str) -> str:
    """A path without its indices."""
    parts = []
    for part in path.split("."):
        parts.append(part.split("[", 1)[0])
    return ".".join(parts)


def codings(value: Any) -> Iterator[dict[str, Any]]:
    """Every Coding anywhere below `value`, extensions and metadata left out."""
    if isinstance(value, dict):
        if isinstance(value.get("code"), str) and (isinstance(value.get("system"), str) or "display" in value):
            yield value
        for key, inner in value.items():
            if key not in ("meta", "extension", "modifierExtension", "contained"):
                yield from codings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from codings(inner)


def references(value: Any) -> Iterator[str]:
    """Every literal reference anywhere below `value`."""
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str):
            yield reference
        for key, inner in value.items():
            if key not in ("meta", "extension", "modifierExtension"):
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def at_path(value: Any, path: str) -> Iterator[Any]:
    """Every value at a dotted path, through lists."""
    head, _, rest = path.partition(".")
    inner = value.get(head) if isinstance(value, dict) else None
    for one in inner if isinstance(inner, list) else [inner]:
        if one is not None:
            if rest:
                yield from at_path(one, rest)
            else:
                yield one
