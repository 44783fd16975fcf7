"""The process that the tests share, where it cannot be."""

import pytest

from tests.support import dynamodb_local
from tests.support.dynamodb_local import shared_dynamodb_local


def test_without_the_engine_everybody_who_asks_skips(tmp_path, monkeypatch):
    monkeypatch.setattr(dynamodb_local, "JARS", tmp_path / "nothing")
    monkeypatch.setattr(dynamodb_local, "require_tool", lambda name: name)
    for _ in range(2):
        with (
            pytest.raises(pytest.skip.Exception, match="make test-tools"),
            shared_dynamodb_local(tmp_path),
        ):
            pass
