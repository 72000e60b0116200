"""Wakes over Kafka: whoever commits a delivery in one process wakes the workers of all others.

The topic carries opaque delivery ids and heartbeats, nothing else, and holds nothing that is not in the database: the
database claim spreads the work and orders it. So every process reads one partition from its end with an offset of its
own, in no consumer group, and commits none. Losing all of Kafka only delays, by one sweep: while `run` waits it looks
every `sweep` seconds whether or not a broker answers.

A broker that forgot everything (its topic is new, our position lies beyond its end) may look healthy and stay silent.
Whoever does not hear its own heartbeat starts again with a new consumer; a producer that failed once is replaced.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Final

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

from hub.messaging.dispatcher import Handle

_PARTITION: Final = 0
_BEAT: Final = b"beat:"
_WAITING: Final = 10_000
"""Wakes kept while the broker is slow; what is beyond is left to the sweep."""
_BATCH: Final = 500
_PATIENCE: Final = 5.0
"""Seconds; a little longer than the library takes to give up a record."""
_TIMES: Final = {"bootstrap_timeout_ms": 3000, "request_timeout_ms": 3000}

log = structlog.get_logger()


class KafkaDispatcher:
    """A :class:`hub.messaging.dispatcher.Dispatcher` for several processes."""

    def __init__(self, servers: str, topic: str, sweep: float = 2.0, beat: float = 3.0) -> None:
        """`servers` as ``host:port,host:port``; times in seconds. Needs no broker yet."""
        self._servers, self._topic = [server.strip() for server in servers.split(",")], topic
        self._sweep, self._beat = sweep, beat
        self._name = secrets.token_hex(8).encode()
        self._wakes: Queue[bytes] = Queue(_WAITING)
        self._closing, self._listening = Event(), Event()
        self._publisher = Thread(target=self._publish, name="kafka-wakes", daemon=True)
        self._publisher.start()

    def wake(self, delivery_ids: Collection[str] = ()) -> None:
        """These deliveries are due; none named = look around. Never raises and never waits."""
        try:
            for delivery_id in delivery_ids or ("look",):
                self._wakes.put_nowait(delivery_id.encode())
        except Full:
            log.warning("kafka-behind", dispatcher="kafka")

    def run(self, handle: Handle, stop: Event) -> None:
        """Call `handle` for wakes and at each sweep until `stop` is set."""
        self._listening.set()
        while not stop.is_set():
            handle()
            try:
                self._listen(handle, stop)
            except KafkaError as error:
                log.warning("kafka-away", dispatcher="kafka", kind=type(error).__name__.lower())
                stop.wait(min(self._sweep, 1.0))
        self._listening.clear()

    def close(self) -> None:
        """Send what waits if that is quick, and let go of the broker."""
        self._closing.set()
        self._publisher.join(2 * _PATIENCE)

    def _listen(self, handle: Handle, stop: Event) -> None:
        """Until `stop`, or until our own heartbeat fails to come. Raises :class:`kafka.errors.KafkaError`."""
        self._make_topic()
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers, enable_auto_commit=False, auto_offset_reset="latest", **_TIMES
        )
        try:
            at = TopicPartition(self._topic, _PARTITION)
            consumer.assign([at])
            consumer.seek_to_end(at)
            consumer.position(at)
            heard = swept = time.monotonic()
            while not stop.is_set():
                found = _values(consumer.poll(timeout_ms=int(min(self._sweep, 0.5) * 1000)))
                now = time.monotonic()
                if _BEAT + self._name in found:
                    heard = now
                if now - swept >= self._sweep or any(not value.startswith(_BEAT) for value in found):
                    handle()
                    swept = now
                if now - heard > 3 * self._beat:
                    log.warning("kafka-amnesia", dispatcher="kafka")
                    return
        finally:
            consumer.close(autocommit=False)

    def _reach(self) -> None:
        """Raise unless a broker listens: a client of the library that never connects leaves its sockets open."""
        for server in self._servers:
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), 1.0).close()
            except (OSError, ValueError):
                continue
            return
        raise KafkaConnectionError

    def _make_topic(self) -> None:
        self._reach()
        admin = KafkaAdminClient(bootstrap_servers=self._servers, **_TIMES)
        try:
            admin.create_topics([NewTopic(self._topic, num_partitions=1, replication_factor=-1)])
        except TopicAlreadyExistsError:
            pass
        finally:
            admin.close()

    def _publish(self) -> None:
        """The publisher's thread: wakes as they come, heartbeats while somebody listens."""
        producer: Any = None
        while not self._closing.is_set():
            values = self._next()
            try:
                if producer is None:
                    self._make_topic()
                    producer = KafkaProducer(
                        bootstrap_servers=self._servers, max_block_ms=3000, delivery_timeout_ms=3000, **_TIMES
                    )
                sent = [producer.send(self._topic, value, partition=_PARTITION) for value in values]
                for each in sent:
                    each.get(timeout=_PATIENCE)
            except KafkaError as error:
                log.warning("kafka-wake-lost", dispatcher="kafka", kind=type(error).__name__.lower())
                _close(producer)
                producer = None
                self._closing.wait(0.5)
        _close(producer)

    def _next(self) -> list[bytes]:
        """Wakes that wait, or a heartbeat when none came in time."""
        try:
            values = [self._wakes.get(timeout=self._beat if self._listening.is_set() else 0.5)]
        except Empty:
            values = []
        while len(values) < _BATCH and not self._wakes.empty():
            values.append(self._wakes.get_nowait())
        return [*values, _BEAT + self._name] if self._listening.is_set() else values


def _values(polled: dict[Any, list[Any]]) -> list[bytes]:
    return [record.value for records in polled.values() for record in records]


def _close(producer: Any) -> None:
    """Only what is delivered or given up lets a producer close: wait that long, or it would leave its sockets open."""
    if producer is not None:
        with suppress(KafkaError):
            producer.close(timeout=_PATIENCE)
