"""The row engine as machine code, where `make fast` has made it from the very Python that stands here; else as Python.

What is compiled lies outside the source, in a folder named by a digest of every file that it was made from and of the
interpreter that it was made for. After any change the name is another, so it can never answer for older source: there
is either all of it or none. ``python -X pure`` leaves it aside.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

MODULES: Final = (
    "adapters.codecs.common",
    "adapters.codecs.er7",
    "adapters.codecs.er7_tree",
    "adapters.mapping.assemble",
    "adapters.mapping.carrying",
    "adapters.mapping.choosing",
    "adapters.mapping.codes",
    "adapters.mapping.conditions",
    "adapters.mapping.dates",
    "adapters.mapping.heading",
    "adapters.mapping.identity",
    "adapters.mapping.kin",
    "adapters.mapping.making",
    "adapters.mapping.paths",
    "adapters.mapping.places",
    "adapters.mapping.plain",
    "adapters.mapping.plans",
    "adapters.mapping.putting",
    "adapters.mapping.reader",
    "adapters.mapping.short",
    "adapters.mapping.structure",
    "adapters.mapping.telling",
    "adapters.mapping.values",
    "adapters.mapping.walk",
    "adapters.mapping.ways",
)
"""What is compiled: the way in through ER7 and rows. Compiled code does not notice that the stack ends, so nothing here
may recurse deeper than a pack's own rows or than a codec lets a message nest."""
SHARED: Final = "adapters_compiled__mypyc"
"""The library that holds them all."""
ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "build" / "compiled"
_SUFFIX: Final = EXTENSION_SUFFIXES[0]
"""Names the interpreter's version, its machine and its way of calling."""


def digest() -> str:
    """Of all Python that what is compiled is made from: a constant of another module is compiled in as well."""
    found = sha256(_SUFFIX.encode())
    files = (*(ROOT / "adapters").glob("*.py"), *(ROOT / "adapters").glob("*/*.py"), ROOT / "consent" / "vocabulary.py")
    for path in sorted(files):
        source = path.read_bytes()
        found.update(f"\0{path.relative_to(ROOT).as_posix()}\0{len(source)}\0".encode())
        found.update(source)
    return found.hexdigest()


def file_of(folder: Path, module: str) -> Path:
    """Where a module's machine code lies in a folder of what is compiled."""
    return folder.joinpath(*module.split(".")).with_suffix(_SUFFIX)


class _Compiled(MetaPathFinder):
    """Finds the machine code of a module before its Python is found."""

    def __init__(self, folder: Path) -> None:
        self._files = {module: file_of(folder, module) for module in (*MODULES, SHARED)}

    def is_whole(self) -> bool:
        """Whether every module is there."""
        return all(path.is_file() for path in self._files.values())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of what is compiled; None for all else."""
        found = self._files.get(fullname)
        return None if found is None else spec_from_file_location(fullname, found)


def use() -> None:
    """Import what is compiled in place of its Python, if it was made from what stands here."""
    if FOLDER.is_dir() and "pure" not in sys._xoptions:
        finder = _Compiled(FOLDER / digest())
        if finder.is_whole():
            sys.meta_path.insert(0, finder)


def is_used() -> bool:
    """Whether the engine of this process is machine code."""
    return any(isinstance(finder, _Compiled) for finder in sys.meta_path)
