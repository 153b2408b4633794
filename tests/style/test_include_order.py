"""A module uses only those before it, and libraries stay behind their adapter."""

import re
from pathlib import Path

import pytest

from style.tree import text_of, tracked

# What each module may include of others. The adapters kafka and rpc and the
# engine never see each other: the server alone puts them together.
ALLOWED: dict[str, set[str]] = {
    "base": set(),
    "delivery": {"base"},
    "ports": {"base", "delivery"},
    "config": {"base", "delivery", "ports"},
    "telemetry": {"base", "delivery", "ports", "config"},
}
for _leaf in ("engine", "kafka", "rpc"):
    ALLOWED[_leaf] = {"base", "delivery", "ports", "config", "telemetry"}

# Headers of a library, and the one module that may include them.
LIBRARIES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"librdkafka/|rdkafka"), "kafka"),
    (re.compile(r"grpc(pp|\+\+)?/"), "rpc"),
    (re.compile(r"datapy_kafka/v1/(sidecar|error)\."), "rpc"),
    (re.compile(r"datapy_kafka/v1/config\."), "config"),
    (re.compile(r"prometheus/"), "telemetry"),
]

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_PUBLIC = re.compile(r"datapy_kafka/(\w+)/[\w.]+\.h$")


def module_of(path: Path) -> str | None:
    """The module whose code or public header a file is; None for others."""
    parts = path.parts
    if parts[0] == "src":
        return parts[1]
    if parts[:2] == ("include", "datapy_kafka"):
        return parts[2]
    return None


def breaches(path: Path, text: str) -> list[str]:
    """What a file includes and must not."""
    module = module_of(path)
    found = []
    for bracket, name in _INCLUDE.findall(text):
        public = _PUBLIC.match(name)
        used = public.group(1) if public and public.group(1) in ALLOWED else None
        if module and used and used != module and used not in ALLOWED[module]:
            found.append(f"{path}: module {module} may not use {used}: {name}")
        for pattern, owner in LIBRARIES:
            if module and module != owner and pattern.match(name):
                found.append(f"{path}: only module {owner} may include {name}")
        # A private header is named by its folder from outside of it.
        folder = name.split("/")[0]
        if bracket == '"' and "/" in name and folder in ALLOWED and not _may_see_private(path, folder):
            found.append(f"{path}: {name} is private to module {folder}")
        if path.parts[0] == "include" and bracket == '"' and not name.startswith(("datapy_kafka/", "absl/")):
            found.append(f"{path}: a public header includes the private {name}")
    return found


def _may_see_private(path: Path, module: str) -> bool:
    if path.parts[0] == "src":
        return path.parts[1] == module
    if path.parts[0] == "tests":
        # Tests, fuzzers and benchmarks of the module itself.
        return path.parts[:3] == ("tests", "unit", module) or path.parts[1] in ("fuzz", "bench")
    return False


def test_no_file_breaks_the_order() -> None:
    files = tracked("*.cc", "*.h")
    assert {module_of(path) for path in files} >= set(ALLOWED), "a module has no files any more"
    found = [breach for path in files for breach in breaches(path, text_of(path) or "")]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("path", "include"), [
    ("src/base/clock.cc", '"datapy_kafka/delivery/machine.h"'),
    ("src/delivery/machine.cc", '"datapy_kafka/ports/record.h"'),
    ("src/ports/status.cc", '"datapy_kafka/config/options.h"'),
    ("src/config/load.cc", '"datapy_kafka/telemetry/logging.h"'),
    ("src/engine/session_loop.cc", '"datapy_kafka/kafka/client_factory.h"'),
    ("include/datapy_kafka/rpc/server.h", '"datapy_kafka/engine/session_manager.h"'),
    ("src/kafka/consumer.cc", '"datapy_kafka/rpc/server.h"'),
    ("src/engine/session_loop.cc", "<librdkafka/rdkafka.h>"),
    ("src/engine/session_loop.cc", "<grpcpp/grpcpp.h>"),
    ("src/telemetry/logging.cc", '"datapy_kafka/v1/sidecar.pb.h"'),
    ("src/rpc/server.cc", '"datapy_kafka/v1/config.pb.h"'),
    ("src/engine/sink_pool.cc", '"telemetry/status_metrics.h"'),
    ("server/main.cc", '"rpc/acceptor.h"'),
    ("tests/unit/rpc/server_test.cc", '"engine/session_loop.h"'),
    ("include/datapy_kafka/config/load.h", '"text_file.h"'),
])
def test_a_breach_is_found(path: str, include: str) -> None:
    assert breaches(Path(path), f"#pragma once\n#include {include}\n")


@pytest.mark.parametrize(("path", "include"), [
    ("src/engine/session_loop.cc", '"datapy_kafka/telemetry/logging.h"'),
    ("src/kafka/consumer.cc", "<librdkafka/rdkafka.h>"),
    ("src/rpc/server.cc", '"datapy_kafka/v1/sidecar.grpc.pb.h"'),
    ("src/config/load.cc", '"text_file.h"'),
    ("server/daemon.cc", '"datapy_kafka/engine/session_manager.h"'),
    ("tests/unit/rpc/server_test.cc", '"rpc/acceptor.h"'),
])
def test_what_is_allowed_passes(path: str, include: str) -> None:
    assert not breaches(Path(path), f"#include {include}\n")


# ---- the same in the build --------------------------------------------------

_MODULE = re.compile(r"^datapy_kafka_module\((\w+)([^)]*)\)", re.MULTILINE)


def build_breaches(cmake: str) -> list[str]:
    """What the build links and the order of the modules forbids."""
    found = []
    seen: set[str] = set()
    for name, arguments in _MODULE.findall(cmake):
        if name not in ALLOWED:
            found.append(f"CMakeLists.txt: module {name} has no place in the order")
            continue
        used = set(re.findall(r"\bdatapy_kafka_(\w+)", arguments))
        for other in used & set(ALLOWED) - ALLOWED[name]:
            found.append(f"CMakeLists.txt: module {name} may not link {other}")
        for other in used & set(ALLOWED) - seen:
            found.append(f"CMakeLists.txt: {other} stands behind {name}, which links it")
        for library, owner in (("RDKAFKA", "kafka"), ("gRPC::", "rpc"), ("datapy_kafka_api_proto", "rpc"),
                               ("datapy_kafka_config_proto", "config"), ("prometheus-cpp", "telemetry")):
            if library in arguments and name != owner:
                found.append(f"CMakeLists.txt: module {name} links {library}, which is {owner}'s")
        seen.add(name)
    found.extend(f"CMakeLists.txt: module {name} is missing" for name in set(ALLOWED) - seen)
    return found


def test_the_build_agrees() -> None:
    assert build_breaches(text_of(Path("CMakeLists.txt")) or "") == []


@pytest.mark.parametrize(("given", "wanted", "said"), [
    ("DEPS datapy_kafka_base ", "DEPS datapy_kafka_base datapy_kafka_engine ", "delivery may not link engine"),
    ("spdlog::spdlog)", "spdlog::spdlog PkgConfig::RDKAFKA)", "which is kafka's"),
    ("datapy_kafka_module(ports", "datapy_kafka_module(harbours", "harbours has no place"),
    ("datapy_kafka_module(kafka", "datapy_kafka_module(#", "module kafka is missing"),
])
def test_a_breach_in_the_build_is_found(given: str, wanted: str, said: str) -> None:
    cmake = text_of(Path("CMakeLists.txt")) or ""
    assert given in cmake
    assert said in "\n".join(build_breaches(cmake.replace(given, wanted)))
