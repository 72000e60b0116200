"""CSV: records with headings, one file or several."""

from __future__ import annotations

import io
import zipfile

import pytest

from adapters.codecs import csv
from adapters.errors import Malformed, Refusal, TooLarge
from adapters.tree import State, leaves


def test_cells_have_their_column_and_row() -> None:
    """A cell's place is its row and heading; quotes and line ends inside a cell are kept."""
    tree = csv.parse('id,tên\r\n1,"Mẫu, ""Thử"""\r\n2,"a\nb"\r\n'.encode()).tree
    assert [(node.place, node.value) for node in leaves(tree)] == [
        ("row 2, id", "1"),
        ("row 2, tên", 'Mẫu, "Thử"'),
        ("row 3, id", "2"),
        ("row 3, tên", "a\nb"),
    ]


def test_an_empty_cell_is_empty_and_a_missing_one_absent() -> None:
    """The three states, as far as CSV has them."""
    row = next(iter(csv.parse(b"a,b,c\n1,\n").tree.children()))
    assert [cell.state for cell in row.children()] == [State.VALUE, State.EMPTY]


@pytest.mark.parametrize(
    "raw",
    ["a\nử\n".encode("utf-8-sig"), "a\nử\n".encode("utf-16"), "a;b\nử;2\n".encode(), "a\nô\n".encode("cp1258")],
)
def test_what_spreadsheets_do_is_tolerated_and_told(raw: bytes) -> None:
    """A BOM, UTF-16, semicolons and a declared legacy character set are deviations."""
    parsed = csv.parse(raw, ("cp1258",))
    assert next(iter(leaves(parsed.tree))).value in ("ử", "ô")
    assert parsed.deviations


@pytest.mark.parametrize(
    "raw", [b'a\n"open\n', b"a,a\n1,2\n", b"a,\n1,2\n", b"a\n1,2\n", b"a\n\xff\n", b"PK\x03\x04rubbish", b"a\nx\x00y\n"]
)
def test_broken_files_are_refused(raw: bytes) -> None:
    """Open quotes, repeated headings, too many cells, unknown bytes: a typed refusal."""
    with pytest.raises(Malformed):
        csv.parse(raw)


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def test_several_files_are_one_message() -> None:
    """A ZIP of CSV files is one tree with a node a file; law 1 holds."""
    tree = csv.parse(_zip({"orgs.csv": b"id\n1\n", "users.csv": b"id\n2\n"})).tree
    assert [node.place for node in leaves(tree)] == ["orgs.csv, row 2, id", "users.csv, row 2, id"]
    assert csv.parse(csv.dump(tree)).tree == tree


def test_a_bomb_is_refused() -> None:
    """A small ZIP that unpacks to very much is refused before it is unpacked."""
    with pytest.raises(TooLarge):
        csv.parse(_zip({"a.csv": b"0" * (20 * 1024 * 1024)}))
    with pytest.raises(Refusal):
        csv.parse(_zip({f"{n}.csv": b"a\n" for n in range(60)}))


def test_law_one() -> None:
    """Part 1 of the law for one file."""
    tree = csv.parse(b'a,b\n1,"x,y"\n,z\n').tree
    assert csv.parse(csv.dump(tree)).tree == tree


def test_a_file_without_a_name_in_a_zip_is_refused() -> None:
    """A ZIP whose directory names nothing is no crash."""
    with pytest.raises(Malformed):
        csv.parse(_zip({"a.csv": b"id\n1\n"}).replace(b"a.csv", b"\0.csv"))
