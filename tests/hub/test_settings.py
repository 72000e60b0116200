"""Settings come from the environment, wrong ones are named and never repeated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.errors import Misconfigured
from hub.settings import Settings, read_settings


def test_without_settings_the_hub_is_embedded() -> None:
    """SQLite and key below one folder, doors on loopback."""
    settings = read_settings()
    assert settings.database == "sqlite:///.hub/hub.db"
    assert settings.key_file == Path(".hub/root.key")
    assert settings.token_url == "http://127.0.0.1:8080/oauth/token"
    assert not settings.http_is_plain_off_loopback


def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the wrong variable does not get into an error."""
    monkeypatch.setenv("HUB_HTTP_PORT", "mat-khau")
    with pytest.raises(Misconfigured) as caught:
        read_settings()
    assert "HUB_HTTP_PORT" in str(caught.value)
    assert "mat-khau" not in str(caught.value)


def test_given_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of a command is stronger than the environment; one not given is not."""
    monkeypatch.setenv("HUB_HTTP_PORT", "8081")
    assert read_settings(http_port=8082).http_port == 8082
    assert read_settings(http_port=None).http_port == 8081


def test_both_names_of_the_packs_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """PACKS_PATH and HUB_PACKS_PATH mean the same, and hold several folders."""
    monkeypatch.setenv("PACKS_PATH", "/a:/b")
    assert read_settings().pack_folders == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"http_host": "0.0.0.0"}, True),
        ({"http_host": "0.0.0.0", "base_url": "https://hub.example"}, False),
        ({"http_host": "0.0.0.0", "http_tls_cert": Path("x")}, False),
        ({"http_host": "::1"}, False),
        ({"http_host": "localhost"}, False),
    ],
)
def test_a_plain_door_off_this_machine_is_known(given: dict[str, object], plain: bool) -> None:
    """Only TLS, a proxy that speaks it, or loopback count as safe."""
    assert read_settings(**given).http_is_plain_off_loopback is plain


def test_the_root_key_is_not_shown() -> None:
    """Printing the settings shows no secret."""
    assert "c2VjcmV0" not in repr(Settings(root_key="c2VjcmV0"))  # type: ignore[arg-type]


def test_every_setting_is_explained() -> None:
    """Each field of the settings has a docstring, or a name that says all (host, port, certificate and key)."""
    source = Path(read_settings.__code__.co_filename).read_text("utf-8")
    for name in Settings.model_fields:
        declared = re.search(rf"^    {name}:.*\n    \"\"\"", source, re.MULTILINE)
        assert declared or name.endswith(("_host", "_port", "_cert", "_key")), name
