"""Several versions of a stranger's plugin: which one is taken, what is measured again, and what a result remembers."""
import csv
import hashlib
import json
import shutil
import unittest

from support import BAD_PLUGINS, SMOKE, Case

VERSIONS = BAD_PLUGINS.parent / "versioned_plugins"
QUICK = ("losses=ce", "seeds=0", "train.epochs=1", "tune=none", "-j", "1")


class PluginVersions(Case):
    def install(self, folder, *versions):
        folder = self.folder / folder
        folder.mkdir(parents=True, exist_ok=True)
        for version in versions:
            shutil.copy(VERSIONS / f"stranger_{version}.so", folder)
        return folder

    def run_with(self, postprocessors, *options, verb="run", code=0):
        return self.nearfar(verb, SMOKE, f"postprocessors={postprocessors}", *QUICK, "--out", self.folder / "out", *options, code=code)

    def rows(self):
        """Postprocessors of the leaderboard."""
        return {row["postprocessor"] for row in csv.DictReader(self.results().splitlines())}

    def strangers(self):
        return {label: cell for label, cell in self.status().items() if "stranger" in label}

    def show(self, cell):
        return json.loads(self.nearfar("show", cell["key"], "--json", "--out", self.folder / "out")[0])

    def test_the_list_says_what_is_hidden_by_what(self):
        first, second = self.install("first", "1_0"), self.install("second", "1_0", "1_2")
        (second / "broken.so").write_text("no library")
        options = ("--plugin-dir", first, "--plugin-dir", second)
        found = json.loads(self.nearfar("plugin", "list", "--kind", "postprocessor", "--json", *options)[0])
        ours = [plugin for plugin in found["plugins"] if plugin["name"] == "stranger"]
        self.assertEqual([(plugin["version"], plugin["path"]) for plugin in ours],
                         [("1.0.0", str(first / "stranger_1_0.so")), ("1.0.0", str(second / "stranger_1_0.so")),
                          ("1.2.0", str(second / "stranger_1_2.so"))])
        self.assertEqual({plugin["tier"] for plugin in ours}, {"exact"})
        self.assertEqual(ours[0]["hidden"], "")
        self.assertIn("no requirement leads", ours[1]["hidden"])
        self.assertIn("stranger@1.2.0 is this one", ours[2]["hidden"])
        self.assertEqual({plugin["kind"] for plugin in found["plugins"]}, {"postprocessor"})
        self.assertIn("knn", {plugin["name"] for plugin in found["plugins"]})
        self.assertEqual([refusal["path"] for refusal in found["refusals"]], [str(second / "broken.so")])
        text, _ = self.nearfar("plugin", "list", *options)
        self.assertIn("(stranger)", text)
        self.assertIn("refused: plugin", text)

    def test_requirements_make_cells_and_their_results_say_what_made_them(self):
        plugins = self.install("both", "1_0", "1_2")
        self.run_with("stranger,stranger@1.0.0,stranger@>=1.1,<2", "--plugin-dir", plugins)  # the first and third mean one
        cells = self.strangers()
        self.assertEqual(set(cells), {"ce/resnet8/s0 stranger@1.0.0", "ce/resnet8/s0 stranger@1.2.0"})
        self.assertEqual({name for name in self.rows() if name}, {"stranger@1.0.0", "stranger@1.2.0"})
        for version in ("1.0.0", "1.2.0"):
            details = self.show(cells[f"ce/resnet8/s0 stranger@{version}"])
            loss, plugin = details["plugins"]
            self.assertEqual((loss["kind"], loss["name"], loss["tier"]), ("loss", "ce", "exact"))
            self.assertEqual((plugin["name"], plugin["version"], plugin["tier"]), ("stranger", version, "exact"))
            file = plugins / f"stranger_{version[:3].replace('.', '_')}.so"
            self.assertEqual(plugin["binary_hash"], hashlib.sha256(file.read_bytes()).hexdigest())
            self.assertEqual(details["runs"][-1]["plugin"], plugin)
        one, other = (self.show(cell) for cell in cells.values())
        self.assertNotEqual([row["value"] for row in one["metrics"]], [row["value"] for row in other["metrics"]])
        text, _ = self.nearfar("show", cells["ce/resnet8/s0 stranger@1.0.0"]["key"], "--out", self.folder / "out")
        self.assertIn("plugin     postprocessor stranger 1.0.0, tier exact", text)
        # Nothing is left to do, whichever way the same is said.
        out, _ = self.run_with("stranger@^1.0,stranger@=1.0.0", "--plugin-dir", plugins, "--json", verb="plan")
        self.assertEqual({cell["label"] for cell in json.loads(out)["cells"] if cell["will_run"]}, set())

    def test_a_selection_may_have_a_requirement(self):
        plugins = self.install("both", "1_0", "1_2")
        self.run_with("stranger@1.0.0,stranger@1.2.0", "--plugin-dir", plugins, "-k", "stranger@<1.1")
        self.assertEqual({label for label, cell in self.strangers().items() if cell["state"] == "ok"}, {"ce/resnet8/s0 stranger@1.0.0"})
        _, err = self.run_with("stranger@1.0.0,stranger@1.2.0", "--plugin-dir", plugins, "-k", "stranger@>", code=4)
        self.assertIn("expected 1.2.0", err)

    def test_what_nothing_satisfies_is_told_with_what_there_is(self):
        plugins = self.install("both", "1_0", "1_2")
        _, err = self.run_with("stranger@>=2", "--plugin-dir", plugins, code=4)
        for part in ("no version of postprocessor 'stranger' satisfies '@>=2'", "1.0.0 (", "1.2.0 (", str(plugins)):
            self.assertIn(part, err)
        _, err = self.run_with("stranger@latest", "--plugin-dir", plugins, code=4)
        self.assertIn("'latest'", err)
        with open(plugins / "other.so", "wb") as other:
            other.write((plugins / "stranger_1_0.so").read_bytes() + b"more")
        _, err = self.run_with("stranger@1.0.0", "--plugin-dir", plugins, code=7)
        self.assertIn("other.so", err)
        self.assertIn("remove one", err)

    def test_versions_may_be_swept(self):
        plugins = self.install("both", "1_0", "1_2")
        config = self.folder / "sweep.toml"
        config.write_text(f'extends = "{SMOKE}"\nname = "sweep"\nlosses = "ce"\ntune = "none"\n[sweep.axes]\n'
                          'postprocessors = ["stranger@1.0.0", "stranger@1.2.0", "stranger"]\n')
        self.nearfar("run", config, "train.epochs=1", "--plugin-dir", plugins, "--out", self.folder / "out")
        self.assertEqual(set(self.strangers()), {"ce/resnet8/s0 stranger@1.0.0", "ce/resnet8/s0 stranger@1.2.0"})

    def test_an_upgrade_makes_a_new_cell_and_keeps_the_old_one(self):
        self.install("plugins", "1_0")  # the project's folder: nothing is to be said on the command line
        self.run_with("stranger")
        (old,) = self.strangers().values()
        self.install("plugins", "1_2")
        out, _ = self.run_with("stranger", "--json", verb="plan")
        self.assertEqual([cell["label"] for cell in json.loads(out)["cells"] if cell["will_run"]], ["ce/resnet8/s0 stranger"])
        self.run_with("stranger")
        kept = self.show(old)
        self.assertEqual((kept["state"], kept["plugins"][-1]["version"]), ("ok", "1.0.0"))
        self.assertIn({"factor": "postprocessor version", "here": "1.0.0", "elsewhere": ["1.2.0"]}, kept["differences"])
        document = json.loads(self.nearfar("report", "leaderboard", "--json", "-", "--out", self.folder / "out")[0])
        self.assertIn("stranger", json.dumps(document))
        (self.folder / "plugins/stranger_1_2.so").unlink()  # and back
        out, _ = self.run_with("stranger", "--json", verb="plan")
        self.assertFalse([cell for cell in json.loads(out)["cells"] if cell["will_run"]])

    def test_the_projects_folder_is_searched_by_all(self):
        project = self.folder / "project"
        self.install("project/plugins", "1_0")
        self.install("plugins", "1_2")  # of the working folder: comes after the one beside the experiment
        config = project / "mine.toml"
        config.write_text(f'extends = "{SMOKE}"\nname = "mine"\nlosses = "ce"\npostprocessors = "stranger"\ntune = "none"\n')
        out, _ = self.nearfar("plan", config, "--out", self.folder / "out", "--json", "--put")
        folders = [(entry["path"], entry["from"]) for entry in json.loads(self.nearfar("plugin", "path", "--json")[0])]
        self.assertEqual(folders[0], (str(self.folder / "plugins"), "project"))
        for words in (("plugin", "list"), ("list", "postprocessors"), ("doctor",)):
            self.assertIn("stranger", self.nearfar(*words)[0], words)
        # A worker in another folder finds what the planner found.
        database = self.folder / "out/results.sqlite"
        self.folder = self.folder / "elsewhere"
        self.folder.mkdir()
        self.assertNotIn("stranger", self.nearfar("plugin", "list")[0])
        self.nearfar("worker", "--db", database)
        cells = json.loads(self.nearfar("status", "--json", "--db", database)[0])["cells"]
        (cell,) = [cell for cell in cells if "stranger" in cell["label"]]
        details = json.loads(self.nearfar("show", cell["key"], "--json", "--db", database)[0])
        self.assertEqual((details["state"], details["plugins"][-1]["version"]), ("ok", "1.0.0"))

    def test_score_takes_a_requirement(self):
        plugins = self.install("both", "1_0", "1_2")
        self.run_with("msp")
        (features,) = (self.folder / "out/cache").iterdir()
        scores = {}
        for name in ("stranger", "stranger@1.0.0", "stranger@^1.1"):
            file = self.folder / "scores.npy"
            self.nearfar("score", name, "--features", features, "--set", "test", "-o", file, "--plugin-dir", plugins)
            scores[name] = file.read_bytes()
        self.assertEqual(scores["stranger"], scores["stranger@^1.1"])
        self.assertNotEqual(scores["stranger"], scores["stranger@1.0.0"])


if __name__ == "__main__":
    unittest.main()
