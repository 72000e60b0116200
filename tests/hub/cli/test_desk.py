"""Commands that act on this machine's hub: they say what they did, enforce roles, and name what is wrong."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from hub import exchange, wiring
from hub.cli import run
from hub.envelope import Envelope
from hub.settings import read_settings

SAMPLES = Path(__file__).parents[3] / "adapters" / "health" / "hl7v2" / "samples"

HOSPITAL = """
agencies:
  - id: benh-vien-mau
    sector: health
    unit: exam-unit
    titles: {vi: Bệnh viện Mẫu, en: Sample hospital}
    packs: {in: [health/hl7v2]}
    transports: {mllp: {application: HIS-MAU, facility: BV-MAU}}
  - id: truong-mau
    sector: education
    unit: school
    titles: {vi: Trường Mẫu, en: Sample school}
    packs: {out: education/school-support}
    transports: {out: {type: webhook, url: "https://truong.example/in"}}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run one command on a hub of its own; (exit code, standard output, standard error)."""
    monkeypatch.setenv("HUB_DATABASE_URL", database_url)
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def go(*words: str, given: Any = None) -> tuple[int, str, str]:
        if given is not None:
            raw = given if isinstance(given, bytes) else json.dumps(given).encode()
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
        code = run(list(words))
        said = capsys.readouterr()
        return code, said.out, said.err

    assert go("keys", "init")[0] == 0
    yield go
    structlog.reset_defaults()


def test_the_root_key_is_never_overwritten(hub: Run, tmp_path: Path) -> None:
    """A second `keys init` refuses; only the owner can read the file."""
    path = tmp_path / "data" / "root.key"
    before = path.read_bytes()
    code, _, said = hub("keys", "init")
    assert (code, path.read_bytes()) == (1, before)
    assert "overwriting" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_agencies_come_from_yaml(hub: Run, tmp_path: Path) -> None:
    """Import, list, show; an unchanged import makes no version, a changed one does."""
    file = tmp_path / "agencies.yaml"
    file.write_text(HOSPITAL, "utf-8")
    for _ in range(2):
        assert hub("agency", "import", str(file))[0] == 0
    file.write_text(HOSPITAL.replace("Sample hospital", "Sample hospital two"), "utf-8")
    assert hub("agency", "import", str(file))[0] == 0
    listed = json.loads(hub("agency", "list", "--json")[1])
    assert [one["id"] for one in listed] == ["benh-vien-mau", "truong-mau"]
    versions = json.loads(hub("agency", "show", "benh-vien-mau", "--history")[1])
    assert [(one["version"], one["by"]) for one in versions] == [(1, "local"), (2, "local")]
    assert len(hub("agency", "secret", "truong-mau")[1].strip()) == 64
    assert hub("agency", "secret", "benh-vien-mau")[0] == 2
    assert hub("agency", "show", "nobody")[0] == 2


def test_an_officer_is_listed_with_a_key_of_their_own(hub: Run) -> None:
    """The public half of a new pair goes from one command to the other; what is not said again stays as it was."""
    assert hub("agency", "import", "-", given=HOSPITAL.encode())[0] == 0
    made = json.loads(hub("keys", "agency", "truong-mau/GV-01", "--out", "gv.key.json")[1])
    assert hub("agency", "officer", "truong-mau", "GV-01", "--keys", "-", given=made)[1].strip() == "truong-mau/GV-01"
    assert hub("agency", "officer", "truong-mau", "GV-01", "--until", "2030-01-01T00:00:00+07:00")[0] == 0
    assert hub("agency", "officer", "truong-mau", "GV-02")[0] == 0
    listed = {one["id"]: one for one in json.loads(hub("agency", "show", "truong-mau")[1])["officers"]}
    assert set(listed) == {"GV-01", "GV-02"}
    assert listed["GV-01"]["jwks"]["keys"][0]["kid"] == made["keys"][0]["kid"]
    assert listed["GV-01"]["valid_to"].startswith("2030-01-01")
    assert hub("agency", "officer", "truong-mau", "Nguyễn Văn A")[0] == 2
    assert hub("agency", "officer", "nobody", "GV-01")[0] == 2


def test_a_wrong_registry_names_every_place(hub: Run) -> None:
    """Exit 2, each place on a line, nothing kept."""
    wrong = HOSPITAL.replace("sector: health", "sector: hospital").replace("exam-unit", "Exam Unit")
    code, _, said = hub("agency", "import", "-", given=wrong.encode())
    assert code == 2
    assert "agencies[0].sector" in said
    assert "agencies[0].unit" in said
    assert json.loads(hub("agency", "list", "--json")[1]) == []
    assert hub("agency", "import", "-", given=b"agencies: [\n")[0] == 2
    assert hub("agency", "import", "-", given=b"\xff")[0] == 2


def test_an_administrator_gets_a_key(hub: Run, tmp_path: Path) -> None:
    """The private half stays in a file of its owner; a taken id changes nothing."""
    assert hub("admin", "add", "van-hanh", "--role", "operator")[0] == 0
    file = tmp_path / "data" / "van-hanh.key.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["sub"] == "van-hanh"
    other = tmp_path / "other.json"
    assert hub("admin", "add", "van-hanh", "--role", "auditor", "--out", str(other))[0] == 2
    assert not other.exists()
    (listed,) = json.loads(hub("admin", "list", "--json")[1])
    assert (listed["id"], listed["roles"], "jwks" in listed) == ("van-hanh", ["operator"], False)
    assert hub("admin", "add", "x1", "--role", "king")[0] == 64
    assert hub("admin", "add", "Thử-Nghiệm", "--role", "auditor", "--out", str(other))[0] == 2
    assert not other.exists()
    assert hub("admin", "disable", "van-hanh")[0] == 0
    assert hub("agency", "list", "--as", "van-hanh")[0] == 2


def test_roles_hold_at_the_desk_too(hub: Run) -> None:
    """Whoever has the root key still acts as somebody: without the role, nothing."""
    for name, role in (("can-bo", "case-worker"), ("kiem-soat", "auditor"), ("quan-tri", "consent-admin")):
        assert hub("admin", "add", name, "--role", role)[0] == 0
    search = {"identifiers": [{"type": "NI", "value": "999000000001"}]}
    assert hub("case", "find", "-", "--as", "can-bo", given=search)[0] == 0
    assert hub("case", "find", "-", "--as", "kiem-soat", given=search)[0] == 2
    assert hub("case", "find", "-", "--as", "nobody", given=search)[0] == 2
    assert hub("case", "find", "-", given=search)[0] == 64
    assert hub("audit", "list", "--as", "kiem-soat")[0] == 0
    assert hub("audit", "list", "--as", "can-bo")[0] == 2
    assert hub("agency", "import", "-", "--as", "can-bo", given=HOSPITAL.encode())[0] == 2
    assert hub("case", "record", "x", "consent", "-", "--as", "can-bo", given={})[0] == 2


def test_a_case_is_worked_on_from_the_desk(hub: Run) -> None:
    """From an exam record to a verified order, a withdrawn consent, and what the ledger says about it."""
    assert hub("agency", "import", "-", given=HOSPITAL.encode())[0] == 0
    people = (("can-bo-a", "case-worker"), ("can-bo-b", "case-worker"), ("quan-tri", "consent-admin"))
    for name, role in (*people, ("kiem-soat", "auditor")):
        hub("admin", "add", name, "--role", role)
    raw = (SAMPLES / "oru-r01-exam.hl7").read_bytes()
    with wiring.opened(read_settings()) as parts:
        taken = exchange.accept(parts, Envelope("benh-vien-mau", "mllp", raw, pack="health/hl7v2"))
        with parts.store.read() as unit:
            from hub.storage import persons

            (case,) = persons.cases(unit)
    listed = json.loads(hub("message", "list", "--json")[1])
    assert [one["id"] for one in listed] == [taken.message]
    assert json.loads(hub("message", "show", taken.message)[1])["state"] == "stored"
    born = hub("case", "record", case.id, "birth-date", "-", "--as", "can-bo-a", given={"date": "2016-05-20"})
    assert born[0] == 0
    order = {
        "number": "12/QĐ-MẪU", "body": "benh-vien-mau", "issued": "2026-11-20",
        "items": [{"data_class": "forensic", "recipient": "benh-vien-mau"}],
    }  # fmt: skip
    entered = json.loads(hub("order", "enter", case.id, "-", "--as", "can-bo-a", given=order)[1])
    assert hub("order", "verify", case.id, entered["fact"], "--as", "can-bo-a")[0] == 2
    assert hub("order", "verify", case.id, entered["fact"], "--as", "can-bo-b")[0] == 0
    consent = {
        "resource": {"resourceType": "Consent", "status": "active"},
        "given_by": case.person, "as": "child", "evidence": "sha256:mau", "given_at": "2026-11-22T10:00:00Z",
    }  # fmt: skip
    given = hub("consent", "record", case.id, "-", "--as", "quan-tri", given=consent)
    assert given[0] == 0, given[2]
    fact = json.loads(given[1])["fact"]
    ended = json.loads(hub("consent", "withdraw", case.id, fact, "--by", case.person, "--as", "quan-tri")[1])
    assert ended["effective_at"]
    assert json.loads(hub("consent", "withdrawal", ended["id"], "--as", "quan-tri")[1])["effective_at"]
    kinds = {row["kind"] for row in json.loads(hub("audit", "list", "--as", "kiem-soat", "--json")[1])}
    assert {"accepted", "fact", "admin"} <= kinds
    assert hub("case", "account", case.id, "--as", "kiem-soat")[0] == 0
    assert json.loads(hub("match", "list", "--as", "can-bo-a", "--json")[1]) == []
    assert hub("match", "resolve", "x", "--as", "can-bo-a")[0] == 64
    assert hub("message", "retry", "none")[0] == 2
    assert json.loads(hub("preview", case.id, "--as", "quan-tri")[1])
    assert json.loads(hub("preview", case.id, "--as", "quan-tri", "--explain", "--lang", "vi", "--on", "2032-05-20")[1])
    assert hub("preview", case.id, "--as", "quan-tri", "--on", "tomorrow")[0] == 64
    assert hub("preview", case.id, "--as", "quan-tri", "--unmask", "benh-vien-mau")[0] == 64
    unmask = ("--unmask", "benh-vien-mau", "--purpose", "TREAT")
    assert hub("preview", case.id, "--as", "quan-tri", *unmask)[0] == 2
    assert hub("preview", case.id, "--as", "quan-tri", "--withdrawn", "no-such-fact")[0] == 2
    assert json.loads(hub("case", "decisions", case.id, "--as", "quan-tri", "--json")[1]) == []
    assert hub("audit", "explain", "no-such-record", "--as", "quan-tri", "--lang", "en")[0] == 2
    assert hub("audit", "explain", "no-such-record", "--as", "quan-tri", "--lang", "fr")[0] == 64


def test_without_a_key_nothing_starts(hub: Run, tmp_path: Path) -> None:
    """The message says how to mend it."""
    (tmp_path / "data" / "root.key").unlink()
    code, _, said = hub("agency", "list")
    assert code == 1
    assert "hub keys init" in said


def test_the_doctor_says_how_to_mend(hub: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sound hub passes; a plain door, a missing broker, a foreign key and a stranger's mode are found."""
    monkeypatch.setenv("HUB_HTTP_PORT", "0")
    monkeypatch.setenv("HUB_MLLP_PORT", "0")
    hub("agency", "import", "-", given=HOSPITAL.encode())
    code, said, _ = hub("doctor")
    assert code == 0, said
    monkeypatch.setenv("HUB_HTTP_HOST", "0.0.0.0")
    monkeypatch.setenv("HUB_KAFKA", "127.0.0.1:1")
    (tmp_path / "data" / "root.key").chmod(0o644)
    code, said, _ = hub("doctor", "--json")
    failing = {one["check"] for one in json.loads(said) if not one["ok"]}
    assert (code, failing) == (1, {"root key", "broker", "http door"})
    assert all(one["mend"] for one in json.loads(said) if not one["ok"])
