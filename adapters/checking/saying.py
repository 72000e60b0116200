"""Whether a pack says its own samples: the one proof of the way out that does not ask the pack what it lost.

A sample of a type that goes both ways comes back as it stands; one of a type that is only written is what the bundle
beside it is written as. What the context says (the header), claims and constants are exempt, and nothing else: a row
turned to `direction: in` keeps the law, since it declares itself, but not this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from adapters.checking.declared import declared
from adapters.checking.places import source_leaves
from adapters.mapping.engine import RowPack


def unsaid(pack: RowPack, type_: str, sample: bytes, written: Iterable[bytes]) -> list[str]:
    """The places at which what is written of a sample is another than the sample, in order, each once."""
    codec, said = pack.codec.name, declared(pack, type_)
    before = Counter(source_leaves(pack.codec.parse(sample).tree, codec))
    after = Counter(leaf for raw in written for leaf in source_leaves(pack.codec.parse(raw).tree, codec))
    claims = {place for place, targets in said.targets.items() if all(to.startswith("claim.") for to in targets)}
    gone = {place for place, _ in before - after} - claims
    new = {place for place, _ in after - before} - (said.said - said.targets.keys())
    return sorted((gone | new) - said.head)
