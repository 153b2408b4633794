"""Faults of all kinds in a random order, from a seed, on two members of a group.

tests/run.sh chaos -k mixed --seed=N repeats the choices of a run.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest
from support.jobs import Job
from support.kafka import KafkaCluster
from support.paths import wait_until
from support.sidecar import Sidecar

from chaos.checker import Verdict
from chaos.load import Load

Judge = Callable[[Load], Verdict]


class Faults:
    """What can be done to a broker and two members, each by its name."""

    def __init__(self, kafka: KafkaCluster, load: Load, chance: random.Random) -> None:
        self.kafka = kafka
        self.load = load
        self.chance = chance
        self.group: list[tuple[Sidecar, Job]] = [load.member(kafka.address("PROXIED")) for _ in range(2)]

    def run(self, name: str) -> float:
        """Does it and waits until the system works; the seconds that took."""
        begun = time.monotonic()
        # A frozen member may find that another has its partitions by now.
        # Its session may time out (6 s) when the other has long gone on.
        clean = name.startswith("SIGTERM")
        with self.load.fault(name, not clean, name.startswith("SIGSTOP"), 0 if clean else 10):
            {"kill -9": self.kill, "SIGTERM": self.stop, "SIGSTOP": self.freeze,
             "cut": self.cut}[name.split(",")[0]](name.split(", ")[-1])
        return time.monotonic() - begun

    def kill(self, victim: str) -> None:
        if victim == "broker":
            self.kafka.brokers[0].kill()
            time.sleep(self.chance.uniform(0, 2))
            self.kafka.brokers[0].start()
            self.kafka.wait_ready(120)
            return
        member = self._member(victim)
        member.kill()
        time.sleep(self.chance.uniform(0, 1))
        member.start()

    def stop(self, victim: str) -> None:
        member = self._member(victim)
        assert member.stop() == 0, member.process.tail()
        member.start()

    def freeze(self, victim: str) -> None:
        process = self.kafka.brokers[0].process if victim == "broker" else self._member(victim).process
        process.signal(signal.SIGSTOP)
        # Shorter and longer than the members' session time-out of 6 s.
        time.sleep(self.chance.choice([1, 4, 9]))
        process.signal(signal.SIGCONT)

    def cut(self, _victim: str) -> None:
        wait_until(self.kafka.proxies[0].cut, 60, "there are connections to cut")

    def _member(self, victim: str) -> Sidecar | Job:
        daemon, job = self.chance.choice(self.group)
        return daemon if victim == "daemon" else job


KINDS = [f"{what}, {victim}" for what in ("kill -9", "SIGSTOP") for victim in ("daemon", "job", "broker")]
KINDS += ["SIGTERM, daemon", "SIGTERM, job", "cut, all connections"]


@pytest.mark.timeout(7200)
def test_mixed_faults(unique: str, full: bool, chance: random.Random, judge: Judge) -> None:
    with KafkaCluster(unique, proxied=True) as kafka, Load(kafka, unique) as load:
        faults = Faults(kafka, load, chance)
        load.wait_progress(200)
        # Each once, and then as it comes.
        schedule = chance.sample(KINDS, len(KINDS)) + chance.choices(KINDS, k=91 if full else 0)
        for number, name in enumerate(schedule):
            print(f"{number:3} {name:24} works again after {faults.run(name):5.1f} s", flush=True)
        assert all(each.process.running() for member in faults.group for each in member)
        judge(load)
