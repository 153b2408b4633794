"""A Debian 13 on this machine: a folder with its packages, and commands run in it.

    root = build_root()                      # with all that compiling needs
    run_in(root, "cd /src && cmake …")       # the repository is at /src

Made once in build/trixie/, with debootstrap; needs root. Nothing of the machine
gets into it but what apt and pip need to reach their servers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.paths import BUILD, ROOT

HOME = BUILD / "trixie"
CCACHE = HOME / "ccache"
# Compiled in there by the tests and by the image alike, so that they share a cache.
OUT = HOME / "out"
# What is build/ for those who work in there as on any machine.
TREE_BUILD = HOME / "tree-build"
# A mount point, for what is written into the tree.
SCRATCH = HOME / "scratch"


def run(*arguments: str | Path, timeout_s: float = 3000, env: dict[str, str] | None = None) -> str:
    """Runs a command; its output. An assertion with the output when it fails."""
    done = subprocess.run([str(each) for each in arguments], capture_output=True, text=True, check=False,
                          timeout=timeout_s, env={**os.environ, **(env or {})})
    assert done.returncode == 0, f"{arguments} failed with {done.returncode}:\n{done.stdout[-8000:]}{done.stderr[-8000:]}"
    return done.stdout


def base_root() -> Path:
    """A minimal Debian 13, what debian:trixie-slim is made of."""
    def make(root: Path) -> None:
        run("debootstrap", "--variant=minbase", "trixie", root)
        for archive in (root / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        _let_it_reach_the_network(root)
    return _once("base", make)


def build_root() -> Path:
    """One with all that deploy/install-deps.sh installs for the unit tests and the package."""
    base = base_root()

    def make(root: Path) -> None:
        run("cp", "-a", base, root)
        (root / "src").mkdir()
    root = _once("build", make)
    # Nothing to do in a root that has been kept, unless the tests need more by now.
    run_in(root, "deploy/install-deps.sh unit package && apt-get clean")
    return root


def suites_root() -> Path:
    """One with all that the suites of tests/run.sh need, with a real Kafka."""
    build = build_root()

    def make(root: Path) -> None:
        run("cp", "-a", build, root)
    root = _once("suites", make)
    run_in(root, "deploy/install-deps.sh security && apt-get clean && git config --global safe.directory '*'")
    return root


def client_root() -> Path:
    """One with the Python and the tools that packages are installed with."""
    base = base_root()

    def make(root: Path) -> None:
        run("cp", "-a", base, root)
        (root / "src").mkdir()
        run_in(root, "apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 python3-venv "
                     "ca-certificates systemd lintian && apt-get clean")
    return _once("client", make)


def run_in(root: Path, script: str, timeout_s: float = 3000) -> str:
    """Runs a script in a root, the repository at /src, OUT at /out; what it writes to /src but for build/ is dropped."""
    for folder in (CCACHE, OUT, TREE_BUILD, SCRATCH, root / "src", root / "out", root / "ccache"):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    # Namespaces of its own: nothing stays mounted and no process alive, however it ends.
    mounts = (f"mount -t tmpfs tmpfs {SCRATCH} && mkdir {SCRATCH}/upper {SCRATCH}/work && "
              f"mount -t overlay overlay -o lowerdir={ROOT},upperdir={SCRATCH}/upper,workdir={SCRATCH}/work {root}/src && "
              f"mount --bind {TREE_BUILD} {root}/src/build && "
              f"mount --bind {OUT} {root}/out && mount --bind {CCACHE} {root}/ccache && "
              f"mount -t proc proc {root}/proc && mount --bind /dev {root}/dev && "
              f"mount -t tmpfs tmpfs {root}/tmp && ")
    environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "CCACHE_DIR=/ccache",
                   "DEBIAN_FRONTEND=noninteractive", "PIP_DISABLE_PIP_VERSION_CHECK=1",
                   # As on Debian's own pip: the authorities of the system.
                   "PIP_CERT=/etc/ssl/certs/ca-certificates.crt"]
    return run("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "bash", "-c",
               mounts + 'exec chroot "$0" env -i "${@:2}" bash -euc "cd /src; $1"', root, script, *environment,
               timeout_s=timeout_s)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _once(name: str, make: object) -> Path:
    root = HOME / name
    stamp = HOME / f".{name}.complete"
    with _locked(name):
        if not stamp.exists():
            shutil.rmtree(root, ignore_errors=True)
            assert callable(make)
            make(root)
            stamp.touch()
    return root


def _let_it_reach_the_network(root: Path) -> None:
    settings = run("apt-config", "dump", "Acquire")
    (root / "etc/apt/apt.conf.d/99host").write_text(settings)
    own = Path("/usr/local/share/ca-certificates")
    if own.is_dir():
        shutil.copytree(own, root / "usr/local/share/ca-certificates", dirs_exist_ok=True)
