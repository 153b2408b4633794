"""The API reads well: comments, names and zero values by the style guide."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2 as pb

from style.tree import ROOT, tracked

PROTO_ROOT = ROOT / "proto"


def compile_proto(root: Path, names: list[str], out: Path) -> list[pb.FileDescriptorProto]:
    """The descriptors of some files, comments included."""
    subprocess.run(["protoc", f"-I{root}", "--include_source_info", f"--descriptor_set_out={out}", *names],
                   check=True, timeout=60)
    return list(pb.FileDescriptorSet.FromString(out.read_bytes()).file)


def _upper_snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _message(message: pb.DescriptorProto, path: tuple[int, ...], name: str,
             ) -> Iterator[tuple[tuple[int, ...], str, str]]:
    if message.options.map_entry:
        return
    yield path, name, ""
    for index, field in enumerate(message.field):
        wrong = "" if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", field.name) else "is no snake_case"
        yield (*path, 2, index), f"{name}.{field.name}", wrong
    for index, nested in enumerate(message.nested_type):
        yield from _message(nested, (*path, 3, index), f"{name}.{nested.name}")
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, 4, index), f"{name}.{enum.name}")


def _enum(enum: pb.EnumDescriptorProto, path: tuple[int, ...], name: str,
          ) -> Iterator[tuple[tuple[int, ...], str, str]]:
    yield path, name, ""
    prefix = _upper_snake(enum.name) + "_"
    for index, value in enumerate(enum.value):
        wrong = "" if value.name.startswith(prefix) else f"does not begin with {prefix}"
        if (value.number == 0) != (value.name == f"{prefix}UNSPECIFIED"):
            wrong = f"0 is {prefix}UNSPECIFIED and nothing else is"
        yield (*path, 2, index), f"{name}.{value.name}", wrong


def _elements(file: pb.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str, str]]:
    """Path in the descriptor, name and what is wrong with it, of all that is named."""
    for index, message in enumerate(file.message_type):
        yield from _message(message, (4, index), message.name)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (5, index), enum.name)
    for index, service in enumerate(file.service):
        yield (6, index), service.name, ""
        for at, method in enumerate(service.method):
            yield (6, index, 2, at), f"{service.name}.{method.name}", ""


def problems(file: pb.FileDescriptorProto) -> list[str]:
    """Everything in a file that the style guide forbids."""
    comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location
                if place.leading_comments.strip()}
    found = []
    if file.package != ".".join(Path(file.name).parent.parts):
        found.append(f"{file.name}: package {file.package} is not its folder")
    if file.syntax != "proto3":
        found.append(f"{file.name}: is not proto3")
    for path, name, wrong in _elements(file):
        if wrong:
            found.append(f"{file.name}: {name} {wrong}")
        if path not in comments:
            found.append(f"{file.name}: {name} has no comment")
    return found


def test_the_api_keeps_to_the_style(tmp_path: Path) -> None:
    names = [str(path.relative_to("proto")) for path in tracked("proto/datapy_kafka/*.proto")]
    assert len(names) >= 3
    files = compile_proto(PROTO_ROOT, names, tmp_path / "api.bin")
    found = [problem for file in files for problem in problems(file)]
    assert not found, "\n".join(found)


_GOOD = """syntax = "proto3";
package shop.v1;
// A thing.
message Thing {
  // Its colour.
  map<string, string> by_name = 1;
  // Its state.
  ThingState state = 2;
}
// A state.
enum ThingState {
  // Nobody said.
  THING_STATE_UNSPECIFIED = 0;
  // New.
  THING_STATE_NEW = 1;
}
// Sells.
service Shop {
  // Sells a thing.
  rpc Sell(Thing) returns (Thing);
}
"""


@pytest.mark.parametrize(("given", "bad", "said"), [
    ("", "", None),
    ("  // Its state.\n", "", "Thing.state has no comment"),
    ("  // New.\n", "", "THING_STATE_NEW has no comment"),
    ("// A thing.\n", "", "Thing has no comment"),
    ("  // Sells a thing.\n", "", "Shop.Sell has no comment"),
    ("by_name", "byName", "Thing.byName is no snake_case"),
    ("THING_STATE_NEW", "NEW_THING", "does not begin with THING_STATE_"),
    ("THING_STATE_UNSPECIFIED", "THING_STATE_NONE", "0 is THING_STATE_UNSPECIFIED"),
    ("shop.v1", "shop.v2", "package shop.v2 is not its folder"),
])
def test_what_is_wrong_is_found(tmp_path: Path, given: str, bad: str, said: str | None) -> None:
    folder = tmp_path / "shop" / "v1"
    folder.mkdir(parents=True)
    assert given in _GOOD
    (folder / "shop.proto").write_text(_GOOD.replace(given, bad) if given else _GOOD)
    [file] = compile_proto(tmp_path, ["shop/v1/shop.proto"], tmp_path / "out.bin")
    found = problems(file)
    assert found == [] if said is None else any(said in problem for problem in found), found
