"""A replica that was away itself times locks out as soon as it is back."""

from daylily_state.app.reaper import Reaper


def plant(service: str) -> None:
    if service == "state":
        Reaper._is_fit_for = lambda *_: True
