"""Workers under a real mpirun: four ranks, one of which is killed, do every cell once. Needs openmpi-bin."""
import json
import os
import shutil
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from ledger import Ledger, pid_of
from support import SMOKE, Case

MPIRUN = ["--option=--oversubscribe", "--option=--mca", "--option=btl_tcp_if_include", "--option=lo"]
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # a container of CI has no other user


@unittest.skipUnless(shutil.which("mpirun"), "mpirun is not installed: ./run test -L mpi installs Open MPI")
class UnderMpi(Case):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"
        self.database = self.out / "results.sqlite"

    def submit(self, *experiment):
        return self.start("submit", SMOKE, *experiment, "--out", self.out, "--launcher", "mpi", "--workers", "4", "--json", *MPIRUN, **ROOT)

    def test_four_ranks_share_the_cells(self):
        process = self.submit("seeds=0,1")
        out, err = process.communicate(timeout=600)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(json.loads(out.splitlines()[-1])["exit"], 0)
        for rank in range(4):
            self.assertIn(f"worker {rank} on", err)
        ledger = Ledger(self.database)
        self.assertEqual(ledger.faults(), [])
        self.assertEqual(ledger.attempts("ok"), ledger.states()["ok"])
        self.assertGreater(len(ledger.workers), 1, "more than one rank had work")
        self.assertEqual(set(ledger.states()), {"ok", "not-applicable"})

    def test_a_failed_cell_is_told_by_the_exit_code(self):
        """mpirun itself says 0 whatever its ranks say."""
        process = self.submit("losses=ce", "run.timeout_seconds=1", "train.epochs=4000")
        _, err = process.communicate(timeout=600)
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(Ledger(self.database).states()["timeout"], 1)

    def test_a_killed_rank_ends_no_other(self):
        process = self.submit("seeds=0,1", "train.epochs=10")
        end = time.monotonic() + 120
        owners = []
        while len(owners) < 2 and time.monotonic() < end:
            owners = Ledger.owners(self.database, "train")
            time.sleep(0.1)
        self.assertGreaterEqual(len(owners), 2)
        os.kill(pid_of(owners[0]), signal.SIGKILL)
        _, err = process.communicate(timeout=600)
        self.assertEqual(process.returncode, 0, err)  # every cell is valid, whoever did it
        ledger = Ledger(self.database)
        self.assertEqual(ledger.faults(), [], err)
        self.assertEqual(ledger.attempts("crashed"), 1)


if __name__ == "__main__":
    unittest.main()
