"""kill -9, SIGSTOP and SIGTERM of daemon and job under load. --full: the promised figures."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest
from support.kafka import KafkaCluster

from chaos.checker import Verdict
from chaos.load import Load

Judge = Callable[[Load], Verdict]


@pytest.mark.parametrize("victim", ["daemon", "job"])
@pytest.mark.timeout(7200)
def test_kill_9(kafka: KafkaCluster, unique: str, victim: str, full: bool, chance: random.Random,
                judge: Judge) -> None:
    with Load(kafka, unique) as load:
        daemon, job = load.member()
        load.wait_progress(200)
        for _ in range(50 if full else 4):
            time.sleep(chance.uniform(0, 1))
            with load.fault(f"kill -9 {victim}"):
                (daemon if victim == "daemon" else job).kill()
                time.sleep(chance.uniform(0, 0.5))
                (daemon if victim == "daemon" else job).start()
        assert daemon.process.running()
        assert job.process.running()
        judge(load)


@pytest.mark.parametrize("order", ["daemon-first", "job-first", "both"])
@pytest.mark.timeout(7200)
def test_sigterm_repeats_nothing(kafka: KafkaCluster, unique: str, order: str, full: bool, chance: random.Random,
                                 judge: Judge) -> None:
    with Load(kafka, unique) as load:
        daemon, job = load.member()
        load.wait_progress(200)
        for _ in range(34 if full else 3):
            time.sleep(chance.uniform(0, 1))
            with load.fault(f"SIGTERM {order}", repeats=False):
                first, second = (job, daemon) if order == "job-first" else (daemon, job)
                first.process.signal(signal.SIGTERM)
                if order == "both":
                    second.process.signal(signal.SIGTERM)
                assert first.process.wait(45) == 0, first.process.tail()
                if order != "both":
                    # Once only: a second signal ends a job at once.
                    second.process.signal(signal.SIGTERM)
                assert second.process.wait(45) == 0, second.process.tail()
                daemon.start()
                job.start()
        verdict = judge(load)
        assert verdict.duplicates == 0, verdict.report()


@pytest.mark.parametrize("victim", ["daemon", "job", "broker"])
@pytest.mark.timeout(7200)
def test_frozen(unique: str, victim: str, full: bool, judge: Judge) -> None:
    with KafkaCluster(unique) as kafka, Load(kafka, unique) as load:
        daemon, job = load.member()
        load.wait_progress(200)
        for seconds in (5, 60, 400) if full else (5,):
            with load.fault(f"SIGSTOP {victim} {seconds} s", zombies=True):
                frozen = {"daemon": daemon.process, "job": job.process, "broker": kafka.brokers[0].process}[victim]
                frozen.signal(signal.SIGSTOP)
                time.sleep(seconds)
                frozen.signal(signal.SIGCONT)
        judge(load)
