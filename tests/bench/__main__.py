"""Runs the benchmark: see tests/bench/run.sh --help."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from support.paths import BUILD, ROOT

from bench.drains import Drain, run_drain
from bench.environment import FLOOR, Environment, drain_topic
from bench.exchanges import run_latency, run_singles, run_tables
from bench.flat import run_flat
from bench.machine import description
from bench.plan import PLANS, Plan
from bench.plots import draw
from bench.report import as_json, console, report
from bench.summary import Row

# What it is, and what measures it.
Run = tuple[Row, Callable[[], Row]]
# Kept from one run to the next.
NOTES = ROOT / "tests" / "bench" / "notes.md"
PARTS = ("drain", "latency", "produce", "flat")


def runs_of(env: Environment, plan: Plan, parts: list[str], legs: list[str] | None) -> Iterator[Run]:
    """Every run of the plan: what it is, and what measures it."""
    if "drain" in parts:
        for cell in plan.cells:
            for number, drain in cell.drains():
                if legs is None or drain.leg in legs:
                    yield {"part": "drain", "pass": number, **_identity(drain)}, partial(run_drain, env, drain)
            env.forget(drain_topic(cell.records, cell.size, cell.partitions))
    if "latency" in parts:
        for rate in plan.latency_rates:
            for number, leg in enumerate(plan.latency_legs):
                yield ({"part": "latency", "leg": leg, "rate": rate, "pass": number},
                       partial(run_latency, env, leg, rate, plan.latency_s))
    if "produce" in parts:
        for number, leg in enumerate(plan.table_legs):
            yield ({"part": "tables", "leg": leg, "pass": number},
                   partial(run_tables, env, leg, plan.table_rows, plan.table_times))
        for number, leg in enumerate(plan.single_legs):
            yield {"part": "singles", "leg": leg, "pass": number}, partial(run_singles, env, leg, plan.singles)
    if "flat" in parts:
        for axis, value, run in run_flat(env, plan):
            yield {"part": "flat", "axis": axis, "value": value}, run


def measured(runs: Iterator[Run], journal: Path, resume: bool) -> Iterator[Row]:
    """Every run's row; those of the journal, when they are to be kept, are not measured again."""
    kept = [json.loads(line) for line in journal.read_text().splitlines()] if resume else []
    with journal.open("w") as file:
        for what, run in runs:
            row = next((each for each in kept if what.items() <= each.items()), None)
            if row is None:
                row = {**what, **run()}
                say(row)
            else:
                kept.remove(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            yield row


def _identity(drain: Drain) -> Row:
    return {"leg": drain.leg, "size": drain.size, "partitions": drain.partitions, "spin_us": drain.spin_us}


def say(row: Row) -> None:
    """One line for a run that has ended."""
    names = [str(row[name]) for name in ("part", "leg", "axis", "value", "size", "partitions", "spin_us", "rate")
             if name in row and not (name == "rate" and row["part"] != "latency")]
    if "commits_per_s" in row:
        costs = ", ".join(f"{name} {spent:.2f}" for name, spent in row["cost"].items())
        text = f"{row['rate']:,.0f} msg/s in {row['seconds']:.1f} s; s/M: {costs}; " \
               f"{row['commits_per_s']:.1f} commits/s; MiB: " \
               + ", ".join(f"{name} {most:.0f}" for name, most in row["rss"].items())
    elif "p50" in row:
        text = ", ".join(f"{name} {row[name]:.3f} ms" for name in ("p50", "p99", "p99.9") if name in row)
    else:
        text = ", ".join(f"{row['rows'] / second:,.0f}" for second in row["seconds"]) + " rows/s"
    print(f"{time.strftime('%H:%M:%S')} {' '.join(names):<42} {text}", flush=True)


def main() -> int:
    """Measures, and leaves the results where they are asked for."""
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh")
    parser.add_argument("--plan", choices=PLANS, default="full")
    parser.add_argument("--smoke", action="store_const", dest="plan", const="smoke",
                        help="all parts in a minute or two, without judging speed")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part (repeatable)")
    parser.add_argument("--flat", action="store_true", help="the part flat besides")
    parser.add_argument("--leg", action="append", help="only this leg of the drains (repeatable)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was broken off")
    parser.add_argument("--kafka", default="3.9.1", metavar="VERSION", help="of the broker")
    parser.add_argument("--out", type=Path, help="folder of the results; default: tests/bench for a whole full run, "
                                                 "else build/bench/PLAN")
    chosen = parser.parse_args()
    plan = PLANS[chosen.plan]
    parts = chosen.part or [part for part in PARTS if part != "flat" or chosen.flat or plan.name == "smoke"]
    whole = plan.name == "full" and not chosen.part and not chosen.leg
    out = chosen.out or (ROOT / "tests" / "bench" if whole else BUILD / "bench" / plan.name)
    out.mkdir(parents=True, exist_ok=True)

    journal = BUILD / "bench" / f"{plan.name}.jsonl"
    with Environment(chosen.kafka) as env:
        rows = list(measured(runs_of(env, plan, parts, chosen.leg), journal, chosen.resume))
        assert env.daemon.process.running(), f"the daemon ended during the benchmark:\n{env.daemon.process.tail()}"
        code = env.daemon.stop()
        assert code == 0, f"the daemon ended with {code}:\n{env.daemon.process.tail()}"
    machine = description(chosen.kafka, floor_version())
    plots = draw(rows, out)
    options = "".join(f" {each}" for each in sys.argv[1:])
    notes = NOTES.read_text() if out.resolve() == NOTES.parent else ""
    (out / "RESULTS.md").write_text(report(rows, machine, f"tests/bench/run.sh{options}",
                                           time.strftime("%Y-%m-%d"), plots, notes))
    raw = BUILD / "bench" / f"{plan.name}.json"
    raw.write_text(json.dumps(as_json(rows, machine), indent=1))
    print(f"\n{console(rows)}\nResults: {out / 'RESULTS.md'}; every run: {raw}")
    return 0


def floor_version() -> str:
    """The librdkafka of leg E."""
    done = subprocess.run([str(FLOOR), "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{FLOOR} is missing or broken: deploy/build.sh all makes it; {done.stderr}"
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
