"""Code maps: a CSV with direction, looked up both ways. A code that is not in it is refused or kept, never guessed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

from adapters.errors import BrokenPack

_COLUMNS = ("source", "code", "system", "display", "direction", "equivalence")
_DIRECTIONS = ("both", "in", "out")
_EQUIVALENCES = ("equal", "equivalent", "wider", "narrower", "inexact")


@dataclass(frozen=True, slots=True)
class Code:
    """One target of a code map."""

    code: str
    system: str = ""
    display: str = ""
    equal: bool = True
    """Whether the code comes back as it went."""


@dataclass(frozen=True, slots=True)
class CodeMap:
    """Source codes to target codes and back."""

    name: str
    reads: dict[str, Code] = field(default_factory=dict)
    writes: dict[tuple[str, str], str] = field(default_factory=dict)
    """(system, code) -> source code."""
    has_systems: bool = False
    """Whether its targets are Codings rather than codes."""


def load(name: str, raw: bytes) -> CodeMap:
    """Read a code map; a row that cannot be is a :class:`BrokenPack` that names it."""
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    except UnicodeDecodeError:
        raise BrokenPack(f"{name}: is not UTF-8") from None
    if rows and (not {"source", "code"} <= set(rows[0]) or not set(rows[0]) <= set(_COLUMNS)):
        raise BrokenPack(f"{name}: the header is source,code and any of system,display,direction,equivalence")
    reads: dict[str, Code] = {}
    writes: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, 2):
        source, code = (row["source"] or ""), (row["code"] or "")
        direction = row.get("direction") or "both"
        equivalence = row.get("equivalence") or "equal"
        if not source or not code or direction not in _DIRECTIONS or equivalence not in _EQUIVALENCES:
            raise BrokenPack(f"{name} line {number}: needs source, code, a known direction and equivalence")
        system = row.get("system") or ""
        if direction != "out":
            if source in reads:
                raise BrokenPack(f"{name} line {number}: this source is read twice; mark one of them out")
            reads[source] = Code(code, system, row.get("display") or "", equivalence == "equal")
        if direction != "in":
            if (system, code) in writes:
                raise BrokenPack(f"{name} line {number}: this code is written twice; mark one of them in")
            writes[(system, code)] = source
    has_systems = any(code.system for code in reads.values()) or any(system for system, _ in writes)
    return CodeMap(name, reads, writes, has_systems)
