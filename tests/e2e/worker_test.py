"""Workers: what a database holds is done by any number of them, with nothing but its file; and submit, which starts them."""
import json
import shutil
import signal
import sqlite3
import sys
import time
import unittest
from pathlib import Path
from support import SMOKE, Case

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cluster"))
from ledger import Ledger


class Worker(Case):
    def setUp(self):
        super().setUp()
        self.database = self.folder / "out/results.sqlite"

    def put(self, *extra):
        return self.nearfar("plan", SMOKE, "--out", self.folder / "out", "--put", *extra)

    def worker(self, *options, code=0):
        return self.nearfar("worker", "--db", self.database, *options, code=code)

    def test_workers_share_the_cells_and_give_the_results_of_one_run(self):
        self.put()
        both = [self.start("worker", "--db", self.database, "-j", "1") for _ in range(2)]
        for one in both:
            out, err = one.communicate(timeout=300)
            self.assertEqual(one.returncode, 0, out + err)
        ledger = Ledger(self.database)
        self.assertEqual(ledger.faults(), [])
        self.assertEqual(len(ledger.workers), 2)
        self.assertEqual(ledger.attempts("ok"), 28)
        self.nearfar("run", SMOKE, "--out", self.folder / "alone")
        self.assertEqual(self.results(), self.results("alone"), "the last one wrote the leaderboard")

    def test_the_database_is_all_that_a_worker_needs(self):
        file = self.folder / "mine.toml"
        file.write_text(f'extends = "{SMOKE}"\nname = "mine"\nlosses = ["ce"]\npostprocessors = ["knn"]\n')
        self.nearfar("plan", file, "postprocessors=msp", "--out", self.folder / "out", "--put")
        file.unlink()
        out, _ = self.worker("--json")
        document = json.loads(out)
        self.assertEqual((document["experiment"], document["ran"], document["left"]), ("mine", 7, 0))
        self.assertIn("ce/resnet8/s0 msp", self.status())

    def test_plan_put_runs_nothing_and_a_second_time_changes_nothing(self):
        out, _ = self.put()
        self.assertIn("28 of 28 cells to run", out)
        self.put()
        self.assertEqual(Ledger(self.database).states(), {"planned": 28, "not-applicable": 2})

    def test_asked_to_stop_it_hands_back_and_another_goes_on(self):
        for number in (signal.SIGTERM, signal.SIGUSR2):
            self.put("train.epochs=200", "losses=ce", "postprocessors=msp")
            process = self.start("worker", "--db", self.database)
            checkpoint = lambda: list((self.folder / "out").rglob("last.safetensors"))
            self.assertTrue(self.kill_when(process, checkpoint, number))
            self.assertEqual(process.returncode, 2)
            ledger = Ledger(self.database)
            self.assertEqual((ledger.attempts("cancelled"), ledger.states().get("running")), (1, None))
            self.worker("--max-cells", 1)
            ledger = Ledger(self.database)
            self.assertEqual(ledger.attempts("ok"), 1, "the training, from its checkpoint on")
            shutil.rmtree(self.folder / "out")

    def test_it_ends_when_its_time_is_over(self):
        self.put("train.epochs=4000", "losses=ce", "postprocessors=msp")
        _, err = self.worker("--until", "time=4s", code=2)
        self.assertIn("the time is over", err)
        self.assertEqual(set(Ledger(self.database).states()), {"planned"})

    def test_it_does_no_more_than_it_may(self):
        self.put()
        self.worker("--max-cells", 3)
        self.assertEqual(Ledger(self.database).states()["ok"], 3)
        self.worker()
        self.assertEqual(Ledger(self.database).faults(), [])

    def give_away(self, label, seconds):
        """The cell runs on a machine that nobody here can see, whose lease ends in so many seconds."""
        connection = sqlite3.connect(self.database)
        lease = int((time.time() + seconds) * 1000)
        connection.execute("UPDATE cell SET state = 'running', attempt = 1, owner = 'another-host:1:1', lease_unix_ms = ? WHERE label = ?", [lease, label])
        connection.execute("INSERT INTO run(uid, cell_key, attempt, state, owner, device, thread_count, engine_version, numerics, log_file, started_unix_ms)"
                           " SELECT '0', key, 1, 'running', owner, 'cpu', 1, '', '', '', 0 FROM cell WHERE label = ?", [label])
        connection.commit()
        connection.close()

    def test_it_waits_for_what_others_run_and_does_what_they_leave(self):
        self.put("losses=ce", "postprocessors=msp")
        self.give_away("ce/resnet8/s0", 8)
        _, err = self.worker()
        self.assertIn("waiting: others run 1 cells", err)
        ledger = Ledger(self.database)
        self.assertEqual(ledger.faults(), [])
        self.assertEqual((ledger.attempts("crashed"), ledger.attempts("ok")), (1, 7))
        self.assertTrue((self.folder / "out/leaderboard.csv").exists())

    def test_told_not_to_wait_it_leaves_what_others_run(self):
        self.put("losses=ce,supcon", "postprocessors=knn")
        self.give_away("ce/resnet8/s0", 3600)
        out, _ = self.worker("--no-wait", "--json")
        document = json.loads(out)
        self.assertEqual((document["ran"], document["elsewhere"]), (8, 8))
        self.assertFalse((self.folder / "out/leaderboard.csv").exists(), "somebody still works on it")

    def test_a_model_that_failed_takes_its_cells_along_and_the_others_are_shown(self):
        self.put("losses=ce,supcon", "run.timeout_seconds=3", "loss.supcon.train.epochs=4000", "postprocessors=knn", "train.epochs=1")
        self.worker(code=1)
        self.assertEqual(Ledger(self.database).states()["timeout"], 1)
        self.assertIn("ce,knn", self.results())

    def test_what_failed_is_not_tried_again_until_it_is_put_again(self):
        self.put("losses=ce", "run.timeout_seconds=1", "train.epochs=4000")
        self.worker(code=1)
        out, _ = self.worker(code=1)
        self.assertIn("1 cells failed before; `nearfar submit` or `nearfar run` tries them again", out)
        self.put("losses=ce", "run.timeout_seconds=0", "train.epochs=4000")
        self.assertNotIn("timeout", Ledger(self.database).states())

    def test_a_profile_names_the_paths_of_its_machine(self):
        benchmark = self.folder / "here/smoke.toml"
        benchmark.parent.mkdir()
        shutil.copy(SMOKE.parent.parent / "benchmarks/smoke.toml", benchmark)
        self.put(f"benchmark={benchmark}", "losses=ce", "postprocessors=msp")
        benchmark.parent.rename(self.folder / "there")
        _, err = self.worker(code=6)
        self.assertIn(str(benchmark), err)
        text, _ = self.worker("--print-profile")
        self.assertIn(f'"benchmarks.smoke" = "{benchmark}"', text)
        profile = self.folder / "there/machine.toml"
        profile.write_text('[paths]\n"benchmarks.smoke" = "smoke.toml"\nout = "results"\n')
        self.worker("--profile", profile)
        self.assertTrue(list((self.folder / "there/results/cells").rglob("best.safetensors")))
        self.assertEqual(Ledger(self.database).faults(), [])

    def test_other_images_than_those_of_the_plan_are_refused(self):
        benchmark = self.folder / "smoke.toml"
        text = (SMOKE.parent.parent / "benchmarks/smoke.toml").read_text()
        benchmark.write_text(text)
        self.put(f"benchmark={benchmark}", "losses=ce", "postprocessors=msp")
        benchmark.write_text(text.replace("mean = [0.5]", "mean = [0.4]"))
        _, err = self.worker(code=4)
        self.assertIn("open cells of experiment 'smoke' are others on this machine", err)
        self.assertIn("mean", err)

    def test_bad_input_says_what_to_do(self):
        _, err = self.worker(code=8)
        self.assertIn("there is no results database", err)
        self.put()
        _, err = self.worker("--experiment", "smoek", code=5)
        self.assertIn("did you mean 'smoke'?", err)
        _, err = self.worker("--until", "tomorrow", code=4)
        self.assertIn("expected idle or time=1h", err)
        _, err = self.worker("--until", "time=1", code=4)
        self.assertIn("'1' is no length of time", err)
        self.put("name=second")
        _, err = self.worker(code=4)
        self.assertIn("name one with --experiment: second, smoke", err)
        _, err = self.worker("--rank-from-env", "--experiment", "smoke", "--print-profile")
        self.assertIn("no number of MPI, Slurm, Kubernetes or torchrun", err)


class Submit(Case):
    def submit(self, *options, code=0, **environment):
        return self.nearfar("submit", SMOKE, "--out", self.folder / "out", *options, code=code, **environment)

    def test_local_workers_do_everything(self):
        out, _ = self.submit("--launcher", "local", "--workers", 3, "--jobs", 1, "--json")
        document = json.loads(out)
        self.assertEqual((document["to_run"], document["workers"], document["exit"]), (28, 3, 0))
        self.assertEqual(Ledger(self.folder / "out/results.sqlite").faults(), [])
        for index in range(3):
            self.assertIn(f"worker {index} on", (self.folder / f"out/workers/worker-{index}.log").read_text())
        out, _ = self.submit("--launcher", "local")
        self.assertIn("nothing to do", out)

    def test_local_workers_are_asked_to_stop_with_us(self):
        process = self.start("submit", SMOKE, "train.epochs=400", "--out", self.folder / "out", "--launcher", "local", "--jobs", "1")
        self.assertTrue(self.kill_when(process, lambda: len(list((self.folder / "out").rglob("last.safetensors"))) == 2, signal.SIGTERM))
        self.assertEqual(process.returncode, 2)
        ledger = Ledger(self.folder / "out/results.sqlite")
        self.assertEqual((ledger.attempts("cancelled"), ledger.states().get("running")), (2, None))

    def test_a_local_failure_is_told(self):
        self.submit("losses=ce", "run.timeout_seconds=1", "train.epochs=4000", "--launcher", "local", code=1)

    def test_printing_changes_nothing(self):
        for launcher in ("local", "slurm", "mpi"):
            out, _ = self.submit("--launcher", launcher, "--print")
            self.assertTrue(out.startswith("#!/bin/"))
            self.assertEqual(out.count(" worker --db "), 2 if launcher == "local" else 1)
        self.assertFalse((self.folder / "out").exists())

    def test_without_a_batch_system_it_says_where_the_script_is(self):
        for launcher, extra in (("slurm", []), ("mpi", []), ("k8s", ["--image", "x/nearfar:1"])):
            out, err = self.submit("--launcher", launcher, *extra, code=4, PATH="/nonexistent")
            script = self.folder / "out/workers" / ("job.yaml" if launcher == "k8s" else f"{launcher}.sh")
            self.assertTrue(script.exists())
            self.assertIn(str(script), err)
        self.assertEqual(Ledger(self.folder / "out/results.sqlite").states()["planned"], 28)

    def test_bad_input_says_what_to_do(self):
        _, err = self.submit("--launcher", "k8s", code=4)
        self.assertIn("needs --image", err)
        _, err = self.submit("--launcher", "k8s", "--image", "i", "--volume", "claim", code=4)
        self.assertIn("--volume is CLAIM:/FOLDER", err)
        _, err = self.submit("--launcher", "slurm", "--image", "i", code=4)
        self.assertIn("are for --launcher k8s", err)
        _, err = self.submit("--launcher", "slurmm", code=4)
        self.assertIn("--launcher", err)


if __name__ == "__main__":
    unittest.main()
