"""Dashboards and alerts name metrics that the services have, and no others."""

import json
import re
from pathlib import Path

import pytest
import yaml

from daylily_notifier.build import build as notifier_server
from daylily_notifier.config.load import no_channels
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Metrics, Server, running
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings

FILES = Path(__file__).resolve().parents[2] / "dashboards"
SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")


def prometheus_names(metrics: Metrics) -> set[str]:
    return {f"daylily_{instrument.about.name}" for instrument in metrics.instruments}


def cloudwatch_metrics(metrics: Metrics) -> dict[str, set[str]]:
    return {
        instrument.about.cloudwatch: set(instrument.about.labels)
        for instrument in metrics.instruments
        if instrument.about.cloudwatch
    }


@pytest.fixture
async def servers(tmp_path) -> list[Server]:
    """The three services as they start, after which their instruments are known."""
    state = state_server(StateSettings.load(port=0, sqlite_path=tmp_path / "s.db"))
    async with running(state):
        scheduler = scheduler_server(SchedulerSettings.load(port=0, state_address=state.address))
        settings = NotifierSettings.load(port=0, state_address=state.address)
        notifier = notifier_server(settings, no_channels())
        async with running(scheduler), running(notifier):
            return [state, scheduler, notifier]


async def test_grafana_and_the_alerts_ask_for_metrics_that_there_are(servers):
    known = set().union(*(prometheus_names(server.metrics) for server in servers))
    panels = json.loads((FILES / "grafana.json").read_text())["panels"]
    rules = yaml.safe_load((FILES / "alerts.yml").read_text())["groups"][0]["rules"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [rule["expr"] for rule in rules]
    names = {
        SUFFIXES.sub("", name) for query in asked for name in re.findall(r"daylily_\w+", query)
    }
    assert len(names) > 10
    assert names <= known


async def test_the_cloudwatch_dashboard_asks_for_metrics_that_there_are(servers):
    known: dict[str, set[str]] = {}
    for server in servers:
        known |= cloudwatch_metrics(server.metrics)
    widgets = json.loads((FILES / "cloudwatch.json").read_text())["widgets"]
    for widget in widgets:
        for metric in widget["properties"]["metrics"]:
            if isinstance(metric[0], str):
                assert known[metric[1]] == set()
                continue
            dimensions, name = re.findall(
                r"\{Daylily/WorksetMonitor,([\w,]+)\} MetricName=\"(\w+)\"", metric[0]["expression"]
            )[0]
            assert known[name] == set(dimensions.split(","))


def test_every_alert_says_what_to_do():
    rules = yaml.safe_load((FILES / "alerts.yml").read_text())["groups"][0]["rules"]
    assert all(set(rule["annotations"]) == {"summary", "action"} for rule in rules)
