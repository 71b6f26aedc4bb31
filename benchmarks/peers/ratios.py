#!/usr/bin/env python3
"""`./run bench ratios`: every paired comparison with another program, one after the other, and one table at the end.

Each script checks both sides' answers first and gives no row for a wrong one. With --quick only: does each run?
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pairs

SCRIPTS = ("metrics_ratio", "loading_ratio", "packed_ratio", "train_items_ratio", "contrastive_ratio", "training_ratio", "knn_ratio", "heads_ratio", "evaluation_ratio")
PROGRAM = {"metrics_ratio": "metrics_bench", "loading_ratio": "pixels_bench", "packed_ratio": "loading_bench", "train_items_ratio": "train_items_bench"}
SMALL = {"metrics_ratio": ["--rounds", "2"], "loading_ratio": ["--rounds", "2"], "packed_ratio": ["--rounds", "2", "--images", "1000"],
         "train_items_ratio": ["--rounds", "2", "--images", "1000"]}


def main():
    arguments = pairs.parser(__doc__.splitlines()[0]).parse_args()
    here, failed = Path(__file__).resolve().parent, []
    with tempfile.TemporaryDirectory() as temporary:
        results = arguments.json or Path(temporary) / "rows.jsonl"
        for script in SCRIPTS:
            if arguments.only not in script:
                continue
            command = [sys.executable, here / f"{script}.py", "--json", results]
            if script in PROGRAM:
                command += ["--bench", arguments.build / "bench" / PROGRAM[script], *(SMALL[script] if arguments.quick else [])]
            else:
                command += ["--build", arguments.build, *(["--quick"] if arguments.quick else [])]
            print(f"\n{script}", flush=True)
            before = results.stat().st_size if results.exists() else 0
            status = subprocess.run(command).returncode
            if status not in (0, 1) or not results.exists() or results.stat().st_size == before:
                failed.append(script)
        rows = [pairs.Row(**json.loads(line)) for line in results.read_text().splitlines()] if results.exists() else []
    print("\n" + pairs.machine_line())
    print("ratio: peer / ours, wall time, median over n alternating pairs; least: the smallest; cpu: the same of processor time\n")
    judged = [row for row in rows if row.goal]
    pairs.finish(rows, None)
    print(f"\n{sum(row.hit for row in judged)} of {len(judged)} goals are reached", end="")
    print(f"; no answer from {', '.join(failed)}: see above" if failed else "")
    return 2 if failed else 0 if all(row.hit for row in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
