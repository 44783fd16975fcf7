"""The monitor's log: events with fields, a line each, on standard error."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

_FIELDS = "daylily_fields"


class EventLog:
    """Writes events such as `claimed workset_id=ws-1 token=7`; bound fields go with each."""

    def __init__(self, logger: logging.Logger, bound: Mapping[str, Any] | None = None) -> None:
        self._logger = logger
        self._bound = dict(bound or {})

    def bind(self, **fields: Any) -> "EventLog":
        return EventLog(self._logger, {**self._bound, **fields})

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        self._logger.log(level, event, extra={_FIELDS: {**self._bound, **fields}})


class LineFormatter(logging.Formatter):
    """`2026-01-02T03:04:05Z info claimed workset_id=ws-1 token=7`."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        fields = getattr(record, _FIELDS, {})
        words = [at, record.levelname.lower(), record.getMessage()]
        words += [f"{name}={_value(value)}" for name, value in fields.items()]
        if record.exc_info:
            words.append("\n" + self.formatException(record.exc_info))
        return " ".join(words)


def log_to_stderr() -> EventLog:
    """Set logging up for a monitor's own process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("daylily.monitor")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]
    logger.propagate = False
    return EventLog(logger)


def _value(value: Any) -> str:
    text = " ".join(str(value).split())
    return f'"{text}"' if " " in text or not text else text
