"""Who may call: identities, roles, rules, limits. docs/access.md says how it is set up."""

from daylily_runtime.access.roles import (
    MAY,
    SERVICES_ONLY,
    Identity,
    Role,
    Rule,
    Rules,
    takes,
    why_not,
)

__all__ = [
    "MAY",
    "SERVICES_ONLY",
    "Identity",
    "Role",
    "Rule",
    "Rules",
    "takes",
    "why_not",
]
