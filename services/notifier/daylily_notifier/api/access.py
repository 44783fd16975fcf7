"""Who may call what: one rule for each RPC. docs/access.md shows the table."""

from typing import Final

from daylily_runtime.access import Role, Rule, Rules

_LOOKS: Final = Rule(Role.VIEWER, service=True)
_DECIDES: Final = Rule(Role.OPERATOR)

RULES: Final[Rules] = {
    "Notify": Rule(Role.OPERATOR, service=True),
    "ListChannels": _LOOKS,
    "TestChannel": _DECIDES,
    "PauseChannel": _DECIDES,
    "ResumeChannel": _DECIDES,
    "ListDeliveries": _LOOKS,
    "Redeliver": _DECIDES,
    "GetNotifierStats": _LOOKS,
}
"""The rule of every RPC of NotifierService."""
