"""`nearfar report ablation`: from a sweep to its tables, its page and its pictures."""
import csv
import io
import json
import unittest
import xml.etree.ElementTree as xml

from support import SMOKE, Case

SWEEP = f"""
extends = "{SMOKE}"
name = "swept"
losses = ["ce"]
postprocessors = ["msp", "knn", "random"]
seeds = [0, 1]
[train]
epochs = 1
[postprocessor.knn]
k = 5
[sweep]
mode = "ablation"
[sweep.axes]
"train.batch_size" = [32, 64]
"postprocessor.knn.k" = [5, 10]
"""


class Ablation(Case):
    def setUp(self):
        super().setUp()
        file = self.folder / "swept.toml"
        file.write_text(SWEEP)
        self.nearfar("run", file, "--out", self.folder / "out")

    def ablation(self, *words, code=0):
        return self.nearfar("report", "ablation", "swept", "--out", self.folder / "out", *words, code=code)

    def test_a_sweep_is_told_in_every_form(self):
        document = json.loads(self.ablation("--json")[0])
        panels = {panel["postprocessor"]: panel for panel in document["panels"]}
        self.assertEqual(set(panels), {"", "knn", "msp"})  # methods, and each of them; never the control
        knn = panels["knn"]
        self.assertEqual([axis["name"] for axis in knn["axes"]], ["postprocessor.knn.k", "train.batch_size"])
        self.assertEqual(knn["baseline"], {"settings": {"postprocessor.knn.k": "5", "train.batch_size": "32"}, "from": "the sweep"})
        changes = {(e["metric"], e["axis"], e["from"], e["to"]) for e in knn["effects"]}
        self.assertEqual(changes, {(m, *change) for m in ("near.auroc", "far.auroc")
                                   for change in (("postprocessor.knn.k", "5", "10"), ("train.batch_size", "32", "64"))})
        for effect in knn["effects"]:
            self.assertEqual(effect["seeds"], [0, 1])
            self.assertLessEqual(effect["low"], effect["difference"])
            self.assertLessEqual(effect["difference"], effect["high"])
            self.assertAlmostEqual(effect["value"] - effect["baseline"], effect["difference"], places=12)
        self.assertTrue(any("control" in sentence for sentence in document["left_out"]))

        # What compare says of the same two rows.
        process = self.start("compare", "batch_size=32,k=5", "batch_size=64,k=5", "--json", "--out", self.folder / "out")
        compared = json.loads(process.communicate(timeout=600)[0])  # 1 if the larger batch is worse: either will do
        number = next(n for n in compared["pairs"][0]["numbers"] if (n["group"], n["dataset"], n["metric"]) == ("near", "mean", "auroc"))
        effect = next(e for e in knn["effects"] if (e["metric"], e["axis"]) == ("near.auroc", "train.batch_size"))
        self.assertEqual((effect["difference"], effect["low"], effect["p"]), (number["difference"], number["low"], number["p"]))

        rows = list(csv.DictReader(io.StringIO(self.ablation("--csv", "-")[0])))
        self.assertEqual(len(rows), sum(len(panel["effects"]) for panel in document["panels"]))
        text = self.ablation()[0]
        self.assertIn("train.batch_size 32 → 64: near AUROC", text)
        self.assertIn("baseline  postprocessor.knn.k 5, train.batch_size 32 (from the sweep)", text)
        self.assertIn("| change | in words | verdict |", self.ablation("--markdown", "-")[0])
        self.assertIn("\\toprule", self.ablation("--latex", "-")[0])

        self.ablation("--html", self.folder / "page.html", "--svg", self.folder / "pictures")
        page = (self.folder / "page.html").read_text()
        self.assertNotIn("<script", page)
        self.assertIn("default-src 'none'", page)
        pictures = list((self.folder / "pictures").glob("*.svg"))
        self.assertTrue(pictures)
        for picture in pictures:
            root = xml.parse(picture).getroot()
            self.assertTrue(root.tag.endswith("svg"))
            self.assertTrue(picture.with_suffix(".csv").read_text())

    def test_what_is_not_there_is_named(self):
        changed = json.loads(self.ablation("--json", "--baseline", "k=10")[0])
        self.assertEqual(next(p for p in changed["panels"] if p["postprocessor"] == "knn")["baseline"]["settings"]["postprocessor.knn.k"], "10")
        self.assertIn("no 'lr2' among the axes, which are: ", self.ablation("--baseline", "lr2=1", code=4)[1])
        self.assertIn("there is 32, 64", self.ablation("--baseline", "train.batch_size=48", code=4)[1])
        self.assertIn("near.auroc", self.ablation("--metric", "auroc", code=4)[1])
        self.assertIn("there are: swept", self.nearfar("report", "ablation", "swetp", "--out", self.folder / "out", code=4)[1])
        self.nearfar("run", SMOKE, "data.limit=24", "losses=ce", "postprocessors=msp,knn", "train.epochs=1", "train.batch_size=12",
                     "postprocessor.knn.k=3", "name=small", "--out", self.folder / "small")
        _, err = self.nearfar("report", "ablation", "small", "--out", self.folder / "small", code=5)
        self.assertIn("partial", err)


if __name__ == "__main__":
    unittest.main()
