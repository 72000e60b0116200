"""Checks of rows beside one another: keys, required targets, siblings, places written twice, codes with no way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from adapters.checking.problems import Problem, Severity, at_source
from adapters.checking.stands import Stand, Way, disjoint, implies, steps_of, when_of, where_of
from adapters.mapping.assemble import required_elements
from adapters.mapping.codes import CodeMap
from adapters.mapping.env import link_steps
from adapters.mapping.values import INTEGERS
from adapters.r4 import table


def row_problems(stands: Sequence[Stand], codes: Mapping[str, CodeMap]) -> Iterator[Problem]:
    """Every problem of a message type's rows."""
    every = [stand for top in stands for stand in top.walk()]
    roles = {stand.row.role for stand in every if stand.row.role}
    held: dict[str, list[Stand]] = {}
    for stand in every:
        if stand.row.link:
            held.setdefault(stand.row.link.partition(".")[0], []).append(stand)
    for stand in every:
        if stand.row.make:
            yield from _key_problems(stand, roles, codes)
            if stand.reads:
                yield from _required_problems(stand, held.get(stand.row.make, []))
        yield from _code_problems(stand, codes)
    for group in (list(stands), *(stand.inner for stand in every)):
        yield from _sibling_problems(group)
    for stand in every:
        yield from _option_problems(stand.options)
    yield from _twice_problems(every)


def _row_of(stand: Stand) -> str:
    """A row's way in its file, in few words."""
    return stand.row.source.rpartition(" (")[0].partition(" ")[2]


def _problem(stand: Stand, severity: Severity, what: str) -> Problem:
    return at_source(stand.row.source, severity, what)


# --- keys ------------------------------------------------------------------------------------------------------------


def _key_problems(stand: Stand, roles: set[str], codes: Mapping[str, CodeMap]) -> Iterator[Problem]:
    row = stand.row
    if not stand.reads:
        return
    if not row.key:
        yield _problem(stand, "warning", f"this {row.make} has no key: the same record sent twice is two")
        return
    holding = [key for key in row.key if _may_hold(stand, key, roles)]
    if not holding:
        yield _problem(stand, "error", "no row fills any of these keys: the same record sent twice is two")
    for key in holding:
        if isinstance(key, str):
            yield from _lossy_key(stand, key, codes)


def _may_hold(stand: Stand, key: str | Mapping[str, object], roles: set[str]) -> bool:
    if isinstance(key, str):
        return any(True for _ in _fillers(stand, key))
    if key["of"] not in roles:
        return False
    by = key.get("by")
    if not isinstance(by, list):
        return True
    return any(_constant_at(stand, path) or any(True for _ in _fillers(stand, path)) for path in by)


def _fillers(stand: Stand, path: str) -> Iterator[Stand]:
    """The rows of a resource that may fill what a key's path leads to."""
    wanted = steps_of(path, stand.row.make)
    for below in stand.own():
        if below.reads and not below.row.is_block and below.row.to and _leads(below, wanted):
            yield below


def _leads(below: Stand, wanted: Way) -> bool:
    """Whether a row fills something at or under a path, as far as its selectors say."""
    if len(below.way) < len(wanted) and not (below.row.codes and len(below.way) + 1 == len(wanted)):
        return False
    for (name, said), (sought, tests) in zip(below.way, wanted, strict=False):
        if name != sought:
            return False
        named = {path for path, _ in said}
        if any((path, value) not in said and path in named for path, value in tests):
            return False
        if tests and not tests <= said and not _may_say(below, tests):
            return False
    last = below.way[-1][0]
    return last not in ("system", "use", "code", "display", "text", "start", "end") or len(wanted) >= len(below.way)


def _may_say(below: Stand, tests: Iterable[tuple[str, str]]) -> bool:
    """Whether another row of the same element says what the selector asks for: an identifier's type, say."""
    block = below.above
    heads = {path.split(".")[0].split("[")[0] for path, _ in tests}
    while block is not None and not block.row.make:
        for other in block.own():
            if other.row.to and other.row.to.split(".")[0].split("[")[0] in heads:
                return True
        block = block.above
    return False


def _constant_at(stand: Stand, path: str) -> bool:
    """Whether the block's `where` says what stands at a path."""
    head = path.split(".")[0]
    return any(said.split(".")[0].split("[")[0] == head for said in where_of(stand))


def _lossy_key(stand: Stand, key: str, codes: Mapping[str, CodeMap]) -> Iterator[Problem]:
    found = list(_fillers(stand, key))
    if not stand.writes or not found:
        return
    if all(not below.writes for below in found):
        yield _problem(stand, "error", f"{key} is a key and is read only: what is written back would be another record")
    for below in found:
        map_ = codes.get(below.row.codes)
        if map_ is not None and len({(c.system, c.code) for c in map_.reads.values()}) < len(map_.reads):
            yield _problem(below, "error", f"fills a key through {below.row.codes}, in which several codes become one")
        if below.row.split or (below.row.integer and below.env.path(below.row.to, below.row).kind in INTEGERS):
            yield _problem(below, "error", "fills a key through a transform that does not keep the value as it stands")


# --- required targets ------------------------------------------------------------------------------------------------


def _required_problems(stand: Stand, held: Sequence[Stand]) -> Iterator[Problem]:
    """Elements that R4 requires and no row, link (`held` are those from this type), reference or constant gives."""
    tree = _filled(stand, held)
    for names in required_elements(stand.row.make):
        if not any(name in tree for name in names):
            yield _problem(stand, "error", f"{stand.row.make}.{names[0]} is required in R4, and nothing here gives it")
    yield from _required_below(stand, stand.row.make, stand.row.make, tree)


Tree = dict[str, "Tree"]


def _filled(stand: Stand, held: Sequence[Stand]) -> Tree:
    """The elements of a resource that something may fill, as a tree of names."""
    tree: Tree = {}
    for path in where_of(stand):
        _grow(tree, _names(path))
    for path in stand.row.ref:
        _grow(tree, _names(path))
    for below in stand.own():
        way = [name for name, _ in below.way]
        _grow(tree, way)
        for number, (_, said) in enumerate(below.way):
            for path, _ in said:
                _grow(tree, [*way[: number + 1], *_names(path)])
        for path in where_of(below):
            _grow(tree, [*way, *_names(path)] if below.row.is_block else _names(path))
    for other in held:
        way = [step.name for step in link_steps(other.row.link)[1]]
        _grow(tree, way)
        for row in other.row.item:
            _grow(tree, [*way[:-1], *_names(row.to)])
    return tree


def _names(path: str) -> list[str]:
    """Names of a path, selectors left out."""
    depth, names = 0, [""]
    for char in path:
        depth += (char == "[") - (char == "]")
        if char == "." and depth == 0:
            names.append("")
        elif depth == 0 and char != "]":
            names[-1] += char
    return names


def _grow(tree: Tree, names: Iterable[str]) -> None:
    for name in names:
        if name not in ("", "."):
            tree = tree.setdefault(name, {})


def _required_below(stand: Stand, node: str, said: str, tree: Tree) -> Iterator[Problem]:
    """What R4 requires inside the elements that are filled."""
    known = table.fields(node)
    for name, below in tree.items():
        found = known.get(name)
        if found is None or not found.node or not below or found.node in ("Extension", "Meta"):
            continue
        for wanted in required_elements(found.node):
            if not any(one in below for one in wanted):
                what = f"{said}.{name}.{wanted[0]} is required in R4, and nothing here gives it"
                yield _problem(stand, "error", what)
        yield from _required_below(stand, found.node, f"{said}.{name}", below)


# --- codes -----------------------------------------------------------------------------------------------------------


def _code_problems(stand: Stand, codes: Mapping[str, CodeMap]) -> Iterator[Problem]:
    found = codes.get(stand.row.codes)
    if found is None or not (stand.reads and stand.writes):
        return
    stuck = [source for source, code in found.reads.items() if (code.system, code.code) not in found.writes]
    if stuck:
        yield Problem(found.name, "", "warning", f"{_listed(stuck)}: read, and what it becomes has no way out")
    alone = [source for source in found.writes.values() if source not in found.reads]
    if alone:
        yield Problem(found.name, "", "error", f"{_listed(alone)}: written, and never read back")


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# --- siblings and places ---------------------------------------------------------------------------------------------


def _sibling_problems(group: Sequence[Stand]) -> Iterator[Problem]:
    for number, later in enumerate(group):
        for earlier in group[:number]:
            if earlier.row.each and earlier.row.each == later.row.each and earlier.reads and later.reads:
                yield from _read_after(earlier, later)
            if earlier.row.each and earlier.row.to and earlier.row.to == later.row.to:
                yield from _written_after(earlier, later)


def _option_problems(options: Sequence[Stand]) -> Iterator[Problem]:
    """Alternatives after one whose `when` holds whenever theirs does."""
    reading = [option for option in options if option.reads]
    for number, later in enumerate(reading):
        for earlier in reading[:number]:
            if implies(when_of(later), when_of(earlier)):
                yield _problem(
                    later, "error", "is never reached: an alternative before it takes all that it could read"
                )
                break


def _read_after(earlier: Stand, later: Stand) -> Iterator[Problem]:
    """Rows that share the repeats of a place: the first that matches takes each."""
    if earlier.row.join or later.row.join:
        return
    first, second = when_of(earlier), when_of(later)
    if implies(second, first):
        yield _problem(later, "error", f"is never reached: {_row_of(earlier)} takes all it could read")
    elif first and second and not disjoint(first, second) and later.writes and earlier.writes:
        why = f"is not disjoint from {_row_of(earlier)}: what it writes may be read by that one"
        yield _problem(later, "warning", why)


def _written_after(earlier: Stand, later: Stand) -> Iterator[Problem]:
    """Rows that fill one list: on the way out the first that matches takes each element."""
    if not (earlier.writes and later.writes and later.row.each) or earlier.row.make or later.row.make:
        return
    path = earlier.env.path(earlier.row.to, earlier.row)
    if not path.steps or not path.steps[-1].is_list:
        return
    first, second = where_of(earlier), where_of(later)
    if implies(second, first) and when_of(earlier) != when_of(later):
        yield _problem(later, "error", f"is never written: {_row_of(earlier)} takes all that it could say")


def _twice_problems(every: Sequence[Stand]) -> Iterator[Problem]:
    """Places that two rows write, without anything that tells which."""
    found: dict[tuple[int, tuple[str, ...]], list[Stand]] = {}
    for stand in every:
        row = stand.row
        value = not row.is_block and not row.choose and not row.claim and row.place and not row.each and not row.when
        if value and stand.writes and stand.reads:
            found.setdefault((id(stand.repeat), stand.place), []).append(stand)
    for group in found.values():
        for number, later in enumerate(group):
            earlier = next((one for one in group[:number] if not _exclusive(one, later)), None)
            if earlier is None or earlier.row is later.row:
                continue
            if _made(earlier) is _made(later) and later.fills != earlier.fills:
                why = f"writes the place that {_row_of(earlier)} writes: one of them says direction: in"
                yield _problem(later, "warning", why)


def _made(stand: Stand) -> Stand | None:
    """The row that makes the resource around."""
    return next((one for one in _lineage(stand) if one.row.make), None)


def _exclusive(one: Stand, other: Stand) -> bool:
    """Whether only one of two rows can have something to say."""
    first, second = _lineage(one), _lineage(other)
    shared = [a for a in first if a in second]
    meet = shared[0] if shared else None
    if meet is not None and meet.row.choose:
        return True
    mine, its = first[: first.index(meet)] if meet else first, second[: second.index(meet)] if meet else second
    return any(disjoint(where_of(a), where_of(b)) or disjoint(when_of(a), when_of(b)) for a in mine for b in its)


def _lineage(stand: Stand) -> list[Stand]:
    found: list[Stand] = []
    at: Stand | None = stand
    while at is not None:
        found.append(at)
        at = at.above
    return found
