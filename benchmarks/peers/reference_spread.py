#!/usr/bin/env python3
"""How far OpenOOD's formulas, computed by PyTorch on this machine, are from the scores that OpenOOD stored on another: for the methods where
the last place of float32 in the network decides single images. Four ways that are all "the" answer: as OpenOOD does it, in batches of one,
with channels last, and with the network in float64. And how far nearfar is from the stored scores, and from PyTorch's of this machine.

usage: NEARFAR_GOLDEN=DIR .deps/peers/bin/python benchmarks/peers/reference_spread.py [--build DIR] [NAME…]
Parameters are those that OpenOOD's search chose. Gram alone takes more than a quarter of an hour on two cores, most of it PyTorch's float64.
"""

import json
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

NAMES = ("gram", "adascale-a", "adascale-l")

LIMIT = 1e-4  # of the largest score
WAYS = {"as OpenOOD": {}, "batches of 1": {"batch": 1}, "channels last": {"channels_last": True}, "float64": {"dtype": torch.float64}}
SETS = {"id_test": "test", "cifar10c": "csid/cifar10c", "cifar100": "near/cifar100", "tin": "near/tin"}  # OpenOOD's name: ours
SETS |= {name: f"far/{name}" for name in ("mnist", "svhn", "texture", "places365")}


class Golden(openood_calls.Runner):
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


def by_pytorch(folder, names, chosen, options):
    """Name -> set -> scores."""
    known, found = {}, {}
    for name in names:
        method = remembered(openood_network_calls.ALL_METHODS[name](Golden(folder, **options)), known)
        method.set_up()
        method.use(**chosen[name])
        found[name] = {split: method.scores(split) for split in SETS}
    return found


def by_nearfar(build, folder, names, chosen, precision):
    data = [f"data.root={folder / 'data'}", f"model.checkpoint={folder / 'best.ckpt'}"]
    golden = fidelity.Golden(build / "bin/nearfar", folder / "expected", data, names)
    spelled = lambda value: "-".join(map(str, value))  # noqa: E731
    choices = {name: {"precision": precision} | {key: spelled(value) for key, value in chosen[name].items()} for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        found, _ = golden.run(Path(temporary), choices, "none")
        read = lambda name, ours: np.load(found[name]["folder"] / f"{ours}.npy").astype(np.float64)  # noqa: E731
        return {name: {split: read(name, ours) for split, ours in SETS.items()} for name in names}


def stored_scores(folder, names):
    layout = {part["split"]: part for part in json.loads((folder / "expected/layout.json").read_text())["order"]}
    found = {}
    for name in names:
        whole = -np.load(folder / f"expected/{name.replace('-', '_')}.main.conf.npy").astype(np.float64).ravel()
        found[name] = {split: whole[layout[split]["offset"] :][: layout[split]["count"]] for split in SETS}
    return found


def say(name, label, scores, reference):
    scale = max(np.abs(values).max() for values in reference.values())
    apart = {(split, i): a for split in SETS for i, a in enumerate(np.abs(scores[split] - reference[split]) / scale)}
    far = sorted((key for key in apart if apart[key] > LIMIT), key=apart.get, reverse=True)
    which = ", ".join(f"{split} {i}: {apart[split, i]:.1e}" for split, i in far)
    print(f"{name:<11} {label:<38} largest {max(apart.values()):.1e}; {len(far)} of {len(apart):,} images beyond {LIMIT:.0e}  {which}", flush=True)


def main():
    made = pairs.parser(__doc__.splitlines()[0])
    made.add_argument("names", nargs="*", default=NAMES)
    arguments = made.parse_args()
    folder = Path(os.environ.get("NEARFAR_GOLDEN") or pairs.ROOT / "../shared/golden").resolve() / "openood-b"
    if not folder.is_dir():
        pairs.give_up(f"{folder}: no golden data; set NEARFAR_GOLDEN")
    torch.set_num_threads(pairs.THREADS)
    names, results = list(arguments.names), json.loads((folder / "expected/results.json").read_text())
    used = {name: results[name.replace("-", "_")].get("hyperparam_used") for name in names}
    chosen = {name: {"percentile": tuple(used[name][0])} if name.startswith("adascale") else {} for name in names}
    print(pairs.machine_line(), f"torch {torch.__version__}", sep="; ")
    stored, found = stored_scores(folder, names), {}

    def note(way, scores):
        found[way] = scores
        for name in names:
            say(name, f"{way}, stored", scores[name], stored[name])

    def note_nearfar(precision, way):
        note(f"nearfar {precision}", by_nearfar(arguments.build, folder, names, chosen, precision))
        for name in names:
            say(name, f"nearfar {precision}, PyTorch {way}", found[f"nearfar {precision}"][name], found[f"PyTorch {way}"][name])

    for way, options in WAYS.items():
        note(f"PyTorch {way}", by_pytorch(folder, names, chosen, options))
        if way == "as OpenOOD":
            note_nearfar("float32", way)
    note_nearfar("float64", "float64")


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
