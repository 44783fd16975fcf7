"""`worksets doctor`."""

import sys

import click

from daylily_client.cli import output
from daylily_client.cli.context import App, json_option, pass_app
from daylily_client.cli.examination import WRONG, examine

PASSED, SICK = 0, 1


@click.command()
@json_option
@pass_app
def doctor(app: App) -> None:
    """Check addresses, credentials, tables, clocks, versions and clusters, and say what to mend.

    Ends with 1 if something is wrong.
    """
    findings = list(examine(app))
    sick = any(finding.verdict == WRONG for finding in findings)
    if app.as_json:
        output.print_json({"healthy": not sick, "findings": [vars(one) for one in findings]})
    else:
        output.print_table(
            ("CHECK", "", "FOUND"), ((one.check, one.verdict, one.found) for one in findings)
        )
        for one in findings:
            if one.remedy:
                output.print_line(f"{one.check}: {one.remedy}")
    sys.exit(SICK if sick else PASSED)
