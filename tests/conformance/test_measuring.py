"""The conformance run measures what it says it measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.pack import Loss
from tests.adapters import packs
from tests.conformance import suite
from tests.conformance.result import FileResult, Section, Share, page
from tests.conformance.run import found_suites, main
from tests.conformance.suite import Case, Lost, Suite, split_er7, split_path

ID = "health/hl7v2"
SUITE = Suite("health/hl7v2", ID, "All hold.", [])
EXAM = "oru-r01-exam.hl7"


def judged(folder: Path, raw: bytes, **changes: object) -> FileResult:
    """A message judged as the only case of a suite."""
    (folder / EXAM).write_bytes(raw)
    case = Case(EXAM, (EXAM,))
    only = Suite("health/hl7v2", ID, "All hold.", [case], **changes)  # type: ignore[arg-type]
    (result,) = suite.run(only, folder).results
    return result


def test_a_field_counts_when_something_of_it_arrives() -> None:
    """Each repetition is a field of its own; one lost component does not lose the field, a wholly lost one does."""
    leaves = ["PID[1]-3.1", "PID[1]-3.4", "PID[1]-3[2].1", "PID[1]-5.1"]
    assert suite.share_of_fields(leaves, Lost(["PID[1]-3.4", "PID[1]-3[2].1"]), split_er7) == Share(2, 3)


def test_what_stands_below_a_lost_place_is_lost() -> None:
    """A lost field loses its components, not its next repetition; a lost element loses what it holds."""
    lost = Lost(["PID[1]-3", "/a/b[2]"])
    assert [place in lost for place in ("PID[1]-3.1", "PID[1]-3[2].1", "/a/b[2]/c", "/a/b[20]/c")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_what_holds_nothing_that_arrives_is_not_mapped() -> None:
    """Only segments and elements of which some leaf arrives are measured."""
    assert suite.mapped_holders(["PID[1]-1", "EVN[1]-1"], Lost(["EVN[1]-1"]), split_er7) == {"PID[1]"}
    assert suite.mapped_holders(["/a/b/c", "/a/d/@e"], Lost(["/a/d/@e"]), split_path) == {"/a/b"}


def test_a_place_is_said_without_its_numbers() -> None:
    """The page says once what happens at every segment, element, item and row."""
    places = ["OBX[12]-5[2].1", "/x:A/x:B[3]/@id", "/list/12/name", "pupils.csv row 7, Name"]
    assert [suite.general(place) for place in places] == [
        "OBX-5.1", "/x:A/x:B/@id", "/list/*/name", "pupils.csv row, Name",
    ]  # fmt: skip


def test_what_is_read_is_held_to_the_least_share(tmp_path: Path) -> None:
    """A file that translates with enough of its fields holds; with a higher claim it does not."""
    raw = packs.sample(ID, EXAM)
    assert judged(tmp_path, raw).failures == []
    assert judged(tmp_path, raw, least=101.0).failures == ["less than 101 % of the fields are mapped"]


def test_a_refused_file_fails_unless_it_is_known_to_be_broken(tmp_path: Path) -> None:
    """A refusal holds only for the fixed list of broken files, and such a file has to be refused."""
    raw = packs.sample(ID, EXAM)
    torn = raw.replace(b"OBX|1|NM|8867-4", b"OBX|1|XX|8867-4")
    assert judged(tmp_path, torn).failures == ("should translate",)
    known = judged(tmp_path, torn, broken={EXAM: "no such value type"})
    assert known.failures == ()
    assert "OBX[1]-5" in known.outcome
    assert "no such value type" in known.outcome
    assert judged(tmp_path, raw, broken={EXAM: "no reason"}).failures == ["is said to be broken, and translates"]


def test_an_invalid_bundle_is_a_failure() -> None:
    """What is wrong with a bundle is found by both validators."""
    bundle = packs.expected(ID, EXAM)[0]
    assert suite.problems(bundle) == []
    packs.resources(bundle, "Patient")[0]["gender"] = "xx"
    packs.resources(bundle, "Observation")[0].pop("status")
    assert len(suite.problems(bundle)) >= 2


def test_the_page_says_what_does_not_hold() -> None:
    """The page lists each file with its result, and its failure where it has one."""
    results = [FileResult("a.hl7", "ORU^R01", "translated", fields=Share(9, 10), failures=("less than 90 %",))]
    section = Section("health/hl7v2", "All hold.", results)
    assert section.failures == ["a.hl7: less than 90 %"]
    assert "| a.hl7 | ORU^R01 | translated | 90.0 % (9/10) | 100.0 % (0/0) | no: less than 90 % |" in page([section])


def test_a_loss_holds_no_value(tmp_path: Path) -> None:
    """What the page says of a loss is its place and kind."""
    result = judged(tmp_path, packs.sample(ID, EXAM))
    assert result.loss
    assert set(Loss.__slots__) == {"place", "kind", "why"}
    assert not any("Mẫu" in text for text in result.loss)


@pytest.mark.parametrize("one", found_suites(), ids=lambda one: one.title)
def test_each_format_says_its_cases_once(one: Suite) -> None:
    """A suite names a pack that loads, claims something, and lists each case once; its broken files are its own."""
    assert suite.pack_of(one.pack).id == one.pack
    assert one.claim
    labels = [case.label for case in one.cases]
    assert labels
    assert len(set(labels)) == len(labels)
    assert set(one.broken) <= set(labels)
    assert all(one.broken.values())


def test_a_folder_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the samples the run fails and says what it needs."""
    assert main(["no-such-folder"]) == 2
    assert "SAMPLES" in capsys.readouterr().err
