"""Write docs/api.md, the reference of every call, message and enum, from the protos' comments.

python scripts/api_reference.py            # write docs/api.md
python scripts/api_reference.py --check    # exit 1 if docs/api.md is not what the protos give
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
REFERENCE = ROOT / "docs" / "api.md"

HEAD = """\
# API reference

Made from the comments of [`protos/`](../protos/daylily) by `make protos`: change those, not this page.

Errors are `google.rpc.Status` with an `ErrorInfo` (reason, domain `daylily`), `BadRequest` for fields
that are wrong, and `RetryInfo` where waiting helps. The reasons are [below](#enum-errorreason).
"""

# Field numbers of descriptor.proto, which a comment's path is made of.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _ENUM_VALUE, _SERVICE_METHOD = 2, 3, 2, 2

_SCALARS = {
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_UINT64: "uint64",
    FieldDescriptorProto.TYPE_UINT32: "uint32",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}


def descriptors() -> list[FileDescriptorProto]:
    """The descriptors of our protos, with their comments, in the order a reader wants them."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("daylily/**/*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "protos.binpb"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "grpc_tools.protoc",
                f"--proto_path={PROTOS}",
                f"--proto_path={files('grpc_tools') / '_proto'}",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                *sources,
            ],
            cwd=PROTOS,
            check=True,
        )
        found = list(FileDescriptorSet.FromString(out.read_bytes()).file)
    order = ["daylily.state.v1", "daylily.scheduler.v1", "daylily.notifier.v1"]
    return sorted(
        found,
        key=lambda file: order.index(file.package) if file.package in order else len(order),
    )


class Comments:
    """The comments of one file, by the path of what they belong to."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._text = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
            if location.leading_comments
        }

    def at(self, *path: int) -> str:
        return self._text.get(path, "").replace("|", "\\|")


def type_of(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    if field.type in _SCALARS:
        name = _SCALARS[field.type]
    else:
        short = field.type_name.rsplit(".", 1)[-1]
        for nested in message.nested_type:
            if nested.options.map_entry and nested.name == short:
                key, value = nested.field
                return f"map of {type_of(key, nested)} to {type_of(value, nested)}"
        ours = field.type_name.startswith(".daylily.")
        kind = "enum" if field.type == FieldDescriptorProto.TYPE_ENUM else "message"
        name = f"[{short}](#{kind}-{short.lower()})" if ours else short
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    return f"repeated {name}" if repeated else name


def message_lines(
    message: DescriptorProto, comments: Comments, path: tuple[int, ...], level: str = "####"
) -> Iterator[str]:
    yield f"{level} message {message.name}\n"
    if text := comments.at(*path):
        yield f"{text}\n"
    if not message.field:
        yield "No fields.\n"
    else:
        yield "| field | type | |\n|---|---|---|"
        for at, field in enumerate(message.field):
            text = comments.at(*path, _MESSAGE_FIELD, at)
            yield f"| `{field.name}` | {type_of(field, message)} | {text} |"
        yield ""
    for at, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from message_lines(nested, comments, (*path, _MESSAGE_NESTED, at), level)


def enum_lines(
    enum: EnumDescriptorProto, comments: Comments, path: tuple[int, ...]
) -> Iterator[str]:
    yield f"#### enum {enum.name}\n"
    if text := comments.at(*path):
        yield f"{text}\n"
    yield "| value | number | |\n|---|---|---|"
    for at, value in enumerate(enum.value):
        text = comments.at(*path, _ENUM_VALUE, at)
        yield f"| `{value.name}` | {value.number} | {text} |"
    yield ""


def service_lines(
    service: ServiceDescriptorProto, package: str, comments: Comments, path: tuple[int, ...]
) -> Iterator[str]:
    yield f"### {package}.{service.name}\n"
    yield f"{comments.at(*path)}\n"
    yield "| call | |\n|---|---|"
    for at, method in enumerate(service.method):
        request = method.input_type.rsplit(".", 1)[-1]
        stream = " (stream)" if method.server_streaming else ""
        text = comments.at(*path, _SERVICE_METHOD, at)
        yield f"| [`{method.name}`](#message-{request.lower()}){stream} | {text} |"
    yield ""


def reference() -> str:
    """The whole page."""
    lines = [HEAD]
    package = ""
    for file in descriptors():
        comments = Comments(file)
        if file.package != package:
            package = file.package
            lines.append(f"## {package}\n")
        for at, service in enumerate(file.service):
            lines += service_lines(service, package, comments, (_FILE_SERVICE, at))
        for at, enum in enumerate(file.enum_type):
            lines += enum_lines(enum, comments, (_FILE_ENUM, at))
        for at, message in enumerate(file.message_type):
            lines += message_lines(message, comments, (_FILE_MESSAGE, at))
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check_only: bool = parser.parse_args().check
    page = reference()
    if not check_only:
        REFERENCE.write_text(page)
    elif REFERENCE.read_text() != page:
        sys.exit("docs/api.md is not what the protos give; run `make protos`")


if __name__ == "__main__":
    main()
