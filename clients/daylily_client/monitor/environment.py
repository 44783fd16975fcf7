"""What a command finds in its environment."""

import os
from collections.abc import Mapping

from daylily.workset.v1 import workset_pb2

from daylily_client.monitor.folder import INFO_FILE, SAMPLES_FILE, WORK_FILE
from daylily_client.monitor.workdir import AttemptPlace, attempt_name

INPUT_VARIABLES = {
    SAMPLES_FILE: "DAYLILY_SAMPLES",
    WORK_FILE: "DAYLILY_WORK_FILE",
    INFO_FILE: "DAYLILY_INFO_FILE",
}
"""Variables that hold the local path of a folder's file, where the folder has it."""


def command_environment(
    workset: workset_pb2.Workset, lock_token: int, cluster_name: str, place: AttemptPlace
) -> dict[str, str]:
    """The monitor's own environment (credentials, PATH) and the workset's details."""
    inputs = {
        variable: str(place.input / name)
        for name, variable in INPUT_VARIABLES.items()
        if (place.input / name).exists()
    }
    return {
        **os.environ,
        "DAYLILY_WORKSET_ID": workset.workset_id,
        "DAYLILY_BUCKET": workset.bucket,
        "DAYLILY_PREFIX": workset.prefix,
        "DAYLILY_ATTEMPT": str(workset.attempt),
        "DAYLILY_LOCK_TOKEN": str(lock_token),
        "DAYLILY_PRIORITY": priority_name(workset.priority),
        "DAYLILY_CUSTOMER_ID": workset.customer_id,
        "DAYLILY_PIPELINE": workset.pipeline,
        "DAYLILY_CLUSTER": cluster_name,
        "DAYLILY_RESULT_FILE": str(place.result_file),
        "DAYLILY_RESULTS_DIR": str(place.results),
        "DAYLILY_RESULTS_PREFIX": results_prefix(workset, lock_token),
        **inputs,
    }


def results_prefix(workset: workset_pb2.Workset, lock_token: int) -> str:
    """Where this attempt's results go, and nobody else's: the path carries the token.

    Under the `export_uri` of the workset's files; without one in the workset's own folder; empty
    for a workset that has no folder.
    """
    attempt = attempt_name(workset.attempt, lock_token)
    export_uri = _export_uri(workset)
    if export_uri:
        return f"{export_uri.rstrip('/')}/{workset.workset_id}/{attempt}/"
    if workset.bucket:
        return f"s3://{workset.bucket}/{workset.prefix}results/{attempt}/"
    return ""


def priority_name(priority: "workset_pb2.Priority.ValueType") -> str:
    return workset_pb2.Priority.Name(priority).removeprefix("PRIORITY_").lower()


def _export_uri(workset: workset_pb2.Workset) -> str:
    # Registered by a monitor, the metadata holds daylily_work.yaml; by hand, it holds anything.
    work = workset.metadata.fields.get("daylily_work")
    if work is None:
        return ""
    fields: Mapping[str, object] = dict(work.struct_value.items())
    uri = fields.get("export_uri", "")
    return uri if isinstance(uri, str) and uri.startswith("s3://") else ""
