"""What happened, as the checker reads it. Times are seconds of CLOCK_MONOTONIC,

which all processes of a machine share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Produced:
    """A record that the broker has confirmed. Values are unique in a history."""

    partition: int
    offset: int
    value: str


@dataclass(frozen=True)
class Step:
    """A line of a job's journal: "begin", or "done", told before the ack can leave."""

    event: str
    run: str
    partition: int
    offset: int
    value: str
    at: float

    def line(self) -> str:
        """The line of the journal, which Step.parse() reads."""
        return f"{self.event}\t{self.run}\t{self.partition}\t{self.offset}\t{self.at:.6f}\t{self.value}\n"

    @staticmethod
    def parse(line: str) -> Step:
        """The step of a line."""
        event, run, partition, offset, at, value = line.rstrip("\n").split("\t", 5)
        return Step(event, run, int(partition), int(offset), value, float(at))


@dataclass(frozen=True)
class Sample:
    """A committed offset that an independent client was told; it held at `at` or before."""

    partition: int
    offset: int
    at: float


@dataclass(frozen=True)
class Fault:
    """Something done to the system between `begin` and `end` (seen to work again).

    `repeats`: it may bring records again that were finished and not yet
    committed; a clean stop may not. `zombies`: a member may wake up with records
    that another has finished and committed meanwhile.
    """

    what: str
    begin: float
    end: float
    repeats: bool = True
    zombies: bool = False


@dataclass
class History:
    """All of it."""

    produced: list[Produced] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_steps(path: Path) -> Iterator[Step]:
    """The steps of a journal; a last line that a kill cut short is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield Step.parse(line)
