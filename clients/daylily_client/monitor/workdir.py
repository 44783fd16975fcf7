"""The monitor's directory: its journal of claims, and a place for each attempt.

    <workdir>/.monitor.lock                            held by the monitor that uses it
    <workdir>/.journal/<request id>.json               one for each claim until it has ended
    <workdir>/<workset id>/attempt-<n>-token-<t>/
        input/     daylily_work.yaml, daylily_info.yaml, stage_samples.tsv
        work/      the command's current directory
        results/   $DAYLILY_RESULTS_DIR: what the monitor exports when the command succeeded
        result.json, pipeline.log, process.json

The journal is written before the claim is sent, so that a monitor that is started again after a
crash can ask state what became of each claim, and knows of every process that it may have left.
"""

import errno
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from daylily_client.monitor.process import ProcessFiles


class WorkdirInUseError(Exception):
    """Another monitor uses this work directory at the moment."""


@dataclass(frozen=True)
class AttemptPlace:
    """The directory of one attempt. The token makes it this grant's own."""

    directory: Path

    @property
    def input(self) -> Path:
        return self.directory / "input"

    @property
    def results(self) -> Path:
        return self.directory / "results"

    @property
    def result_file(self) -> Path:
        return self.directory / "result.json"

    @property
    def process(self) -> ProcessFiles:
        return ProcessFiles(
            work=self.directory / "work",
            log=self.directory / "pipeline.log",
            record=self.directory / "process.json",
        )

    def create(self) -> None:
        for directory in (self.input, self.results, self.process.work):
            directory.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class JournalEntry:
    """A claim that has not ended: sent (no workset yet), granted, or begun (with a directory)."""

    request_id: str
    workset_id: str = ""
    lock_token: int = 0
    directory: str = ""


class Workdir:
    """See the module. Call `hold` before anything else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = path / ".journal"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the only monitor in this directory; a monitor that died holds it no more.

        Raises:
            WorkdirInUseError: another one is alive.
        """
        self._journal.mkdir(parents=True, exist_ok=True)
        with (self._path / ".monitor.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                    raise
                raise WorkdirInUseError(
                    f"another monitor works in {self._path}; give this one a --workdir of its own"
                ) from None
            yield

    def place(self, workset_id: str, attempt: int, lock_token: int) -> AttemptPlace:
        name = attempt_name(attempt, lock_token)
        return AttemptPlace((self._path / workset_id / name).absolute())

    def note_claim(self, request_id: str) -> JournalEntry:
        """Note a claim that is about to be sent."""
        return self._write(JournalEntry(request_id))

    def note_grant(self, entry: JournalEntry, workset_id: str, lock_token: int) -> JournalEntry:
        return self._write(replace(entry, workset_id=workset_id, lock_token=lock_token))

    def note_begin(self, entry: JournalEntry, place: AttemptPlace) -> JournalEntry:
        """Note the directory of a run, before there is any process in it."""
        return self._write(replace(entry, directory=str(place.directory)))

    def note_end(self, entry: JournalEntry) -> None:
        self._file(entry).unlink(missing_ok=True)

    def open_entries(self) -> list[JournalEntry]:
        """What an earlier monitor left, oldest first."""
        files = sorted(self._journal.glob("*.json"), key=lambda file: file.stat().st_mtime)
        return [JournalEntry(**json.loads(file.read_text())) for file in files]

    def _write(self, entry: JournalEntry) -> JournalEntry:
        file = self._file(entry)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(asdict(entry)))
        draft.replace(file)
        return entry

    def _file(self, entry: JournalEntry) -> Path:
        return self._journal / f"{entry.request_id}.json"


def attempt_name(attempt: int, lock_token: int) -> str:
    """Name of an attempt's directory, here and in the place of its results."""
    return f"attempt-{attempt}-token-{lock_token}"
