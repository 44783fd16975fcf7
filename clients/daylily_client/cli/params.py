"""What people type, as the values that requests need."""

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import click
from click.shell_completion import CompletionItem
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client.cli.words import ProtoEnum

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


class EnumWord(click.ParamType[int]):
    """A value of a proto enum, typed in any case and without its prefix: `in-progress`."""

    def __init__(self, name: str, enum: ProtoEnum) -> None:
        self.name = name
        prefix = enum.keys()[0].removesuffix("UNSPECIFIED")
        self._numbers = {
            key.removeprefix(prefix).lower().replace("_", "-"): number
            for key, number in zip(enum.keys(), enum.values(), strict=True)
            if number
        }

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        typed = str(value).lower().replace("_", "-")
        if typed not in self._numbers:
            self.fail(f"{value!r} is none of {', '.join(self._numbers)}", param, ctx)
        return self._numbers[typed]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:  # noqa: ARG002
        few = len(self._numbers) <= 6
        return f"[{'|'.join(self._numbers)}]" if few else self.name.upper()

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - the signature is click's
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        typed = incomplete.lower()
        return [CompletionItem(name) for name in self._numbers if name.startswith(typed)]


STATE = EnumWord("state", workset_pb2.WorksetState)
PRIORITY = EnumWord("priority", workset_pb2.Priority)
CATEGORY = EnumWord("category", workset_pb2.ErrorCategory)
EVENT_TYPE = EnumWord("type", event_pb2.EventType)


class Span(click.ParamType[timedelta]):
    """A length of time: 90s, 15m, 2h, 1d."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        length = parse_span(str(value))
        if length is None:
            self.fail(f"{value!r} is no length of time such as 90s, 15m, 2h or 1d", param, ctx)
        return length


class When(click.ParamType[datetime]):
    """A time, as ISO 8601 or as a distance from now: `2026-01-02T15:00Z`, `2h` (ago), `+3d`."""

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        distance = parse_span(text.lstrip("+"))
        if distance is not None:
            now = datetime.now(timezone.utc)
            return now + distance if text.startswith("+") else now - distance
        try:
            # Python 3.10 does not know the Z.
            at = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        except ValueError:
            self.fail(
                f"{value!r} is no time such as 2026-01-02T15:00Z, 2h (ago) or +3d (from now)",
                param,
                ctx,
            )
        # Without a zone it is the reader's own clock, as in everything that this program prints.
        return at.astimezone(timezone.utc)


class Pair(click.ParamType[tuple[str, str]]):
    """A label: KEY=VALUE."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return cast("tuple[str, str]", value)
        key, equals, text = str(value).partition("=")
        if not key or not equals:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key, text


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object, or @FILE with one in it."""

    name = "json"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        text = str(value)
        try:
            found = json.loads(Path(text[1:]).read_text("utf-8") if text[:1] == "@" else text)
        except OSError as error:
            self.fail(f"cannot read {text[1:]}: {error.strerror}", param, ctx)
        except ValueError as error:
            self.fail(f"no JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail("expected a JSON object in braces", param, ctx)
        return found


def parse_span(text: str) -> timedelta | None:
    """A length of time as people type it, or None if it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)", text.strip())
    return timedelta(seconds=float(match[1]) * UNITS[match[2]]) if match else None
