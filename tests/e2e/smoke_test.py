"""The whole path on generated images: run twice and compared byte for byte, run again and nothing happens, every reading verb works."""
import json
import unittest
from support import SMOKE, Case


class Smoke(Case):
    def test_two_runs_give_the_same_bytes(self):
        out, _ = self.nearfar("run", SMOKE, "--out", self.folder / "a")
        self.assertIn("near AUROC", out)
        self.nearfar("run", SMOKE, "--out", self.folder / "b", "run.jobs=1")
        self.assertEqual(self.results("a"), self.results("b"))
        scores = {p.relative_to(self.folder / "a"): p.read_bytes() for p in (self.folder / "a/cells").rglob("*.npy")}
        self.assertTrue(scores)
        for path, content in scores.items():
            self.assertEqual(content, (self.folder / "b" / path).read_bytes(), path)
        for form in ("csv", "md", "html"):
            self.assertTrue((self.folder / "a" / f"leaderboard.{form}").read_text())

    def test_the_same_command_again_runs_nothing(self):
        self.run_smoke()
        before = self.results()
        out, _ = self.run_smoke("--json")
        self.assertEqual(json.loads(out)["ran"], 0)
        self.assertEqual(self.results(), before)

    def test_one_more_postprocessor_trains_nothing_and_makes_no_pass_that_was_made(self):
        self.run_smoke("postprocessors=knn")
        stamps = {p: p.stat().st_mtime_ns for p in (self.folder / "out/cache").rglob("features.npy")}
        checkpoints = {p: p.stat().st_mtime_ns for p in (self.folder / "out/cells").rglob("best.safetensors")}
        self.run_smoke("postprocessors=knn,mds")
        self.assertTrue(stamps and checkpoints)
        for path, stamp in {**stamps, **checkpoints}.items():
            self.assertEqual(path.stat().st_mtime_ns, stamp, path)

    def test_plan_says_why_and_writes_nothing(self):
        cells = json.loads(self.nearfar("plan", SMOKE, "--json", "--out", self.folder / "out")[0])["cells"]
        self.assertFalse((self.folder / "out").exists())
        reasons = {cell["label"]: (cell["will_run"], cell["reason"]) for cell in cells}
        self.assertEqual(reasons["ce/resnet8/s0 msp"], (True, "new"))
        will_run, why = reasons["supcon/resnet8/s0 msp"]
        self.assertFalse(will_run)
        self.assertIn("needs logits", why)
        self.run_smoke()
        text, _ = self.nearfar("plan", SMOKE, "--out", self.folder / "out")
        self.assertIn("0 of", text)

    def test_every_reading_verb_gives_one_document(self):
        self.run_smoke()
        where = ("--out", self.folder / "out")
        label = "ce/resnet8/s0 knn"
        cell = self.status()[label]
        self.assertEqual(cell["state"], "ok")
        shown = json.loads(self.nearfar("show", cell["id"], "--json", *where)[0])
        self.assertEqual(shown["label"], label)
        self.assertTrue(shown["metrics"] and shown["scores"])
        self.assertIn("auroc", self.nearfar("show", label, *where)[0])
        for what in ("losses", "postprocessors", "benchmarks", "datasets", "models", "cells", "runs"):
            self.assertTrue(json.loads(self.nearfar("list", what, "--json", *where)[0]), what)
        self.assertEqual(json.loads(self.nearfar("report", "--json", *where)[0])["boards"][0]["benchmark"], "smoke")
        self.assertEqual(self.nearfar("report", "leaderboard", "--csv", "-", *where)[0], self.results())
        self.assertTrue(json.loads(self.nearfar("doctor", "--json", *where)[0])["ok"])

    def test_stored_metrics_are_those_of_the_stored_scores(self):
        self.run_smoke()
        cell = self.status()["ce/resnet8/s0 knn"]
        shown = json.loads(self.nearfar("show", cell["id"], "--json", "--out", self.folder / "out")[0])
        files = {row["set"]: self.folder / "out" / row["path"] for row in shown["scores"]}
        for metric in shown["metrics"]:
            if metric["group"] not in ("near", "far", "control"):
                continue
            again = json.loads(self.nearfar("metrics", "--id", files["test"], "--ood", files[f"{metric['group']}/{metric['dataset']}"], "--json")[0])
            self.assertEqual(again[metric["metric"]], metric["value"])

    def test_a_limited_run_is_partial_and_does_not_rank(self):
        self.run_smoke("--limit", "100", "losses=ce", "postprocessors=knn")
        self.assertIn(",partial", self.results())
        board = json.loads(self.nearfar("report", "--json", "--out", self.folder / "out")[0])["boards"][0]
        self.assertIsNone(board["rows"][0]["rank"])


if __name__ == "__main__":
    unittest.main()
