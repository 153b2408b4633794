"""What is measured, and how long: the full run, and a short form of all its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.drains import LEGS, Drain

# Legs that would read for hours are ended by the clock.
ENDED_BY_CLOCK = {"B", "C default"}


@dataclass(frozen=True)
class Cell:
    """Drains that are compared with one another: the same topic, one after the other."""

    size: int
    partitions: int
    records: int
    passes: int
    legs: tuple[str, ...] = tuple(LEGS)
    spin_us: float = 0
    clock_s: float = 10

    def drains(self) -> Iterator[tuple[int, Drain]]:
        """Every pass in the reverse order of the one before: A B, B A, A B …"""
        for number in range(self.passes):
            for leg in self.legs if number % 2 == 0 else reversed(self.legs):
                yield number, Drain(leg, self.size, self.partitions, self.records, spin_us=self.spin_us,
                                    max_seconds=self.clock_s if leg in ENDED_BY_CLOCK else 0)


@dataclass(frozen=True)
class Plan:
    """One run of the benchmark."""

    name: str
    cells: tuple[Cell, ...]
    latency_rates: tuple[int, ...]
    latency_s: float
    latency_legs: tuple[str, ...]
    table_rows: int
    table_times: int
    table_legs: tuple[str, ...]
    singles: int
    single_legs: tuple[str, ...]
    flat_records: int
    flat_passes: int


FULL = Plan(
    name="full",
    cells=(
        Cell(100, 1, 5_000_000, 3, clock_s=20),
        Cell(100, 8, 5_000_000, 3, clock_s=20),
        Cell(1024, 1, 1_000_000, 2),
        Cell(1024, 8, 1_000_000, 2),
        Cell(10_240, 1, 300_000, 2),
        Cell(10_240, 8, 300_000, 2),
        Cell(100, 1, 100_000, 4, ("A", "C"), spin_us=100),
    ),
    latency_rates=(1000, 20_000),
    latency_s=15,
    latency_legs=("A", "bare", "bare", "A", "A", "bare"),
    table_rows=100_000,
    table_times=5,
    table_legs=("A", "confluent", "confluent", "A"),
    singles=3000,
    single_legs=("A", "confluent", "confluent", "A"),
    flat_records=400_000,
    flat_passes=2,
)

SMOKE = Plan(
    name="smoke",
    cells=(
        Cell(100, 2, 20_000, 1, clock_s=2),
        Cell(1024, 1, 5000, 1, ("A", "C"), spin_us=100),
    ),
    latency_rates=(1000,),
    latency_s=2,
    latency_legs=("A", "bare"),
    table_rows=5000,
    table_times=2,
    table_legs=("A", "confluent"),
    singles=100,
    single_legs=("A", "confluent"),
    flat_records=5000,
    flat_passes=1,
)

# Every leg and every size, fewer times: for a machine that is not one's own.
SHORT = replace(
    FULL, name="short",
    cells=(
        Cell(100, 1, 1_000_000, 2, clock_s=8),
        Cell(100, 8, 1_000_000, 2, clock_s=8),
        Cell(1024, 1, 300_000, 1, clock_s=5),
        Cell(1024, 8, 300_000, 1, clock_s=5),
        Cell(10_240, 8, 60_000, 1, clock_s=5),
        Cell(100, 1, 50_000, 2, ("A", "C"), spin_us=100),
    ),
    latency_s=10, latency_legs=("A", "bare", "bare", "A"), singles=2000)

# For a quick look while something is being made faster.
QUICK = replace(
    FULL, name="quick",
    cells=(Cell(100, 1, 1_000_000, 2, clock_s=8),),
    latency_rates=(1000,), latency_s=6, latency_legs=("A", "bare", "bare", "A"),
    table_times=3, table_legs=("A", "confluent"), singles=1000, single_legs=("A", "confluent"), flat_passes=1)

PLANS = {plan.name: plan for plan in (FULL, SHORT, SMOKE, QUICK)}
