"""Files of decisions: whole or not at all, bounded, and readable by whoever finds them."""

import asyncio
import gzip
import os
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import CliRunner

from daylily_runtime import Offload
from daylily_runtime.testing import ManualClock
from daylily_scheduler.domain.inputs import Answer, Kind, Question, answer, inputs_of
from daylily_scheduler.domain.model import Estimate
from daylily_scheduler.domain.rules import Rules
from daylily_scheduler.recording.command import replay
from daylily_scheduler.recording.constants import ConstantError, changed
from daylily_scheduler.recording.files import (
    UNFINISHED,
    WORKSETS_A_LINE,
    Folder,
    Record,
    RecordError,
    decisions,
    read,
)
from daylily_scheduler.recording.recorder import LEAST_SECONDS, Recorder
from tests.support.scheduling import NOW, book, cluster, workset

CLAIM = Question(Kind.CLAIM, ("c1",))
MEGABYTE = 1024 * 1024


def known(number=3):
    return book(cluster("c1"), *(workset(f"w{n}") for n in range(number)))


def record(number=3, at=NOW):
    inputs = inputs_of(known(number), CLAIM, at)
    return Record(inputs, answer(inputs))


def test_a_decision_is_read_as_it_was_written(tmp_path):
    written = record(2 * WORKSETS_A_LINE + 1)
    path = Folder(tmp_path, MEGABYTE).write(written)
    assert path.name == "20260301T120000.000000Z-claim.decision.gz"
    assert read(path) == written
    assert written.answer.words() == "w0 on c1"


def test_the_oldest_go_when_the_folder_is_full(tmp_path):
    size = Folder(tmp_path / "one", MEGABYTE).write(record()).stat().st_size
    folder = Folder(tmp_path / "many", int(3.5 * size))
    names = [folder.write(record(at=NOW + timedelta(seconds=n))).name for n in range(6)]
    assert [path.name for path in decisions(tmp_path / "many")] == names[-3:]


def test_one_that_alone_is_too_large_is_not_kept(tmp_path):
    folder = Folder(tmp_path, 100)
    assert folder.write(record()) is None
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_unfinished_is_removed_and_never_read(tmp_path):
    left_over = tmp_path / f"20260301T120000.000000Z-claim.decision.gz{UNFINISHED}"
    left_over.write_bytes(b"half")
    assert decisions(tmp_path) == []
    Folder(tmp_path, MEGABYTE)
    assert not left_over.exists()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    folder = Folder(tmp_path, MEGABYTE)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.write(record())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Folder(tmp_path / "file", MEGABYTE)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "truncated|format"),
        (b"not compressed", "gzipped"),
        (gzip.compress(b"{}"), "its format is None"),
        (gzip.compress(b'{"format": 99}'), "its format is 99, this version reads 1"),
        (gzip.compress(b'{"format": 1}'), "missing required field"),
        (gzip.compress(b"[]"), "its format is None"),
        (gzip.compress(b'{"format": 1')[:-4], "."),
    ],
)
def test_a_file_that_holds_no_decision_says_so(tmp_path, content, why):
    path = tmp_path / "x.decision.gz"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=why):
        read(path)


# --- recording ---


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
async def recorder(tmp_path, clock):
    threads = Offload(workers=1, waiting=1, name="recordings")
    yield Recorder(Folder(tmp_path, MEGABYTE), threads, clock)
    await threads.close()


async def test_at_most_one_decision_in_a_second_is_recorded(tmp_path, clock, recorder):
    for _ in range(3):
        for _ in range(5):
            inputs = recorder.inputs(known(), CLAIM, clock.now())
            recorder.record(inputs, Answer())
        await recorder.close()
        await clock.advance(LEAST_SECONDS)
    assert recorder.recorded == len(decisions(tmp_path)) == 3


async def test_none_is_recorded_while_another_is_being_written(clock, recorder):
    recorder.record(recorder.inputs(known(), CLAIM, NOW), Answer())
    clock.tick(LEAST_SECONDS)
    assert recorder.inputs(known(), CLAIM, NOW) is None
    await recorder.close()
    assert recorder.inputs(known(), CLAIM, NOW) is not None


async def test_a_disk_that_is_full_stops_nobody(clock, recorder, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    recorder.record(recorder.inputs(known(), CLAIM, NOW), Answer())
    await recorder.close()
    assert recorder.recorded == 0
    await asyncio.sleep(0)


# --- the command ---


def test_decisions_are_made_again_and_all_the_same(tmp_path):
    folder = Folder(tmp_path, MEGABYTE)
    for n in range(3):
        folder.write(record(at=NOW + timedelta(seconds=n)))
    result = CliRunner().invoke(replay, [str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == (
        "2026-03-01 12:00:00  claim of c1  w0 on c1  (3 waiting, 1 clusters)  same"
    )
    assert result.stdout.splitlines()[-1] == (
        "3 made again, 0 differ; what they start costs $1.20 recorded, $1.20 again"
    )


def test_one_that_comes_out_differently_is_shown(tmp_path):
    other = record()
    path = Folder(tmp_path, MEGABYTE).write(replace(other, answer=Answer()))
    result = CliRunner().invoke(replay, [str(path)])
    assert result.exit_code == 1
    assert "    recorded: nothing; again: w0 on c1" in result.stdout
    as_json = CliRunner().invoke(replay, [str(path), "--json"])
    assert '"same": false' in as_json.stdout


def test_a_path_without_decisions_is_an_error_in_words(tmp_path):
    result = CliRunner().invoke(replay, [str(tmp_path)])
    assert result.exit_code == 1
    assert "no decision is recorded there" in result.stderr
    (tmp_path / "x.decision.gz").write_bytes(b"nonsense")
    assert "x.decision.gz" in CliRunner().invoke(replay, [str(tmp_path)]).stderr


def test_under_other_constants_the_difference_is_shown_and_is_no_failure(tmp_path):
    short = workset("short", age_s=60, estimate=Estimate(hours=1))
    long = workset("long", age_s=3600, estimate=Estimate(hours=30))
    inputs = inputs_of(book(cluster("c1", slots=1), short, long), CLAIM, NOW)
    path = Folder(tmp_path, MEGABYTE).write(Record(inputs, answer(inputs)))
    first = CliRunner().invoke(replay, [str(path)])
    assert (first.exit_code, "short on c1" in first.stdout) == (0, True)
    # Age alone: the long one was there before.
    other = CliRunner().invoke(replay, [str(path), "--set", "hours_per_hour=0"])
    assert other.exit_code == 0
    assert "    recorded: short on c1; again: long on c1" in other.stdout
    assert "1 made again, 1 differ; what they start costs $0.32 recorded, $9.60 again" in (
        other.stdout
    )


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("crowding=2", 2.0),
        ("most_planned=3", 3),
        ("low_rises_after=6h", timedelta(hours=6)),
        ("review_after=90s", timedelta(seconds=90)),
        ("delay_usd_per_hour=1,2,3.5", (1.0, 2.0, 3.5)),
    ],
)
def test_a_constant_is_changed_by_its_name(words, value):
    assert getattr(changed(Rules(), [words]), words.partition("=")[0]) == value


@pytest.mark.parametrize(
    "words", ["crowding", "none=3", "most_planned=1.5", "low_rises_after=6", "delay_usd_per_hour=1"]
)
def test_a_change_that_is_none_is_refused_by_name(words, tmp_path):
    with pytest.raises(ConstantError, match=words.partition("=")[0]):
        changed(Rules(), [words])
    path = Folder(tmp_path, MEGABYTE).write(record())
    result = CliRunner().invoke(replay, [str(path), "--set", words])
    assert result.exit_code == 2
    assert "--set" in result.stderr
