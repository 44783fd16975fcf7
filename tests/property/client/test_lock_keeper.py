"""The lock keeper against a model of state, through every mixture of outages and takeovers."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daylily_client import (
    DeadlineExceeded,
    LockKeeper,
    LockLost,
    LockState,
    OutcomeUnknown,
    Unavailable,
    WorksetCancelled,
    duration,
)
from tests.support.virtual_time import VirtualTime

LEASE = 90.0
OURS = 7
REAPER_MARGIN = 1.0


@dataclass
class Network:
    """How calls fare: seconds each way, and what is lost."""

    there: float = 0.0
    back: float = 0.0
    lose_request: bool = False
    lose_answer: bool = False


@dataclass
class ModelState:
    """What state is to a holder: a token, an expiry, and the right to take both away."""

    clock: VirtualTime
    network: Network = field(default_factory=Network)
    token: int | None = OURS
    last_token: int = OURS
    expires_at: float = LEASE
    cancelled: bool = False
    taken_by_force: bool = False
    said_final: bool = False
    asked_at: list[float] = field(default_factory=list)
    granted_sends: list[float] = field(default_factory=list)
    timeout: float = 30.0

    def with_timeout(self, seconds: float) -> "ModelState":
        # The view shares everything, and the keeper alone calls: one timeout is enough.
        self.timeout = seconds
        return self

    async def renew_lock(
        self,
        *,
        workset_id: str = "",
        lock_token: int = 0,
        lease: object = None,
        progress: workset_pb2.Progress | None = None,
    ) -> state_pb2.RenewLockResponse:
        sent_at = self.clock.seconds
        self.asked_at.append(sent_at)
        network = Network(**vars(self.network))
        serving = asyncio.ensure_future(self._serve(sent_at, lock_token, network))
        giving_up = asyncio.ensure_future(self.clock.sleep(self.timeout))
        await asyncio.wait({serving, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        giving_up.cancel()
        if serving.done():
            return serving.result()
        serving.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise DeadlineExceeded("no answer in time")

    async def _serve(
        self, sent_at: float, lock_token: int, network: Network
    ) -> state_pb2.RenewLockResponse:
        if network.lose_request:
            raise Unavailable("connection refused")
        await self.clock.sleep(network.there)
        outcome = self._renew(sent_at, lock_token)
        await self.clock.sleep(network.back)
        if network.lose_answer:
            raise OutcomeUnknown("the connection broke")
        if isinstance(outcome, Exception):
            self.said_final = True
            raise outcome
        return outcome

    def _renew(
        self, sent_at: float, lock_token: int
    ) -> state_pb2.RenewLockResponse | LockLost | WorksetCancelled:
        if lock_token != self.token:
            return LockLost("somebody else has it")
        if self.cancelled:
            return WorksetCancelled("an operator cancelled it")
        self.expires_at = max(self.expires_at, self.clock.seconds + LEASE)
        self.granted_sends.append(sent_at)
        return state_pb2.RenewLockResponse(lock=workset_pb2.Lock(lease=duration(LEASE)))

    async def release_lock(self, **_: object) -> state_pb2.ReleaseLockResponse:
        raise AssertionError("nothing here gives the lock back")

    def reap(self) -> None:
        if self.token is not None and self.clock.seconds > self.expires_at + REAPER_MARGIN:
            self.token = None

    def grant_to_another(self) -> None:
        self.last_token += 1
        self.token = self.last_token
        self.expires_at = self.clock.seconds + LEASE


@dataclass
class Gate:
    asked_at: float
    task: asyncio.Task[None]


DELAYS = st.sampled_from([0.0, 0.5, 4.0, 9.0, 15.0, 40.0])


class KeeperMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualTime()
        self.server = ModelState(self.clock)
        self.told: list[LockState] = []
        self.gates: list[Gate] = []
        self.keeper = self.loop.run_until_complete(self._start())

    async def _start(self) -> LockKeeper:
        keeper = LockKeeper(
            self.server,
            workset_id="ws-1",
            lock_token=OURS,
            lease=timedelta(seconds=LEASE),
            sent_at=0.0,
            on_change=self.told.append,
            time=self.clock.time,
        )
        return await keeper.__aenter__()

    def teardown(self) -> None:
        self.loop.run_until_complete(self._stop())
        self.loop.close()

    async def _stop(self) -> None:
        await self.keeper.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        gates = [gate.task for gate in self.gates]
        await asyncio.gather(*others, *gates, return_exceptions=True)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 29.9, 30.0, 31.0, 60.0, 89.0, 91.5, 400.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(10):
            self.loop.run_until_complete(self.clock.advance(seconds / 10))
            self.a_lock_that_is_held_here_is_ours_at_state()

    @rule(there=DELAYS, back=DELAYS, request=st.booleans(), answer=st.booleans())
    def the_network_changes(self, there: float, back: float, request: bool, answer: bool) -> None:
        self.server.network = Network(there, back, lose_request=request, lose_answer=answer)

    @rule()
    def the_network_heals(self) -> None:
        self.server.network = Network()

    @rule(back=DELAYS)
    def the_network_dies_after_a_slow_answer(self, back: float) -> None:
        self.server.network = Network(back=back)
        self.time_passes(LEASE / 3 + back)
        self.server.network = Network(lose_request=True)

    @rule()
    def the_reaper_looks(self) -> None:
        self.server.reap()

    @precondition(lambda self: self.server.token is None)
    @rule()
    def another_takes_the_free_lock(self) -> None:
        self.server.grant_to_another()

    @rule()
    def an_operator_takes_it_by_force(self) -> None:
        self.server.taken_by_force = True
        self.server.grant_to_another()

    @rule()
    def an_operator_cancels(self) -> None:
        self.server.cancelled = True

    @rule()
    def a_publishing_step_asks(self) -> None:
        async def ask() -> None:
            self.gates.append(
                Gate(self.clock.seconds, asyncio.create_task(self.keeper.confirmed()))
            )
            await self.clock.settle()

        self.loop.run_until_complete(ask())

    @rule()
    def calm_settles_everything(self) -> None:
        self.server.network = Network()
        self.loop.run_until_complete(self.clock.advance(LEASE))
        ours = self.server.token == OURS and not self.server.cancelled
        assert self.keeper.state is (LockState.HELD if ours else LockState.LOST)
        assert all(gate.task.done() for gate in self.gates)

    @invariant()
    def a_lock_that_is_held_here_is_ours_at_state(self) -> None:
        if self.keeper.state is LockState.HELD and not self.server.taken_by_force:
            assert self.server.token == OURS
            assert self.clock.seconds <= self.server.expires_at

    @invariant()
    def only_state_itself_takes_the_lock_away(self) -> None:
        if self.keeper.state is LockState.LOST:
            assert self.server.said_final

    @invariant()
    def renewals_never_stop_while_the_lock_is_not_lost(self) -> None:
        if self.keeper.state is not LockState.LOST:
            last = self.server.asked_at[-1] if self.server.asked_at else 0.0
            assert self.clock.seconds - last <= LEASE / 3 + 30.0

    @invariant()
    def a_gate_opens_only_by_a_renewal_sent_after_it_was_asked(self) -> None:
        for gate in self.gates:
            if gate.task.done() and gate.task.exception() is None:
                assert any(sent >= gate.asked_at for sent in self.server.granted_sends)

    @invariant()
    def every_change_is_told(self) -> None:
        assert (self.told[-1] if self.told else LockState.HELD) is self.keeper.state


KeeperMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
test_the_lock_keeper_through_outages_and_takeovers = KeeperMachine.TestCase
