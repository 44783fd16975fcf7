"""Recorded decisions, made again, and what came out differently."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from daylily_scheduler.domain.inputs import Answer, Question, answer
from daylily_scheduler.domain.placement import Placement
from daylily_scheduler.recording.constants import changed
from daylily_scheduler.recording.files import Record, RecordError, decisions, read


@dataclass(frozen=True, slots=True)
class Replay:
    """A recorded decision beside the one that was made again from the same inputs."""

    path: Path
    record: Record
    again: Answer

    @property
    def same(self) -> bool:
        """Bit for bit: worksets, clusters, every dollar and every reason."""
        return self.record.answer == self.again

    @property
    def question(self) -> str:
        """In short: "claim of c1", "3 claims that wait", "ws-1"."""
        asked: Question = self.record.inputs.question
        if asked.workset is not None:
            return asked.workset.workset_id
        if len(asked.clusters) == 1:
            return f"claim of {asked.clusters[0]}"
        return f"{len(asked.clusters)} claims that wait"

    @property
    def usd(self) -> tuple[float, float]:
        """What the runs that it starts cost: as recorded, and again."""
        return (_usd(self.record.answer), _usd(self.again))

    def differences(self) -> Iterator[str]:
        """What differs, in words; nothing when all is the same."""
        before, now = self.record.answer, self.again
        if before.words() != now.words():
            yield f"recorded: {before.words()}; again: {now.words()}"
        yield from _costs(
            [each.placement for each in before.given], [each.placement for each in now.given]
        )
        yield from _costs(before.placements, now.placements)
        old = [reason.message for reason in before.reasons]
        new = [reason.message for reason in now.reasons]
        if old != new:
            yield f"reasons recorded: {'; '.join(old) or 'none'}; again: {'; '.join(new) or 'none'}"
        if not self.same and before.words() == now.words() and old == new:
            yield "the same places, at other costs or for other reasons"


def replayed(path: Path, changes: Sequence[str] = ()) -> Replay:
    """A decision, made again; under other constants where `changes` says so, see `changed`.

    Raises:
        RecordError, OSError: the file cannot be read.
        ConstantError: the changes are none.
    """
    record = read(path)
    rules = changed(record.inputs.rules, changes)
    return Replay(path, record, answer(replace(record.inputs, rules=rules)))


def _usd(of: Answer) -> float:
    return math.fsum(each.placement.cost_usd for each in of.given)


def found_in(path: Path) -> list[Path]:
    """The decisions that a path means: itself, or those in it.

    Raises:
        RecordError: there are none.
    """
    found = list(decisions(path)) if path.is_dir() else [path]
    if not found:
        raise RecordError(f"{path}: no decision is recorded there")
    return found


def _costs(
    before: list[Placement] | tuple[Placement, ...], now: list[Placement] | tuple[Placement, ...]
) -> Iterator[str]:
    known = {place.cluster_name: place for place in before}
    for place in now:
        old = known.get(place.cluster_name)
        if old is not None and old.cost_usd != place.cost_usd:
            yield f"{place.cluster_name}: ${old.cost_usd:.2f} recorded, ${place.cost_usd:.2f} again"
