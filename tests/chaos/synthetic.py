"""Random histories that keep every promise, made by a small honest system.

A member processes some partitions one record at a time; commits follow the
finishes with a delay; crashes throw away what is not committed and clean stops
commit first. Offsets have holes, as compaction and transactions leave them.
"""

from __future__ import annotations

import random

from chaos.history import Fault, History, Produced, Sample, Step


class _System:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.history = History()
        self.now = 100.0
        self.runs = 0
        self.offsets: dict[int, list[int]] = {}
        for partition in range(self.random.randint(1, 5)):
            offset = self.random.choice([0, 0, 17])
            self.offsets[partition] = []
            for number in range(self.random.randint(5, 60)):
                self.history.produced.append(Produced(partition, offset, f"{partition}-{number}"))
                self.offsets[partition].append(offset)
                offset += self.random.choice([1, 1, 1, 2, 5])
        # Indexes into offsets: the next to process, and the committed one.
        self.position = dict.fromkeys(self.offsets, 0)
        self.committed = dict.fromkeys(self.offsets, 0)
        self.values = {(r.partition, r.offset): r.value for r in self.history.produced}

    def tick(self) -> float:
        self.now += self.random.uniform(0.001, 0.05)
        return self.now

    def process(self, finish: bool = True) -> None:
        left = [each for each in self.offsets if self.position[each] < len(self.offsets[each])]
        if not left:
            return
        partition = self.random.choice(left)
        offset = self.offsets[partition][self.position[partition]]
        value = self.values[partition, offset]
        run = f"run{self.runs}"
        self.history.steps.append(Step("begin", run, partition, offset, value, self.tick()))
        if finish:
            self.history.steps.append(Step("done", run, partition, offset, value, self.tick()))
            self.position[partition] += 1

    def commit(self) -> None:
        for partition, position in self.position.items():
            self.committed[partition] = self.random.randint(self.committed[partition], position)

    def sample(self) -> None:
        for partition, index in self.committed.items():
            if index:
                self.history.samples.append(
                    Sample(partition, self.offsets[partition][index - 1] + 1, self.tick()))

    def crash(self) -> None:
        self.process(finish=False)
        begin = self.tick()
        self.runs += 1
        self.position = dict(self.committed)
        self.now += GAP_S
        self.history.faults.append(Fault("kill -9", begin, self.tick()))

    def stop(self) -> None:
        begin = self.tick()
        self.committed = dict(self.position)
        self.runs += 1
        self.now += GAP_S
        self.history.faults.append(Fault("SIGTERM", begin, self.tick(), repeats=False))


# From a fault until the system works again.
GAP_S = 5.0


def good_history(seed: int, crashes: bool = True) -> History:
    """A history without a defect; without crashes it holds no duplicate either."""
    system = _System(seed)
    steps = [system.process] * 12 + [system.commit, system.sample]
    rare = [system.stop, system.crash] if crashes else [system.stop]
    while any(system.position[each] < len(system.offsets[each]) for each in system.offsets):
        system.random.choice(rare if system.random.random() < 0.02 else steps)()
    system.committed = dict(system.position)
    system.sample()
    return system.history
