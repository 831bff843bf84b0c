"""Settings from variables and files."""

from pathlib import Path

import pytest

from modeldeck_client.connection import KEY_VARIABLE, URL_VARIABLE
from service.database.client import Database
from service.errors import ConfigurationError
from service.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_DATABASE", "other")
    # Clients read these too, and may run beside the commands.
    for of_clients in (URL_VARIABLE, KEY_VARIABLE):
        monkeypatch.setenv(of_clients, "whatever")
    monkeypatch.setenv("MODELDECK_READERS_SEE_PARAMS", "true")
    settings = load_settings()
    assert (settings.database, settings.readers_see_params) == ("other", True)


def test_origins_and_a_path_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_CORS_ORIGINS", "https://x.org, http://localhost:5173,http://[::1]:80,app://y")
    monkeypatch.setenv("MODELDECK_ROOT_PATH", "/a.b/c_d")
    with pytest.raises(ConfigurationError, match="default port"):
        load_settings()
    monkeypatch.setenv("MODELDECK_CORS_ORIGINS", "https://x.org, http://localhost:5173,http://[::1]:443,app://y")
    settings = load_settings()
    assert settings.cors_origins == ("https://x.org", "http://localhost:5173", "http://[::1]:443", "app://y")
    assert settings.root_path == "/a.b/c_d"


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MODELDECK_DATABASE=from_file\nOTHER=1\n")
    assert load_settings().database == "from_file"


def test_a_secret_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "modeldeck_mongodb_uri").write_text("mongodb://somewhere/")
    monkeypatch.setenv("MODELDECK_SECRETS_DIR", str(tmp_path))
    uri = load_settings().mongodb_uri
    assert uri is not None
    assert uri.get_secret_value() == "mongodb://somewhere/"
    assert "somewhere" not in repr(load_settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODELDECK_DATABASE", "a.b"),
        ("MODELDECK_REQUEST_TIMEOUT", "0"),
        ("MODELDECK_JWT_SECRET", "short"),
        ("MODELDECK_READERS_SEE_PARAMS", "perhaps"),
        *(
            ("MODELDECK_ROOT_PATH", path)
            for path in ("", "/", "x", "/x/", "//x", "/x//y", "/x y", "/..", "/a/./b", "/é")
        ),
        *(
            ("MODELDECK_CORS_ORIGINS", origins)
            for origins in (
                "",
                "*",
                "null",
                "x.org",
                "https://x.org/",
                "https://X.org",
                "https://x.org:443",
                "http://a,",
            )
        ),
    ],
)
def test_a_bad_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as raised:
        load_settings()
    if name == "MODELDECK_JWT_SECRET":
        assert value not in raised.value.detail


@pytest.mark.parametrize("name", ["MODELDECK_MONGO_URI", "MODELDECK_DATABSE", "modeldeck_x"])
def test_an_unknown_setting_is_reported(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigurationError, match=name.upper()):
        load_settings()


def test_what_kubernetes_sets_beside_a_service_of_our_name_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8000_TCP_ADDR"):
        monkeypatch.setenv(f"MODELDECK_{name}", "x")
    load_settings()


def test_secrets_need_their_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"MODELDECK_SECRETS_DIR={tmp_path / 'absent'}\n")
    with pytest.raises(ConfigurationError, match="MODELDECK_SECRETS_DIR"):
        load_settings()


@pytest.mark.parametrize(
    "uri", ["http://h/", "mongodb://h:99999/", "mongodb://u:p@[::1/", "mongodb://u:se/cret@h/", "mongodb://"]
)
def test_a_bad_uri_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="MODELDECK_MONGODB_URI") as raised:
        Database.connect(uri, "x", 1)
    assert "cret" not in raised.value.detail


def test_only_one_kind_of_token_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELDECK_JWT_SECRET", "s" * 32)
    monkeypatch.setenv("MODELDECK_JWT_JWKS_FILE", "keys.json")
    with pytest.raises(ConfigurationError, match="exclude each other"):
        load_settings()
