"""The roster pack: pupils, guardians, schools and enrolments of a set of CSV files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from adapters.errors import Refusal
from adapters.pack import Reading
from adapters.r4.validate import validate
from tests.adapters.packs import CONTEXT, expected, pack, plain, resources, sample, samples

ROSTER = "education/oneroster"
INCOMING = [name for name in samples(ROSTER) if name.endswith(".zip")]


def read(name: str = "roster-1.1.zip", **changed: Callable[[str], str]) -> Reading:
    """A sample with the text of some of its files changed (`users=...`)."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sample(ROSTER, name))) as given, zipfile.ZipFile(out, "w") as made:
        for info in given.infolist():
            text = given.read(info).decode()
            made.writestr(info.filename, changed.get(info.filename.removesuffix(".csv"), str)(text))
    return pack(ROSTER).read(out.getvalue(), CONTEXT)


@pytest.mark.parametrize("name", INCOMING)
def test_each_sample_is_its_expected_bundles(name: str) -> None:
    """A roster reads as one valid bundle for each pupil."""
    found = [strand.bundle for strand in pack(ROSTER).read(sample(ROSTER, name), CONTEXT).strands]
    assert plain(found) == plain(expected(ROSTER, name))
    assert [validate(bundle) for bundle in found] == [()] * len(found)


def test_each_pupil_is_a_child_of_her_own() -> None:
    """Nobody is in another's bundle, and only her own guardians are in hers."""
    names = [
        {person["name"][0]["family"] + " " + " ".join(person["name"][0]["given"]) for person in people}
        for people in (
            resources(strand.bundle, "Patient") + resources(strand.bundle, "RelatedPerson") for strand in read().strands
        )
    ]
    assert names == [{"Thử-Nghiệm Thị Ngọc Mẫu", "Mẫu Thị Bà", "Mẫu Ông"}, {"Thử-Nghiệm Mẫu Hai", "Mẫu Thị Bà"}]


def test_the_personal_number_is_the_childs_key_when_the_school_has_it() -> None:
    """A 12-digit number among the user's identifiers is the NI; anything else there is not."""
    (child,) = resources(read("roster-1.2.zip").strands[0].bundle, "Patient")
    numbers = {one["type"]["coding"][0]["code"]: one["value"] for one in child["identifier"]}
    assert numbers == {"PI": "u1", "student": "HS-2026-4A-07", "NI": "079316000001"}
    other = read("roster-1.2.zip", users=lambda text: text.replace("{CCCD:079316000001}", "{LMS:12}"))
    (child,) = resources(other.strands[0].bundle, "Patient")
    assert "NI" not in {one["type"]["coding"][0]["code"] for one in child["identifier"]}


def test_a_deleted_user_is_no_child() -> None:
    """A record that is to be deleted makes nobody, and is reported."""
    reading = read()
    assert len(reading.strands) == 2
    assert "users.csv, row 7, familyName" in {loss.place for loss in reading.loss}


def test_a_date_that_is_none_is_reported_at_its_place() -> None:
    """A birth date that no calendar has is left out, not mended; the report names file, row and column only."""
    reading = read(demographics=lambda text: text.replace("2016-02-29", "2015-02-29"))
    assert "birthDate" not in resources(reading.strands[0].bundle, "Patient")[0]
    (said,) = [loss for loss in reading.loss if loss.place == "demographics.csv, row 2, birthDate"]
    assert "2015" not in said.why


def test_a_roster_of_teachers_is_refused() -> None:
    """A roster without a pupil is nobody's record."""
    with pytest.raises(Refusal, match="nobody"):
        read(users=lambda text: text.replace(",student,", ",teacher,"))


def test_every_relation_of_a_roster_has_a_code() -> None:
    """The agents of a pupil are parents, guardians and relatives; each is a relation that others know."""
    codes = pack(ROSTER).codes["codes/relation.csv"]  # type: ignore[attr-defined]
    assert {source: code.code for source, code in codes.reads.items()} == {
        "parent": "PRN", "guardian": "GUARD", "relative": "FAMMEMB",
    }  # fmt: skip
