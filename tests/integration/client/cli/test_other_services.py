"""Commands of the scheduler and the notifier, against servers that answer as the test says."""

import asyncio
import json
import re
from datetime import UTC, datetime

import grpc
import pytest
from click.testing import CliRunner
from daylily.notifier.v1 import notifier_pb2
from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import cluster_pb2, delivery_pb2, event_pb2, workset_pb2

from daylily_client import duration, timestamp
from daylily_client.cli.app import worksets
from tests.support.scripted_server import answers, refuses, scripted_server

SCHEDULER = scheduler_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
NOTIFIER = notifier_pb2.DESCRIPTOR.services_by_name["NotifierService"]

C1 = scheduler_pb2.ClusterStatus(
    cluster=cluster_pb2.Cluster(
        cluster_name="c1",
        state=cluster_pb2.CLUSTER_STATE_ACTIVE,
        availability_zone="us-west-2a",
        capacity=cluster_pb2.Resources(vcpus=192, memory_gb=750, slots=4),
        price_per_vcpu_hour_usd=0.05,
        last_reported_at=timestamp(datetime.now(UTC)),
    ),
    free=cluster_pb2.Resources(vcpus=96, memory_gb=375, slots=2),
    active_worksets=2,
)
NO_ROOM = scheduler_pb2.WaitReason(
    code=scheduler_pb2.WAIT_REASON_CODE_NOT_ENOUGH_VCPUS,
    message="needs 192 vCPUs, 96 are free",
    cluster_name="c1",
)
SNS = notifier_pb2.ChannelStatus(channel="lab-sns", kind="sns", pending=3, failing=True)


@pytest.fixture
def run():
    """Runs a command against a scripted service; gives the result and the request that it sent."""

    async def invoke(service, rpc, step, *args):
        option = "--scheduler" if service is SCHEDULER else "--notifier"
        async with scripted_server(service, {rpc: [step]}) as server:
            result = await asyncio.to_thread(
                CliRunner().invoke, worksets, [option, server.address, *args]
            )
            assert not result.exception or isinstance(result.exception, SystemExit), result
            return result, server.requests(rpc)[0]

    return invoke


async def test_what_goes_next_is_shown_with_its_place_and_cost(run):
    answer = scheduler_pb2.GetNextWorksetResponse(
        workset=workset_pb2.Workset(workset_id="ws-1", state=workset_pb2.WORKSET_STATE_READY),
        placement=scheduler_pb2.Placement(cluster_name="c1", cost_usd=42.5),
    )
    result, request = await run(
        SCHEDULER, "GetNextWorkset", answers(answer), "next", "--cluster", "c1"
    )
    assert request.cluster_name == "c1"
    assert "ws-1" in result.stdout
    assert "on c1, $42.50 in all" in result.stdout


async def test_when_nothing_goes_next_the_reasons_are_given(run):
    answer = scheduler_pb2.GetNextWorksetResponse(reasons=[NO_ROOM])
    result, _ = await run(SCHEDULER, "GetNextWorkset", answers(answer), "next")
    assert result.exit_code == 0
    assert "Nothing would start now." in result.stdout
    assert "NOT_ENOUGH_VCPUS (c1): needs 192 vCPUs, 96 are free" in result.stdout


async def test_when_a_workset_is_expected_to_start(run):
    answer = scheduler_pb2.EstimateWaitResponse(
        workset_id="ws-1",
        p50=duration(3 * 3600),
        p90=duration(7 * 3600),
        p90_coverage=0.91,
        estimates_scored=120,
        basis="history",
        run_time_p50=duration(4 * 3600),
        run_time_p90=duration(6 * 3600),
        run_time_basis="history",
        runs_learned_from=23,
        queue_position=5,
        extrapolated=True,
    )
    result, request = await run(SCHEDULER, "EstimateWait", answers(answer), "estimate", "ws-1")
    assert request.workset_id == "ws-1"
    assert result.stdout.splitlines() == [
        (
            "It starts within 3 h in half of all cases, within 7 h in nine of ten, "
            "by the pace of those before it."
        ),
        "Goes first      5 worksets",
        "Runs for        4 h, 6 h in nine of ten (from 23 runs)",
        "Run times from  runs that finished",
        "How sure        of the last 120 estimates, 91 % held (90 % is meant)",
    ]


async def test_a_workset_that_fits_nowhere_is_told_its_reasons(run):
    answer = scheduler_pb2.EstimateWaitResponse(
        workset_id="ws-1", basis="default", run_time_basis="estimate", reasons=[NO_ROOM]
    )
    result, _ = await run(SCHEDULER, "EstimateWait", answers(answer), "estimate", "ws-1")
    lines = result.stdout.splitlines()
    assert lines[0] == "It is not expected to start within 14 days as things are."
    assert lines[1] == "  NOT_ENOUGH_VCPUS (c1): needs 192 vCPUs, 96 are free"
    assert lines[-1] == "How sure        no estimate has been put to the test yet"


ADVICE = scheduler_pb2.RecommendClustersResponse(
    creations=[
        scheduler_pb2.RecommendClustersResponse.Creation(
            count=2,
            availability_zone="us-west-2a",
            instance_types=["c7i.48xlarge"],
            size=cluster_pb2.Resources(vcpus=192, memory_gb=384, slots=4),
            workset_ids=["ws-1", "ws-2"],
            workset_count=2,
            cost_usd=25.5,
            saving_usd=61,
            wait_saved=duration(11 * 3600),
            reason="2 more clusters would do",
        )
    ],
    deletions=[
        scheduler_pb2.RecommendClustersResponse.Deletion(
            cluster_name="c9", saving_usd_per_hour=1.2, reason="nobody needs it"
        ),
        scheduler_pb2.RecommendClustersResponse.Deletion(
            cluster_name="free", reason="nobody needs it either"
        ),
    ],
    price_source="ec2",
    priced_at=timestamp(datetime.now(UTC)),
    price_problem="us-west-2: no credentials",
)


@pytest.mark.parametrize("command", [["recommend"], ["clusters", "recommend"]])
async def test_which_clusters_are_worth_creating_and_which_can_go(run, command):
    result, _ = await run(SCHEDULER, "RecommendClusters", answers(ADVICE), *command)
    assert result.stdout.splitlines() == [
        "Worth creating now:",
        "CLUSTERS  ZONE        TYPES         VCPUS  WORKSETS    COST   SAVES  SOONER",
        "       2  us-west-2a  c7i.48xlarge    192         2  $25.50  $61.00    11 h",
        "  2 more clusters would do",
        "Safe to delete:",
        "  c9, saves $1.20 an hour: nobody needs it",
        "  free: nobody needs it either",
    ]
    # How long ago is counted from when the tests were collected.
    assert re.search(
        r"EC2's spot prices, read \d+ (s|min) ago; since then: us-west-2: no credentials\.",
        result.stderr,
    )


async def test_advice_for_nothing_says_so(run):
    answer = scheduler_pb2.RecommendClustersResponse(price_source="clusters")
    result, _ = await run(SCHEDULER, "RecommendClusters", answers(answer), "recommend")
    assert result.stdout.splitlines() == [
        "No further cluster is worth creating now.",
        "No cluster is safe to delete.",
    ]


@pytest.mark.parametrize("words", [["ws-1"], ["ws-1", "--dry-run"], ["--dry-run", "ws-1"]])
async def test_where_a_workset_would_go_is_a_table_of_scores_in_parts(run, words):
    answer = scheduler_pb2.ScheduleWorksetResponse(
        workset_id="ws-1",
        cluster_name="c2",
        placements=[
            scheduler_pb2.Placement(
                cluster_name="c2",
                feasible=True,
                cost_usd=12,
                cost_items=[
                    scheduler_pb2.CostItem(kind="compute", usd=10),
                    scheduler_pb2.CostItem(kind="transfer", usd=2),
                ],
            ),
            scheduler_pb2.Placement(
                cluster_name="c1",
                cost_usd=9,
                cost_items=[scheduler_pb2.CostItem(kind="compute", usd=9)],
                rejections=[NO_ROOM],
            ),
        ],
    )
    result, request = await run(SCHEDULER, "ScheduleWorkset", answers(answer), "schedule", *words)
    assert request.workset_id == "ws-1"
    assert result.stdout.splitlines() == [
        "ws-1 would go to c2.",
        "",
        "CLUSTER    COST  COMPUTE  TRANSFER  WHY NOT",
        "c2       $12.00   $10.00     $2.00  -",
        "c1        $9.00    $9.00         -  needs 192 vCPUs, 96 are free",
    ]


async def test_a_decision_for_programs(run):
    answer = scheduler_pb2.ScheduleWorksetResponse(workset_id="ws-1", reasons=[NO_ROOM])
    for words in (["ws-1", "--json"], ["--json", "ws-1"]):
        result, _ = await run(SCHEDULER, "ScheduleWorkset", answers(answer), "schedule", *words)
        assert json.loads(result.stdout)["reasons"][0]["need"] == 0
    result, _ = await run(SCHEDULER, "ScheduleWorkset", answers(answer), "schedule", "ws-1")
    assert "ws-1 would go nowhere now." in result.stdout
    assert "NOT_ENOUGH_VCPUS (c1)" in result.stdout


@pytest.mark.parametrize("options", [["--dry-run"], ["--json"], ["--dry-run", "--json"]])
def test_a_decision_without_a_workset_says_what_is_missing(options):
    result = CliRunner().invoke(worksets, ["schedule", *options])
    assert result.exit_code == 2
    assert "Missing argument 'WORKSET_ID'" in result.stderr


async def test_a_silent_cluster_is_listed_with_the_fate_of_its_worksets(run):
    silent = scheduler_pb2.ClusterStatus(
        cluster=C1.cluster,
        silent=True,
        active_worksets=1,
        held=[
            scheduler_pb2.HeldWorkset(
                workset_id="ws-7",
                owner_id="monitor@c1",
                lock_expires_at=timestamp(datetime.now(UTC)),
            )
        ],
    )
    answer = scheduler_pb2.ListClustersResponse(clusters=[silent])
    result, _ = await run(SCHEDULER, "ListClusters", answers(answer), "clusters", "list")
    assert "SILENT" in result.stdout
    assert "c1 is silent and ws-7 is on it: the lock of monitor@c1 runs out at" in result.stdout


@pytest.mark.parametrize(
    ("p90", "said"),
    [
        (0, "It can start at once.\n"),
        (7200, "It can start at once in half of all cases, within 2 h in nine of ten.\n"),
    ],
)
async def test_what_can_start_now_starts_at_once(run, p90, said):
    answer = scheduler_pb2.EstimateWaitResponse(p50=duration(0), p90=duration(p90))
    result, _ = await run(SCHEDULER, "EstimateWait", answers(answer), "estimate", "ws-1")
    assert result.stdout.startswith(said)


async def test_a_message_goes_to_the_channels(run):
    step = answers(notifier_pb2.NotifyResponse(event_id="e-1"))
    result, request = await run(
        *(NOTIFIER, "Notify", step),
        *("notify", "the freezer is warm", "--workset", "ws-1", "--priority", "urgent"),
    )
    assert (request.message, request.subject.id) == ("the freezer is warm", "ws-1")
    assert request.priority == workset_pb2.PRIORITY_URGENT
    assert request.request_id
    assert "e-1" in result.stdout


async def test_what_both_did_is_shown_together():
    did = scheduler_pb2.GetSchedulerStatsResponse(
        claims_granted=7, p90_coverage=0.9, estimates_scored=20, total_vcpu_capacity=96
    )
    sent = notifier_pb2.GetNotifierStatsResponse(
        active=True, delivered=5, latency_p50=duration(0.02), latency_p99=duration(0.1)
    )
    async with (
        scripted_server(SCHEDULER, {"GetSchedulerStats": [answers(did)] * 2}) as scheduler,
        scripted_server(NOTIFIER, {"GetNotifierStats": [answers(sent)] * 2}) as notifier,
    ):
        where = ["--scheduler", scheduler.address, "--notifier", notifier.address, "stats"]
        shown = await asyncio.to_thread(CliRunner().invoke, worksets, where)
        plain = await asyncio.to_thread(CliRunner().invoke, worksets, [*where, "--json"])
    for said in ("7 granted", "0 of 96", "of the last 20 estimates, 90 % held", "20 ms, 100 ms"):
        assert said in shown.stdout
    assert json.loads(plain.stdout)["notifier"]["delivered"] == "5"


async def test_why_a_workset_waits(run):
    answer = scheduler_pb2.ExplainWorksetResponse(
        summary="ws-1 waits for vCPUs.",
        reasons=[NO_ROOM],
        queue_position=2,
        remedies=["asking for 96 vCPUs"],
    )
    result, request = await run(SCHEDULER, "ExplainWorkset", answers(answer), "explain", "ws-1")
    assert request.workset_id == "ws-1"
    for said in (
        "ws-1 waits for vCPUs.",
        "NOT_ENOUGH_VCPUS",
        "What would start it:\n  asking for 96",
    ):
        assert said in result.stdout


async def test_clusters_are_listed_with_what_is_free(run):
    answer = scheduler_pb2.ListClustersResponse(clusters=[C1])
    result, _ = await run(SCHEDULER, "ListClusters", answers(answer), "clusters", "list")
    for said in ("c1", "ACTIVE", "us-west-2a", "96/192", "375/750", "2/4", "0.05"):
        assert said in result.stdout


async def test_a_silent_cluster_is_said_to_be_silent(run):
    silent = scheduler_pb2.ClusterStatus(cluster=C1.cluster, silent=True)
    answer = scheduler_pb2.ListClustersResponse(clusters=[silent])
    result, _ = await run(SCHEDULER, "ListClusters", answers(answer), "clusters", "list")
    assert "SILENT" in result.stdout


async def test_a_cluster_is_registered(run):
    result, request = await run(
        *(SCHEDULER, "RegisterCluster"),
        answers(scheduler_pb2.RegisterClusterResponse(cluster=C1)),
        *("clusters", "register", "c1", "--vcpus", "192", "--memory-gb", "750", "--slots", "4"),
        *("--price", "0.05", "--instance-type", "m5.24xlarge", "--instance-type", "c5.24xlarge"),
    )
    assert (request.cluster_name, request.vcpus, request.slots) == ("c1", 192, 4)
    assert list(request.instance_types) == ["m5.24xlarge", "c5.24xlarge"]
    assert request.request_id
    assert result.stdout == "c1 is registered: 192 vCPUs, 750 GiB, 4 slots\n"


@pytest.mark.parametrize("undo", [False, True])
async def test_a_cluster_is_drained_and_taken_back(run, undo):
    result, request = await run(
        *(SCHEDULER, "DrainCluster", answers(scheduler_pb2.DrainClusterResponse(cluster=C1))),
        *("clusters", "drain", "c1", *(["--undo"] if undo else [])),
    )
    assert request.undo is undo
    assert ("takes new work again" if undo else "still on it: 2 worksets") in result.stdout


async def test_a_cluster_in_use_is_not_removed(run):
    step = refuses(
        grpc.StatusCode.FAILED_PRECONDITION, "CLUSTER_IN_USE", message="c1 still has 2 worksets"
    )
    result, _ = await run(SCHEDULER, "RemoveCluster", step, "clusters", "remove", "c1")
    assert result.exit_code == 1
    assert "c1 still has 2 worksets (CLUSTER_IN_USE)" in result.stderr


async def test_a_cluster_is_removed(run):
    step = answers(scheduler_pb2.RemoveClusterResponse())
    result, _ = await run(SCHEDULER, "RemoveCluster", step, "clusters", "remove", "c1", "--json")
    assert json.loads(result.stdout) == {}


async def test_channels_are_listed_with_how_they_fare(run):
    answer = notifier_pb2.ListChannelsResponse(channels=[SNS])
    result, _ = await run(NOTIFIER, "ListChannels", answers(answer), "channels", "list")
    for said in ("lab-sns", "sns", "FAILING", "3"):
        assert said in result.stdout


@pytest.mark.parametrize(("delivered", "exit_code"), [(True, 0), (False, 1)])
async def test_a_channel_is_tested(run, delivered, exit_code):
    answer = notifier_pb2.TestChannelResponse(delivered=delivered, answer="HTTP 403")
    result, _ = await run(NOTIFIER, "TestChannel", answers(answer), "channels", "test", "lab-sns")
    assert result.exit_code == exit_code
    assert "HTTP 403" in result.stdout


async def test_a_channel_is_held_back_and_goes_on(run):
    paused = answers(notifier_pb2.PauseChannelResponse(channel=SNS))
    result, request = await run(
        NOTIFIER, "PauseChannel", paused, "channels", "pause", "lab-sns", "--reason", "holiday"
    )
    assert request.reason == "holiday"
    assert "waiting: 3 messages" in result.stdout
    resumed = answers(notifier_pb2.ResumeChannelResponse(channel=SNS))
    result, _ = await run(NOTIFIER, "ResumeChannel", resumed, "channels", "resume", "lab-sns")
    assert "goes on" in result.stdout


async def test_deliveries_are_listed_and_sent_again(run):
    delivery = delivery_pb2.Delivery(
        delivery_id="d-1",
        channel="lab-sns",
        state=delivery_pb2.DELIVERY_STATE_DEAD,
        event=event_pb2.Event(
            type=event_pb2.EVENT_TYPE_FAILED, subject=event_pb2.Subject(id="ws-1")
        ),
    )
    listed = answers(notifier_pb2.ListDeliveriesResponse(deliveries=[delivery]))
    result, request = await run(
        NOTIFIER, "ListDeliveries", listed, "deliveries", "list", "--workset", "ws-1"
    )
    assert request.workset_id == "ws-1"
    for said in ("d-1", "DEAD", "FAILED", "ws-1"):
        assert said in result.stdout
    again = answers(notifier_pb2.RedeliverResponse(delivery=delivery))
    result, _ = await run(NOTIFIER, "Redeliver", again, "deliveries", "redeliver", "d-1")
    assert "d-1 is DEAD" in result.stdout


async def test_a_call_that_is_built_later_is_1(run):
    step = refuses(grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED", message="built later")
    result, _ = await run(SCHEDULER, "ExplainWorkset", step, "explain", "ws-1")
    assert result.exit_code == 1
    assert "built later (NOT_IMPLEMENTED)" in result.stderr
