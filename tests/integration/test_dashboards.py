"""Dashboards, alerts and docs name the metrics that the services have, all of them and no others."""

import json
import re
from pathlib import Path

import pytest
import yaml

from daylily_notifier.build import build as notifier_server
from daylily_notifier.config.load import no_channels
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Counter, Server, running
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "dashboards"
DOCS = ROOT / "docs" / "operations.md"
SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")


def prometheus_labels(servers: list[Server]) -> dict[str, set[str]]:
    return {
        f"daylily_{instrument.about.name}": set(instrument.about.labels)
        for server in servers
        for instrument in server.metrics.instruments
    }


def cloudwatch_dimensions(servers: list[Server]) -> dict[str, set[str]]:
    return {
        instrument.about.cloudwatch: set(instrument.about.dimensions)
        for server in servers
        for instrument in server.metrics.instruments
    }


def grafana_queries() -> list[str]:
    panels = json.loads((FILES / "grafana.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alert_rules() -> list[dict[str, object]]:
    return yaml.safe_load((FILES / "alerts.yml").read_text())["groups"][0]["rules"]


def names_in(query: str) -> set[str]:
    return {SUFFIXES.sub("", name) for name in re.findall(r"daylily_\w+", query)}


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


async def test_grafana_and_the_alerts_ask_for_metrics_and_labels_that_there_are(servers):
    known = prometheus_labels(servers)
    queries = [*grafana_queries(), *(str(rule["expr"]) for rule in alert_rules())]
    for query in queries:
        names = names_in(query)
        assert names
        assert names <= set(known)
        asked = re.findall(r"by \(([\w, ]+)\)", query) + re.findall(r"(\w+)=~?\"", query)
        labels = {label for words in asked for label in re.split(r", *", words)}
        assert labels <= {"instance", "le"}.union(*(known[name] for name in names)), query


async def test_every_metric_is_on_both_dashboards(servers):
    on_grafana = set().union(*map(names_in, grafana_queries()))
    assert on_grafana == set(prometheus_labels(servers))
    text = (FILES / "cloudwatch.json").read_text()
    assert all(re.search(rf"\b{name}\b", text) for name in cloudwatch_dimensions(servers)), (
        cloudwatch_dimensions(servers)
    )


async def test_the_cloudwatch_dashboard_asks_for_metrics_and_dimensions_that_there_are(servers):
    known = cloudwatch_dimensions(servers)
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


async def test_the_docs_have_a_line_for_every_metric_with_its_labels(servers):
    in_docs = {
        (name, cloudwatch, frozenset(filter(None, labels.split(", "))))
        for name, cloudwatch, labels in re.findall(
            r"^\| `(daylily_\w+)` \| (\w+) \| ([\w, ]*?) ?\| ", DOCS.read_text(), re.MULTILINE
        )
    }
    in_code = {
        (
            f"daylily_{about.name}{'_total' if isinstance(instrument, Counter) else ''}",
            about.cloudwatch,
            frozenset(about.labels),
        )
        for server in servers
        for instrument in server.metrics.instruments
        for about in [instrument.about]
    }
    assert in_docs == in_code


def test_every_alert_says_what_to_do():
    assert all(set(rule["annotations"]) == {"summary", "action"} for rule in alert_rules())
