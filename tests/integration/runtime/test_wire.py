"""Addresses, ports and TLS."""

import asyncio
import time
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from daylily_runtime import ServerSettings, SettingsError, StartError, running
from tests.integration.runtime.echo_service import Echo, connected, echo_server
from tests.support.certificates import make


@pytest.fixture(scope="module")
def authority():
    return make("authority")


@pytest.fixture
def files(tmp_path: Path, authority):
    server = make("server", authority)
    paths = {name: tmp_path / f"{name}.pem" for name in ("cert", "key", "ca")}
    paths["cert"].write_bytes(server.cert_pem)
    paths["key"].write_bytes(server.key_pem)
    paths["ca"].write_bytes(authority.cert_pem)
    return paths


async def test_tls_from_files_lets_in_who_trusts_the_authority(files, authority):
    server = echo_server(
        Echo(), tls_cert=files["cert"], tls_key=files["key"], host="0.0.0.0", insecure=True
    )
    trusting = grpc.ssl_channel_credentials(authority.cert_pem)
    async with running(server):
        async with grpc.aio.secure_channel(f"localhost:{server.port}", trusting) as channel:
            assert await channel.unary_unary("/echo.v1.Echo/Get")(b"hi", timeout=10) == b"hi"
        async with grpc.aio.insecure_channel(f"localhost:{server.port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await channel.unary_unary("/echo.v1.Echo/Get")(b"hi", timeout=10)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_mutual_tls_lets_in_only_who_shows_a_certificate_of_the_authority(files, authority):
    server = echo_server(
        Echo(), tls_cert=files["cert"], tls_key=files["key"], tls_client_ca=files["ca"]
    )
    known = make("monitor", authority)
    stranger = make("stranger", make("other authority"))
    async with running(server):
        good = grpc.ssl_channel_credentials(authority.cert_pem, known.key_pem, known.cert_pem)
        async with connected(server, good) as client:
            assert await client.get(b"hi", timeout=10) == b"hi"
        for bad in (
            grpc.ssl_channel_credentials(authority.cert_pem),
            grpc.ssl_channel_credentials(authority.cert_pem, stranger.key_pem, stranger.cert_pem),
        ):
            async with connected(server, bad) as client:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await client.get(b"hi", timeout=10)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_files_that_are_no_certificates_are_a_sentence(files):
    files["cert"].write_text("no certificate\n")
    server = echo_server(Echo(), tls_cert=files["cert"], tls_key=files["key"])
    with pytest.raises(StartError, match="DAYLILY_TLS_CERT"):
        await server.start()


async def test_a_key_of_another_certificate_is_a_sentence(files):
    files["key"].write_bytes(make("other").key_pem)
    server = echo_server(Echo(), tls_cert=files["cert"], tls_key=files["key"])
    with pytest.raises(StartError, match="DAYLILY_TLS_CERT"):
        await server.start()


async def test_a_taken_port_is_a_sentence():
    first = echo_server(Echo())
    async with running(first):
        second = echo_server(Echo(), port=first.port)
        with pytest.raises(StartError, match=rf"127\.0\.0\.1:{first.port}"):
            await second.start()


async def test_port_0_takes_a_free_port_and_tells_it():
    server = echo_server(Echo())
    assert server.port == 0
    async with running(server), connected(server) as client:
        assert server.port > 0
        assert await client.get(b"hi") == b"hi"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_it_listens_on_loopback_by_any_name(host):
    server = echo_server(Echo(), host=host)
    async with running(server), connected(server) as client:
        assert await client.get(b"hi", timeout=10) == b"hi"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "daylily.example"])
def test_it_refuses_to_listen_beyond_loopback_without_tls(host):
    with pytest.raises(SettingsError, match="DAYLILY_HOST"):
        ServerSettings.load(host=host)


async def test_it_listens_anywhere_when_told_insecure():
    server = echo_server(Echo(), host="0.0.0.0", insecure=True)
    async with (
        running(server),
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        assert await channel.unary_unary("/echo.v1.Echo/Get")(b"hi", timeout=10) == b"hi"


async def test_an_authority_that_is_none_is_a_sentence(files):
    files["ca"].write_text("no certificate\n")
    server = echo_server(
        Echo(), tls_cert=files["cert"], tls_key=files["key"], tls_client_ca=files["ca"]
    )
    with pytest.raises(StartError, match="DAYLILY_TLS_CLIENT_CA"):
        await server.start()


async def test_an_old_connection_is_replaced_without_an_error_and_ends_no_long_poll():
    echo = Echo()
    server = echo_server(echo, max_connection_age_seconds=0.2)
    with capture_logs() as logs:
        async with running(server), connected(server) as client:
            held = asyncio.ensure_future(client.get(b"held"))
            await echo.arrived.wait()
            end = time.monotonic() + 1
            while time.monotonic() < end:
                assert await client.get(b"hi") == b"hi"
                await asyncio.sleep(0.01)
            echo.release.set()
            assert await held == b"held"
    peers = {line["peer"] for line in logs if line["event"] == "call"}
    assert len(peers) >= 3
