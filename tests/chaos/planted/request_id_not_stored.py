"""A workset does not remember which requests it has served."""

from daylily_state.domain import requests


def plant(service: str) -> None:
    if service == "state":
        requests.remember = lambda workset, *_: workset
