#!/usr/bin/env python3
"""Writes harness/host/torch_symbols.inc: which LibTorch has which of the C functions that plugins of the stable tier may call.

usage: tools/make_torch_symbols.py [--work FOLDER] 2.9.1 2.10.0 … 2.15.0     (the newest patch of every minor version, in order)
       pip index versions torch                                              (names them)

Fetches each version's wheel with pip (about 1 GB), reads the exported names torch_* and aoti_torch_* of libtorch_cpu.so and libc10.so with nm, and deletes
the wheel before the next one. What was read is kept in FOLDER as VERSION.txt, so that a new version costs one wheel. Nothing of the wheels is run.
"""
import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent.parent / "harness/host/torch_symbols.inc"
LIBRARIES = ("torch/lib/libtorch_cpu.so", "torch/lib/libc10.so")
NAME = re.compile(r"^(?:aoti_)?torch_[a-zA-Z0-9_]+$")


def exported(library):
    listed = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library], check=True, capture_output=True, text=True).stdout
    names = (line.split(" ", 1)[0].split("@", 1)[0] for line in listed.splitlines())
    return {name for name in names if NAME.match(name)}


def names_of(version, work):
    kept = work / f"{version}.txt"
    if kept.exists():
        return set(kept.read_text().split())
    with tempfile.TemporaryDirectory(dir=work) as folder:
        # Any CPython will do: the libraries are the same in all.
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--python-version=3.12",
                        "--platform=manylinux_2_28_x86_64", f"--dest={folder}", f"torch=={version}"], check=True)
        wheel = zipfile.ZipFile(next(Path(folder).glob("torch-*.whl")))
        names = set()
        for library in LIBRARIES:
            names |= exported(wheel.extract(library, folder))
    if len(names) < 50:
        sys.exit(f"torch {version}: {len(names)} names torch_* and aoti_torch_* in {' and '.join(LIBRARIES)}; expected hundreds: have the libraries moved?")
    kept.write_text("".join(f"{name}\n" for name in sorted(names)))
    print(f"torch {version}: {len(names)} names", file=sys.stderr)
    return names


def minor(version):
    return int(version.split(".")[1])


def rows(versions, names):
    """(name, first version that has it, first later version that has it no more or 0) of every name; a name that comes again is an error."""
    for name in sorted(set().union(*names)):
        there = [name in some for some in names]
        first = there.index(True)
        gone = there.index(False, first) if False in there[first:] else None
        if gone is not None and any(there[gone:]):
            sys.exit(f"{name} goes and comes again: the table's form cannot say so")
        yield name, minor(versions[first]), minor(versions[gone]) if gone is not None else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/torch_symbols"))
    parser.add_argument("versions", nargs="+", metavar="VERSION")
    arguments = parser.parse_args()
    minors = [minor(version) for version in arguments.versions]
    if minors != list(range(minors[0], minors[0] + len(minors))) or any(not version.startswith("2.") for version in arguments.versions):
        sys.exit("expected one 2.x version of every minor, in order and without a gap")
    arguments.work.mkdir(parents=True, exist_ok=True)
    names = [names_of(version, arguments.work) for version in arguments.versions]
    groups = {}
    for name, first, gone in rows(arguments.versions, names):
        groups.setdefault((first, gone), []).append(name)
    lines = [f"// Made by tools/make_torch_symbols.py of torch {', '.join(arguments.versions)}; not edited by hand.",
             "// TORCH_TABLE(oldest, newest) and, for each pair of versions, TORCH_NAMES(first, gone, names): minor versions of LibTorch 2, gone = 0 for never.",
             f"TORCH_TABLE({minors[0]}, {minors[-1]})"]
    for (first, gone), members in sorted(groups.items()):
        lines.append(f"TORCH_NAMES({first}, {gone},")
        line = ""
        for name in members:
            if len(line) + len(name) > 140:
                lines.append(f'  "{line}"')
                line = ""
            line += name + " "
        lines.append(f'  "{line}")')
    OUTPUT.write_text("\n".join(lines) + "\n")
    print(f"{OUTPUT}: {sum(map(len, groups.values()))} names in {len(groups)} groups", file=sys.stderr)


if __name__ == "__main__":
    main()
