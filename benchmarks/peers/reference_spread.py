#!/usr/bin/env python3
"""How far OpenOOD's formulas, computed by PyTorch on this machine, are from the scores that OpenOOD stored on another: for the methods where
the last place of float32 in the network decides single images. Four ways that are all "the" answer: as OpenOOD does it, in batches of one,
with channels last, and with the network in float64.

usage: NEARFAR_GOLDEN=DIR .deps/peers/bin/python benchmarks/peers/reference_spread.py [NAME…]
Parameters are those that OpenOOD's search chose. Takes a quarter of an hour on two cores.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import openood_calls
import openood_network_calls
import pairs
import torch

LIMIT = 1e-4  # of the largest score
WAYS = {"as OpenOOD": {}, "batches of 1": {"batch": 1}, "channels last": {"channels_last": True}, "float64": {"dtype": torch.float64}}
SETS = ("id_test", "cifar10c", "cifar100", "tin", "mnist", "svhn", "texture", "places365")


class Golden(openood_calls.Runner):
    """The images are read once."""

    def __init__(self, folder, batch=openood_calls.BATCH, channels_last=False, dtype=torch.float32):
        net = openood_calls.ResNet18()
        net.load_state_dict(torch.load(folder / "best.ckpt", map_location="cpu"))
        self.batch, self.form, self.dtype = batch, torch.channels_last if channels_last else torch.contiguous_format, dtype
        lists = folder / "data/benchmark_imglist/cifar10"
        files = {"train": "train_cifar10", "val": "val_cifar10", "id_test": "test_cifar10", **{name: f"test_{name}" for name in SETS[1:]}}
        sets = {}
        for name, stem in files.items():
            lines = [line.rsplit(" ", 1) for line in (lists / f"{stem}.txt").read_text().splitlines()]
            images = openood_calls.Images([folder / "data/images_classic" / file for file, _ in lines], [int(label) for _, label in lines])
            sets[name] = [torch.stack(column) for column in zip(*[(image, torch.tensor(label)) for image, label in images])]
        super().__init__(net.to(dtype=dtype, memory_format=self.form), sets)

    def loaded(self, name):
        for number, (images, labels) in enumerate(zip(*(column.split(self.batch) for column in self.sets[name]))):
            self.at = name, number
            yield images.to(dtype=self.dtype, memory_format=self.form, copy=True), labels


def remembered(method, known):
    """AdaSCALE's two forms differ after the passes only: the second takes what the first found for the same batch."""
    if hasattr(method, "statistic"):
        passes = method.statistic

        def statistic(images):
            key = method.runner.batch, method.runner.form, method.runner.dtype, method.runner.at
            if key not in known:
                known[key] = passes(images)
            return known[key]

        method.statistic = statistic
    return method


def main():
    folder = Path(os.environ.get("NEARFAR_GOLDEN") or pairs.ROOT / "../shared/golden").resolve() / "openood-b"
    if not folder.is_dir():
        pairs.give_up(f"{folder}: no golden data; set NEARFAR_GOLDEN")
    torch.set_num_threads(pairs.THREADS)
    layout = {part["split"]: part for part in json.loads((folder / "expected/layout.json").read_text())["order"]}
    results = json.loads((folder / "expected/results.json").read_text())
    print(pairs.machine_line(), f"torch {torch.__version__}", sep="; ")
    known = {}
    for name in sys.argv[1:] or ("gram", "adascale-a", "adascale-l"):
        stem = name.replace("-", "_")
        stored = -np.load(folder / f"expected/{stem}.main.conf.npy").astype(np.float64).ravel()
        for way, options in WAYS.items():
            method = remembered(openood_network_calls.ALL_METHODS[name](Golden(folder, **options)), known)
            method.set_up()
            if method.grid:
                method.use(percentile=tuple(results[stem]["hyperparam_used"][0]))
            apart = {}
            for split in SETS:
                part = stored[layout[split]["offset"] :][: layout[split]["count"]]
                apart |= {(split, i): a for i, a in enumerate(np.abs(method.scores(split) - part) / np.abs(stored).max())}
            far = sorted((key for key in apart if apart[key] > LIMIT), key=apart.get, reverse=True)
            which = ", ".join(f"{split} {i}: {apart[split, i]:.1e}" for split, i in far)
            print(f"{name:<11} {way:<14} largest {max(apart.values()):.1e}; {len(far)} of {len(apart):,} images beyond {LIMIT:.0e}  {which}", flush=True)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
