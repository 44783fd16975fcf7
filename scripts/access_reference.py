"""Write the table of docs/access.md, who may call what, from the services' own tables.

python scripts/access_reference.py            # write it
python scripts/access_reference.py --check    # exit 1 if it is not what the code says
"""

import argparse
import sys
from pathlib import Path

from daylily_notifier.api.access import RULES as NOTIFIER
from daylily_runtime.access import Rule, Rules
from daylily_scheduler.api.access import RULES as SCHEDULER
from daylily_state.api.access import rules
from daylily_state.app.holders import Holders
from daylily_state.store.sqlite import SqliteStore

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "access.md"
BEGIN, END = "<!-- rules: made by `make protos` -->", "<!-- end of rules -->"


def row(name: str, rule: Rule) -> str:
    service = "yes" if rule.service else ""
    return f"| {name} | {rule.least} | {service} | {rule.but} |"


def table(title: str, found: Rules) -> list[str]:
    head = [f"### {title}", "", "| RPC | from role | services | but |", "|---|---|---|---|"]
    return [*head, *(row(name, rule) for name, rule in found.items()), ""]


def reference(page: str) -> str:
    """The page with its tables as the code has them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    state = rules(Holders(SqliteStore(Path("never opened"))))
    lines = [
        *table("state", state),
        *table("scheduler", SCHEDULER),
        *table("notifier", NOTIFIER),
    ]
    return f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check_only: bool = parser.parse_args().check
    old = REFERENCE.read_text()
    new = reference(old)
    if not check_only:
        REFERENCE.write_text(new)
    elif old != new:
        sys.exit("docs/access.md is not what the tables say; run `make protos`")


if __name__ == "__main__":
    main()
