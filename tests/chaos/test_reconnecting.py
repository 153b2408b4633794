"""Daemon, broker or job away for a while: the other side waits, says so and goes on by itself.

--full: away for 60 s and for 10 minutes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from support.jobs import Job, Journal, recorder
from support.kafka import KafkaCluster
from support.paths import free_ports
from support.sidecar import Sidecar
from support.verify import produce_numbered, wait_committed_to_end

from chaos.checker import Verdict
from chaos.load import Load

Judge = Callable[[Load], Verdict]
WAITING = re.compile(r"Waiting to go on, for (\d+) s now: (.*)")


def waits(job: Job, after: int = 0) -> list[tuple[int, str]]:
    """What the job has said that it waits for, and since when."""
    return [(int(seconds), what) for seconds, what in WAITING.findall(job.process.text()[after:])]


def said_once_a_minute(said: list[tuple[int, str]], away_s: float) -> bool:
    """At once, and then each minute; the first may come again when what is in the way changes."""
    return 1 <= len(said) <= 2 + away_s / 60 and len(said) >= int(away_s / 66)


@pytest.mark.timeout(1500)
def test_the_daemon_is_gone(kafka: KafkaCluster, unique: str, full: bool, judge: Judge) -> None:
    with Load(kafka, unique, rate=100) as load:
        daemon, job = load.member()
        load.wait_progress(200)
        pid = job.process.pid
        for away_s in (1, 60, 600) if full else (1, 5):
            before = len(job.process.text())
            with load.fault(f"the daemon is gone for {away_s} s"):
                daemon.kill()
                time.sleep(away_s)
                daemon.start()
            said = waits(job, before)
            print(f"away for {away_s} s, said: {said}")
            assert said_once_a_minute(said, away_s)
            assert daemon.address in said[0][1]
        assert (job.process.pid, job.process.running()) == (pid, True)
        judge(load)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("late", ["daemon", "job"])
def test_either_side_may_be_late(kafka: KafkaCluster, unique: str, late: str, full: bool,
                                 cleanup: ExitStack) -> None:
    late_s = 60 if full else 6
    topic = kafka.create_topic(unique)
    produce_numbered(kafka.bootstrap_servers, topic, 100, 1)
    daemon = Sidecar(unique, kafka.bootstrap_servers)
    cleanup.callback(daemon.close)
    journal = Journal(unique)
    job = recorder(unique, journal, daemon.address, [topic], unique)
    cleanup.callback(job.close)
    if late == "daemon":
        job.start()
        time.sleep(late_s)
        assert job.process.running(), job.process.tail()
        assert said_once_a_minute(waits(job), late_s)
        assert daemon.address in waits(job)[0][1]
        daemon.start()
    else:
        daemon.start()
        time.sleep(late_s)
        assert daemon.process.running()
        job.start()
    wait_committed_to_end(kafka.bootstrap_servers, unique, topic)
    assert journal.count("done") == 100
    assert job.stop() == 0, job.process.tail()
    assert daemon.stop() == 0, daemon.process.tail()


@pytest.mark.timeout(1800)
def test_the_broker_is_gone(unique: str, full: bool, judge: Judge) -> None:
    away_s = 600 if full else 20
    with KafkaCluster(unique) as kafka, Load(kafka, unique, rate=100) as load:
        daemon, job = load.member()
        load.wait_progress(200)
        before, told = len(job.process.text()), len(daemon.text())
        with load.fault(f"the broker is gone for {away_s} s"):
            kafka.brokers[0].kill()
            time.sleep(away_s)
            kafka.brokers[0].start()
            kafka.wait_ready(120)
        assert daemon.process.running()
        assert job.process.running()
        # Named on both sides, and no storm of lines on either.
        said = [line for line in job.process.text()[before:].splitlines() if kafka.bootstrap_servers in line]
        lines = daemon.text()[told:].splitlines()
        print(f"the job said {len(said)} lines, the daemon {len(lines)}:")
        print("\n".join(said[:5] + lines[:5]))
        assert 1 <= len(said) <= 8 + 2 * away_s / 60
        assert len(said) >= int(away_s / 66)
        assert len(lines) <= 20 + 4 * away_s / 60
        judge(load)


def test_it_gives_up_only_when_told_to(kafka: KafkaCluster, unique: str, cleanup: ExitStack) -> None:
    # No daemon; a daemon without a broker; and both without a limit.
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    journal = Journal(unique)
    daemon = cleanup.enter_context(Sidecar(unique, nowhere))
    ends, waits_on = [], []
    for name, address in (("no-daemon", "unix:///tmp/dks-none/s"), ("no-broker", daemon.address)):
        options = {"properties": {"session.timeout.ms": "6000"}}
        ends.append(cleanup.enter_context(recorder(
            f"{unique}-{name}-limit", journal, address, ["t"], unique, connect_timeout_s=4, **options)))
        waits_on.append(cleanup.enter_context(recorder(
            f"{unique}-{name}", journal, address, ["t"], unique, **options)))
    assert [job.wait(60) for job in ends] == [1, 1]
    assert "/tmp/dks-none/s" in ends[0].process.text()
    assert "SidecarUnavailable" in ends[0].process.text()
    assert nowhere in ends[1].process.text()
    assert "BrokerUnreachable" in ends[1].process.text()
    time.sleep(3)
    assert all(job.process.running() for job in waits_on)
    assert [job.stop() for job in waits_on] == [0, 0]
