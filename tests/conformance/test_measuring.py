"""The conformance run measures what it says it measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters import packs
from tests.conformance import hl7v2
from tests.conformance.result import FileResult, Section, Share, page
from tests.conformance.run import main

ID = "health/hl7v2"


def test_a_field_counts_when_something_of_it_arrives() -> None:
    """Each repetition is a field of its own; one lost component does not lose the field, a wholly lost one does."""
    leaves = ["PID[1]-3.1", "PID[1]-3.4", "PID[1]-3[2].1", "PID[1]-5.1"]
    assert hl7v2.share_of_fields(leaves, {"PID[1]-3.4", "PID[1]-3[2].1"}) == Share(2, 3)


def test_a_segment_of_which_nothing_arrives_is_not_mapped() -> None:
    """Only segments of which some leaf arrives are measured."""
    assert hl7v2.mapped_segments(["PID[1]-1", "EVN[1]-1", "EVN[1]-2"], {"EVN[1]-1", "EVN[1]-2"}) == {"PID[1]"}


def test_a_spoken_type_that_is_refused_fails(tmp_path: Path) -> None:
    """A file of a spoken type that does not translate is a failure, however good the reason."""
    file = tmp_path / "broken.hl7"
    file.write_bytes(packs.sample(ID, "oru-r01-exam.hl7").replace(b"OBX|1|NM|8867-4", b"OBX|1|XX|8867-4"))
    result = hl7v2.judge(file, packs.pack(ID))
    assert result.failures == ("should translate",)
    assert "OBX[1]-5" in result.outcome


def test_an_unspoken_type_must_be_refused_by_its_name(tmp_path: Path) -> None:
    """The refusal of a type that is not spoken holds only when it names the type."""
    file = tmp_path / "ORU_by_name_only.hl7"
    file.write_bytes(packs.sample(ID, "adt-a04-register.hl7").replace(b"ADT^A04^ADT_A01", b"ADT^A40^ADT_A39"))
    result = hl7v2.judge(file, packs.pack(ID))
    assert (result.type, result.failures) == ("ADT^A40", ())


def test_an_invalid_bundle_is_a_failure() -> None:
    """What is wrong with a bundle is found by both validators."""
    bundle = packs.expected(ID, "oru-r01-exam.hl7")[0]
    assert hl7v2.problems(bundle) == []
    packs.resources(bundle, "Patient")[0]["gender"] = "xx"
    packs.resources(bundle, "Observation")[0].pop("status")
    assert len(hl7v2.problems(bundle)) >= 2


def test_the_page_says_what_does_not_hold() -> None:
    """The page lists each file with its result, and its failure where it has one."""
    results = [FileResult("a.hl7", "ORU^R01", "translated", fields=Share(9, 10), failures=("less than 90 %",))]
    section = Section("health/hl7v2", "All hold.", results)
    assert section.failures == ["a.hl7: less than 90 %"]
    assert "| a.hl7 | ORU^R01 | translated | 90.0 % (9/10) | 100.0 % (0/0) | no: less than 90 % |" in page([section])


def test_a_folder_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the samples the run fails and says what it needs."""
    assert main(["no-such-folder"]) == 2
    assert "SAMPLES" in capsys.readouterr().err
