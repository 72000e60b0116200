"""Small agency systems for the demo: each speaks its own protocol and nothing else, and keeps every byte that it gets.

They share no code with the hub's translation or delivery: what they received is what the story is judged on.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

WAIT_SECONDS = 20.0


@dataclass(slots=True)
class Letter:
    """One message that a stand-in received."""

    raw: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As UTF-8."""
        return self.raw.decode("utf-8")


class Mailbox:
    """What arrived, in order; a test or a story waits on it."""

    def __init__(self) -> None:
        """Empty."""
        self._changed = threading.Condition()
        self.letters: list[Letter] = []

    def put(self, letter: Letter) -> None:
        """Keep a letter and wake whoever waits."""
        with self._changed:
            self.letters.append(letter)
            self._changed.notify_all()

    def wait(self, wanted: Callable[[Letter], bool], seconds: float = WAIT_SECONDS) -> Letter | None:
        """The first letter that is `wanted`, now or within `seconds`; None if none came."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                for letter in self.letters:
                    if wanted(letter):
                        return letter
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)


class Client:
    """Speaks to the hub over HTTP with its own key: SMART Backend Services (`private_key_jwt`)."""

    def __init__(self, base: str, identity: str, algorithm: str = "ES384", key: ECKey | RSAKey | None = None) -> None:
        """`base` is the hub's address; `key` a private JWK, made here when none is given."""
        self.base, self.identity, self.algorithm = base.rstrip("/"), identity, algorithm
        made = RSAKey.generate_key(2048) if algorithm.startswith("RS") else ECKey.generate_key("P-384")
        self.key: ECKey | RSAKey = key or made
        self._token, self._until = "", 0.0
        self.http = httpx.Client(base_url=self.base, timeout=30.0, trust_env=False)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public half, as it stands in the registry."""
        public = self.key.as_dict(private=False) | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        return {"keys": [public]}

    @property
    def kid(self) -> str:
        """Key id: the RFC 7638 thumbprint."""
        return self.key.thumbprint()

    def token(self) -> str:
        """A valid access token, asked for anew when the last one is nearly over."""
        if time.monotonic() > self._until:
            audience = f"{self.base}/oauth/token"
            now = int(time.time())
            claims = {"iss": self.identity, "sub": self.identity, "aud": audience, "iat": now, "exp": now + 240}
            claims["jti"] = secrets.token_urlsafe(16)
            header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
            assertion = jwt.encode(header, claims, self.key, algorithms=[self.algorithm])
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": assertion,
            }
            answer = self.http.post("/oauth/token", data=form)
            answer.raise_for_status()
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + answer.json()["expires_in"] - 30
        return self._token

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One authenticated request; the caller judges the status."""
        headers = {"authorization": f"Bearer {self.token()}"} | dict(more.pop("headers", {}))
        return self.http.request(method, path, headers=headers, **more)

    def tell(self, method: str, path: str, body: Any = None, expect: int | tuple[int, ...] = (200, 201, 202)) -> Any:
        """One request with a JSON body that must end with `expect`; the JSON answer."""
        answer = self.ask(method, path, json=body) if body is not None else self.ask(method, path)
        wanted = (expect,) if isinstance(expect, int) else expect
        if answer.status_code not in wanted:
            raise RuntimeError(f"{method} {path} answered {answer.status_code}: {answer.text[:600]}")
        return answer.json() if answer.content else None

    def close(self) -> None:
        """Let the connections go."""
        self.http.close()


class HospitalSystem:
    """A hospital information system: sends over MLLP, listens on MLLP, acknowledges what it gets (AA)."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        self.mail = Mailbox()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._closed = False
        threading.Thread(target=self._listen, daemon=True, name="hospital").start()

    @staticmethod
    def send(address: tuple[str, int], raw: bytes, seconds: float = 30.0) -> bytes:
        """Send one message; the acknowledgement that came."""
        with socket.create_connection(address, timeout=seconds) as line:
            line.sendall(b"\x0b" + raw + b"\x1c\r")
            return _frame(line) or b""

    def close(self) -> None:
        """Stop listening."""
        self._closed = True
        self._listener.close()

    def _listen(self) -> None:
        while not self._closed:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        with line:
            while raw := _frame(line):
                self.mail.put(Letter(raw))  # kept before it is acknowledged
                line.sendall(b"\x0b" + _accepted(raw) + b"\x1c\r")


def _frame(line: socket.socket) -> bytes | None:
    """Read one frame; None when the other side left."""
    held = b""
    while b"\x1c" not in held:
        data = line.recv(65536)
        if not data:
            return None
        held += data
    return held[held.index(b"\x0b") + 1 : held.index(b"\x1c")]


def _accepted(raw: bytes) -> bytes:
    """A plain AA that names the message."""
    msh = raw.split(b"\r")[0].split(b"|")
    head = [b"MSH", msh[1], msh[4], msh[5], msh[2], msh[3], time.strftime("%Y%m%d%H%M%S").encode(), b""]
    control = b"A" + secrets.token_hex(6).encode()
    return b"|".join([*head, b"ACK", control, b"P", b"2.5.1"]) + b"\rMSA|AA|" + msh[9] + b"\r"


class WebhookSystem:
    """A system with one HTTP address that takes the hub's messages and checks their signature."""

    def __init__(self, secret: bytes) -> None:
        """Listen on a free port of loopback."""
        self.mail = Mailbox()
        self.secret = secret
        self.forged: list[Letter] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/inbound"
        threading.Thread(target=self._server.serve_forever, daemon=True, name="webhook").start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _signed(self, letter: Letter) -> bool:
        """`Hub-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 over "t.body">`, at most five minutes old."""
        parts = dict(part.split("=", 1) for part in letter.headers.get("hub-signature", "").split(",") if "=" in part)
        expected = hmac.new(self.secret, parts.get("t", "").encode() + b"." + letter.raw, hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(parts.get("t") or 0)) < 300
        return fresh and hmac.compare_digest(expected, parts.get("v1", ""))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        system = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                letter = Letter(raw, {name.lower(): value for name, value in self.headers.items()})
                signed = system._signed(letter)
                if signed:  # kept before it is answered: whoever has the answer finds the letter
                    system.mail.put(letter)
                else:
                    system.forged.append(letter)
                self.send_response(202 if signed else 401)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """A stand-in keeps no log."""

        return Handler


class InboxSystem:
    """A system that only ever fetches: it lists its inbox, takes a message, confirms it."""

    def __init__(self, client: Client) -> None:
        """`client` speaks for the agency whose id it has."""
        self.client = client
        self.mail = Mailbox()

    def waiting(self) -> list[str]:
        """Ids of what waits."""
        answer = self.client.tell("GET", f"/agencies/{self.client.identity}/inbox")
        return [entry["delivery"] for entry in answer["deliveries"]]

    def fetch(self, delivery: str) -> httpx.Response:
        """Take one message, keep it and confirm it, if it is still there."""
        path = f"/agencies/{self.client.identity}/inbox/{delivery}"
        answer = self.client.ask("GET", path)
        if answer.status_code == 200:
            self.mail.put(Letter(answer.content, dict(answer.headers)))
            self.client.ask("POST", f"{path}/ack")
        return answer

    def collect(self, wanted: Callable[[Letter], bool], seconds: float = WAIT_SECONDS) -> Letter | None:
        """Fetch whatever comes until something `wanted` is among it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for delivery in self.waiting():
                self.fetch(delivery)
            found = self.mail.wait(wanted, 0.0)
            if found is not None:
                return found
            time.sleep(0.2)
        return None


def read_json(letter: Letter) -> Any:
    """A letter's body as JSON."""
    return json.loads(letter.raw)
