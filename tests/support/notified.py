"""Channels that keep what they are sent, for tests and benchmarks of the notifier."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.places import Reply, Request

KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class PagerDuty:
    """Incidents by key, as PagerDuty keeps them: an event changes the one it names."""

    incidents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        sent = request.json
        self.incidents.setdefault(sent["dedup_key"], []).append(sent)
        taken = {"status": "success", "message": "ok", "dedup_key": sent["dedup_key"]}
        return Reply(202, json.dumps(taken))

    @property
    def opened(self) -> int:
        """Incidents that a person heard of."""
        return len(self.incidents)

    def is_open(self, key: str) -> bool:
        """Whether a trouble is not over here: after its end only a trigger opens it again."""
        about = self.incidents[key][0].get("payload", {}).get("class")
        decisive = [each for each in self.actions(key) if each != "acknowledge"]
        return about != "EXTERNAL" and decisive[-1:] == ["trigger"]

    def actions(self, key: str) -> list[str]:
        return [each["event_action"] for each in self.incidents[key]]


def config(
    chat_url: str, pager_url: str, events: Sequence[str] = ("cluster_silent", "external")
) -> str:
    """A webhook and a pager that hear of these events."""
    more = {"retry": {"first": "1s", "longest": "2s"}, "digest": "20s"}
    return json.dumps(
        {
            "channels": {
                "chat": {"kind": "webhook", "url": chat_url, **more},
                "pager": {
                    "kind": "pagerduty",
                    "routing_key": {"env": "KEY"},
                    "url": pager_url,
                    **more,
                },
            },
            "routes": [{"channels": ["chat", "pager"], "match": {"event": [*events]}}],
        }
    )
