#!/usr/bin/env python3
"""Writes tests/fuzz/seeds: small valid files that the fuzzers start from. Needs torch, numpy, Pillow and safetensors; the files are committed.

usage: python3 tools/make_fuzz_seeds.py
"""
import argparse
import datetime
import io
import subprocess
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save

import pixel_forms

ROOT = Path(__file__).resolve().parent.parent / "tests/fuzz/seeds"


def write(target, name, content):
    path = ROOT / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def torch_files():
    torch.manual_seed(0)
    weight = torch.arange(6.0).reshape(2, 3)
    documents = {
        "ordered": OrderedDict(a=weight, b=torch.tensor([1, 2])),
        "dict": {"w": weight.t(), "h": weight.half(), "f": weight.bfloat16(), "m": torch.tensor([True, False])},
        "nested": {"state_dict": OrderedDict(w=weight), "epoch": 3, "name": "x", "lr": 0.1},
        "parameter": OrderedDict(w=torch.nn.Parameter(weight)),
        "surroundings": {"model_ema": OrderedDict(w=weight), "args": argparse.Namespace(lr=0.1, path=Path("x")), "best": np.float32(1),
                         "when": datetime.date(2020, 1, 2), "z": torch.ones(1, dtype=torch.complex64), "layer": torch.nn.ReLU()},
        "module": torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1)).state_dict(),
    }
    for name, document in documents.items():
        buffer = io.BytesIO()
        torch.save(document, buffer)
        write("torch_file_fuzz", f"{name}.pt", buffer.getvalue())
        archive = zipfile.ZipFile(io.BytesIO(buffer.getvalue()))
        write("torch_file_fuzz", f"{name}.pkl", archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl"))))


def exports():
    """Small networks of tests/golden/exported (make_export_golden.py), and their graphs alone."""
    golden = ROOT.parent.parent / "golden/exported"
    write("exported_fuzz", "plain.pt2", (golden / "tiny-plain.pt2").read_bytes())
    for form in ("plain", "views", "decomposed"):
        archive = zipfile.ZipFile(golden / f"tiny-{form}.pt2")
        write("exported_fuzz", f"{form}.json", archive.read(next(n for n in archive.namelist() if n.endswith("models/model.json"))))


def images():
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))

    def save_as(name, image, form, **options):
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        write("decode_fuzz", name, buffer.getvalue())

    for mode in ("1", "L", "P", "LA", "RGB", "RGBA"):
        save_as(f"{mode.lower()}.png", rgb.convert(mode), "PNG")
    save_as("i16.png", Image.fromarray(rng.integers(0, 65536, (5, 7), dtype=np.uint16)), "PNG")
    save_as("p-trns.png", rgb.convert("P"), "PNG", transparency=3)
    for subsampling in (0, 1, 2):
        save_as(f"rgb-{subsampling}.jpg", rgb, "JPEG", subsampling=subsampling)
    save_as("progressive.jpg", rgb, "JPEG", progressive=True)
    save_as("gray.jpg", rgb.convert("L"), "JPEG")
    save_as("cmyk.jpg", rgb.convert("CMYK"), "JPEG")
    save_as("lossy.webp", rgb, "WEBP")
    save_as("lossless.webp", rgb, "WEBP", lossless=True)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        save_as(f"{mode.lower()}.bmp", rgb.convert(mode), "BMP")
    save_as("p.gif", rgb.convert("P"), "GIF")
    save_as("interlaced.gif", rgb.convert("P"), "GIF", interlace=1)
    save_as("animated.webp", rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)], lossless=True)
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "F"):
        save_as(f"{mode.lower()}.tif", rgb.convert(mode), "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        save_as(f"{compression}.tif", rgb, "TIFF", compression=compression)
    save_as("group4.tif", rgb.convert("1"), "TIFF", compression="group4")
    for name, content in {"tiles.tif": pixel_forms.tiff(pixel_forms.picture(11, 9, 3), 2, tile=(16, 16)),
                          "planes.tif": pixel_forms.tiff(pixel_forms.picture(11, 9, 3), 2, planar=True),
                          "turned.tif": pixel_forms.tiff(pixel_forms.picture(11, 9, 3), 2, rows=2, orientation=6),
                          "big.tif": pixel_forms.tiff(pixel_forms.picture(11, 9, 3), 2, big=True)}.items():
        write("decode_fuzz", name, content)
    for name, content in pixel_forms.pnm_files():
        if name in ("1.pbm", "4.pbm", "2_300.pgm", "3_77.ppm", "5_1000.pgm", "6_255.ppm", "comments.ppm"):
            write("decode_fuzz", name, content)


def others():
    write("safetensors_fuzz", "two.safetensors", save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}, {"k": "v"}))
    write("safetensors_fuzz", "half.safetensors", save({"h": torch.ones(3).half()}))
    for name, array in {"f4": np.arange(6, dtype=np.float32).reshape(2, 3), "i8": np.arange(3), "b1": np.array([True]), "empty": np.zeros((0, 5)), "f2": np.arange(4, dtype=np.float16),
                        "big-endian": np.arange(3, dtype=">f8"), "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3))}.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        write("npy_fuzz", f"{name}.npy", buffer.getvalue())
    write("image_list_fuzz", "plain.txt", b"cifar10/train/cat/3975.png 3\ntin/val/images/val_0.JPEG -1\n")
    write("image_list_fuzz", "blanks.txt", b"a/b.png 3 \r\nc.png 4\t")
    write("image_list_fuzz", "forms.txt", b'\xef\xbb\xbf"a b.png" 3\na b.png\t4\na b.png,5\na b.png 6\na.png, 7\n"a.png",{"class_label": 8}\n')
    write("image_list_fuzz", "dict.txt", b'x/y.jpg { "group_label": 0 ,"class_label": 7 }\n')


PLUGIN = """#include <nearfar/note.h>
constexpr nearfar::Param kParams[] = {{"k", 50, 1, 1000, "which"}, {"mode", "mean", "mean|max", "how"}, {"fast", true, ""}};
constexpr nearfar::PluginText kText{.name = "seed", .version = "1.0.0", .summary = "s", .needs = 3, .params = kParams};
namespace { NEARFAR_NOTE_SECTION constexpr auto note = nearfar::make_note<[](nearfar::NoteWriter& to) {
  write_note_begin(to, "stable", nearfar::PluginKind::postprocessor, kText);
  to.number("abi", 1);
  to.text("torch", "2.11");
  write_note_end(to, kText, "abc");
}>(); }
extern "C" int torch_from_blob();
extern "C" NEARFAR_EXPORT int nearfar_plugin_v1() { return torch_from_blob(); }
"""


def plugins():
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "seed.cpp"
        source.write_text(PLUGIN)
        for linker in ("bfd", "mold"):
            library = Path(folder) / f"{linker}.so"
            subprocess.run(["g++", "-std=c++20", "-O2", "-fPIC", "-shared", "-nostdlib", "-fvisibility=hidden", "-s", "-Wl,-z,noseparate-code", f"-fuse-ld={linker}",
                            f"-I{ROOT.parent.parent.parent / 'harness/sdk'}", source, "-lgcc_s", "-lc", "-o", library], check=True)
            write("elf_fuzz", library.name, library.read_bytes())


torch_files()
exports()
images()
others()
plugins()
