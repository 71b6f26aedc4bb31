#!/usr/bin/env python3
"""Writes gram's `picks` from positions within each class, as OpenOOD's run may have stored them.

Usage: tools/gram_picks.py POSITIONS.json TRAIN_LIST.txt PICKS.npy

POSITIONS.json: {"val_idxs": {"CLASS": [position, ...], ...}}, positions among the images of that class in list order. TRAIN_LIST.txt: an
OpenOOD image list, "path label" on each line. PICKS.npy: the same images as row numbers of the list, int64, ascending.
"""
import json
import struct
import sys


def main(positions_file, list_file, out_file):
    rows = {}
    with open(list_file, encoding="utf-8") as lines:
        for row, line in enumerate(line for line in lines if line.strip()):
            rows.setdefault(line.split(" ", 1)[1].split()[0], []).append(row)
    with open(positions_file, encoding="utf-8") as file:
        positions = json.load(file)["val_idxs"]
    picks = sorted(rows[label][at] for label, chosen in positions.items() for at in chosen)
    header = "{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }" % len(picks)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(out_file, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack("<%dq" % len(picks), *picks))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
