"""A wake comes through quickly, carries nothing but opaque ids, and is never needed for the truth."""

from __future__ import annotations

import gc
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from kafka import KafkaConsumer, TopicPartition

from hub.messaging.dispatcher import Dispatcher, EmbeddedDispatcher
from hub.messaging.kafka import KafkaDispatcher
from tests.conftest import Broker, free_port, wait_for


@pytest.fixture
def dead_connections() -> Iterator[None]:
    """kafka-python leaves sockets of failed connections to the garbage collector: let it find them here."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


MINUTES = 300.0
"""A sweep that no test waits for."""


class Calls:
    """Counts how often the workers were called."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> None:
        self.number += 1


@contextmanager
def running(dispatcher: Dispatcher) -> Iterator[Calls]:
    calls, stop = Calls(), Event()
    thread = Thread(target=dispatcher.run, args=(calls, stop), daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        stop.set()
        dispatcher.close()
        thread.join(10)
        assert not thread.is_alive()


def woken(calls: Calls, wake: Callable[[], None]) -> None:
    """Wake again and again until a call comes: a consumer that just began may have missed the first."""
    before = calls.number

    def called() -> bool:
        wake()
        time.sleep(0.05)
        return calls.number > before

    wait_for(called, 20)


def topic() -> str:
    return f"hub.test.{uuid.uuid4().hex}"


def test_the_embedded_dispatcher_calls_for_a_wake() -> None:
    """A wake calls the workers at once, long before the next sweep."""
    dispatcher = EmbeddedDispatcher(MINUTES)
    with running(dispatcher) as calls:
        wait_for(lambda: calls.number == 1)
        dispatcher.wake(["d1", "d2"])
        wait_for(lambda: calls.number >= 2)


def test_the_embedded_dispatcher_sweeps() -> None:
    """Without any wake the workers are called again and again."""
    with running(EmbeddedDispatcher(0.02)) as calls:
        wait_for(lambda: calls.number >= 5)


def test_a_wake_reaches_every_other_process_over_kafka(broker: Broker) -> None:
    """One dispatcher wakes, two others call their workers."""
    name = topic()
    sender = KafkaDispatcher(broker.address, name, MINUTES)
    with (
        running(KafkaDispatcher(broker.address, name, MINUTES)) as one,
        running(KafkaDispatcher(broker.address, name, MINUTES)) as other,
    ):
        for calls in (one, other):
            woken(calls, lambda: sender.wake(["0" * 32]))
    sender.close()


def test_only_ids_and_heartbeats_travel(broker: Broker) -> None:
    """Every record of the topic is an opaque id that somebody woke, or a heartbeat; keys and headers are empty."""
    name, ids = topic(), [uuid.uuid4().hex for _ in range(3)]
    dispatcher = KafkaDispatcher(broker.address, name, MINUTES, beat=0.1)
    with running(dispatcher) as calls:
        woken(calls, lambda: dispatcher.wake(ids))
    consumer = KafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.assign([TopicPartition(name, 0)])
    records = []
    while polled := consumer.poll(1500):
        records += [record for found in polled.values() for record in found]
    consumer.close()
    values = {record.value.decode() for record in records}
    assert set(ids) <= values
    assert all(value in ids or value.startswith("beat:") for value in values)
    assert {record.key for record in records} == {None}
    assert not any(record.headers for record in records)


@pytest.mark.usefixtures("dead_connections")
def test_without_a_broker_nothing_waits_and_the_sweep_goes_on() -> None:
    """Waking ten thousand times takes no time and raises nothing; workers are called at each sweep all the same."""
    dispatcher = KafkaDispatcher(f"127.0.0.1:{free_port()}", topic(), sweep=0.1)
    with running(dispatcher) as calls:
        began = time.monotonic()
        for _ in range(12_000):
            dispatcher.wake(["0" * 32])
        assert time.monotonic() - began < 2
        wait_for(lambda: calls.number >= 2, 15)


@pytest.mark.usefixtures("dead_connections")
def test_a_broker_that_died_and_forgot_everything_is_used_again() -> None:
    """Killed and started anew with an empty memory, it carries wakes again without anybody's help."""
    first = Broker()
    dispatcher = KafkaDispatcher(first.address, topic(), MINUTES, beat=0.2)
    with running(dispatcher) as calls:
        woken(calls, lambda: dispatcher.wake(["0" * 32]))
        first.kill()
        second = Broker(first.port)
        try:
            woken(calls, lambda: dispatcher.wake(["1" * 32]))
            before = calls.number
            time.sleep(0.3)
            dispatcher.wake(["2" * 32])
            wait_for(lambda: calls.number > before, 20)
        finally:
            second.kill()


@pytest.mark.parametrize("make", [lambda: EmbeddedDispatcher(MINUTES), lambda: KafkaDispatcher("127.0.0.1:1", "t")])
def test_closing_ends_the_wait(make: Callable[[], Dispatcher]) -> None:
    """A dispatcher that is told to stop comes back within seconds."""
    with running(make()) as calls:
        wait_for(lambda: calls.number >= 1)
