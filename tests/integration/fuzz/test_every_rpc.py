"""Every RPC of every service, sent random and hostile messages: refused in order, or served.

The seed is printed. `DAYLILY_FUZZ_SEED` sets it, `DAYLILY_FUZZ_EXAMPLES` says how many messages each RPC
is sent.
"""

import asyncio
import os
import random
import re
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
import yaml
from daylily.notifier.v1 import notifier_pb2
from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import error_reason_pb2
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from daylily_notifier.build import build as notifier_server
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import running
from daylily_runtime.access.tokens import hash_of, new_token
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.support.messages import messages, texts

SEED = int(os.environ.get("DAYLILY_FUZZ_SEED") or random.randrange(2**32))
EXAMPLES = int(os.environ.get("DAYLILY_FUZZ_EXAMPLES") or 12)
CALL_SECONDS = 10.0
POLL_SECONDS = 0.25
POLLS = {"ClaimNextWorkset", "WatchEvents"}
ROOT = str(Path(__file__).resolve().parents[3])

SERVICES = {
    "state": state_pb2.DESCRIPTOR.services_by_name["StateService"],
    "scheduler": scheduler_pb2.DESCRIPTOR.services_by_name["SchedulerService"],
    "notifier": notifier_pb2.DESCRIPTOR.services_by_name["NotifierService"],
}
RPCS = [
    pytest.param(name, method, id=f"{name}.{method.name}")
    for name, service in SERVICES.items()
    for method in service.methods
]

REASONS = {
    name.removeprefix("ERROR_REASON_")
    for name in error_reason_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values_by_name
}
FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.UNAVAILABLE,
}
INSIDE = re.compile(
    rf"Traceback|File \"|\bline \d+, in |\.py\b|site-packages|{re.escape(ROOT)}"
    r"|0x[0-9a-f]{8}|daylily_(?!pb2)\w+\.|sqlite3|botocore|Exception\b"
)
TOKENS = {"c1": new_token(), "vera": new_token(), "svc": new_token()}


def nested(depth):
    """Bytes that are messages in messages, whatever their types: more than a stack may hold."""
    raw = b""
    for _ in range(depth):
        size, head = len(raw), b""
        while size > 127:
            head += bytes([size % 128 + 128])
            size //= 128
        raw = b"\x0a" + head + bytes([size]) + raw
    return raw


quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Lab:
    """The three services in a thread of their own, called from the test's."""

    def __init__(self, folder, *, closed):
        self._folder = folder
        self._closed = closed
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.servers = {}
        self.channels = {}

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(30)
        for name, server in self.servers.items():
            self.channels[name] = grpc.insecure_channel(server.address)
        return self

    def __exit__(self, *_):
        for channel in self.channels.values():
            channel.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    async def _run(self):
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        common = {"port": 0, "drain_seconds": 0.5}
        token = {}
        if self._closed:
            common |= {"identities": self._identities(), "max_calls_per_second": 1e6}
            secret = self._folder / "token"
            secret.write_text(TOKENS["svc"])
            token = {"state_token_file": secret}
        async with AsyncExitStack() as stack:
            state = state_server(
                StateSettings.load(sqlite_path=self._folder / "state.db", **common)
            )
            await self._serve(stack, "state", state)
            scheduler = SchedulerSettings.load(state_address=state.address, **token, **common)
            await self._serve(stack, "scheduler", scheduler_server(scheduler))
            notifier = NotifierSettings.load(state_address=state.address, **token, **common)
            built = notifier_server(notifier, notifier.load_config({}))
            await self._serve(stack, "notifier", built)
            self._ready.set()
            await self._end.wait()

    async def _serve(self, stack, name, server):
        await stack.enter_async_context(running(server))
        await server.wait_serving()
        self.servers[name] = server

    def _identities(self):
        path = self._folder / "identities.yaml"
        entries = [
            {"name": "c1", "role": "monitor", "limits": {"clusters": ["c1"], "owners": ["m"]}},
            {"name": "vera", "role": "viewer"},
            {"name": "svc", "role": "service"},
        ]
        for entry in entries:
            entry["tokens"] = [hash_of(TOKENS[entry["name"]])]
        path.write_text(yaml.safe_dump({"identities": entries}))
        return path

    def send(self, service, method, raw, metadata=()):
        """Send bytes; give what the refusal was, None where there was none."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        channel = self.channels[service]
        seconds = POLL_SECONDS if method.name in POLLS else CALL_SECONDS
        given = [(key, value) for key, value in metadata if value.isascii() and value.isprintable()]
        try:
            if method.server_streaming:
                stream = channel.unary_stream(path)(raw, timeout=seconds, metadata=given)
                GetMessageClass(method.output_type).FromString(next(iter(stream)))
                stream.cancel()
            else:
                answer = channel.unary_unary(path)(raw, timeout=seconds, metadata=given)
                GetMessageClass(method.output_type).FromString(answer)
        except grpc.RpcError as error:
            return error
        return None

    def check_alive(self):
        for name, server in self.servers.items():
            assert server._failure is None, (name, server._failure)
            stub = health_pb2_grpc.HealthStub(self.channels[name])
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, name


@pytest.fixture(scope="module", autouse=True)
def _seed_is_printed(request):
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nDAYLILY_FUZZ_SEED={SEED}")  # noqa: T201


@pytest.fixture(scope="module", autouse=True)
def logs():
    with capture_logs() as lines:
        yield lines


@pytest.fixture(scope="module")
def lab(tmp_path_factory, logs):
    with Lab(tmp_path_factory.mktemp("open"), closed=False) as made:
        furnish(made)
        yield made
        made.check_alive()


@pytest.fixture(scope="module")
def closed(tmp_path_factory, logs):
    with Lab(tmp_path_factory.mktemp("closed"), closed=True) as made:
        yield made
        made.check_alive()


def furnish(lab):
    def call(service, name, **fields):
        method = SERVICES[service].methods_by_name[name]
        request = GetMessageClass(method.input_type)(**fields)
        refusal = lab.send(service, method, request.SerializeToString())
        assert refusal is None, refusal

    for workset_id in ("ws-1", "ws-2", "held"):
        call("state", "RegisterWorkset", workset_id=workset_id, bucket="lab", prefix="runs/")
    call("state", "AcquireLock", workset_id="held", owner_id="m1", request_id="r-1")
    call("scheduler", "RegisterCluster", cluster_name="c1", vcpus=8, memory_gb=8, slots=2)
    call("state", "PutCustomer", customer_id="acme", budget_usd=100)
    call("state", "AcquireConsumer", consumer="reader", owner_id="m1")


def no_sight_of_the_inside(said, sent):
    """But for what the caller wrote itself: a workset may be called `Exception`."""
    for match in INSIDE.finditer(said):
        assert match.group() in str(sent), (said, str(sent)[:500])


def check(refusal, name, sent):
    if refusal is None:
        return
    code, message = refusal.code(), refusal.details() or ""
    assert code not in FAULTS, (code, message, name, str(sent)[:500])
    no_sight_of_the_inside(message, sent)
    info = ErrorInfo()
    raw = dict(refusal.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in Status.FromString(raw).details:
        detail.Unpack(info)
        no_sight_of_the_inside(str(detail), sent)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED and name in POLLS:
        return  # said by this side: a long poll may last longer than a test waits
    assert info.reason in REASONS, (code, message, info.reason, name, str(sent)[:500])


@pytest.mark.parametrize(("service", "method"), RPCS)
def test_no_message_makes_a_fault(lab, logs, service, method):
    @seed(SEED)
    @quick
    @given(messages(method.input_type))
    def try_one(message):
        refusal = lab.send(service, method, message.SerializeToString())
        check(refusal, method.name, message)

    try_one()
    no_fault_in(logs)


@pytest.mark.parametrize(("service", "method"), RPCS)
def test_no_bytes_make_a_fault(lab, logs, service, method):
    @seed(SEED)
    @settings(quick, max_examples=max(EXAMPLES // 4, 2))
    @given(st.one_of(st.binary(max_size=60), st.sampled_from([50, 110, 5000]).map(nested)))
    def try_one(raw):
        check(lab.send(service, method, raw), method.name, raw)

    try_one()
    no_fault_in(logs)


@pytest.mark.parametrize(("service", "method"), RPCS)
def test_no_caller_makes_a_fault_at_the_gate(closed, logs, service, method):
    bearers = st.sampled_from([f"Bearer {token}" for token in TOKENS.values()])
    headers = st.fixed_dictionaries(
        {},
        optional={
            "authorization": st.one_of(bearers, bearers, texts, texts.map("Bearer {}".format)),
            "x-daylily-actor": texts,
            "x-request-id": texts,
        },
    )

    @seed(SEED)
    @settings(quick, max_examples=max(EXAMPLES // 3, 2))
    @given(messages(method.input_type), headers)
    def try_one(message, metadata):
        refusal = closed.send(service, method, message.SerializeToString(), tuple(metadata.items()))
        check(refusal, method.name, (metadata, str(message)))
        known = any(token in metadata.get("authorization", "") for token in TOKENS.values())
        if not known and method.name not in POLLS:
            assert refusal.code() == grpc.StatusCode.UNAUTHENTICATED

    try_one()
    no_fault_in(logs)


@pytest.mark.parametrize(("service", "method"), RPCS)
def test_no_bytes_make_a_fault_at_the_gate(closed, logs, service, method):
    for bearer in ("c1", "svc"):
        for raw in (b"\xff", b"\x0a\x02\xff\xff", nested(110)):
            metadata = (("authorization", f"Bearer {TOKENS[bearer]}"),)
            check(closed.send(service, method, raw, metadata), method.name, raw)
    no_fault_in(logs)


def no_fault_in(logs):
    bad = {"call_failed_unexpectedly", "background_task_failed"}
    found = [line for line in logs if line["event"] in bad]
    logs.clear()
    assert not found
