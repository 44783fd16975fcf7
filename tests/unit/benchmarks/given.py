"""Small simulations whose outcome can be worked out by hand. Times in hours."""

from benchmarks.scheduling.engine import Run, Simulation
from benchmarks.scheduling.platforms import Platform, Site
from benchmarks.scheduling.policies.base import Policy
from benchmarks.scheduling.workload import HOUR, Job, Offer
from daylily_scheduler.domain.model import Priority


def job(
    workset_id,
    at=0.0,
    *,
    vcpus=8,
    run=1.0,
    estimate=None,
    customer="lab",
    priority=Priority.NORMAL,
    deadline=None,
):
    return Job(
        Offer(
            workset_id,
            at * HOUR,
            vcpus,
            (run if estimate is None else estimate) * HOUR,
            customer,
            priority,
            deadline * HOUR if deadline is not None else None,
        ),
        run * HOUR,
    )


def site(name, *, vcpus=16, slots=8, price=0.01, zone="", fixed=1.0):
    return Site(name, zone or f"zone-{name}", vcpus, slots, price, fixed)


def play(policy: Policy, sites, jobs, *, elastic=False, boot=0.25, idle=0.5, **what) -> Run:
    platform = Platform(tuple(sites), elastic, boot * HOUR, idle * HOUR)
    return Simulation(platform, jobs, policy, **what).run()


def starts(run: Run):
    """When each started and where, in hours."""
    return {o.job.offer.workset_id: (o.started / HOUR, o.cluster) for o in run.outcomes}


def ends(run: Run):
    return {o.job.offer.workset_id: o.ended / HOUR for o in run.outcomes}
