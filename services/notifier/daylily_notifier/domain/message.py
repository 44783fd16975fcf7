"""An event in words: what happened, to which workset, where, why, since when, what to do next."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from daylily_notifier.domain.episodes import Thread
from daylily_notifier.domain.event import Event
from daylily_notifier.domain.severity import Severity, severity_of

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    """What a channel is given to send."""

    subject: str
    """One line."""
    body: str
    attributes: Mapping[str, str]
    """Facts for machines on the way; none is empty."""
    ordering_key: str
    """Messages with one key are about one thing."""
    dedup_key: str
    """The same when the message is sent again."""
    severity: Severity = Severity.INFO
    facts: tuple[tuple[str, str], ...] = ()
    """The body in parts: label and text, none empty."""
    url: str = ""
    """Where a person sees more; empty if there is no such page."""
    occurred_at: datetime = _NEVER
    thread: Thread | None = None
    """The trouble that it opens, goes on with, or closes; None if it stands alone."""


HEADLINES: Mapping[str, str] = MappingProxyType(
    {
        "REGISTERED": "{subject} was registered",
        "LOCK_ACQUIRED": "{subject} was taken by {owner}",
        "LOCK_RELEASED": "{subject} was given back",
        "LOCK_TIMEOUT": "{subject} lost its lock: its holder fell silent",
        "STARTED": "{subject} started",
        "COMPLETED": "{subject} is complete",
        "FAILED": "{subject} failed",
        "RETRY_SCHEDULED": "{subject} failed and will be tried again",
        "IGNORED": "{subject} was cancelled",
        "RESTORED": "{subject} was made ready again",
        "UPDATED": "{subject} was changed",
        "DEPENDENCY_MET": "{subject} has everything it depends on",
        "DEPENDENCY_FAILED": "{subject} depends on a workset that did not complete",
        "DEADLINE_AT_RISK": "{subject} can hardly meet its deadline",
        "CLUSTER_REGISTERED": "{subject} was registered",
        "CLUSTER_DRAINING": "{subject} takes no new work",
        "CLUSTER_REMOVED": "{subject} was removed",
        "CLUSTER_SILENT": "{subject} is silent",
        "CLUSTER_RECOVERED": "{subject} reports again",
        "CLUSTER_REPORTED": "{subject} reported its use",
        "CUSTOMER_UPDATED": "{subject} has new limits",
        "BUDGET_WARNING": "{subject} has nearly used up its budget",
        "BUDGET_EXHAUSTED": "{subject} has used up its budget",
        "QUEUE_BACKLOG": "The queue is longer or older than it should be",
    }
)

NEXT_STEPS: Mapping[str, str] = MappingProxyType(
    {
        "FAILED": (
            "Read the error: worksets get {id}. Run it again: worksets retry {id}."
            " Or drop it: worksets ignore {id}."
        ),
        "RETRY_SCHEDULED": "Nothing: it is tried again by itself.",
        "LOCK_TIMEOUT": (
            "Look whether the monitor {owner} still lives. The old run can publish nothing any more."
        ),
        "IGNORED": "To run it after all: worksets retry {id}.",
        "DEPENDENCY_FAILED": (
            "See why it waits: worksets history {id}. Retry the dependency,"
            " or drop this one: worksets ignore {id}."
        ),
        "DEADLINE_AT_RISK": (
            "While it waits, give it way: set its priority to URGENT, or free a cluster."
            " Tell who counts on it."
        ),
        "CLUSTER_SILENT": (
            "Look whether the cluster's head node and monitor run: worksets clusters."
        ),
        "BUDGET_WARNING": "Agree on the next budget before it stops new work.",
        "BUDGET_EXHAUSTED": "New worksets of this customer wait until the budget is raised.",
        "QUEUE_BACKLOG": "See what waits: worksets queue. Add or repair a cluster: worksets clusters.",
    }
)

_ENDED_BY_TIMEOUT = (
    "Nothing is left to try. Find out why its holders fall silent, then: worksets retry {id}."
)


def render(event: Event, dedup_key: str, *, base_url: str = "") -> Message:
    """The message of `event`, the same on every channel.

    Args:
        event: what happened.
        dedup_key: of the message.
        base_url: of the gateway's pages, if there is one.
    """
    headline = headline_of(event)
    urgent = event.priority == "URGENT"
    url = page_of(event, base_url)
    facts = tuple((label, text) for label, text in [*_facts(event), ("Page", url)] if text)
    return Message(
        subject=f"URGENT: {headline}" if urgent else headline,
        body=body_of(headline, facts),
        attributes=_attributes(event),
        ordering_key=event.subject_id or event.event_id,
        dedup_key=dedup_key,
        severity=severity_of(event),
        facts=facts,
        url=url,
        occurred_at=event.occurred_at,
    )


def page_of(event: Event, base_url: str) -> str:
    """The gateway's page on what the event is about."""
    if not base_url:
        return ""
    match event.subject_kind:
        case "WORKSET":
            return f"{base_url}/worksets/{event.subject_id}"  # an id has no letter to quote
        case "CLUSTER":
            return f"{base_url}/clusters"
        case _:
            return f"{base_url}/"


def as_test(message: Message) -> Message:
    """`message` marked for people and machines as one that reports nothing real."""
    return replace(
        message,
        subject=f"TEST: {message.subject}",
        body=f"This is a test of the channel. Nothing happened.\n\n{message.body}",
        attributes={**message.attributes, "test": "true"},
    )


def headline_of(event: Event) -> str:
    """What happened, to whom, in a line."""
    if event.type == "EXTERNAL":
        return as_line(event.reason) or f"{_subject(event)}: a message from outside"
    template = HEADLINES.get(event.type)
    if template is None:  # a type that is newer than this notifier
        return f"{_subject(event)}: {event.type.lower().replace('_', ' ')}"
    return _fill(template, event)


def body_of(headline: str, facts: Iterable[tuple[str, str]]) -> str:
    """The text for channels that take plain text."""
    lines = [f"{label + ':':<10} {text}" for label, text in facts]
    return "\n".join([f"{headline}.", "", *lines, ""])


def _facts(event: Event) -> list[tuple[str, str]]:
    return [
        ("What", _what(event)),
        ("Workset", event.workset_id),
        ("Where", _where(event)),
        ("Why", _why(event)),
        ("Since", moment_text(event.occurred_at)),
        ("Again at", _text(event.details.get("available_at"))),
        ("Details", _other_details(event)),
        ("Priority", event.priority),
        ("Customer", event.customer_id),
        ("Labels", ", ".join(f"{key}={value}" for key, value in sorted(event.labels.items()))),
        ("By", event.actor),
        ("Next", _next_step(event)),
        ("Event", event.event_id),
    ]


def _what(event: Event) -> str:
    change = ""
    if event.changes_state:
        change = f" ({event.from_state or 'new'} to {event.to_state})"
    attempt = f", attempt {event.attempt}" if event.attempt else ""
    return f"{event.type}{change}{attempt}"


def _where(event: Event) -> str:
    parts = []
    if event.cluster_name:
        parts.append(f"cluster {event.cluster_name}")
    if event.owner_id:
        parts.append(f"held by {event.owner_id}")
    return ", ".join(parts)


def _why(event: Event) -> str:
    reason = "" if event.type == "EXTERNAL" else event.reason
    parts = [event.error_category, as_line(reason), as_line(event.error_details)]
    return ": ".join(dict.fromkeys(part for part in parts if part))


def _next_step(event: Event) -> str:
    if event.type == "LOCK_TIMEOUT" and event.to_state == "ERROR":
        return _fill(_ENDED_BY_TIMEOUT, event)
    return _fill(NEXT_STEPS.get(event.type, ""), event)


def _other_details(event: Event) -> str:
    shown = {key: value for key, value in event.details.items() if key != "available_at"}
    return ", ".join(f"{key}={_text(value)}" for key, value in sorted(shown.items()))


def _attributes(event: Event) -> Mapping[str, str]:
    every = {
        "event_type": event.type,
        "state": event.to_state,
        "priority": event.priority,
        "workset_id": event.workset_id,
        "cluster": event.cluster_name,
        "customer": event.customer_id,
        "event_id": event.event_id,
    }
    return {name: value for name, value in every.items() if value}


def _fill(template: str, event: Event) -> str:
    return template.format(
        subject=_subject(event),
        id=event.workset_id or event.subject_id,
        owner=event.owner_id or "somebody",
    )


def _subject(event: Event) -> str:
    if event.subject_kind in {"WORKSET", "CLUSTER", "CUSTOMER"}:
        return f"{event.subject_kind.capitalize()} {event.subject_id}"
    return event.subject_id or "The system"


def moment_text(when: datetime) -> str:
    """A time for people."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _text(value: object) -> str:
    """A value of `details`: numbers came as doubles, and 3.0 reads as 3."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str):
        return as_line(value)
    return json.dumps(value, ensure_ascii=False)


def as_line(text: str) -> str:
    """`text` without breaks."""
    return " ".join(text.split())
