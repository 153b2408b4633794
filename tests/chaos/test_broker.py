"""Brokers that are killed, whose connections are cut, and members that come and go."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable

import pytest
from confluent_kafka import ConsumerGroupState, ElectionType, TopicPartition
from support.kafka import KafkaCluster
from support.paths import wait_until

from chaos.checker import Verdict
from chaos.load import Load

Judge = Callable[[Load], Verdict]


def settled(load: Load, count: int) -> bool:
    """Whether the group is stable, with so many members that own every partition."""
    admin = load.kafka.admin()  # Must outlive its answer.
    described = admin.describe_consumer_groups([load.name], request_timeout=20)[load.name].result(20)
    owned = sum(len(member.assignment.topic_partitions) for member in described.members)
    return (described.state == ConsumerGroupState.STABLE and len(described.members) == count
            and owned == load.partitions)


@pytest.mark.parametrize("brokers", [1, 3])
@pytest.mark.timeout(7200)
def test_kill_9_of_a_broker(unique: str, brokers: int, full: bool, chance: random.Random, judge: Judge) -> None:
    safe = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"} if brokers == 3 else {}
    with (KafkaCluster(unique, brokers=brokers, properties=safe) as kafka,
          Load(kafka, unique, replication=min(brokers, 3)) as load):
        daemon, job = load.member()
        load.wait_progress(200)
        for _ in range(10 if full else 1):
            victim = chance.choice(kafka.brokers)
            with load.fault(f"kill -9 {victim.name}"):
                victim.kill()
                time.sleep(chance.uniform(0, 3))
                victim.start()
                kafka.wait_ready(120)
        assert daemon.process.running()
        assert job.process.running()
        judge(load)


@pytest.mark.timeout(3600)
def test_the_disk_is_full(unique: str, full: bool, chance: random.Random, judge: Judge) -> None:
    with KafkaCluster(unique) as kafka, Load(kafka, unique) as load:
        daemon, job = load.member()
        load.wait_progress(200)
        broker = kafka.brokers[0]
        for _ in range(5 if full else 1):
            with load.fault("disk full"):
                # No file of its may grow any more: as on a full disk, a write
                # fails, and a broker whose only directory has failed gives up.
                resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (1, 1))
                assert broker.process.wait(90) != 0
                time.sleep(chance.uniform(0, 3))
                broker.start()
                kafka.wait_ready(120)
        assert daemon.process.running()
        assert job.process.running()
        judge(load)


@pytest.mark.timeout(3600)
def test_leaders_move(unique: str, full: bool, chance: random.Random, judge: Judge) -> None:
    with (KafkaCluster(unique, brokers=3, properties={"min.insync.replicas": "2"}) as kafka,
          Load(kafka, unique, replication=3) as load):
        load.member()
        load.wait_progress(200)

        def leaders() -> dict[int, int]:
            """Empty while a replica is behind, as far as the broker that answers has heard."""
            found = kafka.admin().list_topics(load.topic, timeout=10).topics[load.topic].partitions
            return {number: each.leader for number, each in found.items()
                    if all(len(one.isrs) == 3 for one in found.values())}

        for _ in range(5 if full else 1):
            for broker in chance.sample(kafka.brokers, 3):
                # Away from a broker that stops in order, and back by an election.
                with load.fault(f"{broker.name} stops", repeats=False):
                    broker.stop()
                    broker.start()
                    kafka.wait_ready(120)
                before = wait_until(leaders, 60, "all replicas have caught up", 0.2)
                with load.fault("leaders go back", repeats=False):
                    moved = [TopicPartition(load.topic, each) for each in before]
                    admin = kafka.admin()  # Must outlive its answer.
                    admin.elect_leaders(ElectionType.PREFERRED, moved).result(30)
                    wait_until(lambda: leaders() not in ({}, before), 30, "leaders have moved", 0.1)
        judge(load)


@pytest.mark.timeout(3600)
def test_connections_cut(unique: str, full: bool, chance: random.Random, judge: Judge) -> None:
    with KafkaCluster(unique, proxied=True) as kafka, Load(kafka, unique) as load:
        load.member(kafka.address("PROXIED"))
        load.wait_progress(200)
        for _ in range(50 if full else 5):
            with load.fault("connections cut"):
                wait_until(kafka.proxies[0].cut, 60, "there are connections to cut")
                time.sleep(chance.uniform(0, 1))
        judge(load)


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
@pytest.mark.timeout(7200)
def test_members_come_and_go(kafka: KafkaCluster, unique: str, strategy: str, full: bool, judge: Judge) -> None:
    with Load(kafka, unique, partitions=24, backlog=1_000_000 if full else 10_000) as load:
        properties = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500",
                      "partition.assignment.strategy": strategy}
        speed = 0.0002 if full else 0.002
        group = [load.member(sleep_s=speed, properties=properties) for _ in range(3)]
        wait_until(lambda: settled(load, 3), 60, "three members", 0.5)
        load.wait_progress(200)
        for _ in range(5 if full else 1):
            for daemon, _job in group:
                with load.fault("rolling restart"):
                    assert daemon.stop() == 0, daemon.process.tail()
                    daemon.start()
                    # A rebalance goes on after the first records came again.
                    wait_until(lambda: settled(load, 3), 60, "the group has settled", 0.2)
        verdict = judge(load)
        assert verdict.duplicates < verdict.produced / 100, verdict.report()
