"""Labels a bundle: sensitivity by codes, free text as narrative, taints, what is derived, confidentiality.

Readers say the data class of each resource and of the elements that differ; this adds to it from policy data and never
takes away: a sender can raise a label, not lower one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from consent.labelling import Labelling, Said, folded, is_token
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
    contained = resource.get("contained")
    return [one for one in contained if isinstance(one, dict)] if isinstance(contained, list) else []


def security_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The list of the resource's labels, made when it is not there; what is no label in it is taken out."""
    meta = resource.get("meta")
    if not isinstance(meta, dict):
        meta = resource["meta"] = {}
    security = meta.get("security")
    if not isinstance(security, list):
        security = meta["security"] = [security] if isinstance(security, dict) else []
    elif not all(isinstance(one, dict) for one in security):
        security[:] = [one for one in security if isinstance(one, dict)]
    labels: list[dict[str, Any]] = security
    return labels


def _add(resource: dict[str, Any], coding: Mapping[str, str]) -> None:
    security = security_of(resource)
    if not any(one.get("system") == coding["system"] and one.get("code") == coding["code"] for one in security):
        security.append(dict(coding))


def _classes(resource: dict[str, Any]) -> set[str]:
    return {str(one.get("code")) for one in security_of(resource) if one.get("system") == DATA_CLASS_SYSTEM}


def _label_resource(resource: dict[str, Any], edition: Edition) -> None:
    rules, labelling = edition.labels, edition.labelling
    kind = str(resource.get("resourceType"))
    default = rules["type_defaults"].get(kind)
    if default and not _classes(resource):
        _add(resource, {"system": DATA_CLASS_SYSTEM, "code": default})
    _sensitive(resource, labelling.said(resource), labelling)
    for data_class in _classes(resource):
        for one in rules["class_labels"].get(data_class, ()):
            _add(resource, coding_of(one))
    _FreeText(resource, labelling).mark(resource, kind)
    for _, parent, key, index in list(elements(resource)):
        for coding in inline_labels(shadow(parent, key, index)):
            if coding.get("system") == DATA_CLASS_SYSTEM:
                for one in rules["class_labels"].get(str(coding.get("code")), ()):
                    put_inline(parent, key, index, coding_of(one))


def _sensitive(resource: dict[str, Any], said: Said, labelling: Labelling) -> None:
    """The labels that codes and words ask for, and the narrower class (of medical-exam) that they say."""
    for signal in labelling.signals:
        if signal.heard(said):
            if signal.label:
                _add(resource, coding_of(signal.label))
            for coding in security_of(resource):
                if coding.get("system") == DATA_CLASS_SYSTEM and str(coding.get("code")) in signal.replaces:
                    coding["code"] = signal.data_class
                    coding.pop("display", None)


class _FreeText:
    """Marks free text and attachments, wherever they stand in one resource, as class narrative."""

    def __init__(self, resource: dict[str, Any], labelling: Labelling) -> None:
        rules = labelling.rules["free_text"]
        self.labelling = labelling
        self.narrative = {"system": DATA_CLASS_SYSTEM, "code": rules["class"]}
        classes = _classes(resource)
        self.pictures = bool(classes) and classes <= labelling.pictured
        self.resource = resource

    def mark(self, value: dict[str, Any], kind: str) -> None:
        """Mark what is free text below `value`, which is of R4's type `kind`."""
        form = self.labelling.form(kind)
        if form is None:
            return
        top = value is self.resource
        for key in list(value):
            inner = value[key]
            if key in form.below:
                for one in inner if isinstance(inner, list) else (inner,):
                    if isinstance(one, dict):
                        self.mark(one, form.below[key])
            elif key in form.whole:
                self._whole(value, key)
            elif key in form.text:
                pattern = form.text[key]
                for index, one in _each(inner):
                    open_ = pattern is not None and isinstance(one, str) and pattern.fullmatch(one) is not None
                    if not open_ and not (top and self._is_name(kind, key, one)):
                        self._mark(value, key, index)
            elif key in form.tokens:
                for index, one in _each(inner):
                    if isinstance(one, str) and not is_token(one):
                        self._mark(value, key, index)

    def _mark(self, parent: dict[str, Any], key: str, index: int | None) -> None:
        put_inline(parent, key, index, self.narrative)

    def _is_name(self, kind: str, key: str, value: Any) -> bool:
        rule = self.labelling.names.get(f"{kind}.{key}")
        return rule is not None and rule.fits(self.resource.get("code"), value)

    def _whole(self, parent: dict[str, Any], key: str) -> None:
        """An attachment or note is free text as a whole, except a picture in a record whose class is pictures."""
        rules = self.labelling.rules["free_text"]["pictures"]
        for index, one in _each(parent[key]):
            kept = isinstance(one, dict) and self.pictures
            if kept and str(one.get("contentType", "")).startswith(tuple(rules["content_types"])):
                for name in list(one):
                    if name not in rules["open"] and name != "extension" and not name.startswith("_"):
                        self._mark(one, name, None)
            elif isinstance(one, (dict, str)):
                self._mark(parent, key, index)


def _each(value: Any) -> Iterable[tuple[int | None, Any]]:
    """Every value of an element, with its index where it repeats."""
    return enumerate(value) if isinstance(value, list) else ((None, value),)


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
            rule = edition.labels["derived"].get(str(resource.get("resourceType")))
            if not rule:
                continue
            targets = [
                by_reference[str(reference["reference"])]
                for path in rule["references"]
                for reference in at_path(resource, path)
                if isinstance(reference, dict) and str(reference.get("reference")) in by_reference
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


class _Traces:
    """The address and contact details of a shelter, as whatever repeats them is compared with."""

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.rule = rule
        self.texts: set[str] = set()
        self.numbers: set[str] = set()

    def learn(self, value: Any) -> None:
        """Learn one element of a shelter."""
        for text in _strings(value):
            if (number := _number(text)) and _NUMERIC.fullmatch(text):
                self.numbers.add(number)
            elif plain := folded(text):
                self.texts.add(plain)
        if isinstance(value, dict) and isinstance(value.get("line"), list):
            self.texts.add(folded(" ".join(one for one in value["line"] if isinstance(one, str))))

    def in_(self, key: str, value: str) -> bool:
        """Whether `value`, which stands in an element `key`, repeats any of it."""
        if self.numbers and (digits := _DIGITS.sub("", value)) and any(one in digits for one in self.numbers):
            return True
        plain = folded(value)
        partly = key in self.rule["part_of"] and any(one.isdigit() for one in plain)
        for text in self.texts:
            if text == plain and len(text) >= self.rule["exact"]:
                return True
            if len(text) >= self.rule["shortest"] and text in plain:
                return True
            if partly and (f"{text} ".startswith(f"{plain} ") or (len(plain) >= self.rule["part"] and plain in text)):
                return True
        return False


_NUMERIC: Final = re.compile(r"[+\d\s().\-/]+")
_DIGITS: Final = re.compile(r"\D+")


def _number(text: str) -> str:
    """A telephone number without its trunk or country prefix (0, +84, 0084); "" for what is too short to be one."""
    digits = _DIGITS.sub("", text).lstrip("0")
    if digits.startswith("84") and len(digits) > 9:
        digits = digits[2:].lstrip("0")
    return digits if len(digits) >= 6 else ""


def _taint_values(resources: list[dict[str, Any]], edition: Edition) -> None:
    """Whatever repeats an address or contact of a shelter carries the taint too."""
    rule = edition.labels["taint_values"]
    classes = set(rule["classes"])
    traces = _Traces(rule)
    for resource in resources:
        if _classes(resource) & classes:
            for name in rule["elements"]:
                for one in at_path(resource, name):
                    traces.learn(one)
    if not traces.texts and not traces.numbers:
        return
    coding = coding_of(rule["label"])
    for resource in resources:
        if resource.get("resourceType") == "MessageHeader" or _classes(resource) & classes:
            continue
        for _, parent, key, index in list(elements(resource)):
            value = parent[key] if index is None else parent[key][index]
            if isinstance(value, str):
                if traces.in_(key, value):
                    put_inline(parent, key, index, coding)
            elif isinstance(value, dict) and _repeated(value, traces):
                put_inline(parent, key, index, coding)


def _repeated(value: dict[str, Any], traces: _Traces) -> bool:
    """Whether an address in parts, or an extension of this element, repeats what was learnt."""
    lines = value.get("line")
    if isinstance(lines, list) and traces.in_("line", " ".join(one for one in lines if isinstance(one, str))):
        return True
    return any(
        isinstance(one, dict) and isinstance(one.get("valueString"), str) and traces.in_("", one["valueString"])
        for one in (value["extension"] if isinstance(value.get("extension"), list) else ())
    )


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
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
    codes += [rules["labels"][one["code"]] for one in security if str(one.get("code")) in rules["labels"]]
    codes += [str(one.get("code")) for one in security if one.get("system") == CONFIDENTIALITY_SYSTEM]
    highest = max(codes, key=lambda code: _RANK.get(code, 3))
    security[:] = [one for one in security if one.get("system") != CONFIDENTIALITY_SYSTEM]
    security.append(coding_of(highest if highest in ("N", "R", "V") else "V"))


KNOWN_CLASSES: Final = frozenset(data_class.value for data_class in DataClass)
