#!/usr/bin/env python3
"""Do knn and mds score against 1,000,000 x 2048 train features (8 GB of float32, mapped) within 8 GiB of memory?

Makes the features by blocks in FOLDER, which needs 8.2 GB of disk, and runs `nearfar score` in a memory cgroup of 8 GiB where one can be made
(as root; the page cache counts there, too), else without; what a process held is read from /proc while it runs: RssAnon is memory of its
own, VmHWM also counts the mapped file's pages that happen to be in memory, which the system takes back when it needs them.

    python3 benchmarks/big_bank.py [FOLDER] [--rows 1000000] [--build build/release] [--keep]      needs numpy
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WIDTH, CLASSES, TEST_ROWS, LIMIT = 2048, 1000, 300, 8 << 30


def make(folder, rows):
    """Features behind a ReLU around class centres; all .npy, written by blocks. Drawing 2 billion normals takes minutes, so blocks share
    their noise, shifted by another step each time: no two rows are equal."""
    random = np.random.default_rng(11)
    noise = random.standard_normal((8192, WIDTH), np.float32)
    centres = random.normal(0, 0.5, (CLASSES, WIDTH)).astype(np.float32)
    for name, count in (("train", rows), ("test", TEST_ROWS)):
        (folder / name).mkdir(parents=True)
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, WIDTH)}
        with open(folder / name / "features.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for first in range(0, count, 8192):
                here = min(8192, count - first)
                block = np.roll(noise[:here], int(random.integers(WIDTH)), 1) + centres[np.arange(first, first + here) % CLASSES]
                file.write(np.maximum(block, 0, out=block).tobytes())
        np.save(folder / name / "labels.npy", np.arange(count) % CLASSES)


def limited(command):
    """The command inside a memory cgroup of our own, and that group's folder; the command as it is, and none, where we may make no group."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():  # version 2
        group, limit = root / f"big-bank-{os.getpid()}", "memory.max"
    else:
        group, limit = root / "memory" / f"big-bank-{os.getpid()}", "memory.limit_in_bytes"
    if not (group.parent / "cgroup.procs").exists():  # no controller there, only a folder
        return command, None
    try:
        group.mkdir()
        (group / limit).write_text(str(LIMIT))
        if int((group / limit).read_text()) != LIMIT:
            raise OSError("the limit was not taken")
    except OSError:
        if group.exists():
            group.rmdir()
        return command, None
    return ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh", *map(str, command)], group


def tree(root):
    """A process and all its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found = {root}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def status(process, field):
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(build, folder, name):
    command = [build / "bin/nearfar", "score", name, "--features", folder, "--set", "test", "--output", folder / f"{name}.npy", "--threads", "2"]
    command, group = limited(command)
    start, peaks = time.perf_counter(), {"RssAnon": 0, "VmHWM": 0}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while process.poll() is None:
        members = tree(process.pid)
        for field in peaks:
            peaks[field] = max(peaks[field], sum(status(member, field) for member in members))
        time.sleep(0.05)
    print(process.stdout.read().strip())
    gib = {field: f"{value / 2**30:.2f} GiB" for field, value in peaks.items()}
    how = f"memory limited to {LIMIT >> 30} GiB by a cgroup" if group else "no cgroup could be made: not limited"
    print(f"{name}: exit {process.returncode}, {time.perf_counter() - start:.0f} s; peak RssAnon {gib['RssAnon']}, VmHWM {gib['VmHWM']}; {how}", flush=True)
    if group:
        group.rmdir()
    scores = np.load(folder / f"{name}.npy") if process.returncode == 0 else np.array([np.nan])
    return process.returncode == 0 and np.isfinite(scores).all() and len(scores) == TEST_ROWS and peaks["RssAnon"] < LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "nearfar-big-bank")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--build", type=Path, default=Path(__file__).resolve().parents[1] / "build/release")
    parser.add_argument("--keep", action="store_true", help="leave the files there, and use them again next time")
    arguments = parser.parse_args()
    made = arguments.folder / f"{arguments.rows}"
    if not (made / "test/labels.npy").exists():
        shutil.rmtree(made, ignore_errors=True)
        arguments.folder.mkdir(parents=True, exist_ok=True)
        needed, free = arguments.rows * WIDTH * 4 + (1 << 28), shutil.disk_usage(arguments.folder).free
        if free < needed:
            sys.exit(f"{arguments.folder}: {free / 1e9:.1f} GB are free and {needed / 1e9:.1f} GB are needed; name another folder")
        start = time.perf_counter()
        make(made, arguments.rows)
        print(f"{arguments.rows} x {WIDTH} float32 written in {time.perf_counter() - start:.0f} s", flush=True)
    fine = [run(arguments.build, made, name) for name in ("knn", "mds")]
    if not arguments.keep:
        shutil.rmtree(made)
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
