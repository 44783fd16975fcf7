"""The commands and settings of the gateway."""

import pytest

from daylily_gateway import main
from daylily_gateway.settings import GatewaySettings
from daylily_runtime import SettingsError


@pytest.fixture
def started(monkeypatch):
    """The settings that a command would have served with."""
    found: list[GatewaySettings] = []

    def serve(settings: GatewaySettings) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr(main, "_serve", serve)
    return found


def test_the_old_command_starts_the_gateway_with_its_old_options(started, capsys):
    code = main.workset_api(["--host", "127.0.0.1", "--port", "8123", "--verbose"])

    assert code == 0
    assert (started[0].port, started[0].log_level) == (8123, "debug")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("option", "where"),
    [
        (["--table-name", "t"], "state service"),
        (["--create-table"], "daylily-state create-tables"),
        (["--region", "us-west-2"], "DAYLILY_AWS_REGION"),
        (["--profile", "lab"], "AWS_PROFILE"),
        (["--enable-scheduler"], "daylily-scheduler serve"),
        (["--reload"], "start the command again"),
    ],
)
def test_an_old_option_that_is_another_services_now_says_so(started, capsys, option, where):
    main.workset_api(option)

    assert started
    assert where in capsys.readouterr().err


def test_beyond_loopback_it_takes_tls(monkeypatch):
    monkeypatch.setenv("DAYLILY_HOST", "0.0.0.0")

    with pytest.raises(SettingsError, match="DAYLILY_TLS_CERT"):
        GatewaySettings.load()
    assert GatewaySettings.load(insecure=True).host == "0.0.0.0"


@pytest.mark.parametrize("origin", ["*", "lims.lab", "https://lims.lab/", "https://*.lab"])
def test_an_origin_is_one_origin(origin):
    with pytest.raises(SettingsError, match="DAYLILY_CORS_ORIGINS"):
        GatewaySettings.load(cors_origins=[origin])


def test_a_certificate_needs_its_key(tmp_path):
    file = tmp_path / "cert.pem"
    file.write_text("x")

    with pytest.raises(SettingsError, match="DAYLILY_SERVICES_TLS_KEY"):
        GatewaySettings.load(services_tls_cert=file)
