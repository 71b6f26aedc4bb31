"""Scores of made-up features against the formula in plain Python. golden.py NEARFAR PLUGIN_FOLDER; standard library only."""
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS, CLASSES, WIDTH = 24, 4, 5
ABSENT = 2  # no train image is of this class


def write_npy(path, kind, values, shape):
    header = f"{{'descr': '{'<f4' if kind == 'f' else '<i8'}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}{kind}", *values))


def read_scores(path):
    content = path.read_bytes()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    kind = "d" if b"<f8" in content[:start] else "f"
    return [value for value, in struct.iter_unpack("<" + kind, content[start:])]


def unit(row):
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row]


def made_up(shift):
    return [[math.cos(1.3 * i + 0.7 * d + shift) + 0.2 for d in range(WIDTH)] for i in range(ROWS)]


train, test = made_up(0), made_up(2)
labels = [(0, 1, 3)[i % 3] for i in range(ROWS)]
prototypes = [unit([sum(unit(row)[d] for row, label in zip(train, labels) if label == c) for d in range(WIDTH)]) for c in range(CLASSES) if c != ABSENT]
wanted = [1 - max(sum(a * b for a, b in zip(unit(row), prototype)) for prototype in prototypes) for row in test]

with tempfile.TemporaryDirectory() as folder:
    data = Path(folder)
    for part, rows in (("train", train), ("test", test)):
        write_npy(data / part / "features.npy", "f", sum(rows, []), (ROWS, WIDTH))
        write_npy(data / part / "logits.npy", "f", [0.0] * (ROWS * CLASSES), (ROWS, CLASSES))
        write_npy(data / part / "labels.npy", "q", labels, (ROWS,))
    subprocess.run([sys.argv[1], "score", "cosine-prototypes", "--features", data, "--plugin-dir", sys.argv[2], "-o", data / "scores.npy"], check=True)
    found = read_scores(data / "scores.npy")

wrong = [f"row {i}: found {f}, expected {w}" for i, (f, w) in enumerate(zip(found, wanted)) if abs(f - w) > 1e-5]
if len(found) != len(wanted):
    wrong.append(f"found {len(found)} scores, expected {len(wanted)}")
sys.exit("\n".join(wrong) or 0)
