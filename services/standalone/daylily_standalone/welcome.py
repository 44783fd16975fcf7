"""What a person reads when everything runs."""

import shutil

from daylily_standalone.demo.worksets import BUCKET
from daylily_standalone.up import LOCALHOST, Ports

_REGISTER = """\
  grpcurl -plaintext -d '{"workset_id":"ws-1","bucket":"lab","prefix":"runs/ws-1/"}' \\
      STATE daylily.state.v1.StateService/RegisterWorkset"""


def welcome(ports: Ports, aws: str, data: str) -> str:
    """Where things are, and what to do next."""
    state = f"{LOCALHOST}:{ports.state}"
    lines = [
        "Daylily is up. Ctrl-C ends it; what it knows is kept.",
        "",
        f"  state      {state}",
        f"  scheduler  {LOCALHOST}:{ports.scheduler}",
        f"  notifier   {LOCALHOST}:{ports.notifier}",
        f"  gateway    http://{LOCALHOST}:{ports.gateway}   the page; REST, described at /docs",
        f"  fake AWS   {aws}   S3 bucket {BUCKET}, in memory",
        f"  data       {data}",
        "",
        "In another terminal:",
        "",
        "  make demo                 five worksets from S3 to their end",
        "  worksets list             what there is",
    ]
    if shutil.which("grpcurl"):
        lines.append(_REGISTER.replace("STATE", state))
    return "\n".join([*lines, ""])
