"""Runs the program in a folder of its own. Standard library only."""
import array
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = os.environ["NEARFAR_PROGRAM"]
SOURCE = Path(os.environ["NEARFAR_SOURCE"])
BAD_PLUGINS = Path(os.environ["NEARFAR_BAD_PLUGINS"])
SMOKE = SOURCE / "configs/experiments/smoke.toml"


def read_npy(path):
    """Values and shape of a little-endian C-order .npy file."""
    content = path.read_bytes()
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10:10 + length].decode()
    kind = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "<i2": "h", "|i1": "b", "|u1": "B"}[header.split("'descr': '")[1][:3]]
    shape = [int(n) for n in header.split("(")[1].split(")")[0].split(",") if n.strip()]
    values = array.array(kind)
    values.frombytes(content[10 + length:])
    return values, shape


def apart(one, other):
    """Largest difference of two arrays, as a share of the largest value."""
    (first, shape), (second, other_shape) = read_npy(one), read_npy(other)
    assert shape == other_shape, f"{one}: {shape}, {other}: {other_shape}"
    largest = max((abs(value) for value in first), default=0) or 1
    return max((abs(a - b) for a, b in zip(first, second)), default=0) / largest


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="nearfar-e2e-")
        self.folder = Path(self._folder.name)
        self.addCleanup(self._folder.cleanup)

    def start(self, *arguments, **environment):
        return subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "NO_COLOR": "1", **environment})

    def nearfar(self, *arguments, code=0, **environment):
        """stdout and stderr of a command that must end with `code`."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=1200)
        self.assertEqual(process.returncode, code, f"nearfar {' '.join(map(str, arguments))}\n{out}\n{err}")
        return out, err

    def run_smoke(self, *extra, code=0, **environment):
        return self.nearfar("run", SMOKE, "--out", self.folder / "out", *extra, code=code, **environment)

    def status(self, out="out"):
        cells = json.loads(self.nearfar("status", "--json", "--out", self.folder / out)[0])["cells"]
        return {cell["label"]: cell for cell in cells}

    def results(self, out="out"):
        return (self.folder / out / "leaderboard.csv").read_text()

    def kill_run_when(self, condition, *arguments, number=signal.SIGKILL):
        """The process of `nearfar run smoke` into `out` after kill_when(); begun anew where a busy machine let it end before we looked."""
        for _ in range(5):
            process = self.start("run", SMOKE, "--out", self.folder / "out", *arguments)
            if self.kill_when(process, condition, number):
                return process
            shutil.rmtree(self.folder / "out")
        self.fail("the run always ended before the condition was seen")

    def kill_when(self, process, condition, number=signal.SIGKILL, seconds=120):
        """Sends `number` as soon as condition() holds; True if the process was still running then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                return False
            if condition():
                process.send_signal(number)
                process.communicate()
                return True
            time.sleep(0.005)
        self.fail("the condition never held")
