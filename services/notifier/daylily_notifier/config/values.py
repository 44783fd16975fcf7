"""Types of values in the file: durations, texts that may be kept elsewhere, and secrets."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationInfo

Environment = Mapping[str, str]
"""Where `{env: NAME}` looks. It is the context of validation."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


class Section(BaseModel):
    """The base of what the file holds: an unknown key is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def parse_duration(value: Any) -> timedelta:
    """A duration as the file writes it. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration, such as 500ms, 10s, 5m, 72h or 3d")
    duration = timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    if not duration:
        raise ValueError("expected a duration above 0")
    return duration


def _text(value: Any, info: ValidationInfo) -> Any:
    return _resolve(value, info.context or {}) if isinstance(value, dict) else value


def _secret(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic reports a ValueError with its place
            "a secret does not belong into this file: write {env: NAME} or {file: PATH}"
        )
    return _resolve(value, info.context or {})


def _resolve(reference: dict[Any, Any], environment: Environment) -> str:
    match reference:
        case {"env": str(name), **rest} if not rest:
            if not environment.get(name):
                raise ValueError(f"the environment variable {name} is not set")
            return environment[name]
        case {"file": str(path), **rest} if not rest:
            try:
                return Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{path} cannot be read: {error}") from None
    raise ValueError("expected a text, {env: NAME} or {file: PATH}")


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Text = Annotated[str, BeforeValidator(_text)]
"""Written out, or `{env: NAME}`, or `{file: PATH}`."""
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
"""Only `{env: NAME}` or `{file: PATH}`, so that the file can be shown and committed."""
