"""An event as a row of a table."""

from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client.cli import words


def what(event: event_pb2.Event) -> str:
    """Type of an event, and the change of state where there is one."""
    return words.word(event_pb2.EventType, event.type)


def change(event: event_pb2.Event) -> str:
    """READY > LOCKED, or a dash when the state stayed as it was."""
    if event.from_state == event.to_state or not event.to_state:
        return words.NOTHING
    after = words.word(workset_pb2.WorksetState, event.to_state)
    if not event.from_state:
        return after
    return f"{words.word(workset_pb2.WorksetState, event.from_state)} > {after}"


def about(event: event_pb2.Event) -> str:
    """Reason, error and place of an event, in a line."""
    parts = [event.reason]
    if event.error_category:
        category = words.word(workset_pb2.ErrorCategory, event.error_category)
        parts.append(f"{category}: {event.error_details.partition(chr(10))[0]}".rstrip(": "))
    if event.cluster_name:
        parts.append(f"on {event.cluster_name}")
    if event.lock_token:
        parts.append(f"token {event.lock_token}")
    return ", ".join(filter(None, parts)) or words.NOTHING


def local_time(event: event_pb2.Event) -> str:
    """When, on the reader's own clock with its zone."""
    local = words.moment(event.occurred_at).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
