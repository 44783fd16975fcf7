"""A registration is answered before the scheduler has read of it in the feed.

So a test that asks the scheduler for what it registered a moment ago waits first: else the order of
two worksets, or whether there is one at all, depends on how busy the machine is.
"""

from daylily_client import AsyncSchedulerClient


async def knows_of(scheduler: AsyncSchedulerClient, *workset_ids: str) -> None:
    """Returns once this scheduler knows these worksets.

    What it explains it reads from state, and from then on it knows it: nothing to poll for.
    """
    for workset_id in workset_ids:
        await scheduler.explain_workset(workset_id=workset_id)
