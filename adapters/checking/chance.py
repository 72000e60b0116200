"""Chance from outside: whoever asks for messages says how to choose; the same choices make the same messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Pick = Callable[[int], int]
"""A number from 0 to below the argument."""


class Chance:
    """Choices made by a `pick`."""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick

    def one(self, items: Sequence[T]) -> T:
        """One of the items, each alike."""
        return items[self.pick(len(items))]

    def yes(self, percent: int) -> bool:
        """True so often in a hundred."""
        return self.pick(100) < percent

    def digits(self, count: int) -> str:
        """So many digits."""
        return "".join(str(self.pick(10)) for _ in range(count))
