"""Collects what is wrong with a command, field by field, so that the caller learns all of it at once."""

import json
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from daylily_state.domain import limits
from daylily_state.domain.errors import InvalidFieldError, Violation
from daylily_state.domain.events import size

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]*")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PRINTABLE: Final = re.compile(r"[!-~]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


class Checks:
    """Takes one field after another; `done` raises if any of them was wrong."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def wrong(self, field: str, description: str) -> None:
        """Notes that a field is wrong."""
        self._violations.append(Violation(field, description))

    def done(self) -> None:
        """Refuses the command if anything was wrong.

        Raises:
            InvalidFieldError: with every violation.
        """
        if self._violations:
            raise InvalidFieldError(self._violations)

    def id(self, field: str, value: str, limit: int, *, needed: bool = True) -> None:
        """Letters, digits and . _ : - ; begins with a letter or digit."""
        self._pattern(field, value, limit, _ID, "letters, digits and . _ : - only", needed=needed)

    def bucket(self, field: str, value: str) -> None:
        """The name of an S3 bucket."""
        self._pattern(field, value, limits.BUCKET_BYTES, _BUCKET, "not the name of a bucket")

    def word(self, field: str, value: str, limit: int, *, needed: bool = True) -> None:
        """Printable ASCII without spaces: owners, actors, request ids."""
        self._pattern(field, value, limit, _PRINTABLE, "printable ASCII only", needed=needed)

    def text(self, field: str, value: str, limit: int) -> None:
        """Words for people; may be empty."""
        if size(value) > limit:
            self.wrong(field, f"longer than {limit} bytes")
        elif _CONTROL.search(value):
            self.wrong(field, "has control characters")

    def between(self, field: str, value: float, least: float, most: float) -> None:
        """A number in a range, both ends included."""
        if not math.isfinite(value) or not least <= value <= most:
            self.wrong(field, f"not between {least:g} and {most:g}")

    def duration(self, field: str, value: timedelta, least: timedelta, most: timedelta) -> None:
        """A length of time in a range, both ends included."""
        if not least <= value <= most:
            self.wrong(
                field,
                f"not between {least.total_seconds():g} s and {most.total_seconds():g} s",
            )

    def time(self, field: str, value: datetime | None) -> None:
        """A point in time of this age, if given."""
        if value is not None and not _EARLIEST <= value <= _LATEST:
            self.wrong(field, "not between the years 2000 and 9000")

    def labels(self, field: str, value: Mapping[str, str]) -> None:
        """Up to 16 labels of 63 bytes a side."""
        if len(value) > limits.LABELS:
            self.wrong(field, f"more than {limits.LABELS} labels")
        for key, label in sorted(value.items()):
            if size(key) > limits.LABEL_BYTES or not _LABEL.fullmatch(key):
                self.wrong(
                    f"{field}.{key[:80]}",
                    f"a key is up to {limits.LABEL_BYTES} letters, digits and . _ / : -",
                )
            else:
                self.text(f"{field}.{key}", label, limits.LABEL_BYTES)

    def json_object(self, field: str, value: str, limit: int) -> None:
        """A JSON object as text."""
        if size(value) > limit:
            self.wrong(field, f"larger than {limit} bytes as JSON")
        elif not isinstance(json.loads(value), dict):
            self.wrong(field, "not an object")

    def ids(self, field: str, value: Collection[str], limit: int) -> None:
        """Up to `limit` distinct workset ids."""
        if len(value) > limit:
            self.wrong(field, f"more than {limit} entries")
            return
        if len(set(value)) < len(value):
            self.wrong(field, "has an entry twice")
        for number, entry in enumerate(value):
            self.id(f"{field}[{number}]", entry, limits.WORKSET_ID_BYTES)

    def words(self, field: str, value: Collection[str], limit: int, bytes_each: int) -> None:
        """Up to `limit` short names."""
        if len(value) > limit:
            self.wrong(field, f"more than {limit} entries")
            return
        for number, entry in enumerate(value):
            self.word(f"{field}[{number}]", entry, bytes_each)

    def _pattern(
        self,
        field: str,
        value: str,
        limit: int,
        pattern: re.Pattern[str],
        words: str,
        *,
        needed: bool = True,
    ) -> None:
        if not value:
            if needed:
                self.wrong(field, "is missing")
        elif size(value) > limit:
            self.wrong(field, f"longer than {limit} bytes")
        elif not pattern.fullmatch(value):
            self.wrong(field, words)
