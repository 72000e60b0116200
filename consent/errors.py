"""The error tree of the engine. A denial is never an error: it is a :class:`consent.model.Decision`.

ConsentError
├── UnreadableInput   what was given cannot be read as what it should be
└── UnreadablePolicy  the policy data contradicts itself or names something unknown
"""


class ConsentError(Exception):
    """The engine could not be asked; nothing may leave."""


class UnreadableInput(ConsentError):
    """The input cannot be read; the message names the place, never the value."""


class UnreadablePolicy(ConsentError):
    """The policy data cannot be compiled; the message names the file and the row."""
