"""Whole runs on the fake device (harness/fake_device) against the CPU: every checkpoint, feature and score to the byte."""
import hashlib
import json
import os
import unittest

from support import SMOKE, Case, apart

FAKE = os.environ["NEARFAR_FAKE_MODULE"]

POSTPROCESSORS = [
    "adascale-a", "adascale-l", "ash", "cfood", "cider", "dice", "dropout", "ebo", "fdbd", "gen", "gradnorm", "gram", "iodin", "klm", "knn", "mcm",
    "mds", "mds-ensemble", "mls", "msp", "nci", "nnguide", "odin", "openmax", "palm", "random", "rankfeat", "react", "relation", "residual",
    "reweightood", "rmds", "scale", "she", "t2fnorm", "temp-scaling", "vim", "vra",
]


SMALL_VIM = "postprocessor.vim.dim=32"  # of 64 features


def hash_of(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


class OnTheFakeDevice(Case):
    def run_on(self, device, *words, out, code=0, **environment):
        if device != "cpu":
            environment["NEARFAR_DEVICE_MODULE"] = FAKE
        return self.nearfar("run", SMOKE, "--device", device, "--out", self.folder / out, *words, code=code, **environment)

    def files(self, out):
        """Path → hash of everything that holds numbers. Features lie in a folder named after the model."""
        found = {}
        for pattern in ("*.safetensors", "*.npy"):
            for file in (self.folder / out).rglob(pattern):
                found[str(file.relative_to(self.folder / out))] = hash_of(file)
        return found

    def assert_same_files(self, one, other):
        first, second = self.files(one), self.files(other)
        self.assertEqual(sorted(first), sorted(second))
        self.assertEqual([name for name in first if first[name] != second[name]], [])
        return first

    def test_trainings_and_scores_are_the_cpus_to_the_byte(self):
        self.run_on("cpu", out="cpu")
        self.run_on("cuda", out="device")
        files = self.assert_same_files("cpu", "device")
        self.assertEqual(sum(name.endswith("best.safetensors") for name in files), 3)
        shown = self.nearfar("show", "ce/resnet8/s0", "--out", self.folder / "device", NEARFAR_DEVICE_MODULE=FAKE)[0]
        self.assertRegex(shown, r"device +\d+ copies to it \([\d.]+ MiB\), \d+ back \([\d.]+ MiB\), \d+ waits; [\d.]+ MiB at most")

    def test_every_method_gives_the_cpus_scores(self):
        words = ["losses=ce", "postprocessors=" + ",".join(POSTPROCESSORS), SMALL_VIM]
        self.run_on("cpu", *words, out="cpu")
        self.run_on("cuda", *words, out="device")
        files = self.assert_same_files("cpu", "device")
        self.assertGreaterEqual(len({name.split("/scores/")[0] for name in files if "/scores/" in name}), len(POSTPROCESSORS))

    def test_little_memory_halves_batches_and_keeps_the_scores(self):
        """A CPU's convolutions sum in another order for another number of images, so features move in their last places."""
        self.run_on("cpu", "losses=ce", "postprocessors=msp", out="trained")
        checkpoint = next((self.folder / "trained").rglob("best.safetensors"))
        words = [f"model.checkpoint={checkpoint}", "postprocessors=msp,mds,vim", SMALL_VIM]
        self.run_on("cpu", *words, out="cpu")
        self.run_on("cuda", *words, out="device", NEARFAR_FAKE_BYTES=str(1 << 20))
        logs = "".join(file.read_text() for file in (self.folder / "device").rglob("eval.log"))
        self.assertIn("the device's memory is too small for", logs)
        for name in self.files("cpu"):
            if name.endswith(".npy"):
                self.assertLess(apart(self.folder / "cpu" / name, self.folder / "device" / name), 1e-4, name)

    def test_a_method_that_does_not_fit_is_computed_on_the_cpu_and_says_so(self):
        self.run_on("cpu", "losses=ce", "postprocessors=mds", out="cpu")
        features = next(file for file in (self.folder / "cpu/cache").rglob("train/features.npy")).parent.parent
        words = [f"model.features={features}", "postprocessors=mds"]
        self.run_on("cuda", *words, out="device", NEARFAR_FAKE_BYTES=str((features / "train/features.npy").stat().st_size))
        self.assertIn("on-cpu", self.results("device"))
        for file in (self.folder / "cpu").rglob("scores/**/*.npy"):
            same = [other for other in (self.folder / "device").rglob("scores/**/*.npy") if other.name == file.name]
            self.assertEqual([hash_of(other) for other in same], [hash_of(file)])

    def test_a_training_that_does_not_fit_is_out_of_memory(self):
        _, err = self.run_on("cuda", "losses=ce", "postprocessors=msp", out="device", code=1, NEARFAR_FAKE_BYTES=str(1 << 20))
        self.assertIn("a smaller train.batch_size", err)
        self.assertEqual(self.status("device")["ce/resnet8/s0"]["state"], "oom")

    def test_the_device_is_in_the_result(self):
        self.run_on("cuda:0", "losses=ce", "postprocessors=msp", out="device")
        shown = json.loads(self.nearfar("show", "ce/resnet8/s0", "--json", "--out", self.folder / "device")[0])
        self.assertIn("cuda:0", json.dumps(shown))

    def test_a_device_that_is_not_there_is_refused_before_anything_is_planned(self):
        _, err = self.run_on("cuda:3", out="device", code=4)
        self.assertIn("device 'cuda:3' is not usable here: there is 1 (cuda:0)", err)
        self.assertFalse((self.folder / "device").exists())


if __name__ == "__main__":
    unittest.main()
