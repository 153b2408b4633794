"""Images and containers without a container daemon: buildah, whose storage is in build/.

    image = build("deploy/Dockerfile", "datapy-kafka-sidecar")
    with Container(image) as container:
        container.run(["/usr/bin/datapy-kafka-sidecar", "--version"], user="1000680000:0")
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.paths import BUILD, LOGS, ROOT, Process

from image.debian13 import CCACHE, base_root, run

STORAGE = BUILD / "containers"
BASE = "debian:trixie-slim"
# What OpenShift gives a pod: any user of group 0.
ARBITRARY_USER = "1000680000:0"
ENVIRONMENT = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}


def buildah(*arguments: str | Path) -> str:
    """Runs buildah on the storage in build/."""
    return run(*command(*arguments), env=ENVIRONMENT)


def command(*arguments: str | Path) -> list[str]:
    """The same, as a command line."""
    return ["buildah", "--root", str(STORAGE / "root"), "--runroot", str(STORAGE / "run"),
            *[str(each) for each in arguments]]


def import_base() -> None:
    """Makes BASE of the Debian 13 root, unless it is there."""
    if any(name.endswith(f"/{BASE}") for name in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()):
        return
    container = buildah("from", "scratch").strip()
    try:
        buildah("copy", "--quiet", container, base_root(), "/")
        buildah("commit", "--quiet", container, BASE)
    finally:
        buildah("rm", container)


def build(dockerfile: str, name: str, context: Path = ROOT, volumes: tuple[str, ...] = ()) -> str:
    """Builds an image; its name."""
    import_base()
    CCACHE.mkdir(parents=True, exist_ok=True)
    mounts = [argument for each in volumes for argument in ("--volume", each)]
    buildah("bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "--timestamp", "0", *mounts,
            "--file", context / dockerfile, "--tag", name, context)
    return name


def inspect(image: str) -> dict[str, Any]:
    """The image's configuration, in Docker's form."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))
    config: dict[str, Any] = found["Docker"]["config"]
    return config


class Container:
    """A container made of an image; gone at the end."""

    def __init__(self, image: str) -> None:
        self._image = image
        self.name = ""

    def __enter__(self) -> Container:
        self.name = buildah("from", "--pull-never", self._image).strip()
        return self

    def __exit__(self, *_: object) -> None:
        buildah("rm", self.name)

    def folder(self) -> Path:
        """Its root file system."""
        return Path(buildah("mount", self.name).strip())

    def run(self, arguments: list[str], user: str = ARBITRARY_USER, volumes: tuple[str, ...] = ()) -> str:
        """Runs a command in it to its end; the output."""
        return buildah(*self._run(arguments, user, volumes))

    def start(self, arguments: list[str], log: str, user: str = ARBITRARY_USER, volumes: tuple[str, ...] = (),
              env: dict[str, str] | None = None) -> Process:
        """Starts a command in it."""
        return Process(command(*self._run(arguments, user, volumes, env or {})), LOGS / "image" / f"{log}.log",
                       ENVIRONMENT)

    def _run(self, arguments: list[str], user: str, volumes: tuple[str, ...],
             env: dict[str, str] | None = None) -> list[str]:
        mounts = [argument for each in volumes for argument in ("--volume", each)]
        settings = [argument for each in (env or {}).items() for argument in ("--env", "=".join(each))]
        return ["run", "--isolation", "chroot", "--user", user, *settings, *mounts, self.name, "--", *arguments]
