#!/usr/bin/env python3
"""How far OpenOOD's formulas, computed by PyTorch on this machine, are from the scores that OpenOOD stored on another: for the methods where
the last place of float32 in the network decides single images. Four ways that are all "the" answer: as OpenOOD does it, in batches of one,
with channels last, and with the network in float64. And how far nearfar is from the stored scores, and from PyTorch's of this machine.

usage: NEARFAR_GOLDEN=DIR .deps/peers/bin/python benchmarks/peers/reference_spread.py [--build DIR] [NAME…]
Parameters are those that OpenOOD's search chose. Gram alone takes more than a quarter of an hour on two cores, most of it PyTorch's float64.
"""

import os
import sys
import tempfile
from pathlib import Path

import pairs
import numpy as np
import openood_calls
import openood_network_calls
import torch

sys.path.append(str(pairs.ROOT / "tools"))
import fidelity

LIMIT = fidelity.USUAL[0]  # of the largest score
WAYS = {"as OpenOOD": {}, "batches of 1": {"batch": 1}, "channels last": {"channels_last": True}, "float64": {"dtype": torch.float64}}
SETS = {theirs: ours for theirs, ours in fidelity.SETS.items() if ours not in ("val", "ood_val")}  # OpenOOD's name: ours


class GoldenImages(openood_calls.Runner):
    """The images are read once."""

    def __init__(self, folder, batch=openood_calls.BATCH, channels_last=False, dtype=torch.float32):
        net = openood_calls.ResNet18()
        net.load_state_dict(torch.load(folder / "best.ckpt", map_location="cpu"))
        self.batch, self.form, self.dtype = batch, torch.channels_last if channels_last else torch.contiguous_format, dtype
        lists = folder / "data/benchmark_imglist/cifar10"
        files = {"train": "train_cifar10", "val": "val_cifar10", "id_test": "test_cifar10", **{name: f"test_{name}" for name in list(SETS)[1:]}}
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


def by_pytorch(folder, golden, options):
    """Name -> set -> scores."""
    known, found = {}, {}
    for name in golden.names:
        method = remembered(openood_network_calls.ALL_METHODS[name](GoldenImages(folder, **options)), known)
        method.set_up()
        if method.grid:
            method.use(percentile=tuple(golden.results[name]["hyperparam_used"][0]))
        found[name] = {split: method.scores(split) for split in SETS}
    return found


def by_nearfar(golden, precision):
    choices = {}
    for name in golden.names:
        used = golden.results[name].get("hyperparam_used")
        choices[name] = {"precision": precision} | (fidelity.spelled(name, used) if used else {})
    with tempfile.TemporaryDirectory() as temporary:
        found, _ = golden.run(Path(temporary), choices, "none")
        read = lambda name, ours: np.load(found[name]["folder"] / f"{ours}.npy").astype(np.float64)  # noqa: E731
        return {name: {split: read(name, ours) for split, ours in SETS.items()} for name in choices}


def stored_scores(golden):
    found, layout = {}, {part["split"]: part for part in golden.layout}
    for name in golden.names:
        whole = -np.load(golden.expected / f"{name.replace('-', '_')}.main.conf.npy").astype(np.float64).ravel()
        found[name] = {split: whole[layout[split]["offset"] :][: layout[split]["count"]] for split in SETS}
    return found


def say(name, label, scores, reference):
    scale = max(np.abs(values).max() for values in reference.values())
    apart = {(split, i): a for split in SETS for i, a in enumerate(np.abs(scores[split] - reference[split]) / scale)}
    far = sorted((key for key in apart if not apart[key] <= LIMIT), key=apart.get, reverse=True)
    which = ", ".join(f"{split} {i}: {apart[split, i]:.1e}" for split, i in far)
    print(f"{name:<11} {label:<38} largest {max(apart.values()):.1e}; {len(far)} of {len(apart):,} images beyond {LIMIT:.0e}  {which}", flush=True)


def main():
    made = pairs.parser(__doc__.splitlines()[0])
    made.add_argument("names", nargs="*", default=list(fidelity.AGAIN), help="of: " + ", ".join(fidelity.AGAIN))
    arguments = made.parse_args()
    unknown = set(arguments.names) - set(fidelity.AGAIN)
    if unknown:
        pairs.give_up(f"{', '.join(sorted(unknown))}: not computed in float64; there are {', '.join(fidelity.AGAIN)}")
    folder = Path(os.environ.get("NEARFAR_GOLDEN") or pairs.ROOT / "../shared/golden").resolve() / "openood-b"
    if not folder.is_dir():
        pairs.give_up(f"{folder}: no golden data; set NEARFAR_GOLDEN")
    torch.set_num_threads(pairs.THREADS)
    data = [f"data.root={folder / 'data'}", f"model.checkpoint={folder / 'best.ckpt'}"]
    golden = fidelity.Golden(arguments.build / "bin/nearfar", folder / "expected", data, arguments.names)
    print(pairs.machine_line(), f"torch {torch.__version__}", sep="; ")
    stored, found = stored_scores(golden), {}

    def note(way, scores):
        found[way] = scores
        for name in golden.names:
            say(name, f"{way}, stored", scores[name], stored[name])

    def note_nearfar(precision, way):
        note(f"nearfar {precision}", by_nearfar(golden, precision))
        for name in golden.names:
            say(name, f"nearfar {precision}, PyTorch {way}", found[f"nearfar {precision}"][name], found[f"PyTorch {way}"][name])

    for way, options in WAYS.items():
        note(f"PyTorch {way}", by_pytorch(folder, golden, options))
        if way == "as OpenOOD":
            note_nearfar("float32", way)
    note_nearfar("float64", "float64")


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
