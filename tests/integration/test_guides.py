"""The guides' commands, run as a reader runs them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.guide import WRITE, Guide, of_its_kind
from support.paths import BUILD, GRPCURL, ROOT
from support.sidecar import Sidecar


def test_debugging_with_grpcurl(cleanup: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = cleanup.enter_context(Sidecar("guide", None, ["--dev_broker", "--reflection=true"]))
    monkeypatch.chdir(tmp_path)
    path = f"{GRPCURL.parent}:{BUILD / 'venv/bin'}:{os.environ['PATH']}"
    Guide(ROOT / "docs/grpcurl.md").run({"SOCKET": str(daemon.socket), "PATH": path})


def test_a_wrong_output_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WRITE, raising=False)
    guide = tmp_path / "guide.md"
    guide.write_text("# A\n```console\n$ echo one\n> echo two\none\ntwo\n$ echo three\nfour\n```\n```\n$ not run\n```\n")
    with pytest.raises(AssertionError, match="guide.md:7: echo three"):
        Guide(guide).run({})
    guide.write_text(guide.read_text().replace("four", "three"))
    Guide(guide).run({})


def test_only_what_differs_from_run_to_run_is_alike() -> None:
    assert of_its_kind('"age": "1.5s"') == of_its_kind('"age": "12s"')
    assert of_its_kind('"offset": "1"') != of_its_kind('"offset": "2"')
    assert of_its_kind("acked 1") != of_its_kind("acked 2")
