#!/usr/bin/env python3
"""How many times faster an image file becomes a normalised tensor here than by Pillow and torchvision, which OpenOOD v1.5 loads with.

Both sides start from the same files in memory and end with float32 [3,H,W]; one thread, one processor; rounds alternate between the sides.
First the pixels are compared (the greatest difference must be 0) and the floats; no ratio of a wrong answer is printed. OpenOOD transforms
every image twice (a second, unused view), so two ratios are given: against one transform, and against what OpenOOD does.

Needs Pillow, torchvision, numpy and scikit-learn (for its two photographs), and a release build of pixels_bench:
    python3 benchmarks/peers/loading_ratio.py [--bench build/release/bench/pixels_bench] [--rounds 9]
"""

import argparse
import io
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
from PIL import Image, ImageFile, features  # noqa: E402
from sklearn.datasets import load_sample_images  # noqa: E402
from torchvision import transforms  # noqa: E402

ImageFile.LOAD_TRUNCATED_IMAGES = True
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNT = 64


def photographs(width, height):
    """Cut-outs of scikit-learn's two photographs, resized, with camera-like noise."""
    random = np.random.default_rng(0)
    sources = [Image.fromarray(image) for image in load_sample_images().images]
    for number in range(COUNT):
        source = sources[number % len(sources)]
        side = int(random.uniform(0.5, 1) * min(source.size))
        left, top = (int(random.integers(0, size - side + 1)) for size in source.size)
        image = source.crop((left, top, left + side, top + side)).resize((width, height), Image.Resampling.BICUBIC)
        noisy = np.asarray(image) + random.normal(0, 4, (height, width, 1)) + random.normal(0, 2, (height, width, 3))
        yield Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


SETS = {  # name: files, side, crop, goal
    "JPEG 500x375, 256/224": (lambda image, file: image.save(file, "JPEG", quality=94, subsampling=2), (500, 375), 256, 224, 3.5),
    "PNG 32x32, 32/32": (lambda image, file: image.save(file, "PNG"), (32, 32), 32, 32, 3.0),
}


class Torchvision:
    """OpenOOD's loading: open from bytes, convert, transform once or twice."""

    def __init__(self, files, side, crop):
        self.files = files
        self.geometry = transforms.Compose([transforms.Resize(side), transforms.CenterCrop(crop)])
        self.transform = transforms.Compose([*self.geometry.transforms, transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)])

    def run(self, views):
        for data in self.files:
            image = Image.open(io.BytesIO(data)).convert("RGB")
            for _ in range(views):
                self.transform(image)

    def answers(self):
        images = [Image.open(io.BytesIO(data)).convert("RGB") for data in self.files]
        return np.stack([np.asarray(self.geometry(i)) for i in images]), np.stack([self.transform(i).numpy() for i in images])

    def time(self, views):
        """Processor microseconds an item."""
        start = time.process_time()
        self.run(views)
        return (time.process_time() - start) / len(self.files) * 1e6


def run_ours(bench, folder, side, crop, out=None):
    """Processor microseconds an item, a mean over some 0.2 s."""
    environment = {**os.environ, "NEARFAR_BENCH_FILES": str(folder), "NEARFAR_BENCH_SIDE": str(side), "NEARFAR_BENCH_CROP": str(crop)}
    if out:
        environment["NEARFAR_BENCH_OUT"] = str(out)
    command = [bench, "--benchmark_format=json", "--benchmark_min_time=0.2"]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    run = json.loads(output)["benchmarks"][0]
    return run["cpu_time"] * {"ns": 1e-3, "us": 1, "ms": 1e3}[run["time_unit"]] / COUNT


def check(bench, name, folder, theirs, side, crop):
    """Leaves the program if the answers differ."""
    pixels, floats = theirs.answers()
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "answers"
        run_ours(bench, folder, side, crop, out)
        data = out.read_bytes()
    ours = np.frombuffer(data, np.uint8, pixels.size).reshape(pixels.shape)
    our_floats = np.frombuffer(data, np.float32, floats.size, pixels.size).reshape(floats.shape)
    difference = int(np.abs(ours.astype(int) - pixels).max())
    if difference:
        sys.exit(f"{name}: pixels differ by up to {difference}, so there is no ratio")
    return float(np.abs(our_floats - floats).max())


def compare(bench, name, rounds):
    """Prints one row; the rows against OpenOOD's two transforms, and against one."""
    save, size, side, crop, goal = SETS[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, image in enumerate(photographs(*size)):
            save(image, folder / f"{number:03}")
        files = [file.read_bytes() for file in sorted(folder.iterdir())]
        theirs = Torchvision(files, side, crop)
        difference = check(bench, name, folder, theirs, side, crop)
        times = {1: [], 2: [], "ours": []}
        for _ in range(rounds):
            for views in (1, 2):
                times[views].append(theirs.time(views))
            times["ours"].append(run_ours(bench, folder, side, crop))
    median = {key: statistics.median(values) for key, values in times.items()}
    ratios = {views: [t / o for t, o in zip(times[views], times["ours"], strict=True)] for views in (1, 2)}
    spread = [f"{statistics.median(r):>7.2f} {min(r):>6.2f} {max(r):>6.2f}" for r in ratios.values()]
    kilobytes = sum(map(len, files)) / len(files) / 1000
    row = f"{name:<22} {kilobytes:>6.1f} {median[1]:>9.0f} {median[2]:>9.0f} {median['ours']:>9.1f}   {spread[0]}   {spread[1]}"
    print(f"{row}   goal {goal}   (pixels equal, floats within {difference:.0e})", flush=True)
    return [
        pairs.Row("loading", name, peer, median[views] / 1e6, median["ours"] / 1e6, statistics.median(r), min(r), statistics.median(r), rounds, of, "processor time")
        for views, r, peer, of in ((2, ratios[2], "torchvision, as OpenOOD", goal), (1, ratios[1], "torchvision, once", 0))
    ]


def main():
    """Prints the table; exit 1 if a median ratio against OpenOOD's two transforms misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(__file__).resolve().parents[2] / "build/release/bench/pixels_bench")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="append the rows to this file, one JSON object a line")
    arguments = parser.parse_args()
    if not arguments.bench.exists():
        parser.error(f"{arguments.bench} does not exist: build the target pixels_bench, or name it with --bench")

    torch.set_num_threads(1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by pixels_bench
    print(pairs.machine_line() + ", pinned to one processor")
    libjpeg = features.version("libjpeg_turbo")
    theirs = f"Pillow {PIL.__version__} (libjpeg-turbo {libjpeg}), torchvision {torchvision.__version__}"
    print(f"theirs: {theirs}, Python {platform.python_version()}")
    print(f"{COUNT} files a set, {arguments.rounds} alternating rounds; processor time, microseconds an item, median")
    print("a round's ratio is time / time: median, min, max over the rounds")
    print("                                 Pillow + torchvision                ratio to one         ratio to two")
    print("files                      kB       once     twice   nearfar   transform               (OpenOOD)")
    rows = [row for name in SETS for row in compare(arguments.bench, name, arguments.rounds)]
    status = pairs.store(rows, arguments.json)
    print(f"goals against OpenOOD's loading: {'missed' if status else 'reached'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
