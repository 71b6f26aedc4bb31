"""What is known of the loss without it. With lambda 0 a training ends with the scores of cross-entropy, to the byte, and the saved centres lie near the means of their
classes. With lambda 1 features lie nearer to the means of their classes than without. golden.py NEARFAR PLUGIN_FOLDER; standard library only."""
import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

program, plugins = sys.argv[1:3]
experiment = Path(__file__).resolve().parent.parent / "experiment.toml"


def read_npy(path):
    content = path.read_bytes()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    kind = "q" if b"<i8" in content[:start] else "f"
    return [value for value, in struct.iter_unpack("<" + kind, content[start:])]


def train(out, weight):
    """Folders of the cells of `ce` and `center` that score, and of their features."""
    subprocess.run([program, "run", experiment, "--out", out, "--plugin-dir", plugins, "postprocessors=msp", f"loss.center.lambda={weight}"],
                   check=True, stdout=subprocess.DEVNULL)
    status = subprocess.run([program, "status", "--all", "--json", "--out", out], check=True, capture_output=True, text=True).stdout
    cells = json.loads(status)["cells"]
    return ({cell["label"].split("/")[0]: out / "cells" / cell["key"][:16] for cell in cells if cell["label"].endswith(" msp")},
            {cell["label"].split("/")[0]: out / "cache" / cell["key"][:16] for cell in cells if cell["kind"] == "train"})


def test_features(folder):
    """Rows of each class."""
    flat, labels = read_npy(folder / "test/features.npy"), read_npy(folder / "test/labels.npy")
    width = len(flat) // len(labels)
    rows = [flat[i * width:(i + 1) * width] for i in range(len(labels))]
    return [[row for row, its in zip(rows, labels) if its == label] for label in range(max(labels) + 1)]


def mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows)]


def apart(one, other):
    return math.dist(one, other) ** 2


def spread(folder):
    """Mean square distance of test images to the mean of their class."""
    classes = test_features(folder)
    return sum(apart(row, mean(rows)) for rows in classes for row in rows) / sum(map(len, classes))


def saved_centres(checkpoint):
    content = checkpoint.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    entry = json.loads(content[8:start])["loss.centres"]
    first, last = entry["data_offsets"]
    values = [value for value, in struct.iter_unpack("<f", content[start + first:start + last])]
    classes, width = entry["shape"]
    return [values[c * width:(c + 1) * width] for c in range(classes)]


wrong = []
with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "without"
    cells, features = train(out, 0)
    scores = {loss: (path / "scores/test.npy").read_bytes() for loss, path in cells.items()}
    means = [mean(rows) for rows in test_features(features["center"])]
    centres = saved_centres(out / "cells" / features["center"].name / "last.safetensors")
    _, features = train(Path(folder) / "with", 1)
    spreads = {loss: spread(path) for loss, path in features.items()}

if scores["ce"] != scores["center"]:
    wrong.append("lambda 0: found other scores than those of ce, expected the same")
for c, centre in enumerate(centres):
    nearest = min(range(len(means)), key=lambda other: apart(centre, means[other]))
    off = math.sqrt(apart(centre, means[c]) / apart(means[c], [0] * len(centre)))
    print(f"centre {c}: {off:.2f} of the length of its class's mean away from it")
    if nearest != c or off > 0.7:  # a centre that never moved is 1 away; train and test features differ, too
        wrong.append(f"centre {c}: found nearest to the mean of class {nearest}, {off:.2f} away from its own; expected its own, at most 0.7")
print(f"spread within classes: ce {spreads['ce']:.3f}, center {spreads['center']:.3f}")
if not spreads["center"] < spreads["ce"]:
    wrong.append("lambda 1: expected features of a class closer together than with ce")
sys.exit("\n".join(wrong) or 0)
