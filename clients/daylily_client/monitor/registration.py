"""Registers folders, once each, however often they are seen and by however many monitors."""

from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AlreadyExists,
    AsyncStateClient,
    DaylilyError,
    InvalidArgument,
    duration,
    struct,
)
from daylily_client.monitor.environment import priority_name
from daylily_client.monitor.folder import Needs, WorksetFolder
from daylily_client.monitor.logs import EventLog


class Registrar:
    """Registers folders with state, and remembers which are."""

    def __init__(self, state: AsyncStateClient, log: EventLog) -> None:
        self._state = state
        self._log = log
        self._registered: set[str] = set()
        self._told: dict[str, str] = {}

    @property
    def registered(self) -> frozenset[str]:
        """Folders that need not be looked at again."""
        return frozenset(self._registered)

    async def register(self, folder: WorksetFolder) -> None:
        """Register a folder. One that state refuses is told of, and tried again next time."""
        try:
            await self._state.register_workset(
                workset_id=folder.workset_id,
                bucket=folder.bucket,
                prefix=folder.prefix,
                priority=folder.priority,
                customer_id=folder.customer_id,
                pipeline=folder.pipeline,
                labels=folder.labels,
                metadata=struct(folder.metadata),
                requirements=_requirements(folder.needs),
            )
        except AlreadyExists:
            await self._compare(folder)
        except InvalidArgument as error:
            faults = "; ".join(f"{bad.field}: {bad.description}" for bad in error.violations)
            self.tell_once(folder.prefix, "folder_refused", faults or str(error))
        except DaylilyError as error:
            self.tell_once(folder.prefix, "folder_not_registered", str(error))
        else:
            self._registered.add(folder.prefix)
            self._told.pop(folder.prefix, None)
            self._log.info(
                "registered",
                workset_id=folder.workset_id,
                priority=priority_name(folder.priority),
                folder=folder.prefix,
            )

    async def _compare(self, folder: WorksetFolder) -> None:
        """A workset with this id exists: the same folder's, or somebody used an id twice."""
        try:
            answer = await self._state.get_workset(workset_id=folder.workset_id)
        except DaylilyError as error:
            self.tell_once(folder.prefix, "folder_not_registered", str(error))
            return
        known = answer.workset
        if (known.bucket, known.prefix) == (folder.bucket, folder.prefix):
            self._registered.add(folder.prefix)
            return
        self.tell_once(
            folder.prefix,
            "workset_id_used_twice",
            f"{folder.workset_id} is the workset of s3://{known.bucket}/{known.prefix}; "
            f"this folder does not run until it has a workset_id of its own",
        )

    def tell_once(self, folder: str, event: str, message: str) -> None:
        """Log what is wrong with a folder when it is new, not at every scan."""
        if self._told.get(folder) != message:
            self._told[folder] = message
            self._log.error(event, folder=folder, problem=message)


def _requirements(needs: Needs) -> workset_pb2.Requirements:
    estimated = needs.estimated_duration
    return workset_pb2.Requirements(
        vcpus=needs.vcpus,
        memory_gb=needs.memory_gb,
        storage_gb=needs.storage_gb,
        vcpu_hours=needs.vcpu_hours,
        estimated_cost_usd=needs.estimated_cost_usd,
        estimated_duration=duration(estimated) if estimated else None,
        max_cost_usd=needs.max_cost_usd,
        preferred_cluster=needs.preferred_cluster,
    )
