"""The tools of packs: list, show, diff, check, new; packs from elsewhere count like built-in ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.cli import run
from hub.settings import read_settings
from tests.adapters.checking.small import sound

FORMATS = Path(__file__).parents[2] / "adapters" / "drafting" / "formats"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command without packs from elsewhere; (exit code, standard output, standard error)."""
    monkeypatch.delenv("PACKS_PATH", raising=False)

    def go(*words: str | Path) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.fixture
def mau(tmp_path: Path) -> Path:
    """A folder of packs with one small sound pack in it, `social/mau`."""
    folder = tmp_path / "packs" / "social" / "mau"
    for name, raw in sound().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    return folder


def test_packs_are_listed_in_both_languages(hub: Run, mau: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built-in ones and those of --packs, with the title in the language of the setting."""
    for lang, title in (("vi", "Mẫu"), ("en", "Sample")):
        monkeypatch.setenv("HUB_LANG", lang)
        code, said, _ = hub("pack", "list", "--packs", mau.parents[1], "--json")
        titles = {row["id"]: row["title"] for row in json.loads(said)}
        assert (code, titles["social/mau"]) == (0, title)
        assert "health/hl7v2" in titles


def test_a_pack_shows_what_it_speaks(hub: Run, mau: Path) -> None:
    """Each message type with its event, direction and number of rows; an unknown pack is wrong usage."""
    code, said, _ = hub("pack", "show", "social/mau", "--packs", mau)
    assert code == 0
    assert said.splitlines()[-1].split() == ["Record", "record", "both", "5", "0"]
    assert hub("pack", "show", "social/mau")[0] == 64


def test_differences_are_said_in_words(hub: Run, mau: Path, tmp_path: Path) -> None:
    """Rows, codes and messages of two editions, and nothing between a pack and itself."""
    other = tmp_path / "other"
    shutil.copytree(mau, other)
    rows = (other / "maps" / "record.yaml").read_text("utf-8")
    (other / "maps" / "record.yaml").write_text(rows.replace("to: gender,", "to: gender, unknown: keep,"), "utf-8")
    (other / "codes" / "sex.csv").write_text("source,code\nNam,male\nNu,female\nKhac,other\n", "utf-8")
    manifest = (other / "manifest.yaml").read_text("utf-8")
    more = "  - {type: Closing, when: {type: Closing}, event: record, map: maps/record.yaml}\n"
    (other / "manifest.yaml").write_text(manifest + more, "utf-8")
    code, said, _ = hub("pack", "diff", mau, other)
    assert code == 0
    assert "+ message Closing (record) is new" in said
    assert "codes/sex.csv: Khac meant nothing, means other" in said
    assert "- Record child/sex: fills gender, codes codes/sex.csv, unknown codes refuse" in said
    assert "+ Record child/sex: fills gender, codes codes/sex.csv, unknown codes keep" in said
    assert hub("pack", "diff", mau, mau)[1] == "no difference\n"


def test_check_ends_with_0_2_or_64(hub: Run, mau: Path) -> None:
    """0 without errors, 2 with the file and the row of each, 64 for what is no pack."""
    assert hub("pack", "check", mau, "--messages", "2") == (0, f"{mau}: 0 errors, 0 warnings\n", "")
    rows = mau / "maps" / "record.yaml"
    rows.write_text(rows.read_text("utf-8").replace("to: gender,", "to: sexOfChild,"), "utf-8")
    code, said, _ = hub("pack", "check", mau)
    assert code == 2
    assert said.startswith(
        "maps/record.yaml: rows[1].rows[2] (at: sex, to: sexOfChild): error: path sexOfChild: R4 has no"
    )
    assert hub("pack", "check", mau.parent)[0] == 64
    assert hub("pack", "check", mau, "--messages", "-1")[0] == 64


def test_the_law_is_part_of_the_check(hub: Run, mau: Path) -> None:
    """A pack that says more than it was told is told of, by the part of the law that it breaks."""
    rows = mau / "maps" / "record.yaml"
    text = rows.read_text("utf-8")
    rows.write_text(text.replace("to: text}", "to: text, jsonata: {read: $, write: $uppercase($)}}"), "utf-8")
    code, said, _ = hub("pack", "check", mau, "--messages", "4")
    assert code == 2
    assert "law Record: part " in said


def test_expected_bundles_are_written_on_request_only(hub: Run, mau: Path) -> None:
    """A sample that changed is an error, until somebody takes over what is read now."""
    sample = mau / "samples" / "record.json"
    sample.write_bytes(sample.read_bytes().replace(b"T-01", b"T-02"))
    assert hub("pack", "check", mau, "--messages", "0")[0] == 2
    assert hub("pack", "check", mau, "--messages", "0", "--write-expected")[0] == 0
    assert "T-02" in (mau / "samples" / "record.bundle.json").read_text("utf-8")


def test_a_new_pack_is_drafted_checked_and_used(hub: Run, tmp_path: Path) -> None:
    """From a sample and a schema to a translated message, by commands alone."""
    folder = tmp_path / "packs" / "police" / "census"
    new = ("pack", "new", folder, "--id", "police/census")
    code, said, doubts = hub(*new, "--sample", FORMATS / "census.xml", "--schema", FORMATS / "census.xsd")
    assert code == 0
    assert "rows guessed" in said
    assert all(line.startswith(("not guessed", "note")) for line in doubts.splitlines())
    assert hub("pack", "check", folder, "--messages", "2")[0] == 0
    translate = ("translate", FORMATS / "census.xml", "--from", "police/census", "--packs", tmp_path / "packs")
    code, bundle, _ = hub(*translate)
    assert (code, json.loads(bundle)["resourceType"]) == (0, "Bundle")


def test_a_new_pack_never_overwrites(hub: Run, mau: Path, tmp_path: Path) -> None:
    """Not a folder with anything in it; and an id is a sector and a name, a sample can be read and is of one syntax."""
    sample = FORMATS / "clinic.csv"
    before = (mau / "manifest.yaml").read_bytes()
    assert hub("pack", "new", mau, "--id", "social/mau", "--sample", sample)[0] == 2
    assert (mau / "manifest.yaml").read_bytes() == before
    assert hub("pack", "new", tmp_path / "new", "--id", "clinic", "--sample", sample)[0] == 64
    assert hub("pack", "new", tmp_path / "new", "--id", "health/clinic")[0] == 64
    assert hub("pack", "new", tmp_path / "new", "--id", "health/clinic", "--sample", tmp_path / "none.csv")[0] == 2
    both = ("--sample", sample, "--sample", FORMATS / "census.xml")
    assert hub("pack", "new", tmp_path / "new", "--id", "health/clinic", *both)[0] == 2
    assert not (tmp_path / "new").exists()


def test_folders_of_packs_come_from_the_environment_and_the_command(
    hub: Run, mau: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PACKS_PATH and --packs add up; a folder that is not there, or a broken pack, is named and nothing starts."""
    monkeypatch.setenv("PACKS_PATH", str(mau))
    assert read_settings().with_packs([tmp_path]).pack_folders == (mau, tmp_path)
    assert hub("pack", "show", "social/mau")[0] == 0
    assert hub("pack", "list", "--packs", tmp_path / "missing")[::2] == (
        2,
        "hub: missing: there is no such folder of packs\n",
    )
    (mau / "maps" / "record.yaml").write_text("rows: [{to: x}]", "utf-8")
    code, _, said = hub("pack", "list")
    assert code == 2
    assert said.startswith("hub: social/mau: maps/record.yaml rows[1]")
