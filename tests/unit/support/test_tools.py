import pytest

from tests.support.ports import free_port, wait_until_listening
from tests.support.tools import ROOT, find_tool, require_tool


def test_a_tool_on_the_path_is_found():
    assert find_tool("sh") is not None


def test_a_missing_tool_skips_the_test_and_says_how_to_get_it():
    with pytest.raises(pytest.skip.Exception, match="no-such-tool is missing: `make test-tools`"):
        require_tool("no-such-tool")


@pytest.fixture
def suite_with_a_skip(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest('pytest_plugins = ["tests.support.no_skips"]')
    pytester.makepyfile(
        """
        import pytest

        def test_skipped(): pytest.skip("no tool")

        @pytest.mark.xfail
        def test_known_to_fail(): assert False
        """
    )
    return pytester


def test_a_skip_is_a_skip_at_home(suite_with_a_skip, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    outcomes = suite_with_a_skip.runpytest_subprocess().parseoutcomes()
    assert outcomes == {"skipped": 1, "xfailed": 1}


def test_a_skip_is_a_failure_in_ci(suite_with_a_skip, monkeypatch):
    monkeypatch.setenv("CI", "true")
    outcomes = suite_with_a_skip.runpytest_subprocess().parseoutcomes()
    assert outcomes == {"failed": 1, "xfailed": 1}


def test_waiting_for_a_silent_port_gives_up():
    with pytest.raises(TimeoutError):
        wait_until_listening(free_port(), seconds=0.1)
