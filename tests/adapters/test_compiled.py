"""The compiled engine answers as the one in Python does, and never for other source than stands here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adapters import compiled

WHERE = "import adapters.mapping.reader as reader; print(reader.__file__)"


def _run(*arguments: str, at: Path = compiled.ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=at,
        env={"PYTHONPATH": str(at), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the source beside which something is compiled; no machine code, so that loading it fails."""
    skipped = shutil.ignore_patterns("__pycache__", "samples", "build")
    for package in ("adapters", "consent"):
        shutil.copytree(compiled.ROOT / package, tmp_path / package, ignore=skipped)
    digest = _run("-c", "from adapters import compiled; print(compiled.digest())", at=tmp_path).stdout.strip()
    for module in (*compiled.MODULES, compiled.SHARED):
        file = compiled.file_of(tmp_path / "build" / "compiled" / digest, module)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"no machine code")
    return tmp_path


def test_what_is_compiled_from_this_source_is_loaded(house: Path) -> None:
    """What lies under the source's digest is what is imported, unless Python is asked for."""
    assert "ImportError" in _run("-c", WHERE, at=house).stderr
    assert _run("-X", "pure", "-c", WHERE, at=house).stdout.endswith("reader.py\n")


@pytest.mark.parametrize(
    "changed", ["adapters/mapping/reader.py", "adapters/tree.py", "adapters/r4/table.py", "consent/vocabulary.py"]
)
def test_changed_source_is_never_answered_for_by_older_machine_code(house: Path, changed: str) -> None:
    """One more line in any file that goes into it, and the Python is read."""
    with (house / changed).open("a") as source:
        source.write("# more\n")
    assert _run("-c", WHERE, at=house).stdout.endswith("reader.py\n")


def test_added_source_is_never_answered_for_by_older_machine_code(house: Path) -> None:
    """A new file could take the place of another."""
    (house / "adapters" / "mapping" / "more.py").touch()
    assert _run("-c", WHERE, at=house).stdout.endswith("reader.py\n")


def test_there_is_all_of_it_or_none(house: Path) -> None:
    """Where one module is missing, all are read as Python: the two kinds are never mixed."""
    folder = next((house / "build" / "compiled").iterdir())
    compiled.file_of(folder, "adapters.mapping.ways").unlink()
    assert _run("-c", WHERE, at=house).stdout.endswith("reader.py\n")


@pytest.mark.timeout(600)
def test_compiled_and_python_answer_alike(tmp_path: Path) -> None:
    """Every sample of every pack, whole and damaged: the same bundles, loss, deviations, messages and refusals.

    It is compiled here in a copy, so that no other test of this run reads what the compiler made, and in a hurry: how
    hard the C compiler tries changes no answer.
    """
    for name in ("adapters", "consent", "tools", "tests/adapters"):
        shutil.copytree(compiled.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/__init__.py"):
        shutil.copy(compiled.ROOT / name, tmp_path / name)
    made = _run("-m", "tools.compile_engine", "--opt", "0", at=tmp_path)
    assert made.returncode == 0, (
        f"{made.stdout}{made.stderr}: it takes a C compiler and Python's headers, see `make fast`"
    )
    found = [_run(*how, "-m", "tests.adapters.answers", at=tmp_path) for how in ((), ("-X", "pure"))]
    assert [one.returncode for one in found] == [0, 0], found[0].stderr + found[1].stderr
    machine, python = ([json.loads(line) for line in one.stdout.splitlines()] for one in found)
    assert (machine.pop(), python.pop()) == (True, False)
    assert len(python) > 1_000
    assert machine == python
