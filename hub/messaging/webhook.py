"""Posts to an agency's registered address: signed, to one pinned origin, never redirected.

The address comes from the registry alone. Its host is resolved once for each send and the connection goes to exactly
that IP address (a name that changes its mind between check and use gains nothing). It may be any public address, or lie
in the networks that the registry names; private ranges need `private: true`; loopback, and `http`, only when the
address itself says so. Redirects are failures.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpx

from hub.clock import Clock
from hub.errors import Ambiguous, Permanent, Transient
from hub.messaging.transport import Outbound, Sent, cut
from hub.security.signing import sign_webhook

LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses with which a recipient says that it does not hold the message and would take it later."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an agency wants its messages posted."""

    url: str
    secret: bytes = field(repr=False)
    networks: tuple[str, ...] = ()
    """Where its name may resolve to; empty = any public address."""
    private: bool = False
    tls: ssl.SSLContext | None = None
    connect_seconds: float = 10.0
    answer_seconds: float = 30.0


class WebhookSender:
    """A :class:`hub.messaging.transport.Transport` over HTTPS."""

    def __init__(self, locate: Callable[[Outbound], Address], clock: Clock) -> None:
        """`locate` reads the recipient's registry document."""
        self._locate, self._clock = locate, clock

    def send(self, outbound: Outbound) -> Sent:
        """POST the bytes; any 2xx answer is the acknowledgement."""
        address = self._locate(outbound)
        left = (outbound.deadline - self._clock.now()).total_seconds()
        if left <= 0:
            raise Transient("The deadline passed before the first byte.", kind="deadline")
        parts = urlsplit(address.url)
        pinned = _pin(address)
        timeout = httpx.Timeout(min(left, address.answer_seconds), connect=min(left, address.connect_seconds))
        client = httpx.Client(verify=address.tls or True, timeout=timeout, trust_env=False, follow_redirects=False)
        host = f"[{pinned}]" if ":" in pinned else pinned
        request = client.build_request(
            "POST",
            httpx.URL(address.url).copy_with(host=host),
            content=outbound.raw,
            headers=self._headers(outbound, address) | {"host": parts.netloc.rsplit("@", 1)[-1]},
            extensions={"sni_hostname": parts.hostname or "", "trace": (wire := _Wire()).watch},
        )
        with contextlib.closing(client), outbound.abort.cutting(wire.cut):
            if outbound.abort.asked:
                raise Transient("Stopped before the first byte.", kind="aborted")
            return _post(client, request, wire)

    def _headers(self, outbound: Outbound, address: Address) -> dict[str, str]:
        at = self._clock.now()
        attention = {"hub-attention": outbound.attention} if outbound.attention else {}
        return attention | {
            "content-type": outbound.media_type,
            "hub-message-id": outbound.outbound_id,
            "hub-message-type": outbound.type or "message",
            "hub-signature": sign_webhook(address.secret, outbound.raw, at),
        }


class _Wire:
    """Sees the connection that httpx makes, so that it can be cut, and whether a byte of the request left."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._cut = False
        self.used = False

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx at each step of a request."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._cut:
                self.cut()
        elif event == "http11.send_request_headers.started":
            self.used = True

    def cut(self) -> None:
        """Reset the connection, now or as soon as there is one."""
        self._cut = True
        if self._socket is not None:
            cut(self._socket)


def _pin(address: Address) -> str:
    """The one IP address to talk to, checked against where a webhook may point."""
    parts = urlsplit(address.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Transient("The recipient's name does not resolve.", kind="unresolved") from error
    pinned = str(found[0][4][0])
    if not _allowed(pinned, parts.hostname or "", address):
        raise Permanent("The registered address points where no webhook may.", kind="forbidden-address")
    if parts.scheme != "https" and not ip_address(pinned).is_loopback:
        raise Permanent("The registered address is not https.", kind="insecure-address")
    return pinned


def _allowed(pinned: str, name: str, address: Address) -> bool:
    there = ip_address(pinned)
    if address.networks:
        return any(there in ip_network(network) for network in address.networks)
    if there.is_loopback:
        return name == "localhost" or name == pinned
    return there.is_global or address.private


def _post(client: httpx.Client, request: httpx.Request, wire: _Wire) -> Sent:
    try:
        response = client.send(request)
    except (httpx.HTTPError, OSError) as error:
        if wire.used:
            raise Ambiguous("No answer came after the first byte.", kind="no-answer") from error
        raise Transient("The recipient does not take the connection.", kind="refused-connection") from error
    if response.is_success:
        return Sent(None)
    kind = f"http-{response.status_code}"
    if response.status_code in LATER:
        raise Transient("The recipient asks to send later.", kind=kind)
    raise Permanent("The recipient refused the message.", kind=kind)


def webhook_address(outbound: Outbound, secret_of: Callable[[str, int], bytes], tls: ssl.SSLContext) -> Address:
    """Read a registry document's `transports.out` of kind ``webhook``; `secret_of` gives (agency, version)'s secret."""
    there = outbound.agency["transports"]["out"]
    return Address(
        url=there["url"],
        secret=secret_of(outbound.agency["id"], there.get("secret_version", 1)),
        networks=tuple(there.get("addresses", ())),
        private=there.get("private", False),
        tls=tls if there["url"].startswith("https") else None,
    )
