"""Write docs/settings.md, every setting of every service, from the settings' own descriptions.

python scripts/settings_reference.py            # write docs/settings.md
python scripts/settings_reference.py --check    # exit 1 if it is not what the code says
"""

import argparse
import sys
from pathlib import Path

from daylily_gateway.settings import GatewaySettings
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import ServerSettings, Settings, describe_settings
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.settings import StateSettings

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

Made from the code by `make protos`: change the descriptions there, not this page.

A process reads its settings once, from the environment, at its start. A wrong value ends it with the
variable's name and exit code 2. An empty variable counts as not set. Lists and mappings are JSON.
"""

SERVICES: dict[str, type[Settings]] = {
    "state": StateSettings,
    "scheduler": SchedulerSettings,
    "notifier": NotifierSettings,
    "gateway": GatewaySettings,
}


def table(settings: type[Settings], *, without: frozenset[str] = frozenset()) -> list[str]:
    lines = ["| variable | type | default | |", "|---|---|---|---|"]
    for row in describe_settings(settings):
        if row.name in without:
            continue
        kind = row.type.replace("|", "\\|")
        default = "needed" if row.default is None else row.default and f"`{row.default}`"
        lines.append(f"| `{row.name}` | {kind} | {default} | {row.help} |")
    return lines


def reference() -> str:
    """The whole page."""
    common = frozenset(row.name for row in describe_settings(ServerSettings)) - {"DAYLILY_PORT"}
    lines = [HEAD]
    for name, settings in SERVICES.items():
        left_out = common if issubclass(settings, ServerSettings) else frozenset()
        lines += [f"## {name}\n", *table(settings, without=left_out), ""]
    lines += [
        "## Every gRPC server\n",
        *table(ServerSettings, without=frozenset({"DAYLILY_PORT"})),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check_only: bool = parser.parse_args().check
    page = reference()
    if not check_only:
        REFERENCE.write_text(page)
    elif REFERENCE.read_text() != page:
        sys.exit("docs/settings.md is not what the settings say; run `make protos`")


if __name__ == "__main__":
    main()
