"""Harm done at random to sound resources: whatever an independent R4 validator refuses, ours refuses too."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import fhirkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.r4.validate import has_errors, validate
from tests.adapters.r4 import samples

Path = tuple[str | int, ...]

SOUND = [*samples.SINGLE.values(), samples.message(), samples.transaction()]
STRANGE: list[Any] = [
    *(None, True, 1, -1, 1.5, "", "x", " ", "1", "true", [], {}, [{}], ["x"], [None], {"x": 1}, {"id": "x"}),
    *({"reference": "x"}, "2026", "2026-02-30", "#x", "urn:uuid:x", {"text": "t"}, [{"text": "t"}], "\ud800", 2**80),
]
KEYS = ["foo", "id", "extension", "_status", "_name", "value", "valueString", "text", "resourceType", "contained", ""]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Name every place below the root of a resource."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from places(member, (*path, key))


@st.composite
def harmed(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a sound resource with one to three places deleted, replaced or added to."""
    resource = copy.deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 3))):
        left = list(places(resource))
        if not left:
            break
        *way, last = draw(st.sampled_from(left))
        parent: Any = resource
        for step in way:
            parent = parent[step]
        harm = draw(st.sampled_from(["delete", "replace", "add"]))
        if harm == "delete":
            del parent[last]
        elif harm == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
        else:
            parent[last] = copy.deepcopy(draw(st.sampled_from(STRANGE)))
    return resource


def refused_by_fhirkit(resource: dict[str, Any]) -> list[str]:
    """List the errors that fhirkit finds."""
    try:
        found = fhirkit.validate(json.dumps(resource, default=float))
    except ValueError as error:
        return [str(error)]
    return [str(issue) for issue in found if issue.severity == "error"]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(harmed())
@example({"resourceType": "Patient", "name": [{"given": ["x"], "_given": [None, {"id": "x"}]}]})
def test_what_fhirkit_refuses_is_refused(resource: dict[str, Any]) -> None:
    """Nothing that another R4 validator calls an error passes here, and no harm makes the validator raise."""
    found = validate(resource)
    if refused_by_fhirkit(resource):
        assert has_errors(found)
