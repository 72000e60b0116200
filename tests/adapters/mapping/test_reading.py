"""The rules of reading, each of which a prototype once broke silently."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapters.errors import Malformed, Unmappable, Unsupported
from adapters.pack import LossKind
from adapters.r4.validate import validate
from consent.vocabulary import DATA_CLASS_SYSTEM, INLINE_LABEL_URL, ORIGINAL_CODE_URL
from tests.adapters.mapping.small import message, one, pack, read, resources

PID = "PID|1||BN1^^^BV-MAU^MR||Mẫu^Thị Thử||20120315|F"


def test_a_message_becomes_a_valid_bundle() -> None:
    """Head, child, report and results are there, linked, keyed and valid R4."""
    reading = read(message(PID, "OBR|1||K1|8867-4", "OBX|1|NM|8867-4||96.50", "NTE|1||ghi chú"))
    (strand,) = reading.strands
    assert not validate(strand.bundle)
    (child,) = resources(strand.bundle, "Patient")
    (report,) = resources(strand.bundle, "DiagnosticReport")
    (observation,) = resources(strand.bundle, "Observation")
    (header,) = resources(strand.bundle, "MessageHeader")
    assert child["name"] == [{"family": "Mẫu", "given": ["Thị", "Thử"]}]
    assert observation["valueQuantity"]["value"] == Decimal("96.50")
    assert str(observation["valueQuantity"]["value"]) == "96.50"
    assert report["result"] == [{"reference": f"urn:uuid:{observation['id']}"}]
    assert observation["subject"] == {"reference": f"urn:uuid:{child['id']}"}
    assert header["focus"] == [{"reference": f"urn:uuid:{report['id']}"}]
    assert header["source"]["name"] == "HIS"
    assert strand.bundle["timestamp"] == "2026-11-22T10:00:00+07:00"


def test_every_resource_carries_its_class_and_other_elements_theirs() -> None:
    """The block's class is on the resource, a row's other class is an inline label."""
    (strand,) = read(message(PID, "OBR|1||K1|8867-4", "OBX|1|NM|8867-4||96", "NTE|1||ghi chú")).strands
    (observation,) = resources(strand.bundle, "Observation")
    assert observation["meta"]["security"] == [{"system": DATA_CLASS_SYSTEM, "code": "medical-exam"}]
    (label,) = observation["note"][0]["extension"]
    assert label == {"url": INLINE_LABEL_URL, "valueCoding": {"system": DATA_CLASS_SYSTEM, "code": "narrative"}}


def test_a_second_pid_is_another_child_with_results_of_its_own() -> None:
    """A second PID opens a second strand; its results never hang on the first child."""
    reading = read(
        message(PID, "OBR|1||K1|a", "OBX|1|NM|a||1", "PID|2||BN2^^^BV-MAU^MR", "OBR|2||K2|b", "OBX|1|NM|b||2")
    )
    first, second = reading.strands
    assert [o["code"]["coding"][0]["code"] for o in resources(first.bundle, "Observation")] == ["a"]
    assert [o["code"]["coding"][0]["code"] for o in resources(second.bundle, "Observation")] == ["b"]
    assert not {"PID[2]-3.1", "OBX[2]-5"} & set(first.leaves)
    assert {"PID[2]-3.1", "OBX[2]-5"} <= set(second.leaves)


@pytest.mark.parametrize("stray", ["NK1|9|Ai đó", "ORC|RE"])
def test_a_known_segment_in_the_wrong_place_refuses(stray: str) -> None:
    """A segment that the structure knows, where it may not stand, refuses; it is never attached to a neighbour."""
    with pytest.raises(Malformed) as refusal:
        read(message(PID, "OBR|1||K1|a", stray))
    assert refusal.value.kind == "misplaced"


def test_a_group_is_entered_only_through_its_first_required_segment() -> None:
    """An ORC without OBR opens no order: it is refused, not guessed at."""
    with pytest.raises(Malformed) as refusal:
        read(message(PID, "ORC|RE", "OBX|1|NM|a||1"))
    assert refusal.value.place == "ORC[1]"


def test_an_unknown_segment_is_residual() -> None:
    """A Z segment is kept for its sender and told as loss, wherever it stands."""
    reading = read(message(PID, "ZZZ|1|riêng", "OBR|1||K1|a"))
    assert "ZZZ[1]-2" in reading.strands[0].leaves
    assert ("ZZZ[1]-2", LossKind.DROP) in [(loss.place, loss.kind) for loss in reading.loss]


def test_what_no_row_reads_is_told() -> None:
    """Every populated leaf is read by a row, read as header, or in the loss list."""
    reading = read(message(PID + "||||12 Đường Thử", "OBR|1||K1|a"))
    places = {loss.place for loss in reading.loss if loss.kind is LossKind.DROP}
    assert "PID[1]-12" in places
    assert "PID[1]-7" not in places
    assert "MSH[1]-10" not in places


def test_a_value_never_falls_through() -> None:
    """A value of a kind that no alternative takes refuses, naming the place and not the value."""
    with pytest.raises(Unmappable) as refusal:
        read(message(PID, "OBR|1||K1|a", "OBX|1|ZZ|a||bí mật"))
    assert refusal.value.place == "OBX[1]-5"
    assert "bí mật" not in str(refusal.value)


def test_repeated_values_refuse() -> None:
    """Two OBX-5 values where one is expected refuse; the second is never dropped."""
    with pytest.raises(Unmappable) as refusal:
        read(message(PID, "OBR|1||K1|a", "OBX|1|NM|a||1~2"))
    assert refusal.value.place == "OBX[1]-5[2]"


def test_an_empty_value_is_an_alternative_of_its_own() -> None:
    """An OBX without OBX-5 is a result without a value, not an error and not a zero."""
    observation = one(message(PID, "OBR|1||K1|a", "OBX|1|NM|a||"), "Observation", pack(oru=_absent_first()))
    assert not [key for key in observation if key.startswith("value")]


def _absent_first() -> str:
    from tests.adapters.mapping.small import ORU

    absent = "- {when: {OBX-5: $absent}, rows: []}"
    return ORU.replace(f"                  {absent}\n", "").replace(
        "              - choose:\n", f"              - choose:\n                  {absent}\n"
    )


def test_structured_numerics_keep_their_comparator() -> None:
    """SN `<^5` is less than five, never five."""
    observation = one(message(PID, "OBR|1||K1|a", "OBX|1|SN|a||<^5"), "Observation")
    assert observation["valueQuantity"] == {"comparator": "<", "value": Decimal(5)}


def test_numbers_that_are_none_refuse() -> None:
    """A number that cannot be one refuses."""
    with pytest.raises(Unmappable):
        read(message(PID, "OBR|1||K1|a", "OBX|1|NM|a||cao"))


def test_an_unknown_code_refuses_or_is_kept_as_the_row_says() -> None:
    """Under `refuse` an unknown code refuses; under `keep` it stands in an extension; it is never `other`."""
    with pytest.raises(Unmappable) as refusal:
        read(message("PID|1||BN1^^^BV-MAU^MR|||||X"))
    assert refusal.value.place == "PID[1]-8"
    related = one(message(PID, "NK1|1|Người Mẫu|ZZZ"), "RelatedPerson")
    (coding,) = related["relationship"][0]["coding"]
    assert coding["extension"][0]["url"] == ORIGINAL_CODE_URL
    assert coding["extension"][0]["valueCoding"]["code"] == "ZZZ"


def test_a_null_is_no_value() -> None:
    """`""` deletes at the sender's; here nothing is deleted, and the leaf is told."""
    reading = read(message('PID|1||BN1^^^BV-MAU^MR||""||""|""'))
    (child,) = resources(reading.strands[0].bundle, "Patient")
    assert not {"name", "birthDate", "gender"} & set(child)
    assert [loss.why for loss in reading.loss if loss.place == "PID[1]-7"] == [
        "says delete; what was told before stays on record"
    ]


def test_a_date_stays_a_date_and_what_goes_is_told() -> None:
    """A birth date with a time loses the time, and says so; no time is invented for a date."""
    reading = read(message("PID|1||BN1^^^BV-MAU^MR||||198808181126+0215"))
    (child,) = resources(reading.strands[0].bundle, "Patient")
    assert child["birthDate"] == "1988-08-18"
    assert ("PID[1]-7", LossKind.NORMALISE) in [(loss.place, loss.kind) for loss in reading.loss]


def test_the_same_record_is_the_same_resource() -> None:
    """The same key gives the same fullUrl, in any message; another hub key gives another one."""
    first, again = (one(message(PID, extra), "Patient") for extra in ("OBR|1||K1|a", "OBR|1||K2|b"))
    assert first["id"] == again["id"]
    (other,) = resources(read(message(PID), id_key=b"x" * 32).strands[0].bundle, "Patient")
    assert other["id"] != first["id"]


def test_two_nameless_children_never_become_one() -> None:
    """Without a key a resource is salted by its message and ordinal, and tagged as never matching."""
    reading = read(message("PID|1||||Vô^Danh", "PID|2||||Vô^Danh"))
    first, second = (resources(strand.bundle, "Patient")[0] for strand in reading.strands)
    assert first["id"] != second["id"]
    (later,) = resources(read(message("PID|1||||Vô^Danh", "OBR|1||K1|a")).strands[0].bundle, "Patient")
    assert later["id"] not in (first["id"], second["id"])
    assert all(child["meta"]["tag"][0]["code"] == "never-matches" for child in (first, second, later))


def test_a_key_that_stands_twice_keeps_both_and_is_told() -> None:
    """Two results of one code in one report are both kept; the second is reported."""
    reading = read(message(PID, "OBR|1||K1|a", "OBX|1|NM|a||1", "OBX|2|NM|a||2"))
    found = resources(reading.strands[0].bundle, "Observation")
    assert [str(o["valueQuantity"]["value"]) for o in found] == ["1", "2"]
    assert len({o["id"] for o in found}) == 2
    assert "OBX[2]" in [deviation.place for deviation in reading.deviations]


def test_a_dialect_changes_what_it_names_and_is_remembered() -> None:
    """One sender writes dates with slashes; the reply knows it."""
    reading = read(message("PID|1||BN1^^^BV-MAU^MR||||15/03/2012", sender="SLASH"))
    assert reading.head.dialect == "slashes"
    assert resources(reading.strands[0].bundle, "Patient")[0]["birthDate"] == "2012-03-15"


def test_an_unknown_message_type_is_refused_by_name() -> None:
    """A type that the pack does not speak is Unsupported and named."""
    raw = message(PID).replace(b"ORU^R01", b"ADT^A40")
    with pytest.raises(Unsupported) as refusal:
        read(raw)
    assert "ADT^A40" in str(refusal.value)


def test_another_version_is_a_deviation() -> None:
    """A version that was not agreed is read all the same, and told."""
    assert read(message(PID).replace(b"2.5.1", b"2.9")).deviations


def test_no_refusal_repeats_a_value() -> None:
    """Whatever is refused, the sentence holds nothing of the message."""
    for segments in (["PID|1|||||||CANARY"], [PID, "OBR|1||K1|a", "OBX|1|NM|a||CANARY"], [PID, "OBX|1|CANARY"]):
        with pytest.raises((Unmappable, Malformed)) as refusal:
            read(message(*segments))
        assert "CANARY" not in f"{refusal.value} {refusal.value.place}"
