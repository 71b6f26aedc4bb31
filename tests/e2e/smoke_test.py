"""The whole path on generated images: run twice and compared byte for byte, run again and nothing happens, every reading verb works."""
import json
import sqlite3
import unittest
from support import SMOKE, SOURCE, Case, read_npy


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

    def test_accuracy_and_aurc_are_those_of_the_stored_files(self):
        self.run_smoke()
        where = ("--out", self.folder / "out")
        shown = json.loads(self.nearfar("show", "ce/resnet8/s0 accuracy", "--json", *where)[0])
        files = {row["set"]: self.folder / "out" / row["path"] for row in shown["scores"]}
        correct = list(read_npy(files["correct/test"])[0])
        accuracy = next(m["value"] for m in shown["metrics"] if m["protocol"] == "ood" and m["metric"] == "accuracy")
        self.assertLess(0, sum(correct))
        self.assertAlmostEqual(sum(correct) / len(correct), accuracy, delta=1e-15)
        self.nearfar("export", "ce/resnet8/s0 accuracy", "--scores", self.folder / "marks", *where)
        self.assertEqual((self.folder / "marks/correct/test.npy").read_bytes(), files["correct/test"].read_bytes())
        self.nearfar("db", "check", "--deep", *where)
        self.nearfar("export", "ce/resnet8/s0 knn", "--scores", self.folder / "scores", *where)
        scores = read_npy(self.folder / "scores/test.npy")[0]
        numbers = self.numbers_of("ce", "knn", "--selective")
        self.assertEqual(len(scores), len(correct))
        failed = [1 - mark for _, mark in sorted(zip(scores, correct), key=lambda one: one[0])]
        self.assertEqual(len(set(scores)), len(scores), "no ties, or the order below is not the only one")
        self.assertAlmostEqual(numbers["id", "test", "aurc"], sum(sum(failed[:k]) / k for k in range(1, len(failed) + 1)) / len(failed), delta=1e-12)
        self.assertIn(("near", "test+near", "augrc"), numbers)
        self.assertNotIn(("id", "test", "aurc"), self.numbers_of("ce", "knn"))
        self.assertIn("--json", self.nearfar("report", "leaderboard", "--selective", *where, code=4)[1])
        # A database that has stored no marks, as those made before.
        with sqlite3.connect(self.folder / "out/results.sqlite") as database:
            database.execute("DELETE FROM score_set WHERE set_name LIKE 'correct/%'")
        self.assertNotIn(("id", "test", "aurc"), self.numbers_of("ce", "knn", "--selective"))
        self.assertEqual(json.loads(self.run_smoke("--json")[0])["ran"], 0)

    def numbers_of(self, training, postprocessor, *words):
        document = json.loads(self.nearfar("report", "leaderboard", "--json", *words, "--out", self.folder / "out")[0])
        row = next(r for r in document["boards"][0]["rows"] if (r["training"], r["postprocessor"]) == (training, postprocessor))
        return {(n["group"], n["dataset"], n["metric"]): n["mean"] for n in row["numbers"]}

    def test_compare_two_methods_and_two_databases(self):
        self.run_smoke("losses=ce,supcon", "postprocessors=knn,mds", "seeds=0,1")
        where = ("--out", self.folder / "out")
        database = self.folder / "out/results.sqlite"
        out, _ = self.nearfar("compare", "knn", "mds", *where, "--json")
        found = json.loads(out)
        self.assertEqual([pair["a"]["training"] for pair in found["pairs"]], ["ce", "supcon"])
        with sqlite3.connect(database) as results:
            mean = lambda postprocessor: results.execute(
                "SELECT avg(value_fraction) FROM metric JOIN v_valid_cell USING(run_uid) WHERE postprocessor = ? AND training = 'ce' AND set_group = 'near' AND metric = 'auroc'",
                (postprocessor,)).fetchone()[0]
            number = next(one for one in found["pairs"][0]["numbers"] if (one["group"], one["dataset"], one["metric"]) == ("near", "mean", "auroc"))
            self.assertAlmostEqual(number["difference"], mean("mds") - mean("knn"), places=12)
        self.nearfar("compare", database, database)  # nothing differs: exit 0
        _, err = self.nearfar("compare", database, "knn", code=4)
        self.assertIn("is a database and 'knn' is not", err)
        _, err = self.nearfar("compare", "ce", "nothing", *where, code=4)
        self.assertIn("there are: ce/resnet8 knn", err)
        file = next((self.folder / "out/cells").rglob("near/*.npy"))
        file.write_bytes(file.read_bytes()[:-1] + b"\x41")
        _, err = self.nearfar("compare", "knn", "mds", *where, code=6)
        self.assertIn("missing or changed", err)

    def test_the_same_seed_with_another_recipe_is_another_row(self):
        """Rows are their factors: nothing is averaged that was not made alike, and both rows say what differs."""
        self.run_smoke("losses=ce", "postprocessors=knn")
        first = self.results()
        self.run_smoke("losses=ce", "postprocessors=knn", "train.epochs=1")
        board = json.loads(self.nearfar("report", "--json", "--out", self.folder / "out")[0])["boards"][0]
        self.assertEqual({row["training_params"] for row in board["rows"]}, {"train.epochs=1", "train.epochs=2"})
        for form in (("--csv", "-"), ("--markdown", "-"), ("--html", "-"), ()):
            text = self.nearfar("report", "leaderboard", *form, "--out", self.folder / "out")[0]
            for epochs in (1, 2):
                self.assertIn(f"train.epochs={epochs}", text)
        old = [line.replace(",smoke,train.epochs=2,", ",smoke,,") for line in self.results().splitlines() if "epochs=1" not in line]
        self.assertEqual(old, first.splitlines())
        _, err = self.nearfar("show", "ce/resnet8/s0 knn", "--out", self.folder / "out", code=4)
        self.assertIn("train.epochs=1", err)
        cells = json.loads(self.nearfar("status", "--json", "--out", self.folder / "out")[0])["cells"]
        shown = self.nearfar("show", next(c["id"] for c in cells if c["label"] == "ce/resnet8/s0 knn"), "--out", self.folder / "out")[0]
        self.assertRegex(shown, r"differs +in train\.epochs")

    def test_one_database_serves_two_output_folders(self):
        database = self.folder / "shared.sqlite"
        run = lambda out, *more: json.loads(self.nearfar("run", SMOKE, "losses=ce", *more, "--db", database, "--out", self.folder / out, "--json")[0])
        self.assertGreater(run("a")["ran"], 0)
        self.assertEqual(run("b")["ran"], 0)
        self.assertEqual(run("a")["ran"], 0)
        more = run("b", "postprocessors=msp,knn,mds,ebo")
        self.assertEqual((more["ran"], more["passes"]), (1, []))
        self.nearfar("export", "ce/resnet8/s0 ebo", "--scores", self.folder / "s", "--db", database)
        self.nearfar("export", "ce/resnet8/s0 knn", "--scores", self.folder / "t", "--db", database)

    def test_a_database_that_moves_with_its_folder_finds_its_files(self):
        self.run_smoke("losses=ce", "postprocessors=knn")
        (self.folder / "out").rename(self.folder / "moved")
        self.assertEqual(json.loads(self.nearfar("run", SMOKE, "losses=ce", "postprocessors=knn", "--out", self.folder / "moved", "--json")[0])["ran"], 0)

    def test_several_benchmarks_and_networks(self):
        text = (SOURCE / "configs/benchmarks/smoke.toml").read_text().replace('name = "smoke"', 'name = "other"').replace("seed = 1", "seed = 11")
        (self.folder / "other.toml").write_text(text)
        arguments = ("losses=ce,supcon", "postprocessors=msp,knn", f"benchmarks=smoke,{self.folder / 'other.toml'}", "models=resnet8,resnet18_32x32",
                     "data.limit=60", "train.epochs=1")
        plan = json.loads(self.nearfar("plan", SMOKE, *arguments, "--json", "--out", self.folder / "out")[0])
        self.assertEqual(len([c for c in plan["cells"] if c["kind"] == "train"]), 8)
        self.run_smoke(*arguments)
        boards = json.loads(self.nearfar("report", "--json", "--out", self.folder / "out")[0])["boards"]
        self.assertEqual({board["benchmark"] for board in boards}, {"smoke", "other"})
        for board in boards:
            self.assertEqual({row["architecture"] for row in board["rows"]}, {"resnet8", "resnet18_32x32"})
        self.assertEqual(json.loads(self.run_smoke(*arguments, "--json")[0])["ran"], 0)

    def test_a_database_of_version_0_1_reports_the_same_and_is_migrated_with_a_backup(self):
        stored = SOURCE / "tests/golden/store_v1"
        database = self.folder / "out/results.sqlite"
        database.parent.mkdir()
        database.write_bytes((stored / "results.sqlite").read_bytes())
        self.assertEqual(self.nearfar("report", "leaderboard", "--csv", "-", "--db", database)[0], (stored / "leaderboard.csv").read_text())
        self.assertEqual(database.read_bytes(), (stored / "results.sqlite").read_bytes())
        self.run_smoke("losses=ce", "postprocessors=ebo")
        self.assertTrue((self.folder / "out/results.sqlite.v1.backup").exists())
        kept = [line for line in (stored / "leaderboard.csv").read_text().splitlines() if line.startswith("supcon,")]
        self.assertTrue(set(kept) <= set(self.results().splitlines()))

    def test_a_limited_run_is_partial_and_does_not_rank(self):
        self.run_smoke("--limit", "100", "losses=ce", "postprocessors=knn")
        self.assertIn(",partial", self.results())
        board = json.loads(self.nearfar("report", "--json", "--out", self.folder / "out")[0])["boards"][0]
        self.assertIsNone(board["rows"][0]["rank"])


if __name__ == "__main__":
    unittest.main()
