"""A step of a source place that picks among repeats by what they say."""

from __future__ import annotations


class Chosen(str):
    """A step that takes only those repeats that say one of some values at places below; the first value is written."""

    __slots__ = ("tests",)

    tests: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    """(steps below, values): all of them hold."""

    def __new__(cls, name: str, tests: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]) -> Chosen:
        """The bare name, with the conditions beside it."""
        step = super().__new__(cls, name)
        step.tests = tests
        return step
