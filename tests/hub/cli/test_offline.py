"""Translate, validate and decide work on files alone; what they refuse they refuse by place, with exit 2."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hub.cli import run

PACKS = Path(__file__).parents[3] / "adapters"
EXAM = str(PACKS / "health" / "hl7v2" / "samples" / "oru-r01-exam.hl7")


def hub(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of one command."""
    code = run(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_sample_becomes_a_valid_bundle(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The bundle is on standard output, what was lost on standard error, and the bundle passes `validate`."""
    code, bundle, loss = hub(capsys, "translate", EXAM, "--from", "health/hl7v2")
    assert code == 0
    assert json.loads(bundle)["resourceType"] == "Bundle"
    assert all(line.startswith(("loss", "deviation")) for line in loss.splitlines())
    file = tmp_path / "bundle.json"
    file.write_text(bundle, "utf-8")
    assert hub(capsys, "validate", str(file))[0] == 0


def test_a_request_is_said_in_the_other_format(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The police's XML becomes the hospital's REF^I12, bytes as they would leave."""
    file = str(PACKS / "police" / "niem" / "samples" / "forensic-exam-request.xml")
    assert run(["translate", file, "--from", "police/niem", "--to", "health/hl7v2"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"MSH|")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("translate", "missing.hl7", "--from", "health/hl7v2"), 2),
        (("translate", __file__, "--from", "health/hl7v2"), 2),
        (("translate", EXAM, "--from", "no/such"), 64),
        (("translate", EXAM), 64),
        (("translate", EXAM, "--from", "health/hl7v2", "--to", "no/such"), 64),
        (("validate", __file__), 2),
        (("decide", __file__), 2),
        (("nonsense",), 64),
        (("serve", "--port", "many"), 64),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int) -> None:
    """2 for input that is refused, 64 for wrong usage, with a reason on standard error."""
    ended, _, said = hub(capsys, *words)
    assert (ended, bool(said)) == (code, True)


def test_validate_names_the_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An OperationOutcome with the expression; twice the same name is not JSON."""
    file = tmp_path / "patient.json"
    file.write_text('{"resourceType": "Patient", "gender": "xx"}')
    code, said, _ = hub(capsys, "validate", str(file))
    assert (code, json.loads(said)["issue"][0]["expression"]) == (2, ["Patient.gender"])
    file.write_text('{"resourceType": "Patient", "gender": "male", "gender": "female"}')
    assert hub(capsys, "validate", str(file))[0] == 2


def test_decide_answers_whatever_the_decision(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A denial is an answer, exit 0; what cannot be read is exit 2."""
    file = tmp_path / "input.json"
    file.write_text('{"asOf": "2026-11-22T00:00:00Z", "consents": [], "request": {"purposeOfUse": ["TREAT"]}}')
    code, said, _ = hub(capsys, "decide", str(file))
    assert (code, json.loads(said)["decision"]) == (0, "NO_CONSENT")
    file.write_text('{"asOf": "yesterday"}')
    assert hub(capsys, "decide", str(file))[0] == 2


def test_a_consent_is_checked_without_a_hub(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Findings by place, in the asked language; exit 2 only for what would be refused."""
    clause = {"type": "permit", "purpose": [{"code": "TREAT"}]}
    file = tmp_path / "consent.json"
    consent = {"resourceType": "Consent", "status": "active", "provision": clause}
    file.write_text(json.dumps(consent), "utf-8")
    code, said, _ = hub(capsys, "consent", "check", str(file), "--lang", "vi", "--json")
    assert code == 0
    assert {one["code"]: one["says"] for one in json.loads(said)}["no-recipient"].startswith("Cho phép gửi")
    file.write_text(json.dumps(consent | {"provision": clause | {"provision": [{"type": "permit"}]}}), "utf-8")
    code, said, _ = hub(capsys, "consent", "check", str(file), "--lang", "en")
    assert (code, "empty-permit" in said) == (2, True)
    assert hub(capsys, "consent", "check", __file__)[0] == 2
    assert hub(capsys, "consent", "check", str(file), "--lang", "fr")[0] == 64


def test_help_loads_nothing_heavy() -> None:
    """`hub --help` names every command without loading the database, web or FHIR libraries."""
    program = (
        "import sys; from hub.cli import run; code = run(['--help']);"
        "heavy = {'sqlalchemy', 'fastapi', 'pydantic', 'lxml', 'kafka', 'authlib', 'httpx'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ("serve", "translate", "agency", "doctor", "demo"):
        assert f"  {command}" in done.stdout


def test_what_is_no_r4_is_refused_by_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A bundle whose gender is none of R4's is not printed: exit 2, with the FHIRPath place and never the value."""
    file = tmp_path / "bundle.json"
    sample = PACKS / "health/fhir/samples/message-exam-record.json"
    file.write_text(sample.read_text("utf-8").replace('"gender": "female"', '"gender": "nu-gioi"'), "utf-8")
    code, said, why = hub(capsys, "translate", str(file), "--from", "health/fhir")
    assert (code, said) == (2, "")
    assert "gender" in why
    assert "nu-gioi" not in why


@pytest.mark.parametrize(("count", "code"), [("2", 0), ("", 0), ("3", 2)])
def test_a_batch_is_read_message_by_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, count: str, code: int
) -> None:
    """Two messages between BHS and BTS give two bundles; a count that is not theirs is refused at BTS-1."""
    one = Path(EXAM).read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r").rstrip(b"\r") + b"\r"
    file = tmp_path / "batch.hl7"
    file.write_bytes(b"FHS|^~\\&|HIS\rBHS|^~\\&|HIS\r" + one + one + f"BTS|{count}\rFTS|1\r".encode())
    ended, said, why = hub(capsys, "translate", str(file), "--from", "health/hl7v2")
    assert ended == code, why
    if code:
        assert "BTS[1]-1" in why
    else:
        assert len(json.loads(said)) == 2


def test_a_folder_of_csv_files_is_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A roster unpacked says what the ZIP says; another pack, or a folder of nothing, says what to give instead."""
    roster = PACKS / "education" / "oneroster" / "samples" / "roster-1.2.zip"
    zipfile.ZipFile(roster).extractall(tmp_path / "roster")
    (tmp_path / "roster" / "read me.txt").write_text("not a record", "utf-8")
    packed = hub(capsys, "translate", str(roster), "--from", "education/oneroster")
    code, out, said = hub(capsys, "translate", str(tmp_path / "roster"), "--from", "education/oneroster")
    assert code == packed[0] == 0
    assert _children(out) == _children(packed[1])
    assert sorted(said.splitlines()) == sorted(packed[2].splitlines())
    code, _, said = hub(capsys, "translate", str(tmp_path / "roster"), "--from", "police/niem")
    assert (code, "is a folder" in said, "xml" in said) == (2, True, True)
    code, _, said = hub(capsys, "translate", str(tmp_path), "--from", "education/oneroster")
    assert (code, "no .csv file" in said) == (2, True)


def test_a_message_of_another_type_is_told_what_makes_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """One file of a roster is no roster: the refusal says which file or column would make it one."""
    calls = str(PACKS / "hotline" / "csv" / "samples" / "calls.csv")
    code, _, said = hub(capsys, "translate", calls, "--from", "education/oneroster")
    assert (code, "Roster-1.2 (roles.csv/row/role is there)" in said) == (2, True)


def _children(out: str) -> list[object]:
    """The patients of the bundles that were printed."""
    said = json.loads(out)
    bundles = said if isinstance(said, list) else [said]
    resources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    return [resource for resource in resources if resource["resourceType"] == "Patient"]


def test_a_name_that_stands_twice_is_told_by_its_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of a resource to be checked as of a message: the pointer, the line and the column."""
    file = tmp_path / "patient.json"
    file.write_text('{"resourceType": "Patient",\n "name": [{"family": "A", "family": "B"}]}', "utf-8")
    code, _, said = hub(capsys, "validate", str(file))
    assert (code, "/name/0/family" in said, "line 2 column 27" in said) == (2, True, True)
