"""From the file to what the notifier runs on."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.channels.kinds import KINDS
from daylily_notifier.channels.sns import SnsSettings
from daylily_notifier.config.document import Document, KeyPath, parse
from daylily_notifier.config.errors import ConfigError
from daylily_notifier.config.values import Environment, Section
from daylily_notifier.domain.routing import EVENT_WORDS, Match, Route
from daylily_notifier.domain.words import ERROR_CATEGORIES, PRIORITIES, STATES

S = TypeVar("S", bound=Section)

CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

WORTH_KNOWING = frozenset(
    {
        "ERROR",
        "COMPLETION",
        "LOCK_TIMEOUT",
        "RETRY_SCHEDULED",
        "IGNORED",
        "DEPENDENCY_FAILED",
        "DEADLINE_AT_RISK",
        "CLUSTER_SILENT",
        "CLUSTER_RECOVERED",
        "BUDGET_WARNING",
        "BUDGET_EXHAUSTED",
        "QUEUE_BACKLOG",
        "EXTERNAL",
    }
)
"""What goes to the topic of somebody who gave a topic and no file: what ended, and what is wrong."""


@dataclass(frozen=True)
class NotifierConfig:
    """Channels by name, and which events go to which."""

    channels: Mapping[str, ChannelSettings]
    routes: tuple[Route, ...]
    dead_letters: tuple[str, ...] = ()
    """Channels that hear when another gives a message up."""


def load_file(path: Path, environment: Environment) -> NotifierConfig:
    """Read and validate the file.

    Raises:
        ConfigError: it cannot be read, or is wrong; every fault names its key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    return load(parse(text, str(path)), environment)


def load(document: Document, environment: Environment) -> NotifierConfig:
    """Validate what was read.

    Raises:
        ConfigError: with all faults, not only the first.
    """
    reader = _Reader(document, environment)
    file = reader.section(_File, document.data or {}, ())
    if file is None:
        raise ConfigError(reader.faults)
    channels = {
        name: settings
        for name, data in file.channels.items()
        if (settings := reader.channel(name, data)) is not None
    }
    for index, route in enumerate(file.routes):
        for name in route.channels:
            if name not in file.channels:
                reader.fault(("routes", index, "channels"), f"there is no channel {name!r}")
    for name in file.dead_letters:
        if name not in file.channels:
            reader.fault(("dead_letters",), f"there is no channel {name!r}")
    if reader.faults:
        raise ConfigError(reader.faults)
    return NotifierConfig(
        MappingProxyType(channels),
        tuple(route.as_route() for route in file.routes),
        tuple(dict.fromkeys(file.dead_letters)),
    )


def no_channels() -> NotifierConfig:
    """The configuration of somebody who wants to hear nothing, yet."""
    return NotifierConfig(MappingProxyType({}), ())


def one_topic(
    topic_arn: str, endpoint_url: str | None = None, *, digests: bool = True
) -> NotifierConfig:
    """The configuration of somebody who has one SNS topic and no file.

    Args:
        topic_arn: of the topic.
        endpoint_url: where SNS is, if it is not AWS itself.
        digests: make one message of troubles of a kind that come close together; else each is told.

    Raises:
        ConfigError: it is no topic's ARN.
    """
    try:
        settings = SnsSettings(kind="sns", topic_arn=topic_arn, endpoint_url=endpoint_url)
    except ValidationError as error:
        raise ConfigError([_message(detail) for detail in error.errors()]) from None
    if not digests:
        settings = settings.model_copy(update={"digest": None})
    route = Route(Match(events=WORTH_KNOWING), ("sns",))
    return NotifierConfig(MappingProxyType({"sns": settings}), (route,))


def _words(allowed: Iterable[str]) -> Callable[[Any], list[str]]:
    """A list of words out of `allowed` in any case; a single one needs no brackets."""
    known = frozenset(allowed)

    def check(value: Any) -> list[str]:
        words = _texts(value)
        if unknown := [word for word in words if word.upper() not in known]:
            names = ", ".join(sorted(word.lower() for word in known))
            raise ValueError(f"there is no {', '.join(unknown)}; there are: {names}")
        return [word.upper() for word in words]

    return check


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(text, str) and text for text in values):
        raise ValueError("expected a text or a list of texts")
    return values


_Texts = Annotated[frozenset[str], BeforeValidator(_texts)]


class _Match(Section):
    """`match` of a route."""

    event: Annotated[frozenset[str], BeforeValidator(_words(EVENT_WORDS))] = frozenset()
    state: Annotated[frozenset[str], BeforeValidator(_words(STATES))] = frozenset()
    priority: Annotated[frozenset[str], BeforeValidator(_words(PRIORITIES))] = frozenset()
    error_category: Annotated[frozenset[str], BeforeValidator(_words(ERROR_CATEGORIES))] = (
        frozenset()
    )
    customer: _Texts = frozenset()
    cluster: _Texts = frozenset()
    label: dict[str, str] = Field(default_factory=dict)


class _Route(Section):
    """One of `routes`."""

    channels: Annotated[list[str], BeforeValidator(_texts)]
    match: _Match = Field(default_factory=_Match)
    quiet_hours: Literal["", "pass", "hold"] = ""

    def as_route(self) -> Route:
        match = Match(
            events=self.match.event,
            states=self.match.state,
            priorities=self.match.priority,
            customers=self.match.customer,
            clusters=self.match.cluster,
            error_categories=self.match.error_category,
            labels=self.match.label,
        )
        return Route(match, tuple(self.channels), self.quiet_hours)


class _File(Section):
    """The whole file."""

    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: list[_Route] = Field(default_factory=list)
    dead_letters: Annotated[list[str], BeforeValidator(_texts)] = Field(default_factory=list)


class _Reader:
    """Validates sections of one file and collects what is wrong with them."""

    def __init__(self, document: Document, environment: Environment) -> None:
        self.faults: list[str] = []
        self._document = document
        self._environment = environment

    def fault(self, path: KeyPath, message: str) -> None:
        self.faults.append(self._document.fault(path, message))

    def channel(self, name: str, data: dict[str, Any]) -> ChannelSettings | None:
        path: KeyPath = ("channels", name)
        if not CHANNEL_NAME.fullmatch(name):
            self.fault(path, "a channel's name is of a-z, 0-9 and -, 40 characters at most")
        kind = KINDS.get(str(data.get("kind", "")))
        if kind is None:
            self.fault((*path, "kind"), f"expected one of: {', '.join(sorted(KINDS))}")
            return None
        return self.section(kind, data, path)

    def section(self, section: type[S], data: Any, path: KeyPath) -> S | None:
        try:
            return section.model_validate(data, context=self._environment)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                self.fault((*path, *detail["loc"]), _message(detail))
        return None


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "there is no such key"
    if detail["type"] == "missing":
        return "is missing"
    text = detail["msg"].removeprefix("Value error, ")
    return text[0].lower() + text[1:]
