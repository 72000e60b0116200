"""Who speaks and listens: the registry of agencies."""

from hub.directory.agency import Agency
from hub.directory.registry import Registry

__all__ = ["Agency", "Registry"]
