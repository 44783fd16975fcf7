"""What a node gets with `import daylily_client`."""

import subprocess
import sys

import daylily_client


def test_the_library_loads_none_of_what_its_extras_bring():
    code = "import sys, daylily_client; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    extras = {"click", "rich", "boto3", "botocore", "yaml", "opentelemetry"}
    ours = {"daylily_runtime", "daylily_state", "daylily_scheduler", "daylily_notifier"}
    assert not (extras | ours | {"pydantic"}) & set(loaded)


def test_every_public_name_is_there():
    for name in daylily_client.__all__:
        assert getattr(daylily_client, name) is not None
    assert sorted(daylily_client.__all__) == daylily_client.__all__
