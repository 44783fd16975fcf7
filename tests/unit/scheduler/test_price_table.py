"""The operator's table: what it means, and what is wrong with it, key by key."""

from datetime import timedelta

import pytest

from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.prices.table import TableError, read_table, region_of

WHOLE = """
start_minutes: 10
fixed_cost_per_hour_usd: 1.2
clusters:
  - zone: us-west-2a
    instance_types: [c7i.48xlarge]
    vcpus: 192
    memory_gb: 384.0
    slots: 8
    price_per_vcpu_hour_usd: 0.02
    most: 3
  - zone: eu-central-1b
    region: eu-central-1
    vcpus: 96
    memory_gb: 192.0
    price_per_vcpu_hour_usd: 0.03
    fixed_cost_per_hour_usd: 0.0
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "offers.yaml"
        path.write_text(text)
        return path

    return write


def test_a_table_says_what_can_be_created(file):
    first, second = (line.offer for line in read_table(file(WHOLE), spot=False))
    assert (first.region, first.zone, first.most) == ("us-west-2", "us-west-2a", 3)
    assert first.size == Resources(192, 384 * 1024, 0, 8)
    assert (first.start, first.idle_shutdown) == (timedelta(minutes=10), timedelta(minutes=30))
    assert (first.price_per_vcpu_hour_usd, first.fixed_cost_per_hour_usd) == (0.02, 1.2)
    assert (second.instance_types, second.size.slots) == (frozenset(), 1)
    assert second.fixed_cost_per_hour_usd == 0.0


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("clusters: []", "clusters: list should have at least 1 item"),
        ("cluster: []", "clusters is missing"),
        ("cluster: []", "cluster: there is no such key"),
        ("clusters: 3", "clusters: input should be a valid list"),
        ("- a", "the file: input should be a valid dictionary"),
        ("", "clusters is missing"),
        (
            "clusters: [{vcpus: 8, memory_gb: 1.0, price_per_vcpu_hour_usd: 1}]",
            "clusters[0].zone is",
        ),
        (
            "clusters: [{zone: a, vcpus: many, memory_gb: 1.0, price_per_vcpu_hour_usd: 1.0}]",
            "clusters[0].vcpus: input should be a valid integer",
        ),
        (
            "clusters: [{zone: a, vcpus: 8, memory_gb: 1.0, price_per_vcpu_hour_usd: -1.0}]",
            "clusters[0].price_per_vcpu_hour_usd: input should be greater than or equal to 0",
        ),
        (
            "clusters: [{zone: a, vcpus: 8, memory_gb: .inf, price_per_vcpu_hour_usd: 1.0}]",
            "clusters[0].memory_gb: input should be a finite number",
        ),
        (
            "clusters: [{zone: 'a b', vcpus: 8, memory_gb: 1.0, price_per_vcpu_hour_usd: 1.0}]",
            "clusters[0].zone: string should match",
        ),
        (
            "clusters: [{zone: a, vcpus: 8, memory_gb: 1.0}]",
            "clusters[0].price_per_vcpu_hour_usd is missing; spot prices are not asked for",
        ),
        ("clusters: {{", "cannot be read"),
    ],
)
def test_a_fault_names_its_key(file, line, fault):
    with pytest.raises(TableError) as found:
        read_table(file(line), spot=False)
    assert fault in str(found.value)
    assert "offers.yaml: " in str(found.value)


def test_a_price_may_be_left_to_ec2_where_it_is_asked(file):
    text = "clusters: [{zone: us-west-2a, instance_types: [c7i.large], vcpus: 8, memory_gb: 16.0}]"
    (line,) = read_table(file(text), spot=True)
    assert not line.priced
    with pytest.raises(TableError, match=r"clusters\[0\] needs price_per_vcpu_hour_usd or"):
        read_table(file(text.replace("instance_types: [c7i.large], ", "")), spot=True)


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path / "none.yaml", spot=False)


@pytest.mark.parametrize(
    ("zone", "region"),
    [("us-west-2a", "us-west-2"), ("us-gov-east-1c", "us-gov-east-1"), ("us-west-2", "us-west-2")],
)
def test_a_region_is_read_off_its_zone(zone, region):
    assert region_of(zone) == region
