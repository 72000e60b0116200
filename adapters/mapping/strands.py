"""One tree for each child of a message: what is everybody's, and that child's own part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.codecs import er7
from adapters.mapping.structure import Group
from adapters.tree import Branch, Node


def apart(tree: Node, found: Sequence[Node]) -> Iterator[Node]:
    """The tree as each of the nodes sees it: without the others. What is untouched is shared."""
    tearing = _Tearing({id(node) for node in found})
    tearing.look(tree)
    return (tearing.view(tree, node) for node in found)


class _Tearing:
    """Which nodes hold what is torn apart, found once for all views."""

    def __init__(self, torn: set[int]) -> None:
        self.torn = torn
        self.kept: dict[int, list[Node]] = {}
        """Of each holder: its children that are everybody's."""
        self.above: dict[int, tuple[Node, int]] = {}
        """Of what is torn and of each holder: who holds it, and where among that one's kept children."""
        self.bare: dict[int, Node] = {}

    def look(self, node: Node) -> bool:
        """Whether what is torn is below; segments and parts hold none."""
        if isinstance(node, er7.Segment | er7.Part):
            return False
        kept: list[Node] = []
        holds = False
        for child in node.children():
            torn = id(child) in self.torn
            if torn or self.look(child):
                self.above[id(child)] = (node, len(kept))
                holds = True
            if not torn:
                kept.append(child)
        if holds:
            self.kept[id(node)] = kept
        return holds

    def view(self, tree: Node, own: Node) -> Node:
        """The tree with one torn node back in its place."""
        seen, inside = own, own
        while id(seen) in self.above:
            holder, position = self.above[id(seen)]
            children = [self._without(child) for child in self.kept[id(holder)]]
            if id(seen) in self.torn:
                children.insert(position, inside)
            else:
                children[position] = inside
            seen, inside = holder, _copy(holder, children)
        return inside if seen is tree else tree

    def _without(self, node: Node) -> Node:
        """The node without what is torn."""
        if id(node) not in self.kept:
            return node
        if id(node) not in self.bare:
            self.bare[id(node)] = _copy(node, [self._without(child) for child in self.kept[id(node)]])
        return self.bare[id(node)]


def _copy(node: Node, children: Sequence[Node]) -> Node:
    if isinstance(node, Group):
        group = Group(node.name)
        for child in children:
            group.add(child)  # type: ignore[arg-type]
        return group
    branch = Branch(node.name, node.place, node.value, node.state)
    branch.nodes = list(children)  # type: ignore[arg-type]
    return branch
