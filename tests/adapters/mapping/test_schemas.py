"""What an agreed schema says of a message that breaks it: where, and whether something is wanting or out of place."""

from __future__ import annotations

import pytest

from adapters.errors import Unwritable
from adapters.mapping.schemas import Schema

XSD = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:sequence>
<xs:element name="b" minOccurs="0"/><xs:element name="c"/><xs:element name="d" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element></xs:schema>"""


@pytest.mark.parametrize(
    ("raw", "kind", "why"),
    [
        (b"<a/>", "required", "an element is missing"),
        (b"<a><b/></a>", "required", "c is missing"),
        (b"<a><c/><d/><b/></a>", "schema", "an element stands where it may not"),
    ],
)
def test_an_element_that_ends_too_early_wants_something(raw: bytes, kind: str, why: str) -> None:
    """Also where one of several might come next, and none of them by name is what is wanting."""
    with pytest.raises(Unwritable) as refused:
        Schema("schemas/a.xsd", {"schemas/a.xsd": XSD}).check_outbound(raw)
    assert refused.value.kind == kind
    assert str(refused.value.why).endswith(why)
