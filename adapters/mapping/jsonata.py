"""The last resort inside a row: a JSONata expression on one value, within limits of steps and depth.

Steps and no time: a busy machine refuses no message that an idle one reads.
"""

from __future__ import annotations

from typing import Any

from jsonata.jsonata import Jsonata

from adapters.errors import BrokenPack, Unmappable
from adapters.mapping.rows import Row

MAX_STEPS = 20_000
"""Parts of an expression evaluated for one value; about a tenth of a second."""
MAX_DEPTH = 50
MAX_LENGTH = 100_000
"""Longest value that an expression is given or may give, in characters."""

_UNBOUNDED = (")+", ")*", "..", "$pad")
"""Signs of what runs outside the interpreter's steps, where no limit of time reaches it: repeated groups of a regular
expression, ranges, padding."""


class _Over(Exception):
    """A limit was passed; says which."""


class Expression:
    """A compiled expression."""

    def __init__(self, text: str, row: Row) -> None:
        self._source = row.source
        try:
            self._compiled = Jsonata(text)
        except Exception as error:
            raise row.fail(f"the jsonata expression cannot be read ({type(error).__name__})") from None
        if any(word in text for word in ("$now", "$millis", "$random", "$eval")):
            raise BrokenPack(f"{row.source}: a jsonata expression knows no clock, chance or eval")
        if any(sign in text for sign in _UNBOUNDED):
            raise BrokenPack(f"{row.source}: a jsonata expression has no repeated group, range or padding")

    def __call__(self, value: Any, place: str) -> Any:
        """The expression's text or number for a value; None when it gives nothing."""
        if len(str(value)) > MAX_LENGTH:
            raise self._refused(place, f"was given a value of more than {MAX_LENGTH} characters")
        try:
            frame = self._compiled.create_frame()
            _bound(frame)
            said = self._compiled.evaluate(str(value), frame)
        except _Over as over:
            raise self._refused(place, f"{over}; where it calls itself, let it end") from None
        except Exception:
            raise self._refused(place, "cannot read this value: it is not in the agreed form") from None
        if said is None or isinstance(said, bool):
            return said
        if not isinstance(said, str | int | float):
            raise self._refused(place, "gives neither text nor a number")
        if len(str(said)) > MAX_LENGTH:
            raise self._refused(place, f"gives more than {MAX_LENGTH} characters")
        return str(said)

    def _refused(self, place: str, why: str) -> Unmappable:
        return Unmappable(place, "expression", f"the expression of {self._source} {why}")


def _bound(frame: Any) -> None:
    """Stop an expression that takes too many steps or goes too deep."""
    steps = depth = 0

    def enter(_expression: Any, _input: Any, _environment: Any) -> None:
        nonlocal steps, depth
        steps, depth = steps + 1, depth + 1
        if steps > MAX_STEPS:
            raise _Over(f"takes more than {MAX_STEPS} steps")
        if depth > MAX_DEPTH:
            raise _Over(f"goes more than {MAX_DEPTH} deep")

    def leave(_expression: Any, _input: Any, _environment: Any, _result: Any) -> None:
        nonlocal depth
        depth -= 1

    frame.set_evaluate_entry_callback(enter)
    frame.set_evaluate_exit_callback(leave)
