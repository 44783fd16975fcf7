"""What answers say that is worth a line in the history."""

from collections.abc import Mapping
from typing import Any

from daylily.workset.v1 import workset_pb2
from google.protobuf.field_mask_pb2 import FieldMask


def mask(*paths: str) -> Any:
    return FieldMask(paths=paths)


def workset_of(answer: Any) -> Mapping[str, Any]:
    workset = answer.workset
    return {
        "workset_id": workset.workset_id,
        "state": workset_pb2.WorksetState.Name(workset.state).removeprefix("WORKSET_STATE_"),
        "version": workset.version,
    }


def grant_of(answer: Any) -> Mapping[str, Any]:
    if not answer.HasField("workset"):
        return {}
    return {**workset_of(answer), **expiry_of(answer.workset.lock), "token": answer.lock_token}


def lock_of(answer: Any) -> Mapping[str, Any]:
    return {**expiry_of(answer.lock), "token": answer.lock.token}


def expiry_of(lock: workset_pb2.Lock) -> Mapping[str, Any]:
    return {"expires_at": lock.expires_at.ToNanoseconds() / 1e9}
