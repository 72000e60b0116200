"""Who somebody is to a child is said in words that HL7's RoleCode has, in every pack and in what drafts are made of."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from adapters.library import BUILT_IN
from tests.adapters.law.cases import manifests

SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
PERSONS = frozenset({
    "FAMMEMB", "CHILD", "CHLDADOPT", "DAUADOPT", "SONADOPT", "CHLDFOST", "DAUFOST", "SONFOST", "DAUC", "DAU",
    "STPDAU", "NCHILD", "SON", "SONC", "STPSON", "STPCHLD", "EXT", "AUNT", "MAUNT", "PAUNT", "COUSN", "MCOUSN",
    "PCOUSN", "GGRPRN", "GGRFTH", "MGGRFTH", "PGGRFTH", "GGRMTH", "MGGRMTH", "PGGRMTH", "MGGRPRN", "PGGRPRN",
    "GRNDCHILD", "GRNDDAU", "GRNDSON", "GRPRN", "GRFTH", "MGRFTH", "PGRFTH", "GRMTH", "MGRMTH", "PGRMTH", "MGRPRN",
    "PGRPRN", "INLAW", "CHLDINLAW", "DAUINLAW", "SONINLAW", "PRNINLAW", "FTHINLAW", "MTHINLAW", "SIBINLAW",
    "BROINLAW", "SISINLAW", "NIENEPH", "NEPHEW", "NIECE", "UNCLE", "MUNCLE", "PUNCLE", "PRN", "ADOPTP", "ADOPTF",
    "ADOPTM", "FTH", "FTHFOST", "NFTH", "NFTHF", "STPFTH", "MTH", "GESTM", "MTHFOST", "NMTH", "NMTHF", "STPMTH",
    "NPRN", "PRNFOST", "STPPRN", "SIB", "BRO", "HBRO", "NBRO", "TWINBRO", "FTWINBRO", "ITWINBRO", "STPBRO", "HSIB",
    "HSIS", "NSIB", "NSIS", "TWINSIS", "FTWINSIS", "ITWINSIS", "TWIN", "FTWIN", "ITWIN", "SIS", "STPSIS", "STPSIB",
    "SIGOTHR", "DOMPART", "FMRSPS", "SPS", "HUSB", "WIFE", "FRND", "NBOR", "ONESELF", "ROOM", "GUARD", "GUADLTM",
    "SPOWATT", "HPOWATT", "DPOWATT", "POWATT",
})  # fmt: skip
"""RoleCode as R4 binds it (PersonalRelationshipRoleType), and the guardians and attorneys of it."""


def said() -> Iterator[tuple[str, str]]:
    """(where, code) of each target of a code map, and of each code that rows and templates name."""
    for folder in (*manifests().values(), BUILT_IN / "drafting"):
        for path in folder.rglob("*.csv"):
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from (
                    (f"{path.parent.parent.name}/{path.name}", row["code"])
                    for row in csv.DictReader(file)
                    if row.get("system") == SYSTEM
                )
        for path in folder.rglob("*.yaml"):
            yield from ((_name(path), code) for code in _named(path.read_text("utf-8")))


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.name}"


def _named(text: str) -> Iterator[str]:
    yield from re.findall(re.escape(SYSTEM) + r'\]\.code"?: \[?([A-Z]+)', text)


def test_each_relation_is_a_code_of_role_code() -> None:
    """A word that is none would reach an agency as a relation that nobody knows."""
    found = set(said())
    assert ("hl7v2/relationship.csv", "MTH") in found
    assert {one for one in found if one[1] not in PERSONS} == set()
