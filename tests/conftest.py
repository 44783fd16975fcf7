"""Every test carries the marker of its folder: `pytest -m unit` runs tests/unit."""

import functools
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

MARKED_FOLDERS = {"unit", "contract", "property", "integration", "e2e", "chaos"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in MARKED_FOLDERS:
            item.add_marker(folder)
