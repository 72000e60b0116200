"""Who is alleged to have harmed a child, or who reported it, is never written among the family."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.pack import Bundle, Context
from consent.vocabulary import HUB_BASE
from tests.adapters.packs import CONTEXT, expected, pack

ROLES = f"{HUB_BASE}/CodeSystem/person-role"
FATHER = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "FTH"}
TO = Context(at=CONTEXT.at, agency="bv-mau", header={"message-id": "M1", "sender": "HUB"})


def with_person(bundle: Bundle, role: str) -> Bundle:
    """The bundle with a man beside the child: her father, and, when there is a role, of that one."""
    codings: list[dict[str, Any]] = [FATHER, {"system": ROLES, "code": role}] if role else [FATHER]
    child = next(entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient")
    man = {
        "resourceType": "RelatedPerson", "id": "a1", "patient": {"reference": child["fullUrl"]},
        "relationship": [{"coding": codings}], "name": [{"family": "Lạ", "given": ["Mẫu"]}],
    }  # fmt: skip
    return {**bundle, "entry": [*bundle["entry"], {"fullUrl": "urn:uuid:a1", "resource": man}]}


@pytest.mark.parametrize(("role", "named"), [("", True), ("alleged-perpetrator", False), ("reporter", False)])
def test_a_hospital_is_not_told_of_a_suspect_as_next_of_kin(role: str, named: bool) -> None:
    """NK1 is for the family: a suspect or a reporter is a reported loss there, though he is the father too."""
    (bundle,) = expected("health/hl7v2", "adt-a08-update.hl7")
    written = pack("health/hl7v2").write(with_person(bundle, role), TO)
    assert ("Lạ" in written.raw.decode()) is named
    assert any(loss.place.startswith("RelatedPerson.name") for loss in written.loss) is not named
