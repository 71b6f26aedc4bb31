"""What the ratio scripts share: our side as a process that times itself, alternating pairs, and one form of row for one table.

A pair is one call of the peer and one of ours, straight after each other, on the same .npy files and with the same number of threads; a ratio
is peer / ours of one pair. Before any timing the answers are checked; no ratio of a wrong answer is printed.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
THREADS = int(os.environ.get("NEARFAR_PEER_THREADS", "2"))
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = str(THREADS)  # read when numpy, torch and faiss are imported: import this first
os.environ["OMP_WAIT_POLICY"] = "passive"  # on both sides: threads that wait must not take the other side's processors


@dataclass
class Row:
    """One line of the table. `goal` 0: shown, not judged."""

    stage: str
    size: str
    peer: str
    theirs: float  # median seconds
    ours: float
    ratio: float  # of wall time, median over the pairs; judged
    least: float
    processor: float  # the same of processor time: what a busy machine does not disturb
    pairs: int
    goal: float
    note: str = ""

    @property
    def hit(self):
        return self.ratio >= self.goal

    def __str__(self):
        verdict = "" if not self.goal else "hit" if self.hit else "MISS"
        goal = f">= {self.goal:g}" if self.goal else ""
        line = f"{self.stage:<15} {self.size:<24} {self.peer:<26} {seconds(self.theirs):>9} {seconds(self.ours):>9}"
        return f"{line} {self.ratio:>8.1f} {self.least:>8.1f} {self.processor:>8.1f} {self.pairs:>3}  {goal:<8} {verdict:<5} {self.note}".rstrip()


HEADER = f"{'stage':<15} {'size':<24} {'peer':<26} {'peer':>9} {'ours':>9} {'ratio':>8} {'least':>8} {'cpu':>8} {'n':>3}  {'goal':<8}"


def seconds(value):
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} us"


class Ours:
    """The program score_timer with one postprocessor and one feature folder: it times itself, without its start."""

    def __init__(self, build, plugin, folder, **parameters):
        words = [f"{name}={value}" for name, value in parameters.items()]
        command = [build / "bench/score_timer", build / f"lib/nearfar/plugins/{plugin}.so", folder, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        """Wall and processor seconds that a command took."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            give_up(f"score_timer ended at '{' '.join(map(str, words))}'; its message is above")
        return tuple(map(float, answer.split()))

    def fit(self):
        return self.ask("fit")

    def score(self, name="test"):
        return self.ask("score", name)

    def scores(self, folder, name="test"):
        import numpy as np

        file = Path(folder) / "ours.npy"
        self.ask("save", name, file)
        return np.load(file)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def clock(call):
    """Wall and processor seconds of a call in this process."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def compare(theirs, ours, count):
    """`count` alternating pairs of functions that give wall and processor seconds."""
    both = [(theirs(), ours()) for _ in range(count)]
    wall, processor = ([t[i] / max(o[i], 1e-6) for t, o in both] for i in (0, 1))
    return {
        "theirs": statistics.median(t[0] for t, _ in both),
        "ours": statistics.median(o[0] for _, o in both),
        "ratio": statistics.median(wall),
        "least": min(wall),
        "processor": statistics.median(processor),
        "pairs": count,
    }


def relative_error(values, exact):
    """max |v - e| / max |e|"""
    import numpy as np

    exact = np.asarray(exact, np.float64)
    return float(np.abs(np.asarray(values, np.float64) - exact).max() / max(np.abs(exact).max(), 1e-300))


def gate(what, ours, theirs, allowed):
    """Prints both sides' errors against float64; leaves the program where ours is above what is allowed and above the peer's."""
    print(f"  {what}: error against float64: ours {ours:.1e}, peer {theirs:.1e}", flush=True)
    if not ours <= max(allowed, theirs):
        give_up(f"{what}: our answer is wrong (more than {allowed:.0e} and more than the peer's), so there is no ratio")


def machine():
    """The processor's name, as Linux has it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine_line(threads=THREADS):
    return f"machine: {machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {threads} threads a side; Python {platform.python_version()}"


def parser(description):
    """The options that every script has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--build", type=Path, default=ROOT / "build/release", help="a Release build of nearfar")
    made.add_argument("--quick", action="store_true", help="small sizes and two pairs: does it run? Goals are not judged")
    made.add_argument("--only", default="", help="rows whose stage contains this text")
    made.add_argument("--json", type=Path, help="append the rows to this file, one JSON object a line")
    return made


def give_up(message):
    """No answer, or a wrong one: exit 2, which is not the 1 of a goal that is missed."""
    print(message, file=sys.stderr)
    sys.exit(2)


def guarded(main):
    """main()'s exit status, and 2 where it fails: Python's own 1 would read as a goal that is missed."""
    try:
        return main()
    except Exception:
        traceback.print_exc()
        return 2


def store(rows, json_file):
    """Appends the rows to the file, if any; the exit status: 1 if a goal is missed."""
    if json_file:
        with open(json_file, "a") as file:
            for row in rows:
                file.write(json.dumps(asdict(row)) + "\n")
    return 0 if all(row.hit for row in rows) else 1


def finish(rows, json_file):
    """Prints the rows, and stores them."""
    print(HEADER)
    for row in rows:
        print(row)
    return store(rows, json_file)
