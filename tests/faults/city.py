"""A small town of agencies around one hub process that can be killed: what they said, and every byte that they got.

Nothing here asks the hub whether all is well. What was acknowledged, what arrived where, and the rows of the database
are compared by :meth:`City.violations`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from hub.clock import SystemClock
from hub.demo.standins import Client
from hub.directory import Registry
from hub.security.vault import make_root_key
from hub.states import DeliveryState
from hub.storage import administrators, attempts, audits, deliveries, withdrawals
from hub.storage.ids import new_id
from hub.storage.store import Store
from tests.conftest import free_port, wait_for

ROLES = ("operator", "case-worker", "consent-admin", "auditor")
ROOT = Path(__file__).parents[2]
SENDER = "clinic"
HOSPITALS = ("hospital-1", "hospital-2", "hospital-3")
RESTING = {
    state
    for state in DeliveryState
    if state not in (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.UNKNOWN)
}


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that reached an agency."""

    agency: str
    id: str
    raw: bytes
    at: datetime

    @property
    def recalls(self) -> bool:
        """Whether it only asks for an earlier one to be given up."""
        return b'"recall"' in self.raw


@dataclass(slots=True)
class Told:
    """One message that the clinic said about child A."""

    control: str
    mark: str
    """A value that no other message holds."""
    raw: bytes
    over: str
    """``mllp`` or ``rest``."""
    acknowledged: bool = False


@dataclass(slots=True)
class Withdrawn:
    """A child whose consent for its one shelter is withdrawn."""

    number: int
    case: str = ""
    person: str = ""
    consent: str = ""

    @property
    def name(self) -> str:
        """What its synthetic names and numbers are made of."""
        return f"B{self.number}"

    @property
    def shelter(self) -> str:
        """The one agency that is told of this child, on this consent alone."""
        return f"shelter-{self.number}"


class Post:
    """Every agency's letter box: ``/AGENCY`` takes what the hub posts, keeps it, and says so."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        post = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                at = datetime.now(UTC)
                post.letters.append(Letter(self.path.strip("/"), self.headers["hub-message-id"], raw, at))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Keeps no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def at(self, agency: str) -> list[Letter]:
        """What reached one agency, in order."""
        return [letter for letter in self.letters if letter.agency == agency]

    def close(self) -> None:
        """No more post."""
        self._server.shutdown()
        self._server.server_close()


class Nursery:
    """The warm process that hubs are forked from (:mod:`tests.faults.nursery`)."""

    def __init__(self) -> None:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        command, pipe = [sys.executable, "-m", "tests.faults.nursery"], subprocess.PIPE
        self._process = subprocess.Popen(command, env=mine, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def bear(self, settings: Mapping[str, str], log: Path, bug: str) -> int:
        """Start a hub; its pid."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"settings": settings, "log": str(log), "bug": bug}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """No more hubs."""
        self._process.communicate()


@dataclass(slots=True)
class City:
    """The hub, who speaks to it, and what happened."""

    folder: Path
    database: str
    nursery: Nursery
    bug: str = ""
    """Python that breaks the hub on purpose, run before it starts."""
    store: Store = field(init=False)
    post: Post = field(init=False)
    http: int = field(default_factory=free_port)
    mllp: int = field(default_factory=free_port)
    admin: Client = field(init=False)
    clinic: Client = field(init=False)
    pid: int = 0
    """The serving process; 0 = none."""
    told: list[Told] = field(default_factory=list)
    withdrawn: list[Withdrawn] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keys, an administrator, the post; the hub is not started."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.points.mkdir()
        make_root_key(self.folder / "root.key")
        self.store, self.post = Store(self.database), Post()
        self.admin, self.clinic = Client(self.base, "admin-one"), Client(self.base, SENDER)
        with self.store.write() as unit:
            administrators.add(unit, "admin-one", ROLES, self.admin.jwks, datetime.now(UTC))

    @property
    def base(self) -> str:
        """The hub's address."""
        return f"http://127.0.0.1:{self.http}"

    @property
    def points(self) -> Path:
        """Folder of the failpoints."""
        return self.folder / "points"

    # --- the process -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the hub, with no failpoint armed."""
        for point in self.points.iterdir():
            point.unlink()
        settings = {
            "HUB_DATA_DIR": str(self.folder), "HUB_DATABASE_URL": self.database, "HUB_WORKERS": "8",
            "HUB_HTTP_PORT": str(self.http), "HUB_MLLP_PORT": str(self.mllp), "HUB_FAILPOINTS": str(self.points),
        }  # fmt: skip
        self.pid = self.nursery.bear(settings, self.folder / "hub.log", self.bug)
        wait_for(self._up, 60)

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            wait_for(lambda: not Path(f"/proc/{self.pid}").exists())
            self.pid = 0

    def close(self) -> None:
        """Kill what runs and let everything go."""
        self.kill()
        self.post.close()
        self.admin.close()
        self.clinic.close()
        self.store.close()

    def arm(self, place: str) -> None:
        """The next thread that gets there stops."""
        (self.points / f"{place}.hit").unlink(missing_ok=True)
        (self.points / place).touch()

    def stopped(self, place: str) -> bool:
        """Whether a thread is stopped there."""
        return (self.points / f"{place}.hit").exists()

    def _up(self) -> bool:
        assert Path(f"/proc/{self.pid}").exists(), (self.folder / "hub.log").read_text()[-2000:]
        try:
            return httpx.get(f"{self.base}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    # --- speaking --------------------------------------------------------------------------------------------------

    def say(self, child: str, over: str) -> bool:
        """The clinic says one exam result; whether it was acknowledged."""
        control = new_id()[:16]
        return self._say(exam(child, control, "71000.5"), control, over)

    def tell(self, over: str) -> Told:
        """The clinic says something new about child A."""
        told = self.note(over)
        self.say_once_more(told)
        return told

    def note(self, over: str) -> Told:
        """Something about child A that is about to be said."""
        control, mark = new_id()[:16], f"7{len(self.told):05d}"
        told = Told(control, mark, exam("A", control, mark), over)
        self.told.append(told)
        return told

    def say_once_more(self, told: Told) -> None:
        """The clinic says something about child A, word by word what it said before if it did."""
        told.acknowledged = self._say(told.raw, told.control, told.over)

    def repeat(self) -> None:
        """The clinic says again whatever was not acknowledged."""
        for told in self.told:
            if not told.acknowledged:
                self.say_once_more(told)

    def _say(self, raw: bytes, control: str, over: str) -> bool:
        try:
            return self._by_mllp(raw, control) if over == "mllp" else self._by_rest(raw, control)
        except (OSError, httpx.HTTPError):
            return False

    def _by_mllp(self, raw: bytes, control: str) -> bool:
        with socket.create_connection(("127.0.0.1", self.mllp), timeout=20) as line:
            line.sendall(b"\x0b" + raw + b"\x1c\r")
            answer = line.recv(65536)
        return f"MSA|CA|{control}".encode() in answer

    def _by_rest(self, raw: bytes, control: str) -> bool:
        headers = {"content-type": "application/hl7-v2", "idempotency-key": control}
        answer = self.clinic.ask("POST", f"/agencies/{SENDER}/messages", content=raw, headers=headers)
        return answer.status_code == 202

    # --- setting up ------------------------------------------------------------------------------------------------

    def settle_in(self, withdrawals_to_come: int) -> None:
        """Start with agencies, child A whom three hospitals treat, and one child for each withdrawal to come."""
        shelters = [f"shelter-{number}" for number in range(withdrawals_to_come)]
        clock = SystemClock()
        told = [self._agency(name, "health") for name in HOSPITALS] + [
            self._agency(name, "social") for name in shelters
        ]
        Registry(self.store, clock).add_all([clinic(self.clinic.jwks), *told], "admin-one")
        self.start()
        assert self.say("A", "mllp")
        case, _ = self._find("A")
        self._fact(case, "birth-date", {"date": _years_ago(9)})
        for name in HOSPITALS:
            self._fact(case, "treating", {"agency": name})
            self._fact(case, "team", {"agency": name, "role": "examiner"})
        self.withdrawn = [self._consenting(number) for number in range(withdrawals_to_come)]
        wait_for(lambda: all(self.post.at(name) for name in (*HOSPITALS, *shelters)) and self.resting(), 30)

    def _agency(self, name: str, sector: str) -> Mapping[str, Any]:
        return {
            "id": name, "sector": sector, "unit": "shelter" if sector == "social" else "exam-unit",
            "titles": {"vi": f"Đơn vị Mẫu {name}", "en": f"Sample unit {name}"}, "packs": {"out": "health/fhir"},
            "transports": {"out": {"type": "webhook", "url": f"http://127.0.0.1:{self.post.port}/{name}"}},
        }  # fmt: skip

    def _consenting(self, number: int) -> Withdrawn:
        """A child of sixteen, whose own consent is the one ground on which one shelter is told."""
        child = Withdrawn(number)
        assert self.say(child.name, "mllp")
        child.case, child.person = self._find(child.name)
        self._fact(child.case, "birth-date", {"date": _years_ago(16)})
        self._fact(child.case, "team", {"agency": child.shelter, "role": "shelter"})
        given = {
            "given_by": child.person,
            "as": "child",
            "evidence": "paper",
            "given_at": datetime.now(UTC).isoformat(),
        }
        consented = self._fact(child.case, "consent", {"resource": consent(child.shelter)} | given)
        child.consent = consented
        return child

    def _find(self, child: str) -> tuple[str, str]:
        asked = {"identifiers": [{"type": "NI", "value": number_of(child)}]}
        (found,) = self.admin.tell("POST", "/cases/search", asked)["found"]
        return str(found["case"]), str(found["person"])

    def _fact(self, case: str, kind: str, body: Mapping[str, Any]) -> str:
        return str(self.admin.tell("POST", f"/cases/{case}/facts", {"kind": kind, "body": dict(body)})["fact"])

    # --- judging ---------------------------------------------------------------------------------------------------

    def effective(self, child: Withdrawn) -> datetime | None:
        """When the child's withdrawal took effect, by the database."""
        with self.store.read() as unit:
            found = withdrawals.of_case(unit, child.case)
        return found[-1].effective_at if found else None

    def resting(self) -> bool:
        """Whether every delivery has come to rest and every withdrawal taken effect."""
        with self.store.read() as unit:
            return not set(deliveries.counts(unit)) - RESTING and not withdrawals.waiting(unit)

    def violations(self) -> list[str]:
        """Every promise that was broken; empty when all were kept."""
        return [*self._lost_or_doubled(), *self._out_of_order(), *self._left_too_late(), *self._unrecorded()]

    def _lost_or_doubled(self) -> Iterator[str]:
        for told in self.told:
            for agency in HOSPITALS:
                found = [letter for letter in self.post.at(agency) if told.mark.encode() in letter.raw]
                if told.acknowledged and not found:
                    yield f"lost: {told.mark} was acknowledged over {told.over} and never reached {agency}"
                if len({letter.id for letter in found}) > 1:
                    yield f"doubled: {told.mark} reached {agency} under {len({one.id for one in found})} ids"
                if len({letter.raw for letter in found}) > 1:
                    yield f"changed: {told.mark} reached {agency} in different words under one id"

    def _out_of_order(self) -> Iterator[str]:
        for agency in HOSPITALS:
            first = [
                next((at for at, letter in enumerate(self.post.at(agency)) if told.mark.encode() in letter.raw), None)
                for told in self.told
            ]
            arrived = [at for at in first if at is not None]
            if arrived != sorted(arrived):
                yield f"out of order at {agency}: {arrived}"

    def _left_too_late(self) -> Iterator[str]:
        for child in self.withdrawn:
            effective = self.effective(child)
            for letter in self.post.at(child.shelter):
                if effective is not None and letter.at > effective and not letter.recalls:
                    yield f"left after an effective withdrawal: {letter.id} to {child.shelter}"

    def _unrecorded(self) -> Iterator[str]:
        with self.store.read() as unit:
            known = {
                each.outbound_id: each.id
                for delivery in deliveries.listing(unit, limit=10_000)
                for each in attempts.of_delivery(unit, delivery.id)
            }
            rows = audits.listing(unit, kinds=("attempt", "outcome"), limit=100_000)
            if not set(deliveries.counts(unit)) <= RESTING:
                yield f"not at rest: {deliveries.counts(unit)}"
        kinds = {(row.entry.attempt, row.entry.kind) for row in rows}
        for letter in self.post.letters:
            attempt = known.get(letter.id)
            if attempt is None or (attempt, "attempt") not in kinds or (attempt, "outcome") not in kinds:
                yield f"not in the ledger: {letter.id} to {letter.agency}"


@contextmanager
def city(folder: Path, database: str, nursery: Nursery, bug: str = "") -> Iterator[City]:
    """A town for one test."""
    town = City(folder, database, nursery, bug)
    try:
        yield town
    finally:
        town.close()


def clinic(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The registry entry of the one who speaks."""
    return {
        "id": SENDER, "sector": "health", "unit": "exam-unit", "titles": {"vi": "Phòng khám Mẫu", "en": "Clinic"},
        "facility": SENDER, "packs": {"in": ["health/hl7v2"]}, "jwks": jwks,
        "transports": {"mllp": {"application": "HIS", "facility": SENDER}},
    }  # fmt: skip


def number_of(child: str) -> str:
    """A personal number that begins with 999, which no province has."""
    return f"999{int.from_bytes(child.encode(), 'big') % 10**9:09d}"


def exam(child: str, control: str, mark: str) -> bytes:
    """An ORU^R01 with one measured value, `mark`."""
    at = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
    return "\r".join(
        (
            f"MSH|^~\\&|HIS|{SENDER}|HUB|ONESTOP|{at}||ORU^R01^ORU_R01|{control}|P|2.5.1|||AL|NE||UNICODE UTF-8",
            f"PID|1||{child}-MR^^^{SENDER}^MR~{number_of(child)}^^^CCCD^NI||Thử-Nghiệm^{child}^^^^^L||20200101|F",
            f"PV1|1|E|KCC||||||||||||||||{control}^^^{SENDER}^VN",
            f"OBR|1||{control}^{SENDER}|85353-1^Vital signs panel^LN|||{at}|||||||||||||||{at}|||F",
            f"OBX|1|NM|29463-7^Body weight^LN||{mark}|kg^kg^UCUM||N|||F|||{at}",
            "",
        )
    ).encode()


def consent(shelter: str) -> dict[str, Any]:
    """A FHIR Consent that lets one shelter be told of the exam."""
    act = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
    data = "https://hub.onestop.example/fhir/CodeSystem/data-class"
    role = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    permit = {
        "type": "permit",
        "actor": [{"role": {"coding": [role]}, "reference": {"reference": f"Organization/{shelter}"}}],
        "purpose": [{"system": act, "code": code} for code in ("CAREMGT", "TREAT")],
        "class": [{"system": data, "code": code} for code in ("demographics", "medical-exam", "referral")],
    }
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [scope]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "dateTime": datetime.now(UTC).isoformat(timespec="seconds"),
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
        "provision": {"type": "deny", "provision": [permit]},
    }


def _years_ago(years: int) -> str:
    return (datetime.now(UTC) - timedelta(days=365.25 * years + 40)).date().isoformat()
