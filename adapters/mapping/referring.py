"""Content that stands elsewhere in the message: NIEM's `s:ref` and `s:id`, seen where it is referred to.

A manifest's `refs: {ref: "@s:ref", id: "@s:id"}` names the two. Before rows read, a node that refers is seen with the
content of the node that it names; places in errors and losses stay where the content stood. A cycle, or a name that
is not there, is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.codecs.common import MAX_DEPTH, MAX_NODES
from adapters.errors import TooLarge
from adapters.tree import Branch, Node


def resolve(tree: Node, ref: str, id_: str) -> Branch:
    """The tree with what is referred to in its place; raises :class:`TooLarge` when that makes too much of it."""
    assert isinstance(tree, Branch)
    return _Resolution(tree, ref, id_).seen(tree, ())[0]


class _Resolution:
    """One message's references: each named node is resolved once and shared."""

    def __init__(self, tree: Branch, ref: str, id_: str) -> None:
        self._ref, self._id = ref, id_
        self._named = {name: node for node in _all(tree) if (name := _said(node, id_))}
        self._known: dict[str, tuple[list[Branch], int, bool]] = {}
        self._referred = {_said(node, ref) for node in _all(tree)}
        self._work = 0

    def seen(self, node: Branch, open_: tuple[str, ...]) -> tuple[Branch, int, bool]:
        """The node as rows see it, how many nodes that is, and whether no cycle was cut off below."""
        name = _said(node, self._ref)
        target = self._named.get(name)
        if target is None or name in open_:
            nodes, size, whole = self._content(node, open_)
            whole = whole and name not in open_
        else:
            nodes, size, whole = self._target(name, target, open_)
            own = [child for child in node.nodes if child.name != self._ref]
            nodes, size = [*own, *nodes], size + len(own)
        self._work += len(nodes)
        if size > MAX_NODES or self._work > MAX_NODES:
            raise TooLarge(node.place, "count", f"more than {MAX_NODES} places, with what is referred to")
        copy = Branch(node.name, node.place, node.value, node.state, nodes, node.repeats)
        return copy, size, whole

    def _target(self, name: str, target: Branch, open_: tuple[str, ...]) -> tuple[list[Branch], int, bool]:
        if name in self._known:
            return self._known[name]
        if len(open_) > MAX_DEPTH:
            raise TooLarge(target.place, "depth", f"what is referred to refers on more than {MAX_DEPTH} times")
        found = self._content(target, (*open_, name))
        if found[2]:
            self._known[name] = found
        return found

    def _content(self, node: Branch, open_: tuple[str, ...]) -> tuple[list[Branch], int, bool]:
        nodes, size, whole = [], 1, True
        for child in node.nodes:
            if child.name == self._id and child.value in self._referred:
                continue
            if child.nodes:
                child, more, all_ = self.seen(child, open_)
                size, whole = size + more, whole and all_
            nodes.append(child)
        return nodes, size + len(nodes), whole


def _said(node: Branch, name: str) -> str:
    return next((str(child.value).removeprefix("#") for child in node.all(name) if child.value is not None), "")


def _all(node: Branch) -> Iterator[Branch]:
    yield node
    for child in node.nodes:
        yield from _all(child)
