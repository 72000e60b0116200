"""`make fast`: compile the row engine to machine code, by mypyc, to where `adapters.compiled` looks for it.

    python tools/compile_engine.py [--opt 3]

Needs a C compiler and Python's headers. Whatever was compiled from other source goes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from adapters import compiled

_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify({files}, opt_level="{opt}", debug_level="0", group_name="{name}")
setup(name="{name}", packages=[], ext_modules=modules)
"""


def main() -> int:
    """Compile unless that is done already; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opt", default="3", choices=["0", "1", "2", "3"], help="how hard the C compiler tries")
    given = parser.parse_args()
    wanted = compiled.FOLDER / compiled.digest()
    if wanted.is_dir():
        print("compile: the engine is compiled already")
        return 0
    start = time.monotonic()
    compiled.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=compiled.FOLDER) as made:
        if not _compile(Path(made), given.opt):
            return 1
        if wanted != compiled.FOLDER / compiled.digest():
            print("compile: the source changed meanwhile; try again", file=sys.stderr)
            return 1
        for old in compiled.FOLDER.iterdir():
            if old != Path(made):
                shutil.rmtree(old, ignore_errors=True)
        Path(made, "lib").rename(wanted)
    print(f"compile: the engine is compiled, in {time.monotonic() - start:.0f} s")
    return 0


def _compile(made: Path, opt: str) -> bool:
    """Machine code below ``lib`` of a folder, made from a copy, so that nothing of it can lie beside the source."""
    source = made / "source"
    for package in ("adapters", "consent"):
        shutil.copytree(compiled.ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    files = [f"--config-file={compiled.ROOT / 'pyproject.toml'}"]
    files += [f"{module.replace('.', '/')}.py" for module in compiled.MODULES]
    name = compiled.SHARED.removesuffix("__mypyc")
    (source / "setup.py").write_text(_SETUP.format(name=name, files=files, opt=opt), "utf-8")
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--build-lib", str(made / "lib")]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=source, env=kept, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    missing = [one for one in (*compiled.MODULES, compiled.SHARED) if not compiled.file_of(made / "lib", one).is_file()]
    if done.returncode or missing:
        print(done.stdout[-4000:], file=sys.stderr)
        print("compile: it could not be compiled; the engine stays as Python", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
