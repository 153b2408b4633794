"""The daemon compiles on Debian 13 and the short suites pass there."""

from __future__ import annotations

import pytest

from image.debian13 import build_root, run_in, suites_root

# Compiling everything takes long where nothing is cached yet.
pytestmark = [pytest.mark.debian13, pytest.mark.timeout(3000)]

CONFIGURE = "cmake -S /src -B /out -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_INSTALL_PREFIX=/usr"


def build_there() -> None:
    """Compiles the daemon and the unit tests into /out."""
    run_in(build_root(), f"{CONFIGURE} && cmake --build /out --parallel $(nproc)")


def test_it_compiles_and_the_unit_tests_pass() -> None:
    build_there()
    text = run_in(build_root(), "ctest --test-dir /out --output-on-failure --no-tests=error -j $(nproc)")
    assert "100% tests passed, 0 tests failed" in text


def test_it_is_built_with_what_debian_13_has() -> None:
    build_there()
    text = run_in(build_root(), ". /etc/os-release; echo $VERSION_ID; /out/datapy-kafka-sidecar --version; "
                                "dpkg-query -W -f '${Version}' librdkafka1")
    assert text.startswith("13\ndatapy-kafka-sidecar ")
    assert "\n2.8." in text


@pytest.mark.parametrize("suite", ["python", "integration", "security"])
def test_the_suite_passes(suite: str) -> None:
    """By the command of the README, in a Debian 13 of its own with its own Kafka and Python."""
    text = run_in(suites_root(), f"tests/run.sh {suite}")
    assert "1 passed, 0 failed" in text
