"""Generate the Python stubs of the protos, or check that the committed ones are fresh.

    python scripts/protos.py            # generate into protos/gen/python
    python scripts/protos.py --check    # exit 1, naming the files, if committed stubs differ

The output depends on the protos and on the generators pinned in constraints.txt alone.
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from importlib.resources import files
from pathlib import Path

PROTOS = Path(__file__).resolve().parent.parent / "protos"
STUBS = PROTOS / "gen" / "python" / "daylily"


def protoc(sources: list[Path], **outputs: Path) -> None:
    """Run protoc over the sources with these generators, each writing into its folder."""
    plugins = Path(sysconfig.get_path("scripts"))
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
            *(
                f"--{generator}_out={'quiet:' if 'mypy' in generator else ''}{folder}"
                for generator, folder in outputs.items()
            ),
            *(str(source.relative_to(PROTOS)) for source in sources),
        ],
        check=False,
    )
    if run.returncode:
        sys.exit(run.returncode)


def generate(into: Path) -> None:
    """Generate the package `daylily` below `into`, with type stubs.

    Raises:
        SystemExit: there is no proto, or protoc refused one (it says why itself).
    """
    sources = sorted(PROTOS.glob("daylily/**/*.proto"))
    if not sources:
        sys.exit(f"no protos in {PROTOS / 'daylily'}")
    protoc(sources, python=into, mypy=into)
    # A file of messages alone would get a grpc module with nothing in it.
    services = [source for source in sources if "\nservice " in source.read_text()]
    protoc(services, grpc_python=into, mypy_grpc=into)
    package = into / "daylily"
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (folder / "__init__.py").touch()
    (package / "py.typed").touch()


def contents(root: Path) -> dict[Path, bytes]:
    """Every generated file below `root`, by its path relative to it."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def differences(fresh: dict[Path, bytes], committed: dict[Path, bytes]) -> list[Path]:
    return sorted(
        path for path in fresh.keys() | committed.keys() if fresh.get(path) != committed.get(path)
    )


def replace(fresh: dict[Path, bytes], committed: dict[Path, bytes]) -> list[Path]:
    """Write what changed and remove what is stale; return the paths touched.

    Each file is swapped in whole, so that a process importing meanwhile sees old or new.
    """
    changed = differences(fresh, committed)
    for path in changed:
        target = STUBS / path
        if path not in fresh:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(target.name + ".new")
        half.write_bytes(fresh[path])
        half.replace(target)
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check_only: bool = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = contents(Path(scratch) / "daylily")
    committed = contents(STUBS)
    if not check_only:
        changed = replace(fresh, committed)
        print(f"stubs: {len(fresh)} files, {len(changed)} changed")
        return
    stale = differences(fresh, committed)
    if stale:
        names = "\n".join(f"  {(STUBS / path).relative_to(PROTOS.parent)}" for path in stale)
        sys.exit(f"stubs differ from what the protos give; run `make protos`:\n{names}")
    print(f"stubs: {len(fresh)} files, fresh")


if __name__ == "__main__":
    main()
