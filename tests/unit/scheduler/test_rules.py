"""The constants of the policy, as they are set."""

from datetime import timedelta

from daylily_scheduler.domain.rules import DEFAULT_RULES
from daylily_scheduler.settings import SchedulerSettings


def test_the_defaults_of_the_settings_are_those_of_the_policy():
    assert SchedulerSettings.load().rules() == DEFAULT_RULES


def test_what_is_set_reaches_the_policy():
    rules = SchedulerSettings.load(
        low_rises_after_runs=3, low_rises_after_hours=6, delay_usd_low=0.5, crowding=1
    ).rules()
    assert rules.low_rises_after_runs == 3
    assert rules.low_rises_after == timedelta(hours=6)
    assert rules.delay_usd_per_hour == (8.0, 1.0, 0.5)
    assert rules.crowding == 1
