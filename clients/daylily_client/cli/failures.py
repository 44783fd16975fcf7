"""How a failed command ends: a sentence with the reason's code, a hint, and an exit code.

0  done                          4  conflict: it exists, somebody holds the lock, it changed
1  refused by the service        5  unavailable, or no answer in time
2  wrong usage or a wrong field  130  interrupted
3  no such thing
"""

import json
import sys
from typing import Any

from daylily_client.cli.output import console
from daylily_client.errors import (
    Aborted,
    AlreadyExists,
    DaylilyError,
    DeadlineExceeded,
    InvalidArgument,
    LockHeld,
    LockRequired,
    NotFound,
    Overloaded,
    Unavailable,
)

REFUSED, WRONG_FIELD, MISSING, CONFLICT, UNAVAILABLE, INTERRUPTED = 1, 2, 3, 4, 5, 130

_EXIT_CODES: tuple[tuple[type[DaylilyError] | tuple[type[DaylilyError], ...], int], ...] = (
    (InvalidArgument, WRONG_FIELD),
    (NotFound, MISSING),
    ((AlreadyExists, LockHeld, LockRequired, Aborted), CONFLICT),
    ((Unavailable, DeadlineExceeded, Overloaded), UNAVAILABLE),
)

_HINTS = {
    "WORKSET_EXISTS": "`worksets get {workset_id}` shows it.",
    "WORKSET_NOT_FOUND": "`worksets list` shows what is registered.",
    "CLUSTER_NOT_FOUND": "`worksets clusters list` shows the clusters.",
    "LOCK_HELD": "Wait until it is given back or runs out, or take it over with `worksets lock "
    "--force`: the old run may go on computing, but can publish nothing any more.",
    "LOCK_REQUIRED": "`worksets get {workset_id}` shows who holds it: give the lock's --token, or "
    "--owner to have it looked up.",
    "LOCK_LOST": "Somebody else has the workset by now: `worksets get` shows who.",
    "VERSION_MISMATCH": "It changed meanwhile: look at it again, then decide.",
    "CLUSTER_IN_USE": "`worksets clusters drain` it and wait until they have ended.",
    "UNAUTHENTICATED": "Give your token with --token-file, or DAYLILY_TOKEN_FILE; whoever runs the "
    "services makes one.",
    "PERMISSION_DENIED": "docs/access.md has what each role may do.",
    "OUTCOME_UNKNOWN": "Look with `worksets get` whether it went through before trying again.",
}


def exit_code(error: DaylilyError) -> int:
    """The exit code that stands for an error."""
    for kinds, code in _EXIT_CODES:
        if isinstance(error, kinds):
            return code
    return REFUSED


def report(error: DaylilyError, *, address: str, as_json: bool) -> None:
    """Says on stderr what went wrong: for people, or as one JSON document for programs."""
    if as_json:
        sys.stderr.write(json.dumps(_document(error)) + "\n")
        return
    err = console(stderr=True)
    err.print("Error:", style="bold red", end=" ")
    err.print(_sentence(error, address), markup=False)
    # The message of the service itself names the first wrong field.
    for violation in error.violations if len(error.violations) > 1 else ():
        err.print(f"  {violation.field}: {violation.description}", markup=False)
    hint = _hint(error)
    if hint:
        err.print(f"Hint: {hint}", markup=False)


def _sentence(error: DaylilyError, address: str) -> str:
    if error.reason:
        return f"{error.message} ({error.reason})"
    service = error.rpc.partition("Service/")[0].lower() or "the service"
    if isinstance(error, Unavailable):
        # gRPC puts what happened last, behind a chain of who noticed.
        cause = error.message.rpartition(": ")[2]
        return f"{service} at {address} does not answer (UNAVAILABLE: {cause})"
    if isinstance(error, DeadlineExceeded):
        return f"{service} at {address} did not answer in time (DEADLINE_EXCEEDED)"
    return f"{error.message} ({error.code.name})"


def _hint(error: DaylilyError) -> str:
    if not error.reason and isinstance(error, Unavailable):
        return (
            "Is it running? `worksets up` starts everything on this machine; --state, --scheduler "
            "and --notifier, or DAYLILY_STATE_ADDRESS and so on, say where it is."
        )
    facts = {"workset_id": "ID", **error.metadata}
    return _HINTS.get(error.reason, "").replace("{workset_id}", facts["workset_id"])


def _document(error: DaylilyError) -> dict[str, Any]:
    return {
        "error": {
            "reason": error.reason,
            "code": error.code.name,
            "message": error.message,
            "metadata": error.metadata,
            "violations": [
                {"field": violation.field, "description": violation.description}
                for violation in error.violations
            ],
            "retry_after_seconds": error.retry_after,
            "rpc": error.rpc,
            "request_id": error.request_id,
            "exit_code": exit_code(error),
        }
    }
