"""Webhooks on real sockets: signed, pinned, never redirected, cut when told, unknown kept apart from failed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub.clock import SystemClock
from hub.demo.standins import WebhookSystem
from hub.errors import Ambiguous, Permanent, SendFailed, Transient
from hub.messaging.transport import Abort, Outbound
from hub.messaging.webhook import Address, WebhookSender, webhook_address

CLOCK = SystemClock()
SECRET = b"s" * 32


def outbound(abort: Abort | None = None, seconds: float = 5) -> Outbound:
    """A message on its way; who it is for stands in the address."""
    return Outbound(
        attempt_id="attempt",
        outbound_id="out-1",
        raw="<Thử/>".encode(),
        media_type="application/xml",
        agency={"id": "police", "transports": {"out": {"kind": "webhook", "url": "https://police.example/in"}}},
        deadline=CLOCK.now() + timedelta(seconds=seconds),
        abort=abort or Abort(),
        type="ReferralStatus",
    )


def sender(url: str, seconds: float = 1.0, **more: object) -> WebhookSender:
    """A sender to one address."""
    address = Address(url, SECRET, answer_seconds=seconds, connect_seconds=seconds, **more)  # type: ignore[arg-type]
    return WebhookSender(lambda _: address, CLOCK)


@pytest.fixture
def system() -> Iterator[WebhookSystem]:
    """An agency's system that checks signatures."""
    running = WebhookSystem(SECRET)
    yield running
    running.close()


class Server:
    """An HTTP server with a fixed manner of answering."""

    def __init__(self, status: int, headers: dict[str, str] | None = None, wait: float = 0) -> None:
        self.hits = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner.hits += 1
                time.sleep(wait)
                self.send_response(status)
                for name, value in {"content-length": "0", **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_signed_message_arrives_as_it_was_frozen(system: WebhookSystem) -> None:
    """The bytes, their type and their id reach the agency under a signature that it can check."""
    sender(system.url).send(outbound())
    letter = system.mail.letters[0]
    assert (letter.raw, letter.headers["content-type"]) == ("<Thử/>".encode(), "application/xml")
    assert (letter.headers["hub-message-id"], letter.headers["hub-message-type"]) == ("out-1", "ReferralStatus")
    assert not system.forged


def test_what_is_for_one_officer_says_so(system: WebhookSystem) -> None:
    """The officer stands in a header of its own; a message for the agency's desk has no such header."""
    sender(system.url).send(replace(outbound(), attention="DTV-017"))
    sender(system.url).send(outbound())
    sealed, plain = system.mail.letters
    assert sealed.headers["hub-attention"] == "DTV-017"
    assert "hub-attention" not in plain.headers


def test_a_wrong_secret_is_refused_by_the_agency() -> None:
    """An agency that expects another secret refuses, and that is permanent."""
    strict = WebhookSystem(b"x" * 32)
    with pytest.raises(Permanent) as failure:
        sender(strict.url).send(outbound())
    strict.close()
    assert (failure.value.kind, len(strict.forged), strict.mail.letters) == ("http-401", 1, [])


@pytest.mark.parametrize(
    ("status", "error"),
    [(200, None), (202, None), (204, None), (400, Permanent), (404, Permanent), (429, Transient), (503, Transient)],
)
def test_what_the_agency_answers_decides_what_follows(status: int, error: type[SendFailed] | None) -> None:
    """2xx is delivered, "later" is tried again, a refusal is not."""
    server = Server(status)
    try:
        if error is None:
            assert sender(server.url).send(outbound()).answer is None
        else:
            with pytest.raises(error, match=r"."):
                sender(server.url).send(outbound())
    finally:
        server.close()


def test_a_redirect_is_never_followed() -> None:
    """What an address answers cannot send a child's record elsewhere."""
    elsewhere = Server(200)
    server = Server(307, {"location": elsewhere.url})
    with pytest.raises(Permanent) as failure:
        sender(server.url).send(outbound())
    server.close()
    elsewhere.close()
    assert (failure.value.kind, elsewhere.hits) == ("http-307", 0)


def test_silence_after_the_first_byte_is_unknown() -> None:
    """A recipient that takes the bytes and never answers possibly holds them."""
    server = Server(200, wait=3)
    with pytest.raises(Ambiguous):
        sender(server.url, 0.3).send(outbound())
    server.close()


def test_nobody_listening_is_tried_again() -> None:
    """No byte left: the failure is transient."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Transient) as failure:
        sender(f"http://127.0.0.1:{port}/in").send(outbound())
    assert failure.value.kind == "refused-connection"


def test_an_abort_cuts_a_send_under_way() -> None:
    """A withdrawal does not wait for a slow recipient: the connection is reset at once."""
    server = Server(200, wait=5)
    abort = Abort()
    threading.Timer(0.3, abort.ask).start()
    began = time.monotonic()
    with pytest.raises(Ambiguous):
        sender(server.url, 4).send(outbound(abort))
    server.close()
    assert time.monotonic() - began < 2


def test_an_abort_before_the_first_byte_lets_nothing_leave(system: WebhookSystem) -> None:
    """A send that was stopped before it began reaches nobody."""
    abort = Abort()
    abort.ask()
    with pytest.raises(Transient):
        sender(system.url).send(outbound(abort))
    assert not system.mail.letters
    assert not system.forged


@pytest.mark.parametrize(
    ("url", "more", "kind"),
    [
        ("https://10.1.2.3/in", {}, "forbidden-address"),
        ("http://192.168.0.9/in", {"private": True}, "insecure-address"),
        ("https://127.0.0.1/in", {"networks": ("203.0.113.0/24",)}, "forbidden-address"),
        ("http://203.0.113.9/in", {"networks": ("203.0.113.0/24",)}, "insecure-address"),
    ],
)
def test_a_webhook_points_only_where_it_may(url: str, more: dict[str, object], kind: str) -> None:
    """Private ranges and plain text need the registry's word, and other networks are refused before a connection."""
    with pytest.raises(Permanent) as failure:
        sender(url, **more).send(outbound())
    assert failure.value.kind == kind


def test_a_name_that_resolves_to_loopback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name that turns out to be this machine does not reach this machine."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    with pytest.raises(Permanent) as failure:
        sender("https://police.example/in").send(outbound())
    assert failure.value.kind == "forbidden-address"


def test_the_address_is_read_from_the_registry() -> None:
    """The secret goes by agency and version, and only the registry says where private ranges are meant."""
    address = webhook_address(outbound(), lambda agency, version: f"{agency}/{version}".encode(), None)  # type: ignore[arg-type]
    assert (address.url, address.secret, address.private) == ("https://police.example/in", b"police/1", False)


def test_a_passed_deadline_lets_nothing_leave(system: WebhookSystem) -> None:
    """A message whose time is over is not sent."""
    with pytest.raises(Transient) as failure:
        sender(system.url).send(outbound(seconds=-1))
    assert (failure.value.kind, system.mail.letters) == ("deadline", [])
