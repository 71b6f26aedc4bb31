"""Results as one file: made, verified, forged, and put on one leaderboard with those of others."""
import json
import shutil
import sqlite3
import unittest
from support import Case


class Bundle(Case):
    def setUp(self):
        super().setUp()
        self.run_smoke("losses=ce", "postprocessors=knn,msp")
        self.bundle = self.folder / "a.tar.zst"
        self.made = json.loads(self.make(self.bundle, "--title", "Two detectors", "--author", "A. Author", "--json")[0])

    def make(self, target, *options, code=0):
        return self.nearfar("bundle", "--out", self.folder / "out", "-o", target, *options, code=code)

    def forge(self):
        """A copy of the results with one number that its scores do not give."""
        forged = self.folder / "forged"
        shutil.copytree(self.folder / "out", forged)
        with sqlite3.connect(forged / "results.sqlite") as results:
            changed = results.execute("UPDATE metric SET value_fraction = 0.99999 WHERE metric = 'auroc' AND set_group = 'near' AND run_uid IN"
                                      " (SELECT run_uid FROM v_valid_cell WHERE postprocessor = 'knn')").rowcount
        self.assertGreater(changed, 0)
        return forged

    def test_a_bundle_passes_and_is_the_same_bytes_again(self):
        self.assertEqual(self.made["evaluations"], 2)
        out, _ = self.nearfar("verify", self.bundle)
        self.assertIn("Two detectors, by A. Author", out)
        self.assertIn("not proved", out)
        found = json.loads(self.nearfar("verify", self.bundle, "--json")[0])
        self.assertTrue(found["passed"])
        self.assertEqual({check["what"] for check in found["checks"]},
                         {"manifest", "file", "database", "config", "identity", "scores", "count", "metric", "accuracy"})
        self.make(self.folder / "again.tar.zst", "--title", "Two detectors", "--author", "A. Author")
        self.assertEqual(self.bundle.read_bytes(), (self.folder / "again.tar.zst").read_bytes())

    def test_only_what_is_selected(self):
        self.assertEqual(json.loads(self.make(self.folder / "knn.tar.zst", "-k", "knn", "--json")[0])["evaluations"], 1)
        self.assertEqual(json.loads(self.nearfar("verify", self.folder / "knn.tar.zst", "--json")[0])["evaluations"], 1)
        self.make(self.folder / "none.tar.zst", "-k", "nothing", code=5)
        with_checkpoints = json.loads(self.make(self.folder / "large.tar.zst", "--with-checkpoints", "--json")[0])
        self.assertGreater(with_checkpoints["bytes"], self.made["bytes"])
        self.nearfar("verify", self.folder / "large.tar.zst")

    def test_a_forged_number_fails_and_never_ranks(self):
        forged = self.forge()
        out, _ = self.nearfar("verify", forged, code=6)
        self.assertIn("FAIL   metric  ce/resnet8/s0 knn", out)
        self.assertIn("stored 0.99999", out)
        board = json.loads(self.nearfar("report", "leaderboard", "--from", self.bundle, forged, "--json", "-")[0])
        self.assertEqual([(one["verified"], one["author"]) for one in board["sources"]], [(True, "A. Author"), (False, "")])
        rows = board["boards"][0]["rows"]
        self.assertEqual(len(rows), 4)
        for row in rows:
            if row["source"] == "Two detectors (A. Author)":
                self.assertIsNotNone(row["rank"])
            else:
                self.assertEqual((row["rank"], row["unranked_reason"]), (None, "unverified"))
        html, _ = self.nearfar("report", "--from", self.bundle, forged, "--html", "-")
        self.assertIn("results of Two detectors (A. Author)", html)
        self.assertIn("unverified", html)
        self.nearfar("compare", self.bundle, forged, code=6)

    def test_the_same_cells_of_two_bundles_are_one_row(self):
        other = self.folder / "b.tar.zst"
        self.make(other, "--title", "The same", "--author", "B. Author")
        rows = json.loads(self.nearfar("report", "--from", self.bundle, other, "--json", "-")[0])["boards"][0]["rows"]
        self.assertEqual(len(rows), 2)
        for row in rows:
            self.assertEqual(row["source"], "Two detectors (A. Author); The same (B. Author)")
        self.nearfar("compare", self.bundle, other)  # nothing differs: exit 0
        self.assertEqual([row["numbers"] for row in rows],
                         [row["numbers"] for row in json.loads(self.nearfar("report", "--json", "-", "--out", self.folder / "out")[0])["boards"][0]["rows"]])

    def test_what_is_no_bundle_is_refused(self):
        (self.folder / "x.tar.zst").write_bytes(self.bundle.read_bytes()[:-100])
        self.assertNotEqual(self.start("verify", self.folder / "x.tar.zst").wait(60), 0)
        (self.folder / "y.tar.zst").write_text("hello")
        _, err = self.nearfar("verify", self.folder / "y.tar.zst", code=6)
        self.assertIn("is no tar archive in zstd", err)
        self.nearfar("verify", self.folder / "nothing", code=4)


if __name__ == "__main__":
    unittest.main()
