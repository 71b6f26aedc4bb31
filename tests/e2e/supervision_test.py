"""Engines that misbehave cost their own cells; runs that are disturbed end as if they had not been; and the commands around both."""
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest
from pathlib import Path
from support import BAD_PLUGINS, PROGRAM, SMOKE, Case

SMALL = (SMOKE, "losses=ce", "postprocessors=msp,knn", "tune=none")


def processes_of(pid):
    """Numbers and command lines of everything that the process has started, and that has started."""
    parents, lines = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            lines[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat[stat.rindex(")") + 2:].split()[1])
    found, more = set(), {pid}
    while more:
        found |= more
        more = {child for child, parent in parents.items() if parent in found} - found
    return {number: lines[number] for number in found - {pid} if number in lines}


def wait_for_engine(process, verb, seconds=120):
    """The id of the engine that `process` has started for `verb`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        for number, line in processes_of(process.pid).items():
            if re.search(f"nearfar-engine {verb}$", line):
                return number
        time.sleep(0.01)
    raise AssertionError(f"no engine does '{verb}'")


def is_gone(pid):
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def dump(out):
    """Everything that a run finds out, times aside."""
    with sqlite3.connect(f"file:{out}/results.sqlite?mode=ro", uri=True) as database:
        rows = lambda sql: sorted(database.execute(sql).fetchall(), key=repr)
        join = "FROM v_valid_run JOIN cell ON cell.key = cell_key JOIN {0} ON {0}.run_uid = v_valid_run.uid"
        return {
            "cells": rows("SELECT key, kind, label, state, flags, identity_json FROM cell"),
            "metrics": rows("SELECT key, protocol, set_group, dataset, metric, value_fraction " + join.format("metric")),
            "measures": rows("SELECT key, set_name, name, value " + join.format("measure") + " WHERE set_name <> ''"),
            "scores": rows("SELECT key, set_name, sha256, score_count " + join.format("score_set")),
            "curves": rows("SELECT key, curve.name, step, value " + join.format("curve") + " WHERE curve.name NOT LIKE '%per_second'"),
            "checkpoints": rows("SELECT key, sha256 " + join.format("artifact") + " WHERE artifact.name = 'checkpoint'"),
        }


class Misbehaviour(Case):
    """Each in a copy of a folder with a trained network: only the plugin's own cell may suffer."""

    @classmethod
    def setUpClass(cls):
        base = cls("base")
        base.setUp()
        cls.addClassCleanup(base.doCleanups)
        base.nearfar("run", SMOKE, "losses=ce", "postprocessors=knn", "--out", base.folder / "out")
        cls.trained = base.folder / "out"

    def base(self):
        pass

    def try_out(self, plugin, what, state, message, *words, code=1, **environment):
        """The cell of the plugin ends in `state` with a `message`; msp beside it is done. Returns the folder."""
        out = self.folder / f"{plugin}-{'-'.join(what.values())}"
        shutil.copytree(self.trained, out)
        parameters = [f"postprocessor.{plugin}.{name}={value}" for name, value in what.items()]
        start = time.monotonic()
        self.nearfar("run", SMOKE, "losses=ce", f"postprocessors={plugin},msp", "tune=none", *parameters, "run.retries=0", "--plugin-dir",
                     BAD_PLUGINS, "--out", out, *words, code=code, **environment)
        self.assertLess(time.monotonic() - start, 60)
        cells = self.status(out)
        cell = next(cell for label, cell in cells.items() if label.startswith(f"ce/resnet8/s0 {plugin}"))
        self.assertEqual(cell["state"], state, cell)
        self.assertRegex(cell["message"], message)
        self.assertEqual(cells["ce/resnet8/s0 msp"]["state"], "ok")
        self.assertEqual(cells["ce/resnet8/s0 knn"]["state"], "ok")
        return out

    def misbehave(self, what, state, message, *words, **more):
        return self.try_out("misbehaves", {"what": what}, state, message, *words, **more)

    def test_exceptions_of_every_kind(self):
        self.try_out("throws", {"what": "std"}, "failed", "score: a private exception")
        self.try_out("throws", {"what": "number"}, "failed", "not a std::exception")

    def test_scores_that_are_none(self):
        self.try_out("wrong-shape", {"result": '"nan"'}, "failed", "row 1 of .* is nan")
        self.try_out("wrong-shape", {"result": "matrix"}, "failed", r"expected \[\d+\] Float")

    def test_abort_and_segmentation_fault(self):
        self.misbehave("abort", "crashed", r"signal 6 \(Aborted\).* at most.*eval\.log")
        self.try_out("crashes", {"call": "score"}, "crashed", r"signal 11 \(Segmentation fault\)", "protocols=ood")

    def test_an_exception_on_a_thread_of_its_own(self):
        self.misbehave("thread", "crashed", "nothing caught: on a thread of its own: the engine was ended by signal 6")

    def test_stack_overflow(self):
        self.misbehave("overflow", "crashed", "the stack overflowed: the engine was ended by signal 11")

    def test_exit_with_0_is_no_success(self):
        self.misbehave("exit", "crashed", "ended with exit code 0 before the cell was done")

    def test_a_hang_is_noticed(self):
        self.misbehave("hang", "hung", "no sign of life for run.hung_seconds = 3;", "run.hung_seconds=3")

    def test_a_slow_cell_that_reports_does_not_hang(self):
        self.misbehave("slow", "ok", "^$", "run.hung_seconds=3", code=0)

    def test_a_cell_that_takes_too_long(self):
        self.misbehave("hang", "timeout", "run.timeout_seconds = 2", "--timeout", "2")

    def test_a_fork_bomb_is_capped(self):
        self.misbehave("forks", "crashed", "started more processes than it may")

    def test_what_left_its_group_does_not_outlive_it(self):
        file = self.folder / "daemon"
        self.misbehave("daemon", "crashed", "signal 6", NEARFAR_TEST_DAEMON=str(file))
        self.assertTrue(is_gone(int(file.read_text())))

    def test_memory_beyond_the_limit(self):
        self.misbehave("leak", "oom", r"out of memory; it held .* at most, run.memory_limit is 700 MiB", "--memory-limit", "700MiB")
        self.misbehave("leak-shared", "oom", r"more than run.memory_limit = 700 MiB \(it held .* at most\)", "--memory-limit", "700MiB")

    def test_what_it_prints_is_no_message(self):
        out = self.misbehave("prints", "ok", "^$", code=0)
        self.assertIn("not a message", self.nearfar("logs", "ce/resnet8/s0 misbehaves", "--out", out)[0])

    def test_writing_to_its_input(self):
        self.misbehave("writes", "crashed", "memory was written that may only be read")

    def test_three_crashes_and_it_is_left_alone(self):
        out = self.folder / "out"
        _, err = self.nearfar("run", SMOKE, "losses=ce", "seeds=0,1,2,3", "postprocessors=misbehaves,msp", "postprocessor.misbehaves.what=abort",
                              "train.epochs=1", "-j", "1", "--retries", "1", "--plugin-dir", BAD_PLUGINS, "--out", out, code=1)
        self.assertIn("quarantined in this run after 3 crashes", err)
        states = [cell["state"] for label, cell in self.status(out).items() if "misbehaves" in label]
        # Which ones depends on what the processors had time for while the first waited for its second try.
        self.assertEqual(set(states), {"crashed", "planned"})
        self.assertLessEqual(states.count("crashed"), 3)
        self.assertEqual({cell["state"] for label, cell in self.status(out).items() if "msp" in label}, {"ok"})


class Disturbed(Case):
    """The same command again ends with exactly the cells and numbers of a run that nobody disturbed."""
    EXPERIMENT = SMALL
    SECONDS = 300  # of a run at most
    DISK, ROOMS = "32m", (150_000, 400_000, 900_000)

    @classmethod
    def setUpClass(cls):
        reference = cls("reference")
        reference.setUp()
        cls.addClassCleanup(reference.doCleanups)
        reference.nearfar("run", *cls.EXPERIMENT, "--out", reference.folder / "out")
        cls.expected = dump(reference.folder / "out")

    def reference(self):
        pass

    def run_small(self, out="out", code=0):
        return self.nearfar("run", *self.EXPERIMENT, "--out", self.folder / out, code=code)

    def start_small(self, out="out"):
        return self.start("run", *self.EXPERIMENT, "--out", self.folder / out)

    def same(self, out="out"):
        self.assertEqual(dump(self.folder / out), self.expected)

    def test_ctrl_c_hands_back_in_seconds(self):
        for verb in ("train", "eval"):
            with self.subTest(verb=verb):
                process = self.start_small(verb)
                wait_for_engine(process, verb)
                start = time.monotonic()
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)
                self.assertLess(time.monotonic() - start, 20)
                self.assertEqual(process.returncode, 2)
                self.assertNotIn("running", {cell["state"] for cell in self.status(verb).values()})
                self.run_small(verb)
                self.same(verb)

    def test_a_killed_parent_leaves_no_process(self):
        for verb in ("train", "eval"):
            with self.subTest(verb=verb):
                process = self.start_small(verb)
                wait_for_engine(process, verb)
                started = processes_of(process.pid)
                process.kill()
                process.communicate()
                end = time.monotonic() + 10
                while time.monotonic() < end and not all(map(is_gone, started)):
                    time.sleep(0.05)
                self.assertTrue(all(map(is_gone, started)), started)
                self.run_small(verb)
                self.same(verb)

    def test_a_killed_child_is_tried_again_by_the_same_run(self):
        for verb in ("train", "eval"):
            with self.subTest(verb=verb):
                process = self.start_small(verb)
                os.kill(wait_for_engine(process, verb), signal.SIGKILL)
                _, err = process.communicate(timeout=self.SECONDS)
                self.assertEqual(process.returncode, 0, err)
                self.assertRegex(err, r"crashed .*signal 9 \(Killed\)")
                self.assertIn("try 2 of 2", err)
                self.same(verb)

    def test_from_two_shells_at_once(self):
        both = [self.start_small(), self.start_small()]
        for process in both:
            _, err = process.communicate(timeout=self.SECONDS)
            self.assertIn(process.returncode, (0, 1), err)  # 1: the other was still at it
        self.same()

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system: needs root")
    def test_a_full_disk(self):
        out = self.folder / "out"
        out.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.DISK}", "none", out], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("may not mount a file system here")
        self.addCleanup(subprocess.run, ["umount", "-l", out])
        codes = []
        for room in self.ROOMS:
            with self.subTest(room=room):
                ballast = out / "ballast"
                ballast.unlink(missing_ok=True)
                free = os.statvfs(out).f_bavail * os.statvfs(out).f_frsize
                ballast.write_bytes(bytes(max(0, free - room)))
                process = self.start_small()
                _, err = process.communicate(timeout=self.SECONDS)
                codes.append(process.returncode)
                if process.returncode != 0:
                    self.assertIn(process.returncode, (1, 8), err)
                    self.assertRegex(err, "(?i)disk is full|no space left")
                    self.assertNotIn("bug", err)
        self.assertNotEqual(set(codes), {0}, "the disk was never full")
        (out / "ballast").unlink()
        self.run_small()
        self.same()


@unittest.skipUnless(os.environ.get("NEARFAR_SLOW"), "only ./run test -L slow")
class DisturbedAblation(Disturbed):
    """The same of 120 cells on real images."""
    EXPERIMENT = (SMOKE.parent / "quickstart-ablation.toml",)
    SECONDS = 3600
    DISK, ROOMS = "512m", (3_000_000, 40_000_000, 100_000_000)


class Commands(Case):
    @classmethod
    def setUpClass(cls):
        shared = cls("shared")
        shared.setUp()
        cls.addClassCleanup(shared.doCleanups)
        shared.nearfar("run", SMOKE, "losses=ce,supcon", "postprocessors=throws,misbehaves,knn", "train.epochs=1", "tune=none", "--plugin-dir",
                       BAD_PLUGINS, "--out", shared.folder / "out", code=1)
        cls.made = shared.folder / "out"

    def shared(self):
        pass

    def copy(self):
        shutil.copytree(self.made, self.folder / "out")
        return self.folder / "out"

    def test_status_of_selected_cells(self):
        cells = lambda *words: [c["label"] for c in json.loads(self.nearfar("status", "--json", "--out", self.made, *words)[0])["cells"]]
        self.assertEqual(cells("-k", "knn and not ce"), ["supcon/resnet8/s0 knn"])
        key = self.status(self.made)["ce/resnet8/s0 knn"]["key"]
        self.assertEqual(cells("-k", key[:10]), ["ce/resnet8/s0 knn"])
        self.nearfar("status", "--out", self.made, "-k", "nothing", code=5)
        _, err = self.nearfar("status", "--out", self.made, "-k", "knn and", code=4)
        self.assertIn("found the end at column 8", err)

    def test_plan_and_run_of_selected_cells(self):
        words = (SMOKE, "losses=ce,supcon", "postprocessors=msp,knn", "train.epochs=1", "tune=none")
        plan = json.loads(self.nearfar("plan", *words, "-k", "ce and msp", "--json")[0])
        runs = {cell["label"] for cell in plan["cells"] if cell["will_run"] and cell["kind"] != "features"}
        self.assertEqual(runs, {"ce/resnet8/s0", "ce/resnet8/s0 msp"})
        self.nearfar("run", *words, "-k", "ce and msp", "--out", self.folder / "out")
        states = self.status()
        self.assertEqual({label for label, cell in states.items() if cell["state"] == "ok" and cell["kind"] != "features"}, runs)
        self.nearfar("run", *words, "-k", "gram", "--out", self.folder / "out", code=5)

    def test_last_failed_and_max_failures(self):
        out = self.copy()
        words = (SMOKE, "losses=ce,supcon", "postprocessors=throws,misbehaves,knn", "train.epochs=1", "tune=none", "--plugin-dir", BAD_PLUGINS)
        summary = json.loads(self.nearfar("run", *words, "--last-failed", "--out", out, "--json", code=1)[0])
        self.assertEqual((summary["ran"], summary["failed"]), (0, 1))
        summary = json.loads(self.nearfar("run", SMOKE, "losses=ce", "seeds=0,1,2", "postprocessors=throws", "train.epochs=1", "-j", "1", "--plugin-dir",
                                          BAD_PLUGINS, "--max-failures", "2", "--out", self.folder / "two", "--json", code=1)[0])
        self.assertEqual(summary["failed"], 2)
        self.assertGreater(summary["left"], 0)
        (self.folder / "ok").mkdir()
        self.nearfar("run", *SMALL, "train.epochs=1", "--out", self.folder / "ok")
        _, err = self.nearfar("run", *SMALL, "train.epochs=1", "--last-failed", "--out", self.folder / "ok", code=5)
        self.assertIn("no failed cell of experiment 'smoke'", err)

    def test_retry_takes_the_experiment_from_the_database(self):
        out = self.copy()
        before = self.status()["ce/resnet8/s0 throws"]
        self.assertEqual((before["state"], before["attempt"]), ("failed", 1))
        self.nearfar("retry", "--db", out / "results.sqlite", "--state", "oom,hung", code=5)
        self.nearfar("retry", "--db", out / "results.sqlite", "-k", "supcon", code=5)
        self.nearfar("retry", "--db", out / "results.sqlite", "--state", "failed", "-k", "throws", code=1)
        after = self.status()
        self.assertEqual((after["ce/resnet8/s0 throws"]["state"], after["ce/resnet8/s0 throws"]["attempt"]), ("failed", 2))
        self.assertEqual({cell["attempt"] for label, cell in after.items() if "knn" in label}, {1}, "nothing else ran")

    def test_retry_of_a_training_does_what_waited_for_it(self):
        engine = self.folder / "engine"
        real = Path(PROGRAM).parent.parent / "libexec/nearfar/nearfar-engine"
        engine.write_text(f'#!/bin/sh\nif [ "$1" = train ]; then exit 9; fi\nexec "{real}" "$@"\n')
        engine.chmod(0o755)
        self.nearfar("run", *SMALL, "--retries", "0", "--out", self.folder / "out", code=1, NEARFAR_ENGINE=str(engine))
        self.assertEqual(self.status()["ce/resnet8/s0"]["state"], "crashed")
        self.nearfar("retry", "--out", self.folder / "out")
        self.assertEqual({cell["state"] for cell in self.status().values()}, {"ok"})

    def test_logs(self):
        out, _ = self.nearfar("logs", "ce/resnet8/s0", "--out", self.made)
        self.assertIn("done in", out)
        self.nearfar("logs", "nobody", "--out", self.made, code=5)

    def test_logs_and_status_follow_a_run(self):
        run = self.start("run", *SMALL, "train.epochs=20", "--out", self.folder / "out")
        wait_for_engine(run, "train")
        watch = self.start("status", "--watch", "--out", self.folder / "out")
        logs = self.start("logs", "ce/resnet8/s0", "-f", "--out", self.folder / "out")
        out, err = logs.communicate(timeout=120)
        self.assertEqual(logs.returncode, 0, err)
        self.assertIn("done in", out)
        run.communicate(timeout=120)
        out, err = watch.communicate(timeout=120)
        self.assertEqual(watch.returncode, 0, err)
        self.assertNotIn("\x1b", out)
        lines = out.splitlines()
        self.assertRegex("\n".join(lines), r"ce/resnet8/s0 knn  (running|ok)")
        self.assertRegex(lines[-1], r"^\d+ ok$")
        self.assertEqual(len(lines), len(set(lines)), "nothing is said twice")

    def test_show_gives_the_command_that_makes_a_cell_again(self):
        cells = [cell for cell in self.status(self.made).values() if cell["state"] == "ok" and cell["label"].startswith("supcon")]
        kinds = {}
        for cell in cells:
            kinds.setdefault(cell["kind"], cell)
        kinds["eval"] = next(cell for cell in cells if cell["label"].endswith("misbehaves") or cell["label"].endswith("knn"))
        self.assertEqual(set(kinds), {"train", "features", "accuracy", "eval"})
        for kind, cell in kinds.items():
            with self.subTest(kind=kind):
                command = json.loads(self.nearfar("show", cell["key"], "--json", "--out", self.made)[0])["reproduce"]
                self.assertIn(command, self.nearfar("show", cell["key"], "--out", self.made)[0])
                words = shlex.split(command)
                self.assertEqual(words[:2], ["nearfar", "run"])
                self.nearfar(*words[1:])
                again = {c["key"]: c for c in self.status(Path("out") / f"again-{cell['id']}").values()}
                self.assertEqual(again[cell["key"]]["state"], "ok")
                others = {c["label"] for c in again.values() if c["state"] == "ok" and c["kind"] in ("eval", "accuracy")}
                self.assertLessEqual(others, {cell["label"]}, "nothing but it and what it needs")

    def test_show_gives_the_command_for_a_cell_of_a_sweep(self):
        self.nearfar("run", SMOKE, "losses=ce", "postprocessors=knn", "train.epochs=1", "train.lr=0.1,0.3", "tune=none", "--out", self.folder / "sweep")
        cell = self.status("sweep")["ce/resnet8/s0 lr=0.3 knn"]
        command = json.loads(self.nearfar("show", cell["key"], "--json", "--out", self.folder / "sweep")[0])["reproduce"]
        self.nearfar(*shlex.split(command)[1:])
        again = {c["key"]: c for c in self.status(Path("out") / f"again-{cell['id']}").values()}
        self.assertEqual(again[cell["key"]]["state"], "ok")
        self.assertEqual([c["label"] for c in again.values() if c["state"] == "ok" and c["kind"] == "train"], ["ce/resnet8/s0 lr=0.3"])


if __name__ == "__main__":
    unittest.main()
