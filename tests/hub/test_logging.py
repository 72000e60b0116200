"""A log line holds listed fields and nothing else, whoever wrote it."""

from __future__ import annotations

import io
import json
import logging as standard
from collections.abc import Iterator

import pytest
import structlog

from hub import logging

CHILD = "Thử-Nghiệm Thị Mẫu"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Where this process logs to."""
    stream = io.StringIO()
    before = (standard.getLogger().handlers, standard.getLogger().level)
    logging.configure(stream)
    yield stream
    structlog.reset_defaults()
    standard.getLogger().handlers, standard.getLogger().level = before


def line(stream: io.StringIO) -> dict[str, object]:
    """The only line."""
    (found,) = [json.loads(one) for one in stream.getvalue().splitlines()]
    return dict(found)


def test_unlisted_fields_are_left_out(written: io.StringIO) -> None:
    """A name under a field that is not listed, or in one that is, does not get through."""
    structlog.get_logger().info("delivery", agency=CHILD, child=CHILD, status=200, state="sending")
    found = line(written)
    assert (found["event"], found["status"], found["state"]) == ("delivery", 200, "sending")
    assert "child" not in found
    assert "Mẫu" not in written.getvalue()
    assert "M\\u1eabu" not in written.getvalue()


def test_an_event_is_a_word(written: io.StringIO) -> None:
    """A sentence is not an event: it may have values in it."""
    structlog.get_logger().info("Nguyen Van Mau was sent")
    assert line(written)["event"] == "unnamed"


def test_of_an_error_the_class_and_the_place_remain(written: io.StringIO) -> None:
    """Its message, which may repeat what it was given, does not."""
    try:
        int(CHILD)
    except ValueError:
        structlog.get_logger().exception("mllp-fault", transport="mllp")
    found = line(written)
    assert found["error"] == "ValueError"
    assert "test_logging.py" in str(found["where"])
    assert "Nghi" not in written.getvalue()


def test_libraries_are_held_to_it(written: io.StringIO) -> None:
    """What a library says of a value is left out; who spoke and how seriously remains."""
    standard.getLogger("sqlalchemy.engine").warning("INSERT %s", CHILD)
    standard.getLogger("httpx").error(f"failed for {CHILD}")
    standard.getLogger("authlib").debug("Issue token %r", "secret")
    said = [json.loads(one) for one in written.getvalue().splitlines()]
    assert [(one["logger"], one["level"]) for one in said] == [("sqlalchemy.engine", "warning"), ("httpx", "error")]
    assert "Nghi" not in written.getvalue()


def test_values_that_are_not_plain_become_their_type(written: io.StringIO) -> None:
    """A list, a mapping or bytes under a listed field is not printed."""
    structlog.get_logger().info("delivery", message={"name": "A"}, reason=b"raw", kind=["x"])
    found = line(written)
    assert (found["message"], found["reason"], found["kind"]) == ("dict", "bytes", "list")
