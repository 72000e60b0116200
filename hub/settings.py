"""Every setting of the hub, read once from the environment (prefix ``HUB_``); nothing else reads the environment.

With none of them set the hub runs embedded: SQLite and keys below ``.hub``, doors on loopback.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.errors import Misconfigured

MIB = 1024 * 1024


class Settings(BaseSettings):
    """What an operator may set. A field `x` is read from ``HUB_X``."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore", frozen=True, populate_by_name=True)

    data_dir: Path = Path(".hub")
    """Folder of the embedded database and the root key."""
    database_url: str = ""
    """``postgresql://user:password@host/name``; empty = SQLite in `data_dir`."""
    kafka: str = ""
    """Bootstrap servers of a Kafka broker (``host:port,host:port``); empty = the embedded dispatcher."""
    kafka_topic: str = "hub.deliveries"
    """Topic of opaque delivery ids."""
    root_key: SecretStr | None = None
    """32 bytes in base64, wrapping every vault key; rather use `root_key_file`."""
    root_key_file: Path | None = None
    """File that holds the root key (``hub keys init`` makes it); default ``DATA_DIR/root.key``."""
    base_url: str = ""
    """The hub's address as agencies see it; ``BASE_URL/oauth/token`` is the one accepted `aud`."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    """0 = any free port."""
    http_tls_cert: Path | None = None
    http_tls_key: Path | None = None
    mllp_host: str = "127.0.0.1"
    mllp_port: int = Field(default=2575, ge=0, le=65535)
    """0 = any free port."""
    mllp_tls_cert: Path | None = None
    mllp_tls_key: Path | None = None
    mllp_tls_ca: Path | None = None
    """Who signs the client certificates of MLLP senders."""
    packs_path: str = Field(default="", validation_alias=AliasChoices("HUB_PACKS_PATH", "PACKS_PATH"))
    """Folders of packs beside the built-in ones, as in PATH."""
    max_body: int = Field(default=10 * MIB, ge=1024)
    """Largest message, bytes."""
    max_waiting: int = Field(default=64, ge=1)
    """Requests worked on at once over HTTP, and messages over MLLP; more are told to come again later."""
    max_queue: int = Field(default=100_000, ge=1)
    """Deliveries waiting at once; above it no new message is taken (503, AR)."""
    workers: int = Field(default=4, ge=0, le=64)
    """Threads that deliver in ``hub serve``; 0 = deliver with ``hub worker`` only."""
    lang: Literal["vi", "en"] = "vi"
    """Language of the command line and of texts where the reader has not chosen."""
    zone: str = "Asia/Ho_Chi_Minh"
    """IANA zone in which birthdays fall and times without a zone are read."""

    @cached_property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'hub.db'}"

    @cached_property
    def key_file(self) -> Path:
        """Where the root key is kept."""
        return self.root_key_file or self.data_dir / "root.key"

    @cached_property
    def url(self) -> str:
        """The hub's own address without a trailing slash."""
        scheme = "https" if self.http_tls_cert else "http"
        return self.base_url.rstrip("/") or f"{scheme}://{self.http_host}:{self.http_port}"

    @cached_property
    def token_url(self) -> str:
        """The token endpoint: the one exact `aud` of a client assertion."""
        return f"{self.url}/oauth/token"

    @cached_property
    def pack_folders(self) -> tuple[Path, ...]:
        """Folders of packs beside the built-in ones."""
        return tuple(Path(part) for part in self.packs_path.split(os.pathsep) if part)

    def with_packs(self, folders: Iterable[Path] | None) -> Settings:
        """The same settings with further folders of packs, as ``--packs`` names them."""
        said = [*self.packs_path.split(os.pathsep), *(str(folder) for folder in folders or ())]
        return read_settings(**{**dict(self), "packs_path": os.pathsep.join(part for part in said if part)})

    @property
    def http_is_plain_off_loopback(self) -> bool:
        """Whether tokens and messages would cross a network in plain text (unless a proxy in front speaks TLS)."""
        if self.http_tls_cert or is_loopback(self.http_host):
            return False
        return urlsplit(self.url).scheme != "https"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_settings(**given: object) -> Settings:
    """The settings in force; `given` ones win over the environment.

    Raises :class:`hub.errors.Misconfigured`, naming each variable and never its value.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"{_variable(part['loc'])}: {part['msg']}" for part in error.errors()]
        raise Misconfigured("; ".join(lines)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]).upper() if location else "?"
    return name if name.startswith("HUB_") or name == "PACKS_PATH" else f"HUB_{name}"
