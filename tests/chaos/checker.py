"""Judges a history: nothing lost, nothing committed ahead, order, duplicates.

    verdict = check(history)
    assert verdict.ok, verdict.report()

One pass over steps and samples in the order of time. Per partition it keeps the
frontier: the lowest produced offset that no run has finished. Then

  * lost: produced, and not finished at the end;
  * ahead: a committed offset beyond the frontier;
  * disordered: a record begun beyond the frontier, which says that one before
    it was skipped or is still being processed;
  * wrong: a finish without a begin in that run, a value at another place than
    where it was produced, a record that nobody produced;
  * went back: a committed offset below an earlier one;
  * duplicates: begun again after it was finished. Unexplained unless a fault
    that may repeat lies between the two, and unless the offset is at or beyond
    what was seen committed (a member that wakes up may also be behind it).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chaos.history import Fault, History, Produced, Sample, Step

# Evidence shown of each kind.
SHOWN = 10


@dataclass
class Verdict:
    """Counts, and the lines that prove what is wrong."""

    produced: int = 0
    finished: int = 0
    samples: int = 0
    lost: int = 0
    ahead: int = 0
    disordered: int = 0
    wrong: int = 0
    went_back: int = 0
    duplicates: int = 0
    unexplained: int = 0
    evidence: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every promise was kept; explained duplicates are allowed."""
        return not (self.lost or self.ahead or self.disordered or self.wrong or self.went_back or self.unexplained)

    def report(self) -> str:
        """The counts and the proving lines."""
        counts = ", ".join(f"{name} {value}" for name, value in vars(self).items() if name != "evidence")
        lines = [f"  {kind}: {line}" for kind, found in self.evidence.items() for line in found]
        return "\n".join([counts, *lines])

    def add(self, kind: str, line: str) -> None:
        """Counts one of a kind."""
        setattr(self, kind, getattr(self, kind) + 1)
        shown = self.evidence.setdefault(kind, [])
        if len(shown) < SHOWN:
            shown.append(line)


class _Partition:
    """What is known of a partition at a moment of the pass."""

    def __init__(self, records: list[Produced]) -> None:
        self.offsets = sorted(record.offset for record in records)
        self.values = {record.offset: record.value for record in records}
        self.done_at: dict[int, float] = {}
        self.committed = -1
        self._frontier = 0

    def finish(self, offset: int, at: float) -> None:
        self.done_at[offset] = at
        while self._frontier < len(self.offsets) and self.offsets[self._frontier] in self.done_at:
            self._frontier += 1

    def frontier(self) -> int | None:
        """The lowest offset that is not finished; None when all are."""
        return self.offsets[self._frontier] if self._frontier < len(self.offsets) else None


def check(history: History) -> Verdict:
    """The verdict on a history that has come to its end."""
    verdict = Verdict(produced=len(history.produced), samples=len(history.samples))
    records: dict[int, list[Produced]] = {}
    for record in history.produced:
        records.setdefault(record.partition, []).append(record)
    partitions = {number: _Partition(found) for number, found in records.items()}
    open_steps: set[tuple[str, int, int]] = set()
    # A finish at the very time of a sample came before it: its time is taken
    # before its ack could leave.
    events: list[Step | Sample] = [*history.steps, *history.samples]
    events.sort(key=lambda each: each.at)
    for event in events:
        partition = partitions.get(event.partition)
        if isinstance(event, Sample):
            _sample(event, partition, verdict)
        elif partition is None or partition.values.get(event.offset) != event.value:
            verdict.add("wrong", f"{event} is not what was produced there")
        elif event.event == "begin":
            open_steps.add((event.run, event.partition, event.offset))
            _begin(event, partition, history.faults, verdict)
        else:
            if (event.run, event.partition, event.offset) not in open_steps:
                verdict.add("wrong", f"{event} was never begun in its run")
            open_steps.discard((event.run, event.partition, event.offset))
            partition.finish(event.offset, event.at)
    for number, partition in sorted(partitions.items()):
        verdict.finished += len(partition.done_at)
        for offset in partition.offsets:
            if offset not in partition.done_at:
                verdict.add("lost", f"partition {number}, offset {offset}, value {partition.values[offset]!r}")
    return verdict


def _sample(sample: Sample, partition: _Partition | None, verdict: Verdict) -> None:
    if partition is None:
        verdict.add("wrong", f"{sample} of a partition without records")
        return
    frontier = partition.frontier()
    if frontier is not None and sample.offset > frontier:
        verdict.add("ahead", f"{sample}; offset {frontier} was not finished by then")
    if sample.offset < partition.committed:
        verdict.add("went_back", f"{sample}; {partition.committed} before")
    partition.committed = max(partition.committed, sample.offset)


def _begin(step: Step, partition: _Partition, faults: list[Fault], verdict: Verdict) -> None:
    frontier = partition.frontier()
    if frontier is not None and step.offset > frontier:
        verdict.add("disordered", f"{step}; offset {frontier} was not finished by then")
    done = partition.done_at.get(step.offset)
    if done is None:
        return
    verdict.duplicates += 1
    between = [fault for fault in faults if fault.repeats and fault.begin <= step.at and done <= fault.end]
    if not between:
        verdict.add("unexplained", f"{step}; finished at {done:.6f}, no fault between")
    elif step.offset < partition.committed and not any(fault.zombies for fault in between):
        verdict.add("unexplained", f"{step}; finished at {done:.6f} and seen committed ({partition.committed})")
