"""The hotline's table of calls, and what the hotline is told as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from adapters.errors import Refusal, Unwritable
from adapters.r4.validate import validate
from tests.adapters.codecs.test_charsets import encoded
from tests.adapters.packs import CONTEXT, expected, pack, plain, resources, sample

CSV = "hotline/csv"
HEADER = {"sender": "hub", "recipient": "TONGDAI-111-MAU"}


def test_each_call_is_a_child_of_its_own() -> None:
    """Two calls are two valid bundles, as they stand beside the sample."""
    strands = pack(CSV).read(sample(CSV, "calls.csv"), CONTEXT).strands
    assert plain([strand.bundle for strand in strands]) == plain(expected(CSV, "calls.csv"))
    assert [validate(strand.bundle) for strand in strands] == [(), ()]


@pytest.mark.parametrize("name", ["status", "recall"])
def test_each_outgoing_sample_is_what_its_bundle_says(name: str) -> None:
    """The bundle beside an outgoing sample is written with the sample's own columns and values."""
    agreed = sample(CSV, f"{name}.csv").decode().splitlines()
    said = dict(zip(agreed[0].split(","), agreed[1].split(","), strict=True))
    context = replace(
        CONTEXT, header={**HEADER, "message-id": said["MaTin"]}, at=datetime.fromisoformat(said["ThoiDiemGui"])
    )
    written = pack(CSV).write(expected(CSV, f"{name}.csv")[0], context).raw.decode().splitlines()
    assert dict(zip(written[0].split(","), written[1].split(","), strict=True)) == said


@pytest.mark.parametrize("charset", ["windows-1258", "tcvn3", "viscii"])
def test_a_table_from_before_unicode_is_the_same_bundle(charset: str) -> None:
    """Every name and account keeps its tone marks, in NFC, whatever the hotline's old software saves."""
    text = sample(CSV, "calls.csv").decode().replace("Ỷ La", "Y La")
    raw = b"\r\n".join(encoded(line, charset) or b"" for line in text.split("\r\n"))
    old, new = (pack(CSV).read(each, CONTEXT) for each in (raw, text.encode()))
    kinds = ("Patient", "Communication", "Condition", "RelatedPerson", "RiskAssessment")

    def said(bundle: object) -> list[object]:
        assert isinstance(bundle, dict)
        return [
            {
                key: value
                for key, value in resource.items()
                if key not in ("id", "subject", "sender", "about", "patient")
            }
            for kind in kinds
            for resource in resources(bundle, kind)
        ]

    assert [said(strand.bundle) for strand in old.strands] == [said(strand.bundle) for strand in new.strands]
    assert any(charset in deviation.why for deviation in old.deviations)


def test_a_call_without_an_account_is_refused_at_its_row() -> None:
    """The table of columns names row and column; nothing of the child is said."""
    text = (
        sample(CSV, "calls.csv").decode().replace("Nghe tiếng trẻ khóc nhiều đêm; sáng nay thấy tay trái bầm tím.", "")
    )
    with pytest.raises(Refusal) as refused:
        pack(CSV).read(text.encode(), CONTEXT)
    assert refused.value.place == "row 2, NoiDung"
    assert "Mẫu" not in str(refused.value)


def test_what_breaks_the_agreed_columns_is_not_sent() -> None:
    """A reason that is no code does not leave in the hotline's table."""
    (bundle,) = expected(CSV, "status.csv")
    resources(bundle, "Task")[0]["identifier"][0]["value"] = "số có dấu cách"
    with pytest.raises(Unwritable) as refused:
        pack(CSV).write(bundle, replace(CONTEXT, header={**HEADER, "message-id": "OSH-1"}))
    assert refused.value.place == "row 2, MaCuocGoi"


def test_an_unknown_kind_is_kept_and_told() -> None:
    """A word of no code map is kept as the hotline's own, which is a deviation at its place and never repeats it."""
    raw = sample(CSV, "calls.csv").decode().replace("Bỏ rơi", "Chuyện khác").encode()
    found = [each for each in pack(CSV).read(raw, CONTEXT).deviations if "kept as the sender's own" in each.why]
    assert [each.place for each in found] == ["row 3, LoaiXamHai"]
    assert "Chuyện" not in found[0].why


def test_one_unknown_sex_does_not_stop_the_days_calls() -> None:
    """A sex that the list does not have is kept as said and told; every call of the table is read."""
    raw = sample(CSV, "calls.csv").decode().replace(",Nữ,", ",nữ,").encode()
    reading = pack(CSV).read(raw, CONTEXT)
    assert [validate(strand.bundle) for strand in reading.strands] == [(), ()]
    assert "gender" not in resources(reading.strands[0].bundle, "Patient")[0]
    assert "row 2, GioiTinh" in [each.place for each in reading.deviations]
