#!/usr/bin/env python3
"""How many times faster an augmented training image comes from our stream than from Pillow and torchvision's transforms, on one core.

Both sides end with uint8 pixels of the network's size (ToTensor and Normalize, which here happen on the device, are left out on both
sides). ImageNet's items: JPEG files of 500 x 375 from memory (theirs) or from the disk's cache (ours), RandomResizedCrop(224) and a flip.
CIFAR's items: images that lie in memory (theirs: Pillow images made from an array, as torchvision's CIFAR10 does) or in a packed copy
(ours); RandomCrop(32, padding=4) and a flip, or two views of crop, flip, jitter and grey. Random numbers differ, so the bytes are not compared here:
tests/pixels and tests/kernels compare crops and colours with Pillow's bytes, tests/kernels/draws_test.cpp what is drawn with torchvision's
distributions; the program checks its ways of reading against each other before it times them.

Needs what loading_ratio.py needs, and a release build of train_items_bench:
    python3 benchmarks/peers/train_items_ratio.py [--bench build/release/bench/train_items_bench] [--rounds 7]
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["NEARFAR_PEER_THREADS"] = "1"
import pairs  # noqa: E402  (it sets the thread counts, which are read at import)
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from PIL import Image  # noqa: E402
from torchvision import transforms  # noqa: E402

from loading_ratio import photographs  # noqa: E402
from packed_ratio import make_files  # noqa: E402

BENCHMARK = """classes = ["a"]
[image]
channels = 3
height = {side}
width = {side}
resize = {side}
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
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

T = transforms
JITTERED = T.Compose([
    T.RandomResizedCrop(32, scale=(0.2, 1.0)), T.RandomHorizontalFlip(), T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
    T.RandomGrayscale(p=0.2),
])  # fmt: skip
CASES = [  # name, recipe of ours, their transform, views, goals by way of reading
    ("JPEG 500x375 -> 224", "crop", T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip()]), 1, {"Files": 3, "FilesExact": 0, "TrainingCopy": 0}),
    ("JPEG 1600x1200 -> 224", "crop", T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip()]), 1, {"Files": 0, "FilesExact": 0}),
    ("32x32, shift and flip", "shift", T.Compose([T.RandomCrop(32, padding=4), T.RandomHorizontalFlip()]), 1, {"Packed": 100}),
    ("32x32, two views", "two-views", JITTERED, 2, {"Packed": 100}),
]


def make_jpegs(folder, size, count):
    (folder / "images").mkdir()
    names = []
    for number, image in enumerate(photographs(*size)):
        if number == count:
            break
        names.append(f"{number:03}.jpg")
        image.save(folder / "images" / names[-1], "JPEG", quality=94, subsampling=2)
    (folder / "train.txt").write_text("".join(f"{name} 0\n" for name in names))
    (folder / "b.toml").write_text(BENCHMARK.format(side=224))
    return [(folder / "images" / name).read_bytes() for name in names]


def jpeg_items(files, transform):
    for data in files:
        np.asarray(transform(Image.open(io.BytesIO(data)).convert("RGB")))


def array_items(arrays, transform, views):
    for array in arrays:
        image = Image.fromarray(array)
        for _ in range(views):
            np.asarray(transform(image))


def timed(call, count):
    """Processor microseconds an item."""
    start = time.process_time()
    call()
    return (time.process_time() - start) / count * 1e6


def run_ours(bench, folder, recipe, side):
    """Way of reading -> processor microseconds an item, of all threads."""
    names = {"BENCHMARK": folder / "b.toml", "ROOT": folder, "RECIPE": recipe, **({"SIDE": side} if side else {})}
    environment = {**os.environ, **{f"NEARFAR_BENCH_{name}": str(value) for name, value in names.items()}}
    command = [bench, "--benchmark_format=json", "--benchmark_min_time=0.2"]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    runs = json.loads(output)["benchmarks"]
    return {run["name"].split("/")[0]: run["cpu_time"] * {"ns": 1e-3, "us": 1, "ms": 1e3}[run["time_unit"]] / run["images"] for run in runs}


def compare(bench, case, rounds, images):
    name, recipe, transform, views, goals = case
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if recipe == "crop":
            size = (500, 375) if "500" in name else (1600, 1200)
            files = make_jpegs(folder, size, 64 if size[0] == 500 else 16)
            call, count = (lambda: jpeg_items(files, transform)), len(files)
        else:
            arrays = [np.asarray(Image.open(path).convert("RGB")) for path in make_files(folder, images)[:500]]
            call, count = (lambda: array_items(arrays, transform, views)), len(arrays)
        side = 256 if "TrainingCopy" in goals else None
        both = [(timed(call, count), run_ours(bench, folder, recipe, side)) for _ in range(rounds)]
    rows = []
    for way, goal in goals.items():
        ratios = [theirs / ours[way] for theirs, ours in both]
        median = statistics.median(ratios)
        theirs, ours = statistics.median(t for t, _ in both), statistics.median(o[way] for _, o in both)
        rows.append(pairs.Row("train item", name, f"torchvision / {way}", theirs / 1e6, ours / 1e6, median, min(ratios), median, rounds, goal, "processor time"))
        print(rows[-1], flush=True)
    return rows


def main():
    """Prints the table; exit 1 if a median ratio misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(__file__).resolve().parents[2] / "build/release/bench/train_items_bench")
    parser.add_argument("--images", type=int, default=5_000, help="of 32 x 32")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="append the rows to this file, one JSON object a line")
    arguments = parser.parse_args()
    if not arguments.bench.exists():
        parser.error(f"{arguments.bench} does not exist: build the target train_items_bench, or name it with --bench")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by train_items_bench
    print(pairs.machine_line() + f", pinned to one processor; torchvision {torchvision.__version__}")
    print(pairs.HEADER)
    rows = [row for case in CASES for row in compare(arguments.bench, case, arguments.rounds, arguments.images)]
    return pairs.store(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
