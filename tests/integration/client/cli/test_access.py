"""The command line against a state service that wants to know who calls."""

import pytest
import yaml

from daylily_runtime.access.new_token import write_token
from daylily_runtime.access.tokens import hash_of, new_token
from tests.integration.client.cli.conftest import Cli
from tests.support.state_process import state_process

TOKEN = new_token()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "identities.yaml"
    who = {"name": "olga", "role": "operator", "tokens": [hash_of(TOKEN)]}
    file.write_text(yaml.safe_dump({"identities": [who]}))
    with state_process(folder, {"DAYLILY_IDENTITIES": str(file)}) as server:
        yield server


@pytest.fixture
def asking(guarded):
    def cli(**environment):
        return Cli({"DAYLILY_STATE_ADDRESS": guarded.address, "TZ": "UTC", **environment})

    return cli


def test_without_a_token_it_is_told_to_send_one(asking):
    assert asking().refused("list") == (1, "UNAUTHENTICATED")
    assert "--token-file" in asking()("list").stderr


@pytest.mark.parametrize("way", ["option", "file", "variable"])
def test_a_token_comes_from_a_file_or_the_environment(asking, tmp_path, way):
    path = tmp_path / "token"
    write_token(path, TOKEN)
    options = ("--token-file", str(path)) if way == "option" else ()
    environment = {
        "option": {},
        "file": {"DAYLILY_TOKEN_FILE": str(path)},
        "variable": {"DAYLILY_TOKEN": TOKEN},
    }[way]
    name = f"ws-{way}"
    asking(**environment).done(*options, "register", name, "--bucket", "b", "--prefix", "p/")
    history = asking(DAYLILY_TOKEN=TOKEN).json("history", name)
    assert [event["actor"] for event in history["events"]] == ["olga"]


def test_a_wrong_token_is_shown_to_nobody(asking, tmp_path):
    result = asking(DAYLILY_TOKEN="dlt_wrong-but-secret")("list")
    assert result.exit_code == 1
    assert "The bearer token is not known" in result.stderr
    assert "wrong-but-secret" not in result.output
    (tmp_path / "token").write_text("two words")
    result = asking()("--token-file", str(tmp_path / "token"), "list")
    assert result.exit_code == 2
    assert "two words" not in result.output


def test_a_token_is_not_sent_to_another_machine_in_plain_text(asking):
    result = asking(DAYLILY_TOKEN=TOKEN)("--state", "192.0.2.1:50051", "list")
    assert result.exit_code == 2
    assert "only over TLS" in result.stderr
