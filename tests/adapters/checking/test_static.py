"""Each check of a pack at rest sees the pack that it is there for, and names the file and the row."""

from __future__ import annotations

import itertools
import json

import pytest

from adapters.checking.static import check_static
from adapters.library import BUILT_IN, read_folder
from tests.adapters.checking.small import RECORD, SCHEMA, changed, sound, told

NAMES = "      - {each: names, to: name, shape: spoken}\n"


def test_a_sound_pack_has_no_problem() -> None:
    """Nothing is told of a pack that has nothing wrong: no check cries wolf."""
    assert check_static(sound()) == []


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("to: gender,", "to: sexOfChild,", "R4 has no Patient.sexOfChild"),
        ('"identifier[type=MR].value"}', '"gender[type=MR].value"}', "gender is no list"),
        ("{at: sex, to: gender, codes: codes/sex.csv}", "{at: sex, to: gender}", "needs a code map"),
        ("    class: demographics\n", "", "needs a data class"),
        ("class: demographics", "class: secrets", "no data class is called secrets"),
        ('link: "MessageHeader.focus[]"', "link: Patient.friend", "is not in the list of links"),
        ("as: child", "as: friend", "no role is called friend"),
        ("shape: spoken", "shape: written", "there is no shape written"),
    ],
)
def test_what_does_not_load_names_its_row(before: str, after: str, what: str) -> None:
    """Paths that R4 does not have, selectors on no list, bindings without codes, rows without class, unknown links."""
    problem = told(changed((before, after)), what)
    assert problem.file == "maps/record.yaml"
    assert problem.row.startswith("rows[1]")


def test_a_code_outside_the_binding() -> None:
    """A target that R4's required value set does not have."""
    problem = told(changed(("Nam,male", "Nam,man"), file="codes/sex.csv"), "man is outside the binding")
    assert problem.file == "maps/record.yaml"


def test_every_broken_row_is_told_not_only_the_first() -> None:
    """Two rows that do not load are two problems, so that a pack is mended in one go."""
    rows = RECORD.replace("to: gender,", "to: nothing,") + '  - {at: x, make: Flag, link: "No.link", rows: []}\n'
    files = sound() | {"maps/record.yaml": rows.encode()}
    assert {one.row[:7] for one in check_static(files) if one.file == "maps/record.yaml"} == {"rows[1]", "rows[2]"}


def test_a_code_with_no_way_out() -> None:
    """What is read must be sayable again, where the type is written too."""
    files = sound() | {"codes/sex.csv": b"source,code,direction\nNam,male,both\nNu,female,in\n"}
    assert told(files, "has no way out", "warning").file == "codes/sex.csv"


def test_a_code_that_is_written_and_never_read() -> None:
    """The hub would refuse its own message."""
    files = sound() | {"codes/sex.csv": b"source,code,direction\nNam,male,both\nNu,female,both\nKhac,other,out\n"}
    assert told(files, "never read back").file == "codes/sex.csv"


def test_a_key_that_no_row_fills() -> None:
    """Else two messages about one child are two children."""
    assert told(changed(('[type=MR]"]', '[type=NI]"]')), "no row fills any of these keys").row.startswith("rows[1]")


def test_a_key_that_is_read_only() -> None:
    """Written back it would be another record."""
    files = changed(('to: "identifier[type=MR].value"}', 'to: "identifier[type=MR].value", direction: in}'))
    assert "is a key and is read only" in told(files, "read only").what


def test_a_key_through_codes_that_fall_together() -> None:
    """Two record numbers that become one would make one child of two."""
    files = changed(
        ('to: "identifier[type=MR].value"}', 'to: "identifier[type=MR].value", codes: codes/no.csv}'),
        codes__no="x",
    )
    files["codes/no.csv"] = b"source,code,direction\nA,one,both\nB,one,in\n"
    assert "several codes become one" in told(files, "fills a key through").what


def test_a_required_target_that_nothing_gives() -> None:
    """A Condition without a subject would refuse every message."""
    made = (
        '{at: ill, make: Condition, link: "MessageHeader.focus[]", key: [identifier], rows: [{at: ., to: code.text}]}'
    )
    row = f"      - {made}\n"
    assert "Condition.subject is required" in told(changed((NAMES, NAMES + row)), "is required in R4").what


def test_a_required_element_inside_an_element() -> None:
    """A communication entry needs its language."""
    inner = "{at: best, to: preferred, bool: {true: $true, false: $false}}"
    row = f"      - {{at: tongue, to: communication, rows: [{inner}]}}\n"
    assert "Patient.communication.language" in told(changed((NAMES, NAMES + row)), "is required in R4").what


def test_a_row_that_is_never_reached() -> None:
    """An earlier row on the same repeats takes all that it could read."""
    row = "      - {each: names, when: {text: $present}, to: name, where: {use: usual}, shape: spoken}\n"
    assert told(changed((NAMES, NAMES + row)), "is never reached").row.startswith("rows[1].rows[4]")


def test_siblings_that_are_not_disjoint() -> None:
    """What one writes the other may read: told, because it cannot be proved."""
    rows = (
        "      - {each: names, when: {kind: [a, b]}, to: name, where: {use: usual}, shape: spoken}\n"
        "      - {each: names, when: {kind: [b, c]}, to: name, where: {use: official}, shape: spoken}\n"
    )
    assert told(changed((NAMES, rows)), "is not disjoint", "warning").row.startswith("rows[1].rows[4]")


def test_a_row_that_is_never_written() -> None:
    """An earlier row takes every element on the way out."""
    rows = NAMES + "      - {each: others, to: name, where: {use: usual}, shape: spoken}\n"
    files = changed((NAMES, rows.replace("each: names,", "each: names, when: {text: $present},")))
    assert told(files, "is never written").row.startswith("rows[1].rows[4]")


def test_a_place_written_twice() -> None:
    """Two elements of one resource cannot both be said at one place."""
    row = "      - {at: no, to: maritalStatus.text}\n"
    assert told(changed((NAMES, NAMES + row)), "writes the place", "warning").row.startswith("rows[1].rows[4]")


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ('{to: "identifier[system=${hub}/NamingSystem/made-up].value", at: x}', "NamingSystem/made-up is not on"),
        ('{to: maritalStatus.coding, default: "${hub}/CodeSystem/made-up|x"}', "CodeSystem/made-up is not among"),
        ('{to: maritalStatus.coding, default: "${hub}/CodeSystem/risk-level|deadly"}', "has no code deadly"),
        ('{to: maritalStatus.coding, default: "${hub}/CodeSystem/local/police/x|y"}', "local/social/mau"),
        ('{at: ., to: maritalStatus, where: {"coding[system=${hub}/CodeSystem/risk-level].code": deadly},'
         ' rows: [{at: x, to: text}]}', "has no code deadly"),
    ],
)  # fmt: skip
def test_what_departs_from_the_canonical_page(row: str, what: str) -> None:
    """The project's addresses, systems and codes are those of the page, or the pack's own."""
    assert told(changed((NAMES, f"{NAMES}      - {row}\n")), what).row.startswith("rows[1].rows[4]")


def test_a_code_map_to_a_code_that_is_not_there() -> None:
    """A map's target is in the canonical code system that it names."""
    row = "      - {at: risk, to: maritalStatus.coding, codes: codes/risk.csv}\n"
    files = changed((NAMES, NAMES + row))
    files["codes/risk.csv"] = b"source,code,system\n1,deadly,https://hub.onestop.example/fhir/CodeSystem/risk-level\n"
    assert told(files, "has no code deadly").file == "codes/risk.csv"


def test_a_role_of_another_resource() -> None:
    """`as: request` is said of a ServiceRequest."""
    assert told(changed(("as: child", "as: request")), "the role request is that of a ServiceRequest").row.startswith(
        "rows[1]"
    )


def test_a_focus_that_the_event_is_not_about() -> None:
    """A referral request is about a request, not a Patient."""
    files = changed(("event: record", "event: referral-request"), file="manifest.yaml")
    assert "is not about a resource Patient" in told(files, "is not about", "warning").what


def test_leaves_of_the_schema_that_nobody_reads() -> None:
    """The schema allows a name, and no row reads names."""
    problem = told(changed((NAMES, "")), "are read by no row: child/names/text", "warning")
    assert problem.file == "schemas/record.schema.json"


def test_a_code_that_the_schema_lists_and_no_map_reads() -> None:
    """What was agreed would be refused."""
    schema = json.dumps(SCHEMA).replace('"sex": {"type": "string"}', '"sex": {"enum": ["Nam", "Nu", "Khac"]}')
    problem = told(sound() | {"schemas/record.schema.json": schema.encode()}, "the schema lists Khac")
    assert problem.file == "codes/sex.csv"


def test_a_code_that_is_written_and_the_schema_does_not_list() -> None:
    """What is said would be against the agreement."""
    schema = json.dumps(SCHEMA).replace('"sex": {"type": "string"}', '"sex": {"enum": ["Nam"]}')
    assert "writes Nu" in told(sound() | {"schemas/record.schema.json": schema.encode()}, "does not list").what


def test_the_codes_of_an_xml_schema_are_seen() -> None:
    """A list that the police's own schema has, and the map of its items does not know any more."""
    files = read_folder(BUILT_IN / "police" / "niem")
    files["codes/item-status.csv"] = files["codes/item-status.csv"].replace(b"SD,amended,,,both,equal\n", b"")
    assert told(files, "the schema lists SD").file == "codes/item-status.csv"


def test_a_sample_that_does_not_come_back() -> None:
    """A row that is only read keeps the law; the sample shows what is never said again."""
    files = changed(("{each: names, to: name,", "{each: names, to: name, direction: in,"))
    assert told(files, "comes back otherwise", "warning").row == "/child/names/text"


def test_a_sample_of_what_is_only_written_is_what_is_written() -> None:
    """A bundle beside it that is said otherwise is an error: nothing else proves such a type."""
    files = changed(("map: maps", "direction: out, map: maps"), file="manifest.yaml")
    assert [one for one in check_static(files) if one.severity == "error"] == []
    files["samples/record.json"] = files["samples/record.json"].replace(b"T-01", b"T-02")
    assert told(files, "is written as something else here").row == "/child/no"


def test_a_schema_that_is_none() -> None:
    """A schema that cannot be compiled is found before the first message is."""
    files = sound() | {"schemas/record.schema.json": b'{"type": "nonsense"}'}
    assert told(files, "is no JSON Schema").file == "schemas/record.schema.json"


def test_a_message_type_that_is_never_recognised() -> None:
    """The earlier one is recognised by less."""
    manifest = sound()["manifest.yaml"].decode()
    line = next(line for line in manifest.splitlines() if "type: Record" in line)
    later = line.replace("type: Record, when: {type: Record", "type: Other, when: {type: Record, id: $present")
    files = sound() | {"manifest.yaml": f"{manifest}{later}\n".encode()}
    assert told(files, "is never recognised").row == "message Other"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("codes/unused.csv", "source,code\na,b\n", "no row uses this code map"),
        ("maps/unused.yaml", "rows: []\n", "names this file"),
        ("schemas/unused.xsd", "<a/>", "names this file"),
    ],
)
def test_what_nothing_uses(name: str, text: str, what: str) -> None:
    """Data that decides nothing misleads whoever reads the pack."""
    assert told(sound() | {name: text.encode()}, what, "warning").file == name


def test_a_shape_that_nothing_uses() -> None:
    """A shape is used by a row, or goes."""
    files = changed(("shapes:\n", "shapes:\n  idle: [{at: a, to: text}]\n"))
    assert told(files, "no row uses this shape", "warning").row == "shape idle"


def test_no_readme_and_no_sample() -> None:
    """A pack says what it does, and shows it."""
    files = {name: raw for name, raw in sound().items() if not name.startswith(("samples/", "README"))}
    assert told(files, "there is no sample").file == "samples"
    assert told(files, "whose law applies").file == "README.md"


def test_samples_that_do_not_say_what_they_should() -> None:
    """Refused, without a bundle, with another bundle, of no type at all: each is told by name, never by value."""
    files = sound()
    refused = files | {"samples/record.json": files["samples/record.json"].replace(b'"Nu"', b'"Nee"')}
    assert told(refused, "is refused").row == "/child/sex"
    alone = {name: raw for name, raw in files.items() if not name.endswith(".bundle.json")}
    assert told(alone, "has no expected bundle").file == "samples/record.json"
    other = files | {"samples/record.bundle.json": files["samples/record.bundle.json"].replace(b"T-01", b"T-02")}
    assert told(other, "into another bundle").row == "bundle 0: entry[1].resource.identifier[0].value"
    line = "  - {type: Other, when: {type: Other}, event: record, map: maps/record.yaml}\n"
    more = files | {"manifest.yaml": files["manifest.yaml"] + line.encode()}
    assert told(more, "no sample is of this message type", "warning").row == "Other"


def test_a_sample_that_becomes_no_valid_bundle() -> None:
    """Rows that load may still make what R4 does not allow."""
    files = sound()
    manifest = files["manifest.yaml"].replace(b", schema: schemas/record.schema.json", b"")
    rows = RECORD.replace(NAMES, '      - {at: no, to: "telecom.value", direction: in}\n')
    files |= {"manifest.yaml": manifest, "maps/record.yaml": rows.encode()}
    assert "telecom" in told(files, "becomes no valid bundle").row


def test_a_sample_of_which_nothing_is_read_is_an_error() -> None:
    """Rows that read nothing are told, though the bundle beside the sample says the same."""
    files = changed(maps__record_yaml="") | {"maps/record.yaml": b"rows: []\n"}
    assert told(files, "nothing of it is read").file == "samples/record.json"


def test_aliases_that_grow_without_end_are_refused() -> None:
    """A few lines of YAML that would be millions of rows are refused when they are loaded."""
    names = "abcdefghi"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise(names)
    )
    files = sound() | {"maps/record.yaml": (bomb + "rows: *i\n").encode()}
    assert told(files, "too large with its aliases").file == "maps/record.yaml"


def test_a_key_twice_is_said() -> None:
    """A key that stands twice in one mapping is told as that, with its line."""
    files = sound() | {"maps/record.yaml": b"rows: []\nrows: []\n"}
    assert "stands twice" in told(files, "a key stands twice").what


def test_a_sample_that_is_no_message_of_the_pack() -> None:
    """A sample that is refused is an error, whatever bundle stands beside it."""
    files = sound() | {"samples/record.json": b'{"x": 1}'}
    assert told(files, "is refused").file == "samples/record.json"
