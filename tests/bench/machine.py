"""On what the figures were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import confluent_kafka
from support.paths import ROOT
from support.sidecar import sidecar_binary


# Before the benchmark's own load.
_LOAD = os.getloadavg()[0]


def _first(path: str, prefix: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(prefix):
            return line.partition(":")[2].strip()
    return "unknown"


def _output(*arguments: str) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    return " ".join(done.stdout.split()) if done.returncode == 0 else "unknown"


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return platform.system()


def description(kafka_version: str, floor_librdkafka: str) -> dict[str, str]:
    """What to know about the machine and the versions, in the order of reading."""
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) / 1024 / 1024
    changed = "" if _output("git", "status", "--porcelain", "--untracked-files=no") == "" else ", with changes"
    return {
        "Processor": f"{_first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores for broker, daemon and job",
        "Memory": f"{memory:.0f} GiB",
        "Other load": f"a load average of {_LOAD:.1f} when the benchmark began, whose processes ran at niceness "
                      f"{os.nice(0)}",
        "System": f"{_system()}, Linux {platform.release()}",
        "Daemon": f"{_output(sidecar_binary(), '--version')} (commit {_output('git', 'rev-parse', '--short', 'HEAD')}"
                  f"{changed})",
        "Leg E": f"librdkafka {floor_librdkafka}",
        "Kafka": f"Apache Kafka {kafka_version}, one broker, {_output('java', '--version').partition(' 20')[0]}",
        "Job": f"Python {platform.python_version()}, grpcio {version('grpcio')}, protobuf {version('protobuf')}, "
               f"polars {version('polars')}",
        "Peers": f"confluent-kafka {version('confluent-kafka')} (librdkafka {confluent_kafka.libversion()[0]})",
    }
