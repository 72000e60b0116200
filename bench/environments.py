"""Virtual environments of peers whose pinned libraries cannot live beside the hub's, made once below ``.bench``."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

from bench.figures import Unmeasurable

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parent / ".bench"


def python_of(peer: str) -> Path:
    """The Python of the peer's environment, installed exactly as its lock file says. Raises :class:`Unmeasurable`."""
    lock = HERE / f"requirements-{peer}.lock"
    folder = cache() / f"{peer}-{sha256(lock.read_bytes()).hexdigest()[:12]}"
    python, done = folder / "bin" / "python", folder / ".complete"
    if done.exists():
        return python
    with (CACHE / f"{peer}.log").open("wb") as log:
        for step, command in (
            ("venv", [sys.executable, "-m", "venv", "--clear", str(folder)]),
            ("pip", [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock)]),
        ):
            try:
                code = subprocess.run(command, stdout=log, stderr=log, timeout=300).returncode
            except subprocess.TimeoutExpired:
                raise Unmeasurable(f"{step} did not install {peer} within 300 s; see .bench/{peer}.log") from None
            if code:
                raise Unmeasurable(f"{step} could not install {peer} (code {code}); see .bench/{peer}.log")
    done.touch()
    return python


def cache() -> Path:
    """The cache folder; it keeps itself out of version control."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    return CACHE
