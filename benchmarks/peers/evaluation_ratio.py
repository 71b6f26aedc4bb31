#!/usr/bin/env python3
"""How many times faster a whole evaluation of one checkpoint is here than by OpenOOD v1.5's order of calls, and than by pytorch-ood with its
cache on: the same PNG files, the same ResNet-18 with random weights, the same parameter searches, 2 threads.
All of OpenOOD's methods that we have but OpenMax (libmr's Weibull fit) and CFOOD (PyTorch's draw).

Ours is the wall time of one `nearfar run` of configs/experiments/evaluate-checkpoint.toml into an empty folder, start included. The peers run
inside this process, without their imports. Whole-run times are compared once each: a pair takes minutes, not milliseconds.

Needs everything in benchmarks/peers/requirements.txt.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pairs
import numpy as np
import openood_calls
import openood_network_calls
import torch
from PIL import Image

SETS = ("train", "val", "ood_val", "test", "near/a", "far/b")
SCORED = ("test", "near/a", "far/b")
ALLOWED = 2e-3  # of scores, relative to the largest: ill-conditioned rmds and vim come near it, the rest is 100 times closer

BENCHMARK = """classes = {classes}
[image]
channels = 3
height = {size}
width = {size}
resize = {size}
mean = [0.4914, 0.4822, 0.4465]
std = [0.2470, 0.2435, 0.2616]
[root.r]
folder = "."
in_data_root = "."
"""


def counts_of(images):
    """Of each set. ViM's null space has to have something of the train set in it: more images than its 256 main directions."""
    return {name: max(300, 3 * images) if name == "train" else images for name in SETS}


def make(folder, counts, net, size=32):
    """PNG files with slopes and grain, in lists as OpenOOD has them; a benchmark file and a checkpoint of `net`. Returns the image sets."""
    random, classes = np.random.default_rng(5), net.fc.out_features
    y, x = (grid[..., None] / (size - 1) for grid in np.mgrid[0:size, 0:size])
    sets, toml = {}, BENCHMARK.format(size=size, classes=json.dumps([str(c) for c in range(classes)]))
    for name in SETS:
        place = folder / "images" / name
        place.mkdir(parents=True)
        files, labels = [], []
        for i in range(counts[name]):
            label = i % classes if name in ("train", "val", "test") else -1
            corners = random.uniform(0, 255, (4, 1, 1, 3)) * (1 if label >= 0 else 0.7) + 60 / classes * max(label, 0)
            image = (corners[0] * (1 - x) + corners[1] * x) * (1 - y) + (corners[2] * (1 - x) + corners[3] * x) * y
            files.append(place / f"{i:04}.png")
            labels.append(label)
            Image.fromarray(np.clip(image + random.normal(0, 8, (size, size, 3)), 0, 255).astype(np.uint8)).save(files[-1])
        stem = name.replace("/", "-")
        (folder / f"{stem}.txt").write_text("".join(f"{file.relative_to(folder)} {label}\n" for file, label in zip(files, labels)))
        toml += f'[[set]]\nname = "{name}"\nlist = "{stem}.txt"\nimages = "."\n'
        sets[name] = openood_calls.Images(files, labels, size)
    (folder / "bench.toml").write_text(toml)
    torch.save(net.state_dict(), folder / "random.ckpt")
    return sets


def run_ours(build, folder, names, out, *overrides):
    """One run from nothing: wall and processor seconds, and images through the network: clean, changed, back for a gradient."""
    command = [build / "bin/nearfar", "run", pairs.ROOT / "configs/experiments/evaluate-checkpoint.toml", f"benchmark={folder / 'bench.toml'}"]
    command += [f"data.root={folder}", f"model.checkpoint={folder / 'random.ckpt'}", f"postprocessors={','.join(names)}", 'protocols=["ood"]']
    command += [f"run.threads={pairs.THREADS}", *overrides, "--jobs", "1", "--out", out, "--json"]
    before = os.times()
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        pairs.give_up(f"nearfar run ended with {result.returncode}:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
    after = os.times()
    children = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    passes = json.loads(result.stdout)["passes"]
    return after.elapsed - before.elapsed, children, *(sum(p[kind] for p in passes) for kind in ("forward", "changed", "gradients"))


def our_answers(build, folder, out):
    """Postprocessor -> set -> scores, and postprocessor -> the point that its search chose ("" without one), of a finished run."""
    ask = lambda *words: subprocess.run([build / "bin/nearfar", *words, "--out", out], check=True, capture_output=True, text=True).stdout  # noqa: E731
    found, chosen = {}, {}
    for cell in (c for c in json.loads(ask("list", "cells", "--json")) if c["kind"] == "eval"):
        name, place = cell["label"].split()[-1], folder / "scores" / cell["id"]
        ask("export", cell["key"], "--scores", place)
        found[name] = {set_name: np.load(place / f"{set_name}.npy") for set_name in SCORED}
        trace = [(p["params"], p["auroc"]) for p in json.loads(ask("show", cell["id"], "--json"))["tune"]]
        chosen[name] = max(trace, key=lambda point: point[1])[0] if trace else ""  # the first of equals
    return found, chosen


def whole(scores):
    return np.concatenate([scores[name] for name in SCORED]).astype(np.float64)


def spelled(parameters):
    """As a run spells a point of a search."""
    text = lambda v: "-".join(map(str, v)) if isinstance(v, tuple) else str(v).lower()  # noqa: E731
    return ";".join(f"{name}={text(value)}" for name, value in sorted(parameters.items()))


def both(runner, ours, chosen):
    """Of each postprocessor its name, our scores and the peer's at the parameters that our search chose; not timed."""
    for name in ours:
        method = openood_network_calls.ALL_METHODS[name](runner)
        method.set_up()
        fitting = [point for point in openood_calls.points(method.grid) if not point or spelled(point) == chosen[name]]
        if len(fitting) != 1:
            pairs.give_up(f"{name}: our search chose {chosen[name]!r}, which is not a point of the peer's")
        method.use(**fitting[0])
        yield name, whole(ours[name]), whole({each: method.scores(each) for each in SCORED})


def check(runner, ours, chosen):
    """Leaves the program if scores differ from the peer's."""
    worst = (0.0, "")
    for name, mine, theirs in both(runner, ours, chosen):
        error = pairs.relative_error(mine, theirs)
        if error > ALLOWED:
            pairs.give_up(f"{name}: our scores differ from the peer's by {error:.1e}, so there is no ratio")
        worst = max(worst, (error, name))
    print(f"  {len(ours)} postprocessors give the peer's scores; largest relative difference {worst[0]:.1e} ({worst[1]})", flush=True)


def pytorch_ood_detectors(net):
    """Of the detectors both have, those that its cache serves, and ReAct, which it does not. Its SHE refuses a network that gets no image of
    some class right, as one with random weights does."""
    from pytorch_ood import detector as d

    w, b = net.fc.weight, net.fc.bias
    logit = {"msp": d.MaxSoftmax(net), "mls": d.MaxLogit(net), "ebo": d.EnergyBased(net), "gen": d.GEN(net), "klm": d.KLMatching(net)}
    logit["temp-scaling"] = d.TemperatureScaling(net)
    f = net.features
    feature = {"mds": d.Mahalanobis(f), "rmds": d.RMD(f), "knn": d.KNN(f, k=50), "vim": d.ViM(f, d=256, w=w, b=b)}
    feature |= {"dice": d.DICE(f, w=w, b=b, p=0.9), "fdbd": d.fDBD(f, net.fc), "nnguide": d.NNGuide(f, net.fc, k=100), "nci": d.NCI(f, net.fc, 1e-4)}
    return logit, feature, {"react": d.ReAct(f, net.fc)}


def pytorch_ood_run(net, sets, by_hand):
    """Fits and evaluates every detector. `by_hand`: train features are extracted once and handed in, which its manual does not ask for."""
    from pytorch_ood.benchmark import Benchmark

    class Ours(Benchmark):
        ood_names = ["a", "b"]

        def train_set(self):
            return sets["train"]

        def test_sets(self, known=True, unknown=True):
            return [torch.utils.data.ConcatDataset([sets["test"], sets[name]]) for name in SCORED[1:]]

    logit, feature, rest = pytorch_ood_detectors(net)
    loader = torch.utils.data.DataLoader(sets["train"], batch_size=openood_calls.BATCH)
    with torch.no_grad():
        if by_hand:
            features, labels = (torch.cat(column) for column in zip(*[(net.features(x), y) for x, y in loader]))
            logits = net.fc(features)
    for kind, detectors in (("logits", logit), ("features", feature), ("", rest)):
        for made in detectors.values():
            if not made.requires_fit:
                continue
            if by_hand and kind:
                getattr(made, f"fit_{kind}")(logits if kind == "logits" else features, labels)
            elif by_hand:
                made.fit_feature_maps(features, labels)
            else:
                made.fit(loader)
    detectors = [*logit.values(), *feature.values(), *rest.values()]
    Ours().evaluate(detectors, loader_kwargs={"batch_size": openood_calls.BATCH}, cache=True)
    return logit | feature


def check_pytorch_ood(runner, fitted, ours):
    """The detectors that mean the same by the same name give the same scores."""
    logits = runner.whole("test")[1]
    for name in ("msp", "mls", "ebo"):
        error = pairs.relative_error(ours[name]["test"], fitted[name].predict_logits(logits).detach().numpy())
        if error > ALLOWED:
            pairs.give_up(f"pytorch-ood's {name}: our scores differ by {error:.1e}, so there is no ratio")
    print("  msp, mls and ebo give pytorch-ood's scores", flush=True)


def row(peer, size, theirs, ours, goal, note=""):
    ratio = theirs[0] / ours[0]
    return pairs.Row("evaluation", size, peer, theirs[0], ours[0], ratio, ratio, theirs[1] / max(ours[1], 1e-6), 1, goal, note)


def main():
    made = pairs.parser(__doc__.splitlines()[0])
    made.epilog = "--only openood or --only pytorch-ood: against that peer alone"
    made.add_argument("--images", type=int, default=50, help="of each of the six sets but train, which has three times as many and at least 300")
    arguments = made.parse_args()
    torch.set_num_threads(pairs.THREADS)
    print(pairs.machine_line())
    images = 20 if arguments.quick else arguments.images
    names = ["msp", "mls", "mds", "knn", "react", "odin", "gram"] if arguments.quick else list(openood_network_calls.ALL_METHODS)
    counts = counts_of(images)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        torch.manual_seed(0)
        net = openood_calls.ResNet18().eval()
        sets = make(folder, counts, net)
        runner = openood_calls.Runner(net, sets)
        run_ours(arguments.build, folder, names, folder / "first")  # warms up
        ours, chosen = our_answers(arguments.build, folder, folder / "first")
        check(runner, ours, chosen)
        if arguments.only in "openood":
            runner.images = 0
            theirs = pairs.clock(lambda: openood_network_calls.evaluate(runner, names, SCORED))
            again = run_ours(arguments.build, folder, names, folder / "second")
            size = f"{len(names)} methods, {sum(counts.values())} images"
            clean, changed, back = again[2:]
            note = f"images through the network: {runner.images:,} there; here {clean:,} clean, {changed:,} changed, {back:,} back for gradients"
            rows.append(row("OpenOOD's calls, batch 200", size, theirs, again, 0 if arguments.quick else 25, note))
            print(f"  {rows[-1]}", flush=True)

        if arguments.only in "pytorch-ood" and not arguments.quick:
            fitted = pytorch_ood_run(net, sets, by_hand=True)  # also warms up
            check_pytorch_ood(runner, fitted, ours)
            shared = [name for group in pytorch_ood_detectors(net) for name in group]
            size = f"{len(shared)} heads, {sum(counts.values())} images"
            for by_hand, goal, peer in ((False, 5, "pytorch-ood 0.4.0, cache"), (True, 0, "same, features by hand")):
                theirs = pairs.clock(lambda: pytorch_ood_run(net, sets, by_hand))  # noqa: B023
                again = run_ours(arguments.build, folder, shared, folder / f"shared-{by_hand}")
                rows.append(row(peer, size, theirs, again, goal))
                print(f"  {rows[-1]}", flush=True)
    return pairs.finish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
