"""The Debian package with its systemd unit, and the Python packages: built, installed, used."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from email.parser import Parser
from pathlib import Path

import pytest
from support.paths import BUILD, LOGS, ROOT, Process
from support.sidecar import sidecar_binary

from image.debian13 import OUT, build_root, client_root, run, run_in
from image.test_debian13 import build_there
from image.test_manifests import CLOSING_S

UNIT = "datapy-kafka-sidecar@.service"


@pytest.fixture(scope="module")
def package() -> Path:
    """The .deb, made on Debian 13."""
    build_there()
    for old in OUT.glob("*.deb"):
        old.unlink()
    run_in(build_root(), "cd /out && cpack -G DEB --config /out/CPackConfig.cmake")
    made, = OUT.glob("*.deb")
    return made


@pytest.mark.debian13
@pytest.mark.timeout(3000)
def test_the_package_holds_what_it_should(package: Path, tmp_path: Path) -> None:
    fields = {line.split(": ", 1)[0]: line.split(": ", 1)[1]
              for line in run("dpkg-deb", "--field", package).splitlines() if ": " in line and line[0] != " "}
    assert fields["Package"] == "datapy-kafka-sidecar"
    depends = {each.split()[0] for each in fields["Depends"].split(", ")}
    assert {"librdkafka1", "libc6", "ca-certificates"} <= depends
    assert any(each.startswith("libgrpc++") for each in depends)
    run("dpkg-deb", "--extract", package, tmp_path)
    files = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert {"usr/bin/datapy-kafka-sidecar", f"usr/lib/systemd/system/{UNIT}",
            "usr/share/doc/datapy-kafka-sidecar/copyright",
            "usr/share/doc/datapy-kafka-sidecar/examples/sidecar.example.json",
            "usr/share/datapy-kafka-sidecar/proto/datapy_kafka/v1/sidecar.proto"} <= files
    assert not [each for each in files if not each.startswith(("usr/bin/", "usr/lib/systemd/", "usr/share/"))]


@pytest.mark.debian13
@pytest.mark.timeout(3000)
def test_the_package_installs_runs_and_goes(package: Path) -> None:
    """In a copy of a Debian 13 that has nothing but Python and systemd's tools."""
    root = Path(tempfile.mkdtemp(prefix="deb-", dir=BUILD / "trixie"))
    try:
        run("cp", "-a", f"{client_root()}/.", root)
        text = run_in(root, f"apt-get -qq install -y --no-install-recommends /out/{package.name} >/dev/null && "
                            "datapy-kafka-sidecar --version && "
                            "datapy-kafka-sidecar --check --config=/usr/share/doc/datapy-kafka-sidecar/examples/local.json && "
                            "systemd-analyze verify datapy-kafka-sidecar@root.service 2>&1 | grep -i datapy || true; "
                            "dpkg --purge datapy-kafka-sidecar && test ! -e /usr/bin/datapy-kafka-sidecar")
        lines = text.splitlines()
        assert lines[0].startswith("datapy-kafka-sidecar ")
        assert lines[1] == "configuration is valid; connections: default"
        assert not [line for line in lines[2:] if UNIT.split("@")[0] in line and "purg" not in line.lower()
                    and "Removing" not in line], text
        assert not (root / "usr/bin/datapy-kafka-sidecar").exists()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.debian13
@pytest.mark.timeout(3000)
def test_the_unit_is_hardened(package: Path) -> None:
    text = run_in(client_root(), "mkdir -p /tmp/u && cp deploy/systemd/*.service /tmp/u/ && "
                                 "systemd-analyze security --offline=true --no-pager /tmp/u/datapy-kafka-sidecar@.service")
    overall = next(line for line in text.splitlines() if "Overall exposure level" in line)
    assert float(overall.split(":")[1].split()[0]) <= 2.0, text


def test_systemd_is_told(cleanup: ExitStack, tmp_path: Path) -> None:
    """READY when calls are answered, STOPPING at SIGTERM; with the unit's times."""
    folder = Path(tempfile.mkdtemp(prefix="dkn-", dir="/tmp"))
    cleanup.callback(shutil.rmtree, folder)
    manager = cleanup.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    manager.bind(str(folder / "notify"))
    manager.settimeout(30)
    address = f"unix://{folder}/s/sidecar.sock"
    daemon = Process([sidecar_binary(), f"--listen={address}", "--dev_broker"], LOGS / "image" / "notify.log",
                     {"NOTIFY_SOCKET": str(folder / "notify")})
    cleanup.callback(daemon.kill)
    assert manager.recv(500).decode() == f"READY=1\nSTATUS=serving at {address}"
    done = subprocess.run([sidecar_binary(), f"--listen={address}", "--health"], check=False, capture_output=True)
    assert done.returncode == 0
    assert daemon.terminate() == 0
    assert manager.recv(500).decode() == "STOPPING=1\nSTATUS=draining"
    unit = (ROOT / "deploy/systemd" / UNIT).read_text()
    stop = int(unit.split("TimeoutStopSec=")[1].split()[0])
    assert stop > 30 + CLOSING_S


def interpreters() -> list[str]:
    """A Python 3.11 and, on the Debian 13 root, a 3.13."""
    found = [each for each in (shutil.which("python3.11"), str(Path.home() / ".pyenv/versions/3.11.7/bin/python3.11"))
             if each and os.access(each, os.X_OK)]
    return found[:1]


@pytest.fixture(scope="module")
def distributions() -> Iterator[Path]:
    """A wheel and a source distribution, made from a copy of the checkout."""
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        folder = Path(name)
        for part in ("client-python", "proto"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("build", "*_pb2*", "__pycache__", "*.egg-info"))
        run("python3", "-m", "venv", folder / "venv")
        run(folder / "venv/bin/pip", "install", "--quiet", "build", "twine")
        run(folder / "venv/bin/python", "-m", "build", "--outdir", folder / "dist", folder / "client-python")
        run(folder / "venv/bin/twine", "check", "--strict", *(folder / "dist").iterdir())
        yield folder / "dist"


def test_the_wheel_is_complete(distributions: Path) -> None:
    wheel, = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = Parser().parsestr(archive.read(next(each for each in names if each.endswith("/METADATA"))).decode())
        assert "py.typed" in {Path(each).name for each in names}
        assert any(each.endswith("v1/sidecar_pb2.py") for each in names)
        assert not [each for each in names if "test" in each.lower() or each.endswith(".pyc")]
    assert metadata["Name"] == "datapy-kafka"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Summary"] and "## " in metadata.get_payload()
    source, = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = [each.name for each in archive]
    assert any(each.endswith("sidecar.proto") for each in names)


USE = ("import datapy_kafka; from datapy_kafka.v1 import sidecar_pb2; import sys; "
       "print(datapy_kafka.__version__, sys.version_info[:2])")


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_installs_in_an_empty_python_3_11(distributions: Path, kind: str, tmp_path: Path) -> None:
    found = interpreters()
    assert found, "there is no Python 3.11: install it, or run this on Debian 12"
    archive, = distributions.glob(kind)
    run(found[0], "-m", "venv", tmp_path / "venv")
    run(tmp_path / "venv/bin/pip", "install", "--quiet", archive)
    assert run(tmp_path / "venv/bin/python", "-c", USE).strip() == "1.0.0 (3, 11)"
    assert "status" in run(tmp_path / "venv/bin/datapy-kafka", "--help")


@pytest.mark.debian13
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_installs_in_an_empty_python_3_13(distributions: Path, kind: str) -> None:
    """Debian 13's own."""
    archive, = distributions.glob(kind)
    shutil.copy(archive, OUT)
    text = run_in(client_root(), f"python3 -m venv /tmp/venv && /tmp/venv/bin/pip install --quiet /out/{archive.name} && "
                                 f"/tmp/venv/bin/python -c '{USE}' && /tmp/venv/bin/datapy-kafka --help")
    assert text.startswith("1.0.0 (3, 13)\n")
    assert "status" in text
