"""Quiet hours, rates and minimum priorities."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from daylily_notifier.config.flow import QuietHours, Rate
from tests.unit.notifier.test_config import ARN, config, faults


def quiet(start, end, zone="UTC"):
    return QuietHours.model_validate({"from": start, "to": end, "time_zone": zone})


def at(hour, minute=0, day=1, month=7):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (at(21, 59), None),
        (at(22), at(6, day=2)),
        (at(23, 59), at(6, day=2)),
        (at(0), at(6)),
        (at(5, 59), at(6)),
        (at(6), None),
    ],
)
def test_a_night_begins_one_day_and_ends_on_the_next(now, until):
    assert quiet("22:00", "06:00").until(now) == until


def test_hours_of_one_day():
    assert quiet("12:00", "13:00").until(at(12, 30)) == at(13)
    assert quiet("12:00", "13:00").until(at(13)) is None


def test_hours_are_those_of_the_place():
    assert quiet("22:00", "06:00", "America/Los_Angeles").until(at(6)) == at(13)


def test_the_night_in_which_the_clocks_go_forward_ends_by_the_new_clock():
    """Berlin, 29 March 2026: from 02:00 at once to 03:00."""
    found = quiet("22:00", "06:00", "Europe/Berlin").until(at(23, month=3, day=28))
    assert found == at(4, month=3, day=29)


def test_yaml_reads_some_times_of_day_as_numbers():
    assert quiet(22 * 60, 6 * 60).until(at(23)) == at(6, day=2)


@pytest.mark.parametrize(
    "wrong",
    [("22:00", "22:00", "UTC"), ("24:00", "06:00", "UTC"), ("22:00", "06:00", "Mars/Base")],
)
def test_wrong_hours_are_refused(wrong):
    with pytest.raises(ValidationError):
        quiet(*wrong)


def test_the_file_says_how_much_a_channel_takes():
    read = config(f"""\
    channels:
      lab:
        kind: sns
        topic_arn: {ARN}
        minimum_priority: normal
        rate: 30/1m
        digest: off
        quiet_hours: {{from: "22:00", to: "06:00", time_zone: Europe/Berlin}}
    routes:
      - channels: lab
        quiet_hours: pass
    dead_letters: lab
    """)
    lab = read.channels["lab"]
    assert lab.rate == Rate(30, timedelta(minutes=1))
    assert lab.digest is None
    assert [lab.takes(priority) for priority in ("LOW", "NORMAL", "URGENT", "")] == [
        False,
        True,
        True,
        True,
    ]
    assert read.routes[0].quiet_hours == "pass"
    assert read.dead_letters == ("lab",)


def test_wrong_flow_is_named_with_its_line():
    assert faults(f"""\
    channels:
      lab:
        kind: sns
        topic_arn: {ARN}
        rate: often
        minimum_priority: high
        subject: "{{{{ nothing }}}}"
    dead_letters: [lab, nobody]
    """)[:3] == [
        "notifier.yaml:6: channels.lab.minimum_priority: input should be 'LOW', 'NORMAL' or 'URGENT'",
        "notifier.yaml:5: channels.lab.rate: expected a rate, such as 30/1m, or off",
        (
            "notifier.yaml:7: channels.lab.subject: there is no nothing; there are: subject, text,"
            " url, severity, facts, event_type, state, priority, workset_id, cluster, customer,"
            " event_id, digest, count, episode, what, where, why, since, next, labels"
        ),
    ]
