"""The canonical data beside the page: whole, in both languages, in step with the vocabulary and with R4."""

from __future__ import annotations

import csv
import importlib
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fhir.resources.R4B import get_fhir_model_class

from consent.vocabulary import HUB_BASE, DataClass, Event, ReferralState, Taint

HERE = Path(importlib.import_module("adapters").__path__[0]) / "canonical"
CODE_SYSTEMS = sorted((HERE / "codesystems").glob("*.json"))
CONCEPT_MAPS = sorted((HERE / "conceptmaps").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def concepts(system: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = list(system["concept"])
    while waiting:
        concept = waiting.pop(0)
        waiting.extend(concept.get("concept", []))
        yield concept


def codes(name: str) -> set[str]:
    return {concept["code"] for concept in concepts(load(HERE / "codesystems" / f"{name}.json"))}


@pytest.mark.parametrize("path", CODE_SYSTEMS + CONCEPT_MAPS, ids=lambda path: path.stem)
def test_each_is_valid_r4(path: Path) -> None:
    """Each code system and concept map is a valid resource under its own name."""
    resource = load(path)
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    assert resource["url"] == f"{HUB_BASE}/{resource['resourceType']}/{path.stem}"


@pytest.mark.parametrize("path", CODE_SYSTEMS, ids=lambda path: path.stem)
def test_each_concept_speaks_both_languages(path: Path) -> None:
    """Each concept has an English display and one composed (NFC) Vietnamese one, and no code stands twice."""
    system = load(path)
    found = list(concepts(system))
    assert len({concept["code"] for concept in found}) == len(found) == system["count"]
    for concept in found:
        vietnamese = [each["value"] for each in concept["designation"] if each["language"] == "vi"]
        assert concept["display"]
        assert len(vietnamese) == 1
        assert vietnamese[0] == unicodedata.normalize("NFC", vietnamese[0])


@pytest.mark.parametrize(
    ("name", "words"),
    [("event", Event), ("data-class", DataClass), ("taint", Taint), ("referral-state", ReferralState)],
)
def test_code_systems_say_what_the_vocabulary_says(name: str, words: type) -> None:
    """A code system that the vocabulary has as a type holds exactly its members."""
    assert codes(name) == {str(word) for word in words}  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", CONCEPT_MAPS, ids=lambda path: path.stem)
def test_concept_maps_cover_their_source(path: Path) -> None:
    """Each source code is mapped or said to be unmatched, and each target of ours exists."""
    for group in load(path)["group"]:
        assert {element["code"] for element in group["element"]} == codes(group["source"].rsplit("/", 1)[1])
        if group["target"].startswith(HUB_BASE):
            known = codes(group["target"].rsplit("/", 1)[1])
            targets = [target for element in group["element"] for target in element["target"]]
            assert {target["code"] for target in targets if "code" in target} <= known
            assert all(("code" in target) != (target["equivalence"] == "unmatched") for target in targets)


def test_every_link_is_a_reference_that_r4_allows() -> None:
    """Each link walks real R4 elements to a Reference that may point to each of its targets."""
    links = yaml.load((HERE / "links.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    assert len({row["link"] for row in links["links"]}) == len(links["links"])
    for row in links["links"]:
        allowed = reference_targets(row["link"])
        assert allowed == {"Resource"} or set(row["to"]) <= allowed, row["link"]


def reference_targets(link: str) -> set[str]:
    """The R4 types that the reference at `link` may point to; a step is a list when it says ``[]``."""
    kind, *steps = link.split(".")
    field = None
    for step in steps:
        name = step.removesuffix("[]")
        fields = get_fhir_model_class(kind).model_fields
        field = next(each for key, each in fields.items() if name in (key, each.alias))
        annotation = str(field.annotation)
        assert ("List[" in annotation) == step.endswith("[]"), link
        kind = re.findall(r"abc\.(\w+)Type", annotation)[0]
    assert kind == "Reference", link
    assert field is not None
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    targets = extra["enum_reference_types"]
    assert isinstance(targets, list)
    return {str(target) for target in targets}


def test_every_state_can_be_said_as_a_task() -> None:
    """The crosswalk has every state as a Task status, and reads each code of a format as one state."""
    with (HERE / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["state"] for row in rows} == {row["state"] for row in rows if row["format"] == "fhir-task"}
    assert {row["state"] for row in rows} == {str(state) for state in ReferralState}
    inward = [(row["format"], row["code"]) for row in rows if row["direction"] in ("both", "in")]
    outward = [(row["format"], row["state"]) for row in rows if row["direction"] in ("both", "out")]
    assert len(set(inward)) == len(inward)
    assert len(set(outward)) == len(outward)
