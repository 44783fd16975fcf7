"""Structured logs: events with fields, one line each, on standard error.

    log = structlog.get_logger(__name__)
    log.info("lock_acquired", workset_id="ws-1", token=7)

While an RPC runs, `service` and `request_id` are in every line. Python's own `logging` (grpc,
botocore) comes out in the same form. Fields that name a secret, and credentials inside of texts,
are taken out of all of them.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Literal, TextIO

import structlog

REDACTED = "[redacted]"

_SECRET_FIELD = re.compile(
    r"(?i)password|passwd|secret|api_?key|access_?key|private_?key|routing_?key|integration_?key"
    r"|authorization|cookie|credential|bearer|webhook"
    r"|(^|_)(session|access|refresh|auth|api|id)_?token"
)
_SECRET_IN_TEXT = re.compile(
    r"(?i)\b(?P<scheme>bearer|basic)\s+[a-z0-9._~+/=-]{8,}"
    r"|(?P<token>\b(?:dlt_[a-z0-9_-]{20,}|eyj[a-z0-9_-]{10,}\.[a-z0-9_-]{10,}\.[a-z0-9_-]*))"
    r"|(?P<before>://[^/\s:@]*:)[^/\s@]+(?=@)"
    r"|\b(?P<name>x-amz-security-token|signature|aws_secret_access_key)(?P<equals>\s*[=:]\s*)"
    r"[^\s,&'\"]+"
)

# Libraries whose debug lines carry headers with credentials, or one line for every request.
_QUIET = ("botocore", "boto3", "urllib3", "s3transfer", "grpc", "asyncio")


def configure_logging(
    level: str = "info", form: Literal["json", "console"] = "json", stream: TextIO | None = None
) -> None:
    """Set logging up for this process. The last call wins.

    Args:
        level: least severe events to write: debug, info, warning, error.
        form: json for machines, console for people.
        stream: where to; standard error unless told otherwise.
    """
    out = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _last_processors(form, out)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _last_processors(form: str, out: TextIO) -> list[structlog.types.Processor]:
    if form == "console":
        return [
            structlog.processors.format_exc_info,
            redact,
            structlog.dev.ConsoleRenderer(colors=out.isatty()),
        ]
    return [
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.JSONRenderer(),
    ]


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: takes secrets out, by the field's name and inside of texts."""
    for key, value in event.items():
        event[key] = _clean(key, value)
    return event


def _clean(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float) or value == "":
        return value
    if _names_a_secret(key):
        return REDACTED
    if isinstance(value, Mapping):
        return {name: _clean(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    return _SECRET_IN_TEXT.sub(_without_secret, str(value))


@lru_cache(maxsize=1024)
def _names_a_secret(field: str) -> bool:
    return _SECRET_FIELD.search(field) is not None


def _without_secret(match: re.Match[str]) -> str:
    if match["scheme"]:
        return f"{match['scheme']} {REDACTED}"
    if match["before"]:
        return f"{match['before']}{REDACTED}"
    if match["token"]:
        return REDACTED
    return f"{match['name']}{match['equals']}{REDACTED}"
