"""What the engine of this process answers to every pack's samples, whole and damaged; printed as JSON, for comparing.

The last line says whether the engine is compiled.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from adapters import compiled
from adapters.checking.samples import SAMPLE_CONTEXT, Sample, samples_of
from adapters.errors import AdapterError
from adapters.library import BUILT_IN, find_manifests, load_pack, read_folder
from adapters.mapping import reader
from adapters.mapping.engine import event_of
from adapters.pack import Pack

FIELDS = (
    "",
    '""',
    "x",
    "a^b^c",
    "a&b",
    "a~b",
    "~b",
    "^^b",
    "\\T\\",
    "\\X41\\",
    "NM",
    "2012",
    "20240230",
    "Mẫu",
    "x" * 300,
    "\x01",
)
DAMAGED = 20
"""Damaged messages made of each sample."""


def damaged(raw: bytes, name: str) -> Iterator[bytes]:
    """The sample with fields changed, lines doubled, moved or taken out (ER7), or with bytes changed."""
    chance = random.Random(name)
    for _ in range(DAMAGED):
        if not raw.startswith(b"MSH"):
            at = chance.randrange(len(raw))
            yield raw[:at] + chance.choice((b"", b"<", b'"', b"0", b"\xff", b",")) + raw[at + chance.randrange(3) :]
            continue
        lines = raw.decode().splitlines()
        for _ in range(chance.randint(1, 3)):
            at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
            fields = lines[at].split("|")
            what = chance.randrange(6)
            if what < 4:
                fields[chance.randrange(len(fields))] = chance.choice(FIELDS)
                lines[at] = "|".join(fields)
            elif what == 4:
                lines.insert(other, lines[at])
            elif len(lines) > 1:
                del lines[at]
        yield "\r".join(lines).encode() + b"\r"


def answer(pack: Pack, raw: bytes) -> Any:
    """Bundles, leaves, loss and deviations, and each bundle as the pack writes it; or how and where it refuses."""
    try:
        found = pack.read(raw, SAMPLE_CONTEXT)
    except Exception as fault:
        return _said(fault)
    strands = [[strand.bundle, dict(strand.leaves), _written(pack, strand.bundle)] for strand in found.strands]
    return [repr(found.head), strands, [repr(loss) for loss in found.loss], [repr(one) for one in found.deviations]]


def _written(pack: Pack, bundle: Any) -> Any:
    try:
        if not pack.writes(event_of(bundle)):
            return None
        return repr(pack.write(bundle, SAMPLE_CONTEXT))
    except Exception as fault:
        return _said(fault)


def _said(fault: Exception) -> list[str]:
    """What an engine's own refusal says; of a fault of the engine only that it is one."""
    return [type(fault).__name__, str(fault)] if isinstance(fault, AdapterError) else ["FAULT", type(fault).__name__]


def main() -> None:
    """Print one line for each message."""
    for manifest in find_manifests(BUILT_IN):
        files = read_folder(manifest.parent)
        pack = load_pack(files, lazy=True)
        sample: Sample
        for sample in samples_of(files):
            for number, raw in enumerate((sample.raw, *damaged(sample.raw, sample.name))):
                print(json.dumps([pack.id, sample.name, number, answer(pack, raw)], default=repr))
    print(json.dumps(compiled.is_used() and not str(reader.__file__).endswith(".py")))


if __name__ == "__main__":
    sys.exit(main())
