"""No file grows beyond what one reads in one go."""

from pathlib import Path

import pytest

from style.tree import text_of, tracked

MAX_CPP = 400
MAX_CLIENT = 200
# Modules that a reader of DataPy opens first.
MAX_BY_NAME = {"stream_controller.py": 100, "_controller.py": 100, "kafka_producer.py": 150}


def limit_of(path: Path) -> int | None:
    """The most lines that a file may have; None: any number."""
    if path.suffix in (".cc", ".h"):
        return MAX_CPP
    if path.suffix == ".py" and path.parts[0] == "client-python":
        return MAX_BY_NAME.get(path.name, MAX_CLIENT)
    return None


def excess(path: Path, text: str) -> str | None:
    """What is wrong with a file's length, or None."""
    limit = limit_of(path)
    lines = len(text.splitlines())
    return f"{path}: {lines} lines, {limit} at most" if limit is not None and lines > limit else None


def test_no_file_is_too_long() -> None:
    files = tracked("*.cc", "*.h", "*.py")
    assert files
    found = [bad for path in files if (bad := excess(path, text_of(path) or ""))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("path", "limit"), [
    ("src/engine/session_loop.cc", 400), ("include/datapy_kafka/base/error.h", 400),
    ("client-python/src/datapy_kafka/_client.py", 200), ("client-python/src/mods/kafka_producer.py", 150),
    ("client-python/src/mods/stream_controller.py", 100)])
def test_a_long_file_is_found(path: str, limit: int) -> None:
    assert excess(Path(path), "x\n" * limit) is None
    assert excess(Path(path), "x\n" * (limit + 1))
