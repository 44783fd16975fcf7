"""What a start loads."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("service", ["state", "scheduler"])
def test_a_service_loads_neither_awss_libraries_nor_cryptography_before_it_is_told_to_use_them(
    service,
):
    code = f"import sys, daylily_{service}.main; print(*{{n.split('.')[0] for n in sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "grpc" in loaded
    assert not {"boto3", "botocore", "cryptography", "jwt", "pynamodb"} & set(loaded)
