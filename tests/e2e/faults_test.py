"""Killed at every write to the database, with a full disk, with fifty readers: nothing is lost, nothing is there twice, and in the end the
database says what it says after an undisturbed run.

NEARFAR_SLOW=1 (`./run test -L slow`) does all of it: 200 writes, before and after each, and 100 random moments.
"""
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from support import SMOKE, Case

SLOW = os.environ.get("NEARFAR_SLOW") == "1"
# A process that is killed loses nothing of what it wrote, flushed or not: in memory the thousands of flushes cost nothing.
if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2 << 30:
    tempfile.tempdir = "/dev/shm"
MODELS = 4
NEIGHBOURS = range(1, 37)  # of kNN, a cell each
METHODS = ["msp", "mls", "ebo", "mcm", "gen", "gradnorm", "knn", "mds", "rmds", "react", "vra", "scale", "ash", "she", "dice", "klm", "nci", "fdbd", "nnguide"]
# What does not depend on when, by whom and in how many attempts it was made.
FACTS = {
    "cell": "SELECT key, kind, state, flags, message FROM cell",
    "result": "SELECT cell_key, classifier, flags, count(*) FROM v_valid_run GROUP BY cell_key",
    **{table: f"SELECT cell_key, {columns} FROM v_valid_run JOIN {table} ON run_uid = uid" for table, columns in {
        "metric": "protocol, set_group, dataset, metric, value_fraction",
        "measure": "set_name, name, unit, value",
        "score_set": "set_name, path, sha256, score_count",
        "artifact": "name, path, sha256, size_bytes",
        "tune_point": "place, params, auroc_fraction, chosen"}.items()},
}


def facts(database):
    with sqlite3.connect(database) as connection:
        return {name: sorted(connection.execute(sql).fetchall(), key=repr) for name, sql in FACTS.items()}


class Faults(Case):
    """MODELS feature folders, which differ in one number, METHODS on each, one of them with many parameters: about 200 cells, each a write or two.
    Few models, because each costs the start of an engine."""

    @classmethod
    def setUpClass(cls):
        first = cls("prepare")
        first.setUp()
        cls.addClassCleanup(first.doCleanups)
        first.run_smoke("losses=ce", f"postprocessors={','.join(METHODS)}", "train.epochs=1")
        cache = next((first.folder / "out/cache").glob("*/train")).parent
        cls.experiment = first.folder / "faults.toml"
        lines = ['name = "faults"', 'benchmark = "smoke"', f"postprocessors = {json.dumps(METHODS)}", "[run]", "jobs = 2",
                 "[sweep]", 'mode = "grid"', "[sweep.axes]", f'"postprocessor.knn.k" = {list(NEIGHBOURS)}']
        for seed in range(MODELS):
            folder = first.folder / f"features{seed}"
            shutil.copytree(cache, folder)
            file = folder / "test/features.npy"
            content = file.read_bytes()
            file.write_bytes(content[:-4] + struct.pack("<f", 0.1 * seed))
            lines += ["[[model]]", f'features = "{folder}"', 'label = "made"', f"seed = {seed}"]
        cls.experiment.write_text("\n".join(lines) + "\n")
        first.nearfar("run", cls.experiment, "--out", first.folder / "undisturbed")
        cls.expected = facts(first.folder / "undisturbed/results.sqlite")

    def prepare(self):
        pass

    def run_to_the_end(self):
        self.nearfar("run", self.experiment, "--out", self.folder / "out")
        self.check_integrity()
        found = facts(self.folder / "out/results.sqlite")
        for name, rows in self.expected.items():
            self.assertTrue(found[name] == rows, f"table {name} is not as after an undisturbed run")
        self.assertTrue(all(row[-1] == 1 for row in found["result"]), "one result a cell")

    def check_integrity(self):
        database = self.folder / "out/results.sqlite"
        if database.exists():
            with sqlite3.connect(database) as connection:
                self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
                self.assertEqual(connection.execute("PRAGMA foreign_key_check").fetchall(), [])

    def results_of(self):
        database = self.folder / "out/results.sqlite"
        if not database.exists():
            return set()
        with sqlite3.connect(database) as connection:
            try:
                return set(connection.execute("SELECT cell_key, uid FROM v_valid_run"))
            except sqlite3.OperationalError:  # killed before its schema was there
                return set()

    def killed_at_write(self, moment, number):
        """The program ends at that write, and the same command goes on without losing a result. False: there are not so many writes."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        process = self.start("run", self.experiment, "--out", self.folder / "out", NEARFAR_FAULT=f"kill-{moment}-write={number}")
        _, err = process.communicate(timeout=600)
        if process.returncode == 0:
            return False
        self.assertEqual(process.returncode, -9, err)
        self.check_integrity()
        before = self.results_of()
        self.run_to_the_end()
        self.assertLessEqual(before, self.results_of(), "a finished result was made again")
        return True

    def test_killed_at_every_write(self):
        most = 200
        numbers = range(1, most + 1, 1 if SLOW else 53)
        killed = 0
        for number in numbers:
            for moment in ("before", "after") if SLOW else (("before", "after")[number % 2],):
                with self.subTest(moment=moment, number=number):
                    killed += self.killed_at_write(moment, number)
        self.assertEqual(killed, 2 * most if SLOW else len(numbers), "the experiment has too few writes")

    def test_killed_at_random_moments(self):
        """Over and over in one folder, until it is done."""
        seed = random.randrange(1 << 30)
        draw = random.Random(seed)
        kills = 0
        for _ in range(100 if SLOW else 3):
            if kills % 5 == 0:
                shutil.rmtree(self.folder / "out", ignore_errors=True)
            process = self.start("run", self.experiment, "--out", self.folder / "out")
            before = self.results_of()
            try:
                process.communicate(timeout=draw.uniform(0.05, 4))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            kills += process.returncode == -9
            self.check_integrity()
            self.assertLessEqual(before, self.results_of(), f"seed {seed}")
        self.run_to_the_end()

    def test_one_killed_writer_after_the_other(self):
        """Each process lives for so many writes only."""
        for _ in range(400):
            process = self.start("run", self.experiment, "--out", self.folder / "out", NEARFAR_FAULT=f"kill-after-write={8 if SLOW else 100}")
            process.communicate(timeout=600)
            if process.returncode == 0:
                break
            self.check_integrity()
        self.assertEqual(process.returncode, 0)
        self.run_to_the_end()

    @unittest.skipUnless(os.geteuid() == 0, "only root may mount a small disk")
    def test_full_disk_stops_with_exit_8_and_goes_on_when_there_is_room(self):
        disk = self.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False).returncode != 0:
            self.skipTest("a small disk cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        arguments = ("run", self.experiment, "--out", self.folder / "out", "--db", disk / "results.sqlite")
        _, err = self.nearfar(*arguments, code=8)
        self.assertIn("disk is full", err)
        self.assertIn(str(disk), err)
        subprocess.run(["mount", "-o", "remount,size=100M", disk], check=True)
        with sqlite3.connect(disk / "results.sqlite") as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.nearfar(*arguments)
        self.assertTrue(facts(disk / "results.sqlite") == self.expected)

    def test_fifty_readers_and_four_writers_do_not_wait_for_each_other_in_vain(self):
        self.nearfar("run", self.experiment, "--out", self.folder / "out", code=-9, NEARFAR_FAULT="kill-after-write=3")
        writers = [self.start("run", self.experiment, "--out", self.folder / "out", "run.jobs=1", "--quiet") for _ in range(4)]
        wrong, reads, done = [], [], threading.Event()

        def read():
            while not done.is_set():
                reader = self.start("status", "--json", "--out", self.folder / "out")
                out, err = reader.communicate(timeout=600)
                reads.append(1)
                if reader.returncode != 0 or not json.loads(out)["cells"]:
                    wrong.append(err)
                    return
                if not SLOW and len(reads) > 100:
                    return

        readers = [threading.Thread(target=read) for _ in range(50)]
        for reader in readers:
            reader.start()
        try:
            ends = [(writer.communicate(timeout=600)[1], writer.returncode) for writer in writers]
        finally:
            done.set()
        for reader in readers:
            reader.join()
        self.assertEqual(wrong, [])
        self.assertGreater(len(reads), 50)
        for err, code in ends:
            self.assertIn(code, (0, 1), err)  # 1: cells were left to the other writers
            self.assertNotIn("database error", err)
        self.run_to_the_end()


class Merged(Case):
    def test_two_hosts_make_one_leaderboard(self):
        words = ("losses=ce", "postprocessors=msp,knn", "train.epochs=1")
        for host in ("a", "b"):
            self.nearfar("run", SMOKE, *words, "--out", self.folder / host)
        out, _ = self.nearfar("merge", "a/results.sqlite", "b/results.sqlite", "-o", "all.sqlite", "--json")
        merged = json.loads(out)
        self.assertEqual([shard["new_runs"] for shard in merged["shards"]], [merged["results"]] * 2)
        self.assertEqual(merged["disagreements"], [], "one machine: bit-equal")
        again = json.loads(self.nearfar("merge", "b/results.sqlite", "a/results.sqlite", "-o", "all.sqlite", "--json")[0])
        self.assertEqual([shard["new_runs"] for shard in again["shards"]], [0, 0])
        boards = [self.nearfar("report", "--csv", "-", "--db", database)[0] for database in ("a/results.sqlite", "all.sqlite")]
        self.assertEqual(*boards)
        # The files beside the shards are found from the merged database.
        self.nearfar("db", "check", "--deep", "--db", "all.sqlite")
        self.nearfar("export", "ce/resnet8/s0 knn", "--scores", "scores", "--db", "all.sqlite")
        # A checkpoint of a that is worse: its number is flagged, in the table, too.
        with sqlite3.connect(self.folder / "b/results.sqlite") as connection:
            connection.execute("UPDATE metric SET value_fraction = value_fraction / 2 WHERE metric = 'auroc'")
        out, _ = self.nearfar("merge", "a/results.sqlite", "b/results.sqlite", "-o", "other.sqlite")
        self.assertIn("disagree: ce/resnet8/s0 knn", out)
        self.assertIn("runs-disagree", self.nearfar("report", "--csv", "-", "--db", "other.sqlite")[0])

    def test_check_backup_and_gc(self):
        self.run_smoke("losses=ce", "postprocessors=msp", "train.epochs=1")
        out = self.folder / "out"
        self.assertIn("all is well", self.nearfar("db", "check", "--deep", "--out", out)[0])
        self.nearfar("db", "backup", "copy.sqlite", "--out", out)
        self.nearfar("db", "backup", "copy.sqlite", "--out", out, code=4)
        self.assertIn("0 files", self.nearfar("db", "gc", "--out", out)[0])
        # Another number of epochs is another cell: the first one's files stay, because its result is one.
        self.run_smoke("losses=ce", "postprocessors=msp", "train.epochs=2")
        self.assertIn("0 files", self.nearfar("db", "gc", "--out", out)[0])
        stray = out / "cells/0123456789abcdef"
        stray.mkdir()
        (stray / "best.safetensors").write_bytes(b"x" * 100)
        found = json.loads(self.nearfar("db", "gc", "--dry-run", "--json", "--out", out)[0])
        self.assertEqual((found["bytes"], len(found["removed"])), (100, 1))
        self.nearfar("db", "gc", "--out", out)
        self.assertFalse(stray.exists())
        self.run_smoke("losses=ce", "postprocessors=msp", "train.epochs=2")
        self.assertIn("all is well", self.nearfar("db", "check", "--out", out)[0])
        next(out.glob("cells/*/scores/test.npy")).unlink()
        text, _ = self.nearfar("db", "check", "--out", out, code=8)
        self.assertIn("test.npy: cannot be read", text)

    def test_network_file_system_is_refused_with_advice(self):
        out, err = self.nearfar("run", SMOKE, "--out", self.folder / "out", code=8, NEARFAR_FAULT="file-system=0x6969")
        self.assertIn("NFS", err)
        self.assertIn("nearfar merge", err)
        found = json.loads(self.nearfar("doctor", "--json", NEARFAR_FAULT="file-system=0x6969")[0])["findings"]
        self.assertFalse(next(one for one in found if one["name"] == "file system")["ok"])


if __name__ == "__main__":
    unittest.main()
