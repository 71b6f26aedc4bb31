"""Faults that people met with other harnesses, replayed: shared/cases, and variants of them.

The cases are folders with inputs and right values; they lie beside the golden data (NEARFAR_CASES, else ../cases of NEARFAR_GOLDEN, else
../shared/cases of the sources). Their inputs are made by a Python with numpy and Pillow: NEARFAR_PYTHON, else this one, else /usr/bin/python3.
Without either the test says so and skips.
"""
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support import PROGRAM, SOURCE, Case


def cases_folder():
    golden = os.environ.get("NEARFAR_GOLDEN")
    places = [os.environ.get("NEARFAR_CASES"), golden and Path(golden).parent / "cases", SOURCE.parent / "shared/cases"]
    return next((Path(p).resolve() for p in places if p and (Path(p) / "README.md").is_file()), None)


def python_with_pillow():
    for python in (os.environ.get("NEARFAR_PYTHON"), sys.executable, "/usr/bin/python3"):
        if python and subprocess.run([python, "-c", "import numpy, PIL"], capture_output=True, check=False).returncode == 0:
            return python
    return None


CASES, PYTHON = cases_folder(), python_with_pillow()


@unittest.skipUnless(CASES, "no cases; set NEARFAR_CASES")
@unittest.skipUnless(PYTHON, "no Python with numpy and Pillow; set NEARFAR_PYTHON")
class FieldCase(Case):
    def open(self, name):
        """A copy of a case's folder, which is then the working folder."""
        self.folder = self.folder / name
        shutil.copytree(CASES / name, self.folder)

    def start(self, *arguments, **environment):
        return super().start(*arguments, **{"NEARFAR_DATA": "", "NEARFAR_PACKED": "", **environment})  # the case's own folders

    def python(self, *arguments):
        done = subprocess.run([PYTHON, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def weights(self, code):
        self.python("-c", "from ts import *\n" + code)

    def board(self, out):
        """(postprocessor, data set, metric) -> percent; of several states of the data the newest, which comes first."""
        text, _ = self.nearfar("report", "leaderboard", "--csv", "-", "--out", out)
        rows = list(csv.DictReader(io.StringIO(text)))
        identity = [tuple(value for name, value in row.items() if name not in ("mean", "std", "seeds")) for row in rows]
        self.assertEqual(len(set(identity)), len(rows), "two rows of one meaning")
        found = {}
        for r in rows:
            found.setdefault((r["postprocessor"], r["dataset"], r["metric"]), float(r["mean"]))
        return found

    def rows(self, out):
        text, _ = self.nearfar("report", "leaderboard", "--json", "--out", out)
        return [row for board in json.loads(text)["boards"] for row in board["rows"]]

    def id_accuracy(self, out):
        return next(value for (_, _, metric), value in self.board(out).items() if metric == "accuracy")


class StaleImages(FieldCase):  # F1
    ARGUMENTS = ("run", "ev.toml", "benchmark=bm.toml", "data.root=bm", "model.checkpoint=c.ckpt")

    def prepare(self):
        self.open("F1_stale_same_size")
        self.weights("save(sd(resnet18(2,seed=0)),'c.ckpt')")
        self.python("bmp.py", "1", "noise")
        self.nearfar(*self.ARGUMENTS, "--out", "o1")

    def test_replaced_images_of_the_same_size_are_scored(self):
        self.prepare()
        self.python("bmp.py", "1", "other")
        out, _ = self.nearfar(*self.ARGUMENTS, "--out", "o1")
        self.assertNotIn("0 cells ran", out)
        self.nearfar(*self.ARGUMENTS, "--out", "o2")
        self.nearfar(*self.ARGUMENTS, "postprocessors=mls", "--out", "o1")
        again, fresh = self.board("o1"), self.board("o2")
        for method, right in {"mds": 49.17, "knn": 22.50}.items():
            self.assertAlmostEqual(fresh[method, "o", "auroc"], right, delta=0.005)
            self.assertAlmostEqual(again[method, "o", "auroc"], right, delta=0.005)
        self.assertAlmostEqual(again["mls", "o", "auroc"], 59.17, delta=0.005)

    def test_times_and_links_do_not_hide_it(self):
        self.prepare()
        before = {file: (file.stat().st_atime_ns, file.stat().st_mtime_ns) for file in (self.folder / "bm/ood").iterdir()}
        time.sleep(2.2)  # the first look is remembered only now
        self.nearfar(*self.ARGUMENTS, "--out", "o1")
        self.python("bmp.py", "1", "other")
        for file, times in before.items():
            os.utime(file, ns=times)
        self.nearfar(*self.ARGUMENTS, "--out", "o1")
        self.assertAlmostEqual(self.board("o1")["mds", "o", "auroc"], 49.17, delta=0.005)

    def test_identity_by_size_is_flagged(self):
        self.prepare()
        self.nearfar(*self.ARGUMENTS, "data.identity=stat", "--out", "o3")
        for row in self.rows("o3"):
            self.assertIn("stat-identity", row["flags"])


class ClassFolders(FieldCase):  # F2
    def prepare(self):
        self.open("F2_class_folders_vs_names")
        subprocess.run(["tar", "xzf", "rv_sh_nm.tgz"], cwd=self.folder, check=True)
        self.weights("for n,c,k in (('wren',2,0),('two',3,2),('eleven',11,2)):\n"
                     "    d=resnet18(c,seed=0); d['fc.weight'][:]=0; d['fc.bias'][k]=5; save(sd(d),n+'.ckpt')")

    def run_on(self, name, weights, out, *more, code=0):
        return self.nearfar("run", "ev.toml", f"benchmark={name}.toml", f"data.root={name}", f"model.checkpoint={weights}.ckpt", "postprocessors=mds", *more,
                            "--out", out, code=code)

    def test_names_decide(self):
        self.prepare()
        self.nearfar("data", "check", "rv.toml")
        for name, weights, right in (("rv", "wren", 100 * 12 / 14), ("sh", "two", 50), ("nm", "eleven", 100 * 4 / 14)):
            self.run_on(name, weights, "o" + name)
            self.assertAlmostEqual(self.id_accuracy("o" + name), right, delta=1e-4)

    def test_a_class_without_images_is_told_by_its_name_and_flagged(self):
        self.prepare()
        out, _ = self.nearfar("data", "check", "sh.toml", code=6)
        self.assertIn("none of class 1 (1)", out)
        _, err = self.run_on("sh", "two", "o")
        self.assertIn("none of class 1 (1)", err)
        self.assertTrue(all("missing-class" in row["flags"] for row in self.rows("o")))

    def test_names_that_disagree_are_refused_with_both_lists(self):
        self.prepare()
        text = (self.folder / "rv.toml").read_text()
        (self.folder / "rw.toml").write_text(text.replace('"owl"', '"eagle"'))
        for arguments in (("data", "check", "rw.toml", "data.root=rv"), ("run", "ev.toml", "benchmark=rw.toml", "data.root=rv", "model.checkpoint=wren.ckpt")):
            out, err = self.nearfar(*arguments, code=6)
            self.assertIn("(owl, wren) are not named as the classes of benchmark 'rw' (wren, eagle)", out + err)

    def test_without_names_the_order_is_natural_and_said(self):
        self.prepare()
        text = (self.folder / "nm.toml").read_text().splitlines()
        (self.folder / "nc.toml").write_text("\n".join(["class_count = 11", *text[1:]]))
        out, _ = self.nearfar("data", "check", "nc.toml", "data.root=nm")
        self.assertIn("natural order: 0 = 0, 1 = 1, 2 = 2", out)
        _, err = self.nearfar("run", "ev.toml", "benchmark=nc.toml", "data.root=nm", "model.checkpoint=eleven.ckpt", "postprocessors=mds", "--out", "o")
        self.assertIn("natural order", err)
        self.assertAlmostEqual(self.id_accuracy("o"), 100 * 4 / 14, delta=1e-4)


class NotANumber(FieldCase):  # F3
    def evaluate(self, spoil, *more, code=1):
        self.open("F3_nan_logits")
        self.python("bmp.py", "1", "noise")
        self.weights(f"d=resnet18(2,seed=0); {spoil}; save(sd(d),'nan.ckpt')")
        out, err = self.nearfar("run", "ev.toml", "benchmark=bm.toml", "data.root=bm", "model.checkpoint=nan.ckpt", *more, "--out", "o", code=code)
        for trace in ("frame #", "Exception raised from", "libtorch", "index out of range in self"):
            self.assertNotIn(trace, out + err)
        return out + err, {label.split()[-1]: cell for label, cell in self.status("o").items()}

    def test_weights_that_hold_nan_cost_only_who_needs_logits(self):
        text, cells = self.evaluate("d['fc.weight'][0,0]=np.nan")
        self.assertIn("are not finite (nan)", text)
        self.assertIn("'head.weight' holds NaN", text)
        self.assertEqual({name: cells[name]["state"] for name in ("msp", "mds", "knn")}, {"msp": "failed", "mds": "ok", "knn": "ok"})

    def test_methods_of_gradients_say_the_same(self):
        text, cells = self.evaluate("d['fc.weight'][0,0]=np.nan", "postprocessors=odin,gradnorm,ash,knn")
        self.assertEqual({name: cells[name]["state"] for name in ("odin", "gradnorm", "ash", "knn")},
                         {"odin": "failed", "gradnorm": "failed", "ash": "failed", "knn": "ok"})
        for name in ("odin", "gradnorm", "ash"):
            self.assertIn("finite", cells[name]["message"])

    def test_a_negative_variance_is_named(self):
        text, cells = self.evaluate("d['layer1.0.bn1.running_var'][0]=-1")
        self.assertIn("layer1.0.bn1.running_var' holds a negative variance", text)
        self.assertEqual({cells[name]["state"] for name in ("msp", "mds", "knn")}, {"failed"})

    def test_an_overflow_is_told_from_bad_weights(self):
        text, _ = self.evaluate("d['conv1.weight'][:]=3e38")
        self.assertIn("the weights are finite, so a layer overflows", text)


class TwoRuns(FieldCase):  # F4
    def prepare(self, name):
        self.open(name)
        self.python("bmp.py", "1", "noise")
        for seed in range(3):
            (self.folder / f"k/s{seed}").mkdir(parents=True)
        self.weights("for s in range(3): save(sd(resnet18(2,seed=s)),f'k/s{s}/best.ckpt')")

    ARGUMENTS = ("run", "ev.toml", "benchmark=bm.toml", "data.root=bm", "model.checkpoint=k", "--out", "o")

    def states(self):
        """What `status` shows, of a database that is perhaps being made at this moment."""
        out, _ = (process := self.start("status", "--json", "--out", "o")).communicate()
        return {cell["label"]: cell for cell in json.loads(out)["cells"]} if process.returncode == 0 else {}

    def test_the_last_to_end_is_content(self):
        self.prepare("F4_two_runs_exit_code")
        runs = [self.start(*self.ARGUMENTS) for _ in range(2)]
        ends = {}
        while len(ends) < 2:
            for run in runs:
                if run.poll() is not None and run not in ends:
                    ends[run] = (time.monotonic(), run.returncode, *run.communicate())
            time.sleep(0.005)
        first, last = sorted(ends.values())
        self.assertEqual(last[1], 0, last)
        if first[1] != 0:
            self.assertEqual(first[1], 1, first)
            self.assertRegex(first[2] + first[3], r"[0-9]+ cells were left to other processes \(")
        self.assertEqual({cell["state"] for cell in self.status("o").values()}, {"ok"})

    def test_interrupted_counts_what_is_left(self):  # F5
        self.prepare("F5_interrupt_summary")
        run = self.start(*self.ARGUMENTS, "postprocessors=msp,mds,knn,odin,mls,ebo,gradnorm,she")
        done = lambda: any(c["state"] == "ok" and " features " not in label for label, c in self.states().items())
        end = time.monotonic() + 120
        while run.poll() is None and not done() and time.monotonic() < end:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=120)
        cells = self.status("o").values()
        ok, left = (sum(cell["state"] == state for cell in cells) for state in ("ok", "planned"))
        self.assertEqual(ok + left, len(cells))
        if run.returncode == 0:
            self.skipTest("the run was faster than the signal")
        self.assertEqual(run.returncode, 2, err)
        self.assertIn(f"{ok} cells ran in", out)
        self.assertIn(f"0 failed, 0 were done before, {left} are left", out)

    def test_cells_of_a_killed_run_do_not_run(self):
        self.prepare("F4_two_runs_exit_code")
        run = self.start(*self.ARGUMENTS)
        running = lambda: any(cell["state"] == "running" for cell in self.states().values())
        while run.poll() is None and not running():
            time.sleep(0.02)
        run.kill()
        run.communicate()
        self.assertNotIn("running", {cell["state"] for cell in self.status("o").values()})
        self.assertNotIn("running", self.nearfar("status", "--out", "o")[0])


def tensors_of(file):
    """Name -> (type, shape, bytes) of a safetensors file."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    begin = 8 + size
    return {name: (entry["dtype"], entry["shape"], data[begin + entry["data_offsets"][0]:begin + entry["data_offsets"][1]]) for name, entry in header.items()}


class Checkpoints(FieldCase):  # F6
    def imported(self, name):
        self.nearfar("import", name, "-o", "x.safetensors")
        return tensors_of(self.folder / "x.safetensors")

    def test_prefixes_averages_and_mappings(self):
        self.open("F6_prefixes")
        self.python("gen.py")
        plain = self.imported("plain.ckpt")
        for name in ("lightning.ckpt", "lightning_net.ckpt", "ema_only.pth", "weights.pt", "kuangliu_linear.pth", "dp.ckpt", "wrapdp.ckpt", "kuangliu.pth", "timm_ema.pth",
                     "supcon_wrap.pth", "cuda.ckpt", "param.ckpt", "msd.pt", "compiled.pt", "compiled2.pt"):
            self.assertEqual(self.imported(name), plain, name)
        backbone = {name: tensor for name, tensor in self.imported("supcon.pth").items() if name.startswith("backbone.")}
        self.assertEqual(backbone, {name: tensor for name, tensor in plain.items() if name.startswith("backbone.")})

    def test_networks(self):
        self.open("F6_prefixes")
        self.python("g3.py")
        for name in ("tv34.pth", "timm_vit.pth", "wrn.pt", "tv50.pth", "args.pth"):
            self.assertGreater(len(self.imported(name)), 50, name)


LIST_BENCHMARK = """classes = ["a", "b"]
[image]
channels = 3
height = 32
width = 32
resize = 32
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[root.r]
folder = "."
in_data_root = "."
[[set]]
name = "train"
list = "train.txt"
images = "bm/train"
[[set]]
name = "test"
list = "test.txt"
images = "bm/test"
[[set]]
name = "far/o"
list = "far.txt"
images = "."
"""


class FileForms(FieldCase):
    def prepare(self, name, far):
        """The images of F1 as lists, with the case's files as the far set; `far` is the list's text."""
        self.open(name)
        for file in ("ts.py", "bmp.py", "ev.toml"):
            shutil.copy(CASES / "F1_stale_same_size" / file, self.folder)
        self.python("bmp.py", "1", "noise")
        self.weights("save(sd(resnet18(2,seed=0)),'c.ckpt')")
        for part, count in (("train", 12), ("test", 6)):
            (self.folder / f"{part}.txt").write_text("".join(f"{c}/{i}.bmp {k}\n" for k, c in enumerate("ab") for i in range(count)))
        (self.folder / "far.txt").write_bytes(far if isinstance(far, bytes) else far.encode())
        (self.folder / "l.toml").write_text(LIST_BENCHMARK)

    def evaluate(self):
        return self.nearfar("run", "ev.toml", "benchmark=l.toml", "data.root=.", "model.checkpoint=c.ckpt", "postprocessors=msp", "--out", "o")

    def test_lists_with_marks_blanks_and_tabs(self):  # F7
        self.prepare("F7_list_names", b"\xef\xbb\xbfbm/ood/0.bmp -1\r\nmy cats/a b.bmp\t-1\n\"my cats/a b.bmp\" -1\n")
        (self.folder / "my cats").mkdir()
        shutil.copy(self.folder / "bm/ood/1.bmp", self.folder / "my cats/a b.bmp")
        out, _ = self.nearfar("data", "check", "l.toml", "data.root=.")
        self.assertIn("everything is there", out)
        (self.folder / "far.txt").write_text("bm/ood/0.bmp -1\nbm/ood/\u200b1.bmp -1\n")
        out, err = self.nearfar("data", "check", "l.toml", "data.root=.", code=6)
        self.assertIn("far.txt:2: bm/ood/\\u200b1.bmp", (out + err).replace("./", ""))

    def test_arrays_of_any_kind(self):  # F8
        self.open("F8_npy")
        subprocess.run(["tar", "xzf", "folders.tgz"], cwd=self.folder, check=True)
        for kind, auroc, fpr in (("f16", 78.35, 67.50), ("be", 78.35, 67.50), ("col", 78.35, 67.50), ("int", 78.3008, 71.00)):
            text, _ = self.nearfar("metrics", "--id", f"{kind}_i.npy", "--ood", f"{kind}_o.npy", "--json")
            found = json.loads(text)
            self.assertAlmostEqual(100 * found["auroc"], auroc, delta=0.005, msg=kind)
            self.assertAlmostEqual(100 * found["fpr95"], fpr, delta=0.005, msg=kind)
        scores = {}
        for folder in ("fortran", "i32lab", "f64feat"):
            self.nearfar("score", "knn", "--features", folder, "--set", "far/x", "-o", "x.npy")
            scores[folder] = (self.folder / "x.npy").read_bytes()
        self.assertEqual(len(set(scores.values())), 1, "the same numbers in another order or type")
        self.nearfar("score", "knn", "--features", "f16feat", "--set", "far/x", "-o", "x.npy")

    def test_first_frames_and_tiff(self):  # F9
        self.prepare("F9_animated_webp", "anim.webp -1\nx.tif -1\nbm/ood/0.bmp -1\n")
        out, _ = self.nearfar("data", "check", "l.toml", "data.root=.")
        self.assertIn("everything is there and can be read\n", out)
        self.evaluate()

    def test_damaged_images_are_counted(self):  # F10
        self.prepare("F10_truncated", "trunc.jpg -1\ntrunc.png -1\nbm/ood/0.bmp -1\n")
        out, _ = self.nearfar("data", "check", "l.toml", "data.root=.")
        for name in ("trunc.jpg", "trunc.png"):
            self.assertRegex(out, rf"warning: far/o: .*{name}")
        self.evaluate()
        self.assertTrue(all("damaged-images=2" in row["flags"] for row in self.rows("o")), self.rows("o"))


class MissingClass(FieldCase):  # F11
    def test_a_train_set_without_a_class_is_flagged(self):
        self.open("F1_stale_same_size")
        self.weights("save(sd(resnet18(2,seed=0)),'c.ckpt')")
        self.python("bmp.py", "1", "noise")
        shutil.rmtree(self.folder / "bm/train/b")
        self.assertIn("set 'train' has images of 1 of 2 classes; none of b (1)", self.nearfar("data", "check", "bm.toml", "data.root=bm", code=6)[0])
        _, err = self.nearfar("run", "ev.toml", "benchmark=bm.toml", "data.root=bm", "model.checkpoint=c.ckpt", "postprocessors=msp,knn", "--out", "o")
        self.assertIn("set 'train' has images of 1 of 2 classes; none of b (1)", err)
        self.assertTrue(all("missing-class" in row["flags"] for row in self.rows("o")))


    def test_features_without_a_class_are_flagged(self):
        self.open("F11_missing_class")
        self.python("gen.py")
        (self.folder / "three.toml").write_text(LIST_BENCHMARK.replace('["a", "b"]', '["a", "b", "c"]').replace("far/o", "far/x"))
        for folder, wanted in (("ok", False), ("noclass", True)):
            _, err = self.nearfar("run", "evaluate-checkpoint", "benchmark=three.toml", "protocols=ood", f"model.features={folder}", "postprocessors=msp,knn", "postprocessor.knn.k=5", "--out", folder)
            self.assertEqual("set 'train' has images of 2 of 3 classes; none of c (2)" in err, wanted)
            self.assertTrue(all(("missing-class" in row["flags"]) == wanted for row in self.rows(folder)))


class MissingSet(FieldCase):
    def test_a_method_that_needs_a_set_that_is_not_there_costs_its_own_cells(self):
        self.open("F1_stale_same_size")
        self.weights("save(sd(resnet18(2,seed=0)),'c.ckpt')")
        self.python("bmp.py", "1", "noise")
        out, err = self.nearfar("run", "ev.toml", "benchmark=bm.toml", "data.root=bm", "model.checkpoint=c.ckpt", "postprocessors=msp,klm,knn", "--out", "o")
        cells = {label.split()[-1]: cell for label, cell in self.status("o").items()}
        self.assertEqual({name: cells[name]["state"] for name in ("msp", "klm", "knn")}, {"msp": "ok", "klm": "not-applicable", "knn": "ok"})
        self.assertIn("needs the image set 'val'", cells["klm"]["message"])
        shutil.rmtree(self.folder / "bm/train")
        self.nearfar("run", "ev.toml", "benchmark=bm.toml", "data.root=bm", "model.checkpoint=c.ckpt", "postprocessors=msp,klm,knn", "--out", "o2")
        cells = {label.split()[-1]: cell for label, cell in self.status("o2").items()}
        self.assertEqual({name: cells[name]["state"] for name in ("msp", "knn")}, {"msp": "ok", "knn": "not-applicable"})
        self.assertIn("train: there is no such folder", cells["knn"]["message"])


if __name__ == "__main__":
    if not (CASES and PYTHON):
        print("SKIPPED: whole program:", "no cases; set NEARFAR_CASES" if PYTHON else "no Python with numpy and Pillow; set NEARFAR_PYTHON")
    unittest.main()
