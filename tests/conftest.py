"""Every test carries the marker of its folder: `pytest -m unit` runs tests/unit."""

from pathlib import Path

import pytest

pytest_plugins = [
    "pytester",
    "tests.support.dynamodb_local",
    "tests.support.moto_server",
    "tests.support.no_skips",
]

TESTS = Path(__file__).parent
MARKED_FOLDERS = {"unit", "contract", "property", "integration", "e2e"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in MARKED_FOLDERS:
            item.add_marker(folder)
