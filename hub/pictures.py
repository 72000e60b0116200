"""A picture in a record of class ``photographs`` is the photograph itself, and no free text.

The labelling data of the policy takes every attachment for ``narrative`` (a sentence in a PDF must not ride on a wider
class), so an order for photographs would open the record and not the picture. Here the file of a picture gets the class
of its record instead; titles, addresses, notes and descriptions stay free text, and so does every other kind of file.
"""

from __future__ import annotations

from typing import Any, Final

from adapters.pack import Bundle
from consent.vocabulary import DATA_CLASS_SYSTEM, INLINE_LABEL_URL, DataClass
from consent.walk import elements, inline_labels, put_inline, shadow
from hub.bundles import resources

_PICTURE: Final = {"system": DATA_CLASS_SYSTEM, "code": DataClass.PHOTOGRAPHS.value}
_TEXT: Final = {"system": DATA_CLASS_SYSTEM, "code": DataClass.NARRATIVE.value}
_SAID: Final = ("title", "url")
"""What an attachment says in words."""


def with_pictures(labelled: Bundle, said: Bundle) -> Bundle:
    """Let the files of pictures have the class of their record, in place; `said` is the bundle before it was labelled.

    What the sender itself labelled stays as the sender labelled it.
    """
    for resource, before in zip(resources(labelled), resources(said), strict=True):
        if _classes((resource.get("meta") or {}).get("security")) == {DataClass.PHOTOGRAPHS.value}:
            own = {path for path, parent, key, index in elements(before) if inline_labels(shadow(parent, key, index))}
            for path, parent, key, index in list(elements(resource)):
                value = parent[key] if index is None else parent[key][index]
                if _is_picture(value) and path not in own:
                    _relabel(value)
    return labelled


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("contentType", "")).startswith("image/")


def _relabel(attachment: dict[str, Any]) -> None:
    kept = [each for each in attachment.get("extension", ()) if not _marks_text(each)]
    if len(kept) == len(attachment.get("extension", ())):
        return
    attachment["extension"] = [*kept, {"url": INLINE_LABEL_URL, "valueCoding": dict(_PICTURE)}]
    for name in _SAID:
        if name in attachment:
            put_inline(attachment, name, None, _TEXT)


def _marks_text(extension: Any) -> bool:
    return bool(inline_labels({"extension": [extension]})) and extension["valueCoding"] == _TEXT


def _classes(security: Any) -> set[str]:
    return {str(each.get("code")) for each in security or () if each.get("system") == DATA_CLASS_SYSTEM}
