"""Character sets: Python's decoders and single-byte tables under one roof."""

from __future__ import annotations

import pytest

from adapters.codecs import charsets


def test_a_set_that_python_knows_is_decoded_by_it() -> None:
    """Windows-1258 keeps tone marks apart from their letters; the codecs compose them afterwards."""
    assert charsets.decode("Thử".encode(), "utf-8") == "Thử"
    assert charsets.decode(b"a\xd2", "cp1258") == "a\u0309"


def test_an_unknown_set_is_a_lookup_error() -> None:
    """A name that nobody knows is told apart from bytes that do not fit."""
    with pytest.raises(LookupError):
        charsets.decode(b"a", "no-such-set")
