"""Sweeps and matrices, from their file to the report."""
import json
import shlex
import unittest
from pathlib import Path

from look_alikes import LookAlikes, resnet50_weights
from support import SMOKE, SOURCE, Case

EXPERIMENTS = SOURCE / "configs/experiments"
BENCHMARKS = ("cifar10", "cifar100", "imagenet200", "imagenet")


class Matrix(LookAlikes, Case):
    def words(self):
        weights = self.folder / "resnet50.safetensors"
        if not weights.exists():
            resnet50_weights(weights)
        return [EXPERIMENTS / "matrix-openood.toml", *self.all_look_alikes(BENCHMARKS), f"model.checkpoint={weights}"]

    def test_four_benchmarks_are_trained_scored_and_reported(self):
        plan = json.loads(self.nearfar("plan", *self.words(), "--json", "--out", self.folder / "out")[0])
        self.assertEqual([cell["kind"] for cell in plan["cells"]].count("train"), 36)
        self.assertEqual([point["models"] for point in plan["points"]], [9, 9, 9, 9])
        text = self.nearfar("plan", *self.words(), "--out", self.folder / "out")[0]
        self.assertIn("sweep: list, 4 points", text)
        self.assertRegex(text, r"36 +train +yes +new")

        tiny = [*self.words(), "losses=ce,supcon", "seeds=0", "models=resnet8", "train.epochs=1", "data.limit=24", "train.batch_size=12",
                "loss.supcon.train.batch_size=12", "train.images=prepared", "tune=none", "postprocessor.knn.k=3", "--out", self.folder / "out", "--json"]
        ran = json.loads(self.nearfar("run", *tiny)[0])
        self.assertEqual((ran["failed"], ran["skipped"], ran["left"]), (0, 0, 0))
        board = (self.folder / "out/leaderboard.csv").read_text()
        for benchmark, network in zip(BENCHMARKS, ("resnet8", "resnet8", "resnet8", "resnet50")):
            for protocol in ("ood", "fsood"):
                for row in ("ce,msp", "ce,knn", "ce,mds", "supcon,knn", "supcon,mds"):
                    self.assertIn(f"{row},{network},{benchmark},{protocol},near,mean,auroc", board)

        more = json.loads(self.nearfar("run", *tiny, "postprocessors=msp,knn,mds,ebo")[0])
        self.assertEqual((more["ran"], more["passes"]), (4, []))  # ebo of the four models with a linear head
        again = json.loads(self.nearfar("run", *tiny, "postprocessors=msp,knn,mds,ebo")[0])
        self.assertEqual((again["ran"], again["left"]), (0, 0))


class Swept(Case):
    SWEEP = f"""
extends = "{SMOKE}"
name = "swept"
losses = ["ce", "supcon"]
postprocessors = ["msp", "knn"]
[train]
epochs = 1
[sweep.axes]
"train.batch_size" = [32, 64]
"postprocessor.knn.k" = [5, 10]
[[sweep.exclude]]
when = 'losses == supcon and train.batch_size == 64 and postprocessor.knn.k == 10'
"""

    def experiment(self):
        file = self.folder / "swept.toml"
        file.write_text(self.SWEEP)
        return file

    def test_points_become_rows(self):
        summary = json.loads(self.nearfar("run", self.experiment(), "--json", "--out", self.folder / "out")[0])
        self.assertEqual((summary["failed"], summary["left"]), (0, 0))
        labels = set(self.status())
        for label in ("ce/resnet8/s0 batch_size=32", "ce/resnet8/s0 batch_size=64 knn k=10", "supcon/resnet8/s0 batch_size=32 knn k=5", "ce/resnet8/s0 batch_size=64 msp"):
            self.assertIn(label, labels)
        kinds = [cell["kind"] for cell in json.loads(self.nearfar("status", "--json", "--out", self.folder / "out")[0])["cells"]]
        self.assertEqual((kinds.count("train"), kinds.count("eval")), (4, 11))  # knn twice each, msp of two; one left out
        self.assertNotIn("supcon/resnet8/s0 batch_size=64 knn k=10", labels)
        rows = (self.folder / "out/leaderboard.csv").read_text()
        self.assertIn("k=10", rows)

        # The same matrix, asked for on the command line, is done already.
        words = [SMOKE, "losses=ce,supcon", "postprocessors=msp,knn", "train.epochs=1", "train.batch_size=32,64", "postprocessor.knn.k=5,10", "--dry-run"]
        other = json.loads(self.nearfar("run", *words, "--json", "--out", self.folder / "out")[0])
        self.assertEqual([cell["label"] for cell in other["cells"] if cell["will_run"]], ["supcon/resnet8/s0 batch_size=64 knn k=10"])

    def test_a_command_line_may_fix_every_axis(self):
        plan = json.loads(self.nearfar("plan", self.experiment(), "train.batch_size=48", "postprocessor.knn.k=5", "--json", "--out", self.folder / "out")[0])
        self.assertEqual([point["settings"] for point in plan["points"]], [{}])
        self.assertEqual(sorted(cell["label"] for cell in plan["cells"] if cell["kind"] == "train"), ["ce/resnet8/s0", "supcon/resnet8/s0"])

    def test_a_million_points_are_refused(self):
        _, err = self.nearfar("plan", SMOKE, "train.lr=range(1,1000)", "train.epochs=range(1,1000)", "--out", self.folder / "out", code=4)
        self.assertIn("1000000 combinations of train.epochs (1000) x train.lr (1000)", err)
        self.assertFalse((self.folder / "out").exists())

    def test_config_says_what_it_is_and_where_from(self):
        out, _ = self.nearfar("config", "explain", self.experiment(), "train.epochs", "train.epochs=4")
        self.assertEqual([line.split("  ")[0] for line in out.splitlines()], ["train.epochs = 4", "train.epochs = 1", "train.epochs = 2", "train.epochs = 6"])
        self.assertIn("override 'train.epochs=4'", out)
        self.assertIn("swept.toml:7:10  (replaced)", out)
        out, _ = self.nearfar("config", "explain", SMOKE, "train.ema_decay")
        self.assertIn("the default: nothing sets it", out)
        self.assertIn("did you mean 'train.epochs'?", self.nearfar("config", "explain", SMOKE, "train.epoch", code=4)[1])
        shown = json.loads(self.nearfar("config", "show", self.experiment(), "--json")[0])
        self.assertEqual(shown["points"], 7)
        self.assertIn("resolved", shown["composed"])
        self.assertIn("7 points", self.nearfar("config", "check", self.experiment())[0])
        self.assertIn("'lr' in [train] takes a number", self.nearfar("config", "check", SMOKE, "train.lr=x", code=4)[1])


class Searched(Case):
    """Parameters of a postprocessor, drawn at random and chosen on the validation sets."""
    TUNE = "postprocessor.knn.tune={k={between=[1,100]}}"
    WORDS = ("losses=ce", "postprocessors=msp,knn", "train.epochs=1", TUNE, "postprocessor.knn.search.trials=8")

    def search(self, verb, *words, out="out"):
        return json.loads(self.nearfar(verb, SMOKE, *self.WORDS, *words, "--json", "--out", self.folder / out)[0])

    def auroc(self, k):
        """On the validation sets, by other commands."""
        cache = next((self.folder / "out/cache").iterdir())
        for name in ("val", "ood_val"):
            self.nearfar("score", "knn", "--features", cache, "--set", name, "-p", f"k={k}", "-o", self.folder / f"{name}.npy")
        return json.loads(self.nearfar("metrics", "--id", self.folder / "val.npy", "--ood", self.folder / "ood_val.npy", "--json")[0])["auroc"]

    def test_drawn_points_are_tried_and_the_best_is_chosen(self):
        self.assertEqual(self.search("run")["failed"], 0)
        shown = json.loads(self.nearfar("show", "ce/resnet8/s0 knn", "--json", "--out", self.folder / "out")[0])
        trace = [(point["params"], point["auroc"]) for point in shown["tune"]]
        self.assertEqual([params for params, _ in trace], [f"k={k}" for k in (14, 27, 84, 22, 48, 1, 56, 31)])
        best = max(auroc for _, auroc in trace)
        self.assertEqual([point["params"] for point in shown["tune"] if point["chosen"]], [next(params for params, auroc in trace if auroc == best)])
        for params, auroc in trace[:3]:
            self.assertAlmostEqual(self.auroc(params.removeprefix("k=")), auroc, places=12)
        file = next(artifact["path"] for artifact in shown["artifacts"] if artifact["name"] == "tune")
        document = json.loads((self.folder / "out" / file).read_text())
        self.assertEqual([(point["params"], point["auroc"]) for point in document["points"]], trace)
        self.assertEqual((document["id"], document["ood"]), ("val", "ood_val"))
        text = "{8 random points of seed 0: k=between(1,100)}"
        self.assertIn(f"tune={text}", (self.folder / "out/leaderboard.csv").read_text())
        self.assertIn(text, self.nearfar("report", "leaderboard", "--out", self.folder / "out")[0])
        self.assertIn(text, self.nearfar("show", "ce/resnet8/s0 knn", "--out", self.folder / "out")[0])

        self.nearfar(*shlex.split(shown["reproduce"])[1:])
        again = {cell["key"]: cell["state"] for cell in self.status(Path("out") / f"again-{shown['id']}").values()}
        self.assertEqual(again[shown["key"]], "ok", "its command makes the same cell")

        self.assertEqual(self.search("run")["ran"], 0)
        self.assertEqual([cell["label"] for cell in self.search("plan", "postprocessor.knn.search.seed=1")["cells"] if cell["will_run"]], ["ce/resnet8/s0 knn"])
        other = self.search("run", "postprocessor.knn.search.seed=1")
        self.assertEqual((other["ran"], other["failed"], other["passes"]), (1, 0, []))
        rows = (self.folder / "out/leaderboard.csv").read_text()
        self.assertIn("of seed 0:", rows)
        self.assertIn("of seed 1:", rows)

        # As many trials as there are points are the grid of them, whoever asked for it.
        few = self.search("run", "postprocessor.knn.tune.k={between=[3,5]}")
        self.assertEqual(few["ran"], 1)
        words = [word for word in self.WORDS if "knn" not in word or word.startswith("postprocessors=")]
        grid = json.loads(self.nearfar("run", SMOKE, *words, "postprocessor.knn.tune={k=[3,4,5]}", "--json", "--out", self.folder / "out")[0])
        self.assertEqual(grid["ran"], 0)

    def test_a_long_list_of_points_stays_out_of_texts(self):
        words = ("postprocessor.gen.tune={gamma={between=[0.01,10],log=true},m={between=[1,4]}}", "postprocessor.gen.search.trials=60", "postprocessors=msp,gen")
        self.assertEqual(self.search("run", *words)["failed"], 0)
        shown = self.nearfar("show", "ce/resnet8/s0 gen", "--out", self.folder / "out")[0]
        self.assertIn("the best 40 of 60 points; tune.json has all", shown)
        self.assertEqual(len(json.loads(self.nearfar("show", "ce/resnet8/s0 gen", "--json", "--out", self.folder / "out")[0])["tune"]), 60)
        for text in (self.nearfar("report", "leaderboard", "--out", self.folder / "out")[0], (self.folder / "out/leaderboard.csv").read_text(),
                     self.nearfar("plan", SMOKE, *self.WORDS, *words, "postprocessor.gen.search.seed=1", "--out", self.folder / "out")[0]):
            self.assertLess(max(len(line) for line in text.splitlines()), 400)

    def test_mistakes_are_told_with_their_place(self):
        _, err = self.nearfar("plan", SMOKE, "postprocessor.knn.tune={k={between=[1,100]}}", "--out", self.folder / "out", code=4)
        self.assertIn("add search = { trials = N } beside tune", err)
        file = self.folder / "mine.toml"
        file.write_text(f'extends = "{SMOKE}"\n[postprocessor.knn]\nsearch = {{ trials = 5 }}\ntune = ["k"]\n')
        _, err = self.nearfar("plan", file, "--out", self.folder / "out", code=4)
        self.assertRegex(err, r"mine\.toml:4:9: .*'k' is declared from 1 to 1000000, too wide to draw from; write .*k = \{ between = \[5, 500\], log = true \}")
        self.assertIn("mine.toml:3:21", self.nearfar("config", "explain", file, "postprocessor.knn.search.trials", "postprocessor.knn.tune={k=[1,2]}")[0])


if __name__ == "__main__":
    unittest.main()
