"""What a REST body may hold, against the messages that it becomes."""

from daylily.workset.v1 import workset_pb2

from daylily_gateway.rest.bodies import Requirements


def test_everything_that_a_workset_may_require_can_be_said_in_rest():
    known = {field.name for field in workset_pb2.Requirements.DESCRIPTOR.fields}
    said = {name.removesuffix("_seconds") for name in Requirements.model_fields}
    assert said == known


def test_requirements_become_their_message():
    said = Requirements(vcpus=8, sample_count=3, input_gb=1.5, input_region="us-west-2")
    assert said.message() == workset_pb2.Requirements(
        vcpus=8, sample_count=3, input_gb=1.5, input_region="us-west-2"
    )
