"""The daemon's image and the job's, really built and really run under an arbitrary user."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import datapy_kafka
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from support.kafka import KafkaCluster
from support.paths import ROOT, Process, free_ports, wait_until

from image.containers import ARBITRARY_USER, Container, build, inspect
from image.debian13 import CCACHE

# Compiling everything takes long where nothing is cached yet.
pytestmark = [pytest.mark.debian13, pytest.mark.timeout(3000)]
DAEMON = "/usr/bin/datapy-kafka-sidecar"
MEBIBYTE = 1 << 20
USER_ID = int(ARBITRARY_USER.split(":")[0])


@pytest.fixture(scope="module")
def image() -> str:
    """The daemon's image; compiled with the cache of the Debian 13 build."""
    return build("deploy/Dockerfile", "datapy-kafka-sidecar", volumes=(f"{CCACHE}:/var/cache/ccache",))


@pytest.fixture(scope="module")
def job_image() -> str:
    """The image for jobs."""
    return build("deploy/Dockerfile.job", "datapy-kafka-job")


@pytest.fixture
def socket_volume() -> Iterator[Path]:
    """An emptyDir as OpenShift makes it: group 0 writes, short because of the socket's path."""
    folder = Path(tempfile.mkdtemp(prefix="dkv-", dir="/tmp"))
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(folder)


def test_the_image_is_small_and_has_what_it_needs_alone(image: str) -> None:
    with Container(image) as container:
        root = container.folder()
        files = [each for each in root.rglob("*") if each.is_file() and not each.is_symlink()]
        size = sum(each.stat().st_size for each in files)
        assert size <= 120 * MEBIBYTE, f"{size / MEBIBYTE:.0f} MiB"
        names = {each.name for each in files}
        assert not names & {"sh", "bash", "dash", "busybox", "apt", "dpkg", "python3", "perl"}
        programs = [each for each in files if os.access(each, os.X_OK) and "lib" not in each.parent.name
                    and "linux-gnu" not in each.parent.name]
        assert [str(each.relative_to(root)) for each in programs] == ["usr/bin/datapy-kafka-sidecar"]
        # Nothing that a program could use to become somebody else, nor a private key.
        assert not [each for each in files if each.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]
        assert not [each for each in files if each.suffix == ".key" or b"PRIVATE KEY-----" in each.read_bytes()[:4096]]
        assert (root / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100_000


def test_a_scanner_finds_the_packages_and_their_licences(image: str) -> None:
    with Container(image) as container:
        root = container.folder()
        records = list((root / "var/lib/dpkg/status.d").iterdir())
        assert {"libc6", "librdkafka1", "libssl3t64", "ca-certificates"} <= {each.name for each in records}
        for record in records:
            assert f"\nVersion: " in record.read_text(), record
            assert (root / "usr/share/doc" / record.name / "copyright").is_file(), record
        # Every library comes from one of them.
        assert len(records) > 20


def test_the_image_tells_what_it_is(image: str) -> None:
    config = inspect(image)
    assert config["User"] == "65532:0"
    assert config["Entrypoint"] == [DAEMON]
    assert config["Healthcheck"]["Test"] == ["CMD", DAEMON, "--health"]
    assert config["StopSignal"] == "SIGTERM"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == _project_version()
    # The manifests and docs/grpcurl.md count on it.
    assert "DATAPY_KAFKA_REFLECTION=false" in config["Env"]
    assert not any("PASSWORD" in each or "proxy" in each.lower() for each in config["Env"])


def test_version_and_bad_flag_as_an_arbitrary_user(image: str) -> None:
    with Container(image) as container:
        assert container.run([DAEMON, "--version"]).startswith(f"datapy-kafka-sidecar {_project_version()}")
        with pytest.raises(AssertionError, match="failed with 2"):
            container.run([DAEMON, "--no_such_flag"])


class RunningDaemon:
    """The daemon in a container; its socket is outside as well, in the volume."""

    def __init__(self, container: Container, volume: Path, arguments: list[str], env: dict[str, str]) -> None:
        self.address = f"unix://{volume}/socket/sidecar.sock"
        self._container = container
        self._mounts = (f"{volume}:/run/datapy-kafka",)
        self.process: Process = container.start([DAEMON, *arguments], volume.name, volumes=self._mounts, env=env)
        wait_until(self.healthy, 60, "the daemon in the container serves")

    def healthy(self) -> bool:
        """What an exec probe does."""
        assert self.process.running(), self.process.tail()
        try:
            return "serving" in self._container.run([DAEMON, "--health"], volumes=self._mounts)
        except AssertionError:
            return False

    def pid(self) -> int:
        """Of the daemon itself, which has the user id that was asked for."""
        found = subprocess.run(["pgrep", "-u", str(USER_ID), "-f", f"^{DAEMON}( |$)"], capture_output=True, text=True,
                               check=True)
        pids = [int(each) for each in found.stdout.split()]
        assert len(pids) == 1, pids
        return pids[0]

    def stop(self) -> int:
        """SIGTERM to the daemon, as the kubelet sends it; the exit code."""
        os.kill(self.pid(), signal.SIGTERM)
        return self.process.wait(45)


def test_the_daemon_runs_with_a_broker_of_its_own(image: str, socket_volume: Path, cleanup: ExitStack) -> None:
    container = cleanup.enter_context(Container(image))
    port, = free_ports(1)
    daemon = RunningDaemon(container, socket_volume, ["--dev_broker", f"--metrics_listen=127.0.0.1:{port}"], {})
    cleanup.callback(daemon.process.kill)
    pid = daemon.pid()
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(USER_ID)] * 4
    assert status["Gid"].split() == ["0"] * 4
    assert int(status["CapEff"], 16) == 0
    # The folder that it makes in the volume is its own alone.
    folder = socket_volume / "socket"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o777 == 0o700
    assert stat.S_IMODE((folder / "sidecar.sock").stat().st_mode) == 0o600
    with datapy_kafka.connect(daemon.address) as client:
        client.produce("orders", [{"id": number} for number in range(10)])
        seen = _consume(client, "orders", "in-a-pod", 10)
    assert [record["id"] for record in seen] == list(range(10))
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    assert 'datapy_kafka_acked_records_total{group="in-a-pod"} 10' in metrics
    assert daemon.stop() == 0
    assert not (folder / "sidecar.sock").exists()


def test_it_writes_nothing_but_its_socket(image: str, socket_volume: Path, cleanup: ExitStack) -> None:
    """What a read-only root file system asks of it: after a run the container is as it was."""
    container = cleanup.enter_context(Container(image))
    root = container.folder()
    before = {str(each): each.lstat().st_mtime for each in root.rglob("*")}
    daemon = RunningDaemon(container, socket_volume, ["--dev_broker"], {})
    cleanup.callback(daemon.process.kill)
    with datapy_kafka.connect(daemon.address) as client:
        client.produce("orders", [{"id": 1}])
        _consume(client, "orders", "writes-nothing", 1)
    assert daemon.stop() == 0
    # buildah itself mounts into these.
    after = {str(each): each.lstat().st_mtime for each in root.rglob("*")}
    of_buildah = tuple(str(root / each) for each in ("etc/resolv.conf", "etc/hosts", "run", "proc", "sys", "dev", "etc"))
    changed = [path for path in after if after[path] != before.get(path) and not path.startswith(of_buildah)
               and path != str(root)]
    assert changed == []


def test_the_daemon_and_a_job_of_the_job_image_on_a_real_broker(
        image: str, job_image: str, kafka: KafkaCluster, unique: str, socket_volume: Path, cleanup: ExitStack) -> None:
    topic = kafka.create_topic(unique, partitions=2)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number in range(200):
        producer.produce(topic, json.dumps({"id": number}), partition=number % 2)
    assert producer.flush(30) == 0

    container = cleanup.enter_context(Container(image))
    daemon = RunningDaemon(container, socket_volume, [], {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers})
    cleanup.callback(daemon.process.kill)
    jobs = cleanup.enter_context(Container(job_image))
    application = cleanup.enter_context(tempfile.TemporaryDirectory())
    Path(application).chmod(0o755)
    (Path(application) / "kafka_consumer_job.py").write_text(_JOB.format(topic=topic, group=unique, count=200))
    job = jobs.start(["python", "/opt/app/kafka_consumer_job.py"], f"{unique}-job",
                     volumes=(f"{socket_volume}:/run/datapy-kafka", f"{application}:/opt/app"))
    cleanup.callback(job.kill)
    assert job.wait(90) == 0, job.tail()
    assert "processed 200 as 1000680000" in job.text()
    assert daemon.stop() == 0, daemon.process.tail()

    check = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": unique})
    cleanup.callback(check.close)
    committed = check.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], timeout=20)
    assert [each.offset for each in committed] == [100, 100]


def test_datapy_and_a_job_are_added_to_the_job_image(job_image: str, tmp_path: Path) -> None:
    """The Dockerfile that deploy/README.md shows, with a DataPy in it."""
    guide = (ROOT / "deploy/README.md").read_text()
    dockerfile = guide.split("```dockerfile\n", 1)[1].split("```", 1)[0]
    shutil.copytree(ROOT / "tests/python/datapy_standin", tmp_path, dirs_exist_ok=True)
    shutil.copy(ROOT / "client-python/examples/kafka_simple_consumer.py", tmp_path / "kafka_consumer_job.py")
    shutil.copy(ROOT / "client-python/examples/kafka_context.json", tmp_path)
    (tmp_path / "Dockerfile").write_text(dockerfile)
    with Container(build("Dockerfile", "orders-job", context=tmp_path)) as container:
        text = container.run(["python", "-c", "import datapy.mods.streaming.kafka_consumer as m; print(m.__file__)"])
        assert text.strip() == "/opt/app/datapy/mods/streaming/kafka_consumer.py"
        # Its text alone: nothing may be written there.
        container.run(["python", "-c", "compile(open('/opt/app/kafka_consumer_job.py').read(), 'job', 'exec')"])


def _consume(client: datapy_kafka.Client, topic: str, group: str, count: int) -> list[dict[str, int]]:
    seen: list[dict[str, int]] = []
    with datapy_kafka.StreamController() as controller:
        def handle(message: dict[str, object]) -> None:
            seen.append(json.loads(str(message["value"])))
            if len(seen) == count:
                controller.request_stop("enough")
        client.consume(topics=[topic], group_id=group, handler=handle, controller=controller)
    return sorted(seen, key=lambda each: each["id"])


def _project_version() -> str:
    line = next(each for each in (ROOT / "CMakeLists.txt").read_text().splitlines() if each.startswith("project("))
    return line.split("VERSION ", 1)[1].split()[0]


_JOB = '''
import os, datapy_kafka
seen = 0
with datapy_kafka.StreamController() as controller, datapy_kafka.connect() as kafka:
    def handle(message):
        global seen
        seen += 1
        if seen == {count}:
            controller.request_stop("enough")
    kafka.consume(topics=["{topic}"], group_id="{group}", handler=handle, controller=controller)
print("processed", seen, "as", os.getuid())
'''
