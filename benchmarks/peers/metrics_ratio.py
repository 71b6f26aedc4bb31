#!/usr/bin/env python3
"""How many times faster our ranking metrics are than the scikit-learn calls that OpenOOD v1.5 makes, on the same score arrays.

Both sides are timed in-process, on one thread and one processor, reading excluded; rounds alternate between them. Before any timing, the
answers are compared: FPR@95 equal, the areas to 1e-12; no ratio of a wrong answer is printed.

Needs numpy and scikit-learn, and a release build of metrics_bench:
    python3 benchmarks/peers/metrics_ratio.py [--bench build/release/bench/metrics_bench] [--scores 100000] [--rounds 9]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["NEARFAR_PEER_THREADS"] = "1"
import pairs  # noqa: E402  (it sets the thread counts, which are read at import)
import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn import metrics  # noqa: E402

GOAL = 25
NAMES = ("auroc", "fpr95", "aupr_in", "aupr_out")


def scikit_learn(conf, is_ood, is_id):
    """OpenOOD's calls: conf is higher for ID, OOD is positive; three sorts of all scores."""
    fpr, tpr, _ = metrics.roc_curve(is_ood, -conf)
    precision_in, recall_in, _ = metrics.precision_recall_curve(is_id, conf)
    precision_out, recall_out, _ = metrics.precision_recall_curve(is_ood, -conf)
    return {
        "auroc": metrics.auc(fpr, tpr),
        "fpr95": fpr[np.argmax(tpr >= 0.95)],
        "aupr_in": metrics.auc(recall_in, precision_in),
        "aupr_out": metrics.auc(recall_out, precision_out),
    }


def time_scikit_learn(arguments, calls):
    """(wall, cpu) milliseconds of each call."""
    times = []
    for _ in range(calls):
        wall, cpu = time.perf_counter(), time.process_time()
        scikit_learn(*arguments)
        times.append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
    return times


def run_ours(bench, folder, repetitions):
    """(wall, cpu) milliseconds of each repetition, each a mean over some 0.05 s of calls; and the answer."""
    environment = {**os.environ, "NEARFAR_BENCH_ID": str(folder / "id.npy"), "NEARFAR_BENCH_OOD": str(folder / "ood.npy")}
    options = {"format": "json", "filter": "^Files", "min_time": "0.05", "repetitions": repetitions}
    command = [bench, *(f"--benchmark_{name}={value}" for name, value in options.items())]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    runs = [run for run in json.loads(output)["benchmarks"] if run["run_type"] == "iteration"]
    scale = {"ns": 1e-6, "us": 1e-3, "ms": 1}[runs[0]["time_unit"]]
    return [(run["real_time"] * scale, run["cpu_time"] * scale) for run in runs], {name: runs[0][name] for name in NAMES}


def make_scores(count, kind):
    """Two shifted normals, half and half, float32, higher = more OOD."""
    random = np.random.default_rng(1)
    scores = [random.normal(mean, 1, count // 2) for mean in (0, 1)]
    if kind == "tied":
        scores = [np.round(side, 2) for side in scores]
    return [side.astype(np.float32) for side in scores]


def compare(bench, count, kind, rounds):
    """One row of the table; leaves the program if the answers differ."""
    id_scores, ood_scores = make_scores(count, kind)
    conf = -np.concatenate([id_scores, ood_scores])
    is_ood = np.repeat([0, 1], [len(id_scores), len(ood_scores)])
    arguments = (conf, is_ood, 1 - is_ood)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "id.npy", id_scores)
        np.save(folder / "ood.npy", ood_scores)

        theirs = scikit_learn(*arguments)  # also warms up
        _, ours = run_ours(bench, folder, 1)
        difference = {name: abs(ours[name] - theirs[name]) for name in NAMES}
        if difference["fpr95"] != 0 or max(difference.values()) > 1e-12:
            sys.exit(f"{count} {kind} scores: the answers differ, so there is no ratio\nours   {ours}\ntheirs {theirs}")

        their_times, our_times, ratios = [], [], []
        for _ in range(rounds):
            t = time_scikit_learn(arguments, 5)
            o, _ = run_ours(bench, folder, 5)
            their_times += t
            our_times += o
            ratios.append([statistics.median(x[k] for x in t) / statistics.median(x[k] for x in o) for k in (0, 1)])

    wall, cpu = ([ratio[k] for ratio in ratios] for k in (0, 1))
    cpu_of = lambda times: [x[1] for x in times]  # noqa: E731
    medians = [statistics.median(cpu_of(times)) / 1e3 for times in (their_times, our_times)]
    peer = f"scikit-learn {sklearn.__version__}"
    return {
        "difference": max(difference.values()),
        "median": statistics.median(cpu),
        "made": pairs.Row("metrics", f"{count:,} {kind}", peer, *medians, statistics.median(cpu), min(cpu), statistics.median(cpu), rounds, GOAL, "processor time"),
        "row": f"{count:>9} {kind:<7} {statistics.median(cpu_of(their_times)):>9.2f} {min(cpu_of(their_times)):>8.2f} "
        f"{statistics.median(cpu_of(our_times)):>9.3f} {min(cpu_of(our_times)):>8.3f} "
        f"{statistics.median(cpu):>8.1f} {min(cpu):>7.1f} {max(cpu):>7.1f} {min(cpu_of(their_times)) / min(cpu_of(our_times)):>8.1f} "
        f"{statistics.median(wall):>10.1f} {min(wall):>7.1f} {max(wall):>7.1f}",
    }


def build_type(bench):
    """From the CMake cache beside the program."""
    for folder in bench.resolve().parents:
        cache = folder / "CMakeCache.txt"
        if cache.exists():
            lines = cache.read_text().splitlines()
            return next((line.split("=", 1)[1] for line in lines if line.startswith("CMAKE_BUILD_TYPE:")), "unknown")
    return "unknown"


def main():
    """Prints the table; exit 1 if a median ratio misses the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(__file__).resolve().parents[2] / "build/release/bench/metrics_bench")
    parser.add_argument("--scores", type=int, nargs="+", default=[100_000], help="scores in all, half of them ID")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="append the rows to this file, one JSON object a line")
    arguments = parser.parse_args()
    if not arguments.bench.exists():
        parser.error(f"{arguments.bench} does not exist: build the target metrics_bench, or name it with --bench")

    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # inherited by metrics_bench
    print(pairs.machine_line() + ", pinned to one processor")
    theirs = f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
    print(f"ours: {build_type(arguments.bench)} build; theirs: {theirs}")
    print(f"{arguments.rounds} rounds, 5 timings a side and round; a round's ratio is median / median; processor time, ms; float32")
    print("                        scikit-learn            nearfar        ratio, processor time               ratio, wall time")
    print("   scores kind       median     best    median     best   median     min     max     best     median     min     max")
    rows = []
    for count in arguments.scores:
        for kind in ("untied", "tied"):
            result = compare(arguments.bench, count, kind, arguments.rounds)
            print(f"{result['row']}   (answers within {result['difference']:.0e})", flush=True)
            rows.append(result["made"])
    print(f"goal {GOAL}x: {'reached' if all(row.hit for row in rows) else 'missed'}")
    return pairs.store(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
