"""The ledger and the tasks of people."""

from __future__ import annotations

import pytest

from hub.errors import NotFound
from hub.storage import audits, tasks
from hub.storage.audits import Entry
from hub.storage.store import Store
from hub.storage.tasks import NewTask
from tests.conftest import SetClock


def test_the_ledger_gives_back_what_was_written(store: Store, clock: SetClock) -> None:
    """A row keeps its reasons, what was read and its detail, in order."""
    entry = Entry(
        "attempt", "hub", agency="police", case="c1", delivery="d1", attempt="a1", outcome="PERMIT",
        reasons=("R22-order-names-it",), policy_version="2026.11", input_hash="00",
        read=(("order", "f1", 2),), detail={"items": 3}, replay=b"sealed",
    )  # fmt: skip
    with store.write() as unit:
        written = audits.record(unit, entry, clock.now())
        audits.record(unit, Entry("outcome", "hub", case="c2"), clock.advance(seconds=1))
    with store.read() as unit:
        first, second = audits.listing(unit)
        assert (first.id, first.entry) == (written, entry)
        assert audits.listing(unit, case="c2") == [second]
        assert audits.listing(unit, kinds=["outcome"]) == [second]
        assert audits.listing(unit, agency="police", delivery="d1") == [first]
        assert audits.listing(unit, since=clock.now()) == [second]


def test_the_ledger_is_read_page_by_page(store: Store, clock: SetClock) -> None:
    """Rows of one instant are neither lost nor seen twice between pages."""
    with store.write() as unit:
        ids = {audits.record(unit, Entry("fact", "hub"), clock.now()) for _ in range(5)}
    seen: list[str] = []
    after = None
    with store.read() as unit:
        while page := audits.listing(unit, after=after, limit=2):
            seen += [row.id for row in page]
            after = (page[-1].at, page[-1].id)
    assert len(seen) == 5
    assert set(seen) == ids


def test_a_task_is_raised_once_for_the_same_thing(store: Store, clock: SetClock) -> None:
    """An alarm that is open already is not opened again; once done it may be."""
    new = NewTask("alarm", "parked", "operator", case="c1", subject={"delivery": "d1"})
    with store.write() as unit:
        first = tasks.start(unit, new, clock.now())
        assert tasks.start(unit, new, clock.now()) == first
        other = tasks.start(unit, NewTask("alarm", "parked", "operator", subject={"delivery": "d2"}), clock.now())
        assert {task.id for task in tasks.listing(unit, kinds=["alarm"])} == {first, other}
        assert tasks.close(unit, first, "op-1", clock.now())
        assert not tasks.close(unit, first, "op-2", clock.now())
        assert tasks.get(unit, first).closed_by == "op-1"
        assert tasks.start(unit, new, clock.now()) != first
        assert len(tasks.listing(unit, state=None)) == 3
        assert len(tasks.listing(unit, owner="operator", case="c1")) == 1
    with pytest.raises(NotFound), store.read() as unit:
        tasks.get(unit, "nothing")
