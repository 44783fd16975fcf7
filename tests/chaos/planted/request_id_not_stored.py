"""A workset does not remember which requests it has served."""

from daylily_state.domain import requests
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service == "state":
        put_in_place(requests, "remember", lambda workset, *_: workset)
