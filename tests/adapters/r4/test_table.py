"""The table says what R4 says."""

from __future__ import annotations

import pytest
from fhirkit import RESOURCE_TYPES

from adapters.r4 import table


def test_every_resource_type_of_r4_and_no_other() -> None:
    """The resource types are the 146 of 4.0.1, as another library lists them."""
    assert table.resource_types() == set(RESOURCE_TYPES)
    assert not table.resource_types() & {"SubscriptionStatus", "Ingredient", "Citation", *table.ROOTS}


@pytest.mark.parametrize(
    ("path", "types", "low", "high"),
    [
        ("Patient.name", ("HumanName",), 0, None),
        ("Patient.name.given", ("string",), 0, None),
        ("Patient.id", ("id",), 0, 1),
        ("Patient.name.id", ("string",), 0, 1),
        ("Patient.extension.url", ("uri",), 1, 1),
        ("Observation.valueQuantity", ("Quantity",), 0, 1),
        ("Observation.valueQuantity.value", ("decimal",), 0, 1),
        ("Observation.component.valueCodeableConcept.coding.code", ("code",), 0, 1),
        ("Patient.contact.gender", ("code",), 0, 1),
        ("Questionnaire.item.item.item.linkId", ("string",), 1, 1),
        ("Observation.component.referenceRange.low.value", ("decimal",), 0, 1),
        ("Patient._birthDate.extension.valueDateTime", ("dateTime",), 0, 1),
        ("Bundle.entry.resource", ("Resource",), 0, 1),
        ("Provenance.target", ("Reference",), 1, None),
        ("HumanName.family", ("string",), 0, 1),
    ],
)
def test_a_path_leads_through_types_backbones_references_and_choices(
    path: str, types: tuple[str, ...], low: int, high: int | None
) -> None:
    """Every kind of step is followed to the element that R4 defines."""
    found = table.element(path)
    assert found is not None
    assert (found.path, found.types, found.min, found.max) == (path, types, low, high)
    assert table.is_list(path) == (high is None)


@pytest.mark.parametrize(
    "path",
    [
        "Patient",
        "Patient.nope",
        "Nope.name",
        "Observation.value",
        "Observation.valueAge",
        "Patient.birthDate.extension",
        "Patient._name",
        "Bundle.entry.resource.name",
        "Meta.accounts",
        "string.value",
        "",
    ],
)
def test_what_r4_does_not_have_is_not_found(path: str) -> None:
    """A path that R4 does not have gives None, also one that a library slipped in."""
    assert table.element(path) is None


def test_a_missing_path_has_no_cardinality() -> None:
    """Asking for the cardinality of nothing is a mistake of the caller."""
    with pytest.raises(KeyError):
        table.is_list("Patient.nope")


def test_required_codes_are_complete() -> None:
    """The list is the value set itself, not the abridged one of an element's short text."""
    assert table.required_codes("Task.status") == {
        "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold",
        "failed", "completed", "entered-in-error",
    }  # fmt: skip
    assert table.required_codes("Patient.gender") == {"male", "female", "other", "unknown"}
    assert table.required_codes("Condition.clinicalStatus") == {
        "active", "recurrence", "relapse", "inactive", "remission", "resolved",
    }  # fmt: skip


def test_free_and_outside_codes_are_not_listed() -> None:
    """An extensible binding lists nothing; media types live outside FHIR and have a pattern."""
    assert table.required_codes("Observation.code") is None
    assert table.required_codes("Attachment.contentType") is None
    media = table.value_set("mimetypes")
    assert media.has("application/pdf")
    assert not media.has("pdf")


def test_a_code_belongs_to_its_system() -> None:
    """The right code of a wrong system is not in the value set."""
    clinical = table.value_set("condition-clinical")
    assert clinical.has("active", "http://terminology.hl7.org/CodeSystem/condition-clinical")
    assert not clinical.has("active", "http://example.org/other")


def test_targets_flags_and_choices_are_told() -> None:
    """Reference targets, modifiers, summary elements and alternatives are R4's."""
    subject = table.element("Specimen.subject")
    status = table.element("Observation.status")
    value = table.element("Observation.value[x]")
    quantity = table.element("Observation.valueQuantity")
    assert subject is not None
    assert status is not None
    assert value is not None
    assert quantity is not None
    assert set(subject.targets) == {"Patient", "Group", "Device", "Substance", "Location"}
    assert status.modifier
    assert status.summary
    assert len(value.types) == 11
    assert (quantity.choice, quantity.said, quantity.is_primitive) == ("value[x]", "value", False)


def test_every_element_can_be_walked() -> None:
    """Every node that an element leads to is defined, and every value set that it names is listed."""
    for name in table.resource_types():
        waiting, seen = [name], set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            assert table.fields(node), node
            for found in table.fields(node).values():
                assert found.is_primitive or found.node
                if found.value_set:
                    assert table.value_set(found.value_set)
                if found.node:
                    waiting.append(found.node)
