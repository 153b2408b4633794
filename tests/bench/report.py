"""The table: RESULTS.md from the runs, with its plots."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.drains import LEGS, TUNED
from bench.summary import (
    Goal,
    Row,
    cost,
    drain_goals,
    exchange_goals,
    memory_goal,
    middle,
    rate,
    select,
    spread,
)

Cell = tuple[int, int, float]


def cells_of(rows: list[Row]) -> list[Cell]:
    """(size, partitions, spin) of every cell of drains."""
    return list(dict.fromkeys((row["size"], row["partitions"], row["spin_us"])
                              for row in rows if row["part"] == "drain"))


def cell_name(cell: Cell) -> str:
    """As headings and plots name it."""
    size, partitions, spin = cell
    text = f"{size:,} B, {partitions} partition{'s' if partitions > 1 else ''}"
    return f"{text}, a handler of {spin:g} µs" if spin else text


def _table(head: list[str], body: list[list[str]]) -> list[str]:
    aligned = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(line) + " |" for line in [head, aligned, *body]] + [""]


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def goal_lines(rows: list[Row]) -> list[str]:
    """The goals; those of the drains for each cell of 100 B, and below them for the others."""
    body = []

    def add(goal: Goal, where: str) -> None:
        sign = "≥" if goal.at_least else "≤"
        body.append([goal.what, where, f"{sign} {goal.wanted:g}{goal.unit}",
                     f"{_number(goal.reached, 2)}{goal.unit}", goal.spread, _number(goal.ratio, 2),
                     "below zero: not measurable here" if goal.is_below_zero else "yes" if goal.met else "**no**"])

    for cell in cells_of(rows):
        if not cell[2]:
            for goal in drain_goals(rows, cell[0], cell[1]):
                add(goal, cell_name(cell))
    for goal in [*memory_goal(rows), *exchange_goals(rows)]:
        add(goal, "")
    return _table(["goal", "where", "wanted", "reached", "spread", "ratio to the goal", "met"], body)


def drain_lines(rows: list[Row], cell: Cell) -> list[str]:
    """Every leg of a cell: medians."""
    body = []
    for leg, (what, _) in LEGS.items():
        found = select(rows, "drain", size=cell[0], partitions=cell[1], spin_us=cell[2], leg=leg)
        if not found:
            continue
        costs = [middle(found, cost(name)) if any(name in row["cost"] for row in found) else None
                 for name in ("job", "daemon", "broker")]
        memory = [max((row["rss"][name] for row in found if name in row["rss"]), default=None)
                  for name in ("job", "daemon")]
        body.append([f"**{leg}** {what}", _number(middle(found, rate)), spread([rate(row) for row in found], 0),
                     *(_number(each, 2) for each in costs),
                     _number(middle(found, lambda row: row["commits_per_s"]), 1),
                     *(_number(each) for each in memory), f"{found[0]['records']:,} × {len(found)}"])
    head = ["leg", "msg/s", "spread", "job s/M", "daemon s/M", "broker s/M", "commits/s", "job MiB", "daemon MiB",
            "records × runs"]
    return [f"### {cell_name(cell)}", "", *_table(head, body)]


def latency_lines(rows: list[Row]) -> list[str]:
    """Percentiles of both legs and what is added."""
    body = []
    for each in dict.fromkeys(row["rate"] for row in rows if row["part"] == "latency"):
        figures: dict[str, list[float]] = {}
        for leg, what in (("A", "sidecar"), ("bare", "bare poll loop")):
            found = select(rows, "latency", rate=each, leg=leg)
            figures[leg] = [median(row[share] for row in found) for share in ("p50", "p99", "p99.9")]
            body.append([f"{each:,} msg/s, {what}", *(_number(value, 3) for value in figures[leg]),
                         spread([row["p50"] for row in found], 3), spread([row["p99"] for row in found], 3)])
        added = [ours - bare for ours, bare in zip(figures["A"], figures["bare"])]
        body.append([f"{each:,} msg/s, **added**", *(_number(value, 3) for value in added), "", ""])
    return _table(["ms from produce() to the callback", "p50", "p99", "p99.9", "p50, spread", "p99, spread"], body)


def produce_lines(rows: list[Row]) -> list[str]:
    """Tables and single records."""
    body = []
    for leg, what in (("A", "sidecar"), ("confluent", "confluent-kafka loop")):
        found = select(rows, "tables", leg=leg)
        times = [row["rows"] / second for row in found for second in row["seconds"]]
        spent = [middle(found, cost(name)) for name in ("job", "daemon", "broker")]
        body.append([f"DataFrame of {found[0]['rows']:,} rows, {what}", f"{_number(median(times))} rows/s",
                     spread(times, 0), *(_number(value, 2) for value in spent)])
    for leg, what in (("A", "sidecar"), ("confluent", "confluent-kafka")):
        found = select(rows, "singles", leg=leg)
        body.append([f"produce + flush in a callback, {what}",
                     f"p50 {_number(median(row['p50'] for row in found), 3)} ms, "
                     f"p99 {_number(median(row['p99'] for row in found), 3)} ms",
                     spread([row["p50"] for row in found], 3), "", "", ""])
    return _table(["", "median", "spread", "job s/M", "daemon s/M", "broker s/M"], body)


def flat_lines(rows: list[Row]) -> list[str]:
    """What each thing costs as it grows."""
    body = []
    for axis, value in dict.fromkeys((row["axis"], row["value"]) for row in rows if row["part"] == "flat"):
        found = select(rows, "flat", axis=axis, value=value)
        body.append([f"{axis}: {value:,}", _number(middle(found, rate)), spread([rate(row) for row in found], 0),
                     _number(middle(found, cost("job")), 2), _number(middle(found, cost("daemon")), 2),
                     _number(max(row["rss"]["daemon"] for row in found))])
    return _table(["", "msg/s", "spread", "job s/M", "daemon s/M", "daemon MiB"], body)


def report(rows: list[Row], machine: dict[str, str], command: str, when: str, plots: list[str],
           notes: str = "") -> str:
    """The text of RESULTS.md; `notes` is what people found out, written by hand."""
    tuned = ", ".join(f"`{name}={value}`" for name, value in TUNED.items())
    lines: list[str] = [
        "# Results of the benchmark", "",
        f"Made by `{command}` on {when}; docs/performance.md says how to read it.", "",
        *_table(["", ""], [[name, value] for name, value in machine.items()]),
        "A record counts once its offset is committed on the broker; after every run an independent client has "
        "compared the committed offsets with what the job counted. Figures are medians; spreads are the least and "
        "the most. s/M: CPU seconds (user and system, all threads) per million records, from the job's first "
        "record to the confirmed commit of its last. For legs A the end is the return of `consume()`, with the "
        f"leaving of the group; the others stop at their last commit. Tuned peers: {tuned}.", "",
        "Ratios are taken within a pass, in which every leg ran once; passes alternate in direction.", "",
        "## Goals", "", *goal_lines(rows)]
    if any(row["part"] == "drain" for row in rows):
        lines += ["## Drains", ""]
        for cell in cells_of(rows):
            lines += drain_lines(rows, cell)
    for part, heading, make in (("latency", "Latency", latency_lines), ("tables", "Producing", produce_lines),
                                ("flat", "Flatness", flat_lines)):
        if any(row["part"] == part for row in rows):
            lines += [f"## {heading}", "", *make(rows)]
    lines += [f"![{name}]({name})" for name in plots]
    if notes:
        lines += ["", notes.strip()]
    return "\n".join(lines).rstrip() + "\n"


def console(rows: list[Row]) -> str:
    """The goals alone, for the terminal."""
    return "\n".join(goal_lines(rows))


def as_json(rows: list[Row], machine: dict[str, str]) -> dict[str, Any]:
    """All runs, for later comparisons."""
    return {"machine": machine, "runs": rows}
