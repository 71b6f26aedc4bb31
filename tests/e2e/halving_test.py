"""Searches by successive halving: who goes on is read from the database here, too, and compared."""
import json
import shlex
import signal
import sqlite3
import unittest
from contextlib import closing

from support import SMOKE, Case


class Search(Case):
    """Six learning rates, two seeds: 6 trials of 1 epoch, 2 of 2."""
    AXES = '"train.lr" = { between = [1e-4, 0.3], log = true }'
    SEARCH = """
extends = "{smoke}"
name = "search"
losses = ["{loss}"]
postprocessors = [{postprocessors}]
seeds = [0, 1]
[sweep]
{mode}
[sweep.halving]
first_epochs = 1
keep = 0.33
[sweep.axes]
{axes}
"""

    def experiment(self, loss="ce", postprocessors='"msp"', mode='mode = "random"\nsamples = 6\nseed = 1', axes=AXES):
        file = self.folder / "search.toml"
        file.write_text(self.SEARCH.format(smoke=SMOKE, loss=loss, postprocessors=postprocessors, mode=mode, axes=axes))
        return file

    def search(self, *extra, out="out", **arguments):
        return json.loads(self.nearfar("run", self.experiment(), *extra, "--json", "--out", self.folder / out, **arguments)[0])

    def rows(self, sql, *arguments, out="out"):
        with closing(sqlite3.connect(self.folder / out / "results.sqlite")) as database:
            return database.execute(sql, arguments).fetchall()

    def trials(self, epochs, curve="val_accuracy", out="out"):
        """Learning rate → mean over seeds of the last epoch's value, of trainings with so many epochs."""
        found = self.rows(
            "SELECT rate.value, curve.value FROM cell"
            " JOIN cell_factor AS rate ON rate.cell_key = cell.key AND rate.name = 'train.lr'"
            " JOIN cell_factor AS epochs ON epochs.cell_key = cell.key AND epochs.name = 'train.epochs'"
            " JOIN v_valid_run AS run ON run.cell_key = cell.key JOIN curve ON curve.run_uid = run.uid"
            " WHERE cell.kind = 'train' AND epochs.value = ?1 AND curve.name = ?2 AND curve.step = ?1 - 1", epochs, curve, out=out)
        values = {}
        for rate, value in found:
            values.setdefault(rate, []).append(value)
        return {rate: sum(both) / len(both) for rate, both in values.items() if len(both) == 2}

    def kinds(self, out="out"):
        """(learning rate, epochs) → kinds of the cells that its models have."""
        kinds = {}
        for rate, epochs, kind in self.rows(
                "SELECT rate.value, epochs.value, cell.kind FROM cell JOIN cell_factor AS rate"
                " ON rate.cell_key = model_key AND rate.name = 'train.lr' JOIN cell_factor AS epochs"
                " ON epochs.cell_key = model_key AND epochs.name = 'train.epochs'", out=out):
            kinds.setdefault((rate, epochs), set()).add(kind)
        return kinds

    @staticmethod
    def rates(trials):
        return [value for trial in trials for key, value in trial["settings"].items() if key.endswith(".lr")]


class Halving(Search):
    def test_the_best_by_validation_go_on_and_only_they_are_evaluated(self):
        plan = json.loads(self.nearfar("plan", self.experiment(), "--json", "--out", self.folder / "out")[0])
        self.assertEqual(plan["halving"]["rounds"], [{"trials": 6, "epochs": 1}, {"trials": 2, "epochs": 2}])
        self.assertEqual((plan["halving"]["next_round"], plan["halving"]["epochs"], plan["halving"]["full_epochs"]), (1, 10, 12))
        self.assertEqual([cell["kind"] for cell in plan["cells"]], ["train"] * 12)
        self.assertFalse((self.folder / "out").exists())
        order = self.rates(plan["points"])

        ran = self.search()
        self.assertEqual((ran["failed"], ran["left"]), (0, 0))
        first = self.trials(1)
        self.assertEqual(set(first), set(order))
        best = sorted(order, key=lambda rate: -first[rate])[:2]  # stable: the order of points decides
        done = ran["halving"]["done"]
        self.assertEqual(self.rates(trial for trial in done[0]["trials"] if trial["goes_on"]), [rate for rate in order if rate in best])
        for trial in done[0]["trials"]:
            self.assertAlmostEqual(trial["value"], first[trial["settings"]["train.lr"]], places=12)
            self.assertEqual([one["seed"] for one in trial["trainings"]], [0, 1])
        second = self.trials(2)
        self.assertEqual(set(second), set(best))
        left = sorted((rate for rate in order if rate in best), key=lambda rate: -second[rate])
        self.assertEqual(self.rates(ran["halving"]["survivors"]), left)
        # Nothing but trainings of those that did not go on, nor of a first round: no test image was looked at.
        kinds = self.kinds()
        self.assertEqual({key for key, found in kinds.items() if found == {"train"}}, {(rate, 1) for rate in order})
        self.assertEqual({key for key, found in kinds.items() if "eval" in found}, {(rate, 2) for rate in best})
        self.assertEqual(len(kinds), 8)
        states = {cell["state"] for cell in self.status().values()}
        self.assertEqual(states, {"ok"})

        again = self.search()
        self.assertEqual((again["ran"], again["left"], again["halving"]["survivors"]), (0, 0, ran["halving"]["survivors"]))
        plan = json.loads(self.nearfar("plan", self.experiment(), "--json", "--out", self.folder / "out")[0])
        self.assertEqual((plan["halving"]["next_round"], plan["cells_to_run"]), (3, 0))
        text, log = self.nearfar("run", self.experiment(), "--out", self.folder / "out")
        self.assertIn("left of 6 trials, each trained for 2 epochs", text)
        self.assertIn("all rounds: 0 cells ran", text)
        self.assertIn("round 1 of 2: 2 of 6 trials go on by val_accuracy", log)
        self.assertIn("every round is done", self.nearfar("plan", self.experiment(), "--out", self.folder / "out")[0])
        # A later postprocessor is for those that are left.
        more = self.search("postprocessors=msp,ebo")
        self.assertEqual(more["ran"], 4)

    def test_killed_in_the_first_round_the_same_command_goes_on(self):
        expected = self.search(out="reference")["halving"]
        for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 2)):
            out = f"killed-{number}"
            process = self.start("run", self.experiment(), "--json", "--out", self.folder / out)
            trained = lambda: len(list((self.folder / out).glob("cells/*/last.safetensors"))) > 2
            if self.kill_when(process, trained, number):
                self.assertEqual(process.returncode, code)
                self.assertFalse(self.rows("SELECT 1 FROM cell WHERE kind <> 'train'", out=out))
            resumed = self.search(out=out)
            self.assertGreater(resumed["done_before"], 0)
            self.assertEqual(resumed["halving"], expected)
            self.assertEqual((self.folder / out / "leaderboard.csv").read_text(), (self.folder / "reference/leaderboard.csv").read_text())
            self.assertEqual(self.nearfar("status", "--watch", "--out", self.folder / out)[1], "")

    def test_a_diverging_trial_is_dropped(self):
        grid = {"mode": 'mode = "grid"', "axes": '"train.lr" = [1e5, 0.01, 0.1]'}
        out, log = self.nearfar("run", self.experiment(**grid), "--json", "--out", self.folder / "out", code=1)
        ran = json.loads(out)["halving"]
        self.assertEqual([trial["value"] is None for trial in ran["done"][0]["trials"]], [True, False, False])
        self.assertEqual([one["state"] for one in ran["done"][0]["trials"][0]["trainings"]], ["nan", "nan"])
        self.assertEqual(len(ran["survivors"]), 1)
        self.assertIn("; 1 failed", log)
        grid["axes"] = '"train.lr" = [1e5, 2e5]'
        _, err = self.nearfar("run", self.experiment(**grid), "--out", self.folder / "none", code=5)
        self.assertRegex(err, r"round 1 of 2: all 2 trials have failed, so none goes on; ce/.*: nan: the loss is")

    def test_without_a_linear_head_the_validation_ood_set_decides(self):
        grid = {"loss": "supcon", "postprocessors": '"knn"', "mode": 'mode = "grid"', "axes": '"loss.supcon.train.lr" = [0.001, 0.02, 0.1]'}
        words = [self.experiment(**grid), "--json", "--out", self.folder / "out"]
        # Made before anybody asked for that curve: measured, not trained again.
        plain = json.loads(self.nearfar("run", *words, "~sweep.halving", "train.epochs=1")[0])
        self.assertEqual(plain["failed"], 0)
        checkpoints = {path: path.read_bytes() for path in (self.folder / "out/cells").glob("*/best.safetensors")}
        self.assertEqual(len(checkpoints), 6)
        plan = json.loads(self.nearfar("plan", *words)[0])
        self.assertEqual({cell["reason"] for cell in plan["cells"]}, {"done, but without run.ood_val"})
        ran = json.loads(self.nearfar("run", *words)[0])["halving"]
        self.assertEqual(ran["by"], "ood_val_auroc")
        measured = self.trials(1, "ood_val_auroc")
        self.assertEqual({trial["settings"]["loss.supcon.train.lr"]: trial["value"] for trial in ran["done"][0]["trials"]}, measured)
        self.assertEqual(self.rates(ran["survivors"]), sorted(measured, key=lambda rate: -measured[rate])[:1])
        for path, content in checkpoints.items():
            self.assertEqual(path.read_bytes(), content)
        fresh = json.loads(self.nearfar("run", *words[:2], "--out", self.folder / "fresh")[0])["halving"]
        self.assertEqual(fresh["done"][0], ran["done"][0])
        again = json.loads(self.nearfar("run", *words)[0])
        self.assertEqual((again["ran"], again["halving"]), (0, ran))
        _, err = self.nearfar("run", *words, "sweep.halving.by=val_accuracy", code=4)
        self.assertIn("a network that 'supcon' trains has none", err)

    def test_a_round_is_stored_as_an_experiment(self):
        grid = {"mode": 'mode = "grid"', "axes": '"train.lr" = [0.01, 0.02, 0.1]'}
        process = self.start("run", self.experiment(**grid), "train.epochs=40", "--out", self.folder / "out")
        self.assertTrue(self.kill_when(process, lambda: list((self.folder / "out").glob("cells/*/last.safetensors"))))
        _, err = self.nearfar("worker", "--out", self.folder / "out", code=4)
        self.assertIn("is round 1 of 2 of a search by [sweep.halving]: `nearfar run` does it", err)
        key, = self.rows("SELECT key FROM cell ORDER BY key LIMIT 1")[0]
        shown, _ = self.nearfar("show", key[:12], "--out", self.folder / "out")
        command = next(line for line in shown.splitlines() if "nearfar run" in line)
        words = shlex.split(command[command.index("nearfar run"):])[2:]
        words[words.index("--out") + 1] = str(self.folder / "again")
        ran = json.loads(self.nearfar("run", *words, "--json")[0])
        self.assertEqual((ran["ran"], ran["left"]), (1, 0))
        self.assertEqual(self.rows("SELECT key FROM cell WHERE state = 'ok'", out="again"), [(key,)])

    def test_one_command_on_one_machine(self):
        experiment = self.experiment()
        for words in (["plan", experiment, "--put"], ["submit", experiment, "--launcher", "local"]):
            _, err = self.nearfar(*words, "--out", self.folder / "out", code=4)
            self.assertRegex(err, r"search\.toml:11:1: \[sweep\.halving\] is a search.*`nearfar run` does it, on one machine")
        self.assertIn("decides by all of a round", self.nearfar("run", experiment, "-k", "s0", "--out", self.folder / "out", code=4)[1])
        self.assertFalse((self.folder / "out").exists())
        self.assertIn("rounds of halving: 6 x 1 epochs, 2 x 2", self.nearfar("config", "check", experiment)[0])
        shown = json.loads(self.nearfar("config", "show", experiment, "--json")[0])
        self.assertIn("first_epochs = 1", shown["composed"])
        self.assertIn("search.toml:13:8", self.nearfar("config", "explain", experiment, "sweep.halving.keep")[0])


if __name__ == "__main__":
    unittest.main()
