"""The smoke experiment with its results on a PostgreSQL server: by two runs at once, and through a restart of the server."""
import json
import sys
import time
import unittest
import urllib.error
import urllib.request
from support import SMOKE, SOURCE, Case

sys.path.insert(0, str(SOURCE / "tests/support"))
import postgres  # noqa: E402  (tests/support)


class Postgres(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.Server().__enter__()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        super().setUp()
        self.address = self.server.create(f"e2e_{time.monotonic_ns()}")
        self.secret = self.address.replace("@", ":s3cret@", 1)  # trusted without it; nobody is to repeat it

    def board(self):
        return self.nearfar("report", "leaderboard", "--csv", "-", "--db", self.address)[0]

    def expected(self):
        """What the same experiment gives in a file of SQLite."""
        self.nearfar("run", SMOKE, "--out", self.folder / "sqlite")
        return self.results("sqlite")

    def wait(self, *processes, codes=(0, 1)):
        said = ""
        for process in processes:
            out, err = process.communicate(timeout=1200)
            self.assertIn(process.returncode, codes, out + err)
            said += out + err
        return said

    def test_two_runs_at_once_give_the_same_table_as_sqlite(self):
        runs = [self.start("run", SMOKE, "--out", self.folder / "out", "--db", self.secret, "run.jobs=1") for _ in range(2)]
        said = self.wait(*runs)  # 1: what the other one still had when nothing was left
        self.assertNotIn("s3cret", said)
        out, _ = self.nearfar("run", SMOKE, "--out", self.folder / "out", "--json", NEARFAR_DB=self.secret)
        again = json.loads(out)
        self.assertEqual((again["ran"], again["failed"], again["database"]), (0, 0, self.address))
        self.assertEqual(self.board(), self.expected())
        database = self.address.rsplit("/", 1)[1]
        dump = self.server.run("pg_dump", "-h", self.server.folder, "-U", "tester", database)
        self.assertIn("supcon", dump)
        self.assertNotIn("s3cret", dump + "".join(path.read_text(errors="replace") for path in (self.folder / "out").rglob("*.*") if path.is_file()))
        self.assertEqual(self.server.sql(database, "SELECT count(*) FROM nearfar.run WHERE attempt > 1").strip(), "0")

    def test_every_reading_verb_reads_from_the_server(self):
        where = {"NEARFAR_DB": self.secret}
        plan = json.loads(self.nearfar("plan", SMOKE, "--json", "--out", self.folder / "out", **where)[0])["cells"]
        self.assertTrue(all(cell["reason"] == "new" for cell in plan if cell["will_run"]))
        _, err = self.nearfar("status", code=8, **where)
        self.assertIn("run an experiment first", err)
        self.nearfar("run", SMOKE, "--out", self.folder / "out", "losses=ce", "postprocessors=knn", **where)
        self.assertFalse((self.folder / "out/results.sqlite").exists())
        status = json.loads(self.nearfar("status", "--json", **where)[0])
        self.assertEqual(status["database"], self.address)
        cell = next(cell for cell in status["cells"] if cell["label"] == "ce/resnet8/s0 knn")
        shown = json.loads(self.nearfar("show", cell["id"], "--json", **where)[0])
        self.assertTrue(shown["metrics"] and shown["scores"])
        self.assertTrue(json.loads(self.nearfar("list", "cells", "--json", **where)[0]))
        self.nearfar("export", cell["id"], "--scores", self.folder / "scores", **where)
        self.assertTrue(list((self.folder / "scores").rglob("*.npy")))
        plan = json.loads(self.nearfar("plan", SMOKE, "--json", "--out", self.folder / "out", "losses=ce", "postprocessors=knn", **where)[0])
        self.assertFalse([cell for cell in plan["cells"] if cell["will_run"]])
        doctor = json.loads(self.nearfar("doctor", "--json", **where)[0])
        self.assertIn(self.address, next(f["message"] for f in doctor["findings"] if f["name"] == "database"))

    def test_pages_are_served_from_the_server_while_a_run_writes(self):
        server = self.start("serve", "--port", "0", "--json", NEARFAR_DB=self.secret)
        said = json.loads(server.stdout.readline())
        self.assertEqual(said["database"], self.address)
        run = self.start("run", SMOKE, "--out", self.folder / "out", "--db", self.address, "losses=ce", "postprocessors=knn")
        seen = set()
        while run.poll() is None:
            try:
                with urllib.request.urlopen(said["url"] + "api/status.json", timeout=60) as answer:
                    seen |= {one["ended_well"] for one in json.load(answer)["experiments"]}
            except urllib.error.HTTPError as error:  # the schema is not there yet
                self.assertEqual(error.code, 503, error.read())
            time.sleep(0.05)
        self.wait(run, codes=(0,))
        self.assertGreater(len(seen), 1, "cells were not seen to come")
        with urllib.request.urlopen(said["url"] + "api/leaderboard.json", timeout=60) as answer:
            board, tag = answer.read().decode(), answer.headers["ETag"]
        self.assertEqual(board, self.nearfar("report", "--json", "--db", self.address)[0])
        with self.assertRaises(urllib.error.HTTPError) as unchanged:
            urllib.request.urlopen(urllib.request.Request(said["url"] + "api/leaderboard.json", headers={"If-None-Match": tag}), timeout=60)
        self.assertEqual(unchanged.exception.code, 304)
        pages = "".join(urllib.request.urlopen(said["url"] + page, timeout=60).read().decode() for page in ("", "cells", "leaderboard"))
        self.assertIn(self.address.replace("/", "&#x2F;"), pages.replace("/", "&#x2F;"))
        self.assertNotIn("s3cret", pages)
        server.terminate()
        self.assertNotIn("s3cret", "".join(server.communicate(timeout=60)))
        self.assertEqual(server.returncode, 0)

    def test_a_machine_that_does_not_see_the_files_throws_nothing_away(self):
        arguments = (SMOKE, "--out", self.folder / "out", "--db", self.address, "losses=ce", "postprocessors=knn")
        self.nearfar("run", *arguments)
        database = self.address.rsplit("/", 1)[1]
        self.server.sql(database, "UPDATE nearfar.location SET host = 'lab7', root = '/mnt/lab7/out'")
        for verb in ("plan", "run"):
            _, err = self.nearfar(verb, *arguments, code=8)
            self.assertIn("lab7:/mnt/lab7/out holds files of finished cells and is not seen on this machine", err)
        self.assertEqual(self.server.sql(database, "SELECT count(*) FROM nearfar.cell WHERE state <> 'ok'").strip(), "0")

    def test_a_restart_of_the_server_loses_nothing(self):
        run = self.start("run", SMOKE, "--out", self.folder / "out", "--db", self.address)
        database = self.address.rsplit("/", 1)[1]
        for _ in range(1200):
            time.sleep(0.05)
            try:
                if int(self.server.sql(database, "SELECT count(*) FROM nearfar.cell WHERE state = 'ok'")) >= 2:
                    break
            except RuntimeError:  # the schema is not there yet
                pass
        self.server.stop()
        self.assertIsNone(run.poll())
        time.sleep(1)
        self.server.start()
        self.wait(run, codes=(0,))
        self.assertEqual(self.board(), self.expected())

    def test_what_cannot_be_reached_or_read_is_said_with_what_to_do(self):
        nobody = "postgresql://ann:s3cret@" + str(self.folder).replace("/", "%2F") + "/ood"
        for address, code, words in ((nobody, 8, ["cannot connect", "pg_isready"]),
                                     (self.address + "_no", 8, ["does not exist", "createdb"]),
                                     ("postgresql://ann:s3cret@lab", 4, ["names no database", "postgresql://USER@HOST/NAME"]),
                                     ("postgresql://ann:s3cret%zz@lab/ood", 4, ["postgresql://USER@HOST/NAME"])):
            out, err = self.nearfar("status", "--db", address, code=code)
            for word in words:
                self.assertIn(word, err)
            self.assertNotIn("s3cret", out + err)


if __name__ == "__main__":
    if postgres.binaries() is None:
        print(postgres.SKIPPED)
        sys.exit(0)
    unittest.main()
