"""What can be told without a service: help, wrong usage, plug-ins, completion."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from daylily.workset.v1 import workset_pb2

from daylily_client.cli import plugins
from daylily_client.cli.app import worksets
from daylily_client.cli.params import PRIORITY, STATE, JsonObject, Pair, Span, When


@pytest.fixture
def run():
    def invoke(*args, **kwargs):
        return CliRunner().invoke(worksets, args, **kwargs)

    return invoke


def own_commands():
    def walk(group, path):
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from walk(command, (*path, name))
            else:
                yield (*path, name), command

    return [pytest.param(path, command, id=" ".join(path)) for path, command in walk(worksets, ())]


@pytest.mark.parametrize(("path", "command"), own_commands())
def test_every_command_says_what_it_does_and_answers_programs(path, command, run):
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert command.help
    if path != ("completion",):
        assert "--json" in result.stdout


def test_the_help_lists_the_exit_codes(run):
    assert "Exit codes: 0 done, 1 refused" in run("--help").stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["list", "--state", "nonsense"], "none of ready, locked, in-progress"),
        (["lock", "ws-1", "--lease", "soon"], "no length of time such as"),
        (["register", "ws-1", "--bucket", "b", "--prefix", "p/", "--label", "x"], "not KEY=VALUE"),
        (["register", "ws-1", "--bucket", "b", "--prefix", "p/", "--metadata", "{"], "no JSON"),
        (["list", "--created-after", "yesterday"], "no time such as"),
        (["update", "ws-1"], "nothing to change"),
        (["--state", "nowhere", "get", "ws-1"], "expected host:port"),
        (["--tls-cert", __file__, "get", "ws-1"], "needs its private key"),
        (["frobnicate"], "No such command"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence_with_exit_code_2(args, said, run):
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.stderr


def test_states_are_typed_in_any_case_and_style():
    for typed in ("in-progress", "IN_PROGRESS", "In-Progress"):
        assert STATE.convert(typed, None, None) == workset_pb2.WORKSET_STATE_IN_PROGRESS
    assert PRIORITY.convert("urgent", None, None) == workset_pb2.PRIORITY_URGENT


@pytest.mark.parametrize(
    ("typed", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5h", timedelta(hours=1.5)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_lengths_of_time(typed, length):
    assert Span().convert(typed, None, None) == length


def test_times_are_absolute_or_from_now():
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert When().convert("2026-01-02T12:00Z", None, None) == noon
    assert When().convert("2026-01-02T13:00+01:00", None, None) == noon
    now = datetime.now(UTC)
    assert timedelta(hours=1.9) < now - When().convert("2h", None, None) < timedelta(hours=2.1)
    assert timedelta(days=2.9) < When().convert("+3d", None, None) - now < timedelta(days=3.1)


def test_metadata_comes_from_a_file_as_well(tmp_path):
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps({"samples": 3}))
    assert JsonObject().convert(f"@{file}", None, None) == {"samples": 3}


def test_a_label_may_hold_an_equals_sign():
    assert Pair().convert("a=b=c", None, None) == ("a", "b=c")


@pytest.fixture
def installed(monkeypatch):
    """Pretends that other distributions brought these commands."""

    def install(*entries):
        monkeypatch.setattr(
            plugins, "entry_points", lambda *, group: entries if group == plugins.GROUP else ()
        )

    return install


@click.command()
@click.option("--state", default="")
@click.argument("rest", nargs=-1)
def fine(state, rest):
    """A command from elsewhere."""
    click.echo(f"{state} {rest}")


def test_a_command_of_another_distribution_is_found_and_told_where_state_is(
    installed, run, monkeypatch
):
    monkeypatch.setitem(sys.modules, "elsewhere", SimpleNamespace(fine=fine))
    installed(EntryPoint("fine", "elsewhere:fine", plugins.GROUP))
    assert "A command from elsewhere." in run("--help").stdout
    result = run("--state", "lab:50051", "fine", "a", "b")
    assert result.stdout == "lab:50051 ('a', 'b')\n"


def test_help_loads_no_library_of_another_command():
    code = (
        "import sys; from daylily_client.cli.app import worksets;"
        "worksets(['--help'], standalone_mode=False);"
        "sys.exit(bool({'boto3', 'daylily_standalone'} & set(sys.modules)))"
    )
    helped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"monitor" in helped.stdout


@pytest.mark.parametrize("name", ["up", "demo", "monitor"])
def test_a_command_that_is_not_installed_says_what_to_install(name, installed, run):
    installed()
    result = run(name, "--whatever", "x")
    assert result.exit_code == 2
    assert f"`worksets {name}` comes with" in result.stderr
    assert f"pip install '{plugins.KNOWN[name].distribution}'" in result.stderr


def test_a_command_whose_library_is_missing_says_which(installed, run):
    installed(EntryPoint("monitor", "no_such_module_at_all:monitor", plugins.GROUP))
    result = run("monitor")
    assert result.exit_code == 2
    assert "needs the module no_such_module_at_all" in result.stderr
    assert "daylily-client[monitor]" in result.stderr


def test_a_broken_command_of_another_distribution_leaves_the_help_readable(installed, run):
    installed(EntryPoint("broken", "json:no_such_name", plugins.GROUP))
    assert run("--help").exit_code == 0
    assert "cannot be loaded" in run("broken").stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell, run):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_WORKSETS_COMPLETE" in result.stdout


def test_the_bash_script_is_one_that_bash_reads(run):
    script = run("completion", "bash").stdout
    checked = subprocess.run(
        ["bash", "-n"], input=script, text=True, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("worksets cl", "clusters"),
        ("worksets list --state in", "in-progress"),
        ("worksets set-state ws-1 com", "complete"),
        ("worksets list --pri", "--priority"),
    ],
)
def test_completion_offers_commands_options_and_states(typed, offered, run):
    env = {
        "_WORKSETS_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    result = CliRunner().invoke(worksets, env=env, prog_name="worksets")
    assert offered in result.stdout
