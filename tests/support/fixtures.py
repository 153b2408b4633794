"""pytest fixtures that all suites share (tests/conftest.py loads them)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from support import sanitizer
from support.kafka import KafkaCluster
from support.sidecar import Sidecar


@pytest.fixture(scope="session", autouse=True)
def watched_by_sanitizers() -> Iterator[None]:
    """Before all other fixtures, so that it ends after the daemons of the whole run."""
    sanitizer.watch()
    yield
    sanitizer.assert_no_reports()


@pytest.fixture(autouse=True)
def no_sanitizer_reports(watched_by_sanitizers: None) -> Iterator[None]:
    """After each test, and after what it started has ended."""
    yield
    sanitizer.assert_no_reports()


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaCluster]:
    """One broker of the default version for the whole run, PLAINTEXT; never stop it in a test."""
    with KafkaCluster("shared") as cluster:
        yield cluster


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name for the test's topics, groups and logs."""
    name = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name).strip("-").lower()[:80]
    # A second try of a test that failed finds none of its first one's topics.
    tries = getattr(request.node, "execution_count", 1)
    return name if tries == 1 else f"{name}-try-{tries}"


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Closes what is entered into it, last first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start_sidecar(kafka: KafkaCluster, unique: str, cleanup: ExitStack) -> Callable[..., Sidecar]:
    """Starts daemons whose "default" connection is the shared broker."""

    def start(*arguments: str, env: dict[str, str] | None = None) -> Sidecar:
        return cleanup.enter_context(Sidecar(unique, kafka.bootstrap_servers, list(arguments), env))

    return start
