"""The pack's code maps say what the canonical data says."""

from __future__ import annotations

import csv
import json

from adapters.library import BUILT_IN
from consent.vocabulary import HUB_BASE, REFERRAL_STATE_SYSTEM

CANONICAL = BUILT_IN / "canonical"
CODES = BUILT_IN / "health" / "hl7v2" / "codes"


def rows(name: str) -> list[dict[str, str]]:
    with (CODES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def crosswalk(format_: str) -> set[tuple[str, str, str]]:
    with (CANONICAL / "referral-status.csv").open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["format"] == format_]
    return {(row["code"], row["state"], row["direction"]) for row in found}


def test_referral_states_are_those_of_the_crosswalk() -> None:
    """RF1-1 in an RRI and in a REF means what the crosswalk says, in each direction."""
    for name in ("rri", "ref"):
        found = rows(f"{name}-state")
        assert {row["system"] for row in found} == {REFERRAL_STATE_SYSTEM}
        assert {(row["source"], row["code"], row["direction"]) for row in found} == crosswalk(f"hl7v2-{name}")


def test_t74_is_written_as_the_concept_map_says() -> None:
    """Each type of abuse goes out as the concept map's ICD-10 code, and comes back as a type that maps to it."""
    concept_map = json.loads((CANONICAL / "conceptmaps" / "abuse-type-to-icd-10.json").read_text("utf-8"))
    meant = {e["code"]: e["target"][0]["code"] for e in concept_map["group"][0]["element"]}
    found = rows("t74")
    assert {row["system"] for row in found} == {f"{HUB_BASE}/CodeSystem/abuse-type"}
    assert {row["code"]: row["source"] for row in found if row["direction"] != "in"} == meant
    exact = [row for row in found if row["direction"] == "both"]
    assert all(meant[row["code"]] == row["source"] for row in exact)


def test_services_are_the_canonical_ones() -> None:
    """The services that a referral may ask for are exactly the code system's, by system and code."""
    system = json.loads((CANONICAL / "codesystems" / "service-type.json").read_text("utf-8"))
    known = {row["source"]: row["code"] for row in rows("coding-system") if row["direction"] == "both"}
    assert known["99HUBSVC"] == system["url"]
