"""Who is near whom among the resources that rows made: the nearest of a role or type, not gone through."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from adapters.mapping.making import Making
from adapters.mapping.walk import Made


class Kin:
    """The resources of one strand, in order of making; looked up by type, by role and by what they were made under."""

    def __init__(self, made: Sequence[Made]) -> None:
        self._made = made
        self._types: dict[str, list[Made]] | None = None
        self._roles: dict[str, list[Made]] = {}
        self._under: dict[tuple[str, int], list[Made]] = {}
        self._beside: dict[tuple[str, int], list[Made]] = {}
        self._ordinals: dict[tuple[str, str], dict[int, int]] = {}

    def of_role(self, made: Made, role: str) -> Made | None:
        """The nearest resource of a role: above, else the nearest made before, else after."""
        above = made.above
        while above is not None:
            making: Making = above.row
            if making.row.role == role:
                return above
            above = above.above
        found = self._of_role(role)
        if len(found) == 1:
            return found[0] if found[0] is not made else None
        outermost = list(_aboves(made))[-1:]
        beside = self._beside.get((role, id(made.above)), ())
        within = self._under.get((role, id(outermost[0])), ()) if outermost else ()
        return _nearest(beside, made) or _nearest(within, made) or _nearest(found, made)

    def _of_role(self, role: str) -> Sequence[Made]:
        if not self._roles:
            for other in self._made:
                making: Making = other.row
                said = making.row.role
                if said:
                    self._roles.setdefault(said, []).append(other)
                    self._beside.setdefault((said, id(other.above)), []).append(other)
                    for above in _aboves(other):
                        self._under.setdefault((said, id(above)), []).append(other)
        return self._roles.get(role, ())

    def _of_type(self, kind: str) -> list[Made]:
        if self._types is None:
            self._types = {}
            for other in self._made:
                self._types.setdefault(other.type, []).append(other)
        return self._types.get(kind, [])

    def last_of(self, kind: str, made: Made) -> Made | None:
        """The last resource of a type, before or after."""
        found = self._of_type(kind)
        last = found[-1] if found else None
        return last if last is not made else (found[-2] if len(found) > 1 else None)

    def nearest_of(self, kinds: Iterable[str], made: Made) -> Made | None:
        """The last resource of some types made before, else the first made after."""
        found = [nearest for kind in kinds if (nearest := _nearest(self._of_type(kind), made)) is not None]
        before = [other for other in found if other.number < made.number]
        if before:
            return max(before, key=_number)
        return min(found, key=_number) if found else None

    def ordinal(self, made: Made, role: str) -> int:
        """Which resource of its type it is among those that belong to the same resource of a role, from 0."""
        known = self._ordinals.get((made.type, role))
        if known is None:
            known = self._ordinals[(made.type, role)] = {}
            counts: dict[int, int] = {}
            for other in self._of_type(made.type):
                owner = id(self.of_role(other, role))
                known[id(other)] = counts[owner] = counts.get(owner, -1) + 1
        return known[id(made)]


def _number(made: Made) -> int:
    return made.number


def _aboves(made: Made) -> Iterator[Made]:
    above = made.above
    while above is not None:
        yield above
        above = above.above


def _nearest(found: Sequence[Made], made: Made) -> Made | None:
    """The last one made before, else the first made after; never itself."""
    position = bisect_left(found, made.number, key=_number)
    if position:
        return found[position - 1]
    after = found[1:2] if found and found[0] is made else found[:1]
    return after[0] if after else None
