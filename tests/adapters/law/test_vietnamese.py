"""Vietnamese text survives every format: composed, with its tone marks, however it came in."""

from __future__ import annotations

import base64
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from adapters.checking.context import CONTEXT, answering
from adapters.checking.stability import NEVER_MATCHES
from adapters.errors import Refusal, Unwritable
from adapters.library import BUILT_IN
from adapters.pack import Pack
from tests.adapters.law.cases import manifests, pack, samples

TONES = "Trần Thị Ngọc Ánh Thử-Nghiệm ở phường Mẫu, đường Nguyễn Huệ: ẵ ỡ ữ ỵ Ỗ Đ"
WORD = re.compile(r"[^\W\d_]+")


def decomposed(raw: bytes) -> bytes:
    """The same message with every letter taken apart, as some phones and Macs send it."""
    if not raw.startswith(b"PK"):
        return unicodedata.normalize("NFD", raw.decode("utf-8")).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info, unicodedata.normalize("NFD", old.read(info).decode("utf-8")))
    return out.getvalue()


def readable(id_: str) -> Iterator[bytes]:
    """The samples that a pack reads, in UTF-8."""
    for raw in samples(id_):
        try:
            pack(id_).read(raw, CONTEXT)
            decomposed(raw)
        except (Refusal, UnicodeDecodeError):
            continue
        yield raw


def bundles(of: Pack, raw: bytes) -> list[Any]:
    """What is read, without addresses that are salted."""
    found = [strand.bundle for strand in of.read(raw, CONTEXT).strands]
    return [bundle for bundle in found if NEVER_MATCHES not in json.dumps(bundle, default=str)]


@pytest.mark.parametrize("id_", sorted(id_ for id_ in manifests() if samples(id_)))
def test_text_is_composed_however_it_comes(id_: str) -> None:
    """Decomposed letters are read as composed ones, keys included: the same record is the same resource."""
    seen = 0
    for raw in readable(id_):
        assert bundles(pack(id_), decomposed(raw)) == bundles(pack(id_), raw)
        text = json.dumps(bundles(pack(id_), raw), ensure_ascii=False, default=str)
        assert unicodedata.is_normalized("NFC", text)
        seen += sum(not word.isascii() for word in WORD.findall(text))
    assert seen or not manifests()[id_].is_relative_to(BUILT_IN), "no sample of this pack holds a Vietnamese word"


@pytest.mark.parametrize("id_", sorted(id_ for id_ in manifests() if samples(id_)))
def test_text_goes_out_composed_and_whole(id_: str) -> None:
    """Each word that a pack writes is composed, and is a word of the bundle: no tone mark is lost on the way out."""
    for raw in readable(id_):
        reading = pack(id_).read(raw, CONTEXT)
        for strand in reading.strands:
            for other in manifests():
                try:
                    written = pack(other).write(strand.bundle, answering(reading.head)).raw
                except Unwritable:
                    continue
                if written.startswith(b"PK"):
                    continue
                text = written.decode("utf-8")
                assert unicodedata.is_normalized("NFC", text)
                known = _said(strand.bundle)
                ours = _own_words(other)
                said = _words(json.dumps(dict(reading.head.fields), ensure_ascii=False))
                strange = {word for word in _words(text) if not word.isascii()} - known - ours - said
                assert not strange, f"{len(strange)} words that {other} writes are none of the bundle's"


def _said(bundle: Any) -> set[str]:
    """The words of a bundle, those of its attached texts too."""
    text = json.dumps(bundle, ensure_ascii=False, default=str)
    attached = [base64.b64decode(data).decode("utf-8", "replace") for data in re.findall(r'"data": "([^"]*)"', text)]
    return _words("\n".join([text, *attached]))


@cache
def _own_words(id_: str) -> set[str]:
    """The words of a pack's own data: what it may say of itself, once codes and notices are said."""
    files = [path for path in manifests()[id_].rglob("*") if path.suffix in (".yaml", ".csv")]
    return {word for path in files for word in _words(path.read_text("utf-8"))}


def _words(text: str) -> set[str]:
    return set(WORD.findall(re.sub(r"\\[nrt]", " ", text)))  # JSON's escapes are no letters


def test_every_codec_keeps_every_letter() -> None:
    """All of Vietnamese's letters, in both cases and with every tone, go through each codec and back."""
    letters = [base + mark for base in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY" for mark in ("", *"\u0300\u0301\u0303\u0309\u0323")]
    text = unicodedata.normalize("NFC", "".join([*letters, "đĐ"]))
    for id_, raw, was in (
        ("health/hl7v2", samples("health/hl7v2")[0], b"HIS"),
        ("police/niem", samples("police/niem")[0], b"MAU"),
        ("education/school-support", samples("education/school-support")[0], b"MAU"),
    ):
        of: Any = pack(id_)
        sent = raw.replace(was, unicodedata.normalize("NFD", text).encode())
        assert text in of.codec.dump(of.codec.parse(sent).tree).decode("utf-8")


@pytest.mark.parametrize("charset", ["8859/1", "8859/15"])
def test_an_older_message_in_a_latin_charset_is_read(charset: str) -> None:
    """A 2.3 message says its character set in MSH-18; what that set has, arrives; the rest was never sent."""
    head = f"MSH|^~\\&|HIS|BV|HUB|HUB|20260306080000||ADT^A04|M1|P|2.3||||||{charset}\r"
    raw = (head + "PID|1||MR1^^^BV^MR||Thử^Hòà\r").replace("ử", "u").encode("latin-1")
    (strand,) = pack("health/hl7v2").read(raw, CONTEXT).strands
    assert "Hòà" in json.dumps(strand.bundle, ensure_ascii=False, default=str)
