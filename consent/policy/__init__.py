"""The policy data of the engine: dated YAML beside this file, read here and nowhere else."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


def policy_documents() -> dict[str, Any]:
    """Every policy document that ships with the program: file name -> parsed YAML."""
    found = (entry for entry in files(__package__).iterdir() if entry.name.endswith(".yaml"))
    return {entry.name: yaml.safe_load(entry.read_text("utf-8")) for entry in found}


@cache
def r4_shapes() -> dict[str, Any]:
    """R4's types as labels and `release` need them, generated: type -> {"e": {element: type or ""}, "r": [required],
    "t": [what may say anything]}."""
    shapes: dict[str, Any] = json.loads(files(__package__).joinpath("r4.json").read_text("utf-8"))
    return shapes
