"""A clinical value arrives as it was said, with its unit, or is refused: in both directions, whatever its type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.errors import Refusal, Unwritable
from adapters.pack import Bundle, Reading
from tests.adapters import packs

ID = "health/hl7v2"
HEADER = {"sender": "HUB", "sender-facility": "ONESTOP", "message-id": "HUB-1", "processing": "P"}
TO_HOSPITAL = replace(packs.CONTEXT, header=HEADER)
HEAD = (
    "MSH|^~\\&|HIS|BVM|HUB|ONESTOP|20260302101530||ORU^R01^ORU_R01|C1|P|2.5.1||||||UNICODE UTF-8\r"
    "PID|1||079315000123^^^^NI||Mẫu^Thị Thử||20150304|F\r"
    "OBR|1||F1^LAB|58410-2^CBC^LN|||20260302090000|||||||||||||||20260302100000||LAB|F\r"
)
CHILD, REPORT, RESULT = (f"urn:uuid:00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
UCUM = "http://unitsofmeasure.org"
PRESSURE = {"coding": [{"system": "http://loinc.org", "code": "85354-9", "display": "Blood pressure panel"}]}


def read(kind: str, value: str, unit: str = "", rest: str = "") -> Reading:
    """A result of one OBX."""
    raw = f"{HEAD}OBX|1|{kind}|718-7^Hb^LN||{value}|{unit}|||||F|||20260302091500+0700\r{rest}"
    return packs.pack(ID).read(raw.encode(), packs.CONTEXT)


def result(reading: Reading) -> dict[str, Any]:
    (found,) = packs.resources(reading.strands[0].bundle, "Observation")
    return found


def value(reading: Reading) -> Any:
    """The one value[x] of the result."""
    (found,) = [packs.plain(held) for name, held in result(reading).items() if name.startswith("value")]
    return found


def obx(bundle: Bundle) -> list[str]:
    """The OBX that are written, cut into fields."""
    raw = packs.pack(ID).write(bundle, TO_HOSPITAL).raw.decode()
    (line,) = [line for line in raw.split("\r") if line.startswith("OBX")]
    return line.split("|")


def bundle_of(**said: Any) -> Bundle:
    """An exam record of another format with one result that says this."""
    about = {"subject": {"reference": CHILD}}
    observation = {"resourceType": "Observation", "status": "final", "code": PRESSURE, **about, **said}
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "khám"}, **about}
    child = {"resourceType": "Patient", "name": [{"family": "Mẫu", "given": ["Thử"]}]}
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": "https://hub.onestop.example/fhir/CodeSystem/event", "code": "exam-record"},
        "source": {"endpoint": "http://x.example"},
        "focus": [{"reference": REPORT}],
    }
    resources = [header, child, {**report, "result": [{"reference": RESULT}]}, observation]
    urls = ["urn:uuid:00000000-0000-4000-8000-000000000000", CHILD, REPORT, RESULT]
    entries = [{"fullUrl": url, "resource": held} for url, held in zip(urls, resources, strict=True)]
    return {"resourceType": "Bundle", "type": "message", "entry": entries}


def component(code: str, number: str, unit: str) -> dict[str, Any]:
    coding = {"system": "http://loinc.org", "code": code, "display": "Blood pressure panel"}
    return {"code": {"coding": [coding]}, "valueQuantity": {"value": packs.loads(number.encode()), "unit": unit}}


@pytest.mark.parametrize(
    ("kind", "said", "unit", "expected"),
    [
        ("SN", ">^1^:^128", "", {"numerator": {"comparator": ">", "value": "1"}, "denominator": {"value": "128"}}),
        ("SN", "^30^:^1", "mg/g", {"numerator": {"value": "30", "unit": "mg/g"}, "denominator": {"value": "1"}}),
        ("SN", "^1^-^3", "g/L", {"low": {"value": "1", "unit": "g/L"}, "high": {"value": "3", "unit": "g/L"}}),
        ("SN", "^^-^3", "g/L", {"high": {"value": "3", "unit": "g/L"}}),
        ("SN", "<^5", "g/L", {"comparator": "<", "value": "5", "unit": "g/L"}),
        ("NM", "7.50", "g/L^gram^UCUM", {"value": "7.50", "code": "g/L", "unit": "gram", "system": UCUM}),
    ],
)
def test_a_structured_number_keeps_its_sign_and_its_unit(kind: str, said: str, unit: str, expected: Any) -> None:
    """A titre above 1:128 in some unit is read as that and written as that."""
    reading = read(kind, said, unit)
    assert value(reading) == expected
    written = obx(reading.strands[0].bundle)
    assert (written[2], written[5], written[6]) == (kind, said, unit)


@pytest.mark.parametrize(("said", "expected"), [(".5", "0.5"), ("-.5", "-0.5"), ("1.", "1"), ("+2", "2")])
def test_a_number_may_leave_out_a_zero(said: str, expected: str) -> None:
    """HL7 v2 lets a sender write .5 and 1.; the number is read, and its form is reported."""
    reading = read("NM", said)
    assert value(reading)["value"] == expected
    assert ("OBX[1]-5", "normalise") in {(loss.place, loss.kind.value) for loss in reading.loss}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("NM", "12^5"),
        ("NM", "12&5"),
        ("NM", "."),
        ("SN", ">^1^-^3"),
        ("SN", "^1^^3"),
        ("SN", "^12&5"),
        ("DT", "20260302^03"),
        ("TM", "1015^00"),
    ],
)
def test_a_number_or_time_with_a_part_too_many_is_refused(kind: str, said: str) -> None:
    """A value is never cut off at a separator that its sender forgot to escape."""
    with pytest.raises(Refusal, match="OBX"):
        read(kind, said)


@pytest.mark.parametrize("kind", ["ST", "TX", "FT"])
def test_text_goes_on_after_a_separator(kind: str) -> None:
    """Text has no parts, so 10^9/L & more is all of it, and comes back escaped."""
    reading = read(kind, "2.5 x 10^9/L & hơn")
    assert value(reading) == "2.5 x 10^9/L & hơn"
    assert obx(reading.strands[0].bundle)[5] == r"2.5 x 10\S\9/L \T\ hơn"
    assert {loss.kind.value for loss in reading.loss if loss.place.startswith("OBX[1]-5")} == {"normalise"}


def test_a_pointer_is_where_it_leads() -> None:
    """RP has parts: the address is the value, what kind of file is there is loss."""
    reading = read("RP", "https://pacs.example/1^^IM^PNG")
    assert value(reading) == "https://pacs.example/1"
    assert {"OBX[1]-5.3", "OBX[1]-5.4"} <= {loss.place for loss in reading.loss}


def test_a_remark_and_a_reference_range_go_on_after_a_separator() -> None:
    """The same of NTE-3 and OBX-7."""
    reading = read("NM", "1", "10", rest="NTE|1||a^b&c~d\r")
    assert [note["text"] for note in result(reading)["note"]] == ["a^b&c\nd"]
    raw = f"{HEAD}OBX|1|NM|718-7^Hb^LN||1|g/L|2-3 x 10^9||||F\r"
    found = result(packs.pack(ID).read(raw.encode(), packs.CONTEXT))
    assert found["referenceRange"] == [{"text": "2-3 x 10^9"}]


def test_formatting_is_not_text() -> None:
    r"""What a screen does with FT is taken away and reported; \E\H\E\ is a sender's own backslashes and stays."""
    reading = read("FT", r"Một \H\đậm\N\ hai\.sp2\ba\.br\\E\H\E\ ")
    assert value(reading) == "Một đậm hai\n\nba\n\\H\\ "
    assert ("OBX[1]-5", "normalise") in {(loss.place, loss.kind.value) for loss in reading.loss}
    again = packs.pack(ID).write(reading.strands[0].bundle, TO_HOSPITAL).raw
    assert value(packs.pack(ID).read(again, packs.CONTEXT)) == value(reading)


@pytest.mark.parametrize(
    "components",
    [
        [component("8480-6", "120", "mmHg"), component("8462-4", "80", "mmHg")],
        [component("85354-9", "120", "mmHg"), component("8310-5", "37.5", "Cel")],
        [component("85354-9", "120", "mmHg"), component("85354-9", "37.5", "Cel")],
        [component("85354-9", "120", "mmHg"), {**component("85354-9", "80", ""), "valueQuantity": {"value": 80}}],
        [{**component("85354-9", "80", ""), "valueQuantity": {"value": 80}}, component("85354-9", "120", "mmHg")],
        [component("85354-9", "120", "mmHg"), {"code": PRESSURE, "valueString": "cao"}],
    ],
)
def test_components_that_repeats_cannot_say_are_not_written(components: list[dict[str, Any]]) -> None:
    """Repeats of OBX-5 have one code and one unit: 120 mmHg and 37.5 Cel are never both called the same."""
    with pytest.raises(Unwritable, match="Observation"):
        packs.pack(ID).write(bundle_of(component=components), TO_HOSPITAL)


def test_components_of_one_code_and_unit_are_repeats() -> None:
    """What a reading of 60~120 makes is written as that."""
    components = [component("85354-9", "60", "mmHg"), component("85354-9", "120", "mmHg")]
    written = obx(bundle_of(component=components))
    assert (written[3], written[5], written[6]) == ("85354-9^Blood pressure panel^LN", "60~120", "mmHg")


def test_a_component_does_not_name_the_whole() -> None:
    """A whole that is said in words gets no code from its component."""
    components = [component("85354-9", "60", "mmHg"), component("85354-9", "120", "mmHg")]
    with pytest.raises(Unwritable, match="Observation"):
        packs.pack(ID).write(bundle_of(code={"text": "huyết áp"}, component=components), TO_HOSPITAL)


@pytest.mark.parametrize(
    "said",
    [
        {"valueSampledData": {"origin": {"value": 1}, "period": 1, "dimensions": 1, "data": "1 2"}},
        {"dataAbsentReason": {"text": "chưa lấy được mẫu"}},
        {"valueQuantity": {"unit": "mmHg"}},
        {"valueQuantity": {"value": 1, "unit": "mmHg"}, "component": [component("85354-9", "60", "mmHg")]},
        {"valueRange": {"low": {"value": 1, "unit": "mg"}, "high": {"value": 3, "unit": "g"}}},
        {"valueRange": {"low": {"value": 1}, "high": {"value": 3, "unit": "g"}}},
        {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128, "unit": "g"}}},
    ],
)
def test_a_value_that_has_no_place_is_not_sent_as_no_value(said: dict[str, Any]) -> None:
    """A final result without its value, or with half of it, is worse than none."""
    with pytest.raises(Unwritable, match="Observation"):
        packs.pack(ID).write(bundle_of(**said), TO_HOSPITAL)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"valueInteger": 3}, ("NM", "3")),
        ({"valueBoolean": True}, ("CWE", "Y^^HL70136")),
        ({"valueBoolean": False}, ("CWE", "N^^HL70136")),
        ({"valueDateTime": "2026-03-02T10:15:00+07:00"}, ("TS", "20260302101500+0700")),
        ({"valueDateTime": "2026-03-02"}, ("TS", "20260302")),
        ({}, ("NM", "")),
    ],
)
def test_values_that_v2_says_otherwise(said: dict[str, Any], expected: tuple[str, str]) -> None:
    """A whole number is a number, a yes is a code of HL7's table of them, a time of day is never a DT."""
    written = obx(bundle_of(**said))
    assert (written[2], written[5]) == expected


def test_a_status_that_is_not_known_is_preliminary() -> None:
    """OBX-11 is required and table 0085 has no word for it: the least that is sure is said, and told as loss."""
    bundle = bundle_of(valueInteger=3, status="unknown")
    writing = packs.pack(ID).write(bundle, TO_HOSPITAL)
    assert obx(bundle)[11] == "P"
    assert "Observation.status" in {loss.place for loss in writing.loss}


def test_an_allergy_to_nothing_said_is_none() -> None:
    """AL1 without AL1-3 makes no active allergy; what else it says is told as loss."""
    raw = (
        "MSH|^~\\&|HIS|BVM|HUB|ONESTOP|20260302101530||ADT^A08|C1|P|2.5.1||||||UNICODE UTF-8\rEVN||20260302101530\r"
        "PID|1||079315000123^^^^NI||Mẫu^Thị Thử||20150304|F\rPV1|1|O\rAL1|1|DA||SV\rAL1|2||^Phấn hoa\r"
    )
    reading = packs.pack(ID).read(raw.encode(), packs.CONTEXT)
    (allergy,) = packs.resources(reading.strands[0].bundle, "AllergyIntolerance")
    assert allergy["code"]["text"] == "Phấn hoa"
    assert {"AL1[1]-2", "AL1[1]-4"} <= {loss.place for loss in reading.loss}
