"""CSV: one file of records, or several files in a ZIP as one message; places as ``row 3, ChildID``."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from adapters.codecs import charsets
from adapters.codecs.common import MAX_BYTES, MAX_NODES, Parsed, clean, guard_size
from adapters.errors import Malformed, TooLarge
from adapters.pack import Deviation
from adapters.tree import Branch, Node, State

ROW: Final = "row"
_DELIMITERS: Final = ",;\t|"
_MAX_FILES: Final = 50


def parse(raw: bytes, legacy: Sequence[str] = ()) -> Parsed:
    """Records as nodes named ``row`` with a node a column; in a ZIP, below a node a file.

    `legacy` is what a file may be in that is not UTF-8: the only one named, or of several the one in which it is
    Vietnamese (a CSV file does not say). Raises :class:`Malformed`, :class:`TooLarge`.
    """
    guard_size(raw)
    deviations: list[Deviation] = []
    root = Branch("")
    if raw.startswith(b"PK\x03\x04"):
        for name, body in _unzip(raw):
            _records(root.add(name, place=name), body, legacy, deviations, f"{name}, ")
    else:
        _records(root, raw, legacy, deviations, "")
    return Parsed(root, tuple(deviations))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Several files (name -> bytes) as the one message that they are; the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), raw)
    return out.getvalue()


def _unzip(raw: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            if not all(info.filename for info in infos):
                raise Malformed("", "syntax", "each file of the ZIP needs a name")
            if len(infos) > _MAX_FILES or sum(info.file_size for info in infos) > MAX_BYTES:
                raise TooLarge("", "size", "the files are too many or too large")
            if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
                raise Malformed("", "syntax", "pack the files with the usual ZIP compression (deflate)")
            for info in infos:
                with archive.open(info) as member:
                    body = member.read(MAX_BYTES + 1)
                if len(body) > MAX_BYTES:
                    raise TooLarge("", "size", "the files are too large")
                yield info.filename.rpartition("/")[2], body
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        raise Malformed("", "syntax", "this is no readable ZIP of CSV files") from None


def _records(node: Branch, raw: bytes, legacy: Sequence[str], deviations: list[Deviation], prefix: str) -> None:
    text = _decode(raw, legacy, deviations, prefix)
    header = text.splitlines()[0] if text else ""
    delimiter = max(_DELIMITERS, key=header.count)
    if delimiter != "," and delimiter in header:
        deviations.append(Deviation(prefix.rstrip(", "), "columns are not separated by commas"))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = list(_limited(reader))
    except csv.Error:
        raise Malformed(f"{prefix}row {reader.line_num}", "syntax", "the quotes of this record do not close") from None
    if not rows:
        return
    names = [clean(name.strip(), f"{prefix}row 1") for name in rows[0]]
    if len(set(names)) != len(names) or "" in names:
        raise Malformed(f"{prefix}row 1", "header", "each column needs a heading of its own")
    for number, cells in enumerate(rows[1:], 2):
        if any(cells):
            _record(node, names, cells, f"{prefix}row {number}")


def _limited(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    count = 0
    for row in reader:
        count += 1 + len(row)
        if count > MAX_NODES:
            raise TooLarge("", "count", f"more than {MAX_NODES} cells")
        yield row


def _record(node: Branch, names: list[str], cells: list[str], place: str) -> None:
    if len(cells) > len(names):
        raise Malformed(place, "columns", "this record has more cells than the file has columns")
    row = node.add(ROW, place=place)
    row.repeats = True
    for name, cell in zip(names, cells, strict=False):
        at = f"{place}, {name}"
        text = clean(cell.strip(), at)
        row.add(name, text or None, at, State.VALUE if text else State.EMPTY)


def _decode(raw: bytes, legacy: Sequence[str], deviations: list[Deviation], prefix: str) -> str:
    place = prefix.rstrip(", ")
    if raw.startswith(codecs.BOM_UTF8):
        deviations.append(Deviation(place, "a byte order mark"))
        raw = raw[3:]
    elif raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        deviations.append(Deviation(place, "UTF-16 with a byte order mark"))
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError:
            raise Malformed(place, "charset", "the bytes are not UTF-16, which their mark says") from None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    found = _legacy(raw, legacy)
    if found is None:
        raise Malformed(place, "charset", "save the file as UTF-8")
    deviations.append(Deviation(place, f"the character set is not UTF-8; read as {found[0]}"))
    return found[1]


def _legacy(raw: bytes, legacy: Sequence[str]) -> tuple[str, str] | None:
    if len(legacy) != 1:
        return charsets.likeliest(raw, legacy)
    try:
        return legacy[0], charsets.decode(raw, legacy[0])
    except (UnicodeDecodeError, LookupError):
        return None


def dump(tree: Node) -> bytes:
    """One file as CSV with a header and CRLF; several as a ZIP without dates."""
    children = list(tree.children())
    if all(child.name == ROW for child in children):
        return _file(children)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for child in children:
            info = zipfile.ZipInfo(child.name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, _file(list(child.children())))
    return out.getvalue()


def _file(rows: list[Node]) -> bytes:
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(cell.name for cell in row.children())
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        cells = {cell.name: "" if cell.value is None else str(cell.value) for cell in row.children()}
        writer.writerow([cells.get(name, "") for name in names])
    return out.getvalue().encode("utf-8")
