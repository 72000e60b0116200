"""Several children in one message: what hangs on one never becomes the other's."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.pack import Reading
from tests.adapters.packs import CONTEXT, pack, sample

HEAD = "MSH|^~\\&|HIS|BVM|HUB|HUB|20260302101530||ORU^R01^ORU_R01|C1|P|2.5.1||||||UNICODE UTF-8\r"


def part(child: str, value: str, order: str = "TC-2026-0457", report: str = "F1") -> str:
    return (
        f"PID|1||{child}^^^BVM^MR||Mẫu^Thị Thử\r"
        f"ORC|RE|{order}^PC02|{report}^LAB\r"
        f"OBR|1|{order}^PC02|{report}^LAB|58410-2^CBC^LN|||20260302090000|||||||||BS01^Nguyễn^Văn||||||20260302100000||LAB|F\r"
        f"OBX|1|NM|x^A^L||{value}||||||F\r"
    )


def read(raw: str) -> Reading:
    return pack("health/hl7v2").read(raw.encode(), CONTEXT)


def of_kind(reading: Reading, *kinds: str) -> list[dict[str, str]]:
    """For each child, the fullUrl of its resource of each kind."""
    return [
        {
            e["resource"]["resourceType"]: e["fullUrl"]
            for e in s.bundle["entry"]
            if e["resource"]["resourceType"] in kinds
        }
        for s in reading.strands
    ]


def hanging(reading: Reading) -> list[set[str]]:
    kinds = ("DiagnosticReport", "Observation", "ServiceRequest", "Communication", "MessageHeader")
    return [set(found.values()) for found in of_kind(reading, *kinds)]


def test_one_order_for_two_siblings_is_two_reports() -> None:
    """Two children under one order number share no report, result or request, and the message is told so."""
    reading = read(HEAD + part("1", "1") + part("2", "2"))
    one, other = hanging(reading)
    assert len(one) == len(other) == 4
    assert not one & other
    assert {"ORC[2]", "OBX[2]"} & {found.place for found in reading.deviations}


def test_the_first_child_keeps_the_key_and_the_message_sent_again_is_the_same() -> None:
    """Alone the first child's report has the same id; the same bytes give the same ids each time."""
    raw = HEAD + part("1", "1") + part("2", "2")
    assert hanging(read(raw)) == hanging(read(raw))
    assert hanging(read(raw))[0] == hanging(read(HEAD + part("1", "1")))[0]


def test_what_is_no_childs_stays_one() -> None:
    """The doctor of both children is one and the same."""
    one, other = of_kind(read(HEAD + part("1", "1") + part("2", "2")), "Practitioner")
    assert one == other


def test_one_child_who_stands_twice_keeps_both_reports() -> None:
    """The same child twice under one number: the same Patient, two reports when they say different things."""
    reading = read(HEAD + part("1", "1") + part("1", "2", order="TC-2"))
    one, other = of_kind(reading, "Patient")
    assert one == other
    one, other = of_kind(reading, "DiagnosticReport", "Observation", "MessageHeader")
    assert not set(one.values()) & set(other.values())
    assert any("twice" in found.why for found in reading.deviations)


@pytest.mark.parametrize("number", ["079316000001", ""])
def test_two_calls_of_one_number_are_two_calls(number: str) -> None:
    """Two rows with one call number keep both, named or nameless."""
    text = sample("hotline/csv", "calls.csv").decode().replace("CG-000202", "CG-000201")
    text = text.replace("079316000001", number).replace("DN4790000000002", "" if not number else "DN4790000000002")
    reading = pack("hotline/csv").read(text.encode(), CONTEXT)
    one, other = hanging(reading)
    assert not one & other
    assert any("twice" in found.why for found in reading.deviations)


def test_no_resource_refers_outside_its_bundle() -> None:
    """Every reference of each child's bundle stands in that bundle."""
    for strand in read(HEAD + part("1", "1") + part("2", "2")).strands:
        urls = {entry["fullUrl"] for entry in strand.bundle["entry"]}
        assert _references(strand.bundle) <= urls


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["reference"]} if isinstance(value.get("reference"), str) else set()
        return own.union(*(_references(item) for item in value.values()))
    return set().union(*(_references(item) for item in value)) if isinstance(value, list) else set()
