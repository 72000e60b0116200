"""What is wrong in a pack shows when it is loaded, and names the file and the row."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.errors import BrokenPack
from adapters.library import load_packs, read_folder
from tests.adapters.mapping.small import CODES, ER7, ORU, message, one, pack, read, resources

BLOCK = """
rows:
  - at: PATIENT_RESULT/PID
    make: Patient
    find: child
    class: demographics
    key: ["identifier[type=MR]"]
    rows:
      - {row}
"""


def broken(row: str, files: dict[str, str] | None = None) -> str:
    with pytest.raises(BrokenPack) as fault:
        pack(files=files, oru=BLOCK.replace("{row}", row))
    return str(fault.value)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{at: PID-8, to: gender}", "needs a code map"),
        ("{at: PID-8, to: sex}", "R4 has no Patient.sex"),
        ("{at: PID-99x, to: gender, codes: codes/sex.csv}", "PID-99x"),
        ("{at: ZZZ-1, to: language}", "the structure has no ZZZ"),
        ("{at: PID-8, to: gender, codes: codes/none.csv}", "there is no code map"),
        ("{at: PID-8, to: gender, bool: {true: [F], false: [M]}}", "bool maps only to a boolean"),
        ("{at: PID-5, to: name}", "needs a transform or a block"),
        ("{at: PID-7, to: birthDate}", "needs a transform"),
        ("{at: PID-7, to: gender, date: hl7}", "date maps only to a date"),
        ('{at: PID-7, to: birthDate, date: "dd/yyyy/dd"}', "stands twice"),
        ("{at: PID-5, to: name, shape: nowhere}", "there is no shape"),
        ('{at: PID-3, to: "gender[type=MR]", codes: codes/sex.csv}', "no list"),
        ("{at: PID-8, to: gender, default: perhaps, codes: codes/sex.csv}", "outside the binding"),
        ("{at: PID-8, to: gender, class: gossip, codes: codes/sex.csv}", "no data class"),
        ("{at: PID-8, to: gender, label: SECRET, codes: codes/sex.csv}", "no label"),
        ("{at: PID-8, make: Consent, find: child, rows: []}", "cannot make consent"),
        ("{at: PID-8, make: Observation, rows: []}", "needs link or find"),
        ('{at: PID-8, make: Observation, link: "Patient.photo[]", rows: []}', "not in the list of links"),
        ('{at: PID-8, make: Observation, link: "RelatedPerson.patient", rows: []}', "does not lead"),
        ("{at: PID-8, make: Observation, find: nobody, rows: []}", "no start"),
        ("{at: PID-8, make: Observation, find: focus, ref: {subject: friend}, rows: []}", "no role"),
        ("{at: PID-8, to: language, jsonata: {read: '$now()'}}", "no clock"),
        ("{at: PID-8, to: language, jsonata: {read: '((('}}", "cannot be read"),
        ("{to: language}", "needs a default"),
        ("{at: PID-8, to: gender, codes: codes/sex.csv, colour: red}", "colour"),
        ("{at: PID-8, each: PID-8, to: gender, codes: codes/sex.csv}", "maps/oru.yaml"),
    ],
)
def test_a_broken_row_is_named(row: str, why: str) -> None:
    """Each rule of the language that can be checked before a message comes is checked at load."""
    said = broken(row)
    assert why in said
    assert said.startswith("maps/oru.yaml")


def test_a_row_without_a_class_is_refused() -> None:
    """No class, no row: blocks hand theirs down, and where none does the pack does not load."""
    with pytest.raises(BrokenPack, match="needs a data class"):
        pack(oru=BLOCK.replace("    class: demographics\n", "").replace("{row}", "{at: PID-8, to: language}"))


def test_a_truncated_value_set_is_noticed() -> None:
    """A code map that leads outside a required binding does not load, whichever library thinks that it may."""
    files = {"codes/sex.csv": "source,code\nM,male\nX,intersex\n"}
    assert "intersex is outside the binding" in broken("{at: PID-8, to: gender, codes: codes/sex.csv}", files)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("source,target\nM,male\n", "header"),
        ("source,code\nM,male\nM,female\n", "read twice"),
        ("source,code\nM,male\nMALE,male\n", "written twice"),
        ("source,code,direction\nM,male,sideways\n", "known direction"),
        ("source,code\nM,\n", "needs source, code"),
    ],
)
def test_a_code_map_says_one_thing(text: str, why: str) -> None:
    """A code that is read or written twice, or has an unknown direction, does not load."""
    with pytest.raises(BrokenPack, match=why):
        pack(files={"codes/sex.csv": text})


def test_every_scalar_is_a_string() -> None:
    """YAML's numbers, dates, booleans and octals stay what they are written as."""
    manifest = ER7.replace('version: "1"', "version: 1.10")
    assert pack(manifest).version == "1.10"
    codes = CODES | {"codes/sex.csv": "source,code\nNO,male\n01,female\n"}
    small = pack(files=codes)
    assert one(message("PID|1||B^^^H^MR|||||01"), "Patient", small)["gender"] == "female"
    assert one(message("PID|1||B^^^H^MR|||||NO"), "Patient", small)["gender"] == "male"


def test_a_repeated_key_in_yaml_is_an_error() -> None:
    """YAML lets the last one win; a pack does not."""
    with pytest.raises(BrokenPack, match=r"manifest\.yaml line"):
        pack(ER7 + "\ncodec: xml\n")


def test_alternatives_are_told_apart_both_ways() -> None:
    """An alternative that an earlier one would always write for does not load."""
    taken = ORU.replace("where: {valueQuantity: $present, valueQuantity.comparator: $absent}", "where: valueQuantity")
    with pytest.raises(BrokenPack, match="would be written by the alternative"):
        pack(oru=taken)


def test_a_group_needs_a_way_in() -> None:
    """A group of optional segments only could not be entered, so its structure does not load."""
    with pytest.raises(BrokenPack, match="required segment"):
        pack(ER7.replace("ORDER(ORC? OBR ", "ORDER(ORC? OBR? "))


def test_a_shape_may_not_hold_itself() -> None:
    """Recursion would not end."""
    looped = "shapes: {a: [{to: name, shape: a}]}\n" + BLOCK.replace("{row}", "{to: name, shape: a}")
    with pytest.raises(BrokenPack):
        pack(oru=looped)


def test_claims_grant_nothing() -> None:
    """A sender's consent flag becomes a claim with its claimant on the MessageHeader, and no Consent."""
    claim = "      - {at: PID-30, claim: consent, class: referral}\n      - at: PID\n"
    small = pack(oru=ORU.replace("      - at: PID\n", claim, 1))
    (strand,) = read(message("PID|1||B^^^H^MR" + "|" * 27 + "Y"), small).strands
    (header,) = resources(strand.bundle, "MessageHeader")
    parts = {
        part["url"]: part.get("valueCode") or part.get("valueString") for part in header["extension"][0]["extension"]
    }
    assert parts == {"kind": "consent", "value": "Y", "claimant": "bv-mau"}
    assert not resources(strand.bundle, "Consent")


def test_links_do_not_leave_the_folder(tmp_path: Path) -> None:
    """A pack's file that is a link to somewhere else is refused."""
    (tmp_path / "outside.csv").write_text("source,code\n")
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "manifest.yaml").write_text("id: x\n")
    (folder / "codes.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(BrokenPack, match="lies in its folder"):
        read_folder(folder)


def test_external_packs_count_like_built_in_ones(tmp_path: Path) -> None:
    """A folder of packs elsewhere is loaded with the others; an id that is taken is refused."""
    folder = tmp_path / "health" / "small"
    for name, text in {"manifest.yaml": ER7, "maps/oru.yaml": ORU, **CODES}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    assert "health/small" in load_packs(tmp_path)
    (folder / "manifest.yaml").write_text(ER7.replace("health/small", "health/hl7v2"), "utf-8")
    with pytest.raises(BrokenPack, match="two packs"):
        load_packs(tmp_path)


def test_the_hash_follows_the_data_not_the_samples() -> None:
    """Two packs of the same rows have one hash; a changed row changes it, a sample does not."""
    assert pack().hash == pack(files={"samples/a.hl7": "MSH"}).hash
    assert pack().hash != pack(oru=ORU + "\n").hash
