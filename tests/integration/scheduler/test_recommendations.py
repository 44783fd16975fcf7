"""Which clusters to create and to delete, over real services."""

from datetime import timedelta

import pytest

from daylily_client import duration
from daylily_scheduler.forecasting import FRESH
from tests.integration.scheduler.asking import (
    COMPLETE,
    IN_PROGRESS,
    URGENT,
    add_cluster,
    claim,
    knows,
    move,
    register,
    until,
)
from tests.integration.scheduler.test_decisions import codes

pytestmark = pytest.mark.timeout(120)

TABLE = """
fixed_cost_per_hour_usd: 1.0
clusters:
  - zone: us-west-2a
    instance_types: [c7i.24xlarge]
    vcpus: 96
    memory_gb: 384.0
    price_per_vcpu_hour_usd: 0.04
"""
MINUTE = timedelta(minutes=1)
LONG = {"vcpus": 96, "estimated_duration": duration(4 * 3600)}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "offers.yaml"
    path.write_text(TABLE)
    return path


async def test_worksets_that_wait_are_worth_a_cluster_of_the_operators_table(system, table):
    scheduler = await system.client(await system.scheduler_server(cluster_offers_file=table))
    await add_cluster(scheduler, "c1", slots=1)
    await register(system.state, "runs", **LONG)
    await claim(scheduler, wait=5)
    for name in ("u1", "u2"):
        await register(system.state, name, priority=URGENT, **LONG)
    await knows(scheduler, clusters=1, startable=2, active=1)
    advice = await scheduler.recommend_clusters()
    (creation,) = advice.creations
    assert (creation.count, creation.workset_count) == (2, 2)
    assert list(creation.workset_ids) == ["u1", "u2"]
    assert (creation.region, creation.availability_zone) == ("us-west-2", "us-west-2a")
    assert (creation.size.vcpus, creation.size.memory_gb) == (96, 384)
    assert (creation.price_per_vcpu_hour_usd, creation.fixed_cost_per_hour_usd) == (0.04, 1.0)
    assert creation.saving_usd > 50
    items = {item.kind: item.usd for item in creation.cost_items}
    assert items.keys() == {"compute", "start", "fixed", "idle"}
    assert sum(items.values()) == pytest.approx(creation.cost_usd)
    assert creation.cost_usd == pytest.approx(2 * (96 * 4 * 0.04 + 4.75), rel=0.02)
    assert 11 * 3600 < creation.wait_saved.seconds < 12 * 3600
    assert "2 more clusters of 96 vCPUs" in creation.reason
    assert (advice.price_source, advice.price_problem) == ("file", "")
    assert advice.HasField("priced_at")
    assert not advice.deletions


async def test_an_idle_cluster_is_safe_to_delete_until_it_is_needed(system, scheduler):
    await add_cluster(scheduler, "c1", fixed_cost_per_hour_usd=1.5)
    advice = await scheduler.recommend_clusters()
    assert [(d.cluster_name, d.saving_usd_per_hour) for d in advice.deletions] == [("c1", 1.5)]
    assert advice.price_source == "clusters"
    await register(system.state, "w", vcpus=8)
    await knows(scheduler, clusters=1, startable=1)
    grant = await claim(scheduler, wait=5)
    assert not (await scheduler.recommend_clusters()).deletions
    await move(system.state, grant, IN_PROGRESS, COMPLETE)
    await knows(scheduler, clusters=1)
    system.clock.ahead += FRESH

    async def safe_again():
        await scheduler.update_cluster_utilization(cluster_name="c1")
        return len((await scheduler.recommend_clusters()).deletions) == 1

    await until(safe_again)
    await scheduler.update_cluster_utilization(cluster_name="c1", foreign_vcpus=4)
    assert not (await scheduler.recommend_clusters()).deletions


async def test_what_fits_no_cluster_is_told_the_price_of_one_more(system, table):
    scheduler = await system.client(await system.scheduler_server(cluster_offers_file=table))
    await add_cluster(scheduler, "c1", vcpus=16)
    await register(system.state, "w", vcpus=96, estimated_duration=duration(4 * 3600))
    why = await scheduler.explain_workset(workset_id="w")
    assert codes(why.reasons) == ["NOT_ENOUGH_VCPUS"]
    # 96 vCPUs for 4 hours at 4 cents, and 4.75 hours of a dollar.
    assert list(why.remedies) == [
        "80 more vCPUs free on c1",
        "One more cluster of 96 vCPUs (c7i.24xlarge, us-west-2a): $20.11 for this run, 15 min from now",
    ]


async def test_spot_prices_that_cannot_be_read_show_and_stop_nothing(system, table, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    table.write_text(TABLE.replace("    price_per_vcpu_hour_usd: 0.04\n", ""))
    server = await system.scheduler_server(cluster_offers_file=table, spot_prices=True)
    scheduler = await system.client(server)

    async def told():
        advice = await scheduler.recommend_clusters()
        return advice.price_source == "ec2" and advice.price_problem.startswith("us-west-2: ")

    await until(told, 60)


async def test_spot_prices_of_ec2_price_the_table(system, table, empty_aws, monkeypatch):
    for name, value in empty_aws.environment.items():
        monkeypatch.setenv(name, value)
    text = TABLE.replace("    price_per_vcpu_hour_usd: 0.04\n", "")
    table.write_text(text.replace("c7i.24xlarge", "c5.24xlarge"))
    server = await system.scheduler_server(cluster_offers_file=table, spot_prices=True)
    scheduler = await system.client(server)
    await register(system.state, "u1", priority=URGENT, **LONG)
    await knows(scheduler, startable=1)

    async def priced():
        return (await scheduler.recommend_clusters()).creations

    await until(priced, 60)
    advice = await scheduler.recommend_clusters()
    assert advice.creations[0].price_per_vcpu_hour_usd == pytest.approx(0.00001 / 96)
    assert (advice.price_source, advice.price_problem) == ("ec2", "")


async def test_a_silent_cluster_shows_the_fate_of_its_worksets(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w", vcpus=8)
    grant = await claim(scheduler, wait=5, owner="monitor@c1", lease=duration(3600))
    await move(system.state, grant, IN_PROGRESS)
    await knows(scheduler, clusters=1, active=1)
    heard = (await scheduler.list_clusters()).clusters[0]
    assert (heard.silent, len(heard.held)) == (False, 0)
    assert not heard.HasField("silent_since")
    system.clock.ahead += 10 * MINUTE
    (status,) = (await scheduler.list_clusters()).clusters
    assert status.silent
    assert status.silent_since.seconds > 0
    (held,) = status.held
    assert (held.workset_id, held.owner_id) == ("w", "monitor@c1")
    assert held.lock_expires_at.seconds > status.silent_since.seconds
    why = await scheduler.explain_workset(workset_id="w")
    assert codes(why.reasons) == ["NOT_WAITING", "CLUSTER_SILENT"]
    assert why.summary.startswith("It does not wait: it is IN_PROGRESS, and c1 was last heard from")
    # Nothing new goes there.
    await register(system.state, "next", vcpus=8)
    assert codes((await scheduler.explain_workset(workset_id="next")).reasons) == ["CLUSTER_SILENT"]
