"""Code map drafts: from the codes that samples and schemas show, to the canonical list where the words say which."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.drafting.survey import Spot
from adapters.drafting.vocabulary import CodeList, vocabulary
from adapters.drafting.words import fold, slug, words_of
from consent.vocabulary import HUB_BASE

_SHORT = 3


@dataclass(slots=True)
class MapDraft:
    """One code map on its way."""

    name: str
    rows: list[tuple[str, str, str, str, str, str]] = field(default_factory=list)
    """source, code, system, display, direction, equivalence."""
    target: str = ""
    """The list that it leads to; "" for the agency's own system."""
    unknown: list[str] = field(default_factory=list)
    """Source codes that nothing tells the meaning of."""

    def text(self) -> bytes:
        """The file."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("source", "code", "system", "display", "direction", "equivalence"))
        writer.writerows(self.rows)
        return out.getvalue().encode()


def canonical_map(name: str, spot: Spot, targets: CodeList) -> MapDraft:
    """A map to one of the canonical lists; codes that cannot be told are listed, not guessed."""
    draft = MapDraft(name, target=targets.name)
    written: dict[str, str] = {}
    system = targets.system.replace("${hub}", HUB_BASE)
    for source, display in _codes(spot).items():
        code = _meaning(source, display, targets)
        if not code:
            draft.unknown.append(source)
            continue
        direction = "in" if code in written else "both"
        shown = written.setdefault(code, display)  # the target's: one code has one display, whatever it is read from
        draft.rows.append((source, code, system, shown, direction, "equivalent" if direction == "both" else "wider"))
    return draft


def local_map(name: str, spot: Spot, pack_id: str) -> MapDraft:
    """A map to the agency's own system: each code is itself, with what the schema says of it."""
    system = f"{HUB_BASE}/CodeSystem/local/{pack_id}/{name.removeprefix('codes/').removesuffix('.csv')}"
    rows = [(source, source, system, display, "both", "equal") for source, display in _codes(spot).items()]
    return MapDraft(name, rows)


def _codes(spot: Spot) -> Mapping[str, str]:
    """What a schema allows; what the samples show when no schema speaks, or beside it."""
    return {**spot.codes, **{value: spot.codes.get(value, "") for value in spot.values}}


def _meaning(source: str, display: str, targets: CodeList) -> str:
    """The target that a code's documentation or its own words mean; "" when they do not say."""
    said = [" ".join(words_of(text)) for text in (display, source) if text]
    for text in said:
        for code, words in targets.targets.items():
            if text in words:
                return code
    for text in said:
        for code, words in targets.targets.items():
            if any(len(word) > _SHORT and f" {word} " in f" {text} " for word in words):
                return code
    return "" if display else targets.digits.get(fold(source).strip(), "")


def map_name(spot: Spot, target: str, taken: Mapping[str, MapDraft]) -> str:
    """A file name for a place's code map; one that is taken by other codes gets the containers' names too."""
    said, above = slug(spot.name), spot.above
    while (held := taken.get(f"codes/{said}.csv")) is not None:
        if held.target == target and {row[0] for row in held.rows} | set(held.unknown) == set(_codes(spot)):
            break
        said = f"{slug(above.name) if above is not None else 'other'}-{said}"
        above = above.above if above is not None else None
    return f"codes/{said}.csv"


def list_of(name: str) -> CodeList:
    """A canonical list of the vocabulary."""
    return vocabulary().codes[name]
