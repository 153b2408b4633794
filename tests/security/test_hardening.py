"""How the daemon was linked: what makes a flaw harder to use."""

from __future__ import annotations

import subprocess

import pytest
from support.sidecar import sidecar_binary


@pytest.fixture(scope="module")
def dynamic() -> str:
    return readelf("--dynamic")


def readelf(*arguments: str) -> str:
    """What readelf says of the daemon."""
    return subprocess.run(["readelf", "--wide", *arguments, sidecar_binary()], capture_output=True, text=True,
                          check=True).stdout


def test_it_is_loaded_at_a_random_address(dynamic: str) -> None:
    assert "Type:                              DYN" in readelf("--file-header")
    assert "PIE" in dynamic


def test_its_relocations_are_read_only_from_the_start(dynamic: str) -> None:
    assert "GNU_RELRO" in readelf("--program-headers")
    assert "NOW" in dynamic


def test_its_stack_is_not_executable() -> None:
    stack = next(line for line in readelf("--program-headers").splitlines() if "GNU_STACK" in line)
    assert stack.split()[-2] == "RW"


def test_its_functions_guard_the_stack_and_their_buffers() -> None:
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert "_chk@" in symbols.replace("__stack_chk_fail", "")


def test_it_looks_for_libraries_in_no_folder_of_its_own(dynamic: str) -> None:
    assert "RPATH" not in dynamic
    assert "RUNPATH" not in dynamic
