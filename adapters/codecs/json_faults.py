"""Where a JSON document says what JSON allows and we do not: looked for only once it has been refused.

The library that reads JSON tells neither the pointer nor the line of a repeated name; this walks the tokens once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST_NUMBER: Final = 64
LARGEST_EXPONENT: Final = 300
_EXPONENT: Final = re.compile(r"[eE]([+-]?\d+)$")
_TOKEN: Final = re.compile(
    r""""(?:[^"\\]|\\.)*"              # a string
    | [{}\[\],:]
    | NaN | -?Infinity
    | -?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?  # a number ends where the library ends it, whatever follows
    | [^\s{}\[\],:"]""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    pointer: str
    why: str
    """With the line and the column, both from 1."""


@dataclass(slots=True)
class _Open:
    """An object or a list that has begun."""

    pointer: str
    is_list: bool
    names: set[str] = field(default_factory=set)
    step: str = ""
    """The name whose value comes next; of a list the item's number."""
    named: bool = False
    """Whether an object's next string is a value."""

    def here(self) -> str:
        return f"{self.pointer}/{escaped(self.step)}"


def too_long(number: str) -> bool:
    """Whether a number has more digits or a larger exponent than any measurement."""
    exponent = _EXPONENT.search(number)
    return len(number) > LONGEST_NUMBER or (exponent is not None and abs(int(exponent[1])) > LARGEST_EXPONENT)


def escaped(name: str) -> str:
    """A name as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def first_fault(text: str) -> Fault | None:
    """The first repeated or empty name, NaN, Infinity or endless number of a document; None when there is none."""
    for pointer, why, start in _faults(text):
        line = text.count("\n", 0, start) + 1
        return Fault(pointer, f"{why} (line {line} column {start - text.rfind(chr(10), 0, start)})")
    return None


def _faults(text: str) -> Iterator[tuple[str, str, int]]:
    opened: list[_Open] = []
    for token in _TOKEN.finditer(text):
        said, above = token[0], opened[-1] if opened else None
        if said in "{[":
            opened.append(_Open(above.here() if above else "", said == "[", step="0" if said == "[" else ""))
        elif said in "}]" and opened:
            opened.pop()
        elif said == "," and above:
            above.named = False
            above.step = str(int(above.step) + 1) if above.is_list else ""
        elif said == ":" and above:
            above.named = True
        elif said[0] == '"' and above and not above.is_list and not above.named:
            above.step = str(_text(said))
            why = _of_name(above)
            above.names.add(above.step)
            if why:
                yield above.here(), why, token.start()
        elif why := _of_value(said):
            yield above.here() if above else "", why, token.start()


def _text(said: str) -> Any:
    return json.loads(said, strict=False)


def _of_name(above: _Open) -> str:
    if above.step in above.names:
        return "this name stands twice in one object"
    return "a name may not be empty" if above.step in ("", ".") else ""


def _of_value(said: str) -> str:
    if said in ("NaN", "Infinity", "-Infinity"):
        return "NaN and Infinity are no numbers; leave the member out"
    return "this number is too long" if said[0] in "-0123456789" and too_long(said) else ""
