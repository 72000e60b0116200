"""What one reading collects: resources made, leaves seen, losses, claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from adapters.mapping.paths import Json, Own
from adapters.pack import Deviation, Loss, LossKind
from adapters.tree import Node
from consent.vocabulary import ACT_CODE_SYSTEM, DATA_CLASS_SYSTEM, INLINE_LABEL_URL, TAINT_SYSTEM, Sensitivity

_SENSITIVITIES = frozenset(item.value for item in Sensitivity)


class Made:
    """A resource that rows made, before its identity and references are known."""

    __slots__ = ("above", "full_url", "inside", "keyed", "node", "number", "resource", "row")

    def __init__(self, resource: Json, above: Made | None, row: Any, node: Node, number: int) -> None:
        self.resource = resource
        self.above = above
        self.row = row
        """The compiled `make` (making.Making)."""
        self.node = node
        """Where in the message it comes from."""
        self.number = number
        self.full_url = ""
        self.keyed = False
        self.inside: Json | None = None
        """For a backbone link: the item of the holder that refers to it."""

    @property
    def type(self) -> str:
        """The resource type."""
        return str(self.row.type)

    @property
    def place(self) -> str:
        """Where in the message it comes from, for reports."""
        return self.node.place


Told = Sequence[tuple[Any, tuple[str, ...], bool]]
"""What a `when` that holds has found: nodes, the steps to the leaf, and whether it is what would be written back."""
NOTHING_TOLD: Final[Told] = ()


@dataclass(slots=True)
class Walk:
    """One strand being read."""

    zone: str
    agency: str
    made: list[Made] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    """Leaf nodes that a row read."""
    spots: list[Any] = field(default_factory=list)
    """Leaves that a row read as raw text: a node and the steps from it to the only leaf there, in turn."""
    tested: list[Any] = field(default_factory=list)
    """Leaf nodes that a `when` found to be one of several codes, not the one that is written back."""
    loss: list[Loss] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    claims: list[Json] = field(default_factory=list)

    def tell(self, told: Told) -> None:
        """Note what a `when` found, once its row has put something."""
        for node, steps, said in told:
            if said:
                self.spots += (node, steps)
            else:
                self.tested.append((node, steps))

    def note(self, place: str, kind: LossKind, why: str) -> None:
        """Report a loss."""
        self.loss.append(Loss(place, kind, why))


class Frame:
    """Where rows stand while reading: a source node, an element being filled, the resource that it is in."""

    __slots__ = ("element", "made", "node", "own", "up", "walk")

    def __init__(self, node: Node, up: Frame | None, element: Json, own: Own, made: Made | None, walk: Walk) -> None:
        self.node: Any = node
        """Rows are compiled for the kind of node that they will stand on, and say so where they read it."""
        self.up = up
        self.element = element
        self.own = own
        self.made = made
        self.walk = walk


class Taker(Protocol):
    """Does with a node what a row is for; True when it put something."""

    def __call__(self, frame: Frame, node: Node | None = None) -> bool:
        """`node` is the cursor's own when none is given."""


Reader = Callable[[Frame], bool]
"""Reads what it is for from a frame; True when it put something."""


def label_codings(data_class: str, labels: tuple[str, ...]) -> list[Mapping[str, str]]:
    """The codings of a class and of sensitivity labels or taints."""
    codings: list[Mapping[str, str]] = []
    if data_class:
        codings.append({"system": DATA_CLASS_SYSTEM, "code": data_class})
    for label in labels:
        codings.append({"system": ACT_CODE_SYSTEM if label in _SENSITIVITIES else TAINT_SYSTEM, "code": label})
    return codings


def label_extensions(data_class: str, labels: tuple[str, ...]) -> list[Json]:
    """DS4P inline labels."""
    return [{"url": INLINE_LABEL_URL, "valueCoding": dict(coding)} for coding in label_codings(data_class, labels)]


def extend(container: Any, key: Any, name: str, extensions: list[Json], holder: Json) -> None:
    """Put extensions on the element at a slot; `holder` and `name` say where a primitive's own go."""
    value = container[key]
    if isinstance(value, dict):
        value.setdefault("extension", []).extend(extensions)
    elif isinstance(container, list):
        beside = holder.setdefault(f"_{name}", [])
        beside.extend([None] * (key + 1 - len(beside)))
        beside[key] = {"extension": [*((beside[key] or {}).get("extension", [])), *extensions]}
    else:
        beside = container.setdefault(f"_{name}", {})
        beside.setdefault("extension", []).extend(extensions)
