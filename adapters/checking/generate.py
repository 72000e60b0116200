"""Messages of a type, made from the pack itself: structure, rows, shapes, code maps, conditions, and its samples.

No schema says what a message means, so none is asked how to make one; where the agreed schema wants more than the rows
say, the samples give it, and what is refused teaches the maker which places to leave as they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from adapters.checking.bundles import BundleMaker
from adapters.checking.chance import Chance, Pick
from adapters.checking.context import CONTEXT
from adapters.checking.disguise import disguised
from adapters.checking.fill import Filler, Habits, give, reach, says, take_out
from adapters.checking.places import bare, below
from adapters.checking.plan import Planner, Plans
from adapters.checking.values import Making, date_text
from adapters.codecs import er7
from adapters.errors import AdapterError, Refusal
from adapters.mapping import places
from adapters.mapping.bundles import BundlePack
from adapters.mapping.engine import RowPack
from adapters.mapping.grouping import group
from adapters.mapping.message import Message
from adapters.mapping.paths import ABSENT, PRESENT
from adapters.mapping.places import Cursor
from adapters.mapping.referring import resolve
from adapters.mapping.script import arrange, prune
from adapters.mapping.structure import fold
from adapters.pack import Pack
from adapters.tree import Branch, Node, State

ACCEPTED: Final = 60
"""Per cent of the messages made that a pack reads, at the least; the rest are typed refusals."""
FOREIGN: Final = "ZZT"
"""Name of the places that are put into messages for nobody to map: a segment, an element, a member, a column."""
_HABITS: Final = (
    Habits(add=0, change=10, drop=18),
    Habits(add=3, change=60, drop=3),
    Habits(add=15, change=30, drop=5),
    Habits(add=45, change=30, drop=2),
    Habits(add=80, change=10, drop=0),
)
_TRIES: Final = 4


def messages(pack: Pack, type_: str, pick: Pick, count: int, samples: Sequence[bytes] = ()) -> Iterator[bytes]:
    """So many messages of a type; at least :data:`ACCEPTED` per cent of them are accepted by `read`.

    `samples` are messages of the pack, of any type; those of this one are what the made ones begin with. `pick(n)`
    gives a number below n. A type that the pack only writes has no messages.
    """
    if isinstance(pack, BundlePack):
        return BundleMaker(pack, type_, samples).make(pick, count)
    assert isinstance(pack, RowPack)
    return Maker(pack, type_, samples).make(pick, count)


def types(pack: Pack) -> list[tuple[str, str]]:
    """The message types of a pack with their directions."""
    if isinstance(pack, BundlePack):
        return [(f"Bundle/{kind}", direction) for kind, direction in pack.directions.items()]
    assert isinstance(pack, RowPack)
    return [(message.type, message.direction) for message in pack.messages]


class Maker:
    """Makes messages of one type of a pack of rows."""

    def __init__(self, pack: RowPack, type_: str, samples: Iterable[bytes]) -> None:
        self.pack = pack
        self.type = type_
        self.codec = pack.codec.name
        self.message = next(message for message in pack.messages if message.type == type_)
        self.seeds: list[tuple[str, Branch]] = []
        self.kin: list[tuple[str, Branch]] = []
        """Samples of other types that fit this one's structure: better than nothing."""
        self.kept: set[str] = set()
        self.closed: set[str] = set()
        self.order: dict[str, list[str]] = {}
        self._faults: Counter[str] = Counter()
        self._plans: dict[str, Plans] = {}
        for raw in samples:
            self._learn(raw)
        self.seeds = self.seeds or self.kin
        self._keep()

    def make(self, pick: Pick, count: int) -> Iterator[bytes]:
        """So many messages; what is refused is tried again, more gently, a few times."""
        if self.message.direction == "out":
            return
        chance = Chance(pick)
        for _ in range(count):
            for attempt in range(_TRIES):
                raw = self._one(chance, attempt)
                fits = self._fits(raw)
                if fits or (fits is None and attempt == _TRIES - 1):
                    yield raw
                    break

    # --- what samples teach

    def _learn(self, raw: bytes) -> None:
        """Begin with a sample of this type, or one of another that has the same structure."""
        try:
            head = self.pack.head(raw, CONTEXT)
            tree = self.pack.codec.parse(raw).tree
            message = self._message(head.dialect)
            folded = fold(tree, message.grammar) if message.grammar and isinstance(tree, er7.Message) else tree
        except AdapterError:
            return
        if head.type == self.type:
            self.seeds.append((head.dialect, _copy(folded)))
        elif message.grammar is not None and not isinstance(folded, er7.Message):
            self.kin.append((head.dialect, _copy(folded)))

    def _message(self, dialect: str) -> Message:
        return next(message for message in self.pack.dialects[dialect].messages if message.type == self.type)

    def _keep(self) -> None:
        """Places that stand in every sample's parent are not taken away; children keep the order that samples have."""
        always: dict[str, set[str]] = {}
        for _, seed in self.seeds:
            self._note(seed, self._root(seed), always)
        self.kept = {place for found in always.values() for place in found} if self._strict() else set()

    def _strict(self) -> bool:
        return self.message.schema is not None and self.message.validate in ("in", "both")

    def _root(self, root: Branch) -> str:
        return f"/{root.name}" if self.codec == "xml" else ""

    def _note(self, node: Branch, pattern: str, always: dict[str, set[str]]) -> None:
        names = list(dict.fromkeys(child.name for child in node.nodes if child.state is not State.EMPTY))
        held = {below(pattern, name, self.codec) for name in names}
        always[pattern] = always[pattern] & held if pattern in always else held
        order = self.order.setdefault(pattern, [])
        for position, name in enumerate(names):
            if name not in order:
                after = order.index(names[position - 1]) + 1 if position else 0
                order.insert(after, name)
        for child in node.nodes:
            self._note(child, below(pattern, child.name, self.codec), always)

    def _fits(self, raw: bytes) -> bool | None:
        """Whether a message is read as its type; None: refused, which teaches which places to leave alone."""
        try:
            return self.pack.read(raw, CONTEXT).head.type == self.type
        except Refusal as refusal:
            place = bare(refusal.place, self.codec)
            self._faults[place] += 1
            if refusal.kind == "required" or "required" in refusal.why:
                self.kept |= {place, *(f"{place}/{word.strip(',')}" for word in refusal.why.split()[-6:])}
            elif self._faults[place] > 2:
                self.closed.add(place)
            return None

    # --- one message

    def _one(self, chance: Chance, attempt: int) -> bytes:
        making = Making(chance)
        scratch = not self.seeds or (not self._strict() and attempt < 2 and chance.yes(20))
        dialect, root = ("", Branch(self.message.root)) if scratch else chance.one(self.seeds)
        root = _copy(root)
        habits = chance.one(_HABITS if attempt < 2 else _HABITS[:2])
        if scratch:
            habits = chance.one(_HABITS[2:])
        if scratch or self.seeds is self.kin:
            self._constants(root)
        self._double(root, chance)
        keys = frozenset(key for step in self.message.group for key in (*step.by, *step.on, *step.on.values()))
        filler = Filler(making, self.codec, habits, frozenset(self.kept), frozenset(self.closed), keys=keys)
        if dialect not in self._plans:
            self._plans[dialect] = Planner(self.pack, self._message(dialect)).plan()
        if scratch or attempt < 3 or chance.yes(50):
            filler.rows(self._plans[dialect], ((self._view(root), self._root(root)),))
        self._head(root, making, scratch)
        if chance.yes(12) and not self._strict():
            self._foreign(root, making)
        prune(root)
        arrange(root, self.message)
        self._arrange(root, self._root(root))
        return disguised(self.pack, root, chance) if chance.yes(15) else self.pack.codec.dump(root)

    def _view(self, root: Branch) -> Branch:
        """The tree as rows see it; its leaves are those of the tree."""
        view: Node = root
        if self.message.group:
            view = group(view, self.message.group)
        if self.message.refs:
            view = resolve(view, *self.message.refs)
        assert isinstance(view, Branch)
        return view

    def _double(self, root: Branch, chance: Chance) -> None:
        """Now and then one more record, or one more child's part."""
        holder: Branch | None = root
        if self.codec == "csv":
            holder = chance.one([root, *(node for node in root.nodes if node.name != "row")])
            name = "row"
        elif self.message.strand:
            *way, name = places.parse(self.message.strand, (Cursor(self.codec, self.message.grammar),)).steps
            holder = next((node for node in places.walk(root, tuple(way)) if isinstance(node, Branch)), None)
        else:
            return
        found = list(holder.all(name)) if holder is not None else []
        if holder is not None and found and chance.yes(10):
            holder.nodes.insert(holder.nodes.index(found[-1]) + 1, _copy(chance.one(found)))

    def _say(self, root: Branch, place: str, text: str) -> None:
        give(reach(root, self._steps(place), False, self.codec), text, self.codec)

    def _constants(self, root: Branch) -> None:
        for place, text in self.message.put.items():
            self._try(root, place, text)

    def _try(self, root: Branch, place: str, text: str) -> None:
        try:
            self._say(root, place, text)
        except AdapterError:
            return  # this type's structure has no such place

    def _head(self, root: Branch, making: Making, scratch: bool) -> None:
        """The header: its own message id, and what makes it this type."""
        for leaf in self.pack.leaves:
            if leaf.name == "message-id" and not making.chance.yes(3):
                self._try(root, leaf.place, f"TN{making.chance.pick(10**8)}")
            elif leaf.name == "at" and (scratch or making.chance.yes(30)):
                self._try(root, leaf.place, date_text(making, (leaf.date or ("iso",))[0], "instant"))
            elif scratch and leaf.name in ("sender", "sender-facility", "recipient"):
                self._try(root, leaf.place, f"MAU-{leaf.name.upper()}")
        for place, values in self.message.when.items():
            if values == (PRESENT,):
                for part, steps in self._parts(root, place):
                    if not any(says(node) for node in places.walk(part, steps)):
                        give(reach(part, steps, False, self.codec), making.key(), self.codec)
            elif values != (ABSENT,):
                text = making.chance.one(values)
                if text != ABSENT:
                    self._say(root, place, text)
                else:
                    for node in places.walk(root, self._steps(place)):
                        assert isinstance(node, Branch)
                        take_out(root, node)
        if self.message.event_codes is not None and scratch:
            self._say(root, self.message.event_at, making.chance.one(sorted(self.message.event_codes.reads)))

    def _parts(self, root: Branch, place: str) -> Iterator[tuple[Branch, tuple[str, ...]]]:
        """Where a place stands that makes the message its type: in each child's part, when it stands in one. What is
        said of two children in two types is two messages, and nobody could say the part without it alone.
        """
        steps = self._steps(place)
        part = self._steps(self.message.strand) if self.message.strand and self.message.grammar else ()
        if not part or steps[: len(part)] != part:
            yield root, steps
            return
        for node in places.walk(root, part):
            assert isinstance(node, Branch)
            yield node, steps[len(part) :]

    def _steps(self, place: str) -> tuple[str, ...]:
        return places.parse(place, (Cursor(self.codec, self.message.grammar),)).steps

    def _foreign(self, root: Branch, making: Making) -> None:
        """Something that no row knows, which must come back to its sender and go nowhere else."""
        if self.codec == "er7":
            root.add(FOREIGN).add("1", making.text())
        elif self.codec == "xml":
            root.add(f"{{urn:example:mau}}{FOREIGN}", making.text())
        elif self.codec == "csv":
            for row in root.nodes:
                for record in row.nodes if row.name != "row" else [row]:
                    record.add(FOREIGN, making.text())
        elif all(child.name for child in root.nodes):
            root.add(FOREIGN, making.text())

    def _arrange(self, node: Branch, pattern: str) -> None:
        """Children in the order that the samples have, where the manifest says none."""
        order = self.order.get(pattern, ())
        if order and self.codec == "xml" and node.name not in self.message.order:
            rank = {name: position for position, name in enumerate(order)}
            node.nodes.sort(key=lambda child: (not child.name.startswith("@"), rank.get(child.name, len(rank))))
        for child in node.nodes:
            self._arrange(child, below(pattern, child.name, self.codec))


def _copy(node: Node) -> Branch:
    """A tree as plain nodes, undivided values as they are said."""
    copy = Branch(node.name, "", node.value, node.state, repeats=getattr(node, "repeats", False))
    copy.nodes = [_copy(child) for child in node.children()]
    return copy
