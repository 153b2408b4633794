"""A secured cluster of each broker version with a daemon, and the mods."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import datapy_kafka
import pytest
from datapy_kafka import _install
from support.kafka import KafkaCluster
from support.paths import ROOT, free_ports
from support.secured import RunMod, Secured, secrets_in
from support.sidecar import Sidecar

VERSIONS = ("3.9.1", "4.1.0")


@pytest.fixture(scope="session", params=VERSIONS)
def secured_kafka(request: pytest.FixtureRequest) -> Iterator[KafkaCluster]:
    """A broker with a listener of each kind."""
    with KafkaCluster(f"secured-{request.param}", version=request.param, security=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def metrics_address() -> str:
    """Where the daemon serves its metrics."""
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def secured(secured_kafka: KafkaCluster, metrics_address: str) -> Iterator[Secured]:
    """That broker, and a daemon that logs all it can and knows no connection itself."""
    arguments = ["--log_level=debug", f"--metrics_listen={metrics_address}"]
    with Sidecar(f"secured-{secured_kafka.version}", arguments=arguments) as daemon:
        yield Secured(secured_kafka, daemon)
        # Whatever the tests did: no secret left the daemon.
        assert secrets_in(daemon.text()) == []
        assert secrets_in(str(daemon.status())) == []
        assert daemon.stop() == 0, daemon.process.tail()


@pytest.fixture(scope="session")
def framework(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunMod]:
    """run_mod of the stand-in with the mods installed into it."""
    root = tmp_path_factory.mktemp("framework")
    shutil.copytree(ROOT / "tests" / "python" / "datapy_standin", root, dirs_exist_ok=True)
    assert _install.run(root) == 0
    sys.path.insert(0, str(root))
    from datapy.mod_manager import sdk

    yield sdk.run_mod
    sys.path.remove(str(root))


@pytest.fixture
def run_mod(framework: RunMod, secured: Secured, monkeypatch: pytest.MonkeyPatch) -> RunMod:
    """run_mod on the secured daemon."""
    monkeypatch.setenv("DATAPY_KAFKA_ADDRESS", secured.daemon.address)
    return framework


@pytest.fixture
def connect(run_mod: RunMod) -> Any:
    """Connects by kafka_connector; the connection."""

    def connect(parameters: dict[str, Any]) -> datapy_kafka.KafkaConnectionConfig:
        result = run_mod("kafka_connector", parameters)
        assert result["status"] == "success", result["errors"]
        connection: datapy_kafka.KafkaConnectionConfig = result["artifacts"]["connection"]
        return connection

    return connect
