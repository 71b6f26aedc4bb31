"""nearfar plugin new: what it writes for each kind, tier and language, and what it refuses. Building what it writes: tests/package/templates_test.py."""
import itertools
import json
import os
import unittest

from support import Case

FORMS = {"stable": (".cpp", ()), "exact": (".cpp", ()), "c": (".c", ()), "c rust": (".rs", ("--lang", "rust"))}


class PluginNew(Case):
    def new(self, *words, code=0):
        return self.nearfar("plugin", "new", *words, code=code)

    def files(self, name):
        return {str(path.relative_to(self.folder / name)): path.read_text() for path in (self.folder / name).rglob("*") if path.is_file()}

    def test_every_form_is_a_whole_project(self):
        for kind, (form, (suffix, options)) in itertools.product(("postprocessor", "loss"), FORMS.items()):
            name = f"my-{kind}-{form.replace(' ', '-')}"
            with self.subTest(name):
                out, _ = self.new(name, "--kind", kind, "--tier", form.split()[0], *options)
                self.assertIn(f"cd {name}\n", out)
                self.assertIn(name + suffix, out)
                files = self.files(name)
                self.assertLessEqual({name + suffix, "CMakeLists.txt", "CMakePresets.json", "README.md", "experiment.toml", ".gitignore",
                                      ".github/workflows/ci.yml", "test/CMakeLists.txt"}, set(files))
                self.assertIn("YOUR FORMULA", files[name + suffix])
                self.assertEqual([path for path, text in files.items() if "<%" in text or "%>" in text], [])
                self.assertIn(f"project({name} ", files["CMakeLists.txt"])
                self.assertIn("${{ vars.NEARFAR_DEB }}", files[".github/workflows/ci.yml"])
                json.loads(files["CMakePresets.json"])
                if suffix == ".cpp":
                    self.assertIn(f"nearfar_add_plugin({name} TIER {form} KIND {kind} SOURCES {name}.cpp)", files["CMakeLists.txt"])
                    self.assertIn(f"class My{kind.capitalize()}{form.capitalize()} final", files[name + suffix])

    def test_the_default_is_the_stable_tier(self):
        self.new("one", "--kind", "loss")
        self.assertIn("nearfar_add_plugin(one TIER stable KIND loss ", self.files("one")["CMakeLists.txt"])

    def test_names_that_plugins_cannot_have_are_refused(self):
        for name in ("My-method", "my_method", "my--method", "-method", "method-", "2nd", "a" * 41, "my method", "../method"):
            with self.subTest(name):
                _, err = self.new("--kind", "loss", "--", name, code=4)
                self.assertIn("expected small letters and digits", err)
        _, err = self.new("knn", "--kind", "postprocessor", code=4)
        self.assertIn("nearfar has a plugin 'knn' already", err)
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_does_not_fit_together_is_refused(self):
        self.new("mine", "--kind", "metric", code=4)
        self.new("mine", "--kind", "loss", "--tier", "c", "--lang", "go", code=4)
        _, err = self.new("mine", "--kind", "loss", "--lang", "rust", code=4)
        self.assertIn("--lang rust with --tier stable; expected --tier c", err)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_folder_that_is_there_is_left_alone(self):
        (self.folder / "mine").mkdir()
        (self.folder / "mine/README.md").write_text("of its owner")
        _, err = self.new("mine", "--kind", "loss", code=4)
        self.assertIn("mine exists already", err)
        self.assertEqual(self.files("mine"), {"README.md": "of its owner"})
        (self.folder / "mine/notes").write_text("more")
        self.new("mine", "--kind", "loss", "--force")
        self.assertEqual(self.files("mine")["notes"], "more")
        self.assertIn("# mine", self.files("mine")["README.md"])

    def test_a_link_that_leads_nowhere_is_not_written_through(self):
        (self.folder / "mine").symlink_to(self.folder / "elsewhere")
        self.new("mine", "--kind", "loss", code=4)
        self.new("mine", "--kind", "loss", "--force", code=4)
        self.assertEqual(os.listdir(self.folder), ["mine"])

    def test_the_folder_is_made_where_dir_says_whole_or_not_at_all(self):
        self.new("mine", "--kind", "postprocessor", "--dir", "some/where")
        self.assertEqual(os.listdir(self.folder / "some/where"), ["mine"])
        (self.folder / "file").write_text("no folder")
        self.new("mine", "--kind", "postprocessor", "--dir", "file", code=6)
        self.assertEqual((self.folder / "file").read_text(), "no folder")
        self.assertEqual(sorted(os.listdir(self.folder)), ["file", "some"])


if __name__ == "__main__":
    unittest.main()
