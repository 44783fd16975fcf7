"""From the units of the contract (GiB and US dollars as doubles) to whole MiB and cents, and back."""

import math

MB_PER_GB = 1024
CENTS_PER_USD = 100


def whole(value: float, per_unit: int) -> int | None:
    """The value in whole small units, None if that is no finite number (NaN, infinity, 1e308)."""
    small = value * per_unit
    return round(small) if math.isfinite(small) else None


def gigabytes(megabytes: int) -> float:
    """MiB as GiB."""
    return megabytes / MB_PER_GB


def dollars(cents: int) -> float:
    """Cents as US dollars."""
    return cents / CENTS_PER_USD
