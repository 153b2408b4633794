"""Programs that only these tests need: kustomize, and Debian's promtool and prometheus."""

from __future__ import annotations

import fcntl
import os
import subprocess
from functools import cache
from typing import Any

import yaml
from support.paths import BUILD, ROOT

OPENSHIFT = ROOT / "deploy/openshift"
OVERLAYS = ("native-sidecar", "two-containers")
KUSTOMIZE = BUILD / "tools" / "kustomize"
# This release builds with the Go of Debian 12.
KUSTOMIZE_MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.0.3"


def kustomize() -> str:
    """The program; built with Go the first time."""
    KUSTOMIZE.parent.mkdir(parents=True, exist_ok=True)
    with (KUSTOMIZE.parent / ".kustomize.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not KUSTOMIZE.exists():
            done = subprocess.run(["go", "install", KUSTOMIZE_MODULE], capture_output=True, text=True, check=False,
                                  env={**os.environ, "GOBIN": str(KUSTOMIZE.parent)})
            assert done.returncode == 0, f"go install {KUSTOMIZE_MODULE}:\n{done.stderr}"
    return str(KUSTOMIZE)


@cache
def manifests(overlay: str) -> tuple[dict[str, Any], ...]:
    """What `oc apply -k` would apply."""
    done = subprocess.run([kustomize(), "build", str(OPENSHIFT / "overlays" / overlay)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def one(kind: str, overlay: str) -> dict[str, Any]:
    """The only manifest of a kind."""
    found = [each for each in manifests(overlay) if each["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]
