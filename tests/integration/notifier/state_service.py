"""The real state service, over a SQLite file."""

from pathlib import Path

from daylily_runtime import Clock, Server
from daylily_state.build import state_server as build_state_server
from daylily_state.settings import StateSettings


def state_server(folder: Path, port: int, clock: Clock) -> Server:
    """A state server that keeps its data in `folder`, not started."""
    settings = StateSettings.load(
        port=port, sqlite_path=folder / "state.db", drain_seconds=0.5, close_seconds=2.0
    )
    return build_state_server(settings, clock=clock)
