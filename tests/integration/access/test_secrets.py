"""One session with everything that has a secret, most of it going wrong; then every log is searched."""

import asyncio
import base64
import io
import logging
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import structlog
import yaml

from daylily_client import (
    AsyncNotifierClient,
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
    FixedToken,
    RetryPolicy,
    TlsFiles,
)
from daylily_notifier.build import build as notifier_server
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Server, StartError, configure_logging, running
from daylily_runtime.access.tokens import hash_of, new_token
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.support.certificates import make
from tests.support.issuer import AUDIENCE, issuing
from tests.support.ports import free_port

WORKSETS = str(Path(sys.executable).with_name("worksets"))
TOPIC = "arn:aws:sns:us-east-1:123456789012:lab"


@pytest.fixture
def logs():
    stream = io.StringIO()
    configure_logging("debug", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers = []


@pytest.fixture
def environment(monkeypatch):
    """What boto3 and OpenTelemetry read: secrets, and places where nobody answers."""
    found = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDNOSECRET",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIbPxRfiCYzKhd9sd7",
        "AWS_SESSION_TOKEN": "FwoGZXIvYXdzEDkaDLongSessionToken",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hny-c0ffee-s3cret",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@dataclass
class Session:
    """Three services that ask who calls, and all that callers were told."""

    folder: Path
    tokens: dict[str, str] = field(
        default_factory=lambda: {name: new_token() for name in ("anna", "scheduler", "notifier")}
    )
    servers: dict[str, Server] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def __post_init__(self):
        authority = make("lab authority")
        self.pair = make("localhost", authority)
        self.cert, self.key = self.pair.write(self.folder, "server")
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(authority.cert_pem)
        self.identities = self.folder / "identities.yaml"
        entries = [
            {
                "name": name,
                "role": "admin" if name == "anna" else "service",
                "tokens": [hash_of(token)],
            }
            for name, token in self.tokens.items()
        ]
        self.identities.write_text(yaml.safe_dump({"identities": entries}))

    def token_file(self, name):
        path = self.folder / name
        path.write_text(self.tokens[name])
        return path

    def address(self, name):
        return f"localhost:{self.servers[name].port}"

    async def serve(self, stack, issuer):
        common = {
            "port": 0,
            "drain_seconds": 0.2,
            "identities": self.identities,
            "tls_cert": self.cert,
            "tls_key": self.key,
            "oidc_issuer": issuer.url,
            "oidc_audience": AUDIENCE,
        }
        away = {
            "tracing": True,
            "cloudwatch_namespace": "Daylily/WorksetMonitor",
            "cloudwatch_interval_seconds": 0.1,
        }
        state = StateSettings.load(sqlite_path=self.folder / "s.db", **common, **away)
        self.servers["state"] = state_server(state)
        await stack.enter_async_context(running(self.servers["state"]))
        common |= {"state_tls_ca": self.ca, "state_address": self.address("state")}
        self.servers["scheduler"] = scheduler_server(
            SchedulerSettings.load(state_token_file=self.token_file("scheduler"), **common)
        )
        notifier = NotifierSettings.load(
            state_token_file=self.token_file("notifier"), notifier_sns_topic_arn=TOPIC, **common
        )
        config = notifier.load_config(os.environ)
        self.servers["notifier"] = notifier_server(notifier, config)
        for name in ("scheduler", "notifier"):
            await stack.enter_async_context(running(self.servers[name]))
            await self.servers[name].wait_serving()

    async def tried(self, call):
        try:
            self.words.append(str(await call))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
            self.words.extend([str(error), repr(vars(error)), repr(error.__cause__)])

    async def ask(self, bearer):
        """Calls of every service, some of them wrong."""
        options = ClientOptions(
            token=FixedToken(bearer),
            tls=TlsFiles(self.ca),
            timeout=5,
            retry=RetryPolicy(first_pause=0.01, longest_pause=0.02),
        )
        self.words.append(repr(options))
        async with (
            AsyncStateClient(self.address("state"), options) as state,
            AsyncSchedulerClient(self.address("scheduler"), options) as scheduler,
            AsyncNotifierClient(self.address("notifier"), options) as notifier,
        ):
            await self.tried(state.register_workset(workset_id="w", bucket="b", prefix="p/"))
            # A token where a name belongs, as happens to who mistakes the field.
            await self.tried(state.get_workset(workset_id=f"ws-{bearer[:100]}"))
            await self.tried(state.release_lock(workset_id="w", lock_token=7))
            await self.tried(scheduler.claim_next_workset(cluster_name="c1", owner_id="me"))
            await self.tried(notifier.test_channel(channel="lab"))
            await self.tried(notifier.notify(message="hello"))

    async def ask_by_password(self, basic):
        trusted = grpc.ssl_channel_credentials(self.ca.read_bytes())
        async with grpc.aio.secure_channel(self.address("state"), trusted) as channel:
            get = channel.unary_unary("/daylily.state.v1.StateService/GetWorkset")
            await self.tried(get(b"", metadata=(("authorization", f"Basic {basic}"),)))

    async def ask_by_command(self, token):
        said = await asyncio.to_thread(
            subprocess.run,
            [WORKSETS, "--state", self.address("state"), "--tls-ca", str(self.ca), "get", "w"],
            env={**os.environ, "DAYLILY_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert said.returncode == 1
        self.words += [said.stdout, said.stderr]

    async def start_with_a_key_for_a_certificate(self):
        broken = StateSettings.load(port=0, tls_cert=self.key, tls_key=self.key)
        with pytest.raises(StartError) as refusal:
            await state_server(
                broken.model_copy(update={"sqlite_path": self.folder / "t.db"})
            ).start()
        self.words.append(str(refusal.value))


async def until_logged(logs, event):
    async with asyncio.timeout(20):
        while event not in logs.getvalue():  # noqa: ASYNC110 - the servers write it
            await asyncio.sleep(0.02)


async def test_no_secret_of_a_whole_session_is_in_a_log_or_an_error(tmp_path, environment, logs):
    session = Session(tmp_path)
    wrong = new_token()
    basic = base64.b64encode(b"anna:hunter2hunter2").decode()
    with issuing() as issuer:
        bearers = [
            session.tokens["anna"],
            wrong,
            issuer.token(),
            issuer.token(exp=1),
            issuer.token(aud="billing"),
        ]
        async with AsyncExitStack() as stack:
            await session.serve(stack, issuer)
            for bearer in bearers:
                await session.ask(bearer)
            await session.ask_by_password(basic)
            await session.ask_by_command(wrong)
            await until_logged(logs, "metrics_not_sent")
            # A token itself in the file of hashes, while that is watched.
            session.identities.write_text(f"identities: [{{name: x, tokens: ['{bearers[0]}']}}]")
            await until_logged(logs, "file_not_reloaded")
        await session.start_with_a_key_for_a_certificate()

    log, errors = logs.getvalue(), "\n".join(session.words)
    for sign in ('"code": "OK"', "UNAUTHENTICATED", "metrics_not_sent", "traces_not_sent"):
        assert sign in log
    secrets = {
        *session.tokens.values(),
        *map(hash_of, session.tokens.values()),
        *bearers,
        *(bearer.rpartition(".")[2] for bearer in bearers),
        basic,
        "hunter2",
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_SESSION_TOKEN"],
        environment["OTEL_EXPORTER_OTLP_HEADERS"].partition("=")[2],
        session.pair.key_pem.decode().splitlines()[1],
    }
    assert [secret for secret in secrets if secret in log] == []
    # In an error is what its caller wrote into the request, and nothing else.
    assert [secret for secret in secrets - set(bearers) if secret in errors] == []
