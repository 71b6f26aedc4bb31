"""Bad input: the exit code of DESIGN's table, and a message with what, where and what to do."""
import json
import unittest
from support import BAD_PLUGINS, SMOKE, SOURCE, Case


class Messages(Case):
    def config(self, text):
        file = self.folder / "x.toml"
        file.write_text(f'extends = "{SMOKE}"\n{text}')
        return file

    def test_a_typo_in_a_config_names_line_and_the_nearest_key(self):
        _, err = self.nearfar("run", self.config("[train]\nepochz = 3\n"), code=4)
        self.assertIn("x.toml:3:1", err)
        self.assertIn("did you mean 'epochs'?", err)

    def test_a_typo_in_a_plugin_parameter_names_its_line(self):
        _, err = self.nearfar("run", self.config("[postprocessor.knn]\nkk = 3\n"), code=4)
        self.assertIn("x.toml:3", err)
        self.assertIn("'kk'", err)

    def test_an_unknown_postprocessor_gets_a_suggestion(self):
        _, err = self.nearfar("run", SMOKE, "postprocessors=knnn", code=4)
        self.assertIn("did you mean 'knn'?", err)

    def test_a_missing_experiment_file_is_a_data_error(self):
        _, err = self.nearfar("run", self.folder / "missing.toml", code=6)
        self.assertIn("missing.toml", err)

    def test_shipped_experiments_are_found_by_name(self):
        out, _ = self.nearfar("plan", "smoke", "--out", self.folder / "out")
        self.assertIn("smoke", out)
        _, err = self.nearfar("plan", "smok", code=4)
        self.assertIn("no such shipped experiment; did you mean 'smoke'?; an experiment is a .toml file, or one of: board-cifar10, ", err)
        self.assertIn("evaluate-checkpoint, ", err)

    def test_a_missing_data_folder_names_it_and_the_fix(self):
        _, err = self.nearfar("run", SOURCE / "configs/experiments/quickstart.toml", f"data.root={self.folder / 'nowhere'}", code=6)
        self.assertIn("nowhere", err)

    def test_a_truncated_idx_file_names_it_and_the_fix(self):
        header = b"\0\0\x08\x03\0\0\0\x05\0\0\0\x1c\0\0\0\x1c"  # five images of 28 x 28
        (self.folder / "images").write_bytes(header + bytes(100))
        (self.folder / "labels").write_bytes(b"\0\0\x08\x01\0\0\0\x05" + bytes(5))
        (self.folder / "b.toml").write_text(
            f"""name = "b"
classes = ["all"]
[image]
channels = 1
height = 28
width = 28
mean = [0.5]
std = [0.5]
[root.here]
folder = "{self.folder}"
fix = "copy the files again"
[source.s]
type = "idx"
root = "here"
images = "images"
labels = "labels"
[[set]]
name = "train"
source = "s"
classes = [0]
first_per_class = 3
count = 3
[[set]]
name = "test"
source = "s"
classes = [0]
skip_per_class = 3
count = 2
"""
        )
        _, err = self.nearfar("run", SMOKE, f"benchmark={self.folder / 'b.toml'}", code=6)
        for part in (str(self.folder / "images"), "116 bytes", "3936 expected", "copy the files again"):
            self.assertIn(part, err)

    def test_a_plugin_of_another_build_is_refused_with_both_values(self):
        _, err = self.nearfar("run", SMOKE, "postprocessors=wrong-tag", "--plugin-dir", BAD_PLUGINS, "--out", self.folder / "out", code=7)
        self.assertIn("wrong_tag.so", err)
        self.assertIn("torch is '1.0.0'; this host has '2.", err)
        self.assertIn("rebuild", err)

    def test_a_plugin_that_throws_costs_only_its_own_cells(self):
        self.run_smoke("losses=ce", "postprocessors=throws,knn", "--plugin-dir", BAD_PLUGINS, code=1)
        cells = self.status()
        self.assertEqual(cells["ce/resnet8/s0 throws"]["state"], "failed")
        self.assertEqual(cells["ce/resnet8/s0 knn"]["state"], "ok")

    def test_a_plugin_that_ends_the_process_costs_only_its_own_cells(self):
        """Also while it looks inside the network, together with others: they go on in another process."""
        for call in ("observe", "fit", "score"):
            with self.subTest(call=call):
                out = self.folder / call
                self.nearfar("run", SMOKE, "losses=ce", "postprocessors=odin,crashes,knn", f"postprocessor.crashes.call={call}", "tune=none",
                             "--plugin-dir", BAD_PLUGINS, "--out", out, code=1)
                cells = {c["label"]: c for c in json.loads(self.nearfar("status", "--json", "--out", out)[0])["cells"]}
                self.assertEqual(cells["ce/resnet8/s0 crashes"]["state"], "crashed")
                self.assertRegex(cells["ce/resnet8/s0 crashes"]["message"], "(?i)signal|segmentation")
                self.assertEqual({cells[f"ce/resnet8/s0 {name}"]["state"] for name in ("odin", "knn")}, {"ok"})

    def test_cuda_without_a_gpu_says_why(self):
        doctor = json.loads(self.nearfar("doctor", "--json")[0])
        if doctor["engine"]["cuda"]["usable"]:
            self.skipTest("this machine has a usable GPU")
        _, err = self.nearfar("run", SMOKE, "--device", "cuda", "--out", self.folder / "out", code=4)
        self.assertIn(doctor["engine"]["cuda"]["reason"], err)

    def test_a_model_that_is_not_there_is_6_and_named(self):
        _, err = self.nearfar("run", SMOKE, "model.features=DIR", code=6)
        self.assertIn("'model.features=DIR': model.features 'DIR' is no folder", err)
        _, err = self.nearfar("run", SMOKE, "model.checkpoint=gone.ckpt", code=6)
        self.assertIn("model.checkpoint 'gone.ckpt' is not there", err)

    def test_a_pickle_that_would_run_something_is_refused_by_name(self):
        import pickle, zipfile
        class Bad:
            def __reduce__(self):
                import os
                return os.system, ("touch ran",)
        with zipfile.ZipFile(self.folder / "bad.ckpt", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bad(), protocol=2))
            archive.writestr("archive/version", "3\n")
        _, err = self.nearfar("run", SMOKE, "model.checkpoint=bad.ckpt", code=6)
        self.assertRegex(err, r"bad\.ckpt.*(posix|os).system")
        self.assertFalse((self.folder / "ran").exists())

    def test_export_refuses_what_has_no_scores(self):
        self.run_smoke("losses=ce", "postprocessors=msp")
        where = ("--out", self.folder / "out")
        _, err = self.nearfar("export", "ce/resnet8/s0", "--scores", self.folder / "s", *where, code=5)
        self.assertIn("has no scores", err)
        self.nearfar("export", "ce/resnet8/s0 msp", "--scores", self.folder / "s", *where)
        self.assertTrue((self.folder / "s/near/directions.npy").stat().st_size > 400)
        next((self.folder / "out/cells").rglob("scores/test.npy")).write_bytes(b"changed")
        _, err = self.nearfar("export", "ce/resnet8/s0 msp", "--scores", self.folder / "t", *where, code=6)
        self.assertIn("test.npy", err)
        self.assertFalse((self.folder / "t").exists())

    def test_nothing_to_run_is_5(self):
        self.nearfar("run", SMOKE, "losses=supcon", "postprocessors=msp", "--out", self.folder / "out", code=5)
        self.nearfar("status", code=5)

    def test_a_foreign_database_is_8(self):
        (self.folder / "x.sqlite").write_bytes(b"not a database at all, but long enough to look like a file with a header, or so")
        self.nearfar("status", "--db", self.folder / "x.sqlite", code=8)

    def test_bad_usage_is_4(self):
        self.nearfar("frobnicate", code=4)
        self.nearfar("metrics", "--id", "a.npy", code=4)

    def test_scores_that_are_not_numbers_are_6(self):
        (self.folder / "a.npy").write_bytes(b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }".ljust(69) + b"\n" + b"\0\0\xc0\x7f")
        _, err = self.nearfar("metrics", "--id", "a.npy", "--ood", "a.npy", code=6)
        self.assertIn("nan", err)


if __name__ == "__main__":
    unittest.main()
