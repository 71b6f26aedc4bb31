#!/usr/bin/env python3
"""Keeps the include arrows of harness/ and plugins/ true. Run as a test and by ./run lint; exit 1 with one line per wrong include.

A folder may include itself, the folders named in ALLOWED, the SDK and system headers within the limits below. std and system headers are free,
except LibTorch's: only TORCH folders may include ATen/c10/caffe2, and only .cpp files of FULL_TORCH folders <torch/...>.
"""
import re
import sys
from pathlib import Path

ALLOWED = {
    "sdk": [],
    "base": [],
    "config": ["base"],
    "metrics": ["base"],
    "store": ["base"],
    "plot": ["base"],  # numbers to SVG
    "report": ["base", "metrics", "store", "plot"],
    "bundle": ["base", "metrics", "store"],  # results as one file, and whether they are what they say
    "dashboards": ["base", "store", "report"],  # other people's formats
    "serve": ["base", "store", "report", "plot"],
    "host": ["base", "device", "kernels"],
    "pixels": ["base"],
    "data": ["base", "config", "pixels"],
    "device": ["base"],
    "kernels": ["base"],
    "cuda": ["device", "kernels"],  # a library of its own, which nothing links
    "fake_device": ["device"],  # a library of its own, linked by tests alone
    "models": ["base", "config", "device", "kernels"],
    "features": ["base", "data", "device", "kernels", "models"],
    "train": ["base", "config", "device", "kernels", "models", "features"],
    "wire": ["base", "config"],
    "plan": ["base", "config", "data", "wire"],  # knows no database
    "work": ["base", "plan", "wire", "store", "metrics"],  # knows no images
    "launch": ["base"],  # text alone
    "conformance": ["base", "device", "kernels", "host"],  # the named checks of plugins
    "engine": ["base", "conformance", "data", "metrics", "device", "kernels", "host", "models", "features", "train", "wire"],
    "cli": ["base", "config", "data", "metrics", "store", "plot", "report", "bundle", "dashboards", "serve", "wire", "plan", "work", "launch"],
}
TORCH = {"sdk", "device", "kernels", "cuda", "fake_device", "host", "models", "features", "train", "conformance", "engine"}  # may include ATen and c10
FULL_TORCH = {"kernels", "cuda", "fake_device", "models", "train"}  # whose .cpp files may include <torch/...>
HOST_TEXT = {f"host/{name}.h" for name in ("params", "param_rows", "grid", "description", "elf", "plugin_note", "plugin_file", "torch_symbols", "choose")}  # library host_text: torch-free, so the parent may use it
HOST_TEXT_USERS = {"wire", "plan", "work", "cli"}
BODIES = {f"kernels/{name}.h" for name in ("augment_recipe", "augment_body", "color_body", "resize_body", "host_device")}  # torch-free headers
BODY_USERS = {"data"}  # the stream of training images makes the same bytes as the kernels
STD_ONLY_SDK = {"c.h", "error.h", "params.h", "plugin_text.h", "note.h", "abi.h"}  # what torch-free folders may include of the SDK
STABLE_C = {  # LibTorch's C functions, which the stable tier is made of: no C++ is behind them
    "torch/csrc/inductor/aoti_torch/c/shim.h", "torch/csrc/inductor/aoti_torch/generated/c_shim_aten.h", "torch/csrc/stable/c/shim.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def problems(root: Path):
    for path in sorted((root / "harness").rglob("*")) + sorted((root / "plugins").rglob("*")):
        if path.suffix not in (".h", ".cpp", ".cu"):
            continue
        parts = path.relative_to(root).parts
        folder = parts[1] if parts[0] == "harness" else "plugins"
        if parts[0] == "harness" and folder not in ALLOWED:
            yield f"{path.relative_to(root)}: folder harness/{folder} is not in tools/check_layers.py"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            why = refusal(root, path, folder, found[1] == '"', found[2])
            if why:
                yield f"{path.relative_to(root)}:{number}: {found[2]}: {why}"


def refusal(root, path, folder, quoted, name):
    top, _, rest = name.partition("/")
    if top == "torch":
        if folder in FULL_TORCH and path.suffix == ".cpp":
            return None
        if folder == "sdk" and path.parent.name == "stable" and name in STABLE_C:
            return None
        return f"only .cpp files of {', '.join(sorted(FULL_TORCH))} may include <torch/...>: use <ATen/core/Tensor.h> and <ATen/ops/...>"
    if top in ("ATen", "c10", "caffe2"):
        if rest == "ATen.h":
            return "is 6 s a file: use <ATen/core/Tensor.h> and <ATen/ops/...>"
        return None if folder in TORCH or folder == "plugins" else "this folder is torch-free"
    if top == "nearfar":
        torch_free = folder not in TORCH and folder != "plugins"
        return f"torch-free folders include only {', '.join(sorted(STD_ONLY_SDK))} of the SDK" if torch_free and rest not in STD_ONLY_SDK else None
    if folder == "plugins":
        return None if not quoted or (path.parent / name).exists() else "plugins include only <nearfar/...>, ATen, c10, std and plugins/common"
    if quoted:
        if not (root / "harness" / name).exists():
            return "no such file under harness/ (our includes start there)"
        if name in HOST_TEXT and folder in HOST_TEXT_USERS:
            return None
        if name in BODIES and folder in BODY_USERS:
            return None
        if top != folder and top not in ALLOWED[folder]:
            return f"{folder} may include only {', '.join([folder, *ALLOWED[folder]])}"
    return None


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(problems(root))
    for line in found:
        print(line)
    print(f"check_layers: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
