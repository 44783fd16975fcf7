"""Every test carries the marker of its folder: `pytest -m unit` runs tests/unit."""

import functools
import gc
import os
from pathlib import Path

import botocore.session
import pytest

pytest_plugins = [
    "pytester",
    "tests.support.dynamodb_local",
    "tests.support.moto_server",
    "tests.support.no_skips",
]

TESTS = Path(__file__).parent
# No test may reach a developer's AWS account, whatever is in their environment.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# Every store and every boto3 session would read the models of AWS's services anew: 40 ms of work each,
# many hundred times. A process of ours has one of them.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

# Thousands of tests and all that they import are a large heap that stays. Looked through as often as
# Python does by itself, it took a fifth of the tests' time.
gc.set_threshold(20_000, 20, 20)

MARKED_FOLDERS = {"unit", "contract", "property", "integration", "e2e", "chaos"}


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes that are no text get no place in a test's name: what is packed holds the time of packing,
    and every worker has to collect the same tests."""
    if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()):
        return argname
    return None


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in MARKED_FOLDERS:
            item.add_marker(folder)
