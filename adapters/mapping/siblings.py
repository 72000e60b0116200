"""What several children of one message share by key: organizations may be the same, what hangs on a child may not.

Each child's part is read by itself, so that a key which stands in two of them (one order number for two siblings, two
calls under one number) would make one resource of two. The first keeps the key's id; the other has one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from adapters.mapping import identity
from adapters.mapping.env import canonical_json, canonical_links
from adapters.mapping.kin import Kin
from adapters.mapping.making import Making
from adapters.mapping.reader import repeated
from adapters.mapping.walk import Made, Walk


@dataclass(slots=True)
class Siblings:
    """The keyed resources of the children read so far, by fullUrl."""

    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Whose it is (the Patient's fullUrl), and what it says."""
    headers: set[str] = field(default_factory=set)

    def tell_apart(self, walk: Walk, kin: Kin, strand: str, id_key: bytes) -> None:
        """Give what hangs on this child an id of its own where another child's, or another saying, has it."""
        mine: dict[str, tuple[str, str]] = {}
        moved: set[int] = set()
        for made in walk.made:
            above = known_by(made, kin)
            follows = above is not None and id(above) in moved
            if not made.keyed or made.type == "Patient" or not (follows or _hangs(made.row)):
                continue
            owner = _owner(made, kin)
            whose = owner.full_url if owner is not None else strand
            known, says = self.known.get(made.full_url), canonical_json(made.resource)
            if known is not None:
                if known[0] != whose:
                    made.full_url = identity.full_url(id_key, made.full_url, whose)
                elif follows or (known[1] != says and above is None and made.row.row.same != "merge"):
                    made.full_url = identity.full_url(id_key, made.full_url, whose, strand)
                else:
                    continue
                moved.add(id(made))
                walk.deviations += () if follows else (repeated(made.place),)
            mine.setdefault(made.full_url, (whose, says))
        self.known = mine | self.known

    def header(self, url: str, strand: int, id_key: bytes) -> str:
        """The header's fullUrl; of a child who stands twice, another each time."""
        if url in self.headers:
            url = identity.full_url(id_key, url, str(strand))
        self.headers.add(url)
        return url


def known_by(made: Made, kin: Kin) -> Made | None:
    """The resource that it is known by; None when it is known by an identifier of its own."""
    for key in made.row.keys:
        if key.find is None:
            owner = kin.of_role(made, key.of)
            if owner is not None:
                return owner
        elif identity.key_parts(key.find(made.resource), key.text, "") is not None:
            return None
    return None


@cache
def _child_roles() -> frozenset[str]:
    return frozenset(role for role, kind in canonical_links().roles.items() if kind == "Patient")


def _hangs(making: Making) -> bool:
    """Whether the resource refers to a child."""
    roles = {role for _, role in making.refs}
    return bool(roles & _child_roles()) or (making.own_link and "Patient" in making.targets)


def _owner(made: Made, kin: Kin) -> Made | None:
    above = made.above
    while above is not None:
        if above.type == "Patient":
            return above
        above = above.above
    return next((found for role in sorted(_child_roles()) if (found := kin.of_role(made, role)) is not None), None)
