"""From the runs to medians, spreads and the goals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A goal of the project and what was reached."""

    what: str
    wanted: float
    # Whether the figure is to be at least, or at most, the wanted one.
    at_least: bool
    unit: str
    reached: float | None
    spread: str = ""

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.reached is not None and (
            self.reached >= self.wanted if self.at_least else self.reached <= self.wanted)

    @property
    def ratio(self) -> float | None:
        """1 is the goal, more is better."""
        if self.reached is None or self.is_below_zero:
            return None
        return self.reached / self.wanted if self.at_least else self.wanted / max(self.reached, 1e-9)

    @property
    def is_below_zero(self) -> bool:
        """Whether a cost came out as a gain: the comparison was disturbed, or is below its noise."""
        return self.reached is not None and not self.at_least and self.reached < 0


def select(rows: list[Row], part: str, **wanted: Any) -> list[Row]:
    """The rows of a part with these values."""
    return [row for row in rows if row["part"] == part and all(row.get(name) == value
                                                               for name, value in wanted.items())]


def middle(rows: list[Row], value: Callable[[Row], float]) -> float | None:
    """The median of a figure, None without rows."""
    return median(value(row) for row in rows) if rows else None


def spread(values: list[float], digits: int = 1) -> str:
    """From the least to the most."""
    return f"{min(values):,.{digits}f} to {max(values):,.{digits}f}" if len(values) > 1 else ""


def pair_ratios(rows: list[Row], first: str, second: str, value: Callable[[Row], float]) -> list[float]:
    """first / second within each pass: runs that were close in time."""
    by_pass: dict[int, dict[str, float]] = {}
    for row in rows:
        by_pass.setdefault(row["pass"], {})[row["leg"]] = value(row)
    return [one[first] / one[second] for one in by_pass.values() if first in one and second in one]


def rate(row: Row) -> float:
    """Records a second, durably committed."""
    return float(row["rate"])


def cost(process: str) -> Callable[[Row], float]:
    """CPU seconds per million records of a process."""
    return lambda row: float(row["cost"].get(process, 0.0))


def _pair_goal(rows: list[Row], what: str, legs: tuple[str, str], value: Callable[[Row], float],
               wanted: float, at_least: bool) -> Goal:
    found = pair_ratios(rows, *legs, value)
    return Goal(what, wanted, at_least, "×", median(found) if found else None, spread(found, 2))


def drain_goals(rows: list[Row], size: int, partitions: int) -> list[Goal]:
    """The goals for a cell of the drains."""
    cell = select(rows, "drain", size=size, partitions=partitions, spin_us=0)
    ours = [row for row in cell if row["leg"] == "A"]
    daemon = [cost("daemon")(row) for row in ours]
    goals = [
        _pair_goal(cell, "A / B, rate", ("A", "B"), rate, 50, True),
        _pair_goal(cell, "A / C, rate", ("A", "C"), rate, 1.5, True),
        _pair_goal(cell, "A / C, CPU of the job", ("A", "C"), cost("job"), 0.6, False),
        _pair_goal(cell, "A' / D0, rate", ("A'", "D0"), rate, 2.0, True),
        _pair_goal(cell, "A' / D0, CPU of the job", ("A'", "D0"), cost("job"), 0.5, False),
        _pair_goal(cell, "A' with to_polars() / D0, rate", ("A' frame", "D0"), rate, 2.0, True),
        _pair_goal(cell, "A' with to_polars() / D0, CPU of the job", ("A' frame", "D0"), cost("job"), 0.5, False),
    ]
    if size == 100:
        goals.append(Goal("A, CPU of the daemon", 2.5, False, " s/M", median(daemon) if daemon else None,
                          spread(daemon, 2)))
    return [goal for goal in goals if goal.reached is not None]


def memory_goal(rows: list[Row]) -> list[Goal]:
    """The most that the daemon ever held, with its default limits; nothing without drains."""
    found = [row["rss"]["daemon"] for row in rows if row["part"] == "drain" and "daemon" in row["rss"]]
    return [Goal("Peak RSS of the daemon over all drains", 150, False, " MiB", max(found))] if found else []


def exchange_goals(rows: list[Row]) -> list[Goal]:
    """The goals for latency and producing."""
    goals = []
    for share, wanted in (("p50", 0.3), ("p99", 1.0)):
        ours = select(rows, "latency", leg="A", rate=1000)
        bare = select(rows, "latency", leg="bare", rate=1000)
        if ours and bare:
            pairs = [each[share] - other[share] for each in ours for other in bare]
            added = median(row[share] for row in ours) - median(row[share] for row in bare)
            goals.append(Goal(f"Latency added at 1,000 msg/s, {share}", wanted, False, " ms", added, spread(pairs, 2)))
    ours, peer = (select(rows, "tables", leg=leg) for leg in ("A", "confluent"))
    if ours and peer:
        times = [median(second for row in each for second in row["seconds"]) for each in (ours, peer)]
        pairs = [median(other["seconds"]) / median(each["seconds"]) for each in ours for other in peer]
        goals.append(Goal("Produce of a DataFrame / a confluent-kafka loop, rate", 5, True, "×",
                          times[1] / max(times[0], 1e-9), spread(pairs, 2)))
    ours, peer = (select(rows, "singles", leg=leg) for leg in ("A", "confluent"))
    if ours and peer:
        pairs = [each["p50"] / other["p50"] for each in ours for other in peer]
        goals.append(Goal("Produce + flush in a callback / confluent-kafka's, p50", 1.5, False, "×",
                          median(row["p50"] for row in ours) / median(row["p50"] for row in peer), spread(pairs, 2)))
    return goals
