"""Certificates that are replaced under a server that goes on."""

import asyncio

import grpc
import pytest
from structlog.testing import capture_logs

from daylily_runtime import healthcheck, running
from tests.integration.runtime.echo_service import Echo, connected, echo_server
from tests.support.certificates import make


@pytest.fixture
def authorities():
    return make("old authority"), make("new authority")


def trusting(authority, client=None):
    if client is None:
        return grpc.ssl_channel_credentials(authority.cert_pem)
    return grpc.ssl_channel_credentials(authority.cert_pem, client.key_pem, client.cert_pem)


async def works(server, credentials):
    async with connected(server, credentials) as client:
        try:
            return await client.get(b"hi", timeout=5) == b"hi"
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return False
            raise


async def test_a_new_certificate_counts_for_new_connections_and_old_ones_go_on(
    tmp_path, authorities
):
    old, new = authorities
    cert, key = make("server", old).write(tmp_path, "server")
    echo = Echo()
    server = echo_server(echo, tls_cert=cert, tls_key=key)
    async with running(server), connected(server, trusting(old)) as kept:
        held = asyncio.ensure_future(kept.get(b"held"))
        stream = kept.watch(b"for ever")
        assert await stream.read() == b"0"
        assert not await works(server, trusting(new))

        make("server", new).write(tmp_path, "server")
        assert await works(server, trusting(new))
        assert not await works(server, trusting(old))
        # The connection from before goes on, and so do its calls.
        assert await kept.get(b"hi") == b"hi"
        assert await stream.read() == b"1"
        echo.release.set()
        assert await held == b"held"


async def test_half_of_a_pair_changes_nothing(tmp_path, authorities):
    old, new = authorities
    cert, key = make("server", old).write(tmp_path, "server")
    server = echo_server(Echo(), tls_cert=cert, tls_key=key)
    with capture_logs() as logs:
        async with running(server):
            other = make("server", new)
            key.write_bytes(other.key_pem)
            assert await works(server, trusting(old))
            assert await works(server, trusting(old))
            cert.write_bytes(other.cert_pem)
            assert await works(server, trusting(new))
            cert.write_text("no certificate\n")
            assert await works(server, trusting(new))
            cert.unlink()
            assert await works(server, trusting(new))
    events = [line["event"] for line in logs]
    assert events.count("tls_files_reloaded") == 1
    assert events.count("tls_files_not_reloaded") == 3  # once for each state, not for each try


async def test_files_are_followed_through_links(tmp_path, authorities):
    """As secrets are mounted into containers: a link to a folder is turned over at once."""
    old, new = authorities
    for name, authority in (("a", old), ("b", new)):
        (tmp_path / name).mkdir()
        make("server", authority).write(tmp_path / name, "server")
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "a")
    server = echo_server(
        Echo(), tls_cert=current / "server.cert.pem", tls_key=current / "server.key.pem"
    )
    async with running(server):
        assert await works(server, trusting(old))
        following = tmp_path / "following"
        following.symlink_to(tmp_path / "b")
        following.replace(current)
        assert await works(server, trusting(new))


async def test_the_authority_of_clients_is_replaced_too(tmp_path, authorities):
    old, new = authorities
    cert, key = make("server", old).write(tmp_path, "server")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(old.cert_pem)
    server = echo_server(Echo(), tls_cert=cert, tls_key=key, tls_client_ca=ca)
    before, after = make("monitor", old), make("monitor", new)
    async with running(server):
        assert await works(server, trusting(old, before))
        assert not await works(server, trusting(old, after))
        ca.write_bytes(old.cert_pem + new.cert_pem)
        assert await works(server, trusting(old, before))
        assert await works(server, trusting(old, after))
        ca.write_bytes(new.cert_pem)
        assert not await works(server, trusting(old, before))
        assert await works(server, trusting(old, after))
        assert not await works(server, trusting(old))


@pytest.mark.parametrize("mutual", [False, True])
async def test_the_health_check_of_a_container_gets_through(tmp_path, monkeypatch, mutual):
    authority = make("authority")
    cert, key = make("server", authority).write(tmp_path, "server")
    cert.write_bytes(cert.read_bytes() + authority.cert_pem)
    ca, _ = authority.write(tmp_path, "ca")
    files = {"tls_cert": cert, "tls_key": key, **({"tls_client_ca": ca} if mutual else {})}
    server = echo_server(Echo(), **files)
    async with running(server):
        for name, path in files.items():
            monkeypatch.setenv(f"DAYLILY_{name.upper()}", str(path))
        monkeypatch.setattr("sys.argv", ["healthcheck", f"localhost:{server.port}"])
        assert await asyncio.to_thread(healthcheck.main) == 0
