"""A database of a hundred thousand finished cells: how long the program takes with it. Prints seconds of processor time, which a busy machine changes less
than the time on the clock, and fails where one is several times what it should be."""
import os
import resource
import subprocess
import unittest
from pathlib import Path

from support import PROGRAM, SMOKE, Case

METHODS = ["msp", "mls", "ebo", "temp-scaling", "mcm", "gen", "klm", "openmax", "mds", "rmds", "knn", "nnguide", "react", "vra", "dice", "ash", "scale", "she", "vim",
           "residual", "gradnorm", "relation", "fdbd", "nci", "cfood", "cider", "reweightood", "t2fnorm"]
SEEDS = 2800  # of 36 cells each


class Size(Case):
    def seconds(self, *arguments):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out, _ = self.nearfar(*arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out

    def test_hundred_thousand_cells(self):
        prefix = Path(PROGRAM).parent.parent
        experiment = self.folder / "large.toml"
        experiment.write_text(f'extends = "{SMOKE}"\nname = "large"\nlosses = ["ce"]\npostprocessors = {METHODS}\nseeds = {list(range(SEEDS))}\n')
        self.start_program(os.environ["NEARFAR_LARGE_DATABASE"], experiment, self.folder / "out", prefix / "lib/nearfar/plugins",
                           NEARFAR_ENGINE=prefix / "libexec/nearfar/nearfar-engine", NEARFAR_SHARE=prefix / "share/nearfar")
        limits = {"plan": 2, "status": 0.2, "report": 3, "db": 10}
        for arguments in (("status",), ("plan", experiment), ("report", "--csv", "-"), ("db", "check")):
            took, out = self.seconds(*arguments, "--out", self.folder / "out")
            print(f"{arguments[0]:8} {took:.2f} s", flush=True)
            self.assertLess(took, 4 * limits[arguments[0]])
            if arguments[0] == "plan":
                self.assertIn("0 of 100800 cells to run", out)
            elif arguments[0] == "status":
                self.assertIn("100800 ok", out)

    def start_program(self, program, *arguments, **environment):
        subprocess.run([program, *map(str, arguments)], check=True, env={**os.environ, **{name: str(value) for name, value in environment.items()}})


if __name__ == "__main__":
    unittest.main()
