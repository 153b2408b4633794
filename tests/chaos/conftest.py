"""Options of the chaos tests, and the table that they print at the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from chaos.checker import Verdict
from chaos.load import Load

_ROWS: list[str] = []
_HEAD = (f"{'test':44} {'faults':>6} {'produced':>9} {'finished':>9} {'samples':>8} {'lost':>5} {'ahead':>5} "
         f"{'order':>5} {'dup':>6} {'unexpl':>6} {'seed':>7}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--full and --seed."""
    parser.addoption("--full", action="store_true", help="the figures of the table of promises: takes hours")
    parser.addoption("--seed", type=int, help="the schedule of faults of an earlier run")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table."""
    if _ROWS:
        terminalreporter.write_line("\n".join(["", _HEAD, *_ROWS]))


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the long form runs."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Of the schedule; told when a test fails."""
    given = request.config.getoption("--seed")
    chosen = int(given) if given is not None else time.time_ns() % 1_000_000
    print(f"again with: --seed={chosen}")
    return chosen


@pytest.fixture
def chance(seed: int) -> random.Random:
    """The source of every choice of a schedule."""
    return random.Random(seed)


@pytest.fixture
def judge(request: pytest.FixtureRequest, seed: int) -> Callable[[Load], Verdict]:
    """Ends a load, adds its row to the table, and fails with the lines that prove a defect."""

    def judged(load: Load) -> Verdict:
        verdict = load.finish()
        _ROWS.append(f"{request.node.name:44} {len(load.history.faults):6} {verdict.produced:9} {verdict.finished:9} "
                     f"{verdict.samples:8} {verdict.lost:5} {verdict.ahead:5} {verdict.disordered:5} "
                     f"{verdict.duplicates:6} {verdict.unexplained:6} {seed:7}")
        assert verdict.ok, f"--seed={seed}; journal {load.journal.path}\n{verdict.report()}"
        return verdict

    return judged
