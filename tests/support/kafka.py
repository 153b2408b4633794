"""Apache Kafka for the tests: KRaft brokers on free loopback ports, gone with the test.

    with KafkaCluster("orders", version="3.9.1") as kafka:
        kafka.create_topic("orders", partitions=6)
        kafka.bootstrap_servers          # the PLAINTEXT listener

`brokers=3` makes three nodes, each broker and controller. `security=True` adds
the listeners of kafka_security.py. `proxied=True` adds a listener that is
reached through kafka.proxies, whose connections a test can cut. The jars come
from Maven Central once and stay in build/kafka/<version>/libs.
"""

from __future__ import annotations

import base64
import fcntl
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from support.kafka_security import Security
from support.paths import BUILD, LOGS, Process, free_ports, wait_until
from support.proxy import Proxy

DEFAULT_VERSION = "3.9.1"


def kafka_libs(version: str) -> Path:
    """The folder of the broker's jars; the first call for a version downloads them."""
    home = BUILD / "kafka" / version
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".complete").exists():
            pom = Path(__file__).parent / "kafka" / "pom.xml"
            done = subprocess.run(
                ["mvn", "-q", "-B", "-f", pom, f"-Dkafka.version={version}", "dependency:copy-dependencies",
                 f"-DoutputDirectory={home / 'libs'}"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"Maven could not fetch Kafka {version}:\n{done.stdout}{done.stderr}"
            (home / ".complete").touch()
    return home / "libs"


class Broker:
    """One node: broker and controller in one Java process."""

    def __init__(self, name: str, version: str, folder: Path, properties: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._libs = kafka_libs(version)
        self._folder = folder
        self._file = folder / "server.properties"
        self._properties = properties
        self._process: Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        (folder / "log4j.properties").write_text(_LOG4J)

    def format(self, cluster_id: str, scram: list[str]) -> None:
        """Prepares the storage; SCRAM users are made here."""
        users = [argument for user in scram for argument in ("--add-scram", user)]
        done = subprocess.run([*self._java("256m"), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
                               str(self._file), *users], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"formatting {self.name} failed:\n{done.stdout}{done.stderr}"

    def start(self) -> None:
        """Starts the process; returns before it accepts connections."""
        assert self._process is None or not self._process.running(), f"{self.name} already runs"
        self._process = Process([*self._java("512m"), "kafka.Kafka", str(self._file)], self.log)

    @property
    def process(self) -> Process:
        """The running, or last, process."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    def stop(self) -> None:
        """A clean stop; killed when that takes more than 30 s."""
        if self._process is not None and self._process.running():
            self._process.signal(signal.SIGCONT)
            self._process.signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except AssertionError:
                self._process.kill()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.signal(signal.SIGCONT)

    def _java(self, heap: str) -> list[str]:
        # The class data archive and the first compiler only: a broker of a few
        # minutes gains more from a quick start than from optimised code.
        return ["java", f"-Xmx{heap}", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                f"-Dlog4j.configuration=file:{self._folder / 'log4j.properties'}", "-cp", f"{self._libs}/*"]


class KafkaCluster:
    """Brokers that are started, stopped and killed by a test."""

    def __init__(self, name: str, version: str = DEFAULT_VERSION, brokers: int = 1, security: bool = False,
                 proxied: bool = False, properties: dict[str, str] | None = None) -> None:
        self.name = name
        self.version = version
        self.folder = BUILD / "test-kafka" / f"{name}-{uuid.uuid4().hex[:8]}"
        self.security = Security(self.folder / "certs") if security else None
        self.proxies: list[Proxy] = []
        self._listeners: list[dict[str, int]] = []
        self.brokers: list[Broker] = []
        names = ["CONTROLLER", "PLAINTEXT"] + (["PROXIED"] if proxied else [])
        names += list(self.security.listeners) if self.security else []
        ports = free_ports(brokers * len(names))
        for _ in range(brokers):
            self._listeners.append({each: ports.pop() for each in names})
        for node in range(brokers):
            folder = self.folder / f"node-{node + 1}"
            log = LOGS / "kafka" / f"{self.folder.name}-{node + 1}.log"
            self.brokers.append(Broker(f"{name}-{node + 1}", version, folder,
                                       {**self._properties(node, folder), **(properties or {})}, log))

    @property
    def bootstrap_servers(self) -> str:
        """Of the PLAINTEXT listener."""
        return self.address("PLAINTEXT")

    def address(self, listener: str) -> str:
        """The bootstrap servers of a listener, by its name."""
        if listener == "PROXIED":
            return ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)
        return ",".join(f"localhost:{ports[listener]}" if listener != "PLAINTEXT" else f"127.0.0.1:{ports[listener]}"
                        for ports in self._listeners)

    def start(self) -> KafkaCluster:
        """Formats, starts and waits until groups and transactions can be used."""
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "x")
        try:
            for broker in self.brokers:
                broker.format(cluster_id, self.security.scram_arguments() if self.security else [])
            for broker in self.brokers:
                broker.start()
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Until every broker answers and a group coordinator is loaded."""
        wait_until(self._answers, timeout_s, f"{self.name} accepts connections; its log:\n{self._tail()}", 0.2)
        consumer = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "readiness", "log_level": 2})
        try:
            wait_until(lambda: _coordinator_answers(consumer), timeout_s, "a group coordinator is loaded", 0.1)
        finally:
            consumer.close()

    def admin(self) -> AdminClient:
        """A client that may do everything."""
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 2})

    def create_topic(self, name: str, partitions: int = 1, replication: int = 1,
                     config: dict[str, str] | None = None) -> str:
        """Makes a topic and waits until every partition has a leader. Returns its name."""
        admin = self.admin()
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=config or {})
        admin.create_topics([topic])[name].result(30)

        def has_leaders() -> bool:
            found = admin.list_topics(name, timeout=10).topics[name].partitions
            return len(found) == partitions and all(each.leader >= 0 for each in found.values())

        wait_until(has_leaders, 30, f"{name} has leaders")
        return name

    def close(self) -> None:
        """Ends all processes and removes their data; the logs stay."""
        for broker in self.brokers:
            if broker._process is not None:  # noqa: SLF001 (its maker)
                broker.kill()
        for proxy in self.proxies:
            proxy.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> KafkaCluster:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _properties(self, node: int, folder: Path) -> dict[str, str]:
        ports = self._listeners[node]
        count = len(self._listeners)
        advertised = {each: port for each, port in ports.items() if each != "CONTROLLER"}
        if "PROXIED" in ports:
            self.proxies.append(Proxy(ports["PROXIED"]))
            advertised["PROXIED"] = self.proxies[-1].port
        voters = ",".join(f"{i + 1}@127.0.0.1:{each['CONTROLLER']}" for i, each in enumerate(self._listeners))
        protocols = {each: "PLAINTEXT" for each in ports}
        if self.security:
            protocols.update(self.security.listeners)
        return {
            "process.roles": "broker,controller",
            "node.id": str(node + 1),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": ",".join(f"{each}://127.0.0.1:{port}" for each, port in ports.items()),
            "advertised.listeners": ",".join(
                f"{each}://{'127.0.0.1' if each in ('PLAINTEXT', 'PROXIED') else 'localhost'}:{port}"
                for each, port in advertised.items()),
            "listener.security.protocol.map": ",".join(f"{each}:{to}" for each, to in protocols.items()),
            "log.dirs": str(folder / "data"),
            "offsets.topic.replication.factor": str(min(count, 3)),
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": str(min(count, 3)),
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": str(min(count, 3)),
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            "message.max.bytes": "1048588",
            # Compaction within seconds, for topics with holes.
            "log.cleaner.backoff.ms": "200",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "log.segment.delete.delay.ms": "500",
            **(self.security.broker_properties() if self.security else {}),
        }

    def _answers(self) -> bool:
        for broker in self.brokers:
            assert broker.process.running(), f"{broker.name} has ended:\n{broker.process.tail()}"
        try:
            return len(self.admin().list_topics(timeout=5).brokers) == len(self.brokers)
        except KafkaException:
            return False

    def _tail(self) -> str:
        return "\n".join(broker.process.tail(15) for broker in self.brokers)


def _coordinator_answers(consumer: Consumer) -> bool:
    try:
        return bool(consumer.committed([TopicPartition("readiness", 0)], timeout=5))
    except KafkaException:
        return False


_LOG4J = """\
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %c{1} %m%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""
