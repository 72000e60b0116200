"""What an agreed XSD says of a message that breaks it: what is missing, or that something stands where it may not."""

from __future__ import annotations

import pytest

from adapters.errors import Unwritable
from adapters.mapping.schemas import Schema

XSD = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:mau" targetNamespace="urn:mau"
  elementFormDefault="qualified"><xs:element name="call"><xs:complexType><xs:sequence>
    <xs:element name="born" minOccurs="0"/><xs:element name="name"/><xs:element name="place"/>
    <xs:element name="note" minOccurs="0"/><xs:element name="number" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType></xs:element></xs:schema>"""


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        ("<m:place/><m:number/>", "required", "m:name is missing"),
        ("<m:number/>", "required", "m:name is missing"),
        ("", "required", "an element is missing"),
        ("<m:name/><m:place/>", "required", "an element is missing"),
        ("<m:name/><m:born/><m:place/><m:number/>", "schema", "an element stands where it may not"),
        ("<m:name/><m:place/><m:number/><m:note/>", "schema", "an element stands where it may not"),
        ("<m:other/><m:name/><m:place/><m:number/>", "schema", "an element stands where it may not"),
    ],
)
def test_what_is_missing_is_told_from_what_stands_where_it_may_not(said: str, kind: str, why: str) -> None:
    """Also where something optional could come first, or two are missing; what is out of order lacks nothing."""
    schema = Schema("a.xsd", {"a.xsd": XSD})
    with pytest.raises(Unwritable) as caught:
        schema.check_outbound(f'<m:call xmlns:m="urn:mau">{said}</m:call>'.encode())
    assert (caught.value.kind, caught.value.why) == (kind, f"breaks the agreed schema: {why}")
