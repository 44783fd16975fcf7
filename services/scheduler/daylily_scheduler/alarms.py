"""Says what people should hear of that no command makes, once whichever schedulers run."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client.errors import (
    DaylilyError,
    InvalidArgument,
    NotFound,
    RequestIdReused,
    SnapshotNotFound,
)
from daylily_client.state import AsyncStateClient
from daylily_client.values import struct
from daylily_runtime.clock import Clock
from daylily_scheduler.domain import alarms
from daylily_scheduler.domain.alarms import Alarm, Thresholds
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Workset
from daylily_scheduler.domain.runtimes import RunTimes

LOOK_SECONDS: Final = 15.0
SNAPSHOT: Final = "scheduler.alarms"
_SLICE: Final = 2_000
_STALE: Final = timedelta(seconds=30)
_KEPT: Final = 20_000
"""Alarms that a restart remembers; without one, state takes what is said again once all the same."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Alarms:
    """Looks at the book every some seconds and publishes what is new and what is over.

    What was said is kept in state, so that a restart says what is over, too.

    Args:
        state: where it is published.
        book: what is known.
        times: what was learned of run times.
        clock: time.
        thresholds: from where on it is an alarm.
        heard_at: when the feed was last heard; None while it has not caught up.
    """

    def __init__(
        self,
        state: AsyncStateClient,
        book: Book,
        times: RunTimes,
        clock: Clock,
        *,
        thresholds: Thresholds,
        heard_at: Callable[[], datetime | None],
    ) -> None:
        self._state = state
        self._book = book
        self._times = times
        self._clock = clock
        self._thresholds = thresholds
        self._heard_at = heard_at
        self._said: dict[str, str] | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except DaylilyError as error:
                _log.warning("alarms_not_kept", error=str(error))

    async def look(self) -> None:
        """Say what is new and what is over.

        Raises:
            DaylilyError: state does not say what was said before, or did not keep it.
        """
        heard = self._heard_at()
        if heard is None or self._clock.now() - heard > _STALE:
            return  # what looks silent may be our own deafness
        if self._said is None:
            self._said = await self._recall()
        said = dict(self._said)
        found = {alarm.slot: alarm for alarm in await self._find()}
        for slot, alarm in found.items():
            if not self._known(said.get(slot, ""), alarm) and await self._say(alarm):
                said[slot] = alarm.key
        clusters = frozenset(cluster.cluster_name for cluster in self._book.fleet)
        for slot in [slot for slot in said if slot not in found]:
            end = alarms.end_of(slot, said[slot], clusters)
            if end is None or await self._say(end):
                del said[slot]
        if said != self._said:
            kept = dict([*said.items()][-_KEPT:])
            await self._state.put_snapshot(name=SNAPSHOT, data=json.dumps(kept).encode())
            self._said = said

    @staticmethod
    def _known(key: str, alarm: Alarm) -> bool:
        """Whether this was said. A backlog goes on under other names, and is one all the same."""
        return key == alarm.key or (bool(key) and alarm.slot.startswith("backlog/"))

    async def _find(self) -> list[Alarm]:
        """All that is an alarm now, in slices that hold nobody up."""
        now = self._clock.now()
        found = [
            *alarms.silences(self._book.fleet, now),
            *alarms.budgets(self._book, self._thresholds, now),
        ]
        runs = [alarms.deadline(each, self._times, now) for each in self._book.active.values()]
        found += [late for late in runs if late is not None]
        oldest: Workset | None = None
        length = 0
        for number, workset in enumerate(self._book.queue.all()):
            if (late := alarms.deadline(workset, self._times, now)) is not None:
                found.append(late)
            if workset.can_start(now):
                length += 1
                if oldest is None or workset.created_at < oldest.created_at:
                    oldest = workset
            if number % _SLICE == _SLICE - 1:
                await self._clock.sleep(0)
        return [*found, *alarms.backlogs(oldest, length, self._thresholds, now)]

    async def _say(self, alarm: Alarm) -> bool:
        """Publish it. Whether it is said, by us or another."""
        try:
            await self._state.publish_event(
                subject=event_pb2.Subject(
                    kind=event_pb2.SubjectKind.Value(f"SUBJECT_KIND_{alarm.kind}"),
                    id=alarm.subject,
                ),
                type=event_pb2.EventType.Value(f"EVENT_TYPE_{alarm.type}"),
                reason=alarm.reason,
                customer_id=alarm.customer_id,
                cluster_name=alarm.cluster_name,
                priority=(
                    workset_pb2.Priority.Value(f"PRIORITY_{alarm.priority}")
                    if alarm.priority
                    else workset_pb2.PRIORITY_UNSPECIFIED
                ),
                details=struct({"over": True}) if alarm.over else None,
                request_id=alarm.request_id,
            )
        except (RequestIdReused, NotFound):
            return True  # another said it in other words, or what it is about is gone
        except InvalidArgument as error:
            _log.error("alarm_refused", slot=alarm.slot, error=str(error))
            return True
        except DaylilyError as error:
            _log.warning("alarm_not_said", slot=alarm.slot, error=str(error))
            return False
        _log.info("alarm_said", slot=alarm.slot, type=alarm.type)
        return True

    async def _recall(self) -> dict[str, str]:
        try:
            kept = json.loads((await self._state.get_snapshot(name=SNAPSHOT)).data)
        except SnapshotNotFound:
            return {}
        except ValueError:
            return {}
        return {str(slot): str(key) for slot, key in kept.items()} if isinstance(kept, dict) else {}
