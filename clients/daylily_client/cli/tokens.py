"""The token of a lock that a person holds."""

import grpc

from daylily_client.errors import LockHeld, LockRequired
from daylily_client.state import StateClient


def token_of(state: StateClient, workset_id: str, *, token: int | None, owner: str) -> int:
    """The token that was given, or that of the lock if `owner` holds it.

    Nothing hangs on when it is looked up: the write that carries it is refused if it is old.

    Raises:
        LockHeld: somebody else holds the lock.
        LockRequired: nobody does.
    """
    if token is not None:
        return token
    workset = state.get_workset(workset_id=workset_id).workset
    if not workset.HasField("lock"):
        raise LockRequired(
            f"nobody holds {workset_id}: lock it first",
            code=grpc.StatusCode.FAILED_PRECONDITION,
            reason="LOCK_REQUIRED",
            rpc="StateService/GetWorkset",
        )
    if workset.lock.owner_id != owner:
        raise LockHeld(
            f"{workset_id} is held by {workset.lock.owner_id}, not by {owner}",
            code=grpc.StatusCode.FAILED_PRECONDITION,
            reason="LOCK_HELD",
            metadata={"owner_id": workset.lock.owner_id},
            rpc="StateService/GetWorkset",
        )
    return workset.lock.token
