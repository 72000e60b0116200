"""Whether codes that somebody stated name a thing itself, or only the kind of thing that it is (rules R26, R34)."""

from __future__ import annotations

from collections.abc import Iterable

from consent.model import Code, Item
from consent.rulebook import Edition


def names_item(codes: Iterable[Code], item: Item, edition: Edition) -> bool:
    """Whether one of `codes` names the thing: "laboratory" names no test."""
    return _names(codes, item, item.labels & edition.sensitive, edition)


def names_label(codes: Iterable[Code], item: Item, label: str, edition: Edition) -> bool:
    """Whether one of `codes` names what makes the thing sensitive by `label`."""
    return _names(codes, item, (label,), edition)


def _names(codes: Iterable[Code], item: Item, labels: Iterable[str], edition: Edition) -> bool:
    """The thing's own code names it; a category or type only where that says by itself what is sensitive about it."""
    return any(
        code in item.codes
        and (code not in item.kinds or any(edition.says(label, code.system, code.code) for label in labels))
        for code in codes
    )
