"""What `nearfar plugin new` writes, of every kind, tier and language: built against the installed package, tested as it says, inspected and run. Where there is
no rustc, Rust is skipped."""
import csv
import json
import shutil
import tempfile
import unittest
from pathlib import Path

from installed import execute, install


class Templates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="nearfar templates "))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        install(cls.folder / "installed")

    def execute(self, folder, *words):
        return execute(self.folder / "installed", folder, *words)

    def whole_way(self, kind, tier, *language):
        """plugin new, build, test, inspect, run, leaderboard."""
        name = "-".join(("my", kind, tier, *language[1:]))
        self.execute(self.folder, "nearfar", "plugin", "new", name, "--kind", kind, "--tier", tier, *language)
        project = self.folder / name
        self.execute(project, "cmake", "--preset", "release")
        self.execute(project, "cmake", "--build", "--preset", "release")
        self.assertEqual([path.name for path in (project / "build/plugins").iterdir()], [f"{name}.so"])
        self.assertIn("100% tests passed, 0 tests failed out of 2", self.execute(project, "ctest", "--preset", "release"))
        found = json.loads(self.execute(project, "nearfar", "plugin", "inspect", f"build/plugins/{name}.so", "--json"))
        self.assertIn(f'"{tier}"', json.dumps(found))
        self.execute(project, "nearfar", "run", "experiment.toml", "--plugin-dir", "build/plugins", "--out", "runs")
        with (project / "runs/leaderboard.csv").open() as board:
            self.assertIn(name, {row["training" if kind == "loss" else "postprocessor"] for row in csv.DictReader(board)})

    def test_a_postprocessor_of_tier_stable(self):
        self.whole_way("postprocessor", "stable")

    def test_a_postprocessor_of_tier_exact(self):
        self.whole_way("postprocessor", "exact")

    def test_a_postprocessor_in_c(self):
        self.whole_way("postprocessor", "c")

    @unittest.skipUnless(shutil.which("rustc"), "no rustc (./run test -L package installs it)")
    def test_a_postprocessor_in_rust(self):
        self.whole_way("postprocessor", "c", "--lang", "rust")

    def test_a_loss_of_tier_stable(self):
        self.whole_way("loss", "stable")

    def test_a_loss_of_tier_exact(self):
        self.whole_way("loss", "exact")

    def test_a_loss_in_c(self):
        self.whole_way("loss", "c")

    @unittest.skipUnless(shutil.which("rustc"), "no rustc (./run test -L package installs it)")
    def test_a_loss_in_rust(self):
        self.whole_way("loss", "c", "--lang", "rust")


if __name__ == "__main__":
    unittest.main()
