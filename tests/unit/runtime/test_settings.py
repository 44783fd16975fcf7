import pytest
from pydantic import Field, SecretStr

from daylily_runtime import (
    Port,
    ServerSettings,
    Settings,
    SettingsError,
    describe_settings,
)


class EchoSettings(ServerSettings):
    port: Port = 50060
    store_url: str = Field(description="Where echoes are kept.")
    shards: tuple[int, ...] = Field(default=(1, 2), description="Which shards.")
    api_token: SecretStr | None = Field(default=None, description="Who may ask.", min_length=8)


def load(**overrides):
    return EchoSettings.load(**({"store_url": "memory"} | overrides))


def test_values_come_from_the_environment_with_the_prefix(monkeypatch):
    monkeypatch.setenv("DAYLILY_STORE_URL", "sqlite:x")
    monkeypatch.setenv("DAYLILY_PORT", "50099")
    monkeypatch.setenv("DAYLILY_SHARDS", "[3]")
    settings = EchoSettings.load()
    assert (settings.store_url, settings.port, settings.shards) == ("sqlite:x", 50099, (3,))


def test_overrides_win_over_the_environment_unless_they_are_none(monkeypatch):
    monkeypatch.setenv("DAYLILY_PORT", "50099")
    assert load(port=1).port == 1
    assert load(port=None).port == 50099


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("DAYLILY_PORT", "")
    assert load().port == 50060


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DAYLILY_PORT", "many", "DAYLILY_PORT is 'many'"),
        ("DAYLILY_PORT", "-1", "DAYLILY_PORT is '-1'"),
        ("DAYLILY_LOG_FORMAT", "xml", "DAYLILY_LOG_FORMAT is 'xml'"),
        ("DAYLILY_DRAIN_SECONDS", "0", "DAYLILY_DRAIN_SECONDS is '0'"),
        ("DAYLILY_DRAIN_SECONDS", "inf", "DAYLILY_DRAIN_SECONDS is 'inf'"),
        ("DAYLILY_MAX_REQUEST_BYTES", "12", "DAYLILY_MAX_REQUEST_BYTES is '12'"),
        ("DAYLILY_INSECURE", "perhaps", "DAYLILY_INSECURE is 'perhaps'"),
        ("DAYLILY_SHARDS", "1,2", "DAYLILY_SHARDS has to be JSON"),
        ("DAYLILY_SHARDS", '["x"]', "DAYLILY_SHARDS is 'x'"),
        ("DAYLILY_TLS_KEY", "/nowhere", "No such file"),
        ("DAYLILY_MAX_CALL_SECONDS", "600", "DAYLILY_MAX_CONNECTION_AGE_GRACE_SECONDS"),
    ],
)
def test_a_wrong_value_is_refused_with_the_variables_name(monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said):
        load()


def test_every_wrong_value_is_named_at_once(monkeypatch):
    monkeypatch.setenv("DAYLILY_PORT", "many")
    monkeypatch.setenv("DAYLILY_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as error:
        EchoSettings.load()
    assert len(str(error.value).splitlines()) == 3
    assert "DAYLILY_STORE_URL is not set and has no default." in str(error.value)


def test_a_setting_that_does_not_exist_is_refused():
    with pytest.raises(SettingsError, match="no setting 'prot'"):
        load(prot=1)


def test_a_wrong_secret_is_not_shown(monkeypatch):
    monkeypatch.setenv("DAYLILY_API_TOKEN", "hunter2")
    with pytest.raises(SettingsError) as error:
        load()
    assert "DAYLILY_API_TOKEN" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_wrong_settings_exit_with_2_and_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setenv("DAYLILY_PORT", "many")
    with pytest.raises(SystemExit) as end:
        EchoSettings.load_or_exit(store_url="memory")
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("DAYLILY_PORT is 'many'")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_cert": "cert.pem"}, "DAYLILY_TLS_KEY"),
        ({"tls_key": "key.pem"}, "DAYLILY_TLS_CERT"),
        ({"tls_client_ca": "ca.pem"}, "DAYLILY_TLS_CLIENT_CA needs"),
    ],
)
def test_tls_settings_have_to_fit_together(tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    for name in ("cert", "key", "ca"):
        (tmp_path / f"{name}.pem").touch()
    with pytest.raises(SettingsError, match=said):
        load(**given)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_tls(host):
    assert load(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "*"])
def test_beyond_loopback_it_takes_tls_or_insecure(host):
    with pytest.raises(SettingsError, match="DAYLILY_HOST"):
        load(host=host)
    assert load(host=host, insecure=True).insecure


def test_beyond_loopback_somebody_has_to_ask_who_calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cert", "key", "ca", "who"):
        (tmp_path / f"{name}.pem").touch()
    tls = {"host": "0.0.0.0", "tls_cert": "cert.pem", "tls_key": "key.pem"}
    with pytest.raises(SettingsError, match="DAYLILY_IDENTITIES"):
        load(**tls)
    assert load(**tls, insecure=True).insecure
    assert load(**tls, tls_client_ca="ca.pem").asks_who_calls
    assert load(**tls, identities="who.pem").asks_who_calls
    assert load(**tls, oidc_issuer="https://id.example", oidc_audience="daylily").asks_who_calls


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc_issuer": "https://id.example"}, "DAYLILY_OIDC_AUDIENCE"),
        ({"oidc_issuer": "http://id.example", "oidc_audience": "d"}, "https://"),
        ({"oidc_issuer": "id.example", "oidc_audience": "d"}, "https://"),
        ({"oidc_roles": {"staff": "boss"}}, "DAYLILY_OIDC_ROLES"),
    ],
)
def test_an_issuer_that_cannot_be_trusted_is_refused(given, said):
    with pytest.raises(SettingsError, match=said):
        load(**given)


def test_every_setting_is_described():
    rows = {row.name: row for row in describe_settings(EchoSettings)}
    assert list(rows)[:2] == ["DAYLILY_HOST", "DAYLILY_PORT"]
    assert (rows["DAYLILY_PORT"].type, rows["DAYLILY_PORT"].default) == ("integer", "50060")
    assert rows["DAYLILY_STORE_URL"].default is None
    assert rows["DAYLILY_STORE_URL"].help == "Where echoes are kept."
    assert rows["DAYLILY_INSECURE"].type == "true | false"
    assert rows["DAYLILY_INSECURE"].default == "false"
    assert rows["DAYLILY_TLS_CERT"].type == "file"
    assert rows["DAYLILY_API_TOKEN"].type == "secret"
    assert rows["DAYLILY_LOG_FORMAT"].type == "json | console"
    assert rows["DAYLILY_SHARDS"].type == "tuple[integer, …]"
    assert all(row.help for row in rows.values())


def test_settings_may_be_few():
    class Tiny(Settings):
        depth: int = 3

    assert Tiny.load().depth == 3
