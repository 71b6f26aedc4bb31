"""Workers under a real Slurm: an array of them, of which one is asked to go and one is killed, does every cell once. Needs slurm-wlm and munge."""
import json
import os
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from ledger import Ledger, pid_of
from slurm import Slurm, missing_program
from support import SMOKE, Case

# Trainings of some seconds: long enough to be met at work.
EXPERIMENT = [SMOKE, "seeds=0,1", "train.epochs=20", "run.jobs=1"]


@unittest.skipIf(missing_program(), f"{missing_program()} is not installed: ./run test -L slurm installs Slurm")
class UnderSlurm(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="nearfar-slurm-")
        cls.addClassCleanup(folder.cleanup)
        cls.slurm = Slurm(folder.name)
        cls.addClassCleanup(cls.slurm.stop)

    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.slurm.ask("scancel", "--name=nearfar-smoke", check=False))
        self.out = self.folder / "out"
        self.database = self.out / "results.sqlite"

    def submit(self, workers, *options):
        out, _ = self.nearfar("submit", *EXPERIMENT, "--out", self.out, "--launcher", "slurm", "--workers", workers, "--json",
                              *[f"--option={option}" for option in options], PATH=self.slurm.environment["PATH"], SLURM_CONF=self.slurm.environment["SLURM_CONF"])
        document = json.loads(out)
        self.assertGreater(document["to_run"], 0)
        return document["job"]

    def wait_until(self, what, condition, seconds=180):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.2)
        logs = "\n".join(f"--- {log.name}\n{log.read_text()}" for log in sorted((self.out / "workers").glob("*.log")))
        self.fail(f"never happened: {what}\n{self.slurm.ask('scontrol', 'show', 'job', '-o', check=False)}\n{logs}")

    def workers(self):
        """Process of each task of the array that now runs a cell."""
        found = {}
        for owner in self.owners():
            try:
                variables = Path(f"/proc/{pid_of(owner)}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            for variable in variables:
                if variable.startswith(b"SLURM_ARRAY_TASK_ID="):
                    found[int(variable.split(b"=")[1])] = pid_of(owner)
        return found

    def owners(self):
        return Ledger.owners(self.database, "train")

    def states(self, job):
        return {index: fields["JobState"] for index, fields in self.slurm.jobs(job).items()}

    def ended(self, job, count):
        states = self.states(job)
        return states if len(states) == count and set(states.values()) <= {"COMPLETED", "FAILED", "CANCELLED"} else None

    def log(self, index):
        return (self.out / f"workers/worker-{index}.log").read_text()

    def assert_same_results_as_one_process(self):
        self.nearfar("run", *EXPERIMENT, "run.jobs=2", "--out", self.folder / "alone")
        self.assertEqual(self.results(), self.results("alone"))

    def test_one_worker_is_asked_to_go_and_one_is_killed(self):
        job = self.submit(3)
        workers = self.wait_until("three workers train", lambda: len(self.workers()) == 3 and self.workers())
        self.slurm.ask("scancel", "--signal=USR2", "--batch", f"{job}_0")  # what --signal=B:USR2@120 sends
        os.kill(workers[1], signal.SIGKILL)
        states = self.wait_until("all tasks end", lambda: self.ended(job, 3), seconds=300)
        self.assertEqual(states, {0: "COMPLETED", 1: "FAILED", 2: "COMPLETED"})
        tasks = self.slurm.jobs(job)
        self.assertEqual([tasks[index]["Restarts"] for index in range(3)], ["1", "0", "0"])
        self.assertEqual(tasks[1]["ExitCode"], "137:0")
        self.assertIn("handed back, queued again", self.log(0))
        self.assertEqual(self.log(0).count("worker 0 on"), 2, "the second life of a worker writes behind the first")
        ledger = Ledger(self.database)
        self.assertEqual(ledger.faults(), [])
        self.assertEqual(ledger.attempts("cancelled"), 1, "of the worker that was asked to go")
        self.assertEqual(ledger.attempts("crashed"), 1, "of the worker that was killed")
        self.assert_same_results_as_one_process()

    def test_a_job_of_higher_priority_takes_a_machine(self):
        """Slurm itself preempts: it sends the signal, and the worker comes back when the machine is free."""
        job = self.submit(2, "--cpus-per-task=2", "--partition=low")
        self.wait_until("two workers train", lambda: len(self.workers()) == 2)
        urgent = self.folder / "urgent.sh"
        urgent.write_text(f"#!/bin/bash\n#SBATCH --partition=high\n#SBATCH --cpus-per-task=2\n#SBATCH --output={self.folder}/urgent.log\nsleep 5\necho done\n")
        self.slurm.ask("sbatch", str(urgent))
        states = self.wait_until("all tasks end", lambda: self.ended(job, 2), seconds=300)
        self.assertEqual(set(states.values()), {"COMPLETED"})
        self.assertEqual((self.folder / "urgent.log").read_text(), "done\n")
        restarts = sorted(fields["Restarts"] for fields in self.slurm.jobs(job).values())
        self.assertEqual(restarts, ["0", "1"])
        ledger = Ledger(self.database)
        self.assertEqual(ledger.faults(), [])
        self.assertIn(ledger.attempts("cancelled"), (1, 2), "of one worker, which had two processors")
        self.assertEqual(ledger.attempts("crashed"), 0)

    def test_a_cancelled_array_hands_back_and_stays_cancelled(self):
        job = self.submit(2)
        self.wait_until("two workers train", lambda: len(self.workers()) == 2)
        self.slurm.ask("scancel", job)
        states = self.wait_until("all tasks end", lambda: self.ended(job, 2))
        self.assertEqual(states, {0: "CANCELLED", 1: "CANCELLED"})
        self.wait_until("the workers end", lambda: not self.owners())
        ledger = Ledger(self.database)
        self.assertEqual((ledger.attempts("cancelled"), ledger.attempts("crashed")), (2, 0))
        self.assertGreater(ledger.open_count(), 0)
        time.sleep(3)
        self.assertEqual(set(self.states(job).values()), {"CANCELLED"})


if __name__ == "__main__":
    unittest.main()
