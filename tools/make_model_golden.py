#!/usr/bin/env python3
"""Writes tests/golden/models: what PyTorch's and torchvision's networks compute from weights by formula, and small torch.save files.

Needs torch 2.11, torchvision 0.26 and timm 1.0. Usage: tools/make_model_golden.py [--checkpoint openood-b/best.ckpt] [tests/golden/models]

The tests fill the same weights themselves (tests/models/formula.h), so none are stored: networks.json has the names and shapes of each
state dict and a few numbers of the result; openood_b.json, written where the golden checkpoint is given, the logits of that one.

The formula: element i of the tensor NAME is low + (high - low) * u with u = (splitmix64(crc32(NAME) * 2^32 + i) >> 11) / 2^53, in double,
rounded once to float32; (low, high) depend on the kind of tensor (`limits`). OpenOOD's ResNet-18 for 32 x 32 images is written here anew
from its published description: torchvision's blocks with a 3x3 stem, no pooling, and its shortcuts called `shortcut`. So are the wide
residual networks of xternalz/WideResNet-pytorch, which the outlier-exposure code took over.
"""
import argparse
import collections
import datetime
import json
import math
import zlib
from pathlib import Path

import numpy
import timm
import torch
import torchvision


def numbers(name: str, count: int) -> numpy.ndarray:
    """Uniform in [0, 1)."""
    x = numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(zlib.crc32(name.encode()) << 32)
    x += numpy.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    x = x ^ (x >> numpy.uint64(31))
    return (x >> numpy.uint64(11)).astype(numpy.float64) / 2.0**53


def limits(name: str, shape) -> tuple:
    if name == "input":
        return -2.0, 2.0
    if name.endswith("running_var"):
        return 0.5, 1.5
    if name.endswith("running_mean"):
        return -0.2, 0.2
    if name.endswith("bias"):
        return -0.1, 0.1
    if name.endswith("layer_scale"):
        return 0.1, 0.5
    if len(shape) == 1:  # the weights of norms
        return 0.5, 1.0
    if name.endswith(("pos_embedding", "class_token", "bias_table")):
        return -0.5, 0.5
    bound = math.sqrt(6.0 / math.prod(shape[1:]))
    return -bound, bound


def filled(name: str, shape) -> torch.Tensor:
    low, high = limits(name, shape)
    values = low + (high - low) * numbers(name, math.prod(shape))
    return torch.from_numpy(values.astype(numpy.float32)).reshape(shape)


def fill(net: torch.nn.Module) -> dict:
    """Fills every float tensor; returns names and shapes of the whole state dict, the five tensors of a batch norm as one "NAME.*"."""
    state = net.state_dict()
    for name, tensor in state.items():
        if tensor.dtype == torch.float32:
            tensor.copy_(filled(name, tuple(tensor.shape)))
    norms = {name.removesuffix("running_mean") for name in state if name.endswith("running_mean")}
    shapes = {}
    for name, tensor in state.items():
        norm = name.rpartition(".")[0] + "."
        shapes[norm + "*" if norm in norms else name] = list(tensor.shape) if tensor.dim() or norm not in norms else shapes[norm + "*"]
    return shapes


class Block(torch.nn.Module):
    def __init__(self, inside: int, width: int, stride: int):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(inside, width, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(width)
        self.conv2 = torch.nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(width)
        self.shortcut = torch.nn.Sequential()
        if stride != 1 or inside != width:
            self.shortcut = torch.nn.Sequential(torch.nn.Conv2d(inside, width, 1, stride, bias=False), torch.nn.BatchNorm2d(width))

    def forward(self, x):
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (inner + self.shortcut(x)).relu()


class SmallResNet18(torch.nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(64)
        inside = 64
        for number, width in enumerate((64, 128, 256, 512), 1):
            first = Block(inside, width, 1 if number == 1 else 2)
            setattr(self, f"layer{number}", torch.nn.Sequential(first, Block(width, width, 1)))
            inside = width
        self.fc = torch.nn.Linear(512, classes)

    def features(self, x):
        x = self.bn1(self.conv1(x)).relu()
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
        return x.mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


class WideBlock(torch.nn.Module):
    """The shortcut exists where the width changes, and sees the activated input there; elsewhere the input itself is added."""

    def __init__(self, inside: int, width: int, stride: int):
        super().__init__()
        self.bn1 = torch.nn.BatchNorm2d(inside)
        self.conv1 = torch.nn.Conv2d(inside, width, 3, stride, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(width)
        self.conv2 = torch.nn.Conv2d(width, width, 3, 1, 1, bias=False)
        if inside != width:
            self.convShortcut = torch.nn.Conv2d(inside, width, 1, stride, bias=False)

    def forward(self, x):
        active = self.bn1(x).relu()
        out = self.conv2(self.bn2(self.conv1(active)).relu())
        return out + (self.convShortcut(active) if hasattr(self, "convShortcut") else x)


class WideResNet(torch.nn.Module):
    def __init__(self, depth: int, widen: int, classes: int):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        inside = 16
        for number, width in enumerate((16 * widen, 32 * widen, 64 * widen), 1):
            blocks = [WideBlock(inside if b == 0 else width, width, 2 if b == 0 and number > 1 else 1) for b in range((depth - 4) // 6)]
            group = torch.nn.Module()
            group.layer = torch.nn.Sequential(*blocks)
            setattr(self, f"block{number}", group)
            inside = width
        self.bn1 = torch.nn.BatchNorm2d(inside)
        self.fc = torch.nn.Linear(inside, classes)

    def forward(self, x):
        x = self.conv1(x)
        for number in range(1, 4):
            x = getattr(self, f"block{number}").layer(x)
        return self.fc(torch.nn.functional.avg_pool2d(self.bn1(x).relu(), 8).flatten(1))


def penultimate(net: torch.nn.Module, classifier: torch.nn.Module, images: torch.Tensor):
    """(features, logits): features are what goes into the classifier."""
    seen = []
    hook = classifier.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    logits = net(images)
    hook.remove()
    return seen[0], logits


def networks() -> dict:
    classes = 10
    nets = {
        "resnet18_32x32": (SmallResNet18(classes), lambda net: net.fc, (2, 3, 32, 32)),
        "resnet18_64x64": (SmallResNet18(classes), lambda net: net.fc, (1, 3, 64, 64)),
        "resnet18_224x224": (torchvision.models.resnet18(num_classes=classes), lambda net: net.fc, (1, 3, 224, 224)),
        "resnet50": (torchvision.models.resnet50(num_classes=classes), lambda net: net.fc, (1, 3, 112, 96)),
        "resnet34": (torchvision.models.resnet34(num_classes=classes), lambda net: net.fc, (1, 3, 96, 112)),
        "resnet101": (torchvision.models.resnet101(num_classes=classes), lambda net: net.fc, (1, 3, 64, 96)),
        "wrn_40_2": (WideResNet(40, 2, classes), lambda net: net.fc, (2, 3, 32, 32)),
        "wrn_28_10": (WideResNet(28, 10, classes), lambda net: net.fc, (1, 3, 32, 32)),
        "densenet121": (torchvision.models.densenet121(num_classes=classes), lambda net: net.classifier, (1, 3, 96, 72)),
        "convnext_tiny": (torchvision.models.convnext_tiny(num_classes=classes), lambda net: net.classifier[2], (1, 3, 96, 72)),
        "vit_b_16 timm": (timm.create_model("vit_base_patch16_224", num_classes=classes), lambda net: net.head, (1, 3, 224, 224)),
        "vit_b_16": (torchvision.models.vit_b_16(num_classes=classes), lambda net: net.heads.head, (1, 3, 224, 224)),
        "swin_t": (torchvision.models.swin_t(num_classes=classes), lambda net: net.head, (1, 3, 224, 224)),
        # Odd sizes: windows and merging are padded.
        "swin_t odd": (torchvision.models.swin_t(num_classes=classes), lambda net: net.head, (2, 3, 100, 60)),
    }
    result = {}
    for name, (net, classifier, shape) in nets.items():
        net.eval()
        tensors = fill(net)
        features, logits = penultimate(net, classifier(net), filled("input", shape))
        result[name] = {
            "architecture": name.split()[0],
            "input": list(shape),
            "tensors": tensors,
            "features_head": features[0, :8].tolist(),
            "features_sum": features.double().sum().item(),
            "features_abs": features.double().abs().sum().item(),
            "logits": logits.tolist(),
        }
    result["swin_t odd"]["tensors"] = {}  # as swin_t
    result["resnet18_64x64"]["tensors"] = {}  # as resnet18_32x32
    return result


def files(folder: Path):
    """Small torch.save files of many element types, and what is in them."""
    state = collections.OrderedDict()
    state["float"] = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4
    state["transposed"] = (torch.arange(12, dtype=torch.float32).reshape(3, 4) / 8).t()
    state["shared"] = state["float"][1]
    state["every second"] = torch.arange(10, dtype=torch.float32)[1::2]
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        state[str(dtype).removeprefix("torch.")] = torch.tensor([1, 2, 100]).to(dtype)
    state["bool"] = torch.tensor([True, False])
    state["scalar"] = torch.tensor(7)
    state["parameter"] = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
    state["empty"] = torch.empty(0, 4)
    torch.save(state, folder / "types.pt")
    small = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    with torch.no_grad():
        small[0].weight.copy_(torch.tensor([[3.0, -1.0]]))
    torch.save(small.state_dict(), folder / "module.pt")  # with _metadata
    torch.save({"epoch": 3, "lr": 0.1, "history": [1, (2.5, None)], "big": 2**80, "state_dict": small.state_dict()}, folder / "nested.pt")
    torch.save(small.state_dict(), folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(small, folder / "whole_module.pt")
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, folder / "complex.pt")
    net = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 2.0]]))
    average = collections.OrderedDict(weight=torch.tensor([[3.0, 4.0]]))
    counts = collections.defaultdict(list)
    counts["a"].append(1)
    surroundings = {
        "args": argparse.Namespace(lr=0.1, data=Path("data"), device=torch.device("cpu"), nested=argparse.Namespace(a={1, 2})),
        "accuracy": numpy.float64(0.9), "history": numpy.arange(3), "dtype": torch.complex64, "shape": torch.Size([1, 2]),
        "when": datetime.datetime(2020, 1, 2), "duration": datetime.timedelta(seconds=3), "counts": counts, "z": 1 + 2j,
        "ids": frozenset([1]), "raw": bytes(4), "spectrum": torch.ones(2, dtype=torch.complex64), "layer": torch.nn.ReLU(),
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(1)}}, "param_groups": [{"params": [0]}]},
        "best": torch.tensor(0.5), "state_dict": net.state_dict(), "model_ema": average,
    }
    torch.save(surroundings, folder / "surroundings.pt")
    described = {name: {"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch."), "values": t.double().flatten().tolist()}
                 for name, t in state.items()}
    (folder / "types.json").write_text(json.dumps(described, indent=1) + "\n")


def checkpoint_logits(file: Path) -> dict:
    net = SmallResNet18(10).eval()
    net.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return {"logits": net(filled("input", (2, 3, 32, 32))).tolist()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[1] / "tests/golden/models")
    parser.add_argument("--checkpoint", type=Path)
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    with torch.no_grad():
        (folder / "networks.json").write_text(json.dumps(networks(), separators=(",", ":")).replace('},"', '},\n"') + "\n")
        if arguments.checkpoint:
            (folder / "openood_b.json").write_text(json.dumps(checkpoint_logits(arguments.checkpoint)) + "\n")
        files(folder)


if __name__ == "__main__":
    main()
