"""One plugin binary in engines of two LibTorch versions: that of the build, and the newest of PyPI.

./run test -L torch-versions fetches that LibTorch, builds an engine with it and says where it lies (NEARFAR_NEWEST_ENGINE). Without it everything is skipped.
Both engines get the same jobs on the same numbers, one thread, and what they answer is compared. Standard library only.
"""
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
from support import apart, read_npy

ENGINE = Path(os.environ["NEARFAR_ENGINE_PROGRAM"])
NEWEST = Path(os.environ.get("NEARFAR_NEWEST_ENGINE", ""))
EXACT = ENGINE.parents[2] / "lib/nearfar/plugins"
STABLE = ENGINE.parents[2] / "lib/nearfar/stable_plugins"
NEEDED_LIBRARIES = re.compile(r"@@?(GLIBC|GLIBCXX|CXXABI|GCC)_")
# The C++ library's, where the linker wrote no version. No shorter: std::vector<at::Tensor> begins with _ZNSt, too.
STANDARD_LIBRARY = "_ZNSt15__exception_ptr13exception_ptr"
STABLE_NAMES = re.compile(r"(torch|aoti_torch)_\w+")
# What a linker asks for weakly, for profilers and transactional memory that are not there.
WEAK_NAMES = {"__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}

# As a share of the largest number. Equal to the bit is the rule; but LibTorch's own kernels are those of its version: another MKL adds up a product of
# matrices in another order. That moves the last of 24 bits, and what divides by small numbers makes more of it.
TOLERANCE = 2e-5
CLASSES, WIDTH, EMBEDDING = 10, 48, 24
ROWS = {"train": 600, "val": 120, "test": 150, "ood_val": 120, "near/other": 150, "far/noise": 150}
INSIDE = {"odin", "gram"}  # they look inside a network while images pass: the verb `score` has features alone
PARAMETERS = {"vim": ["dim=16"]}  # whose defaults are for wider features
made = None  # the folder of features and batches: made once, removed by tearDownModule()
differences = []  # (what, how much), for the table at the end


def setUpModule():
    global made
    if not os.environ.get("NEARFAR_NEWEST_ENGINE"):
        raise unittest.SkipTest("SKIPPED: whole program; no engine of another LibTorch: ./run test -L torch-versions builds one")
    made = Path(tempfile.mkdtemp(prefix="nearfar-versions-"))
    make_features(made / "features", random.Random(19))
    make_batches(made / "batch", random.Random(20))


def tearDownModule():
    if made is not None:
        shutil.rmtree(made)
    if differences:
        print("\nlargest difference between the engines, as a share of the largest number (0 = equal to the bit):", file=sys.stderr)
        for what, how_much in differences:
            print(f"  {what:<40} {how_much:.2g}", file=sys.stderr)


def write_npy(path, kind, rows):
    """float32 ("f") rows, or a column of int64 ("q")."""
    flat = rows if kind == "q" else [value for row in rows for value in row]
    shape = f"({len(rows)},)" if kind == "q" or not isinstance(rows[0], list) else f"({len(rows)}, {len(rows[0])})"
    header = f"{{'descr': '{'<i8' if kind == 'q' else '<f4'}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(flat)}{kind}", *flat))


def unit(row):
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row]


def make_features(folder, draw):
    """What a small network with ReLU features would give: a mean for each class, and images that are near or far from all of them."""
    means = [[max(0.0, draw.gauss(0.6, 1)) for _ in range(WIDTH)] for _ in range(CLASSES)]
    weight = [[(value - 0.9) / 4 for value in mean] for mean in means]
    bias = [draw.gauss(0, 0.1) for _ in range(CLASSES)]
    write_npy(folder / "head/weight.npy", "f", weight)
    write_npy(folder / "head/bias.npy", "f", [[value] for value in bias])
    for name, rows in ROWS.items():
        labels = [row % CLASSES for row in range(rows)]
        known = name in ("train", "val", "test")
        spread = 0.5 if known else 0.9
        near = [means[label] if known or name.startswith("near") else [0.8] * WIDTH for label in labels]
        features = [[max(0.0, value + draw.gauss(0, spread)) for value in center] for center in near]
        logits = [[sum(map(float.__mul__, row, of_class)) + own for of_class, own in zip(weight, bias)] for row in features]
        write_npy(folder / name / "features.npy", "f", features)
        write_npy(folder / name / "logits.npy", "f", logits)
        if known:
            write_npy(folder / name / "labels.npy", "q", labels)


def make_batches(folder, draw):
    """64 images in two views: logits, unit embeddings, features; every class in it, one of them once."""
    labels = [0] + [1 + draw.randrange(CLASSES - 1) for _ in range(63)]
    write_npy(folder / "labels.npy", "q", labels * 2)
    write_npy(folder / "logits.npy", "f", [[draw.gauss(0, 2) for _ in range(CLASSES)] for _ in range(128)])
    write_npy(folder / "embedding.npy", "f", [unit([draw.gauss(0, 1) for _ in range(EMBEDDING)]) for _ in range(128)])
    write_npy(folder / "features.npy", "f", [[max(0.0, draw.gauss(0, 1)) for _ in range(WIDTH)] for _ in range(128)])


def ask(engine, verb, job):
    """The engine's answer: its messages come to stdout, since it has no descriptor 3. (the result, None) or (None, the error)."""
    environment = {name: value for name, value in os.environ.items() if name != "NEARFAR_PLUGIN_PATH"}
    done = subprocess.run([engine, verb], input=json.dumps(job), capture_output=True, text=True, timeout=300, close_fds=True,
                          env={**environment, "OMP_NUM_THREADS": "1"})
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["type"] == "result":
            return message["document"], None
        if message["type"] == "error":
            return None, message["message"]
    raise AssertionError(f"{engine} {verb} ended with {done.returncode} and no answer\n{done.stderr}")


def inspect(engine, folder):
    found, error = ask(engine, "inspect", {"directories": [str(folder)], "installed": "", "losses": []})
    assert error is None, error
    return found


COMPUTE = {"device": "cpu", "threads": 1, "loader_threads": 1, "deterministic": True}


class Versions(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nearfar-versions-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def score(self, engine, plugins, name, image_set, output):
        return ask(engine, "score", {"name": name, "directories": [str(plugins)], "installed": "", "features": str(made / "features"), "set": image_set,
                                     "assignments": PARAMETERS.get(name, []), "output": str(output), "compute": COMPUTE})

    def loss(self, engine, plugins, plugin, output, gradients):
        batch = made / "batch"
        embedding = plugin["traits"]["head"] == "embedding"
        wants_features = plugin["traits"]["wants_features"]
        return ask(engine, "loss", {"name": plugin["name"], "directories": [str(plugins)], "installed": "", "assignments": [], "classes": CLASSES, "seed": 3,
                                    "output": str(batch / ("embedding.npy" if embedding else "logits.npy")), "labels": str(batch / "labels.npy"),
                                    "features": str(batch / "features.npy") if wants_features else "", "output_gradient": str(output),
                                    "features_gradient": str(gradients) if wants_features else "", "compute": COMPUTE})

    def assert_equal(self, what, one, other):
        values, shape = read_npy(one)
        self.assertGreater(len(set(values)), 1, f"{what}: one number for everything shows nothing")
        self.assertTrue(all(map(math.isfinite, values)), what)
        how_much = apart(one, other)
        differences.append((what, how_much))
        self.assertLessEqual(how_much, TOLERANCE, f"{what} {shape}: the two engines differ by this share of the largest number")

    def assert_scores_equal(self, name, plugins, newest_plugins):
        for image_set in ("test", "near/other", "far/noise"):
            files = [self.folder / f"{name}-{image_set.replace('/', '-')}-{which}.npy" for which in ("ours", "newest")]
            for engine, folder, file in zip((ENGINE, NEWEST), (plugins, newest_plugins), files):
                result, error = self.score(engine, folder, name, image_set, file)
                self.assertIsNone(error, f"{engine} {name}")
                self.assertEqual(result["count"], ROWS[image_set])
            self.assert_equal(f"{name}, scores of {image_set}", *files)

    def assert_losses_equal(self, plugin, plugins, newest_plugins):
        name, results, files = plugin["name"], [], []
        for which, engine, folder in (("ours", ENGINE, plugins), ("newest", NEWEST, newest_plugins)):
            files.append((self.folder / f"{name}-{which}-output.npy", self.folder / f"{name}-{which}-features.npy"))
            result, error = self.loss(engine, folder, plugin, *files[-1])
            self.assertIsNone(error, f"{engine} {name}")
            results.append(result)
        self.assertEqual(results[0]["params"], results[1]["params"])
        ours, newest = results[0]["value"], results[1]["value"]
        self.assertGreater(ours, 0, name)
        differences.append((f"{name}, loss", abs(ours - newest) / ours))
        self.assertLessEqual(abs(ours - newest), TOLERANCE * ours, name)
        self.assert_equal(f"{name}, gradient of its output", files[0][0], files[1][0])
        if plugin["traits"]["wants_features"]:
            self.assert_equal(f"{name}, gradient of the features", files[0][1], files[1][1])


class Engines(Versions):
    """The engine itself, with plugins of the exact tier that were built with its own LibTorch."""

    def test_they_are_of_two_versions(self):
        versions = [ask(engine, "doctor", {})[0]["torch"] for engine in (ENGINE, NEWEST)]
        print(f"LibTorch {versions[0]} and {versions[1]}", file=sys.stderr)
        numbers = [tuple(map(int, version.split("."))) for version in versions]
        self.assertLess(numbers[0], numbers[1])

    def test_they_have_the_same_networks(self):
        self.assertEqual(ask(ENGINE, "models", {})[0], ask(NEWEST, "models", {})[0])

    def test_an_exact_plugin_of_the_other_version_is_refused_with_both_versions(self):
        of_ours, of_newest = (ask(engine, "doctor", {})[0]["torch"] for engine in (ENGINE, NEWEST))
        found = inspect(NEWEST, EXACT)
        self.assertEqual(found["plugins"], [])
        refused = {Path(refusal["path"]).name: refusal["message"] for refusal in found["refusals"]}
        self.assertIn(f"'{of_ours}'", refused["msp.so"])
        self.assertIn(f"'{of_newest}'", refused["msp.so"])

    def test_they_compute_the_same(self):
        newest_plugins = NEWEST.parents[2] / "lib/nearfar/plugins"
        built = inspect(NEWEST, newest_plugins)["plugins"]
        self.assertGreaterEqual({plugin["name"] for plugin in built}, {"msp", "knn", "mds", "ce", "supcon"})
        for plugin in built:
            with self.subTest(plugin["name"]):
                if plugin["kind"] == "loss":
                    self.assert_losses_equal(plugin, EXACT, newest_plugins)
                else:
                    self.assert_scores_equal(plugin["name"], EXACT, newest_plugins)


@unittest.skipUnless(STABLE.is_dir(), f"there is no {STABLE}: no plugin of the stable tier has been built")
class StablePlugins(Versions):
    """The same file in both."""

    def plugins(self, kind):
        ours, newest = inspect(ENGINE, STABLE), inspect(NEWEST, STABLE)
        for found in (ours, newest):
            self.assertEqual(found["refusals"], [])
        names = [sorted((plugin["kind"], plugin["name"]) for plugin in found["plugins"]) for found in (ours, newest)]
        self.assertEqual(*names)
        self.assertEqual(len(names[0]), len(list(STABLE.glob("*.so"))))
        chosen = [plugin for plugin in ours["plugins"] if plugin["kind"] == kind]
        self.assertGreater(len(chosen), 0, f"no {kind} in {STABLE}")
        return chosen

    def test_postprocessors_give_equal_scores(self):
        for plugin in self.plugins("postprocessor"):
            if plugin["name"] in INSIDE:
                continue
            with self.subTest(plugin["name"]):
                self.assert_scores_equal(plugin["name"], STABLE, STABLE)

    def test_losses_and_their_gradients_are_equal(self):
        for plugin in self.plugins("loss"):
            with self.subTest(plugin["name"]):
                self.assert_losses_equal(plugin, STABLE, STABLE)

    def test_they_ask_LibTorch_for_functions_of_its_stable_interface_only(self):
        for file in sorted(STABLE.glob("*.so")):
            listed = subprocess.run(["nm", "-D", "--undefined-only", file], capture_output=True, text=True, check=True).stdout
            names = [line.split()[-1] for line in listed.splitlines()]
            others = [name for name in names if not NEEDED_LIBRARIES.search(name) and not STABLE_NAMES.fullmatch(name) and not name.startswith(STANDARD_LIBRARY) and name not in WEAK_NAMES]
            with self.subTest(file.name):
                self.assertEqual(others, [])


if __name__ == "__main__":
    unittest.main()
