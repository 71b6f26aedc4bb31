#!/usr/bin/env python3
"""OpenOOD's own results as a tidy CSV, for `nearfar report reproduction --against FILE`.

usage: tools/openood_results.py RESULTS --benchmark cifar10 --architecture resnet18_32x32 [--training ce] [--only msp,knn] [--output FILE]
RESULTS is a folder that OpenOOD's evaluation wrote (ood/POSTPROCESSOR.csv, fsood/POSTPROCESSOR.csv: two decimals), or a results.json that holds
POSTPROCESSOR -> main -> ood|fsood -> data set -> FPR@95, AUROC, AUPR_IN, AUPR_OUT, ACC in percent with all their digits. Standard library only.

Both list the near sets, `nearood`, the far sets, `farood`, in this order: that is how a set's group is known. Columns are those of reports/published.
"""
import argparse
import csv
import json
import sys
from pathlib import Path

METRICS = {"FPR@95": "fpr95", "AUROC": "auroc", "AUPR_IN": "aupr_in", "AUPR_OUT": "aupr_out"}
ACCURACY_SET = {"ood": "test", "fsood": "test+csid"}
# OpenOOD's networks without a classifier predict one class for everything: their accuracy means nothing.
WITHOUT_CLASSIFIER = {"cider", "npos", "palm", "reweightood"}
COLUMNS = ["training", "postprocessor", "architecture", "benchmark", "protocol", "group", "dataset", "metric", "mean", "std"]


def mean_and_std(text):
    """'87.21 ± 0.12' or '87.21' -> ('87.21', '0.12' or '')."""
    mean, _, std = text.partition("±")
    return mean.strip(), std.strip()


def from_folder(folder):
    """(postprocessor, protocol) -> [(data set, {column: (mean, std)})] in the order of the file."""
    found = {}
    for protocol in ACCURACY_SET:
        for file in sorted((folder / protocol).glob("*.csv")):
            with file.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))
            found[file.stem, protocol] = [(row[0], {name: mean_and_std(cell) for name, cell in zip(rows[0][1:], row[1:])}) for row in rows[1:] if row]
    return found


def from_json(file):
    found = {}
    for name, result in json.loads(file.read_text()).items():
        for protocol in ACCURACY_SET:
            rows = result.get("main", {}).get(protocol)  # none where OpenOOD itself failed
            if rows:
                found[name, protocol] = [(dataset, {column: (repr(value), "") for column, value in row.items()}) for dataset, row in rows.items()]
    return found


def tidy(found, fixed, only):
    for (name, protocol), rows in sorted(found.items()):
        key = name.replace("_", "-")
        if only and key not in only:
            continue
        names = [dataset for dataset, _ in rows]
        if "nearood" not in names or "farood" not in names:
            sys.exit(f"{name}, {protocol}: the rows are {', '.join(names)}; expected near sets, nearood, far sets, farood")
        start = [fixed["training"], key, fixed["architecture"], fixed["benchmark"], protocol]
        for place, (dataset, cells) in enumerate(rows):
            group = "near" if place <= names.index("nearood") else "far"
            for theirs, ours in METRICS.items():
                yield [*start, group, "mean" if dataset == f"{group}ood" else dataset, ours, *cells[theirs]]
        if key not in WITHOUT_CLASSIFIER and "ACC" in rows[0][1]:
            yield [*start, "id", ACCURACY_SET[protocol], "accuracy", *rows[0][1]["ACC"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--training", default="ce", help="what the leaderboard calls the model (model.label)")
    parser.add_argument("--only", default="", help="postprocessors, with commas between")
    parser.add_argument("--output", type=Path, help="default: stdout")
    arguments = parser.parse_args()
    found = from_folder(arguments.results) if arguments.results.is_dir() else from_json(arguments.results)
    if not found:
        sys.exit(f"{arguments.results}: no results; expected ood/*.csv and fsood/*.csv, or a results.json")
    stream = arguments.output.open("w", newline="", encoding="utf-8") if arguments.output else sys.stdout
    with stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(tidy(found, vars(arguments), {name.replace("_", "-") for name in arguments.only.split(",") if name}))


if __name__ == "__main__":
    main()
