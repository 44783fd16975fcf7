"""What a start loads."""

import subprocess
import sys


def test_a_replica_loads_neither_awss_libraries_nor_cryptography_before_it_knows_that_it_needs_them():
    code = "import sys, daylily_state.main; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "grpc" in loaded
    assert not {"boto3", "botocore", "cryptography", "jwt", "pynamodb"} & set(loaded)
