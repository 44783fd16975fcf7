import pytest

from tests.support.ports import free_port, wait_until_listening
from tests.support.tools import find_tool, require_tool


def test_a_tool_on_the_path_is_found():
    assert find_tool("sh") is not None


def test_a_missing_tool_skips_at_home(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-tool is missing"):
        require_tool("no-such-tool")


def test_a_missing_tool_fails_in_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-tool is missing"):
        require_tool("no-such-tool")


def test_waiting_for_a_silent_port_gives_up():
    with pytest.raises(TimeoutError):
        wait_until_listening(free_port(), seconds=0.1)
