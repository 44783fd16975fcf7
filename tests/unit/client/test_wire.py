"""Where a client connects to, and with what."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daylily_client import TlsFiles, duration, struct, timestamp
from daylily_client.wire import CHANNEL_OPTIONS, target


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("localhost:50051", "dns:///localhost:50051"),
        ("state.lab.internal:50051", "dns:///state.lab.internal:50051"),
        ("10.0.0.1:50051,10.0.0.2:50051", "ipv4:10.0.0.1:50051,10.0.0.2:50051"),
        (["localhost:1", "127.0.0.1:2"], "ipv4:127.0.0.1:1,127.0.0.1:2"),
        (["[::1]:1", "[::1]:2"], "ipv6:[::1]:1,[::1]:2"),
        (" a:1 ,", "dns:///a:1"),
        ("unix:///run/state.sock", "unix:///run/state.sock"),
    ],
)
def test_addresses_become_a_target(addresses, expected):
    assert target(addresses) == expected


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ("", "no address"),
        ("localhost", "host:port"),
        ("localhost:", "host:port"),
        ("one.lab:1,two.lab:1", "one DNS name"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(addresses, said):
    with pytest.raises(ValueError, match=said):
        target(addresses)


def test_channels_go_round_healthy_servers_and_ping_no_faster_than_servers_allow():
    options = dict(CHANNEL_OPTIONS)
    config = json.loads(str(options["grpc.service_config"]))
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    assert config["healthCheckConfig"] == {"serviceName": ""}
    assert options["grpc.keepalive_time_ms"] == 10_000


def test_a_certificate_without_its_key_is_refused():
    with pytest.raises(ValueError, match="private key"):
        TlsFiles(cert=Path("client.pem"))


def test_durations_come_from_seconds_and_timedeltas():
    assert duration(1.5) == duration(timedelta(seconds=1.5))
    assert (duration(1.5).seconds, duration(1.5).nanos) == (1, 500_000_000)


def test_a_time_without_a_zone_is_refused():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert timestamp(noon).ToDatetime(tzinfo=UTC) == noon
    with pytest.raises(ValueError, match="time zone"):
        timestamp(noon.replace(tzinfo=None))


def test_a_struct_takes_what_json_holds():
    assert dict(struct({"a": 1, "b": ["c", None]}).fields)["a"].number_value == 1
