"""Labels a bundle: sensitivity by codes, free text as narrative, taints, what is derived, confidentiality.

Readers say the data class of each resource and of the elements that differ; this adds to it from policy data and never
takes away: a sender can raise a label, not lower one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from consent.rulebook import Edition, Policy
from consent.vocabulary import (
    ACT_CODE_SYSTEM,
    CONFIDENTIALITY_SYSTEM,
    DATA_CLASS_SYSTEM,
    TAINT_SYSTEM,
    Confidentiality,
    DataClass,
    Sensitivity,
    Taint,
)
from consent.walk import (
    at_path,
    bare,
    codings,
    copied,
    elements,
    inline_labels,
    put_inline,
    resources_of,
    shadow,
)

_RANK: Final = {"": -1, "U": 0, "L": 0, "M": 0, "N": 1, "R": 2, "V": 3}


def label(bundle: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """A labelled copy of `bundle`, by the newest edition of the policy's labelling data; idempotent."""
    edition = policy.editions[-1][1]
    labelled: dict[str, Any] = copied(bundle)
    found = list(resources_of(labelled))
    for _, resource in found:
        if resource.get("resourceType") != "MessageHeader":
            for one in (resource, *_contained(resource)):
                _label_resource(one, edition)
    _derive(dict(found), edition)
    _taint_values([resource for _, resource in found], edition)
    for _, resource in found:
        if resource.get("resourceType") != "MessageHeader":
            _confidential(resource, edition)
    return labelled


def coding_of(label_code: str) -> dict[str, str]:
    """The Coding of a sensitivity, confidentiality, taint or data-class code."""
    if label_code in Sensitivity._value2member_map_:
        return {"system": ACT_CODE_SYSTEM, "code": label_code}
    if label_code in Confidentiality._value2member_map_:
        return {"system": CONFIDENTIALITY_SYSTEM, "code": label_code}
    if label_code in Taint._value2member_map_:
        return {"system": TAINT_SYSTEM, "code": label_code}
    return {"system": DATA_CLASS_SYSTEM, "code": label_code}


def _contained(resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in resource.get("contained") or () if isinstance(one, dict)]


def security_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The list of the resource's labels, made when it is not there."""
    security: list[dict[str, Any]] = resource.setdefault("meta", {}).setdefault("security", [])
    return security


def _add(resource: dict[str, Any], coding: Mapping[str, str]) -> None:
    security = security_of(resource)
    if not any(one.get("system") == coding["system"] and one.get("code") == coding["code"] for one in security):
        security.append(dict(coding))


def _classes(resource: dict[str, Any]) -> set[str]:
    return {str(one.get("code")) for one in security_of(resource) if one.get("system") == DATA_CLASS_SYSTEM}


def _label_resource(resource: dict[str, Any], edition: Edition) -> None:
    rules = edition.labels
    default = rules["type_defaults"].get(resource.get("resourceType"))
    if default and not _classes(resource):
        _add(resource, {"system": DATA_CLASS_SYSTEM, "code": default})
    for rule in rules["sensitivity"]:
        if _hit(rule, codings(resource)):
            if rule["label"]:
                _add(resource, coding_of(rule["label"]))
            _narrow(resource, rule)
    for data_class in _classes(resource):
        for one in rules["class_labels"].get(data_class, ()):
            _add(resource, coding_of(one))
    _free_text(resource, rules["free_text"])
    for _, parent, key, index in list(elements(resource)):
        for coding in inline_labels(shadow(parent, key, index)):
            if coding.get("system") == DATA_CLASS_SYSTEM:
                for one in rules["class_labels"].get(coding.get("code"), ()):
                    put_inline(parent, key, index, coding_of(one))


def _hit(rule: Mapping[str, Any], found: Iterable[Mapping[str, Any]]) -> bool:
    words = [str(word).casefold() for word in rule.get("words", ())]
    for coding in found:
        for wanted in rule["codes"].get(coding.get("system"), ()):
            code = str(coding["code"])
            if code == wanted or (wanted.endswith("*") and code.startswith(wanted[:-1])):
                return True
        shown = str(coding.get("display", "")).casefold()
        if any(word in shown for word in words):
            return True
    return False


def _narrow(resource: dict[str, Any], rule: Mapping[str, Any]) -> None:
    """Move a resource from a wide class (medical-exam) to the narrower one that its codes say."""
    security = security_of(resource)
    for coding in security:
        if coding.get("system") == DATA_CLASS_SYSTEM and coding.get("code") in rule.get("replaces", ()):
            coding["code"] = rule["class"]
            coding.pop("display", None)


def _free_text(resource: dict[str, Any], rules: Mapping[str, Any]) -> None:
    """Mark free text and attachments, wherever they stand, as class narrative."""
    kind = str(resource.get("resourceType"))
    anywhere, paths = frozenset(rules["anywhere"]), frozenset(rules["paths"].get(kind, ()))
    names = frozenset(rules["named_text"])
    narrative = {"system": DATA_CLASS_SYSTEM, "code": rules["class"]}
    done: list[str] = []
    for path, parent, key, index in list(elements(resource)):
        if any(path.startswith(f"{one}.") for one in done):
            continue
        plain = bare(path)
        concept = key == "text" and set(parent) <= {"coding", "text", "_text", "id", "extension"}
        concept = concept and plain.split(".")[-2:-1] != [] and plain.split(".")[-2] not in names
        if (key in anywhere or plain in paths or concept) and not _is_name(resource, kind, plain, parent[key], rules):
            put_inline(parent, key, index, narrative)
            done.append(path)


def _is_name(resource: Mapping[str, Any], kind: str, path: str, value: Any, rules: Mapping[str, Any]) -> bool:
    """Whether this text is a name, by what the code of its resource says and by its length."""
    rule = rules["name_values"].get(f"{kind}.{path}")
    if rule is None or not isinstance(value, str) or len(value) > rule["longest"] or "\n" in value:
        return False
    return _hit(rule, codings(resource.get("code")))


def _labels(resource: dict[str, Any]) -> list[dict[str, str]]:
    """Sensitivity and taint labels of a resource, inline ones included: what its derivatives inherit."""
    systems = (ACT_CODE_SYSTEM, TAINT_SYSTEM)
    found = [one for one in security_of(resource) if one.get("system") in systems]
    for _, parent, key, index in elements(resource):
        found += [one for one in inline_labels(shadow(parent, key, index)) if one.get("system") in systems]
    return [{"system": str(one["system"]), "code": str(one.get("code"))} for one in found]


def _derive(resources: Mapping[str, dict[str, Any]], edition: Edition) -> None:
    """Derived data inherits the labels of what it was made from; repeated until nothing changes."""
    by_reference = dict(resources)
    for resource in resources.values():
        if isinstance(resource.get("id"), str):
            by_reference.setdefault(f"{resource.get('resourceType')}/{resource['id']}", resource)
    changed = True
    while changed:
        changed = False
        for resource in resources.values():
            rule = edition.labels["derived"].get(resource.get("resourceType"))
            if not rule:
                continue
            targets = [
                by_reference[reference["reference"]]
                for path in rule["references"]
                for reference in at_path(resource, path)
                if isinstance(reference, dict) and reference.get("reference") in by_reference
            ]
            inherited = [one for target in targets if target is not resource for one in _labels(target)]
            changed |= _inherit(resource, rule["into"], inherited)


def _inherit(resource: dict[str, Any], into: Iterable[str], inherited: list[dict[str, str]]) -> bool:
    before = len(_labels(resource))
    for coding in inherited:
        for path in into:
            if path == ".":
                _add(resource, coding)
                continue
            for _, parent, key, index in list(elements(resource)):
                if key == path and parent is resource:
                    put_inline(parent, key, index, coding)
    return len(_labels(resource)) != before


def _taint_values(resources: list[dict[str, Any]], edition: Edition) -> None:
    """Whatever repeats an address or contact of a shelter carries the taint too."""
    rule = edition.labels["taint_values"]
    values: set[str] = set()
    for resource in resources:
        if _classes(resource) & set(rule["classes"]):
            for name in rule["elements"]:
                values |= {
                    text for one in at_path(resource, name) for text in _strings(one) if len(text) >= rule["shortest"]
                }
    if not values:
        return
    coding = coding_of(rule["label"])
    for resource in resources:
        if resource.get("resourceType") == "MessageHeader" or _classes(resource) & set(rule["classes"]):
            continue
        for _, parent, key, index in list(elements(resource)):
            value = parent[key] if index is None else parent[key][index]
            if isinstance(value, str) and any(text in value.casefold() for text in values):
                put_inline(parent, key, index, coding)


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value.casefold().strip()
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("system", "use", "type", "extension", "country", "city", "district", "state", "period"):
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _confidential(resource: dict[str, Any], edition: Edition) -> None:
    """Put the highest confidentiality that class, labels and sender say."""
    rules = edition.labels["confidentiality"]
    codes = [rules["default"]]
    codes += [rules["classes"][one] for one in _classes(resource) if one in rules["classes"]]
    security = security_of(resource)
    codes += [rules["labels"][one.get("code")] for one in security if one.get("code") in rules["labels"]]
    codes += [str(one.get("code")) for one in security if one.get("system") == CONFIDENTIALITY_SYSTEM]
    highest = max(codes, key=lambda code: _RANK.get(code, 3))
    security[:] = [one for one in security if one.get("system") != CONFIDENTIALITY_SYSTEM]
    security.append(coding_of(highest if highest in ("N", "R", "V") else "V"))


KNOWN_CLASSES: Final = frozenset(data_class.value for data_class in DataClass)
