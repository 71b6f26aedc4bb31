"""`nearfar plugin check`: every plugin of ours passes, and a plugin that breaks one promise fails the check of that promise and no other."""
import concurrent.futures
import json
import os
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["NEARFAR_PROGRAM"])
SOURCE = Path(os.environ["NEARFAR_SOURCE"])
LIBRARIES = PROGRAM.parent.parent / "lib/nearfar"
PLUGINS = LIBRARIES / "plugins"
UNKEPT = LIBRARIES / "unkept_plugins"
STABLE = LIBRARIES / "stable_plugins"
BAD = ("fail", "crash", "hang")

# What a plugin needs for 60 train rows in place of its defaults. Where there are several rows, the first is checked on the accelerator, too.
SETTINGS = {
    "knn": ["-p k=5"],
    "cider": ["-p k=5"],
    "nnguide": ["-p k=3"],
    "ash": ["", "-p variant=p", "-p variant=s"],
    "she": ["", "-p metric=euclidean", "-p metric=cosine"],
    "fdbd": ["", "-p distance_as_normalizer=false"],
    "mds": ["", "-p normalize=true"],
    "vim": ["-p dim=4"],
    "residual": ["", "-p dim=4", "-p dim=4 -p fit=train"],
    "relation": ["", "-p pow=4"],
    "cfood": ["-p alpha=0.5 --tolerance 0.02"],  # steps of a grid of levels: rounding may move an image by one
    "dropout": ["", "-p masks=shared"],
}

# The check that each fault fails, with the way in which it does.
SCORES = {name: "fail" for name in (
    "create-many", "params-bounds", "params-choices", "score-splits", "score-large-batch", "score-order", "score-empty-batch", "score-duplicate-rows",
    "score-repeats", "score-threads", "score-concurrent", "score-inputs", "score-own-memory", "needs-only", "score-huge-values", "score-tiny-values",
    "score-constant-rows", "score-train-rows", "fit-one-class", "fit-equal-rows", "fit-constant-feature", "fit-huge-values", "fit-tiny-values", "objects-apart",
    "errors-have-words", "no-output", "no-threads-left", "no-files-left", "no-processes-left", "no-memory-growth", "keeps-settings", "keeps-generator",
    "create", "fit", "scores")}
SCORES |= {name: "warn" for name in ("score-non-contiguous", "orientation", "fit-again")} | {"exit": "crash"}
SCORES_ON_DEVICE = ("device-scores", "device-equal")
OBSERVED = ("observe", "observe-splits", "observe-repeats", "observe-inputs")
LOSSES = ("loss-traits", "loss", "loss-gradient", "loss-batch-order", "loss-view-order", "loss-repeats", "loss-threads", "loss-inputs", "loss-without-gradients",
          "loss-bfloat16", "loss-decreases", "loss-soft-targets", "loss-one-class", "loss-single-images", "loss-single-row", "loss-equal-rows", "loss-scales",
          "loss-labels", "loss-most-of-a-label", "loss-state", "loss-state-round-trip", "loss-seed", "loss-objects-apart")
LOSSES_ON_DEVICE = ("loss-device-equal", "loss-capturable")
LIBRARIES_OF = {"name": "bad_name", "version": "bad_version", "described": "bad_description", "needs": "bad_needs", "params-defaults": "bad_default"}


def nearfar(*words, **options):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=300, check=False, **options)


def check(library, *words):
    """Exit code and document."""
    done = nearfar("plugin", "check", library, "--json", *words)
    if done.returncode not in (0, 7):
        raise AssertionError(f"{library} {words}: exit {done.returncode}: {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def in_parallel(function, cases):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, cases))


def seen(document):
    """What did not pass: (name, device) -> status. Skipped is what does not concern it, or comes after a check that did not pass."""
    return {(row["name"], row["device"]): row["status"] for row in document["checks"] if row["status"] not in ("pass", "skip")}


class Ours(unittest.TestCase):
    def test_every_plugin_passes(self):
        cases = []
        for library in sorted(PLUGINS.glob("*.so")) + sorted(STABLE.glob("*.so")):  # tiers exact, stable and c
            for number, words in enumerate(SETTINGS.get(library.stem, [""])):
                cases.append((library, [*words.split(), "--device", "all" if number == 0 else "cpu", "-j", "1"]))
        self.assertGreater(len(cases), 40)

        def faults(case):
            code, document = check(case[0], *case[1])
            bad = [row for row in document["checks"] if row["status"] in BAD]
            lines = [f"{case[0].stem} {' '.join(case[1])}: {row['status']} {row['name']} ({row['device']}): {row['message']}\n  {row['reproduce']}" for row in bad]
            if code != 0 and not lines:
                lines = [f"{case[0].stem}: exit {code} without a fault"]
            return lines

        lines = [line for some in in_parallel(faults, cases) for line in some]
        self.assertEqual(lines, [], "\n" + "\n".join(lines))


class Unkept(unittest.TestCase):
    def breaks(self, library, fault, status, device="cpu", words=()):
        """One line for each thing that is not as it should be."""
        code, document = check(UNKEPT / f"{library}.so", "-p", f"bad={fault}", "--device", device, "-j", "1", *words)
        found, wanted = seen(document), {(fault, "fake" if device == "all" else "cpu"): status}
        lines = [] if found == wanted else [f"{library} bad={fault}: seen {found}, wanted {wanted}"]
        if code != (7 if status in BAD else 0):
            lines.append(f"{library} bad={fault}: exit {code}")
        return lines

    def expect_all(self, cases):
        lines = [line for some in in_parallel(lambda case: self.breaks(*case), cases) for line in some]
        self.assertEqual(lines, [], "\n" + "\n".join(lines))

    def test_without_a_fault_all_pass(self):
        for library in ("bad_scores", "bad_observe", "bad_loss"):
            code, document = check(UNKEPT / f"{library}.so", "--device", "all")
            self.assertEqual((code, seen(document)), (0, {}), library)

    def test_each_of_scores_fails_its_check_alone(self):
        self.expect_all([("bad_scores", name, status) for name, status in SCORES.items()])

    def test_each_of_what_looks_inside_fails_its_check_alone(self):
        self.expect_all([("bad_observe", name, "fail") for name in OBSERVED])

    def test_each_of_losses_fails_its_check_alone(self):
        self.expect_all([("bad_loss", name, "fail") for name in LOSSES])

    def test_each_of_the_accelerator_fails_its_check_alone(self):
        self.expect_all([("bad_scores", name, "fail", "all") for name in SCORES_ON_DEVICE] + [("bad_loss", name, "fail", "all") for name in LOSSES_ON_DEVICE])

    def test_each_of_the_descriptor_fails_its_check_alone(self):
        for name, library in LIBRARIES_OF.items():
            code, document = check(UNKEPT / f"{library}.so", "--device", "cpu", *(["-p", "k=6"] if name == "params-defaults" else []))
            status = "warn" if name == "described" else "fail"
            self.assertEqual((code, seen(document)), (0 if status == "warn" else 7, {(name, "cpu"): status}), library)

    def test_what_is_refused_before_and_while_loading(self):
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "text.so"
            text.write_text("no library\n")
            whole = (PLUGINS / "msp.so").read_bytes()
            (Path(folder) / "short.so").write_bytes(whole[: len(whole) // 2])
            for library, name in ((text, "file"), (Path(folder) / "short.so", "file"), (LIBRARIES / "bad_plugins/wrong_api.so", "loads")):
                code, document = check(library, "--device", "cpu")
                self.assertEqual((code, seen(document)), (7, {(name, "cpu"): "fail"}), library)
                self.assertGreater(sum(row["status"] == "skip" for row in document["checks"]), 60)
                self.assertEqual(document["plugin"], "")

    def test_every_check_has_a_fault(self):
        listed = json.loads(nearfar("plugin", "check", "--list", "--json").stdout)
        names = [row["name"] for row in listed]
        faults = {"file", "loads", *SCORES, *SCORES_ON_DEVICE, *OBSERVED, *LOSSES, *LOSSES_ON_DEVICE, *LIBRARIES_OF}
        self.assertEqual(sorted(names), sorted(faults))
        self.assertEqual(len(names), len(set(names)))

    def test_a_crash_a_hang_and_an_exit_cost_one_check(self):
        for fault, status, name in (("crash", "crash", "fit"), ("exits", "crash", "scores"), ("hang", "hang", "scores")):
            code, document = check(UNKEPT / "bad_scores.so", "-p", f"bad={fault}", "--device", "cpu", "--timeout", "3")
            self.assertEqual((code, seen(document)), (7, {(name, "cpu"): status}), fault)


class Words(unittest.TestCase):
    def test_a_failure_says_expected_seen_and_how_to_reproduce(self):
        _, document = check(UNKEPT / "bad_scores.so", "-p", "bad=score-splits", "--device", "cpu", "--only", "splits")
        (row,) = document["checks"]
        self.assertRegex(row["message"], r"expected .*within 1e-05.*; seen: a difference of ")
        words = shlex.split(row["reproduce"])
        self.assertEqual(words[:2], ["gdb", "--args"])
        done = subprocess.run(words[2:], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 7)
        self.assertIn(f"fail score-splits (cpu): {row['message']}", done.stdout)

    def test_only_names_checks_by_an_expression(self):
        _, document = check(PLUGINS / "msp.so", "--device", "cpu", "--only", "^score-(order|repeats)$")
        self.assertEqual([row["name"] for row in document["checks"]], ["score-order", "score-repeats"])

    def test_usage_errors_are_no_faults_of_the_plugin(self):
        for words, expected in ((["--only", "("], "no regular expression"), (["--only", "nothing-like-it"], "fits no check"), (["-p", "kk=1"], "did you mean 'k'"), (["--device", "gpu"], "gpu")):
            done = nearfar("plugin", "check", PLUGINS / "knn.so", *words)
            self.assertEqual(done.returncode, 4, words)
            self.assertIn(expected, done.stderr)

    def test_in_process_gives_the_same_answers(self):
        words = (UNKEPT / "bad_loss.so", "-p", "bad=loss-threads", "--device", "cpu")
        self.assertEqual(seen(check(*words)[1]), seen(check(*words, "--in-process")[1]))

    def test_the_documentation_has_the_table(self):
        table = nearfar("plugin", "check", "--list").stdout
        self.assertIn(table, (SOURCE / "docs/plugin-check.md").read_text(), "put the output of `nearfar plugin check --list` into docs/plugin-check.md")


if __name__ == "__main__":
    unittest.main()
