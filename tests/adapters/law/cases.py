"""Every pack, built-in or under examples/packs, found by its manifest; its types, samples and messages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from adapters.checking.context import CONTEXT
from adapters.checking.generate import messages
from adapters.errors import AdapterError
from adapters.library import BUILT_IN, find_manifests, load_pack, read_folder
from adapters.pack import Bundle, Pack

ROOT = Path(__file__).parents[3]
FOLDERS = (BUILT_IN, ROOT / "examples" / "packs")


@dataclass(frozen=True)
class Case:
    """One message type of one pack."""

    pack_id: str
    type: str
    direction: str

    def __str__(self) -> str:
        return f"{self.pack_id} {self.type}"

    @property
    def pack(self) -> Pack:
        """The pack, loaded once in a process."""
        return pack(self.pack_id)

    def samples(self) -> list[bytes]:
        """The pack's samples of this type, as far as it reads them."""
        return [raw for raw in samples(self.pack_id) if _type(self.pack, raw) == self.type]

    def made(self, count: int, seed: object = "") -> Iterator[bytes]:
        """So many messages made; the same ones for the same seed."""
        chance = random.Random(f"{self} {seed}")
        return messages(self.pack, self.type, chance.randrange, count, samples(self.pack_id))


@cache
def manifests() -> dict[str, Path]:
    """Folder by pack id. Only the manifest's head is read: a broken pack fails its own tests and no others."""
    found: dict[str, Path] = {}
    for path in find_manifests(*(folder for folder in FOLDERS if folder.is_dir())):
        said = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
        found[said["id"]] = path.parent
    return found


@cache
def cases() -> tuple[Case, ...]:
    """Every message type of every pack."""
    found = []
    for id_, folder in manifests().items():
        said = yaml.load((folder / "manifest.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
        found += [Case(id_, row["type"], row.get("direction", "both")) for row in said["messages"]]
    return tuple(found)


@cache
def pack(id_: str) -> Pack:
    """A pack, its rows compiled when they are first needed."""
    return load_pack(read_folder(manifests()[id_]), lazy=True)


@cache
def samples(id_: str) -> tuple[bytes, ...]:
    """A pack's sample messages."""
    folder = manifests()[id_] / "samples"
    if not folder.is_dir():
        return ()
    names = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.endswith(".bundle.json"))
    return tuple(path.read_bytes() for path in names)


def bundles(of: Pack, raws: Sequence[bytes]) -> Iterator[Bundle]:
    """The bundles of the messages that are read."""
    for raw in raws:
        try:
            yield from (strand.bundle for strand in of.read(raw, CONTEXT).strands)
        except AdapterError:
            continue


def _type(of: Pack, raw: bytes) -> str:
    try:
        return of.head(raw, CONTEXT).type
    except AdapterError:
        return ""
