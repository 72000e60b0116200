"""Rows compiled for writing: closures from canonical elements to source branches; the mirror of `reader`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapters.mapping import paths, places
from adapters.mapping.carrying import ORDINAL
from adapters.mapping.choosing import disjoint
from adapters.mapping.claims import claim_writer
from adapters.mapping.conditions import asserter, tests_of
from adapters.mapping.env import Env
from adapters.mapping.ledger import Place, missing, unsayable
from adapters.mapping.making import item_tests, linked, making, may_say
from adapters.mapping.paths import ABSENT, PRESENT, Path, Slot
from adapters.mapping.putting import node_maker, nothing, put_value
from adapters.mapping.rows import Row
from adapters.mapping.values import compile_value, original_code, speechless
from adapters.pack import LossKind
from adapters.tree import Branch, State

Writer = Callable[[Place], bool]
"""Says what it is for at a place; True when it said something of the bundle."""
Taker = Callable[[Place, Slot], bool]
"""Says one canonical slot at a new source node; True when it did."""


def compile_rows(rows: Sequence[Row], env: Env) -> Writer:
    """All rows of a list; `each` rows of one place and one path share the items: the first that matches takes each."""
    return env.once(rows, _compile_rows)


def _compile_rows(rows: Sequence[Row], env: Env) -> Writer:
    writers: list[Writer] = []
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.writes and _shares(row):
            grouped.setdefault(_share(row), []).append(row)
    for row in rows:
        if not row.writes:
            continue
        if _shares(row):
            group = grouped.pop(_share(row), None)
            if group is not None:
                writers.append(_each(group, env))
        else:
            writers.append(_only_if(row, env, _compile(row, env)))

    def write(at: Place) -> bool:
        said = False
        for writer in writers:
            if writer(at):
                said = True
        return said

    return write


def _shares(row: Row) -> bool:
    return bool(row.each) and not row.join and not row.claim and bool(row.to or row.make)


def _share(row: Row) -> tuple[str, ...]:
    return (row.each, row.to.split("[")[0], row.make, row.link, row.find)


def _only_if(row: Row, env: Env, writer: Writer) -> Writer:
    """A row that is only written (`direction: out`) speaks when what has been written so far is as its `when` wants it:
    something there (`$present`), or nothing (`$absent`).
    """
    if row.direction != "out" or not row.place:
        return writer
    own = env.place(row.place, row)
    tests = [test for test in tests_of(row, env, own) if test.values in ((PRESENT,), (ABSENT,))]
    if not tests:
        return writer

    def write(at: Place) -> bool:
        for test in tests:
            above, steps = (own.up, (*own.steps, *test.place.steps)) if test.up < 0 else (test.up, test.place.steps)
            found = places.walk(at.above(above).branch, steps)
            if any(node.state is State.VALUE for node in found) != (test.values == (PRESENT,)):
                return False
        return writer(at)

    return write


def _compile(row: Row, env: Env) -> Writer:
    return _agreeing(row, env, _plain(row, env)) if row.agrees else _plain(row, env)


def _agreeing(row: Row, env: Env, writer: Writer) -> Writer:
    """What is said at one place of several elements (the unit of all repeats) is the same of each; else Unwritable."""
    place = env.place(row.place, row)

    def write(at: Place) -> bool:
        above, agreed = at.above(place.up), at.ledger.agreed
        branch = above.branch
        key, held = (id(branch), place.steps), _said_below(branch, place.steps)
        if key not in agreed and not held:
            agreed[key] = branch
            return writer(at)
        above.branch = Branch(branch.name)
        said = writer(at)
        again, above.branch = _said_below(above.branch, place.steps), branch
        if again != held:
            kind = at.resources[-1].get("resourceType", "") if at.resources else ""
            raise unsayable(
                f"{kind}.{row.to}".rstrip("."), "this format has one place for what is not the same of each"
            )
        return said

    return write


def _said_below(branch: Branch, steps: tuple[str, ...]) -> list[tuple[str, Any]]:
    """What stands at a place, part by part."""
    found: list[tuple[str, Any]] = []

    def add(node: Branch, way: str) -> None:
        if node.value is not None:
            found.append((way, node.value))
        for child in node.nodes:
            add(child, f"{way}.{child.name}")

    for node in places.walk(branch, steps):
        if isinstance(node, Branch):
            add(node, "")
    return found


def _plain(row: Row, env: Env) -> Writer:
    if row.choose:
        return _choose(row, env)
    if row.claim:
        return claim_writer(row, env)
    if row.make:
        return _each([row], env)
    if row.is_block:
        return _each([row], env) if row.to else _mover(row, env)
    if not row.place and not row.parts:
        return _constant(row, env)
    if not row.to:
        return _format_constant(row, env)
    if row.join or row.split or row.parts:
        return _whole(row, env)
    return _value(row, env)


def _value(row: Row, env: Env) -> Writer:
    path, say = env.path(row.to, row), _sayer(row, env)
    make, assert_when, tests = node_maker(row, env), asserter(row, env), env.tests(row.where, row)
    many = bool(row.each)

    def write(at: Place) -> bool:
        done = filled = False
        ledger = at.ledger
        if tests and not paths.holds(at.element, tests):
            return False
        for slot, value in say(at):
            branch, undo = make(at, many)
            if not put_value(branch, value):
                filled = places.leaf(branch)[0] is not None  # another row has said something else here
                undo()
                break
            ledger.use(*slot)
            assert_when(at, branch)
            done = True
            if not many:
                break
        if done:
            ledger.use_tests(at.element, tests)
        elif row.required and not filled:
            raise missing(_told(at, path), "the recipient's format requires it")
        elif row.out:
            _say_constant(at, make(at, False)[0], row.out)
            ledger.note(_told(at, path), LossKind.DEFAULT, "said by this format's default: the bundle does not say it")
        return done

    return write


def _told(at: Place, path: Path) -> str:
    """The canonical place that a row is for, in the element that is being said."""
    kind = at.resources[-1].get("resourceType", "") if at.resources else ""
    return f"{at.ledger.place_of(at.element) or kind}.{path.text}"


def _sayer(row: Row, env: Env) -> Callable[[Place], list[tuple[Slot, Any]]]:
    """The slots at the row's path that have not been said, with their source values."""
    path = env.path(row.to, row)
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict)
    steps, name = path.steps, path.steps[-1].name
    again = row.direction == "out"  # says in the format's own way what another row has said
    keeps = row.codes if row.codes and row.unknown == "keep" else ""

    def say(at: Place) -> list[tuple[Slot, Any]]:
        ledger = at.ledger
        found: list[tuple[Slot, Any]] = []
        slots = ledger.slots(at.element, steps, at.own)
        for slot in slots:
            if not again and not ledger.fresh(slot):
                continue
            held = slot[0][slot[1]]
            value = transform.write(held, ledger, slot)
            if value is None and keeps and isinstance(held, dict):
                value = original_code(held.get("extension"), env.material.pack_id, keeps)
            if value is not None:
                found.append((slot, value))
            elif row.default and row.codes and held == row.default:
                ledger.use(*slot)  # the format has no word for it: who says nothing says this
        if not slots and keeps:
            for slot in ledger.slots(at.element, (*steps[:-1], paths.Step(f"_{name}", False)), at.own):
                if not again and not ledger.fresh(slot):
                    continue
                value = original_code(slot[0][slot[1]].get("extension"), env.material.pack_id, keeps)
                if value is not None:
                    found.append((slot, value))
        return found

    return say


def _whole(row: Row, env: Env) -> Writer:
    """`split`, `join` and `parts`: one value to several places or several to one."""
    path, say, tests = env.path(row.to, row), _sayer(row, env), env.tests(row.where, row)
    targets = [env.place(text, row) for text in (row.parts or (row.place,))]
    assert_when = asserter(row, env)
    keep = -int(row.leave) if row.leave else None

    def write(at: Place) -> bool:
        if tests and not paths.holds(at.element, tests):
            return False
        found = say(at)[:keep]
        if not found:
            if row.required:
                raise missing(_told(at, path), "the recipient's format requires it")
            return False
        if row.split:
            pieces = [row.split.join(str(value) for _, value in found)]
        else:
            found = found[:1]
            text = str(found[0][1])
            pieces = _repeats(text, row.join) if row.join else text.split(row.by or " ", len(targets) - 1)
        done = False
        for number, piece in enumerate(pieces):
            place = targets[0] if not row.parts else targets[number]
            branch = places.make(at.above(place.up).branch, place.steps, bool(row.join))
            branch.repeats = bool(row.join)
            done = (bool(piece) and put_value(branch, piece)) or done
            assert_when(at, branch)
        if done:
            for slot, _ in found:
                at.ledger.use(*slot)
            at.ledger.use_tests(at.element, tests)
        return done

    return write


def _repeats(text: str, mark: str) -> list[str]:
    """What is said in repeats, none of them empty, since nobody would read that one: empty lines stay."""
    pieces: list[str] = []
    empty = ""
    for piece in text.split(mark):
        if piece:
            pieces.append(empty + piece)
            empty = ""
        else:
            empty += mark
    if not pieces:
        return [text]
    pieces[-1] += empty
    return pieces


def _each(group: list[Row], env: Env) -> Writer:
    """Blocks that say elements or resources, in the order in which these stand."""
    first = group[0]
    takers = [_taker(row, env) for row in group]
    candidates = _resources(first, env) if first.make else _elements(group, env)
    many, required = bool(first.each), any(row.required for row in group)
    path = None if first.make else env.path(first.to, first)

    def write(at: Place) -> bool:
        done = 0
        for slot in candidates(at):
            for taker in takers:
                if taker(at, slot, done + 1):
                    done += 1
                    break
            if done and not many:
                break
        if required and not done:
            if path and (held := [slot[0][slot[1]] for slot in candidates(at)]) and all(map(speechless, held)):
                raise unsayable(_told(at, path), "nothing in it is a word that others share")
            raise missing(_told(at, path) if path else first.make, "the recipient's format requires it")
        return done > 0

    return write


def _taker(row: Row, env: Env) -> Callable[[Place, Slot, int], bool]:
    if row.make:
        return _maker(row, env)
    return _element(row, env) if row.is_block else _leaf(row, env)


def _elements(group: list[Row], env: Env) -> Callable[[Place], list[Slot]]:
    found = [env.path(row.to, row).steps for row in group]
    bare = (*found[0][:-1], paths.Step(found[0][-1].name, found[0][-1].is_list))
    steps = bare if len(group) > 1 else found[0]

    def slots(at: Place) -> list[Slot]:
        return [slot for slot in at.ledger.slots(at.element, steps, at.own) if at.ledger.fresh(slot)]

    return slots


def _resources(row: Row, env: Env) -> Callable[[Place], list[Slot]]:
    """What a `make` may say: resources that its link or start leads to, as (reference slot or None, resource)."""
    made = making(row, env)
    name = row.link or row.find

    def find(at: Place) -> list[Slot]:
        ledger = at.ledger
        found: list[Slot] = []
        for slot, resource, holder in linked(made, at):
            key = (name, id(holder), id(slot[0]) if row.item and slot else id(resource))
            if resource.get("resourceType") == row.make and key not in ledger.taken:
                found.append((slot, (resource, key)))
        return found

    return find


def _maker(row: Row, env: Env) -> Callable[[Place, Slot, int], bool]:
    made = making(row, env)
    place = env.place(row.place, row) if row.place else None
    inner = env.under(place, node=row.make, resource=row.make, data_class=made.data_class, marked=made.data_class)
    rows, inner = inner.content(row)
    write_rows, tests = compile_rows(rows, inner), inner.tests(row.where, row)
    make = node_maker(row, env) if place is not None else None
    assert_when, among = asserter(row, env), item_tests(made)
    write_item = compile_rows(row.item, env.under(place, node=made.item)) if row.item else None

    def take(at: Place, slot: Slot, ordinal: int) -> bool:
        ledger = at.ledger
        reference, (resource, key) = slot
        if key in ledger.taken or not paths.holds(resource, tests) or not may_say(made, resource):
            return False
        if reference is not None and not paths.holds(reference[0], among):
            return False
        branch, undo = make(at, bool(row.each)) if make else (at.branch, nothing)
        up = at if make else at.up
        ledger.taken.add(key)
        used, claimed = ledger.reopen(resource)
        said = write_rows(Place(branch, up, resource, {}, (*at.resources, resource), ledger, ordinal))
        ledger.used |= used
        ledger.claimed |= claimed
        if not said:
            ledger.taken.discard(key)
            undo()
            return False
        assert_when(at, branch)
        ledger.use_tests(resource, tests)
        ledger.spoken.add(id(resource))
        if reference is not None:
            ledger.use(*reference)
            if write_item is not None:
                write_item(Place(branch, up, reference[0], {}, at.resources, ledger, ordinal))
        if row.role:
            ledger.roles.setdefault(row.role, []).append(resource)
        ledger.refs += [(resource, steps, role) for steps, role in made.refs]
        return True

    return take


def _leaf(row: Row, env: Env) -> Callable[[Place, Slot, int], bool]:
    """One value of a list at a repeat of its own."""
    path, tests = env.path(row.to, row), env.tests(row.where, row)
    codes = env.material.codes.get(row.codes)
    transform = compile_value(row, path, codes, env.material.pack_id, env.material.native, env.strict)
    make, assert_when = node_maker(row, env), asserter(row, env)
    keeps = row.codes if row.codes and row.unknown == "keep" else ""

    def take(at: Place, slot: Slot, ordinal: int) -> bool:
        held = slot[0][slot[1]]
        if not at.ledger.fresh(slot) or not paths.holds(at.element, tests):
            return False
        value = transform.write(held, at.ledger, slot)
        if value is None and keeps and isinstance(held, dict):
            value = original_code(held.get("extension"), env.material.pack_id, keeps)
        if value is None:
            return False
        branch, undo = make(at, True)
        if not put_value(branch, value):
            undo()
            return False
        at.ledger.use(*slot)
        at.ledger.use_tests(at.element, tests)
        assert_when(at, branch)
        return True

    return take


def _element(row: Row, env: Env) -> Callable[[Place, Slot, int], bool]:
    path = env.path(row.to, row)
    place = env.place(row.place, row) if row.place else None
    data_class = env.class_of(row)
    inner = env.under(place, node=path.node, data_class=data_class, marked=data_class)
    rows, inner = inner.content(row)
    write_rows, tests = compile_rows(rows, inner), inner.tests(row.where, row)
    make = node_maker(row, env) if place is not None else None
    assert_when, selector = asserter(row, env), path.steps[-1].tests

    def take(at: Place, slot: Slot, ordinal: int) -> bool:
        element = slot[0][slot[1]]
        ledger = at.ledger
        if not ledger.fresh(slot) or not paths.holds(element, selector) or not paths.holds(element, tests):
            return False
        branch, undo = make(at, bool(row.each)) if make else (at.branch, nothing)
        up = at if make else at.up
        if not write_rows(Place(branch, up, element, {}, at.resources, ledger, ordinal)):
            undo()
            return False
        assert_when(at, branch)
        ledger.use_tests(element, tests + selector)
        ledger.claimed.add(id(element))
        return True

    return take


def _mover(row: Row, env: Env) -> Writer:
    """A block that only moves the cursor."""
    place = env.place(row.place, row) if row.place else None
    rows, inner = env.under(place, data_class=row.data_class or env.data_class).content(row)
    write_rows, tests = compile_rows(rows, inner), env.tests(row.where, row) if env.node else ()
    make = node_maker(row, env) if place is not None else None
    assert_when, told = asserter(row, env), _told_by(row, tests)

    def write(at: Place) -> bool:
        if tests and not paths.holds(at.element, tests):
            return False
        branch, undo = make(at, False) if make else (at.branch, nothing)
        below = Place(branch, at, at.element, at.own, at.resources, at.ledger) if make else at
        if not write_rows(below):
            if row.required:
                raise missing(row.place, "the recipient's format requires it")
            undo()
            return False
        assert_when(at, branch)
        at.ledger.use_tests(at.element, told)
        return True

    return write


def _told_by(row: Row, tests: tuple[paths.Test, ...]) -> tuple[paths.Test, ...]:
    """The conditions that writing a row says: nothing is read back by a way out alone, so no member of a membership."""
    return tuple(test for test in tests if row.reads or len(test.values) == 1)


def _choose(row: Row, env: Env) -> Writer:
    inner = env.under(None, strict=True, data_class=row.data_class or env.data_class)
    options = []
    disjoint(row, inner)
    for option in row.choose:
        if not option.writes:
            continue
        tests = inner.tests(option.where, option)
        told = _told_by(option, tests)
        has_rows = bool(option.rows or option.shape or option.place or option.choose or option.parts)
        writer = _compile(option, inner) if has_rows else None
        options.append((tests, told, writer, asserter(option, inner)))

    def write(at: Place) -> bool:
        for tests, told, writer, assert_when in options:
            if not paths.holds(at.element, tests):
                continue
            if writer is None:
                if not tests:
                    continue
                at.ledger.use_tests(at.element, told)
                assert_when(at, at.branch)
                return True
            if writer(at):
                at.ledger.use_tests(at.element, told)
                assert_when(at, at.branch)
                return True
        if row.required:
            kind = at.resources[-1].get("resourceType", "") if at.resources else ""
            raise unsayable(kind, "this format has no way to say its value")
        return False

    return write


def _constant(row: Row, env: Env) -> Writer:
    """A canonical constant is expected there; anything else stays over as loss."""
    path = env.path(row.to, row)
    system, _, code = row.default.rpartition("|")

    def write(at: Place) -> bool:
        for container, key in at.ledger.slots(at.element, path.steps, at.own):
            value = container[key]
            if path.kind == "Coding":
                same = (value.get("system", ""), value.get("code", "")) == (system, code)
            else:
                same = paths.text_of(value) == row.default
            if same:
                at.ledger.use(container, key)
        return False

    return write


def _format_constant(row: Row, env: Env) -> Writer:
    make = node_maker(row, env)

    def write(at: Place) -> bool:
        _say_constant(at, make(at, False)[0], row.out)
        return False

    return write


def _say_constant(at: Place, branch: Branch, text: str) -> None:
    if branch.value is None and not branch.nodes:
        branch.value = str(at.ordinal) if text == ORDINAL else text
