"""What keeps a channel from flooding people: quiet hours, rates, digests."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from daylily_notifier.config.values import Section, parse_duration

_RATE = re.compile(r"(\d{1,6})\s*(?:/|per )\s*(.+)")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Rate:
    """So many messages in so long."""

    count: int
    per: timedelta

    def __str__(self) -> str:
        return f"{self.count} in {self.per.total_seconds():g} s"


def _rate(value: Any) -> Any:
    if value is None or isinstance(value, Rate):
        return value
    if value is False or value == "off":  # YAML reads `off` as false
        return None
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise ValueError("expected a rate, such as 30/1m, or off")
    return Rate(int(match[1]), parse_duration(match[2]))


def _window(value: Any) -> Any:
    if value is None or value is False or value == "off":
        return None
    return parse_duration(value)


OptionalRate = Annotated[Rate | None, BeforeValidator(_rate)]
OptionalWindow = Annotated[timedelta | None, BeforeValidator(_window)]


def _clock_time(value: Any) -> time:
    if isinstance(value, time):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)  # YAML 1.1 reads 22:00 as a number in base 60
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a time of day, such as '22:00'")
    return time(int(match[1]), int(match[2]))


_ClockTime = Annotated[time, BeforeValidator(_clock_time)]


class QuietHours(Section):
    """Every day from one time of day to another, also over midnight."""

    start: _ClockTime = Field(alias="from")
    end: _ClockTime = Field(alias="to")
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone {value!r}") from None
        return value

    @model_validator(mode="after")
    def _not_empty(self) -> "QuietHours":
        if self.start == self.end:
            raise ValueError("from and to are the same")
        return self

    def until(self, now: datetime) -> datetime | None:
        """When it ends, if it is quiet at `now`.

        On a day when the clocks change, the end is at that time of the new clock.
        """
        local = now.astimezone(ZoneInfo(self.time_zone))
        here = local.time().replace(tzinfo=None)
        over_midnight = self.start > self.end
        if over_midnight:
            quiet = here >= self.start or here < self.end
        else:
            quiet = self.start <= here < self.end
        if not quiet:
            return None
        day = local.date()
        if over_midnight and here >= self.start:
            day += timedelta(days=1)
        return datetime.combine(day, self.end, ZoneInfo(self.time_zone)).astimezone(now.tzinfo)

    def __str__(self) -> str:
        return f"quiet hours {self.start:%H:%M} to {self.end:%H:%M} {self.time_zone}"
