"""Every grpcurl line that the documents show does what it says, as printed."""

import re
import shlex
from pathlib import Path

from tests.support.grpcurl import grpcurl, run_grpcurl
from tests.support.tools import ROOT

LINE = re.compile(r"^`?(grpcurl -plaintext [^`\n]+)`?", re.MULTILINE)


def lines(document: Path) -> list[list[str]]:
    """Arguments of the document's grpcurl lines, in order."""
    return [shlex.split(line)[1:] for line in LINE.findall(document.read_text())]


async def run_all(system, document):
    found = lines(document)
    assert found, document
    for arguments in found:
        here = [
            argument
            if not argument.startswith("localhost:")
            else system.servers[int(argument.removeprefix("localhost:"))].address
            for argument in arguments
        ]
        answer = await run_grpcurl(*here)
        assert answer.exit_code == 0, (arguments, answer.stderr)


async def test_those_of_the_readme(system):
    # Something to claim, as the README's own worksets would leave nothing for the scheduler.
    await grpcurl(
        system.state,
        "daylily.state.v1.StateService/RegisterWorkset",
        {"workset_id": "ws-1", "bucket": "lab", "prefix": "runs/ws-1/"},
    )
    await run_all(system, ROOT / "README.md")
    done = await grpcurl(
        system.state, "daylily.state.v1.StateService/GetWorkset", {"workset_id": "ws-2"}
    )
    assert done.message["workset"]["state"] == "WORKSET_STATE_IN_PROGRESS"


async def test_those_of_the_other_documents(system):
    documents = [path for path in sorted((ROOT / "docs").rglob("*.md")) if lines(path)]
    for document in documents:
        await run_all(system, document)
