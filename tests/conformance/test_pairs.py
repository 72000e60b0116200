"""Our bundle beside another's FHIR: what is equal, what only one side has, what differs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.conformance.pairs import NOT_SAID, Compared, Difference, Pairs, difference


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": each} for number, each in enumerate(resources)]
    return {"resourceType": "Bundle", "entry": entries}


def child(**said: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **said}


def test_equal_fields_are_counted_by_type() -> None:
    """A field is a path and its value; one moment is equal in any zone, an id and a label are no fields."""
    ours = child(id="1", gender="female", deceasedDateTime="2026-01-02T07:00:00+07:00", meta={"security": []})
    theirs = child(id="2", gender="female", deceasedDateTime="2026-01-02T00:00:00.123Z")
    assert difference(bundle(ours), bundle(theirs), "") == (Counter(Patient=2), Counter())


def test_what_differs_is_told_by_place_and_kind() -> None:
    """A value that both have otherwise, one that only we have and one that only they have are three things."""
    ours = child(gender="female", name=[{"family": "Mẫu", "use": "official"}])
    theirs = child(gender="male", name=[{"family": "Mẫu"}], birthDate="2012-03-15")
    equal, found = difference(bundle(ours), bundle(theirs), "PID|1")
    assert equal == Counter(Patient=1)
    assert {(one.kind, one.path) for one in found} == {
        ("differs", "Patient.gender"), ("ours only", "Patient.name.use"), ("theirs only", "Patient.birthDate"),
    }  # fmt: skip


def test_what_the_message_does_not_say_is_no_loss() -> None:
    """A value of theirs that the HL7 message does not hold is not ours to have; another needs a reason."""
    theirs = bundle(child(photo=[{"title": "Ảnh thử"}]))
    _, unsaid = difference(bundle(child()), theirs, "PID|1||BN-0001")
    _, said = difference(bundle(child()), theirs, "PID|1||Ảnh thử")
    assert [one.why for one in unsaid] == [NOT_SAID]
    assert [one.why for one in said] != [NOT_SAID]


def test_resources_are_paired_by_what_they_share() -> None:
    """The second of ours may be the first of theirs; a reference counts by the type that it leads to."""
    mine = [child(gender="male"), child(gender="female", birthDate="2012-03-15")]
    other = [child(gender="female", birthDate="2012-03-15"), child(gender="male")]
    assert difference(bundle(*mine), bundle(*other), "") == (Counter(Patient=3), Counter())
    one = {"resourceType": "Observation", "subject": {"reference": "urn:uuid:1"}}
    two = {"resourceType": "Observation", "subject": {"reference": "Patient/9"}}
    equal, _ = difference(bundle(one, child()), bundle(two, child(id="9")), "")
    assert equal["Observation"] == 1


def test_the_section_counts_what_has_no_reason() -> None:
    """The table says how many fields differ without a known reason."""
    found = Counter(
        {Difference("differs", "Patient.gender", ""): 2, Difference("ours only", "Patient.name.use", "said"): 1}
    )
    section = Pairs("pairs", [Compared("a", Counter(Patient=5), found)])
    assert "| a | 5 | 1 | 0 | 2 | 2 | yes |" in section.lines()
    assert section.failures == []
