#!/usr/bin/env python3
"""How many times faster an image of CIFAR's size comes from our packed copy than from its PNG file through Pillow and torchvision.

Both sides read the same files on one thread and one processor, and end with uint8 pixels [H,W,3]; rounds alternate between them. Theirs is
what OpenOOD v1.5's data set does for an image before ToTensor: open, convert("RGB"), Resize(32), CenterCrop(32). Ours is a pass over the
set into a batch buffer, opening the list included. With ToTensor and Normalize, which on our side are the model's, theirs is shown too. Before
any timing the pixels are compared; no ratio of a wrong answer is printed.

Needs Pillow, numpy, torch and torchvision, and a release build of loading_bench:
    python3 benchmarks/peers/packed_ratio.py [--bench build/release/bench/loading_bench] [--images 10000] [--rounds 7]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["NEARFAR_PEER_THREADS"] = "1"
import pairs  # noqa: E402  (it sets the thread counts, which are read at import)
import numpy as np  # noqa: E402
import PIL  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision import transforms  # noqa: E402

torch.set_num_threads(1)
GOAL = 100
GOAL_FILES = 3
PIXELS = transforms.Compose([transforms.Resize(32), transforms.CenterCrop(32)])
TENSOR = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])])

BENCHMARK = """classes = ["a"]
[image]
channels = 3
height = 32
width = 32
resize = 32
mean = [0.4914, 0.4822, 0.4465]
std = [0.2470, 0.2435, 0.2616]
[root.r]
folder = "."
in_data_root = "."
[[set]]
name = "train"
list = "train.txt"
images = "images"
[[set]]
name = "test"
list = "test.txt"
images = "images"
"""


def make_files(folder, count):
    """PNG files with slopes and grain, so that they are as large as CIFAR's (some 2.3 kB)."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:32, 0:32] / 31
    (folder / "images").mkdir()
    names = []
    for i in range(count):
        corners = random.uniform(0, 255, (4, 1, 1, 3))
        image = (corners[0] * (1 - x[..., None]) + corners[1] * x[..., None]) * (1 - y[..., None])
        image = image + (corners[2] * (1 - x[..., None]) + corners[3] * x[..., None]) * y[..., None] + random.normal(0, 3, (32, 32, 3))
        names.append(f"{i:05}.png")
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / "images" / names[-1])
    (folder / "train.txt").write_text("".join(f"{name} 0\n" for name in names))
    (folder / "b.toml").write_text(BENCHMARK)
    return [str(folder / "images" / name) for name in names]


def item_pixels(path):
    """One image as OpenOOD's data set reads it, up to the pixels."""
    with open(path, "rb") as file:
        return np.asarray(PIXELS(Image.open(file).convert("RGB")))


def item_tensor(path):
    with open(path, "rb") as file:
        return TENSOR(PIXELS(Image.open(file).convert("RGB")))


def time_items(item, paths):
    """Processor microseconds an item."""
    start = time.process_time()
    for path in paths:
        item(path)
    return (time.process_time() - start) / len(paths) * 1e6


def run_ours(bench, folder, pixels=None):
    """Name -> processor microseconds an item, of all threads, each a median of 3."""
    environment = {**os.environ, "NEARFAR_BENCH_BENCHMARK": str(folder / "b.toml"), "NEARFAR_BENCH_ROOT": str(folder)}
    if pixels:
        environment["NEARFAR_BENCH_PIXELS"] = str(pixels)
    options = {"format": "json", "min_time": "0.05", "repetitions": 3}
    command = [bench, *(f"--benchmark_{name}={value}" for name, value in options.items())]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    times = {}
    for run in json.loads(output)["benchmarks"]:
        if run["run_type"] == "iteration":
            microseconds = {"ns": 1e-3, "us": 1, "ms": 1e3}[run["time_unit"]] * run["cpu_time"] / run["images"]
            times.setdefault(run["name"].split("/")[0], []).append(microseconds)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    """Prints the table; exit 1 if a median ratio misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(__file__).resolve().parents[2] / "build/release/bench/loading_bench")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="append the rows to this file, one JSON object a line")
    arguments = parser.parse_args()
    if not arguments.bench.exists():
        parser.error(f"{arguments.bench} does not exist: build the target loading_bench, or name it with --bench")

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by loading_bench
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = make_files(folder, arguments.images)
        run_ours(arguments.bench, folder, folder / "pixels.npy")
        ours = np.load(folder / "pixels.npy")
        if not all(np.array_equal(ours[i], item_pixels(path)) for i, path in enumerate(paths)):
            sys.exit("the pixels differ, so there is no ratio")
        sample = paths[:2000]
        rows = []
        for _ in range(arguments.rounds):
            mine = run_ours(arguments.bench, folder)
            rows.append({"pixels": time_items(item_pixels, sample), "tensor": time_items(item_tensor, sample), **mine})

    print(pairs.machine_line() + ", pinned to one processor")
    print(f"theirs: Pillow {PIL.__version__}, torchvision {torchvision.__version__}, Python {platform.python_version()}")
    print(f"{arguments.images} PNG files of 32 x 32, {arguments.rounds} rounds; processor microseconds an image, median (min)")
    for name, what in (("pixels", "Pillow + torchvision, pixels"), ("tensor", "the same with ToTensor and Normalize"),
                       ("Files", "nearfar from the files"), ("Packed", "nearfar from the packed copy")):
        values = [row[name] for row in rows]
        print(f"  {what:<38} {statistics.median(values):>9.3f} ({min(values):.3f})")
    goals = {"Packed": GOAL, "Files": GOAL_FILES}
    results = []
    for name, goal in goals.items():
        ratios = [row["pixels"] / row[name] for row in rows]
        median = statistics.median(ratios)
        verdict = "reached" if median >= goal else "missed"
        print(f"  pixels / {name:<7} {median:>8.1f}x (min {min(ratios):.1f}, max {max(ratios):.1f}); goal {goal}x: {verdict}")
        times = (statistics.median(row[key] for row in rows) / 1e6 for key in ("pixels", name))
        of = ("packed, an image" if name == "Packed" else "files, an image", "32 x 32 PNG", "Pillow + torchvision, pixels")
        results.append(pairs.Row(*of, *times, median, min(ratios), median, arguments.rounds, goal, "processor time"))
    return pairs.store(results, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
