"""What each customer runs at the moment, and how far that sets it back behind others of its class.

Only what runs counts, not what ran before: a new scheduler, and any other one, comes to the same.
"""

from datetime import timedelta

from daylily_scheduler.domain.model import Workset
from daylily_scheduler.domain.rules import Rules

NO_TIME = timedelta()


class Shares:
    def __init__(self) -> None:
        self._held: dict[str, tuple[str, int]] = {}
        self._vcpus: dict[str, int] = {}

    def start(self, workset: Workset) -> None:
        """Counts a workset that is locked or about to be; once, however often it is told."""
        self.end(workset.workset_id)
        customer, vcpus = workset.customer_id, workset.needs.amount.vcpus
        self._held[workset.workset_id] = (customer, vcpus)
        self._vcpus[customer] = self.vcpus(customer) + vcpus

    def end(self, workset_id: str) -> None:
        customer, vcpus = self._held.pop(workset_id, ("", 0))
        left = self.vcpus(customer) - vcpus
        if left:
            self._vcpus[customer] = left
        else:
            self._vcpus.pop(customer, None)

    def vcpus(self, customer_id: str) -> int:
        return self._vcpus.get(customer_id, 0)

    def handicap(self, customer_id: str, weight: float, capacity: int, rules: Rules) -> timedelta:
        """How much later than registered the worksets of a customer stand because of what it runs,
        measured by its weight and by the vCPUs of all clusters.
        """
        vcpus = self.vcpus(customer_id)
        if not vcpus or not capacity:
            return NO_TIME
        share = vcpus / capacity
        if weight * rules.most_share_handicap <= share * rules.share_handicap:
            return rules.most_share_handicap
        return share / weight * rules.share_handicap
