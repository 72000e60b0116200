"""A pack drafted from a format that nobody here has seen loads, reads its own samples, and says what it guessed.

The formats are invented; nobody in them exists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.checking.samples import SAMPLE_CONTEXT
from adapters.checking.static import check_static, errors_of
from adapters.drafting.draft import Drafted, draft_pack
from adapters.drafting.hints import gather
from adapters.errors import Malformed
from adapters.library import load_pack
from adapters.r4.validate import has_errors, validate
from tests.adapters.codecs.test_charsets import encoded

Json = dict[str, Any]

HERE = Path(__file__).parent / "formats"


def files(*names: str) -> dict[str, bytes]:
    """Some of the invented formats' files."""
    return {name: (HERE / name).read_bytes() for name in names}


CLINIC = (HERE / "clinic.csv").read_text("utf-8")
TRACKER = (HERE / "tracker.json").read_bytes()
FORMATS: dict[str, tuple[Mapping[str, bytes], Mapping[str, bytes]]] = {
    "csv": (files("clinic.csv"), {}),
    "csv with a mark and semicolons": (
        {"clinic.csv": CLINIC.replace(",", ";").encode("utf-8-sig")},
        {},
    ),
    "json": (files("tracker.json"), {}),
    "xml": (files("census.xml"), {"schemas/census.xsd": (HERE / "census.xsd").read_bytes()}),
    "set of csv": (files("pupils.csv", "absences.csv"), {}),
    "er7": (files("lab.hl7"), {}),
}


def bundles(drafted: Drafted) -> list[Json]:
    """What the draft's expected bundles say."""
    found: list[Json] = []
    for name, raw in drafted.files.items():
        if name.endswith(".bundle.json"):
            said = json.loads(raw)
            found += said if isinstance(said, list) else [said]
    return found


def resources(bundle: Json, kind: str) -> list[Json]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def child(bundle: Json) -> Json:
    (found,) = resources(bundle, "Patient")
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_a_draft_loads_and_reads_its_own_samples(name: str) -> None:
    """Whatever the syntax: no problem at rest, valid bundles, each with a child and a class on every resource."""
    drafted = draft_pack("social/mau", *FORMATS[name])
    assert drafted.problems == []
    assert errors_of(check_static(drafted.files)) == []
    assert bundles(drafted)
    for bundle in bundles(drafted):
        assert not has_errors(validate(bundle))
        assert child(bundle)
        assert all(entry["resource"]["meta"].get("security") for entry in bundle["entry"][1:])


@pytest.mark.parametrize("name", FORMATS)
def test_every_guess_is_marked_and_counted(name: str) -> None:
    """As many `# guessed` as the README says, and each place not guessed is listed there."""
    drafted = draft_pack("social/mau", *FORMATS[name])
    maps = "".join(raw.decode() for path, raw in drafted.files.items() if path.startswith("maps/"))
    readme = drafted.files["README.md"].decode()
    assert maps.count("# guessed") == drafted.guessed > 0
    assert f"Rows guessed: {drafted.guessed}. Places not guessed: {len(drafted.not_guessed)}." in readme
    assert all(f"`{doubt.place}`" in readme for _, doubt in drafted.not_guessed)


def test_a_draft_is_the_same_each_time() -> None:
    """No clock and no chance: two drafts of one sample do not differ by a byte."""
    assert draft_pack("social/mau", *FORMATS["xml"]).files == draft_pack("social/mau", *FORMATS["xml"]).files


def test_vietnamese_columns_are_understood() -> None:
    """Names, birth date with its format, sex, personal number, card, mother with her phone, the diagnosis."""
    first = bundles(draft_pack("health/phieu", *FORMATS["csv"]))[0]
    person = child(first)
    assert person["name"] == [{"text": "Thử Thị Mẫu"}]
    assert (person["birthDate"], person["gender"]) == ("2016-03-15", "female")
    numbers = {one["type"]["coding"][0]["code"]: one["value"] for one in person["identifier"]}
    assert (numbers["NI"], numbers["HC"]) == ("079316000001", "TE4799999900011")
    (mother,) = resources(first, "RelatedPerson")
    assert mother["relationship"][0]["coding"][0]["code"] == "MTH"
    assert mother["name"] == [{"text": "Thử Thị Mẹ"}]
    assert mother["telecom"] == [{"value": "0900000001", "system": "phone"}]
    assert mother["patient"]["reference"] == first["entry"][1]["fullUrl"]


def test_free_text_is_narrative() -> None:
    """What people wrote about a child has the class that is shown to the fewest."""
    first = bundles(draft_pack("health/phieu", *FORMATS["csv"]))[0]
    (said,) = resources(first, "Communication")
    assert said["meta"]["security"][0]["code"] == "narrative"


def test_one_strand_for_each_child() -> None:
    """Records of a table, items of a list, pupils of a set are children of their own."""
    assert [len(bundles(draft_pack("social/mau", *FORMATS[name]))) for name in ("csv", "json", "set of csv")] == [
        2,
        2,
        2,
    ]


def test_keys_with_values_become_rows_of_their_own() -> None:
    """A list of attributes is read by key, with what the display name says of it."""
    drafted = draft_pack("social/mau", *FORMATS["json"])
    person = child(bundles(drafted)[0])
    assert (person["name"], person["birthDate"]) == ([{"given": ["Mẫu"], "family": "Thử"}], "2015-02-01")
    assert "when: {attribute: aB1}" in drafted.files["maps/people.yaml"].decode()


def test_what_stands_elsewhere_is_seen_where_it_is_referred_to() -> None:
    """The victim is the person that the reference names, and the suspect the other one, labelled as such."""
    drafted = draft_pack("police/mau", *FORMATS["xml"])
    (bundle,) = bundles(drafted)
    assert child(bundle)["name"] == [{"text": "Thử Thị Mẫu"}]
    (suspect,) = resources(bundle, "RelatedPerson")
    assert suspect["name"] == [{"text": "Thử Văn Lạ"}]
    assert {one["code"] for one in suspect["meta"]["security"]} >= {"alleged-perpetrator", "SDV"}


def test_schemas_say_what_codes_mean() -> None:
    """Enumerations with documentation become a code map; what nobody can tell is listed, not guessed."""
    drafted = draft_pack("police/mau", *FORMATS["xml"])
    assert drafted.files["codes/sex.csv"].decode().splitlines()[1:] == [
        "1,male,,Male,both,equivalent",
        "2,female,,Female,both,equivalent",
        "9,unknown,,Not known,both,equivalent",
    ]
    abuse = drafted.files["codes/abuse-type.csv"].decode()
    assert "PHY,physical,https://hub.onestop.example/fhir/CodeSystem/abuse-type" in abuse
    assert "ZZZ" not in abuse
    assert any("ZZZ" in doubt.why for _, doubt in drafted.not_guessed)


def test_a_message_says_who_sent_it_and_when() -> None:
    """Header leaves are told from the header's container and their names."""
    manifest = yaml.load(draft_pack("police/mau", *FORMATS["xml"]).files["manifest.yaml"], Loader=yaml.BaseLoader)
    leaves = manifest["head"]["leaves"]
    prefix = next(iter(manifest["namespaces"]))
    assert {name: str(place).replace(f"{prefix}:", "") for name, place in leaves.items() if name != "at"} == {
        "message-id": "Header/SerialNo",
        "sender": "Header/Source",
    }
    assert leaves["at"]["date"] == "iso"


def test_records_that_belong_to_a_child_are_put_below_it() -> None:
    """A set of CSV files is one message, joined by the key of the file that holds the children."""
    drafted = draft_pack("education/mau", *FORMATS["set of csv"])
    assert [len(resources(bundle, "Observation")) for bundle in bundles(drafted)] == [2, 1]
    assert {one["meta"]["security"][0]["code"] for b in bundles(drafted) for one in resources(b, "Observation")} == {
        "attendance"
    }


def test_records_of_one_child_are_one_strand() -> None:
    """A key that stands in several records of one file is one child's."""
    table = b"child,decom,legalStatus\nC1,2026-01-01,V2\nC1,2026-02-01,C1\nC2,2026-01-05,V2\n"
    drafted = draft_pack("social/mau", {"episodes.csv": table})
    assert [len(resources(bundle, "Observation")) for bundle in bundles(drafted)] == [2, 1]


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("02/03/2016", "dd/MM/yyyy"),
        ("20160302", "yyyyMMdd"),
        ("2016-03-02", "iso"),
        ("02-03-2016", "dd-MM-yyyy"),
        ("2016/03/02", "yyyy/MM/dd"),
    ],
)
def test_dates_are_read_in_their_format(said: str, form: str) -> None:
    """The format is in the row, and day and month are where Vietnam writes them."""
    table = f"pupilId,name,birthDate\nA1,Thử Thị Mẫu,{said}\n".encode()
    drafted = draft_pack("education/mau", {"pupils.csv": table})
    assert f"date: {form}" in drafted.files["maps/records.yaml"].decode()
    assert child(bundles(drafted)[0])["birthDate"] == "2016-03-02"


def test_several_kinds_of_message_are_several_types() -> None:
    """Samples with other tops are other types of one pack, each with its map."""
    other = json.dumps({"closures": [{"recordId": "R1", "closedAt": "2026-03-01"}]}).encode()
    drafted = draft_pack("social/mau", {"tracker.json": TRACKER, "closed.json": other})
    pack = load_pack(drafted.files)
    assert {pack.head(raw, SAMPLE_CONTEXT).type for raw in (TRACKER, other)} == {"people", "closures"}


def test_a_type_that_is_written_back_unchanged_goes_both_ways() -> None:
    """The draft says `both` only when its own samples came back; what is folded by key is read only."""
    one = json.dumps({"type": "Note", "id": "N1", "child": {"childId": "C1", "fullName": "Thử Thị Mẫu"}}).encode()
    both = draft_pack("social/mau", {"note.json": one}).files["manifest.yaml"].decode()
    assert "direction: both" in both
    assert "direction: in" in draft_pack("education/mau", *FORMATS["set of csv"]).files["manifest.yaml"].decode()


def test_samples_that_nobody_can_read_are_refused() -> None:
    """Nothing, or files of several syntaxes: a typed refusal with what to do."""
    with pytest.raises(Malformed, match="several syntaxes"):
        draft_pack("social/mau", {"a.json": b"{}", "b.csv": b"a,b\n1,2\n"})
    with pytest.raises(Malformed):
        draft_pack("social/mau", {})


def test_no_value_of_a_sample_stands_in_what_people_read() -> None:
    """The map and the README name places and formats, never a child."""
    drafted = draft_pack("health/phieu", *FORMATS["csv"])
    said = "".join(raw.decode() for path, raw in drafted.files.items() if not path.startswith("samples/"))
    for value in ("Thử", "079316000001", "TE4799999900011", "0900000001", "Bầm", "15/03/2016"):
        assert value not in said, value


def test_schemas_come_with_what_they_include() -> None:
    """Relative imports are followed, each file once, and none outside what is offered."""
    start = b'<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema">'
    elsewhere = b'<s:import schemaLocation="http://example.org/x.xsd"/>'
    schemas = {
        "a/b/main.xsd": start + elsewhere + b'<s:include schemaLocation="../c.xsd"/></s:schema>',
        "a/c.xsd": start + b'<s:include schemaLocation="b/main.xsd"/></s:schema>',
    }
    assert set(gather("a/b/main.xsd", schemas.get)) == {"b/main.xsd", "c.xsd"}


@pytest.mark.parametrize("charset", ["windows-1258", "tcvn3", "viscii"])
def test_a_table_from_before_unicode_says_its_character_set(charset: str) -> None:
    """The set in which the words are Vietnamese is written into the manifest, and the sample is read by it."""
    text = "MaPhieu,HoTenTre,NgaySinh,DiaChi\nP1,Nguyễn Thị Mẫu,04/03/2015,phường Bến Nghé\n"
    raw = encoded(text, charset)
    assert raw is not None
    drafted = draft_pack("health/mau", {"a.csv": raw}, {})
    assert f"charset: {charset}" in drafted.files["manifest.yaml"].decode()
    strand = load_pack(drafted.files).read(raw, SAMPLE_CONTEXT).strands[0]
    assert "Nguyễn Thị Mẫu" in json.dumps(strand.bundle, ensure_ascii=False)


def test_digits_for_a_sex_are_not_guessed() -> None:
    """What 1 and 2 mean is the agency's to say: the draft maps neither."""
    text = "MaPhieu,HoTenTre,NgaySinh,GioiTinh\nP1,An Mẫu,04/03/2015,1\nP2,Bình Mẫu,05/03/2015,2\n"
    drafted = draft_pack("health/mau", {"a.csv": text.encode()}, {})
    reading = load_pack(drafted.files).read(text.encode(), SAMPLE_CONTEXT)
    assert '"gender"' not in json.dumps([strand.bundle for strand in reading.strands])


def test_a_sample_that_says_nothing_known_is_no_finished_draft() -> None:
    """Where no row can be guessed the draft reads nothing, and says so instead of passing for done."""
    drafted = draft_pack("social/la", {"x.csv": b"q7,zz9\r\n1,2\r\n"})
    assert drafted.guessed == 0
    assert any("nothing of it could be guessed" in one for one in drafted.problems)


def drafted_table(text: str, id_: str = "education/mau") -> tuple[Drafted, str]:
    """The draft of one small table, and its map."""
    drafted = draft_pack(id_, {"table.csv": text.encode()}, {})
    return drafted, drafted.files["maps/records.yaml"].decode()


@pytest.mark.parametrize(
    ("said", "form"),
    [("14-Jan-2014", "dd-MMM-yyyy"), ("Jan 14, 2014", "MMM dd, yyyy"), ("14 January 2014", "dd MMMM yyyy")],
)
def test_months_that_are_named_are_dates(said: str, form: str) -> None:
    """Whatever the order of day and month."""
    drafted, rows = drafted_table(f'pupilId,fullName,birthDate\nA1,Thử Thị Mẫu,"{said}"\n')
    assert form in rows
    assert child(bundles(drafted)[0])["birthDate"] == "2014-01-14"


def test_a_year_of_two_digits_is_asked_for() -> None:
    """Which century it is, nobody but the agency knows: no row, and the list says so."""
    drafted, rows = drafted_table("pupilId,fullName,birthDate\nA1,Thử Thị Mẫu,14-Jan-14\nA2,Thử Văn Mẫu,03/02/15\n")
    assert "birthDate" not in rows
    assert any(doubt.place == "row/birthDate" and "century" in doubt.why for _, doubt in drafted.not_guessed)


def test_a_family_name_before_a_comma_is_told_apart() -> None:
    """`NGUYEN, THI HOA` keeps its words as said, and is a family and a given name for those who write them apart."""
    drafted, _ = drafted_table('pupilId,Child\nA1,"THU, THI MAU"\nA2,"NGUYEN, VAN MAU"\n')
    assert child(bundles(drafted)[0])["name"] == [{"text": "THU, THI MAU", "family": "THU", "given": ["THI MAU"]}]
    assert errors_of(check_static(drafted.files)) == []


@pytest.mark.parametrize(
    ("column", "values", "data_class"),
    [
        ("attendance", ("present", "absent"), "attendance"),
        ("serviceCode", ("S1", "S2"), "narrative"),
        ("reasonOfNeed", ("R1", "R2"), "narrative"),
        ("testResultHIV", ("P", "N"), "sexual-health"),
        ("closureCode", ("C1", "C2"), "narrative"),
        ("xq7", ("C1", "C2"), "narrative"),
    ],
)
def test_a_class_that_is_not_certain_is_the_one_that_fewest_see(
    column: str, values: tuple[str, str], data_class: str
) -> None:
    """A name that says hardly anything else decides; a word in it does not, unless its class guards more than that."""
    one, two = values
    table = f"pupilId,fullName,{column}\n" + "".join(
        f"A{number},Thử Thị Mẫu,{one if number % 2 else two}\n" for number in range(1, 7)
    )
    drafted, _ = drafted_table(table)
    (fact,) = resources(bundles(drafted)[0], "Observation")
    assert fact["meta"]["security"][0]["code"] == data_class


VISIT = "MSH|^~\\&|HIS|BV|HUB|HUB|20260302080000||ADT^A04|M1|P|2.5\rPID|1||B1^^^BV^MR||THU^MAU||20160315|F\r"


@pytest.mark.parametrize(("said", "code"), [("I", "IMP"), ("O", "AMB"), ("R", "AMB"), ("", "UNK"), ("Q", None)])
def test_the_class_of_a_visit_is_what_the_hospital_says(said: str, code: str | None) -> None:
    """By HL7's own table, whatever the sample shows of it; nothing said is unknown, and nothing is invented."""
    drafted = draft_pack("health/mau", {"a.hl7": f"{VISIT}PV1|1|O|KHOA\r".encode()})
    raw = f"{VISIT}PV1|1|{said}|KHOA\r".encode()
    (strand,) = load_pack(drafted.files).read(raw, SAMPLE_CONTEXT).strands
    (visit,) = resources(strand.bundle, "Encounter")
    assert visit["class"].get("code") == code


def test_a_visit_in_a_table_has_no_class_that_nobody_said() -> None:
    """R4 wants one: it is unknown until a column says it."""
    drafted, _ = drafted_table("pupilId,fullName,ngayKham\nA1,Thử Thị Mẫu,02/03/2026\n", "health/mau")
    (visit,) = resources(bundles(drafted)[0], "Encounter")
    assert visit["class"] == {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}


def test_fields_of_hl7_that_no_row_reads_are_listed() -> None:
    """A draft of known segments says which of their fields it leaves."""
    drafted = draft_pack("health/mau", {"a.hl7": f"{VISIT}PV1|1|O|KHOA\r".encode()})
    assert {doubt.place for _, doubt in drafted.not_guessed} >= {"PV1-3", "PID-1"}
