"""Builds the package: makes datapy_kafka.v1.*_pb2 from the .proto files.

The files are beside this one in a source distribution and in ../proto in a
checkout. protoc only parses them here; the modules that are written load the
parsed description with protobuf's public API, so they import with every
protobuf release that pyproject.toml admits.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
PACKAGE = "datapy_kafka/v1"
PROTOS = ("sidecar", "error")

MODULE = '''"""The messages of {name}.proto. Made when the package was built."""

from google.protobuf import (
    any_pb2,
    descriptor_pool,
    duration_pb2,
    message_factory,
    timestamp_pb2,
)
from google.protobuf.internal import enum_type_wrapper as _enums

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(
    {description!r}
)
for _name, _type in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = message_factory.GetMessageClass(_type)
for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _enums.EnumTypeWrapper(_enum)
    globals().update((_value.name, _value.number) for _value in _enum.values)
'''


def proto_root() -> Path:
    """Returns the folder that holds datapy_kafka/v1/*.proto."""
    for root in (HERE / "proto", HERE.parent / "proto"):
        if (root / PACKAGE / "sidecar.proto").is_file():
            return root
    raise SystemExit(f"{PACKAGE}/sidecar.proto is neither in {HERE}/proto nor in {HERE.parent}/proto")


def generate(out: Path) -> None:
    """Writes the modules and their type stubs under `out`."""
    import grpc_tools  # A build requirement: not there when only metadata is asked for.

    root = proto_root()
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        for name in PROTOS:
            described = Path(folder) / name
            subprocess.run(
                [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"-I{well_known}",
                 f"--descriptor_set_out={described}", f"--pyi_out={folder}",
                 str(root / PACKAGE / f"{name}.proto")],
                check=True,
            )
            from google.protobuf import descriptor_pb2

            files = descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes())
            target = out / PACKAGE
            target.mkdir(parents=True, exist_ok=True)
            (target / f"{name}_pb2.py").write_text(
                MODULE.format(name=name, description=files.file[0].SerializeToString()))
            shutil.copy(Path(folder) / PACKAGE / f"{name}_pb2.pyi", target)


class BuildPy(build_py):
    """Adds the generated modules; to the source folder in an editable install."""

    def run(self) -> None:
        super().run()
        generate(HERE / "src" if self.editable_mode else Path(self.build_lib))


class SDist(sdist):
    """Takes the .proto files along, so that the archive builds alone."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        target = Path(base_dir) / "proto" / PACKAGE
        target.mkdir(parents=True, exist_ok=True)
        for name in PROTOS:
            shutil.copy(proto_root() / PACKAGE / f"{name}.proto", target)


setup(cmdclass={"build_py": BuildPy, "sdist": SDist})
