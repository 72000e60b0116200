"""Everybody in the story: the agencies' systems, the people with a role, one synthetic child, and where the hub is."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from joserfc.jwk import ECKey, RSAKey, import_key

from hub.demo.standins import Client, HospitalSystem, InboxSystem, WebhookSystem

SECRET_NOTE = "Trẻ kể lại với bác sĩ điều không ai khác được biết"
SECRET_APPEARANCE = "Tỉnh, rụt rè khi có người lạ, tiếp xúc được"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Child:
    """A synthetic child of twelve; the numbers begin with 999, which no province has."""

    run: str

    @property
    def ni(self) -> str:
        """Personal number."""
        return f"999{int(self.run, 16) % 10**9:09d}"

    @property
    def mr(self) -> str:
        """The hospital's record number."""
        return f"BN-{self.run}"

    @property
    def hc(self) -> str:
        """Insurance card."""
        return f"TE1{self.ni}"

    @property
    def born(self) -> str:
        """ISO date, twelve years and some months ago."""
        return f"{datetime.now(UTC).year - 13}-12-01"


@dataclass(slots=True)
class World:
    """One run of the story against one hub."""

    base: str
    mllp: tuple[str, int]
    operator: Client
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    child: Child = field(init=False)
    hospital: HospitalSystem = field(default_factory=HospitalSystem)
    people: dict[str, Client] = field(default_factory=dict)
    agencies: dict[str, str] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    police: WebhookSystem = field(init=False)
    school: WebhookSystem = field(init=False)
    shelter: InboxSystem = field(init=False)
    case: str = ""
    persons: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    """What one step leaves for a later one."""

    def __post_init__(self) -> None:
        """Make the child and the systems that need nothing from the hub."""
        self.child = Child(self.run)
        self.police, self.school = WebhookSystem(b""), WebhookSystem(b"")

    # --- setting up ------------------------------------------------------------------------------------------------

    def settle_in(self) -> None:
        """Register the agencies and the people, and hand the webhooks their secrets."""
        for role in ("hospital", "police", "school", "shelter", "social"):
            self.agencies[role] = f"demo-{role}-{self.run}"
        for name in ("police", "shelter", "social"):
            algorithm = "RS384" if name == "police" else "ES384"
            self.clients[name] = Client(self.base, self.agencies[name], algorithm)
        self.operator.tell("POST", "/agencies", self._registry())
        for name, system in (("police", self.police), ("school", self.school)):
            answer = self.operator.tell("GET", f"/agencies/{self.agencies[name]}/secret")
            system.secret = bytes.fromhex(answer["secret"])
        self.shelter = InboxSystem(self.clients["shelter"])
        for name, role in PEOPLE.items():
            person = Client(self.base, f"demo-{name}-{self.run}")
            body = {"id": person.identity, "roles": [role], "jwks": person.jwks}
            self.operator.tell("POST", "/administrators", body)
            self.people[name] = person

    def _registry(self) -> list[dict[str, Any]]:
        keys = {name: client.jwks for name, client in self.clients.items()}
        more = {f"{name}_jwks": json.dumps(key) for name, key in keys.items()}
        return list(json.loads(self.filled("registry.json", **more)))

    # --- writing -----------------------------------------------------------------------------------------------------

    def filled(self, template: str, **more: str) -> str:
        """A message template with this run's names and numbers."""
        text = (files("hub.demo") / "messages" / template).read_text("utf-8")
        return Template(text).substitute(self._words() | more)

    def hl7(self, template: str, **more: str) -> tuple[str, bytes]:
        """(control id, message) of an HL7 template."""
        control = f"BVM-{secrets.token_hex(5)}"
        return control, self.filled(template, control=control, **more).replace("\n", "\r").encode()

    def _words(self) -> dict[str, str]:
        child, now = self.child, datetime.now(UTC).astimezone()
        return {
            "run": self.run,
            "mr": child.mr,
            "ni": child.ni,
            "hc": child.hc,
            "born": child.born.replace("-", ""),
            "born_iso": child.born,
            "at": now.strftime("%Y%m%d%H%M%S%z"),
            "moment": now.isoformat(timespec="seconds"),
            "today": now.date().isoformat(),
            "deadline": (now + 9 * DAY).isoformat(timespec="seconds"),
            "facility": self.facility,
            "placer": self.placer,
            "decision": self.decision,
            "secret_note": SECRET_NOTE,
            "secret_appearance": SECRET_APPEARANCE,
            "hospital_port": str(self.hospital.port),
            "police_url": self.police.url,
            "school_url": self.school.url,
            **self.agencies,
        }

    @property
    def facility(self) -> str:
        """The hospital's name in MSH."""
        return f"BV-{self.run}"

    @property
    def placer(self) -> str:
        """The police's number of their request."""
        return f"TC-{self.run}"

    @property
    def decision(self) -> str:
        """The number of the decision that the police cite."""
        return f"45-{self.run}/QĐ-CQĐT"

    def filled_moment(self) -> str:
        """Now, as the messages write it."""
        return str(self._words()["moment"])

    # --- acting ------------------------------------------------------------------------------------------------------

    def fact(self, kind: str, body: dict[str, Any], by: str = "worker") -> str:
        """Record a fact about the child; its id."""
        path = f"/cases/{self.case}/facts"
        return str(self.people[by].tell("POST", path, {"kind": kind, "body": body})["fact"])

    def relate(self, name: str, body: dict[str, Any]) -> str:
        """Keep a related person; the opaque id."""
        answer = self.people["worker"].tell("POST", f"/cases/{self.case}/persons", body)
        self.persons[name] = str(answer["person"])
        return self.persons[name]

    def find_child(self, seconds: float = 20.0) -> dict[str, Any]:
        """Find the child by personal number, as a case worker does."""
        asked = {"identifiers": [{"type": "NI", "value": self.child.ni}]}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.people["worker"].tell("POST", "/cases/search", asked)["found"]
            if found:
                return dict(found[0])
            time.sleep(0.2)
        raise RuntimeError("the hub does not know the child")

    def close(self) -> None:
        """Stop every stand-in."""
        self.hospital.close()
        for system in (self.police, self.school):
            system.close()
        for client in (self.operator, *self.people.values(), *self.clients.values()):
            client.close()


PEOPLE = {"worker": "case-worker", "second": "case-worker", "consents": "consent-admin", "auditor": "auditor"}
"""Who acts in the story, with which role."""


def read_admin_key(path: Path, base: str) -> Client:
    """An administrator from the key file that `hub admin add` wrote: a private JWK whose `sub` is the id."""
    content = json.loads(path.read_text("utf-8"))
    key = import_key(content)
    if not isinstance(key, ECKey | RSAKey):
        raise ValueError("The key file must hold an EC or RSA key.")
    return Client(base, content["sub"], "ES384" if isinstance(key, ECKey) else "RS384", key)
