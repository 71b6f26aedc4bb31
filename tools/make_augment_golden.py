#!/usr/bin/env python3
"""Makes tests/golden/kernels: one small image and what torchvision's transforms make of it as a Pillow image, for given random numbers.

    python3 tools/make_augment_golden.py [--out tests/golden/kernels]

Needs Pillow and numpy. The calls are those of torchvision/transforms/_functional_pil.py: crop and resize, ImageEnhance, and 8-bit arithmetic on the
hue. image.bin is the image ([H,W,3] uint8); cases.json holds, for each case, what is drawn and the CRC-32 of the result, and that of all
2^24 colours with their hue turned.
"""

import argparse
import json
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

HEIGHT, WIDTH = 17, 23
STEPS = ("brightness", "contrast", "saturation", "hue")
TURN_OF_ALL_COLOURS = 37


def turned(image, turn):
    h, s, v = image.convert("HSV").split()
    hue = np.array(h, dtype=np.uint8)
    hue += np.int32(turn).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(hue), s, v)).convert("RGB")


def step(image, name, case):
    if name == "hue":
        return turned(image, case["turn"])
    enhance = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}[name]
    return enhance(image).enhance(case[name])


def result(image, case):
    if case["crop"]:
        top, left, height, width = case["crop"]
        image = image.crop((left, top, left + width, top + height)).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    if case["flip"]:
        image = ImageOps.mirror(image)
    for number in case["order"]:
        image = step(image, STEPS[number], case)
    if case["gray"]:
        image = Image.merge("RGB", [image.convert("L")] * 3)
    return np.array(image)


def cases(random):
    def factor():
        return float(np.float32(random.uniform(0, 2.2)))

    for number in range(60):
        height, width = int(random.integers(1, HEIGHT + 1)), int(random.integers(1, WIDTH + 1))
        crop = [int(random.integers(0, HEIGHT - height + 1)), int(random.integers(0, WIDTH - width + 1)), height, width]
        order = [int(x) for x in random.permutation(4)]
        yield {"crop": crop if number % 3 else None, "flip": number % 2 == 1, "order": order if number >= 15 else [],
               "brightness": factor(), "contrast": factor(), "saturation": factor(), "turn": int(random.integers(-127, 128)),
               "gray": number % 7 == 6}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "tests/golden/kernels")
    out = parser.parse_args().out
    random = np.random.default_rng(20)
    y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
    smooth = 127 + 90 * np.sin(y / 3 + c) * np.cos(x / 4 - c) + random.normal(0, 20, (HEIGHT, WIDTH, 3))
    pixels = np.clip(smooth, 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    found = [{**case, "crc32": zlib.crc32(result(image, case).tobytes())} for case in cases(random)]
    colours = np.arange(1 << 24, dtype=np.uint32)
    cube = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=1).astype(np.uint8).reshape(4096, 4096, 3)
    turned_cube = zlib.crc32(np.array(turned(Image.fromarray(cube), TURN_OF_ALL_COLOURS)).tobytes())
    out.mkdir(parents=True, exist_ok=True)
    (out / "image.bin").write_bytes(pixels.tobytes())
    head = {"pillow": PIL.__version__, "height": HEIGHT, "width": WIDTH, "colours": {"turn": TURN_OF_ALL_COLOURS, "crc32": turned_cube}}
    lines = ",\n  ".join(json.dumps(case) for case in found)
    (out / "cases.json").write_text(json.dumps(head)[:-1] + ', "cases": [\n  ' + lines + "]}\n")


if __name__ == "__main__":
    main()
