"""Each alert is raised by the state that its runbook describes: real daemons, a real Prometheus, minutes as seconds."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import datapy_kafka
import pytest
import yaml
from support.kafka import KafkaCluster
from support.paths import free_ports, wait_until
from support.sidecar import Sidecar

from image.prometheus import ALERTS, Prometheus

pytestmark = pytest.mark.timeout(300)


def in_seconds(rules: str) -> str:
    """The rules with seconds for minutes, and a twentieth of the age of an old record."""
    return re.sub(r"\b(\d+)m\b", r"\1s", rules).replace("> 300", "> 15")


class Member:
    """A daemon with metrics, and jobs beside it in threads of their own."""

    def __init__(self, name: str, port: int, stack: ExitStack, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.instance = f"127.0.0.1:{port}"
        self.daemon = Sidecar(name, None, [f"--metrics_listen={self.instance}", *arguments], env)
        self._stack = stack
        stack.callback(self.daemon.close)
        self.daemon.start()
        self.client = stack.enter_context(datapy_kafka.connect(self.daemon.address, connect_timeout_s=10))

    def consume(self, group: str, handler: Callable[[dict[str, Any]], Any], **options: Any) -> Callable[[], None]:
        """A job in a thread; returns what ends it. Topic: the group's name."""
        controller = datapy_kafka.StreamController()

        def run() -> None:
            # Its daemon may be killed, or stop in the midst of its handler.
            with suppress(datapy_kafka.KafkaSidecarError), datapy_kafka.connect(self.daemon.address, connect_timeout_s=20) as client:
                client.consume(topics=[group], group_id=group, handler=handler, controller=controller, **options)

        thread = threading.Thread(target=run, name=group)
        thread.start()

        def end() -> None:
            controller.request_stop("the test ends")
            thread.join(60)
            assert not thread.is_alive(), f"the job of {group} does not end"

        self._stack.callback(end)
        return end


class Fleet:
    """All states at once, each on a daemon of its own."""

    NAMES = ("well", "blocked", "failing", "broker", "cut off", "restarting", "rebalancing")

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.ports = dict(zip(self.NAMES, free_ports(len(self.NAMES)), strict=True))
        self.prometheus = Prometheus(folder, list(self.ports.values()), in_seconds(ALERTS.read_text()), stack)
        self.stack = stack
        # Set when jobs may go on; a stack ends in the reverse order, so this is first.
        self.released = threading.Event()

    def member(self, name: str, *arguments: str, env: dict[str, str] | None = None) -> Member:
        """Starts one of the daemons."""
        member = Member(f"alerts-{name.replace(' ', '-')}", self.ports[name], self.stack,
                        *(arguments or ("--dev_broker",)), env=env)
        self.stack.callback(self.released.set)
        return member

    def about(self, name: str) -> str:
        """What an alert about a daemon names."""
        return f"127.0.0.1:{self.ports[name]}"

    def expect(self, *alerts: tuple[str, str], within_s: float = 60) -> None:
        """Waits until all of them fire."""
        fired: set[tuple[str, str]] = set()

        def all_fire() -> bool:
            fired.update(self.prometheus.firing())
            return set(alerts) <= fired

        try:
            wait_until(all_fire, within_s, "the alerts fire", 0.3)
        except AssertionError:
            raise AssertionError(f"not raised in {within_s:g} s: {set(alerts) - fired}; raised: {fired}") from None
        RAISED.update(name for name, _ in alerts)


# Of all tests of this module; the last one looks whether one is missing.
RAISED: set[str] = set()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Shared, with one daemon that is well: no alert may name it."""
    with ExitStack() as stack:
        fleet = Fleet(tmp_path_factory.mktemp("prometheus"), stack)
        well = fleet.member("well")
        well.client.produce("well", [{"id": each} for each in range(10)])
        well.consume("well", lambda _: None)
        yield fleet


def numbers(count: int) -> list[dict[str, int]]:
    """Records."""
    return [{"id": each} for each in range(count)]


def test_a_job_that_fails_and_ends(fleet: Fleet) -> None:
    member = fleet.member("failing")
    member.client.produce("failing", numbers(2000))
    # Of the same daemon, and well: one group's end is told although another goes on.
    member.client.produce("beside", numbers(1))
    member.consume("beside", lambda _: None)

    def handler(message: dict[str, Any]) -> dict[str, str]:
        return {"status": "error", "error": "database is locked"} if message["offset"] % 2 else {"status": "success"}

    end = member.consume("failing", handler, on_error="retry", max_retries=3, retry_backoff_ms=[200])
    with pytest.raises(datapy_kafka.KafkaSidecarError):
        member.client.produce("failing", "x" * 2_000_000, value_format="string")
    fleet.expect(("DatapyKafkaRetryStorm", "failing"), ("DatapyKafkaRecordsSkipped", "failing"),
                 ("DatapyKafkaProduceFailures", "default"))
    end()
    fleet.expect(("DatapyKafkaNoSession", fleet.about("failing")))
    firing = f'alertname="DatapyKafkaNoSession", alertstate="firing", instance="{member.instance}"'
    ended = fleet.prometheus.query(f"ALERTS{{{firing}}}")
    assert [each["metric"]["group"] for each in ended] == ["failing"]


def test_a_job_that_hangs_and_a_stop_that_waits_for_it(fleet: Fleet) -> None:
    member = fleet.member("blocked")
    member.client.produce("blocked", numbers(50))

    def hold(_: dict[str, Any]) -> None:
        fleet.released.wait()

    member.consume("blocked", hold, max_in_flight=10)
    fleet.expect(("DatapyKafkaOldUnacked", fleet.about("blocked")), ("DatapyKafkaWindowFull", fleet.about("blocked")))
    member.daemon.process.signal(15)
    fleet.expect(("DatapyKafkaDrainStuck", fleet.about("blocked")))
    fleet.released.set()
    assert member.daemon.process.wait(45) == 0
    fleet.expect(("DatapyKafkaDown", fleet.about("blocked")))
    fleet.released.clear()


def test_a_job_that_is_too_slow_and_a_broker_that_goes(fleet: Fleet) -> None:
    broker = fleet.member("broker")
    found = re.search(r"trying things out at (\S+),", broker.daemon.text())
    assert found is not None
    member = fleet.member("cut off", "--shutdown_drain_timeout_s=5", env={"KAFKA_BOOTSTRAP_SERVERS": found[1]})
    member.client.produce("slow", numbers(3000))

    def slow(_: dict[str, Any]) -> None:
        fleet.released.wait(0.02)

    member.consume("slow", slow)

    def falls_behind() -> None:
        while not gone.wait(0.5):
            broker.client.produce("slow", numbers(200))

    gone = threading.Event()
    load = threading.Thread(target=falls_behind)
    load.start()
    try:
        fleet.expect(("DatapyKafkaLagGrowing", "slow"), within_s=90)
    finally:
        gone.set()
        load.join()
    broker.daemon.kill()
    fleet.expect(("DatapyKafkaNoCommits", "slow"))


def test_a_daemon_that_restarts(fleet: Fleet) -> None:
    member = fleet.member("restarting")
    seen: set[str] = set()

    def is_seen() -> bool:
        starts = fleet.prometheus.query(f'datapy_kafka_start_time_seconds{{instance="{member.instance}"}}')
        new = {each["value"][1] for each in starts} - seen
        seen.update(new)
        return bool(new)

    for _ in range(4):
        wait_until(is_seen, 20, "the start is seen", 0.2)
        member.daemon.kill()
        member.daemon.start()
    fleet.expect(("DatapyKafkaRestarting", member.instance))


def test_members_that_come_and_go(fleet: Fleet, kafka: KafkaCluster) -> None:
    kafka.create_topic("rebalancing", 4)
    member = fleet.member("rebalancing", "--shutdown_drain_timeout_s=5",
                          env={"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers})

    def have_partitions(sessions: int) -> bool:
        found = member.daemon.status().sessions
        return len(found) == sessions and all(each.partitions for each in found)

    member.consume("rebalancing", lambda _: None)
    wait_until(lambda: have_partitions(1), 30, "it is the only member", 0.1)
    for _ in range(8):
        end = member.consume("rebalancing", lambda _: None)
        wait_until(lambda: have_partitions(2), 30, "both are members", 0.1)
        end()
    fleet.expect(("DatapyKafkaRebalancing", member.instance))


def test_a_prometheus_without_daemons(tmp_path: Path, cleanup: ExitStack) -> None:
    prometheus = Prometheus(tmp_path, [], in_seconds(ALERTS.read_text()), cleanup)
    wait_until(lambda: prometheus.firing() == {("DatapyKafkaScrapeMissing", "")}, 60, "it is missed", 0.5)
    RAISED.add("DatapyKafkaScrapeMissing")


def test_none_is_left_out_and_who_is_well_is_left_alone(fleet: Fleet) -> None:
    rules = {rule["alert"] for rule in yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]}
    assert RAISED == rules, f"not shown to be raised: {rules - RAISED}"
    seen = [each["metric"] for each in fleet.prometheus.query('max_over_time(ALERTS{alertstate="firing"}[5m])')]
    about_well = [each for each in seen if each.get("instance") == fleet.about("well") or each.get("group") == "well"]
    assert about_well == []
