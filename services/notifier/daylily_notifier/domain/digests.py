"""Many events in one message: counted, with what they have in common and examples."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from daylily_notifier.domain.event import Event
from daylily_notifier.domain.message import Message, as_line, body_of, headline_of, moment_text
from daylily_notifier.domain.severity import Severity, severity_of

MOST = 10_000
"""Members of one digest: so many still fit where state keeps it. Who comes later gets another."""
_EXAMPLES = 10
_EXAMPLE_CHARS = 160
_DISTINCT = 20
_SHOWN = 5
_TAG = 8
_ORDER = list(Severity)

HEADLINES: Mapping[str, str] = MappingProxyType(
    {
        "FAILED": "{n} more worksets failed",
        "LOCK_TIMEOUT": "{n} more worksets lost their locks: their holders fell silent",
        "RETRY_SCHEDULED": "{n} more worksets failed and will be tried again",
        "DEPENDENCY_FAILED": "{n} more worksets depend on one that did not complete",
        "DEADLINE_AT_RISK": "{n} more worksets can hardly meet their deadlines",
        "CLUSTER_SILENT": "{n} more clusters are silent",
        "BUDGET_WARNING": "{n} more customers have nearly used up their budgets",
        "BUDGET_EXHAUSTED": "{n} more customers have used up their budgets",
    }
)
_NEXT: Mapping[str, str] = MappingProxyType(
    {
        "FAILED": "See them all: worksets list --state error. Mend what they have in common first.",
        "LOCK_TIMEOUT": "Look whether the cluster's head node and monitor run: worksets clusters.",
        "RETRY_SCHEDULED": "Nothing: they are tried again by themselves.",
        "CLUSTER_SILENT": "Look whether their head nodes and monitors run: worksets clusters.",
    }
)


@dataclass(frozen=True)
class Digest:
    """What is known of the events in it."""

    carrier: str
    """The delivery that is sent as this digest."""
    why: str = ""
    """Why they were held back; empty: they are of one trouble that came in a burst."""
    tags: frozenset[str] = frozenset()
    """Members whose trouble is not over: eight letters of each."""
    total: int = 0
    types: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, int] = field(default_factory=dict)
    clusters: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    severity: Severity = Severity.INFO
    urgent: bool = False
    sealed: bool = False
    """It is being sent, so nothing more can be counted into it."""

    @property
    def full(self) -> bool:
        return self.total >= MOST

    def with_event(self, delivery_id: str, event: Event) -> "Digest":
        """With one more, unless it is in it already."""
        tag = tag_of(delivery_id)
        if tag in self.tags:
            return self
        example = f"{headline_of(event)}: {as_line(event.error_details or event.reason)}"
        worst = min(self.severity, severity_of(event), key=_ORDER.index)
        return replace(
            self,
            tags=self.tags | {tag},
            total=self.total + 1,
            types=_one_more(self.types, event.type),
            categories=_one_more(self.categories, event.error_category),
            clusters=_one_more(self.clusters, event.cluster_name),
            reasons=_one_more(self.reasons, as_line(event.error_details or event.reason)[:100]),
            examples=(*self.examples, example.rstrip(": ")[:_EXAMPLE_CHARS])[:_EXAMPLES],
            first_at=min(filter(None, (self.first_at, event.occurred_at))),
            last_at=max(filter(None, (self.last_at, event.occurred_at))),
            severity=worst,
            urgent=self.urgent or event.priority == "URGENT",
        )

    def has(self, delivery_id: str) -> bool:
        """Whether it is one of those whose trouble is not over."""
        return tag_of(delivery_id) in self.tags

    def without(self, delivery_id: str) -> "Digest":
        """With this member's trouble over."""
        return replace(self, tags=self.tags - {tag_of(delivery_id)})


def tag_of(delivery_id: str) -> str:
    """Eight letters for a delivery: of 10,000, two are the same once in five million times."""
    return base64.b64encode(hashlib.sha256(delivery_id.encode()).digest()[:6]).decode()


def to_bytes(digest: Digest) -> bytes:
    """As state keeps it."""
    return json.dumps(
        {
            **{
                name: getattr(digest, name)
                for name in ("carrier", "why", "total", "examples", "urgent", "sealed")
            },
            **{name: dict(getattr(digest, name)) for name in _COUNTED},
            "tags": "".join(sorted(digest.tags)),
            "first_at": digest.first_at and digest.first_at.isoformat(),
            "last_at": digest.last_at and digest.last_at.isoformat(),
            "severity": digest.severity.value,
        }
    ).encode()


def from_bytes(data: bytes) -> Digest:
    """What `to_bytes` was given."""
    kept: dict[str, Any] = json.loads(data)
    tags = kept.pop("tags")
    return Digest(
        **{
            **kept,
            "tags": frozenset(tags[at : at + _TAG] for at in range(0, len(tags), _TAG)),
            "examples": tuple(kept["examples"]),
            "first_at": kept["first_at"] and datetime.fromisoformat(kept["first_at"]),
            "last_at": kept["last_at"] and datetime.fromisoformat(kept["last_at"]),
            "severity": Severity(kept["severity"]),
        }
    )


_COUNTED = ("types", "categories", "clusters", "reasons")


def render(digest: Digest, key: str, dedup_key: str, *, base_url: str = "") -> Message:
    """The message of a digest.

    Args:
        digest: with two members at least.
        key: of the digest.
        dedup_key: of the message.
        base_url: of the gateway's pages, if there is one.
    """
    headline = _headline(digest)
    url = f"{base_url}/" if base_url else ""
    one_type = _only(digest.types)
    facts = [
        ("Count", str(digest.total)),
        ("What", _counts(digest.types)),
        ("Where", _counts(digest.clusters, "cluster ")),
        ("Kind", _counts(digest.categories)),
        ("Why", _counts(digest.reasons)),
        ("Since", moment_text(digest.first_at) if digest.first_at else ""),
        ("Until", moment_text(digest.last_at) if digest.last_at else ""),
        ("Examples", "; ".join(digest.examples)),
        ("Next", _NEXT.get(one_type, "")),
        ("Digest", key),
        ("Page", url),
    ]
    shown = tuple((label, text) for label, text in facts if text)
    attributes = {
        "event_type": one_type,
        "priority": "URGENT" if digest.urgent else "",
        "cluster": _only(digest.clusters),
        "digest": "true",
        "count": str(digest.total),
    }
    return Message(
        subject=f"URGENT: {headline}" if digest.urgent else headline,
        body=body_of(headline, shown),
        attributes={name: value for name, value in attributes.items() if value},
        ordering_key=key,
        dedup_key=dedup_key,
        severity=digest.severity,
        facts=shown,
        url=url,
        occurred_at=digest.last_at or digest.first_at or datetime.min,  # noqa: DTZ901 - never
    )


def _headline(digest: Digest) -> str:
    if digest.why:
        return f"{digest.total} messages were held back: {digest.why}"
    kind = _only(digest.types)
    words = HEADLINES.get(kind, "{n} more messages of one kind: " + kind.lower())
    if kind in {"COMPLETED", "IGNORED", "CLUSTER_RECOVERED"} or not kind:
        words = "{n} more troubles are over"
    cluster, category = _only(digest.clusters), _only(digest.categories)
    return "".join(
        [
            words.format(n=digest.total),
            f" on cluster {cluster}" if cluster else "",
            f" ({category})" if category else "",
        ]
    )


def _only(counted: Mapping[str, int]) -> str:
    """The one value that all have; empty if they differ."""
    return next(iter(counted)) if len(counted) == 1 else ""


def _counts(counted: Mapping[str, int], before: str = "") -> str:
    ordered = sorted(
        ((name, count) for name, count in counted.items() if name), key=lambda one: -one[1]
    )
    shown = [f"{before}{name} ({count})" for name, count in ordered[:_SHOWN]]
    rest = sum(count for _, count in ordered[_SHOWN:])
    return ", ".join([*shown, *([f"others ({rest})"] if rest else [])])


def _one_more(counted: Mapping[str, int], name: str) -> Mapping[str, int]:
    """Counted once more; beyond so many different ones, all others are counted together."""
    if name not in counted and len(counted) >= _DISTINCT:
        name = "others"
    return {**counted, name: counted.get(name, 0) + 1}


def with_events(digest: Digest, events: Iterable[tuple[str, Event]]) -> Digest:
    """With all of these, by their deliveries' ids."""
    for delivery_id, event in events:
        digest = digest.with_event(delivery_id, event)
    return digest
