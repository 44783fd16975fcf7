"""The two YAML documents of a workset folder, read key by key.

Every fault is noted with its file and key, and reading goes on, so that whoever prepared the
folder learns of all of them at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import yaml

DOCUMENT_BYTES = 64 * 1024
"""Both documents go into the workset's metadata, which may have 256 KiB."""
_LARGEST_EXACT = 2**53
_DEPTH = 20
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass(frozen=True)
class Problem:
    """One fault in a folder: which file, which key or row in it, and what is wrong."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.message}"


class Document:
    """A YAML mapping whose values are asked for by key and type.

    A method that meets a fault appends a `Problem` and returns the type's empty value.
    """

    def __init__(self, file: str, values: Mapping[str, Any], problems: list[Problem]) -> None:
        self._file = file
        self._values = values
        self._problems = problems

    @classmethod
    def load(cls, file: str, content: bytes, problems: list[Problem]) -> "Document":
        """The document in a file; what cannot be read is noted and is an empty document."""

        def unreadable(message: str) -> "Document":
            problems.append(Problem(file, "", message))
            return cls(file, {}, problems)

        if len(content) > DOCUMENT_BYTES:
            return unreadable(f"may have {DOCUMENT_BYTES} bytes, has {len(content)}")
        try:
            text = content.decode("utf-8-sig")
            refusal = _refusal(text)
            values = None if refusal else yaml.safe_load(text)
        except UnicodeDecodeError as error:
            return unreadable(f"is not UTF-8 (byte {error.start})")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or "cannot be read"
            line = f", line {mark.line + 1}" if mark is not None else ""
            return unreadable(f"is not YAML: {what}{line}")
        except ValueError as error:
            return unreadable(f"has a value that is none: {error}")  # such as the date 2026-13-01
        if refusal:
            return unreadable(refusal)
        if not isinstance(values, dict) or not values or not _has_names(values):
            return unreadable("must be a mapping of names to values")
        return cls(file, values, problems)

    def note(self, key: str, message: str) -> None:
        self._problems.append(Problem(self._file, key, message))

    def text(self, key: str, *, required: bool = True) -> str:
        """A text that is not empty. Numbers count as texts: an id may consist of digits."""
        value = self._get(key, required=required)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            self.note(key, f"must be text, is {_kind(value)}")
            return ""
        text = _encodable(str(value)).strip()
        if not text and required:
            self.note(key, "is empty")
        return text

    def count(self, key: str, *, most: int) -> int | None:
        """A whole number from 0 to `most`, or None where it is not stated."""
        value = self._get(key, required=False)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            self.note(key, f"must be a whole number from 0 to {most}, is {_shown(value)}")
            return None
        return value

    def amount(self, key: str) -> float:
        """A number from 0 to a billion; 0 where it is not stated."""
        value = self._get(key, required=False)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e9:
            self.note(key, f"must be a number from 0 to a billion, is {_shown(value)}")
            return 0.0
        return float(value)

    def is_number(self, key: str) -> bool:
        value = self._values.get(key)
        return isinstance(value, (int, float)) and not isinstance(value, bool)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is not stated."""
        value = self._get(key, required=False)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, (str, int)) for item in value):
            self.note(key, f"must be a list of names, is {_kind(value)}")
            return ()
        return tuple(_encodable(str(item)) for item in value)

    def part(self, key: str) -> "Document":
        """A mapping inside this one, for reading with keys such as `requirements.vcpus`."""
        value = self._get(key, required=False)
        if value is not None and not (isinstance(value, dict) and _has_names(value)):
            self.note(key, f"must be a mapping of names to values, is {_kind(value)}")
            value = None
        named = {f"{key}.{name}": item for name, item in (value or {}).items()}
        return Document(self._file, named, self._problems)

    def keys(self) -> frozenset[str]:
        return frozenset(self._values)

    def as_json(self) -> dict[str, Any]:
        """The whole document in values that JSON has; times become ISO texts."""
        return {_encodable(key): _as_json(value) for key, value in self._values.items()}

    def _get(self, key: str, *, required: bool) -> Any:
        value = self._values.get(key)
        if value is None and required and self._values:
            self.note(key, "is missing")
        return value


def _refusal(text: str) -> str:
    """Why a document is not to be loaded at all: it would cost gigabytes or minutes."""
    depth = 0
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken):
            return "may not use aliases (*name)"
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > _DEPTH:
            return "is nested too deeply"
    return ""


def _has_names(values: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) for name in values)


def _as_json(value: Any) -> Any:
    match value:
        case bool() | None:
            return value
        case int() | float() if -_LARGEST_EXACT <= value <= _LARGEST_EXACT:
            return value
        case datetime() | date():
            return value.isoformat()
        case dict():
            return {_encodable(str(key)): _as_json(item) for key, item in value.items()}
        case list() | tuple() | set():
            return [_as_json(item) for item in value]
        case _:
            # Texts; and what no double can hold, such as nan and long ids without quotes.
            return _encodable(str(value))


def _encodable(text: str) -> str:
    """The text without half characters, which YAML can write and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _kind(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return _shown(value)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
