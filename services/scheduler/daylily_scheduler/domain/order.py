"""Who goes first: urgent, normal, low; inside a priority, first come first served.

A workset is filed under a class and, inside it, by a key. What moves with time (ageing, a deadline
that comes near) is a change of class at a moment that is known in advance: the queue files the
workset anew then, and nothing has to sort the whole queue.
"""

from datetime import datetime

from daylily_scheduler.domain.model import Priority, Workset

OrderKey = tuple[datetime, str]

CLASSES = tuple(Priority)


def order_class(workset: Workset) -> Priority:
    return workset.priority


def order_key(workset: Workset) -> OrderKey:
    """Age first; the id makes the order total, so that every scheduler sees the same one."""
    return (workset.created_at, workset.workset_id)
