"""Python values as the proto messages that requests carry, and back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2
from google.protobuf.message import Message


def duration(value: timedelta | float) -> duration_pb2.Duration:
    """A Duration of a timedelta, or of seconds."""
    message = duration_pb2.Duration()
    message.FromTimedelta(value if isinstance(value, timedelta) else timedelta(seconds=value))
    return message


def timestamp(value: datetime) -> timestamp_pb2.Timestamp:
    """A Timestamp of a datetime that knows its time zone.

    Raises:
        ValueError: the datetime has no time zone, so it could mean any of 38 moments.
    """
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone")
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(value)
    return message


def struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    """A Struct of a mapping as json.loads makes it; numbers become doubles."""
    message = struct_pb2.Struct()
    message.update(dict(value))
    return message


def as_dict(message: Message) -> dict[str, Any]:
    """A message as what json.dumps takes, with the field names of the proto."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
