"""`docs/onboarding.md` is true: its commands make a pack from a sample, and its agency's message is taken by a hub.

The page's first half runs in this process; then all of it runs as a reader would, in a shell beside a hub that serves.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest

from hub import exchange, wiring
from hub.cli import run
from hub.envelope import Envelope
from hub.settings import read_settings
from tests.e2e.serving import serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "onboarding.md").read_text("utf-8")


def blocks() -> list[str]:
    """The page's commands, in order; the first only says where one stands."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)[1:]


def follow(script: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a block: `hub` in this process, everything else in a shell; what the hub's commands said."""
    said, waiting, names = "", "", {}
    for line in [*script.splitlines(keepends=True), "hub"]:
        if not line.startswith("hub"):
            waiting += line
            names |= dict(re.findall(r"^(\w+)=(\S+)$", line))
            continue
        subprocess.run(["bash", "-euo", "pipefail", "-c", waiting], check=True, timeout=20)
        waiting = "".join(f"{name}={value}\n" for name, value in names.items())
        command, _, file = line.strip().partition(" > ")
        words = [Template(word).substitute(names) for word in shlex.split(command)[1:]]
        if words:
            assert run(words) == 0, line
            out = capsys.readouterr().out
            said += out
            Path(file or "said.txt").write_text(out, "utf-8")
    return said


def test_the_page_can_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Draft, mend and check by the page's own commands; then a hub with that pack takes the agency's message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PACKS_PATH", raising=False)
    commands = blocks()
    serve = next(number for number, block in enumerate(commands) if "hub serve" in block)
    said = follow("".join(commands[:serve]), capfd)
    assert "packs/health/tram-y-te: 0 errors" in said
    counted = "18 rows guessed, 2 places not guessed"
    assert (counted in said, counted in PAGE) == (True, True)

    monkeypatch.setenv("PACKS_PATH", str(tmp_path / "packs"))
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "data"))
    agencies = next(
        found for block in commands if (found := re.search(r"agencies.yaml <<'END'\n(.*?)END\n", block, re.S))
    )
    (tmp_path / "agencies.yaml").write_text(agencies[1], "utf-8")
    assert run(["keys", "init"]) == 0
    assert run(["agency", "import", "agencies.yaml"]) == 0
    with wiring.opened(read_settings()) as parts:
        raw = (tmp_path / "phieu-kham.csv").read_bytes()
        answer = exchange.accept(parts, Envelope("tram-y-te-mau", "http", raw, "text/csv"))
    assert (answer.state, answer.head.type) == ("stored", "records")


@pytest.mark.timeout(600)
def test_the_page_leads_to_messages_both_ways(tmp_path: Path) -> None:
    """Every command, in a shell, beside a hub on another port: in the end the agency hears back in its own table."""
    here = tmp_path / ".hub" / "onboarding"
    (here / "bin").mkdir(parents=True)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (here / "bin" / "hub").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hub "$@"\n', "utf-8")
    (here / "bin" / "hub").chmod(0o755)
    commands = blocks()
    serve = next(number for number, block in enumerate(commands) if "hub serve" in block)
    shell(here, "".join(commands[:serve]))
    with serving(here / ".hub", {"PACKS_PATH": str(here / "packs")}) as hub:
        said = shell(here, "".join(commands[serve + 1 :]).replace("http://127.0.0.1:8080", hub.base))
    received = json.loads((here / "received.json").read_text("utf-8"))
    assert "Patient" not in {entry["resource"]["resourceType"] for entry in received["entry"]}
    assert "D-plan-permits" in said
    assert "".join(f"    {line}\n" for line in said.splitlines()[-2:]) in PAGE


def shell(here: Path, script: str) -> str:
    """What a shell in a folder says that runs the script and stops at the first failure."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PACKS_"))}
    mine |= {"PATH": f"{here / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=here, env=mine, capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_an_agency_whose_pack_is_missing_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Registered all the same, with a warning that says where to name the pack's folder."""
    monkeypatch.delenv("PACKS_PATH", raising=False)
    monkeypatch.setenv("HUB_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "agency.yaml"
    file.write_text(
        "agencies:\n  - {id: tram-mau, sector: health, unit: station, titles: {vi: Trạm, en: Station},"
        " packs: {in: [health/none]}}\n",
        "utf-8",
    )
    assert run(["keys", "init"]) == 0
    assert run(["agency", "import", str(file)]) == 0
    assert "tram-mau: there is no pack health/none here; name its folder in PACKS_PATH" in capsys.readouterr().err
