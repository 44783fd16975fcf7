import pytest
from click.testing import CliRunner

from daylily_client.cli.app import worksets
from daylily_notifier.main import main
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import SettingsError
from tests.support.ports import free_port
from tests.support.tools import ROOT

ARN = "arn:aws:sns:us-west-2:123456789012:daylily"
GOOD = f"""
channels:
  lab: {{kind: sns, topic_arn: '{ARN}'}}
routes:
  - channels: lab
  - {{match: {{event: error}}, channels: lab}}
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "notifier.yaml"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("DAYLILY_NOTIFIER_CONFIG", raising=False)
    monkeypatch.delenv("DAYLILY_NOTIFIER_SNS_TOPIC_ARN", raising=False)


def test_check_says_what_a_good_file_holds(file, capsys):
    file.write_text(GOOD)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == "lab: sns, 2 routes\n1 channel: all is well\n"


def test_check_takes_the_file_of_the_settings(file, monkeypatch, capsys):
    file.write_text("")
    monkeypatch.setenv("DAYLILY_NOTIFIER_CONFIG", str(file))
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "0 channels: all is well\n"


def test_check_of_a_wrong_file_names_the_key_and_fails(file, capsys):
    file.write_text(GOOD.replace("kind: sns", "kind: fax"))
    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"{file}:3: channels.lab.kind: expected one of:"
        " apprise, email, linear, pagerduty, slack, sns, webhook\n"
    )


def test_serve_refuses_a_wrong_file_before_it_listens(file, monkeypatch, capsys):
    file.write_text("routes: [")
    monkeypatch.setenv("DAYLILY_NOTIFIER_CONFIG", str(file))
    assert main(["serve"]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_file_and_a_topic_contradict(file, monkeypatch):
    monkeypatch.setenv("DAYLILY_NOTIFIER_CONFIG", str(file))
    monkeypatch.setenv("DAYLILY_NOTIFIER_SNS_TOPIC_ARN", ARN)
    with pytest.raises(SettingsError, match="drop one"):
        NotifierSettings.load()


def test_a_topic_alone_is_a_configuration(monkeypatch):
    monkeypatch.setenv("DAYLILY_NOTIFIER_SNS_TOPIC_ARN", ARN)
    assert NotifierSettings.load().load_config({}).channels["sns"].topic_arn == ARN


def test_without_either_there_are_no_channels():
    assert NotifierSettings.load().load_config({}).channels == {}


def test_the_example_is_a_good_file(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["check", "services/notifier/notifier.example.yaml"]) == 0
    assert "2 channels: all is well" in capsys.readouterr().out


def test_check_with_credentials_asks_the_channels(file, capsys):
    file.write_text(
        f"channels: {{hook: {{kind: webhook, url: 'http://127.0.0.1:{free_port()}'}}}}\n"
    )
    assert main(["check", "--credentials", str(file)]) == 1
    assert "hook: FAILED: ConnectError" in capsys.readouterr().out


def test_the_command_line_of_worksets_has_it_too(file):
    file.write_text(GOOD)
    ran = CliRunner().invoke(worksets, ["notifier", "check", "--offline", str(file)])
    assert ran.exit_code == 0
    assert "1 channel: all is well" in ran.output
    file.write_text("channels: 3\n")
    ran = CliRunner().invoke(worksets, ["notifier", "check", str(file)])
    assert ran.exit_code == 2
    assert "channels:" in ran.output
