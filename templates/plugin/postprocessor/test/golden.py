"""Scores of made-up logits against golden.csv. golden.py NEARFAR PLUGIN_FOLDER; standard library only."""
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROWS, CLASSES, WIDTH = 12, 4, 3


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


with tempfile.TemporaryDirectory() as folder:
    data = Path(folder)
    for part in ("train", "test"):
        write_npy(data / part / "features.npy", "f", [math.cos(i) for i in range(ROWS * WIDTH)], (ROWS, WIDTH))
        write_npy(data / part / "logits.npy", "f", [3 * math.sin(1.7 * i + 2.3 * c) for i in range(ROWS) for c in range(CLASSES)], (ROWS, CLASSES))
        write_npy(data / part / "labels.npy", "q", [i % CLASSES for i in range(ROWS)], (ROWS,))
    subprocess.run([sys.argv[1], "score", "<%name%>", "--features", data, "--plugin-dir", sys.argv[2], "-o", data / "scores.npy"], check=True)
    found = read_scores(data / "scores.npy")

wanted = [float(line) for line in (Path(__file__).parent / "golden.csv").read_text().split()]
wrong = [f"row {i}: found {f}, expected {w}" for i, (f, w) in enumerate(zip(found, wanted)) if not math.isclose(f, w, rel_tol=1e-5, abs_tol=1e-6)]
if len(found) != len(wanted):
    wrong.append(f"found {len(found)} scores, expected {len(wanted)}")
sys.exit("\n".join(wrong) or 0)
