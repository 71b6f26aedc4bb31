"""The shipped recipes and experiments on look-alike data, and trainings that are killed at any moment."""
import hashlib
import json
import os
import random
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from support import SMOKE, SOURCE, Case

EXPERIMENTS = SOURCE / "configs/experiments"
BENCHMARKS = {"cifar10": 10, "cifar100": 100, "imagenet200": 200, "imagenet": 1000}


def resnet50_weights(path):
    """A file with torchvision's tensors of a resnet50, all zero and mostly a hole."""
    shapes = {"conv1.weight": [64, 3, 7, 7], "fc.weight": [1000, 2048], "fc.bias": [1000]}

    def norm(name, width):
        shapes.update({f"{name}.{part}": [width] for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = []

    norm("bn1", 64)
    before = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            for index, (to, of, side) in enumerate([(width, before, 1), (width, width, 3), (4 * width, width, 1)], 1):
                shapes[f"{name}.conv{index}.weight"] = [to, of, side, side]
                norm(f"{name}.bn{index}", to)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = [4 * width, before, 1, 1]
                norm(f"{name}.downsample.1", 4 * width)
            before = 4 * width
    header, end = {}, 0
    for name, shape in shapes.items():
        count = 1
        for side in shape:
            count *= side
        size = count * (8 if name.endswith("tracked") else 4)
        header[name] = {"dtype": "I64" if name.endswith("tracked") else "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


class Shipped(Case):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="nearfar-look-alike-")
        cls.addClassCleanup(cls.shared.cleanup)
        cls.data = Path(cls.shared.name)

    def look_alike(self, benchmark, per_set=1):
        root = self.data / f"{benchmark}-{per_set}"
        if not root.exists():
            self.nearfar("data", "synth", benchmark, "--out", root, "--per-set", per_set)
        return [f"data.root={root}", "data.allow_count_mismatch=true"]

    def test_every_experiment_is_planned(self):
        weights = self.folder / "resnet50.safetensors"
        resnet50_weights(weights)
        for benchmark in BENCHMARKS:
            words = self.look_alike(benchmark)
            if benchmark == "imagenet":
                words = [*words, f"model.checkpoint={weights}"]
            seeds = 1 if benchmark == "imagenet" else 3
            for kind, trained in (("reweightood", seeds), ("losses", 9), ("board", 0 if benchmark == "imagenet" else seeds)):
                plan = json.loads(self.nearfar("plan", EXPERIMENTS / f"{kind}-{benchmark}.toml", *words, "--json", "--out", self.folder / "out")[0])
                kinds = [cell["kind"] for cell in plan["cells"]]
                self.assertEqual(kinds.count("train"), trained, f"{kind}-{benchmark}")
                self.assertGreaterEqual(kinds.count("eval"), {"reweightood": seeds, "losses": 18, "board": 31}[kind], f"{kind}-{benchmark}")

    def test_reweightood_on_cifar100_killed_and_resumed(self):
        words = [EXPERIMENTS / "reweightood-cifar100.toml", *self.look_alike("cifar100", 100), "seeds=0", "train.epochs=2", "loss.reweightood.train.batch_size=80",
                 "train.checkpoint_every_minutes=0.02"]
        process = self.start("run", *words, "--out", self.folder / "out")
        self.assertTrue(self.kill_when(process, lambda: list((self.folder / "out").rglob("last.safetensors"))))
        process.communicate()
        self.nearfar("run", *words, "--out", self.folder / "out")
        curve = json.loads(next((self.folder / "out").rglob("last.json")).read_text())
        self.assertEqual((curve["step"], len(curve["history"])), (10, 2))
        self.assertAlmostEqual(curve["history"][0]["learning_rate"], 0.001)  # OpenOOD's warm-up: an epoch late
        board = (self.folder / "out/leaderboard.csv").read_text()
        self.assertIn("reweightood,reweightood,resnet18_32x32,cifar100,ood,near", board)
        self.nearfar("run", *words, "--out", self.folder / "whole")
        self.assertEqual((self.folder / "whole/leaderboard.csv").read_text(), board)

    def test_losses_and_board_on_cifar10(self):
        tiny = ["seeds=0", "models=resnet8", "train.epochs=1", "train.batch_size=16", *self.look_alike("cifar10", 40)]
        losses = [f"loss.{name}.train.{key}" for name in ("supcon", "reweightood") for key in ("batch_size=16", "lr=0.05")]
        self.nearfar("run", EXPERIMENTS / "losses-cifar10.toml", *tiny, *losses, "--out", self.folder / "losses")
        rows = (self.folder / "losses/leaderboard.csv").read_text()
        for loss, postprocessor in (("ce", "msp"), ("ce", "knn"), ("supcon", "knn"), ("reweightood", "mds")):
            self.assertIn(f"{loss},{postprocessor},resnet8,cifar10,fsood,near", rows)
        self.nearfar("run", EXPERIMENTS / "board-cifar10.toml", *tiny, "postprocessor.vim.dim=32", "--out", self.folder / "board")
        states = [cell["state"] for cell in self.status("board").values()]
        self.assertEqual(set(states), {"ok"})


class FineTuning(Case):
    WORDS = ("losses=ce", "postprocessors=mds", "train.epochs=1")

    def test_a_checkpoint_is_where_it_starts(self):
        self.run_smoke(*self.WORDS)
        weights = next((self.folder / "out/cells").rglob("best.safetensors"))
        words = ["losses=ce,reweightood", "postprocessors=mds", "train.epochs=1", "train.start=checkpoint", f"model.checkpoint={weights}"]
        self.nearfar("run", SMOKE, "--out", self.folder / "tuned", *words)
        logs = "".join(file.read_text() for file in (self.folder / "tuned/cells").rglob("train.log"))
        self.assertIn("starts from", logs)
        self.assertIn("the head starts anew", logs)  # reweightood's embedding
        first = {state["label"]: state["state"] for state in self.status("tuned").values()}
        self.assertTrue(all(state == "ok" for state in first.values()), first)

    def test_without_a_checkpoint_it_says_what_to_give(self):
        _, err = self.run_smoke("train.start=checkpoint", code=4)
        self.assertIn("give the one weights file (or folder with one for each seed) as model.checkpoint", err)


class KilledAnywhere(Case):
    """As often as NEARFAR_KILLS says (20): in the end every file of every loss is that of a training that was left alone."""
    WORDS = ("losses=ce,supcon,reweightood", "postprocessors=mds", "train.epochs=20", "train.ema_decay=0.9", "train.checkpoint_every_minutes=0.001")

    def files(self, out):
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
                for name in ("best", "last") for path in sorted((out / "cells").rglob(f"{name}.safetensors"))}

    def killed(self, *more, **environment):
        self.run_smoke(*self.WORDS, *more, **environment)
        whole = self.files(self.folder / "out")
        self.assertEqual(len(whole), 6)
        kills = int(os.environ.get("NEARFAR_KILLS", "20")) // 2
        draw, broken = random.Random(kills), self.folder / "broken"
        for _ in range(kills):
            process = self.start("run", SMOKE, "--out", broken, *self.WORDS, *more, **environment)
            try:
                process.communicate(timeout=draw.uniform(0.3, 1.5))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self.nearfar("run", SMOKE, "--out", broken, *self.WORDS, *more, **environment)
        self.assertEqual(self.files(broken), whole)
        self.assertEqual((broken / "leaderboard.csv").read_text(), self.results())

    def test_on_the_cpu(self):
        self.killed()

    def test_on_the_fake_device(self):
        self.killed("device=cuda", NEARFAR_DEVICE_MODULE=os.environ["NEARFAR_FAKE_MODULE"])


if __name__ == "__main__":
    unittest.main()
