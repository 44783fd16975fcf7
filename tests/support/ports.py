"""Free ports, and waiting until something answers on one."""

import socket
import time
from collections.abc import Callable


def free_port() -> int:
    """A port of the loopback that was free a moment ago.

    For processes that cannot bind port 0 and tell; a server in process should bind 0 itself.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_listening(
    port: int, *, seconds: float = 20, still_running: Callable[[], bool] = lambda: True
) -> None:
    """Return once something accepts connections on `port` of the loopback.

    Raises:
        TimeoutError: nothing did within `seconds`, or `still_running` turned false.
    """
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and still_running():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")
