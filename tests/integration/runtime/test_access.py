"""Who gets in, what he may, and how much of it: by tokens and certificates, over the wire."""

import asyncio
import io
import logging
from contextlib import asynccontextmanager

import grpc
import pytest
import structlog
import yaml
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from daylily_runtime import StartError, configure_logging, running
from daylily_runtime.access.tokens import hash_of, new_token
from tests.integration.runtime.echo_service import Echo, connected, echo_server, refused
from tests.support.certificates import make

PEOPLE = {
    "vera": "viewer",
    "c1": "monitor",
    "olga": "operator",
    "anna": "admin",
    "scheduler": "service",
}
TOKENS = {name: new_token() for name in PEOPLE}


def entry(name, **more):
    return {"name": name, "role": PEOPLE[name], "tokens": [hash_of(TOKENS[name])], **more}


def document(*entries):
    return yaml.safe_dump({"identities": list(entries)})


EVERYBODY = document(
    *(entry(name, **({"limits": {"clusters": ["c1"]}} if name == "c1" else {})) for name in PEOPLE)
)


def bearing(name):
    return (("authorization", f"Bearer {TOKENS[name]}"),)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "identities.yaml"
    path.write_text(EVERYBODY)
    return path


@asynccontextmanager
async def guarded(file, echo=None, **settings):
    server = echo_server(echo or Echo(), identities=file, **settings)
    async with running(server), connected(server) as client:
        yield client


async def test_who_bears_a_known_token_gets_in_under_its_name(file):
    async with guarded(file) as client:
        assert await client.get(b"hi", metadata=bearing("olga")) == b"hi"
        assert await client.get(b"actor", metadata=bearing("olga")) == b"olga"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ((), "authorization: Bearer"),
        ((("authorization", "Basic YWRhOmFkYQ=="),), "Bearer TOKEN"),
        ((("authorization", "Bearer"),), "Bearer TOKEN"),
        ((("authorization", "Bearer dlt_nobodys"),), "not known"),
        ((("authorization", f"Bearer {TOKENS['anna'][:-1]}"),), "not known"),
        ((("authorization", f"Bearer {hash_of(TOKENS['anna'])}"),), "not known"),
        ((("x-daylily-actor", "anna"),), "authorization: Bearer"),
    ],
)
async def test_who_does_not_stays_outside(file, metadata, said):
    async with guarded(file) as client:
        for call in (client.get(b"hi", metadata=metadata), client.watch(b"hi", metadata=metadata)):
            refusal = await refused(call)
            assert refusal.code == grpc.StatusCode.UNAUTHENTICATED
            assert refusal.info.reason == "UNAUTHENTICATED"
            assert said in refusal.message
            assert "dlt_" not in refusal.message


async def test_a_bad_request_says_nothing_to_who_is_not_known(file):
    async with guarded(file) as client:
        refusal = await refused(client.get(b"\xff"))
        assert refusal.code == grpc.StatusCode.UNAUTHENTICATED


async def test_a_bad_request_of_who_is_known_is_a_bad_request(file):
    async with guarded(file) as client:
        for name in ("c1", "olga", "anna"):
            refusal = await refused(client.get(b"\xff", metadata=bearing(name)))
            assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
            assert refusal.info.reason == "INVALID_FIELD"


@pytest.mark.parametrize(
    ("name", "rpc", "request_", "why"),
    [
        ("vera", "get", b"hi", "it takes a monitor"),
        ("c1", "get", b"force", "with force it takes an operator"),
        ("scheduler", "get", b"force", "with force it takes an operator"),
        ("c1", "get", b"cluster c2", "the cluster is not its own"),
        ("olga", "write", b"hi", "it takes an admin"),
        ("scheduler", "watch", b"hi", "it is nothing that a service does"),
    ],
)
async def test_who_may_not_is_told_why(file, name, rpc, request_, why):
    async with guarded(file) as client:
        refusal = await refused(getattr(client, rpc)(request_, metadata=bearing(name)))
        assert refusal.code == grpc.StatusCode.PERMISSION_DENIED
        assert refusal.info.reason == "PERMISSION_DENIED"
        assert refusal.info.metadata["identity"] == name
        assert refusal.message.endswith(f": {why}.")


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("c1", b"cluster c1"),
        ("c1", b"hi"),
        ("olga", b"force"),
        ("anna", b"force"),
        ("olga", b"cluster c2"),
        ("scheduler", b"hi"),
    ],
)
async def test_who_may_does(file, name, request_):
    async with guarded(file) as client:
        assert await client.get(request_, metadata=bearing(name)) == request_


async def test_an_rpc_without_a_rule_is_for_admins_alone(file):
    async with guarded(file) as client:
        refusal = await refused(client.write(b"hi", metadata=bearing("olga")))
        assert refusal.code == grpc.StatusCode.PERMISSION_DENIED
        stream = client.write(b"hi", metadata=bearing("anna"))
        assert await stream.read() == b"hi"


async def test_only_a_service_is_believed_for_whom_it_acts(file):
    async with guarded(file) as client:
        claim = ("x-daylily-actor", "ada")
        got = await client.get(b"actor", metadata=(*bearing("scheduler"), claim))
        assert got == b"scheduler/ada"
        assert await client.get(b"actor", metadata=(*bearing("c1"), claim)) == b"c1"
        assert await client.get(b"actor", metadata=(*bearing("anna"), claim)) == b"anna"
        long = ("x-daylily-actor", "a" * 200)
        got = await client.get(b"actor", metadata=(*bearing("scheduler"), long))
        assert len(got) == 64


async def test_without_identities_everybody_is_who_he_says():
    server = echo_server(Echo())
    async with running(server), connected(server) as client:
        assert await client.get(b"actor") == b"anonymous"
        claim = (("x-daylily-actor", "ada"),)
        assert await client.get(b"actor", metadata=claim) == b"ada"
        assert await client.get(b"force") == b"force"
        assert await client.collect(iter([b"a", b"b"])) == b"a+b"


async def test_health_is_for_everybody_and_reflection_for_who_is_known(file):
    async with guarded(file) as client:
        health = health_pb2_grpc.HealthStub(client.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        refusal = await refused(stub.ServerReflectionInfo(iter(asked)))
        assert refusal.code == grpc.StatusCode.UNAUTHENTICATED
        found = stub.ServerReflectionInfo(iter(asked), metadata=bearing("vera"))
        assert (await found.read()).list_services_response.service


# --- the file changes ---


async def until(ask, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not await ask():  # noqa: ASYNC110 - it is a server that is asked
            await asyncio.sleep(0.02)


async def test_the_file_is_read_again_when_it_changes(file):
    async with guarded(file) as client:

        async def is_out():
            try:
                await client.get(b"hi", metadata=bearing("olga"))
            except grpc.aio.AioRpcError as error:
                return error.code() == grpc.StatusCode.UNAUTHENTICATED
            return False

        assert not await is_out()
        file.write_text(document(entry("anna")))
        await until(is_out)
        # Replaced as tools do it, by a rename; with two tokens, as in a rotation.
        new = new_token()
        other = file.with_suffix(".new")
        both = [hash_of(TOKENS["olga"]), hash_of(new)]
        other.write_text(document({**entry("olga"), "tokens": both}))
        other.replace(file)

        async def is_in():
            return not await is_out()

        await until(is_in)
        assert await client.get(b"hi", metadata=(("authorization", f"Bearer {new}"),)) == b"hi"


async def test_who_leaves_the_file_loses_his_streams_and_nobody_else(file):
    async with guarded(file) as client:
        gone = client.watch(b"for ever", metadata=bearing("vera"))
        stays = client.watch(b"for ever", metadata=bearing("olga"))
        for stream in (gone, stays):
            assert await stream.read() == b"0"
        file.write_text(document(entry("olga"), entry("anna")))
        refusal = await refused(gone)
        assert refusal.code == grpc.StatusCode.UNAUTHENTICATED
        assert refusal.info.reason == "UNAUTHENTICATED"
        assert await stays.read() == b"1"
        assert await stays.read() == b"2"
        file.write_text(document({**entry("olga"), "role": "viewer"}, entry("anna")))
        assert (await refused(stays)).code == grpc.StatusCode.UNAUTHENTICATED
        again = client.watch(b"for ever", metadata=bearing("olga"))
        assert await again.read() == b"0"
        again.cancel()


async def test_a_file_that_became_wrong_leaves_things_as_they_are(file):
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    try:
        async with guarded(file) as client:
            file.write_text("identities: [{name: olga, role: boss, tokens: [plain-secret-text]}]")

            async def noticed():
                return "file_not_reloaded" in stream.getvalue()

            await until(noticed)
            assert await client.get(b"hi", metadata=bearing("olga")) == b"hi"
            assert "plain-secret-text" not in stream.getvalue()
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = []


async def test_a_wrong_file_keeps_the_server_from_starting(file):
    file.write_text("identities: 7")
    with pytest.raises(StartError, match=r"DAYLILY_IDENTITIES: .*identities: "):
        await echo_server(Echo(), identities=file).start()


# --- certificates ---


async def test_a_certificate_is_an_identity(tmp_path):
    authority = make("authority")
    cert, key = make("server", authority).write(tmp_path, "server")
    ca, _ = authority.write(tmp_path, "ca")
    file = tmp_path / "identities.yaml"
    file.write_text(
        document(
            {"name": "c1", "role": "monitor", "certificates": ["CN=c1.lab"]},
            {
                "name": "notifier",
                "role": "service",
                "certificates": ["SAN=spiffe://lab/notifier"],
            },
            entry("olga"),
        )
    )
    server = echo_server(Echo(), identities=file, tls_cert=cert, tls_key=key, tls_client_ca=ca)
    uri = [x509.UniformResourceIdentifier("spiffe://lab/notifier")]

    def client_of(pair):
        shown = grpc.ssl_channel_credentials(authority.cert_pem, pair.key_pem, pair.cert_pem)
        return connected(server, shown)

    async with running(server):
        async with client_of(make("c1.lab", authority)) as client:
            assert await client.get(b"actor", timeout=10) == b"c1"
            # A token says more than the certificate of the machine it comes from.
            assert await client.get(b"actor", metadata=bearing("olga")) == b"olga"
            wrong = (("authorization", "Bearer dlt_wrong"),)
            refusal = await refused(client.get(b"hi", metadata=wrong))
            assert refusal.code == grpc.StatusCode.UNAUTHENTICATED
        async with client_of(make("anything", authority, uri)) as client:
            assert await client.get(b"actor", timeout=10) == b"notifier"
        async with client_of(make("c9.lab", authority)) as client:
            refusal = await refused(client.get(b"hi", timeout=10))
            assert refusal.code == grpc.StatusCode.UNAUTHENTICATED


# --- limits ---


async def test_who_calls_too_often_is_told_to_wait(file):
    async with guarded(file, max_calls_per_second=5) as client:
        refusals = []
        for _ in range(30):
            try:
                await client.get(b"hi", metadata=bearing("olga"))
            except grpc.aio.AioRpcError:
                refusals.append(await refused(client.get(b"hi", metadata=bearing("olga"))))
        assert refusals
        assert refusals[0].code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusals[0].info.reason == "OVERLOADED"
        assert 0 < refusals[0].retry.retry_delay.ToTimedelta().total_seconds() <= 0.3
        # The others are not held up by it.
        assert await client.get(b"hi", metadata=bearing("anna")) == b"hi"


async def test_who_has_too_many_streams_open_gets_no_more_until_one_ends(file):
    async with guarded(file, max_streams=2) as client:
        open_ones = [client.watch(b"for ever", metadata=bearing("vera")) for _ in range(2)]
        for stream in open_ones:
            await stream.read()
        refusal = await refused(client.watch(b"for ever", metadata=bearing("vera")))
        assert refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.info.reason == "OVERLOADED"
        other = client.watch(b"for ever", metadata=bearing("olga"))
        assert await other.read() == b"0"
        open_ones[0].cancel()

        async def gets_one():
            stream = client.watch(b"hi", metadata=bearing("vera"))
            try:
                return await stream.read() == b"0"
            except grpc.aio.AioRpcError:
                return False

        await until(gets_one)
        for stream in (*open_ones, other):
            stream.cancel()


# --- secrets ---


async def test_no_token_is_ever_in_a_log_or_an_error(file):
    stream = io.StringIO()
    configure_logging("debug", stream=stream)
    wrong = new_token()
    said = []
    try:
        async with guarded(file) as client:
            for token in (*TOKENS.values(), wrong, wrong + ".a.b"):
                metadata = (("authorization", f"Bearer {token}"), ("x-daylily-actor", "ada"))
                for what in (b"hi", b"crash", b"force", b"busy", b"\xff", b"broken row"):
                    for call in (
                        client.get(what, metadata=metadata),
                        client.watch(what, metadata=metadata),
                        client.write(what, metadata=metadata),
                    ):
                        try:
                            refusal = await refused(call)
                        except AssertionError:
                            continue
                        said += [refusal.message, str(refusal.trailers), str(refusal.status)]
            await asyncio.sleep(0)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = []
    logs = stream.getvalue()
    assert logs.count('"event": "call"') > 50
    assert '"identity": "olga"' in logs
    for secret in (*TOKENS.values(), wrong):
        assert secret not in logs
        assert not any(secret in words for words in said)
        assert hash_of(secret) not in logs
