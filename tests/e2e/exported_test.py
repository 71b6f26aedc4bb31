"""Networks that Python exported, as a person evaluates them: a ResNet-18 whose .pt2 and whose checkpoint give one leaderboard, export-check, and
what is refused. The graph is torchvision's (tests/golden/exported); its weights are made here."""
import array
import csv
import io
import json
import math
import random
import shutil
import struct
import unittest
import zipfile
from support import SOURCE, Case

GOLDEN = SOURCE / "tests/golden/exported"
MAPS = ("max_pool2d", "relu__4", "relu__8", "relu__12", "relu__16")  # as the stages of our own ResNet-18
POSTPROCESSORS = ("msp", "ebo", "odin", "gradnorm", "knn", "mds", "vim", "react", "rankfeat", "gram", "mds-ensemble")


def weights(name, shape, draw):
    """float32 values of one tensor: He's uniform for weights, norms that tell channels apart."""
    count = math.prod(shape)
    if name.endswith("num_batches_tracked"):
        return struct.pack("<q", 0)
    low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.2, 0.2) if name.endswith(("bias", "running_mean")) else (0.5, 1.0)
    if len(shape) > 1:
        high = math.sqrt(6 / math.prod(shape[1:]))
        low = -high
    return array.array("f", (low + (high - low) * draw() for _ in range(count))).tobytes()


def write_npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple(shape)}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + array.array("f", values).tobytes())


class Exported(Case):
    def resnet18(self):
        """net.pt2 and net.safetensors: one network."""
        draw = random.Random(5).random
        graph = zipfile.ZipFile(GOLDEN / "resnet18-graph.zip")
        config = json.loads(graph.read("data/weights/model_weights_config.json"))["config"]
        header, blobs, offset = {}, [], 0
        with zipfile.ZipFile(self.folder / "net.pt2", "w") as archive:
            for name in graph.namelist():
                archive.writestr(f"net/{name}", graph.read(name))
            for name, payload in config.items():
                shape = [size["as_int"] for size in payload["tensor_meta"]["sizes"]]
                data = weights(name, shape, draw)
                archive.writestr(f"net/data/weights/{payload['path_name']}", data)
                kind = "I64" if name.endswith("num_batches_tracked") else "F32"
                header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + len(data)]}
                offset += len(data)
                blobs.append(data)
        text = json.dumps(header).encode()
        (self.folder / "net.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))

    def benchmark(self, size):
        """small.toml: the smoke benchmark's generated images of another size."""
        text = (SOURCE / "configs/benchmarks/smoke.toml").read_text()
        text = text.replace('name = "smoke"', 'name = "small"').replace("height = 16\nwidth = 16", f"height = {size}\nwidth = {size}")
        text = text.replace("first_per_class = 100\ncount = 400", "first_per_class = 30\ncount = 120")
        self.assertIn(f"height = {size}", text)
        self.assertIn("count = 120", text)
        (self.folder / "small.toml").write_text(text)

    def board(self, out, *arguments):
        """(postprocessor, protocol, group, dataset, metric) → mean."""
        self.benchmark(48)
        (self.folder / "x.toml").write_text('name = "x"\nbenchmark = "small.toml"\n')
        self.nearfar("run", "x.toml", f"postprocessors={','.join(POSTPROCESSORS)}", "postprocessor.gram.precision=float64", "--out", out, *arguments)
        rows = csv.DictReader(io.StringIO((self.folder / out / "leaderboard.csv").read_text()))
        return {(r["postprocessor"], r["protocol"], r["group"], r["dataset"], r["metric"]): float(r["mean"]) for r in rows}

    def test_a_resnet18_gives_the_leaderboard_of_its_checkpoint(self):
        self.resnet18()
        ours = self.board("checkpoint", "model.checkpoint=net.safetensors", "model.name=resnet18_224x224")
        theirs = self.board("exported", "model.file=net.pt2", f"model.map_nodes={','.join(MAPS)}")
        self.assertEqual({key[0] for key in ours}, set(POSTPROCESSORS))
        self.assertEqual(ours.keys(), theirs.keys())
        for key, value in ours.items():
            self.assertAlmostEqual(theirs[key], value, delta=0.05, msg=f"{key}: points")
        again = json.loads(self.nearfar("run", "x.toml", "model.file=net.pt2", f"model.map_nodes={','.join(MAPS)}", "postprocessors=msp", "--json", "--out", "exported")[0])
        self.assertEqual(again["ran"], 0)

    def test_stored_outputs_are_compared(self):
        shutil.copy(GOLDEN / "vit.pt2", self.folder)
        content = (GOLDEN / "vit.logits.npy").read_bytes()[-320:]  # eight rows of ten: seven inputs, then the first again
        logits = list(struct.unpack("<70f", content[:280]))
        write_npy(self.folder / "vit.pt2.reference.logits.npy", (7, 10), logits)
        shutil.copy(GOLDEN / "inputs.npy", self.folder / "vit.pt2.reference.inputs.npy")
        text, _ = self.nearfar("export-check", "vit.pt2", "--nodes")
        self.assertRegex(text, r"7 stored outputs: the largest difference is \S+, of logits up to \S+: they agree")
        self.assertRegex(text, r"conv2d +torch.ops.aten.conv2d.default +Float \[N,32,4,4\]")
        logits[3] += 0.01
        write_npy(self.folder / "z.npy", (7, 10), logits)
        text, _ = self.nearfar("export-check", "vit.pt2", "--inputs", GOLDEN / "inputs.npy", "--logits", "z.npy", code=1)
        self.assertIn("NOT THE SAME", text)
        shutil.move(self.folder / "z.npy", self.folder / "vit.pt2.reference.logits.npy")
        self.assertFalse(json.loads(self.nearfar("export-check", "vit.pt2", "--json", code=1)[0])["agrees"])

    def test_bad_files_end_with_a_message(self):
        (self.folder / "cut.pt2").write_bytes((GOLDEN / "vit.pt2").read_bytes()[:1000])
        for arguments, words, code in (
                (("export-check", "missing.pt2"), ("missing.pt2",), 6),
                (("export-check", "cut.pt2"), ("cut.pt2",), 6),
                (("export-check", GOLDEN / "tiny-fft.pt2"), ("fft_fft2", "is not among the operators"), 6),
                (("export-check", GOLDEN / "tiny-plain.pt2", "--feature-node", "maen"), ("did you mean 'mean'?",), 4),
                (("run", "x.toml", f"model.file={GOLDEN / 'vit.pt2'}"), ("[3,32,32]", "[1,16,16]"), 6),
                (("run", "x.toml", f"model.torchscript={GOLDEN / 'tiny-plain.torchscript.pt'}"), ("--trust",), 4)):
            (self.folder / "x.toml").write_text('name = "x"\nbenchmark = "smoke"\npostprocessors = ["msp"]\n')
            _, err = self.nearfar(*arguments, code=code)
            for word in words:
                self.assertIn(word, err)
            self.assertNotIn("frame #", err)
            self.assertNotIn("Exception raised from", err)

    def test_torchscript_runs_where_it_is_trusted(self):
        self.benchmark(8)
        (self.folder / "x.toml").write_text('name = "x"\nbenchmark = "small.toml"\npostprocessors = ["msp", "knn", "odin", "vim"]\n')
        for form, applicable in (("two", {"msp", "knn", "odin"}), ("plain", {"msp", "odin"})):
            arguments = ("x.toml", f"model.torchscript={GOLDEN / f'tiny-gray-{form}.torchscript.pt'}", "--trust", "--out", form)
            plan = json.loads(self.nearfar("plan", *arguments, "--json")[0])
            self.nearfar("run", *arguments)
            rows = csv.DictReader(io.StringIO((self.folder / form / "leaderboard.csv").read_text()))
            self.assertEqual({row["postprocessor"] for row in rows}, applicable)
            self.assertTrue(plan)


if __name__ == "__main__":
    unittest.main()
