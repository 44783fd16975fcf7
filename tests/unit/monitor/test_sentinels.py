from datetime import UTC, datetime

import pytest

from daylily_client.monitor.sentinels import (
    Sentinel,
    is_new_work,
    sentinel_body,
    sentinels_among,
)

OTHERS = [sentinel for sentinel in Sentinel if sentinel is not Sentinel.READY]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_folder_with_ready_alone_is_new_work():
    assert is_new_work({Sentinel.READY})


@pytest.mark.parametrize("other", OTHERS)
def test_a_folder_that_anybody_had_already_is_not(other):
    assert not is_new_work({Sentinel.READY, other})


def test_a_folder_without_sentinels_is_not():
    assert not is_new_work(set())


def test_only_the_six_names_are_sentinels():
    names = ["daylily.ready", "daylily.ready.bak", "daylily.log", "daylily_work.yaml"]

    assert sentinels_among(names) == {Sentinel.READY}


def test_a_body_is_the_time_and_for_an_error_the_reason_on_one_line():
    assert sentinel_body(AT) == "2026-01-02T03:04:05Z"
    assert sentinel_body(AT, "bad\n data") == "2026-01-02T03:04:05Z\tbad data"
