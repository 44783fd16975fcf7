"""Rows as DynamoDB keeps them, also those that were written before something was added."""

import struct
from datetime import timedelta

from daylily_state.domain.model import Requirements
from daylily_state.store.dynamodb import worksets


def test_requirements_from_before_the_number_of_samples_are_read_as_not_stating_it():
    old = struct.pack(">IIQdIQI?", 96, 1024, 2048, 12.5, 4250, 3_600_000_000, 9900, True)
    assert worksets._unpack_requirements(old) == Requirements(
        96, 1024, 2048, 12.5, 4250, timedelta(hours=1), 9900, has_wishes=True
    )
