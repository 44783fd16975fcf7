"""The constants of the policy, changed by name for a replay."""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from daylily_scheduler.domain.rules import Rules

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NAMES = tuple(field.name for field in fields(Rules))


class ConstantError(ValueError):
    """A constant that there is not, or a value that it cannot have; names it."""


def changed(rules: Rules, words: Iterable[str]) -> Rules:
    """The rules with these changes, such as "low_rises_after=6h", "delay_usd_per_hour=8,1,0.5".

    Raises:
        ConstantError: a word is no change of a constant.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in NAMES:
            raise ConstantError(f"{word!r}: expected NAME=VALUE with one of {', '.join(NAMES)}")
        try:
            values[name] = _value(getattr(rules, name), text)
        except (ValueError, KeyError, OverflowError):
            raise ConstantError(
                f"{name}: {text!r} is not like {_shown(getattr(rules, name))}"
            ) from None
    return replace(rules, **values)


def _value(like: object, text: str) -> object:
    match like:
        case timedelta():
            return timedelta(seconds=float(text[:-1]) * UNITS[text[-1:]])
        case tuple():
            found = tuple(float(part) for part in text.split(","))
            if len(found) != len(like):
                raise ValueError("not as many")
            return found
        case int():
            return int(text)
        case _:
            return float(text)


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds() / 3600:g}h"
    if isinstance(value, tuple):
        return ",".join(f"{part:g}" for part in value)
    return f"{value}"
