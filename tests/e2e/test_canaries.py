"""Fifty planted personal strings go through the whole story; none may stand where it must not, in any encoding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition

from hub.demo.standins import HospitalSystem, Letter
from hub.demo.story import STEPS, Step
from hub.demo.world import Child, World, read_admin_key
from tests.conftest import Broker
from tests.e2e.serving import Serving, serving
from tests.fakes.canaries import found_in

NOBODY: frozenset[str] = frozenset()
POLICE = frozenset({"police"})
HOSPITAL = frozenset({"hospital"})
TEAM = frozenset({"hospital", "police", "shelter"})
ALL = TEAM | {"school"}

PLANTED: dict[str, tuple[str, str, frozenset[str]]] = {
    # canary: (what it stands for in the demo's messages, where that stands, who else may receive it)
    "Chim-Họa-Mi": ("Mẫu^Thị Thử An", "{0}^Thị Chim-Sáo-Đá Chim-Yến-Sào", ALL),
    "Chim-Sáo-Đá": ("", "", ALL),
    "Chim-Yến-Sào": ("", "", ALL),
    "12 Ngõ-Vành-Khuyên-04": ("12 Đường Thử", "{0}", TEAM),
    "Ấp-Chào-Mào-05": ("Ấp Mẫu", "{0}", TEAM),
    "Phường-Bồ-Câu-06": ("Phường Mẫu", "{0}", TEAM),
    "Quận-Đại-Bàng-07": ("Quận Thử", "{0}", TEAM),
    "0980008008": ("02800000001", "{0}", TEAM),
    "Chim-Cắt-09": ("Mẫu^Văn Giả", "{0}^Văn Chim-Ưng-10", TEAM),
    "Chim-Ưng-10": ("", "", TEAM),
    "0980011011": ("0900000002", "{0}", TEAM),
    "Quan-hệ-Chim-Én-12": ("ông ngoại", "{0}", TEAM),
    "BSCHIM13": ("BS001", "{0}", TEAM),
    "Chim-Quạ-14": ("Thử^Bác Sĩ", "{0}^Bác Chim-Cú-15", TEAM),
    "Chim-Cú-15": ("", "", TEAM),
    "Khoa-Chim-Gõ-Kiến-16": ("KCC^P.01", "{0}^Phòng-Chim-Ruồi-17", TEAM),
    "Phòng-Chim-Ruồi-17": ("", "", TEAM),
    "Vết-Chim-Trĩ-18 trái": ("Vết bầm cẳng tay trái", "{0}", TEAM),
    "Lời-Chim-Vẹt-19 không ai khác được biết": (
        "Trẻ kể lại với bác sĩ điều không ai khác được biết", "{0} Thêm-Chim-Két-20", NOBODY,
    ),
    "Thêm-Chim-Két-20": ("", "", NOBODY),
    "Dáng-Chim-Công-21 rụt rè": ("Tỉnh, rụt rè khi có người lạ, tiếp xúc được", "{0} Chim-Phượng-22", NOBODY),
    "Chim-Phượng-22": ("", "", NOBODY),
    "Ghi-chú-Chim-Sẻ-23": ("Đây là dữ liệu thử, không có thật", "{0}", NOBODY),
    "Phiếu-Chim-Vạc-24": ("Phiếu khám", "{0}", NOBODY),
    "Xét-Chim-Diệc-25": ("Xét nghiệm lây truyền qua đường tình dục", "{0}", NOBODY),
    "Điều-Chim-Bói-Cá-26": ("Điều-Tra Văn Mẫu", "{0}", TEAM),
    "000-CHIM-27": ("000-MAU-17", "{0}", TEAM),
    "Đơn-vị-Chim-Hải-Âu-28": ("đơn vị Mẫu", "{0}", ALL),
    "VA-CHIM-29": ("VA-", "{0}-", TEAM),
    "Mẹ-Chim-Lam-30": ("Thử Thị Mẹ", "{0}", NOBODY),
    "Cha-Chim-Đen-31": ("Mẫu Văn Cha", "{0}", NOBODY),
    "Giấy-Chim-Trắng-32": ("giấy-", "{0}-", NOBODY),
    "HS-CHIM-33": ("HS-", "{0}-", frozenset({"school"})),
    "Lớp-Chim-34": ("6A", "{0}", frozenset({"school"})),
    "KQ-CHIM-35": ("KQ-", "{0}-", TEAM),
    "999360360360": ("ni", "", TEAM),
    "BN-CHIM-37": ("mr", "", TEAM),
    "TE1999380380": ("hc", "", TEAM),
    "QS-CHIM-39": ("QS-", "{0}-", NOBODY),
    "NV-CHIM-40": ("NV-", "{0}-", NOBODY),
    "Từ-ngữ-Chim-41": ("", "", NOBODY),
    "Lỗi-Chim-42": ("", "", NOBODY),
    "Lỗi-Chim-43": ("", "", NOBODY),
    "Lỗi-Chim-44": ("", "", NOBODY),
    "Lỗi-Chim-45": ("", "", NOBODY),
    "Lỗi-Chim-46": ("", "", NOBODY),
    "Lỗi-Chim-47": ("", "", NOBODY),
    "Lỗi-Chim-48": ("", "", NOBODY),
    "Đường-dẫn-Chim-49": ("", "", NOBODY),
    "Đoạn-Z-Chim-50": ("", "", NOBODY),
}  # fmt: skip


NAME = {
    "Mẫu Thị Thử An": "Chim-Họa-Mi Thị Chim-Sáo-Đá Chim-Yến-Sào",
    '"family": "Mẫu"': '"family": "Chim-Họa-Mi"',
    '"Thị Thử"': '"Thị Chim-Sáo-Đá"',
    '"An"': '"Chim-Yến-Sào"',
    "SurName>Mẫu<": "SurName>Chim-Họa-Mi<",
    ">Thị Thử<": ">Thị Chim-Sáo-Đá<",
    ">An<": ">Chim-Yến-Sào<",
}
"""The child's name as XML and JSON write it."""


class PlantedChild(Child):
    """The demo's child, with canaries for numbers."""

    ni = property(lambda _self: "999360360360")  # type: ignore[assignment]
    mr = property(lambda _self: "BN-CHIM-37")  # type: ignore[assignment]
    hc = property(lambda _self: "TE1999380380")  # type: ignore[assignment]


class PlantedWorld(World):
    """The demo's world, whose every personal string is a canary."""

    def __post_init__(self) -> None:
        """The planted child instead of the demo's."""
        super().__post_init__()
        self.child = PlantedChild(self.run)

    def filled(self, template: str, **more: str) -> str:
        """A template with canaries in place, and an unmapped segment in HL7 messages."""
        text = super().filled(template, **more)
        if template == "registry.json":  # agencies and keys: nobody's personal data
            return text
        text = plant(text)
        if template.endswith(".hl7"):
            text += "ZPX|1|Đoạn-Z-Chim-50\n"
        return text

    def relate(self, name: str, body: dict[str, Any]) -> str:
        """Related persons are canaries too."""
        return super().relate(name, json.loads(plant(json.dumps(body, ensure_ascii=False))))

    def fact(self, kind: str, body: dict[str, Any], by: str = "worker") -> str:
        """Evidence too."""
        return super().fact(kind, json.loads(plant(json.dumps(body, ensure_ascii=False))), by)


def plant(text: str) -> str:
    """Put the canaries where the demo's own strings stand."""
    for canary, (old, new, _) in PLANTED.items():
        if new:
            text = text.replace(old, new.format(canary))
    for old, new in NAME.items():
        text = text.replace(old, new)
    return text


@dataclass
class Evidence:
    """Everything that may not hold a canary, and what each agency received."""

    places: dict[str, bytes] = field(default_factory=dict)
    received: dict[str, list[Letter]] = field(default_factory=dict)

    def leaks(self) -> dict[str, set[str]]:
        """Place -> canaries that stand there and may not."""
        # The database is sealed noise: unwrapping it would only find what noise looks like.
        depth = {"database": 0}
        found = {place: found_in(PLANTED, data, depth.get(place, 3)) for place, data in self.places.items()}
        for agency, letters in self.received.items():
            forbidden = [canary for canary, (_, _, may) in PLANTED.items() if agency not in may]
            told = b"\n".join(letter.raw + json.dumps(letter.headers).encode() for letter in letters)
            found[f"received by {agency}"] = found_in(forbidden, told)
        return {place: canaries for place, canaries in found.items() if canaries}


BAD_MESSAGES = (
    (b"MSH|^~\\&|HIS|NOWHERE|HUB|X|20260101||ORU^R01|1|P|2.5.1\rPID|1||" + "Lỗi-Chim-42".encode(), "unknown sender"),
    ("MSH|no|Lỗi-Chim-43".encode(), "no header"),
)


def bad_requests(world: World) -> Iterator[httpx.Response]:
    """Messages that must be refused, each with a canary in the wrong place."""
    police, social = world.clients["police"], world.clients["social"]
    path = f"/agencies/{world.agencies['police']}/messages"
    xml, fhir = {"content-type": "application/xml"}, {"content-type": "application/fhir+json"}
    yield police.ask("POST", path, content="<a>Lỗi-Chim-44".encode(), headers=xml)
    request = world.filled("forensic-exam-request.xml", control="X-1")
    yield police.ask("POST", path, content=request.replace(">GDPY<", ">Lỗi-Chim-45<").encode(), headers=xml)
    yield police.ask("POST", path, content=request.replace(">F<", ">Lỗi-Chim-46<").encode(), headers=xml)
    bundle = {"resourceType": "Bundle", "type": "message", "entry": [{"resource": {"resourceType": "Lỗi-Chim-47"}}]}
    yield social.ask("POST", "/fhir", content=json.dumps(bundle, ensure_ascii=False).encode(), headers=fhir)
    patient = {"resourceType": "Patient", "gender": "Lỗi-Chim-48", "birthDate": "Từ-ngữ-Chim-41"}
    bundle["entry"] = [{"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": patient}]
    yield social.ask("POST", "/fhir", content=json.dumps(bundle, ensure_ascii=False).encode(), headers=fhir)
    yield police.ask("GET", "/agencies/Đường-dẫn-Chim-49/inbox?name=Đường-dẫn-Chim-49")
    yield world.people["worker"].ask("POST", "/cases/search", json={"name": "Lỗi-Chim-48", "birth_date": "Lỗi-Chim-47"})


def gather(hub: Serving, broker: Broker, topic: str, steps: tuple[Step, ...] = STEPS) -> Evidence:
    """Run the story (or its first `steps`) and the bad messages; collect everything that might leak."""
    world = PlantedWorld(hub.base, hub.mllp, read_admin_key(hub.key, hub.base))
    evidence = Evidence()
    try:
        world.settle_in()
        for step in steps:
            step(world)
        acks = [HospitalSystem.send(hub.mllp, raw) for raw, _ in BAD_MESSAGES]
        answers = list(bad_requests(world))
        assert all(answer.status_code >= 400 for answer in answers), [answer.status_code for answer in answers]
        evidence.places["errors"] = b"\n".join([*acks, *(answer.content for answer in answers)])
        for name, path in {"messages": "/messages", "deliveries": "/deliveries", "refusals": "/refusals"}.items():
            evidence.places[f"operator: {name}"] = world.operator.ask("GET", path).content
        evidence.places["auditor: ledger"] = world.people["auditor"].ask("GET", "/audit?limit=1000").content
        evidence.places["metrics"] = httpx.get(f"{hub.base}/metrics", trust_env=False).content
        evidence.received = {
            "hospital": world.hospital.mail.letters,
            "police": world.police.mail.letters,
            "school": world.school.mail.letters,
            "shelter": world.shelter.mail.letters,
        }
        if steps == STEPS:
            assert all(evidence.received.values()), "each agency must have received something, or nothing is proven"
    finally:
        world.close()
    evidence.places["broker"] = records(broker, topic)
    evidence.places["log"] = hub.log
    evidence.places["file names"] = "\n".join(str(path) for path in hub.folder.rglob("*")).encode()
    evidence.places["database"] = b"".join(path.read_bytes() for path in hub.folder.glob("hub.db*"))
    return evidence


def records(broker: Broker, topic: str) -> bytes:
    """Every record that ever went to the broker's topic: keys, values, headers."""
    consumer = KafkaConsumer(bootstrap_servers=broker.address, consumer_timeout_ms=3000)
    parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    found = [repr((one.key, one.headers)).encode() + (one.value or b"") for one in consumer]
    consumer.close()
    assert found, "nothing went through the broker, so nothing is proven of it"
    return b"\n".join(found)


def settings(broker: Broker, topic: str) -> dict[str, str]:
    """SQLite, so that its file can be searched, and the Kafka dispatcher."""
    return {"HUB_KAFKA": broker.address, "HUB_KAFKA_TOPIC": topic}


def test_there_are_fifty_canaries() -> None:
    """The count that the acceptance names."""
    assert len(PLANTED) == 50


@pytest.mark.timeout(180)
def test_no_canary_stands_where_it_must_not(tmp_path: Path, broker: Broker) -> None:
    """Logs, addresses, broker records, metrics, errors, file names and the wrong agencies hold no personal string."""
    with serving(tmp_path / "hub", settings(broker, "canaries")) as hub:
        evidence = gather(hub, broker, "canaries")
    assert evidence.leaks() == {}


LEAKY = """
import base64
from hub import intake
read = intake.read
def leaking(parts, envelope):
    print(base64.b64encode(envelope.raw).decode(), flush=True)
    (parts.settings.data_dir / "BN-CHIM-37.txt").write_text("")
    return read(parts, envelope)
intake.read = leaking
from hub.cli import main
main()
"""


@pytest.mark.timeout(180)
def test_a_hub_that_leaks_on_purpose_is_caught(tmp_path: Path, broker: Broker) -> None:
    """A build that logs messages in base64 and names a file after a child does not pass."""
    with serving(tmp_path / "hub", settings(broker, "leaky"), ("-c", LEAKY)) as hub:
        leaks = gather(hub, broker, "leaky", STEPS[:4]).leaks()
    assert {"log", "file names"} <= set(leaks)
    assert "Lời-Chim-Vẹt-19 không ai khác được biết" in leaks["log"]
