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


OPTIONAL = "".join(f'<xs:element name="o{number}" minOccurs="0"/>' for number in range(12))
OPEN = '<xs:element name="b" minOccurs="0"/><xs:any namespace="##other"/>'
EITHER = '<xs:choice><xs:element name="x"/><xs:element name="y"/></xs:choice><xs:element name="z"/>'


@pytest.mark.parametrize(
    ("content", "said", "why"),
    [
        (OPTIONAL + '<xs:element name="name"/><xs:element name="z"/>', "<z/>", "name is missing"),
        (OPEN, "", "an element is missing"),
        (EITHER, "<z/>", "an element is missing"),
    ],
)
def test_what_is_optional_is_never_called_missing(content: str, said: str, why: str) -> None:
    """Not behind more optional elements than libxml2 names, not where another namespace's or either of two would do."""
    xsd = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType>
    <xs:sequence>{content}</xs:sequence></xs:complexType></xs:element></xs:schema>""".encode()
    with pytest.raises(Unwritable) as caught:
        Schema("a.xsd", {"a.xsd": xsd}).check_outbound(f"<a>{said}</a>".encode())
    assert (caught.value.kind, caught.value.why) == ("required", f"breaks the agreed schema: {why}")
