"""The error tree of translation. Every refusal names the place in the sender's own terms and holds no personal data.

AdapterError
├── Refusal                 what the sender said is refused; its `place`, `kind` and `why` go back to the sender
│   ├── Malformed           not the syntax it claims to be (AE / 400)
│   ├── Unsupported         a message type or version not spoken here (AR / 422)
│   ├── Unmappable          a value that the mapping must refuse (AE / 422)
│   └── TooLarge            over the size, depth or count limit (AR / 413)
├── Unwritable              a bundle that this pack cannot say without breaking its agreed schema
└── BrokenPack              the pack's own data is wrong; names the file and the row
"""

from __future__ import annotations


class AdapterError(Exception):
    """Something of a translation failed."""


class Refusal(AdapterError):
    """The message is refused; nothing of it is kept."""

    def __init__(self, place: str, kind: str, why: str) -> None:
        """`place` in the sender's terms (``PID[1]-8``, an XPath, a JSON pointer); `kind` a stable code; `why` a
        sentence that says what to do and never repeats the value."""
        super().__init__(f"{place}: {why}" if place else why)
        self.place = place
        self.kind = kind
        self.why = why


class Malformed(Refusal):
    """The bytes are not what they claim to be."""


class Unsupported(Refusal):
    """The message type, event or version is not spoken by this pack."""


class Unmappable(Refusal):
    """A value cannot be mapped without guessing."""


class TooLarge(Refusal):
    """A limit of size, depth or count was passed."""


class Unwritable(AdapterError):
    """This bundle cannot be written in this format; `place` is canonical, `why` names what is missing."""

    def __init__(self, place: str, kind: str, why: str) -> None:
        """As :class:`Refusal`, with a canonical place."""
        super().__init__(f"{place}: {why}" if place else why)
        self.place = place
        self.kind = kind
        self.why = why


class BrokenPack(AdapterError):
    """The pack's data is wrong; the message names the file and the row."""
