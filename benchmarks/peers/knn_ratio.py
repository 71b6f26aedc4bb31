#!/usr/bin/env python3
"""How many times faster the k-th nearest neighbour is found here than by FAISS as OpenOOD v1.5 calls it: IndexFlatL2 on the processor, 200
queries a search, of which it uses the last distance. Also against FAISS at its best: all queries in one search.

The bank is in memory on both sides (ours maps the .npy file). Setting up FAISS's index (a copy) is not timed; our normalising of the bank,
which is done tile by tile while scoring, is. Needs faiss-cpu and numpy; benchmarks/peers/requirements.txt has the versions.
"""

import sys
import tempfile
from pathlib import Path

import pairs
import faiss
import numpy as np

BATCH = 200
BLAS_FROM = 128_000  # queries x width of a call, from which FAISS 1.15 multiplies by BLAS instead of row by row
SIZES = {"50,000 x 512": (50_000, 512, 2_000, 7), "200,000 x 2048": (200_000, 2048, 1_000, 5)}  # bank rows, width, queries, pairs
QUICK = {"5,000 x 512": (5_000, 512, 400, 2)}
K = 50


def unit_rows(features):
    """OpenOOD's normaliser as it is written: the small number is added to the quotient."""
    return features / np.linalg.norm(features, axis=1, keepdims=True) + 1e-10


def make(folder, bank_rows, width, queries):
    """Features behind a ReLU, in some clusters, as nets make them: in blocks, so that memory stays small."""
    random = np.random.default_rng(3)
    centres = random.normal(0, 0.5, (100, width)).astype(np.float32)
    for name, rows in (("train", bank_rows), ("test", queries)):
        (folder / name).mkdir(parents=True)
        file = np.lib.format.open_memmap(folder / name / "features.npy", mode="w+", dtype=np.float32, shape=(rows, width))
        for first in range(0, rows, 10_000):
            here = min(10_000, rows - first)
            noise = random.standard_normal((here, width), np.float32)
            file[first : first + here] = np.maximum(centres[random.integers(0, 100, here)] + noise, 0)
        file.flush()
        np.save(folder / name / "labels.npy", np.arange(rows) % 100)


def exact(bank, queries, k):
    """float64, by blocks."""
    queries, best = unit_rows(queries.astype(np.float64)), None
    for first in range(0, len(bank), 20_000):
        block = unit_rows(bank[first : first + 20_000].astype(np.float64))
        squares = (queries**2).sum(1)[:, None] + (block**2).sum(1)[None, :] - 2 * queries @ block.T
        best = squares if best is None else np.concatenate([best, squares], 1)
        best = np.partition(best, k - 1, 1)[:, :k]
    return best.max(1)


def search(index, queries, batch):
    return np.concatenate([index.search(queries[i : i + batch], K)[0][:, -1] for i in range(0, len(queries), batch)])


def run(build, name, size, judged):
    bank_rows, width, count, number = size
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, bank_rows, width, count)
        raw = np.load(folder / "test/features.npy")
        index = faiss.IndexFlatL2(width)
        bank = np.load(folder / "train/features.npy", mmap_mode="r")
        for first in range(0, bank_rows, 20_000):
            index.add(unit_rows(np.asarray(bank[first : first + 20_000])))
        with pairs.Ours(build, "knn", folder, k=K) as ours:
            ours.fit()
            sample = slice(0, 200)
            wanted = exact(bank, raw[sample], K)
            error = [np.abs(found[sample] - wanted).max() for found in (ours.scores(folder), search(index, unit_rows(raw[:400]), BATCH))]
            pairs.gate(f"knn {name}", error[0], error[1], 2e-6)
            rows = []
            for peer, batch, goal in ((f"faiss {faiss.__version__}, 200 a call", BATCH, 3.5), (f"faiss {faiss.__version__}, one call", count, 0)):
                # OpenOOD normalises each batch, too; that is a thousandth of the search.
                theirs = lambda: pairs.clock(lambda: search(index, unit_rows(raw), batch))  # noqa: B023, E731
                result = pairs.compare(theirs, ours.score, number if goal else 3)
                note = "FAISS uses BLAS here: both are bound by the products" if batch * width >= BLAS_FROM else ""
                rows.append(pairs.Row("knn", f"{name}, {count} q", peer, goal=goal if judged else 0, note=note, **result))
                print(f"  {rows[-1]}", flush=True)
        return rows


def main():
    arguments = pairs.parser(__doc__.splitlines()[0]).parse_args()
    faiss.omp_set_num_threads(pairs.THREADS)
    print(pairs.machine_line())
    sizes = QUICK if arguments.quick else SIZES
    rows = [row for name, size in sizes.items() if arguments.only in name for row in run(arguments.build, name, size, not arguments.quick)]
    return pairs.finish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
