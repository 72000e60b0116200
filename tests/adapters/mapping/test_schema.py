"""The row language is frozen: what it has is listed here, and documented in docs/packs.md."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "adapters" / "mapping" / "schema"

ROW_KEYS = (
    "agrees as at bool by choose claim class codes date decimal default direction each find integer item join jsonata "
    "key label leave link make of out parts prefix ref required rows same shape split text to unknown when where"
)
MANIFEST_KEYS = "charset classes codec dialects head id media-types messages names namespaces titles version versions"
MESSAGE_KEYS = "answer direction event group loss map put refs root schema strand structure type validate when where"


def _schema(name: str) -> dict:
    return json.loads((SCHEMA / f"{name}.schema.json").read_text("utf-8"))


def test_the_keys_of_a_row_are_frozen() -> None:
    """A row has these keys and no others; adding one is a decision, and docs/packs.md says what it means."""
    assert " ".join(sorted(_schema("map")["$defs"]["row"]["properties"])) == ROW_KEYS


def test_the_keys_of_a_manifest_are_frozen() -> None:
    """A manifest and its messages have these keys and no others."""
    schema = _schema("manifest")
    assert " ".join(sorted(schema["properties"])) == MANIFEST_KEYS
    assert " ".join(sorted(schema["$defs"]["message"]["properties"])) == MESSAGE_KEYS


def test_every_key_is_documented() -> None:
    """docs/packs.md names each key of the language."""
    page = (ROOT / "docs" / "packs.md").read_text("utf-8")
    for key in f"{ROW_KEYS} {MANIFEST_KEYS} {MESSAGE_KEYS}".split():
        assert f"{key}:" in page or f"`{key}`" in page, key
