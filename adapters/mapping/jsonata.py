"""The last resort inside a row: a JSONata expression on one value, within limits of time and depth."""

from __future__ import annotations

from typing import Any

from jsonata.jsonata import Jsonata

from adapters.errors import BrokenPack, Unmappable
from adapters.mapping.rows import Row

MAX_MILLISECONDS = 100
MAX_DEPTH = 50
MAX_LENGTH = 100_000
"""Longest value that an expression is given or may give, in characters."""

_UNBOUNDED = (")+", ")*", "..", "$pad")
"""Signs of what runs outside the interpreter's steps, where no limit of time reaches it: repeated groups of a regular
expression, ranges, padding."""


class Expression:
    """A compiled expression."""

    def __init__(self, text: str, row: Row) -> None:
        try:
            self._compiled = Jsonata(text)
        except Exception as error:
            raise row.fail(f"the jsonata expression cannot be read ({type(error).__name__})") from None
        self._frame = None
        if any(word in text for word in ("$now", "$millis", "$random", "$eval")):
            raise BrokenPack(f"{row.source}: a jsonata expression knows no clock, chance or eval")
        if any(sign in text for sign in _UNBOUNDED):
            raise BrokenPack(f"{row.source}: a jsonata expression has no repeated group, range or padding")

    def __call__(self, value: Any, place: str) -> Any:
        """The expression's text or number for a value; None when it gives nothing."""
        if len(str(value)) > MAX_LENGTH:
            raise Unmappable(place, "expression", "this value is too long")
        try:
            frame = self._compiled.create_frame()
            frame.set_runtime_bounds(MAX_MILLISECONDS, MAX_DEPTH)
            said = self._compiled.evaluate(str(value), frame)
        except Exception:
            raise Unmappable(place, "expression", "this value is not in the agreed form") from None
        if said is None or (isinstance(said, str | int | float) and len(str(said)) <= MAX_LENGTH):
            return said if said is None or isinstance(said, str | bool) else str(said)
        raise Unmappable(place, "expression", "this value is not in the agreed form")
