"""Many workers on one database, some of them killed at any moment: every cell is done exactly once. The workers are real, their engine does nothing."""
import os
import random
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from ledger import Ledger, pid_of
from support import PROGRAM, SMOKE, Case

FAKE_ENGINE = os.environ["NEARFAR_FAKE_ENGINE"]


class Sharing(Case):
    def share(self, workers, seeds, kills):
        """Puts 28 cells a seed and has them done; kills a worker `kills` times and begins another in its place."""
        out = self.folder / "out"
        database = out / "results.sqlite"
        self.nearfar("plan", SMOKE, f"seeds={','.join(map(str, range(seeds)))}", "--out", out, "--put")
        draw = random.Random(kills)
        logs = []

        def start():
            logs.append(self.folder / f"worker-{len(logs)}.log")
            with open(logs[-1], "w") as log:
                return subprocess.Popen([PROGRAM, "worker", "--db", database, "--quiet", "-j", "1"], stdout=log, stderr=log,
                                        env={**os.environ, "NEARFAR_ENGINE": FAKE_ENGINE, "NEARFAR_FAKE_MS": "5"})

        running = [start() for _ in range(workers)]
        self.addCleanup(lambda: [one.kill() or one.wait() for one in running if one.poll() is None])
        for done in range(kills):
            time.sleep(draw.uniform(0, 0.3))
            victim = self.one_at_work(draw, database, running)
            self.assertIsNotNone(victim, f"all ended after {done} of {kills} kills:\n{logs[-1].read_text()}")
            running[victim].kill()
            running[victim].wait()
            running[victim] = start()
        codes = [one.wait(timeout=1200) for one in running]
        said = "\n".join(log.read_text()[-500:] for log in logs[-workers:])
        ledger = Ledger(database)
        self.assertEqual(codes, [0] * workers, said)
        self.assertEqual(ledger.faults(), [], said)
        self.assertEqual(ledger.states(), {"ok": 28 * seeds, "not-applicable": 2 * seeds})
        self.assertEqual(ledger.metrics, (1 + 3) * seeds * 2 + 2 * seeds)
        print(f"{28 * seeds} cells, {workers} workers, {kills} kills: {ledger.attempts('crashed')} attempts were lost and made again", file=sys.stderr)
        return ledger

    def one_at_work(self, draw, database, running):
        """Index of a worker that runs a cell now; None where all have ended."""
        while any(one.poll() is None for one in running):
            at_work = {pid_of(owner) for owner in Ledger.owners(database)}
            victims = [index for index, one in enumerate(running) if one.poll() is None and one.pid in at_work]
            if victims:
                return draw.choice(victims)
            time.sleep(0.02)
        return None

    def test_three_workers_with_kills(self):
        ledger = self.share(workers=3, seeds=8, kills=4)
        self.assertGreater(ledger.attempts("crashed"), 0, "no kill met a worker at work")

    @unittest.skipUnless(os.environ.get("NEARFAR_SLOW"), "SKIPPED: ./run test -L slow runs it")
    def test_eight_workers_and_two_thousand_cells_with_kills(self):
        ledger = self.share(workers=8, seeds=72, kills=40)
        self.assertGreater(ledger.attempts("crashed"), 20, "most kills meet a worker at work")


if __name__ == "__main__":
    unittest.main()
