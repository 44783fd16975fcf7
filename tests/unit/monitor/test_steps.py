import pytest

from daylily_client.monitor.steps import Step, first_bytes, last_bytes, read_step

BEFORE = Step("stage_samples", 20)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("::step run_pipeline 40", Step("run_pipeline", 40)),
        ("::step run_pipeline 40 aligning HG002", Step("run_pipeline", 40, "aligning HG002")),
        ("  ::step run_pipeline 140\r", Step("run_pipeline", 100)),
        ("::step run_pipeline", Step("run_pipeline", 20)),
        ("::step run_pipeline 40 \x1b[1mHG002\t", Step("run_pipeline", 40, "[1mHG002")),
    ],
)
def test_a_step_line_tells_how_far_the_run_is(line, step):
    assert read_step(line, before=BEFORE) == step


@pytest.mark.parametrize(
    "line", ["", "step run_pipeline 40", "x ::step a 1", "::step", "::step " + "x" * 65]
)
def test_every_other_line_is_just_log(line):
    assert read_step(line, before=BEFORE) is None


def test_a_message_is_cut_to_what_state_takes():
    step = read_step("::step run_pipeline 1 " + "ä" * 100, before=BEFORE)

    assert step == Step("run_pipeline", 1, "ä" * 64)


def test_texts_are_cut_between_characters():
    assert first_bytes("aä", 2) == "a"
    assert last_bytes("äa", 2) == "a"
