"""Bugs, planted into the services of a run to see that the checks find them.

Each is a module with a function `plant(service)` that replaces a function of the product before the
service's `main` is called. Nothing of it is in the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.chaos.options import StoreName


@dataclass(frozen=True)
class Plant:
    """How a planted bug is run.

    Attributes:
        words: what is wrong, for the table.
        store: where it can show.
        weights: kinds of faults that bring it out, and those that are left out (0).
    """

    words: str
    store: StoreName = "sqlite"
    minutes: float = 0.6
    weights: Mapping[str, int] = field(default_factory=dict)
    long_holds: float = 0.08
    brief: bool = True
    faults: int = 0


PLANTS: Mapping[str, Plant] = {}
