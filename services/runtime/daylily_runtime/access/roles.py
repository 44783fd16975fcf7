"""Who may do what: identities, roles, and the rule that each RPC has. Pure."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class Role(StrEnum):
    """What an identity may do. Each of the first four may do all that those before it may."""

    VIEWER = "viewer"
    """Looks."""
    MONITOR = "monitor"
    """Works, inside of what its limits name."""
    OPERATOR = "operator"
    """Decides, for everybody."""
    ADMIN = "admin"
    """Does everything, also what only services do."""
    SERVICE = "service"
    """A process of ours that acts for others: it may do what the tables say, and no more."""


_RANK: Final = {Role.VIEWER: 1, Role.MONITOR: 2, Role.OPERATOR: 3, Role.ADMIN: 4}

Limits = Mapping[str, tuple[str, ...]]
"""From a word that the rules of a service know, like `clusters`, to the names that it admits."""

MAY: Final = ""
"""What a rule says when there is nothing against it; otherwise it says why not."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who proved who it is."""

    name: str
    role: Role
    limits: Limits = field(default_factory=dict)
    listed: bool = field(default=False, compare=False)
    """Whether the file of identities has it; else an issuer vouched for it."""

    def reaches(self, role: Role) -> bool:
        """Whether it is a person or a monitor of at least this role."""
        return _RANK.get(self.role, 0) >= _RANK.get(role, max(_RANK.values()))

    def admits(self, limit: str, name: str) -> bool:
        """Whether one of its limits of this kind is `name`."""
        return name in self.limits.get(limit, ())

    def goes_by(self, name: str, limit: str) -> bool:
        """Whether `name` is its own, or begins with one of its limits of this kind."""
        prefixes = tuple(prefix for prefix in self.limits.get(limit, ()) if prefix)
        return name == self.name or name.startswith(prefixes)


Judge = Callable[[Any, Identity], str]
"""Looks at a request and says why this identity may not send it, or `MAY`. Pure."""
Guard = Callable[[Any, Identity], Awaitable[str]]
"""The same, where something has to be read first. Asked last."""


def _may(_request: Any, _identity: Identity) -> str:
    return MAY


async def _lets_pass(_request: Any, _identity: Identity) -> str:
    return MAY


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may send an RPC.

    Args:
        least: the least role of people and monitors.
        service: whether services may as well.
        but: what `judge` and `guard` look at, in words for the docs.
        judge: what the request's content demands beyond that.
        guard: what has to be read to know.
    """

    least: Role
    service: bool = False
    but: str = ""
    judge: Judge = _may
    guard: Guard = _lets_pass


Rules = Mapping[str, Rule]
"""From an RPC's name, without its service, to its rule."""

SERVICES_ONLY: Final = Rule(Role.ADMIN, service=True)
"""What our own processes do among themselves."""


async def why_not(rule: Rule, identity: Identity, request: Any) -> str:
    """Why `identity` may not send `request`, or `MAY`."""
    if identity.role is Role.ADMIN:
        return MAY
    refused = _by_role(rule, identity) or rule.judge(request, identity)
    return refused or await rule.guard(request, identity)


def _by_role(rule: Rule, identity: Identity) -> str:
    if identity.role is Role.SERVICE:
        return MAY if rule.service else "it is nothing that a service does"
    if identity.reaches(rule.least):
        return MAY
    if rule.least is Role.ADMIN and rule.service:
        return f"it takes a service or an {Role.ADMIN}"
    return takes(rule.least)


def takes(role: Role) -> str:
    """The words for a role that is missing."""
    article = "an" if role[0] in "aeiou" else "a"
    return f"it takes {article} {role}"
