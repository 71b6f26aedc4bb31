"""Killed in the middle of anything, the same command goes on and ends with the same numbers."""
import signal
import unittest
from support import SMOKE, Case


class Resume(Case):
    @classmethod
    def setUpClass(cls):
        reference = cls("reference")
        reference.setUp()
        cls.addClassCleanup(reference.doCleanups)
        reference.run_smoke()
        cls.expected = reference.results()

    def reference(self):
        pass

    def out(self, pattern):
        try:
            return list((self.folder / "out").rglob(pattern))
        except FileNotFoundError:  # a temporary folder was renamed while we walked
            return []

    def go_on(self):
        self.run_smoke()
        self.assertEqual(self.results(), self.expected)
        states = {cell["state"] for cell in self.status().values()}
        self.assertLessEqual(states, {"ok", "not-applicable"})

    def test_killed_in_training(self):
        self.kill_run_when(lambda: self.out("last.safetensors"))
        self.go_on()

    def test_killed_between_cells(self):
        self.kill_run_when(lambda: len(self.out("scores/test.npy")) >= 1, "run.jobs=1")
        self.go_on()

    def test_killed_while_scores_are_written(self):
        self.kill_run_when(lambda: self.out("scores/near/*.npy"))
        self.go_on()

    def test_interrupted_politely_hands_back_and_exits_2(self):
        process = self.kill_run_when(lambda: self.out("last.safetensors"), "train.epochs=40", number=signal.SIGTERM)
        self.assertEqual(process.returncode, 2)
        self.assertNotIn("running", {cell["state"] for cell in self.status().values()})

    def test_a_lost_checkpoint_is_trained_again(self):
        self.run_smoke()
        for file in self.out("best.safetensors"):
            file.unlink()
        self.go_on()

    def test_a_damaged_checkpoint_is_trained_again(self):
        self.run_smoke()
        file = self.out("best.safetensors")[0]
        file.write_bytes(file.read_bytes()[:-100])
        self.go_on()

    def test_a_lost_score_file_is_scored_again(self):
        self.run_smoke()
        self.out("scores/test.npy")[0].unlink()
        self.go_on()


if __name__ == "__main__":
    unittest.main()
