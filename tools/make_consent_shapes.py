"""Write `consent/policy/r4.json`, the little of R4 that `release` needs, from the table that the adapters carry.

    python tools/make_consent_shapes.py

For each type: its elements, which of them are complex and of which type, which must be there, and which may say
anything at all: strings and their like, and codes that no value set of R4 binds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "adapters" / "r4" / "data" / "types.json"
TARGET = ROOT / "consent" / "policy" / "r4.json"
SAYING = frozenset({"string", "markdown", "uri", "url", "canonical", "base64Binary", "xhtml"})
"""Primitive types that hold whatever somebody writes."""


def main() -> None:
    """Read the adapters' table and write the smaller one."""
    nodes = json.loads(SOURCE.read_text("utf-8"))
    shapes = {name: shape(name, node, nodes) for name, node in nodes.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in sorted(shapes.items())]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{len(shapes)} types, {TARGET.stat().st_size} bytes")


def shape(name: str, node: dict[str, Any], nodes: dict[str, Any]) -> dict[str, Any]:
    """Every element by name with its type ("" for a primitive), the names that must be there (* = repeats), and the
    primitives that may say anything."""
    types: dict[str, str] = {}
    required: list[str] = []
    saying: list[str] = []
    base = nodes.get(node.get("base", ""), {"elements": {}})
    for element, rule in {**base["elements"], **node["elements"]}.items():
        lowest, highest = rule["card"].split("..")
        if lowest != "0":
            required.append(element if highest == "1" else f"{element}*")
        for kind in rule.get("type", []):
            wire = element.replace("[x]", kind[:1].upper() + kind[1:])
            backbone = rule.get("same_as", f"{name}.{element}")
            target = backbone if kind == "BackboneElement" or backbone in nodes else kind
            types[wire] = target if target in nodes and nodes[target]["kind"] != "primitive" else ""
            if kind in SAYING or (kind == "code" and not rule.get("codes")):
                saying.append(wire)
    return {"e": types, "r": required, "t": [one for one in saying if one != "id"]}


if __name__ == "__main__":
    main()
