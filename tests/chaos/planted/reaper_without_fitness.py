"""A replica that was away itself times locks out as soon as it is back."""

from daylily_state.app.reaper import Reaper
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service == "state":
        put_in_place(Reaper, "_is_fit_for", lambda *_: True)
