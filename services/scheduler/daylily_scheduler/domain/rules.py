"""The constants of the policy, each with its reason. docs/scheduling.md says how far each matters."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may set. Three values are for urgent, normal and low, in this order.

    Attributes:
        delay_usd_per_hour: what an hour of delay of a workset costs, US dollars.
        crowding: how many worksets' delay one that waits by choice stands for. What is left idle now
            is work for later, and in a busy period of load r those that come later wait for it, too:
            1 / (1 - r) of them, 4 at a load of 0.75, 20 at 0.95.
        hours_per_hour: an expected hour of a run lets worksets of its class go first that are
            registered up to so many hours later. Short ones first, and nobody for ever.
        low_handicap: a low workset that rose stands among the normal ones as if registered so much
            later.
        low_rises_after_runs: age at which a low workset counts as normal, in its expected run times:
            a short one makes room soon, and by slowdown its wait counts for more.
        low_rises_after: the highest such age, however long the run.
        normal_rises_after: age at which any workset counts as urgent. From then on only what is
            registered before its place in the order goes first. It is there for the bound alone: where
            all wait for days, those that rise cost the others more than they gain.
        deadline_slack: a workset counts one class higher from so long before the last moment at
            which it would meet its deadline, until that moment.
        share_handicap: a customer that runs on the whole capacity at weight 1 stands back so much,
            one that runs on a tenth a tenth of it.
        most_share_handicap: never more than this, whatever the weight.
        plan_looks: clusters looked at for a plan, so that its time is bounded whatever the number of
            clusters. So many worksets at the head of the queue have reservations in time as looks
            allow.
        most_planned: and never more worksets than this.
        most_looked_through: and so many worksets behind them, in order, for one that may start in a gap.
        review_after: what waits by choice is looked at again after so long.
        asks_for: a cluster is expected to take what is kept for it so long after it last asked.
        default_hours: how long a run takes of which nobody stated anything.
        idle_share: the share of a cluster's fixed cost that a run is charged for the hours by which
            the cluster has to live longer for it: 0 for clusters that live on anyway. Where idle ones
            are shut down, 0.3 does well, since others use most of these hours, too.
        transfer_usd_per_gb: price of a GiB that goes from one region to another, US dollars.
    """

    delay_usd_per_hour: tuple[float, float, float] = (8.0, 1.0, 0.25)
    crowding: float = 8.0
    hours_per_hour: float = 5.0
    low_handicap: timedelta = timedelta(hours=16)
    low_rises_after_runs: float = 2.0
    low_rises_after: timedelta = timedelta(hours=12)
    normal_rises_after: timedelta = timedelta(hours=168)
    deadline_slack: timedelta = timedelta(hours=1)
    share_handicap: timedelta = timedelta(hours=12)
    most_share_handicap: timedelta = timedelta(hours=24)
    plan_looks: int = 1000
    most_planned: int = 16
    most_looked_through: int = 10_000
    review_after: timedelta = timedelta(minutes=5)
    asks_for: timedelta = timedelta(seconds=15)
    default_hours: float = 8.0
    idle_share: float = 0.0
    transfer_usd_per_gb: float = 0.02


DEFAULT_RULES = Rules()
