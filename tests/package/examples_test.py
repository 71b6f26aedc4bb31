"""The projects in examples/: built against the installed package, tested as their READMEs say, and in one matrix of 2 losses x 3 postprocessors."""
import csv
import itertools
import json
import shutil
import tempfile
import unittest
from pathlib import Path

from installed import SOURCE, execute, install

EXAMPLES = sorted(path.parent for path in (SOURCE / "examples").glob("*/CMakeLists.txt"))
LOSSES, POSTPROCESSORS = ("ce", "center"), ("msp", "knn", "cosine-prototypes")


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="nearfar examples "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        install(cls.folder / "installed")
        for example in EXAMPLES:
            project = cls.folder / example.name
            shutil.copytree(example, project, ignore=shutil.ignore_patterns("build", "runs"))
            for words in (("cmake", "--preset", "release"), ("cmake", "--build", "--preset", "release")):
                cls.execute(project, *words)

    @classmethod
    def execute(cls, project, *words):
        return execute(cls.folder / "installed", project, *words)

    def test_there_is_one_of_each_kind(self):
        self.assertEqual([example.name for example in EXAMPLES], ["loss-center", "postprocessor-cosine-prototypes"])

    def test_their_own_tests_pass(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                out = self.execute(self.folder / example.name, "ctest", "--preset", "release")
                self.assertIn("100% tests passed, 0 tests failed out of 2", out)

    def test_their_experiments_can_be_planned(self):
        for example in EXAMPLES:
            with self.subTest(example.name):
                self.execute(self.folder / example.name, "nearfar", "plan", "experiment.toml", "--plugin-dir", "build/plugins", "--out", "planned")

    def test_both_are_on_the_leaderboard_of_one_matrix(self):
        project = self.folder / "loss-center"
        folders = [word for example in EXAMPLES for word in ("--plugin-dir", self.folder / example.name / "build/plugins")]
        self.execute(project, "nearfar", "run", "experiment.toml", *folders, "--out", "matrix", f"losses={','.join(LOSSES)}",
                     f"postprocessors={','.join(POSTPROCESSORS)}")
        with (project / "matrix/leaderboard.csv").open() as board:
            rows = list(csv.DictReader(board))
        scored = {(row["training"], row["postprocessor"]) for row in rows if row["metric"] == "auroc"}
        self.assertEqual({(training.split()[0], postprocessor) for training, postprocessor in scored}, set(itertools.product(LOSSES, POSTPROCESSORS)))
        status = json.loads(self.execute(project, "nearfar", "status", "--json", "--out", "matrix"))
        self.assertEqual({cell["state"] for cell in status["cells"]}, {"ok"})


if __name__ == "__main__":
    unittest.main()
