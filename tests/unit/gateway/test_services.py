"""Where the gateway may send its callers' tokens."""

import pytest

from daylily_gateway.services import connected
from daylily_gateway.settings import GatewaySettings
from daylily_runtime import StartError

ELSEWHERE = {"scheduler_address": "scheduler:50052"}


async def test_services_on_other_machines_take_tls_or_a_trusted_network():
    with pytest.raises(StartError, match=r"scheduler:50052.*DAYLILY_SERVICES_TLS_CA.*INSECURE"):
        async with connected(GatewaySettings.load(**ELSEWHERE)):
            pass

    async with connected(GatewaySettings.load(insecure=True, **ELSEWHERE)) as services:
        assert services.scheduler is not None


async def test_a_wrong_address_is_told_as_such():
    with pytest.raises(StartError, match="no address: expected host:port"):
        async with connected(GatewaySettings.load(state_address="state")):
            pass
