"""Tiny benchmarks in the real layout, made once for all tests of a class, and weights to start from."""
import json
import shutil
import struct
import tempfile
from pathlib import Path


def resnet50_weights(path):
    """A file with torchvision's tensors of a resnet50, all zero and mostly a hole."""
    shapes = {"conv1.weight": [64, 3, 7, 7], "fc.weight": [1000, 2048], "fc.bias": [1000]}

    def norm(name, width):
        shapes.update({f"{name}.{part}": [width] for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = []

    norm("bn1", 64)
    before = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            for index, (to, of, side) in enumerate([(width, before, 1), (width, width, 3), (4 * width, width, 1)], 1):
                shapes[f"{name}.conv{index}.weight"] = [to, of, side, side]
                norm(f"{name}.bn{index}", to)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = [4 * width, before, 1, 1]
                norm(f"{name}.downsample.1", 4 * width)
            before = 4 * width
    header, end = {}, 0
    for name, shape in shapes.items():
        count = 1
        for side in shape:
            count *= side
        size = count * (8 if name.endswith("tracked") else 4)
        header[name] = {"dtype": "I64" if name.endswith("tracked") else "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


class LookAlikes:
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="nearfar-look-alike-")
        cls.addClassCleanup(cls.shared.cleanup)
        cls.data = Path(cls.shared.name)

    def look_alike(self, benchmark, per_set=1):
        root = self.data / f"{benchmark}-{per_set}"
        if not root.exists():
            self.nearfar("data", "synth", benchmark, "--out", root, "--per-set", per_set)
        return [f"data.root={root}", "data.allow_count_mismatch=true"]

    def all_look_alikes(self, benchmarks, per_set=1):
        """One data.root with all of them, as OpenOOD's data folder has them."""
        root = self.data / "all"
        if not root.exists():
            for benchmark in benchmarks:
                self.look_alike(benchmark, per_set)
                shutil.copytree(self.data / f"{benchmark}-{per_set}", root, dirs_exist_ok=True)
        return [f"data.root={root}", "data.allow_count_mismatch=true"]
