"""What is written twice, in repeats, or by an expression: found by the law on thousands of made messages."""

from __future__ import annotations

import pytest

from adapters.errors import Unwritable
from adapters.pack import Bundle, LossKind, Pack
from consent.vocabulary import HUB_BASE, ORIGINAL_CODE_URL
from tests.adapters.mapping.small import CONTEXT, ER7, ORU, message, pack, read, resources


def said(maps: str, raw: bytes, manifest: str = ER7) -> list[str]:
    """The segments that a changed pack writes of a message."""
    changed = pack(manifest, oru=maps)
    written = changed.write(read(raw, changed).strands[0].bundle, CONTEXT).raw
    return [line for line in written.decode().split("\r") if line]


def test_a_row_that_is_only_written_says_nothing_over_what_was_said() -> None:
    """`direction: out` with `$absent`: the number is said again only where no number stands, never mixed with it."""
    rows = ORU.replace(
        '          - {at: OBR-3.1, to: "identifier[type=FILL].value"}\n',
        '          - {at: OBR-3.1, to: "identifier[type=FILL].value"}\n'
        '          - at: ORC-2\n            to: "identifier[type=PLAC]"\n'
        "            rows: [{at: .1, to: value}, {at: .2, to: assigner.display}]\n"
        '          - {at: OBR-2.1, to: "identifier[type=GI].value"}\n'
        "          - {at: OBR-2.2, when: {OBR-2.1: $absent}, direction: out, "
        'to: "identifier[type=PLAC].assigner.display"}\n'
        '          - {at: OBR-2.1, when: {OBR-2.1: $absent}, to: "identifier[type=PLAC].value", direction: out}\n',
    )
    alone = said(rows, message("PID|1||BN1^^^BV^MR", "ORC||P1^BV", "OBR|||K1|a"))
    assert "OBR||P1^BV|K1|a" in alone
    both = said(rows, message("PID|1||BN1^^^BV^MR", "ORC||P1^BV", "OBR||G1|K1|a"))
    assert "OBR||G1|K1|a" in both


def test_a_row_that_is_only_written_may_want_something_there() -> None:
    """`direction: out` with `$present`: a constant that is said only beside what it belongs to."""
    rows = ORU.rstrip("\n") + '\n      - {at: PID-10, when: {PID-8: $present}, out: "1", direction: out}\n'
    assert said(rows, message("PID|1||BN1^^^BV^MR|||||F"))[-1] == "PID|||BN1^^^BV^MR|||||F||1"
    assert said(rows, message("PID|1||BN1^^^BV^MR||Mẫu"))[-1] == "PID|||BN1^^^BV^MR||Mẫu"


def test_a_required_place_that_another_row_has_filled_is_not_missing() -> None:
    """Two numbers for one required place: the first is said, the second is a reported loss and no refusal."""
    rows = ORU.replace(
        "          - {at: OBR-4.1, to: code.coding.code}\n",
        "          - {at: OBR-4.1, to: code.coding.code}\n"
        '          - {at: OBR-3.1, to: "identifier[type=PLAC].value", required: "yes", direction: out}\n',
    )
    changed = pack(oru=rows)
    bundle = read(message("PID|1||BN1^^^BV^MR", "OBR|||K1|a"), changed).strands[0].bundle
    report = resources(bundle, "DiagnosticReport")[0]
    report["identifier"].append(
        {
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]},
            "value": "P",
        }
    )
    written = changed.write(bundle, CONTEXT)
    assert b"OBR|||K1|a" in written.raw
    assert "DiagnosticReport.identifier[1].value" in {one.place for one in written.loss if one.kind is LossKind.DROP}
    del report["identifier"][:]
    with pytest.raises(Unwritable):
        changed.write(bundle, CONTEXT)


@pytest.mark.parametrize("text", ["a\n\nb", "\na\nb", "a\nb\n", "a\n\n\nb", "a\nb"])
def test_no_repeat_is_written_empty(text: str) -> None:
    """Lines said in repeats come back as they were: nobody reads an empty repeat, so empty lines stay."""
    rows = ORU.replace("rows: [{at: NTE-3, to: text}]", 'rows: [{each: NTE-3, join: "\\n", to: text}]')
    changed = pack(oru=rows)
    raw = message("PID|1||BN1^^^BV^MR", "OBR|||K1|a", "OBX|1|NM|a1||96.50", "NTE|1||x")
    bundle = read(raw, changed).strands[0].bundle
    resources(bundle, "Observation")[0]["note"][0]["text"] = text
    again = read(changed.write(bundle, CONTEXT).raw, changed).strands[0].bundle
    assert resources(again, "Observation")[0]["note"][0]["text"] == text


def test_what_an_expression_cannot_say_back_is_a_loss() -> None:
    """The way back of an expression is no refusal to read: what it cannot say stays over, and is told."""
    rows = ORU.replace(
        "rows: [{at: NTE-3, to: text}]",
        'rows: [{at: NTE-3, to: text, jsonata: {read: "$uppercase($)", write: "$error($)"}}]',
    )
    changed = pack(oru=rows)
    raw = message("PID|1||BN1^^^BV^MR", "OBR|||K1|a", "OBX|1|NM|a1||96.50", "NTE|1||x")
    written = changed.write(read(raw, changed).strands[0].bundle, CONTEXT)
    assert "Observation.note[0].text" in {loss.place for loss in written.loss}


def test_repeats_are_numbered_across_their_groups() -> None:
    """A segment that repeats with its group is numbered in the message: another number is told as such."""
    manifest = ER7.replace("NK1* ORDER", "KIN(NK1)* ORDER")
    rows = ORU.replace(
        "          - {at: NK1-2, to: name.text}\n",
        "          - {at: NK1-1, out: $ordinal}\n          - {at: NK1-2, to: name.text}\n",
    )
    changed = pack(manifest, oru=rows)
    reading = read(message("PID|1||BN1^^^BV^MR", "NK1|1|A", "NK1|1|B"), changed)
    assert [loss.place for loss in reading.loss if loss.kind is LossKind.NORMALISE] == ["NK1[2]-1"]


def test_a_code_that_is_kept_is_said_once() -> None:
    """What another row has said of a kept code is not said again elsewhere."""
    rows = ORU.replace(
        "          - {at: PID-8, to: gender, codes: codes/sex.csv}\n",
        "          - {at: PID-8, to: gender, codes: codes/sex.csv, unknown: keep}\n"
        "          - {at: PID-9, to: gender, codes: codes/sex.csv, unknown: keep}\n",
    )
    assert said(rows, message("PID|1||BN1^^^BV^MR|||||ZZ9"))[-1] == "PID|||BN1^^^BV^MR|||||ZZ9"


def test_a_required_value_without_a_word_that_others_share_is_not_missing() -> None:
    """A code that another pack kept as it was, a code system without a code: they stand there, and are not missing. A
    text is a word: that this pack does not say it is the pack's fault."""
    rows = ORU.replace(
        "          - {at: OBR-4.1, to: code.coding.code}\n",
        '          - {at: OBR-4, to: code, required: "yes", rows: [{at: .1, to: coding.code}]}\n',
    )
    changed = pack(oru=rows)
    bundle = read(message("PID|1||BN1^^^BV^MR", "OBR|||K1|a"), changed).strands[0].bundle
    assert b"OBR|||K1|a" in changed.write(bundle, CONTEXT).raw
    report = resources(bundle, "DiagnosticReport")[0]
    kept = {"system": f"{HUB_BASE}/pack/social/cin/codes/source.csv", "code": "ZZ9"}
    report["code"] = {"coding": [{"extension": [{"url": ORIGINAL_CODE_URL, "valueCoding": kept}]}]}
    assert _refused(changed, bundle) == ("unsayable", "DiagnosticReport.code")
    report["code"] = {"coding": [{"system": "https://example.org/codes"}]}
    assert _refused(changed, bundle) == ("unsayable", "DiagnosticReport.code")
    report["code"]["text"] = "Máu"
    assert _refused(changed, bundle) == ("required", "DiagnosticReport.code")
    del report["code"]
    assert _refused(changed, bundle) == ("required", "DiagnosticReport.code")


def _refused(of: Pack, bundle: Bundle) -> tuple[str, str]:
    with pytest.raises(Unwritable) as refused:
        of.write(bundle, CONTEXT)
    return refused.value.kind, refused.value.place


def test_a_constant_of_an_element_that_was_not_made_is_loss() -> None:
    """What nothing was put into is not written again, so the format's own word in it does not come back either."""
    rows = ORU.replace(
        "          - {at: OBR-4.1, to: code.coding.code}\n",
        "          - {at: OBR-4.1, to: code.coding.code}\n"
        "          - at: OBR-16\n            to: resultsInterpreter\n"
        "            rows: [{at: .9, out: HUB}, {at: .2, to: display}]\n",
    )
    changed = pack(oru=rows)
    alone = read(message("PID|1||BN1^^^BV^MR", "OBR|||K1|a||||||||||||^^^^^^^^HUB"), changed)
    assert "OBR[1]-16.9" in {loss.place for loss in alone.loss}
    beside = read(message("PID|1||BN1^^^BV^MR", "OBR|||K1|a||||||||||||^An^^^^^^^HUB"), changed)
    assert "OBR[1]-16.9" not in {loss.place for loss in beside.loss}
