"""The whole story, told against real hubs: the embedded default, and PostgreSQL with a Kafka-protocol broker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.demo.story import STEPS
from tests.conftest import Broker, Postgres
from tests.e2e.serving import serving


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """The JSON lines that the demo printed."""
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def told_in_full(done: subprocess.CompletedProcess[str]) -> None:
    """Every step was told, in order, and held."""
    told = [line for line in lines_of(done) if "held" in line]
    assert done.returncode == 0, f"{told[-1:]} {done.stderr[-2000:]}"
    assert [line["name"] for line in told] == [step.__name__ for step in STEPS]


def demo(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `hub demo` as a user does."""
    command = [sys.executable, "-m", "hub", "demo", "--fast", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, cwd=folder)


@pytest.mark.timeout(180)
def test_the_story_holds_on_the_embedded_default(tmp_path: Path) -> None:
    """`hub demo` starts a hub of its own and every expectation holds."""
    told_in_full(demo("--json", folder=tmp_path))


@pytest.mark.timeout(180)
def test_the_story_holds_on_postgresql_with_a_broker(tmp_path: Path, postgres: Postgres, broker: Broker) -> None:
    """The same story passes against `hub serve` on PostgreSQL with the Kafka dispatcher."""
    settings = {"HUB_DATABASE_URL": postgres.fresh(), "HUB_KAFKA": broker.address, "HUB_KAFKA_TOPIC": "story"}
    with serving(tmp_path / "hub", settings) as hub:
        mllp = ("--mllp", f"127.0.0.1:{hub.mllp[1]}")
        told_in_full(demo("--json", "--against", hub.base, "--admin-key", str(hub.key), *mllp, folder=tmp_path))


@pytest.mark.timeout(180)
def test_a_hub_that_leaks_makes_the_story_fail(tmp_path: Path) -> None:
    """The story judges what arrived: a hub whose release lets everything through does not pass."""
    entry = ("-c", LEAKY)
    with serving(tmp_path / "hub", {}, entry) as hub:
        mllp = ("--mllp", f"127.0.0.1:{hub.mllp[1]}")
        done = demo("--json", "--against", hub.base, "--admin-key", str(hub.key), *mllp, folder=tmp_path)
    assert done.returncode == 1
    assert lines_of(done)[-1]["held"] is False


LEAKY = """
import hub.disclosing
hub.disclosing.release = lambda bundle, decision: bundle
from hub.cli import main
main()
"""
