"""A pack's samples: synthetic messages with the bundle beside each that they must be read into."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from adapters.pack import Bundle, Context, Reading

SAMPLE_CONTEXT: Final = Context(
    at=datetime.fromisoformat("2026-03-06T08:00:00+07:00"), agency="sample-agency", salt=b"sample"
)
"""The context in which every expected bundle is read."""
_FOLDER: Final = "samples/"
_EXPECTED: Final = ".bundle.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample message and what it must become."""

    name: str
    """Its path in the pack."""
    raw: bytes
    expected: list[Bundle] | None
    """One bundle for each child; None when nothing stands beside it."""


def samples_of(files: Mapping[str, bytes]) -> Iterator[Sample]:
    """The sample messages of a pack's files, in order; an expected bundle that is no JSON counts as none."""
    for name in sorted(files):
        if not name.startswith(_FOLDER) or name.endswith((_EXPECTED, ".md")):
            continue
        beside = files.get(expected_name(name))
        yield Sample(name, files[name], None if beside is None else _bundles(beside))


def expected_name(sample: str) -> str:
    """The path of the expected bundle beside a sample."""
    return str(PurePosixPath(sample).with_suffix("")) + _EXPECTED


def _bundles(raw: bytes) -> list[Bundle] | None:
    try:
        found = json.loads(raw, parse_float=Decimal)
    except ValueError:
        return None
    return found if isinstance(found, list) else [found]


def bundle_text(reading: Reading) -> bytes:
    """What a sample is read into, as the file beside it says it: one bundle, or a list of one for each child."""
    bundles: list[Any] = [strand.bundle for strand in reading.strands]
    raw = msgspec.json.Encoder(decimal_format="number").encode(bundles[0] if len(bundles) == 1 else bundles)
    return bytes(msgspec.json.format(raw, indent=2)) + b"\n"


def plain(value: Any) -> Any:
    """A value with numbers as text, so that 1.50 is not 1.5 and 1 is not true."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return f"number {value}" if isinstance(value, Decimal | int | float) and not isinstance(value, bool) else value
