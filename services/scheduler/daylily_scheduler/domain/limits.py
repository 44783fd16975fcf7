"""What customers may run at once and spend.

The worksets that run are counted from the feed; dollars come from state, plus what was reserved
since they were read. State decides in the lock's transaction; this only saves it vain tries.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from daylily_scheduler.domain import reasons
from daylily_scheduler.domain.model import Customer, Workset
from daylily_scheduler.domain.reasons import Reason


def _cents(usd: float) -> float:
    return usd if math.isinf(usd) else round(usd * 100)


class Limits:
    def __init__(self) -> None:
        self._customers: dict[str, Customer] = {}
        self._running: dict[str, int] = {}
        self._charged: dict[str, tuple[str, float]] = {}
        self._since_read: dict[str, float] = {}
        self._full: set[str] = set()
        # Grows with every change.
        self.version = 0

    def __iter__(self) -> Iterator[Customer]:
        return iter(self._customers.values())

    def get(self, customer_id: str) -> Customer | None:
        return self._customers.get(customer_id)

    def running(self, customer_id: str) -> int:
        return self._running.get(customer_id, 0)

    def weight(self, customer_id: str) -> float:
        customer = self._customers.get(customer_id)
        return 1.0 if customer is None or customer.weight <= 0 else customer.weight

    def left_usd(self, customer: Customer) -> float:
        return customer.left_usd - self._since_read.get(customer.customer_id, 0.0)

    def spent_since_read(self) -> dict[str, float]:
        """Dollars that each customer reserved since the customers were read."""
        return dict(self._since_read)

    def refused(self) -> tuple[str, ...]:
        """Customers of which state said that they may start nothing more."""
        return tuple(sorted(self._full))

    def restore(self, since_read: Mapping[str, float], refused: Iterable[str]) -> None:
        """Takes what `spent_since_read` and `refused` gave."""
        self.version += 1
        self._since_read = dict(since_read)
        self._full = set(refused)

    def set_all(self, customers: Iterable[Customer]) -> None:
        """Takes every customer as state has it now."""
        self._customers = {customer.customer_id: customer for customer in customers}
        self.version += 1
        self._since_read.clear()
        self._full.clear()

    def start(self, workset: Workset) -> None:
        """Counts a workset that is locked or about to be; once, however often it is told."""
        customer = workset.customer_id
        if not customer or workset.workset_id in self._charged:
            return
        cost = workset.estimate.cost_usd
        self.version += 1
        self._charged[workset.workset_id] = (customer, cost)
        self._running[customer] = self.running(customer) + 1
        self._since_read[customer] = self._since_read.get(customer, 0.0) + cost

    def end(self, workset_id: str) -> str | None:
        """The workset runs no more. Names its customer if that one may start more now."""
        customer, _ = self._charged.pop(workset_id, ("", 0.0))
        if not customer:
            return None
        self.version += 1
        left = self.running(customer) - 1
        if left:
            self._running[customer] = left
        else:
            del self._running[customer]
        limited = customer in self._customers or customer in self._full
        self._full.discard(customer)
        return customer if limited else None

    def undo(self, workset_id: str) -> str | None:
        """The workset did not start after all: it cost nothing."""
        customer, cost = self._charged.get(workset_id, ("", 0.0))
        if customer in self._since_read:
            self._since_read[customer] = max(self._since_read[customer] - cost, 0.0)
        return self.end(workset_id)

    def refuse(self, customer_id: str) -> None:
        """State said that this customer may start nothing more; until one of its worksets ends or
        the customers are read again.
        """
        self._full.add(customer_id)
        self.version += 1

    def at_limit(self, customer_id: str, more: int = 0) -> bool:
        """Whether nothing of this customer may start, whatever it costs, once so many `more` run."""
        if customer_id in self._full:
            return True
        customer = self._customers.get(customer_id)
        return (
            customer is not None
            and customer.max_concurrent > 0
            and self.running(customer_id) + more >= customer.max_concurrent
        )

    def over_budget(self, customer_id: str, cost_usd: float) -> bool:
        """Whether this cost does not fit what is left of the customer's budget. As in state, a run
        whose cost nobody knows takes a cent.
        """
        customer = self._customers.get(customer_id)
        return (
            customer is not None
            and customer.budget_usd > 0
            and max(_cents(cost_usd), 1) > _cents(self.left_usd(customer))
        )

    def rejections(self, workset: Workset) -> tuple[Reason, ...]:
        """Why the customer may not start this workset now."""
        found = []
        name = workset.customer_id
        customer = self._customers.get(name)
        if self.at_limit(name):
            limit = customer.max_concurrent if customer else self.running(name)
            found.append(reasons.customer_limit(name, self.running(name), limit))
        if customer is not None and self.over_budget(name, workset.estimate.cost_usd):
            found.append(
                reasons.budget(name, workset.estimate.cost_usd, max(self.left_usd(customer), 0.0))
            )
        return tuple(found)
