"""Killed in the middle of anything, the same command goes on and ends with the same numbers."""
import os
import random
import signal
import subprocess
import time
import unittest
from pathlib import Path
from support import PROGRAM, SMOKE, Case


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

    def test_killed_at_random_moments(self):
        """As often as NEARFAR_KILLS says (5); with the same table, byte for byte, in the end."""
        kills = int(os.environ.get("NEARFAR_KILLS", "5"))
        draw = random.Random(kills)
        for _ in range(kills):
            process = self.start("run", SMOKE, "--out", self.folder / "out")
            try:
                process.communicate(timeout=draw.uniform(0.05, 4))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self.go_on()

    def test_a_second_request_ends_an_engine_that_does_not_listen(self):
        """E5: the first asks for a checkpoint; the engine ignores it; the second kills."""
        engine = self.folder / "engine"
        engine.write_text(f"""#!/bin/sh
if [ "$1" = train ]; then trap '' TERM INT USR2; while true; do sleep 0.1; done; fi
exec "{Path(PROGRAM).parent.parent / 'libexec/nearfar/nearfar-engine'}" "$@"
""")
        engine.chmod(0o755)
        process = self.start("run", SMOKE, "--out", self.folder / "out", NEARFAR_ENGINE=str(engine))
        end = time.monotonic() + 60
        while not self.out("train.log") and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 2)
        self.assertNotIn("running", {cell["state"] for cell in self.status().values()})
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
