#!/usr/bin/env python3
"""Moments of what torchvision's RandomResizedCrop and ColorJitter draw -> tests/golden/kernels/draws.json, for tests/kernels/draws_test.cpp.

Statistics, not pixels: our random numbers are others. Of each number the mean and the standard deviation over the draws are kept, and the
same of its square, so that a test can compare both with their standard errors. Run with torchvision installed:
    python3 tools/make_crop_golden.py [--draws 200000]
"""

import argparse
import json
import math
from pathlib import Path

import torch
import torchvision
from torchvision import transforms

CROPS = [  # height, width, smallest share: ImageNet's usual file, upright, CIFAR's, one where the fall-back is frequent, one where it is certain
    (375, 500, 0.08),
    (480, 320, 0.25),
    (32, 32, 0.2),
    (40, 90, 0.6),
    (4, 90, 0.9),
]
JITTER = (0.4, 1.5, 0.4, 0.1)


def moments(rows):
    """Name -> [mean, deviation] of values and of their squares."""
    stored = {}
    for name in rows[0]:
        values = torch.tensor([row[name] for row in rows], dtype=torch.float64)
        for suffix, these in (("", values), ("^2", values**2)):
            stored[name + suffix] = [these.mean().item(), these.std(correction=0).item()]
    return stored


def fall_back(height, width):
    """The crop that torchvision takes when ten tries fail: in the middle, as large as the ratios leave."""
    ratio = width / height
    if ratio < 3 / 4:
        w, h = width, round(width / (3 / 4))
    elif ratio > 4 / 3:
        h, w = height, round(height * (4 / 3))
    else:
        w, h = width, height
    return ((height - h) // 2, (width - w) // 2, h, w)


def crop_rows(height, width, smallest, draws):
    image = torch.empty(3, height, width)
    for _ in range(draws):
        box = transforms.RandomResizedCrop.get_params(image, (smallest, 1.0), (3 / 4, 4 / 3))
        top, left, h, w = box
        yield {
            "share": h * w / (height * width),
            "log_ratio": math.log(w / h),
            "top": (top + h / 2) / height,  # the middle of the crop
            "left": (left + w / 2) / width,
            "fall_back": float(box == fall_back(height, width)),
        }


def jitter_rows(draws):
    jitter = transforms.ColorJitter(*JITTER)
    for _ in range(draws):
        order, b, c, s, h = transforms.ColorJitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
        order = order.tolist()
        # adjust_hue turns by whole 255ths of the circle, cut towards 0.
        yield {"brightness": b, "contrast": c, "saturation": s, "hue": float(int(h * 255)), **{f"place_{i}": float(order.index(i)) for i in range(4)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=200_000)
    draws = parser.parse_args().draws
    torch.set_num_threads(1)
    torch.manual_seed(0)
    crops = [
        {"height": h, "width": w, "smallest": s, "moments": moments(list(crop_rows(h, w, s, draws)))} for h, w, s in CROPS
    ]
    jitter = {"strengths": JITTER, "moments": moments(list(jitter_rows(draws)))}
    golden = {"made_with": f"torchvision {torchvision.__version__}", "draws": draws, "crops": crops, "jitter": jitter}
    file = Path(__file__).resolve().parent.parent / "tests/golden/kernels/draws.json"
    file.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
