"""Published numbers: the map names what the program has; reproduction and benchmark reports of the smoke experiment."""
import csv
import json
import unittest
from support import SMOKE, SOURCE, Case

LISTS = {"training": "losses", "postprocessor": "postprocessors", "architecture": "models", "benchmark": "benchmarks"}
COLUMNS = "training,postprocessor,architecture,benchmark,protocol,group,dataset,metric,mean,std\n"


class Published(Case):
    def test_every_key_of_the_map_is_in_the_programs_lists(self):
        lines = [line for line in (SOURCE / "reports/published/map.csv").read_text().splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        known = {kind: {row["name"] for row in json.loads(self.nearfar("list", what, "--json")[0])} for kind, what in LISTS.items()}
        keys = {(row["kind"], row["key"]) for row in rows if row["key"]}
        self.assertEqual([key for key in sorted(keys) if key[1] not in known[key[0]]], [])
        self.assertGreater(len(keys), 40)
        self.assertEqual([row["benchmark"] for row in rows if row["benchmark"] and row["benchmark"] not in known["benchmark"]], [])

    def test_reports_of_the_smoke_experiment(self):
        self.run_smoke()
        where = ("--out", self.folder / "out")
        with self.subTest("its own leaderboard comes out exactly"):
            found = json.loads(self.nearfar("report", "reproduction", "--against", self.folder / "out/leaderboard.csv", "--points", "0.0001", "--json", *where)[0])
            board = list(csv.DictReader(self.results().splitlines()))
            self.assertEqual((found["compared"], found["within"], found["without_result"]), (len(board), len(board), 0))
            self.assertLess(found["largest"], 1e-6)
        with self.subTest("a file without parameters, in which one number is another"):
            row = next(r for r in board if r["postprocessor"] == "knn" and r["dataset"] == "mean" and r["metric"] == "auroc")
            same = [row[name] for name in COLUMNS.strip().split(",")]
            other = [*same[:5], "far" if row["group"] == "near" else "near", *same[6:8], "1.5", ""]
            missing = ["CE", "NAC", *same[2:]]
            file = self.folder / "theirs.csv"
            file.write_text(COLUMNS + "".join(",".join(line) + "\n" for line in (same, other, missing)))
            out, _ = self.nearfar("report", "reproduction", "--against", file, *where)
            self.assertIn("1 of 2 numbers within", out)
            self.assertIn("No result of ours for 1 of 3", out)
            self.assertIn("beyond 0.5 points", out)
            forms = {form: self.folder / f"reproduction.{form}" for form in ("html", "markdown", "latex", "csv")}
            self.nearfar("report", "reproduction", "--against", file, *[word for form, path in forms.items() for word in (f"--{form}", path)], *where)
            for form, path in forms.items():
                self.assertIn("1.50", path.read_text(), form)
        with self.subTest("what is published elsewhere has no result here"):
            out, _ = self.nearfar("report", "reproduction", *where)
            self.assertIn("Nothing to compare.", out)
            self.assertRegex(out, r"No result of ours for (\d+) of \1")
            paper, _ = self.nearfar("report", "reproduction", "--published", "reweightood", "--layout", "paper", "--markdown", "-", *where)
            self.assertEqual(paper.count("No result of ours yet."), 6)  # four benchmarks, two of them with shifted images, too
            self.assertIn("| svhn | 0.32 ± 0.03 | – | 99.87 ± 0.01 | – |", paper)
        with self.subTest("the benchmark"):
            out, _ = self.nearfar("report", "benchmark", "smoke", *where)
            self.assertIn("Benchmark", self.nearfar("report", "benchmark", "smoke", "--markdown", "-", *where)[0])
            self.assertIn("How hard the sets are", out)
            document = json.loads(self.nearfar("report", "benchmark", "smoke", "--json", *where)[0])
            self.assertEqual(document["leaderboard"]["boards"][0]["benchmark"], "smoke")
            self.assertTrue(document["difficulty"])
            self.nearfar("report", "benchmark", "smoke", "--html", self.folder / "benchmark.html", *where)
            self.assertIn("<h1>Benchmark smoke</h1>", (self.folder / "benchmark.html").read_text())

    def test_a_benchmark_without_results(self):
        out, _ = self.nearfar("report", "benchmark", "cifar10")
        self.assertIn("No results of ours", out)
        self.assertIn("Published elsewhere: cifar10, protocol ood", out)

    def test_files_that_are_none_are_refused_by_line(self):
        self.run_smoke("losses=ce", "postprocessors=msp")
        file = self.folder / "theirs.csv"
        file.write_text(COLUMNS + "ce,msp,resnet8,smoke,ood,near,mean,auroc,ninety,\n")
        _, err = self.nearfar("report", "reproduction", "--against", file, "--out", self.folder / "out", code=6)
        self.assertIn("theirs.csv:2: 'ninety' is no number", err)
        _, err = self.nearfar("report", "reproduction", "--published", "openod", "--out", self.folder / "out", code=4)
        self.assertIn("openood-leaderboard", err)


if __name__ == "__main__":
    unittest.main()
