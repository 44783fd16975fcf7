import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import struct
from daylily_client.monitor.environment import command_environment, results_prefix
from daylily_client.monitor.workdir import AttemptPlace


@pytest.fixture
def place(tmp_path):
    place = AttemptPlace(tmp_path)
    place.create()
    return place


def workset(**fields):
    given = {"bucket": "lab", "prefix": "runs/ws-1/", "attempt": 2, **fields}
    return workset_pb2.Workset(workset_id="ws-1", priority=workset_pb2.PRIORITY_URGENT, **given)


def test_a_command_finds_the_workset_in_its_environment(place, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")

    found = command_environment(
        workset(customer_id="acme", pipeline="germline"), 7, "cluster-1", place
    )

    assert {name: value for name, value in found.items() if name.startswith("DAYLILY_")} == {
        "DAYLILY_WORKSET_ID": "ws-1",
        "DAYLILY_BUCKET": "lab",
        "DAYLILY_PREFIX": "runs/ws-1/",
        "DAYLILY_ATTEMPT": "2",
        "DAYLILY_LOCK_TOKEN": "7",
        "DAYLILY_PRIORITY": "urgent",
        "DAYLILY_CUSTOMER_ID": "acme",
        "DAYLILY_PIPELINE": "germline",
        "DAYLILY_CLUSTER": "cluster-1",
        "DAYLILY_RESULT_FILE": str(place.result_file),
        "DAYLILY_RESULTS_DIR": str(place.results),
        "DAYLILY_RESULTS_PREFIX": "s3://lab/runs/ws-1/results/attempt-2-token-7/",
    }
    assert found["AWS_REGION"] == "us-west-2"


def test_files_that_the_folder_has_are_named(place):
    (place.input / "stage_samples.tsv").write_text("")

    found = command_environment(workset(), 7, "c", place)

    assert found["DAYLILY_SAMPLES"] == str(place.input / "stage_samples.tsv")
    assert "DAYLILY_WORK_FILE" not in found


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            {"daylily_work": {"export_uri": "s3://out/results/"}},
            "s3://out/results/ws-1/attempt-2-token-7/",
        ),
        (
            {"daylily_work": {"export_uri": "s3://out/results"}},
            "s3://out/results/ws-1/attempt-2-token-7/",
        ),
        ({"daylily_work": {}}, "s3://lab/runs/ws-1/results/attempt-2-token-7/"),
        ({"daylily_work": "a text"}, "s3://lab/runs/ws-1/results/attempt-2-token-7/"),
        ({}, "s3://lab/runs/ws-1/results/attempt-2-token-7/"),
    ],
)
def test_results_go_to_a_place_that_carries_the_token(metadata, expected):
    assert results_prefix(workset(metadata=struct(metadata)), 7) == expected


def test_a_workset_without_a_folder_has_no_place_for_results():
    assert results_prefix(workset(bucket="", prefix=""), 7) == ""
