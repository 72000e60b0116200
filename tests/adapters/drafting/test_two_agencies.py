"""Two invented agencies whose formats taught the drafts: a commune's register, and the export of a shelter.

Whose value a place holds decides who may see it: a suspect read as the father, or a shelter's street as the child's
home, would be shown to those from whom it is kept.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapters.checking.samples import SAMPLE_CONTEXT
from adapters.checking.static import check_static, errors_of
from adapters.drafting.draft import Drafted, draft_pack
from adapters.library import load_pack
from adapters.r4.validate import has_errors, validate
from consent.vocabulary import HUB_BASE
from tests.adapters.codecs.test_charsets import encoded
from tests.adapters.drafting.test_draft import HERE, bundles, child, files, resources

Json = dict[str, Any]
REGISTER = (HERE / "register.csv").read_text("utf-8")


@pytest.fixture(scope="module")
def register() -> Drafted:
    """The draft of a commune's register, in Windows-1258 with semicolons."""
    raw = encoded(REGISTER, "windows-1258")
    assert raw is not None
    return draft_pack("social/xa", {"so.csv": raw})


@pytest.fixture(scope="module")
def stay() -> Drafted:
    """The draft of a shelter's export, with its schema."""
    return draft_pack(
        "social/nha", files("stay.json"), {"schemas/stay.schema.json": (HERE / "stay.schema.json").read_bytes()}
    )


def classes(resource: Json) -> set[str]:
    return {one["code"] for one in resource["meta"]["security"]}


def people(bundle: Json, data_class: str) -> list[tuple[str, set[str]]]:
    """(name, relationships) of the persons beside the child that are of a class."""
    return [
        (one["name"][0]["text"], {coding["code"] for each in one.get("relationship", ()) for coding in each["coding"]})
        for one in resources(bundle, "RelatedPerson")
        if data_class in classes(one) and one.get("name")
    ]


@pytest.mark.parametrize("name", ["register", "stay"])
def test_the_draft_is_sound(name: str, request: pytest.FixtureRequest) -> None:
    """It loads, reads its sample, and has no fault at rest."""
    drafted: Drafted = request.getfixturevalue(name)
    assert drafted.problems == []
    assert errors_of(check_static(drafted.files)) == []
    assert not any(has_errors(validate(bundle)) for bundle in bundles(drafted))


def test_each_column_of_the_register_is_of_whom_it_speaks(register: Drafted) -> None:
    """The suspect, with the relation beside him, is no father; who reported is nobody of the family."""
    first = bundles(register)[0]
    assert people(first, "alleged-perpetrator") == [("Nguyễn Văn Thử", {"FTH", "alleged-perpetrator"})]
    assert people(first, "reporter-identity") == [("Trần Thị Báo", {"reporter"})]
    assert people(first, "demographics") == [("Nguyễn Văn Thử", {"FTH"}), ("Lê Thị Thử", {"MTH"})]
    assert "district" not in child(first)["address"][0]


def test_the_register_says_who_the_child_is_and_how_the_case_stands(register: Drafted) -> None:
    """Sex by the words of the values, the intake as the case's start, the risk by the hub's own list."""
    first = bundles(register)[0]
    assert child(first)["gender"] == "female"
    (case,) = resources(first, "EpisodeOfCare")
    assert case["period"] == {"start": "2026-02-12"}
    (risk,) = resources(first, "RiskAssessment")
    assert risk["prediction"][0]["qualitativeRisk"]["coding"][0]["code"] == "high"


def test_what_nobody_can_tell_of_the_register_is_listed(register: Drafted) -> None:
    """Codes without a meaning, a column that counts the rows, and the class of what stands in a shelter's column."""
    why = {doubt.place: doubt.why for _, doubt in register.not_guessed}
    assert "counts the records" in why["row/STT"]
    assert "TC, XN, TT" in why["row/Hình thức xâm hại"]
    assert "its class is shelter-location" in why["row/Nơi tạm lánh"]


def test_a_suspect_who_is_the_father_is_not_written_as_one(register: Drafted) -> None:
    """Also where the column of the father is empty."""
    text = REGISTER.splitlines()
    cells = text[1].split(";")
    cells[text[0].split(";").index("Họ tên cha")] = ""
    pack = load_pack(register.files)
    raw = "\n".join((text[0], ";".join(cells))).encode()
    (strand,) = pack.read(raw, SAMPLE_CONTEXT).strands
    (message,) = pack.messages  # type: ignore[attr-defined]
    changed = register.files["manifest.yaml"].decode().replace(f"direction: {message.direction}", "direction: both")
    written = load_pack({**register.files, "manifest.yaml": changed.encode()}).write(strand.bundle, SAMPLE_CONTEXT)
    heading, record = (line.split(",") for line in written.raw.decode().splitlines()[:2])
    assert "Họ tên cha" not in heading
    assert record[heading.index("Người nghi gây hại")] == "Nguyễn Văn Thử"


def test_where_a_shelter_is_is_not_the_childs_address(stay: Drafted) -> None:
    """The house is a Location of its own, of the class and with the label that go with it."""
    (bundle,) = bundles(stay)
    assert "address" not in child(bundle)
    (place,) = resources(bundle, "Location")
    assert place["address"]["line"] == ["9 Đường Kín"]
    assert classes(place) == {"shelter-location"}
    (visit,) = resources(bundle, "Encounter")
    assert classes(visit) == {"shelter-location"}
    assert (visit["status"], visit["period"]["start"][:10]) == ("in-progress", "2026-03-06")


def test_the_child_is_the_resident_and_not_the_message(stay: Drafted) -> None:
    """Of nested containers the one that says who somebody is: names of houses and adults are none of hers."""
    (bundle,) = bundles(stay)
    assert child(bundle)["name"] == [{"family": "Nguyễn", "given": ["Thị", "Mẫu"]}]
    assert (child(bundle)["gender"], child(bundle)["birthDate"]) == ("female", "2016-03-05")


def test_a_suspect_among_adults_is_kept_apart(stay: Drafted) -> None:
    """By the code that the schema calls so, and also when nothing else is said of them."""
    (bundle,) = bundles(stay)
    assert people(bundle, "alleged-perpetrator") == [("Nguyễn Văn Thử", {"alleged-perpetrator"})]
    assert people(bundle, "demographics") == [("Lê Thị Thử", {"MTH"})]
    alone = (HERE / "stay.json").read_text("utf-8").replace('"fullName": "Nguyễn Văn Thử", "mobile": null, ', "")
    (strand,) = load_pack(stay.files).read(alone.encode(), SAMPLE_CONTEXT).strands
    assert len([one for one in resources(strand.bundle, "RelatedPerson") if "alleged-perpetrator" in classes(one)]) == 1


def test_a_flag_of_consent_is_a_claim(stay: Drafted) -> None:
    """It becomes what the sender says, and permits nothing."""
    (bundle,) = bundles(stay)
    (claim,) = bundle["entry"][0]["resource"]["extension"]
    assert claim["url"] == f"{HUB_BASE}/StructureDefinition/claim"
    assert not resources(bundle, "Consent")


@pytest.mark.parametrize("name", ["register", "stay"])
def test_no_code_map_holds_a_name_or_a_number_of_somebody(name: str, request: pytest.FixtureRequest) -> None:
    """One record shows no codes: what stands once is what somebody is called."""
    drafted: Drafted = request.getfixturevalue(name)
    said = "".join(raw.decode() for path, raw in drafted.files.items() if path.startswith(("codes/", "maps/")))
    for value in ("Nguyễn", "Mẫu", "999316000014", "R-881", "ST-2026-031", "HS-2026-014"):
        assert value not in said, value


def test_contacts_of_several_kinds_are_several_things() -> None:
    """XML with its XSD: the accused and who reported are blocks of their own, their codes in maps of their own."""
    schema = {"schemas/placement.xsd": (HERE / "placement.xsd").read_bytes()}
    drafted = draft_pack("social/nha", files("placement.xml"), schema)
    (bundle,) = bundles(drafted)
    assert people(bundle, "alleged-perpetrator") == [("Thử Văn Lạ", {"alleged-perpetrator"})]
    assert people(bundle, "reporter-identity") == [("Thử Thị Báo", {"reporter"})]
    assert people(bundle, "demographics") == [("Thử Thị Mẹ", {"MTH"})]
    assert [line.split(",")[0] for line in drafted.files["codes/kind.csv"].decode().splitlines()] == ["source", "M"]
    assert not has_errors(validate(bundle))
