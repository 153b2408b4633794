"""The checker finds each defect that is put into a good history, and none in a good one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.checker import check
from chaos.history import Fault, History, Produced, Sample, Step, read_steps
from chaos.synthetic import good_history


@pytest.mark.parametrize("block", range(10))
def test_good_histories_pass(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        verdict = check(good_history(seed))
        assert verdict.ok, f"seed {seed}: {verdict.report()}"
        assert verdict.finished == verdict.produced


def test_clean_histories_have_no_duplicates_and_crashes_have() -> None:
    assert sum(check(good_history(seed, crashes=False)).duplicates for seed in range(100)) == 0
    assert sum(check(good_history(seed)).duplicates for seed in range(100)) > 100


def lose(history: History, chance: random.Random) -> None:
    victim = chance.choice(history.produced)
    place = (victim.partition, victim.offset)
    history.steps = [each for each in history.steps if (each.partition, each.offset) != place]


def commit_ahead(history: History, chance: random.Random) -> None:
    first = next(each for each in history.steps if each.event == "done")
    history.samples.insert(0, Sample(first.partition, first.offset + 1, first.at - 0.0001))


def commit_back(history: History, _: random.Random) -> None:
    last = max(history.samples, key=lambda each: each.at)
    history.samples.append(replace(last, offset=last.offset - 1, at=last.at + 1))


def skip_ahead(history: History, chance: random.Random) -> None:
    # The first two records of a partition in the wrong order.
    places = sorted((each.partition, each.offset) for each in history.produced if each.partition == 0)[:2]
    swap = dict(zip(places, reversed(places), strict=True))
    values = {(each.partition, each.offset): each.value for each in history.produced}
    history.steps = [
        replace(each, offset=swap[each.partition, each.offset][1], value=values[swap[each.partition, each.offset]])
        if (each.partition, each.offset) in swap else each for each in history.steps]
    history.samples = []


def repeat_without_a_fault(history: History, chance: random.Random) -> None:
    last = history.steps[-1]
    history.steps += [replace(last, event="begin", at=last.at + 60), replace(last, event="done", at=last.at + 61)]


def repeat_after_a_clean_stop(history: History, chance: random.Random) -> None:
    last = history.steps[-1]
    history.faults.append(Fault("SIGTERM", last.at + 50, last.at + 55, repeats=False))
    repeat_without_a_fault(history, chance)


def repeat_what_was_committed(history: History, chance: random.Random) -> None:
    last = history.steps[-1]
    history.samples.append(Sample(last.partition, last.offset + 1, last.at + 40))
    history.faults.append(Fault("kill -9", last.at + 50, last.at + 55))
    repeat_without_a_fault(history, chance)


def finish_without_a_begin(history: History, chance: random.Random) -> None:
    done = next(each for each in history.steps if each.event == "done")
    history.steps = [each for each in history.steps
                     if each.event == "done" or (each.run, each.partition, each.offset) !=
                     (done.run, done.partition, done.offset)]


def deliver_another_value(history: History, chance: random.Random) -> None:
    index = chance.randrange(len(history.steps))
    history.steps[index] = replace(history.steps[index], value="not this")


def deliver_what_nobody_produced(history: History, chance: random.Random) -> None:
    history.steps.append(Step("begin", "run0", 0, 10_000, "ghost", history.steps[-1].at + 1))


@pytest.mark.parametrize(("spoil", "kind"), [
    (lose, "lost"),
    (commit_ahead, "ahead"),
    (commit_back, "went_back"),
    (skip_ahead, "disordered"),
    (repeat_without_a_fault, "unexplained"),
    (repeat_after_a_clean_stop, "unexplained"),
    (repeat_what_was_committed, "unexplained"),
    (finish_without_a_begin, "wrong"),
    (deliver_another_value, "wrong"),
    (deliver_what_nobody_produced, "wrong"),
])
def test_each_defect_is_found(spoil: Callable[[History, random.Random], None], kind: str) -> None:
    for seed in range(100):
        history = good_history(seed)
        spoil(history, random.Random(seed))
        verdict = check(history)
        assert getattr(verdict, kind) > 0, f"seed {seed}: {verdict.report()}"
        assert not verdict.ok
        assert verdict.evidence[kind], "no line proves it"


def test_a_member_that_wakes_up_may_repeat_what_is_committed() -> None:
    history = good_history(1)
    repeat_what_was_committed(history, random.Random(1))
    history.faults[-1] = replace(history.faults[-1], zombies=True)
    assert check(history).ok


def test_a_commit_of_an_open_record_is_ahead() -> None:
    history = History([Produced(0, 5, "a"), Produced(0, 6, "b")])
    history.steps = [Step("begin", "r", 0, 5, "a", 1), Step("done", "r", 0, 5, "a", 2),
                     Step("begin", "r", 0, 6, "b", 3), Step("done", "r", 0, 6, "b", 5)]
    history.samples = [Sample(0, 6, 2.5)]
    assert check(history).ok
    history.samples = [Sample(0, 7, 4)]
    assert check(history).ahead == 1


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    steps = [Step("begin", "r", 0, 5, "a\tb", 1.5), Step("done", "r", 0, 5, "a\tb", 2.25)]
    path = tmp_path / "journal"
    path.write_text("".join(step.line() for step in steps) + "done\tr\t0")
    assert list(read_steps(path)) == steps
