"""A checkpoint and images as OpenOOD keeps them, against OpenOOD's own results: scores, predictions, metrics, accuracy, parameter search.
The data are golden/openood-b of NEARFAR_GOLDEN; without them the tests skip."""
import array
import csv
import json
import math
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from support import PROGRAM, SOURCE, Case

GOLDEN = Path(os.environ.get("NEARFAR_GOLDEN") or SOURCE / "../shared/golden").resolve()
DATA = GOLDEN / "openood-b"
EXPERIMENT = SOURCE / "configs/experiments/evaluate-checkpoint.toml"
NAMES = ("msp", "knn", "mds")
# Points. OpenOOD computes MDS in float32 with a precision matrix whose trace is 5e6: its own scores carry relative errors of 5e-6, so two images whose
# distances are nearer than that (of the pool for fsood/svhn: 9465.39 and 9465.45) may change places, also between two machines running OpenOOD.
# One such pair moves a set's AUPR by 0.0104.
POINTS = {"msp": 0.01, "knn": 0.01, "mds": 0.025}
ARGUMENTS = ["run", EXPERIMENT, "benchmark=cifar10", f"data.root={DATA / 'data'}", f"model.checkpoint={DATA / 'best.ckpt'}",
             f"postprocessors={','.join(NAMES)}", "data.allow_count_mismatch=true"]


def read_npy(path):
    """Values and shape of a little-endian C-order .npy file."""
    content = path.read_bytes()
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10:10 + length].decode()
    kind = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "<i2": "h", "|i1": "b"}[header.split("'descr': '")[1][:3]]
    shape = [int(n) for n in header.split("(")[1].split(")")[0].split(",") if n.strip()]
    values = array.array(kind)
    values.frombytes(content[10 + length:])
    return values, shape


@unittest.skipUnless((DATA / "best.ckpt").exists(), f"no golden data at {DATA}")
class OpenOod(Case):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="nearfar-openood-")
        cls.out = Path(cls.shared.name) / "out"
        done = subprocess.run([PROGRAM, *map(str, ARGUMENTS), "--out", cls.out], capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        cls.expected = json.loads((DATA / "expected/results.json").read_text())
        cls.layout = json.loads((DATA / "expected/layout.json").read_text())["order"]

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def expected_slice(self, file, split):
        values, _ = read_npy(DATA / "expected" / file)
        part = next(p for p in self.layout if p["split"] == split)
        return values[part["offset"]:part["offset"] + part["count"]]

    SETS = {"test": "id_test", "csid/cifar10c": "cifar10c", "near/cifar100": "cifar100", "near/tin": "tin", "far/mnist": "mnist", "far/svhn": "svhn",
            "far/texture": "texture", "far/places365": "places365"}

    def test_scores_are_openoods(self):
        cells = json.loads(self.nearfar("status", "--json", "--out", self.out)[0])["cells"]
        for name in NAMES:
            cell = next(c for c in cells if c["label"].endswith(" " + name))
            self.nearfar("export", cell["id"], "--scores", self.folder / name, "--out", self.out)
            whole = max(abs(v) for v in read_npy(DATA / f"expected/{name}.main.conf.npy")[0])
            for ours, theirs in self.SETS.items():
                scores, _ = read_npy(self.folder / name / f"{ours}.npy")
                conf = self.expected_slice(f"{name}.main.conf.npy", theirs)
                self.assertEqual(len(scores), len(conf), ours)
                self.assertLess(max(abs(s + c) for s, c in zip(scores, conf)) / whole, 2e-4, f"{name} {ours}")

    def test_predictions_are_openoods(self):
        cache = next((self.out / "cache").iterdir())
        for ours, theirs in self.SETS.items():
            logits, (rows, classes) = read_npy(cache / ours / "logits.npy")
            predictions = [max(range(classes), key=lambda c: logits[r * classes + c]) for r in range(rows)]
            self.assertEqual(predictions, list(self.expected_slice("msp.main.pred.npy", theirs)), ours)

    def test_metrics_and_accuracies_are_openoods(self):
        board, _ = self.nearfar("report", "leaderboard", "--csv", "-", "--out", self.out)
        rows = {(r["postprocessor"], r["protocol"], r["group"], r["dataset"], r["metric"]): float(r["mean"]) for r in csv.DictReader(board.splitlines())}
        compared = 0
        for name in NAMES:
            for protocol, sets in (("ood", "test"), ("fsood", "test+csid")):
                for dataset, wanted in self.expected[name]["main"][protocol].items():
                    group = "near" if dataset in ("cifar100", "tin", "nearood") else "far"
                    dataset = "mean" if dataset.endswith("ood") else dataset
                    for theirs, ours in (("FPR@95", "fpr95"), ("AUROC", "auroc"), ("AUPR_IN", "aupr_in"), ("AUPR_OUT", "aupr_out")):
                        self.assertAlmostEqual(rows[name, protocol, group, dataset, ours], wanted[theirs], delta=POINTS[name], msg=f"{name} {protocol} {dataset}")
                        compared += 1
                    self.assertAlmostEqual(rows[name, protocol, "id", sets, "accuracy"], wanted["ACC"], delta=0.0001)
        self.assertEqual(compared, 3 * 2 * 8 * 4)

    def test_the_search_is_openoods(self):
        shown = json.loads(self.nearfar("show", "unknown/resnet18_32x32/s0 knn", "--json", "--out", self.out)[0])
        trace = [(p["name"], p["value"]) for p in shown["curve"]]
        table = self.expected["knn"]["aps_table"]
        self.assertEqual([name for name, _ in trace], [f"tune k={json.loads(point)[0]}" for point, _ in table])
        for (name, value), (_, wanted) in zip(trace, table):
            self.assertTrue(math.isclose(value, wanted, abs_tol=1e-4), f"{name}: {value} against {wanted}")
        text, _ = self.nearfar("show", "unknown/resnet18_32x32/s0 knn", "--out", self.out)
        self.assertRegex(text, r"k=50 +82\.\d+ +chosen")

    def test_the_same_command_again_runs_nothing(self):
        out, _ = self.nearfar(*ARGUMENTS, "--json", "--out", self.out)
        self.assertEqual(json.loads(out)["ran"], 0)

    def test_counts_that_differ_are_refused_by_name(self):
        _, err = self.nearfar(*ARGUMENTS[:-1], "--out", self.folder / "out", code=6)
        self.assertIn("9000 expected", err)
        self.assertIn("data.allow_count_mismatch=true", err)

    def test_a_feature_folder_is_a_model_too(self):
        """The cache of the checkpoint, taken as features made elsewhere, gives the same numbers without an image."""
        cache = next((self.out / "cache").iterdir())
        self.nearfar("run", EXPERIMENT, "benchmark=cifar10", f"model.features={cache}", f"postprocessors={','.join(NAMES)}",
                     "data.allow_count_mismatch=true", "data.root=/nowhere", "--out", self.folder / "out")
        of = lambda out: {(r["postprocessor"], r["protocol"], r["group"], r["dataset"], r["metric"]): r["mean"]
                          for r in csv.DictReader((out / "leaderboard.csv").read_text().splitlines())}
        self.assertEqual(of(self.folder / "out"), of(self.out))


FEATURES = GOLDEN / "features-a"


@unittest.skipUnless((FEATURES / "test").exists(), f"no golden data at {FEATURES}")
class Features(Case):
    def test_features_made_elsewhere_give_openoods_metrics(self):
        """Another net of 8 classes in the slots of the cifar10 benchmark: flagged, and equal."""
        self.nearfar("run", EXPERIMENT, "benchmark=cifar10", f"model.features={FEATURES}", f"postprocessors={','.join(NAMES)}",
                     "data.allow_count_mismatch=true", "--out", self.folder / "out")
        rows = {(r["postprocessor"], r["protocol"], r["dataset"], r["metric"]): r for r in csv.DictReader(self.results().splitlines())}
        expected = json.loads((GOLDEN / "features-a-expected/results.json").read_text())
        for name in NAMES:
            for protocol in ("ood", "fsood"):
                for dataset, wanted in expected[name]["main"][protocol].items():
                    if dataset.endswith("ood"):
                        continue
                    for theirs, ours in (("FPR@95", "fpr95"), ("AUROC", "auroc"), ("AUPR_IN", "aupr_in"), ("AUPR_OUT", "aupr_out")):
                        row = rows[name, protocol, dataset, ours]
                        self.assertAlmostEqual(float(row["mean"]), wanted[theirs], delta=0.01, msg=f"{name} {protocol} {dataset}")
                        self.assertEqual(row["flags"], "class-mismatch;count-mismatch")
        _, err = self.nearfar("run", EXPERIMENT, "benchmark=cifar10", f"model.features={FEATURES}", "--out", self.folder / "out", code=6)
        self.assertIn("is a model of 8 classes", err)


if __name__ == "__main__":
    unittest.main()
