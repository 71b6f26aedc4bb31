#!/usr/bin/env python3
"""Writes tests/golden/exported: small networks of torchvision's families as torch.export.save writes them, and what PyTorch computes with them.

Needs torch 2.11 and torchvision 0.26. Usage: tools/make_export_golden.py [tests/golden/exported]

inputs.npy      [7,3,32,32] float32
NAME.pt2        the network, dynamic batch
NAME.logits.npy [8,10]: eager PyTorch's logits of the seven inputs at once, then those of the first alone
NAME.grad.npy   [8,3,32,32]: the gradient of sum(logsumexp(logits)) by the inputs, in the same order

tiny-*.pt2      a small network in forms that a reader has to tell apart: `cases`
resnet18-graph.zip  what of an export is not weights: the end-to-end test makes those itself

Weights are random and seeded; the families are built narrow through torchvision's own constructors. Stack traces, which exports carry
for people, are left out: they are most of such a file.
"""
import copy
import io
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy
import torch
from torch import nn
from torchvision.models import convnext, densenet, efficientnet, maxvit, mobilenetv3, regnet, resnet, swin_transformer, vision_transformer

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "tests/golden/exported")


class NarrowResNet(resnet.ResNet):
    """torchvision's ResNet with a sixteenth of the channels, and its classifier to match."""

    def __init__(self, block, layers, **options):
        super().__init__(block, layers, **options)
        self.fc = nn.Linear(32 * block.expansion, 10)

    def _make_layer(self, block, planes, *arguments, **options):
        return super()._make_layer(block, planes // 16, *arguments, **options)


def mobile(*numbers):
    return mobilenetv3.InvertedResidualConfig(*numbers, dilation=1, width_mult=1.0)


def families():
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    mb = partial(efficientnet.MBConvConfig, width_mult=1.0, depth_mult=1.0)
    yield "resnet", NarrowResNet(resnet.BasicBlock, [1, 1, 1, 1])
    yield "resnext", NarrowResNet(resnet.Bottleneck, [1, 1, 1, 1], groups=2, width_per_group=32)
    yield "vit", vision_transformer.VisionTransformer(32, 8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=10)
    yield "swin", swin_transformer.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=10)
    yield "convnext", convnext.ConvNeXt([convnext.CNBlockConfig(16, 32, 1), convnext.CNBlockConfig(32, None, 1)], num_classes=10)
    yield "regnet", regnet.RegNet(regnet.BlockParams.from_init_params(4, 16, 8.0, 2.0, 8, 0.25), num_classes=10, stem_width=8)
    yield "densenet", densenet.DenseNet(8, (2, 2), 16, bn_size=2, num_classes=10)
    yield "mobilenet", mobilenetv3.MobileNetV3([mobile(16, 3, 16, 16, True, "RE", 2), mobile(16, 5, 40, 24, True, "HS", 2)], 32, num_classes=10)
    yield "efficientnet", efficientnet.EfficientNet([mb(1, 3, 1, 16, 16, 1), mb(4, 5, 2, 16, 24, 1)], 0.2, num_classes=10, norm_layer=norm)
    yield "maxvit", maxvit.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 8, 0.0, num_classes=10)


class Tiny(nn.Module):
    """Two stages and a linear head; what the cases of other forms are variations of."""

    def __init__(self, form="plain", channels=3, classes=10):
        super().__init__()
        self.form = form
        self.conv1, self.norm, self.conv2 = nn.Conv2d(channels, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3, padding=1)
        self.relu, self.fc, self.head = nn.ReLU(inplace=True), nn.Linear(8, classes), nn.Conv2d(8, classes, 1)

    def forward(self, x):
        stem = self.relu(self.norm(self.conv1(x)))
        last = self.conv2(stem)
        if self.form == "views":  # a write into memory that a view, read later, shares
            half = last[:, :4]
            half.mul_(2.0)
        last = self.relu(last)
        if self.form == "skip":
            last = last + nn.functional.avg_pool2d(x, 2).mean(1, keepdim=True)
        if self.form == "fft":
            last = torch.fft.fft2(last).real
        if self.form == "convhead":
            return self.head(last).mean((2, 3))
        feature = last.mean((2, 3))
        if self.form == "no-grad":
            with torch.no_grad():
                feature = feature * 2
        logits = self.fc(feature)
        return (logits, feature) if self.form == "two" else logits


def save_script(net, file, images):
    """TorchScript without the traces of where it was written, which name this machine's folders."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(net, images), buffer)
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(file, "w") as kept:
        for name in whole.namelist():
            if not name.endswith(".debug_pkl"):
                kept.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), whole.read(name))


def cases(images):
    """NAME.pt2 of Tiny in other forms, and NAME.logits.npy of its seven 8 x 8 images (the inputs' corner) where it can be run."""
    torch.manual_seed(1)
    net = settle(Tiny(), images)
    for name in ("plain", "views", "skip", "convhead", "fft", "two", "no-grad", "fixed", "any-size", "decomposed", "training", "half"):
        net.form = name
        example = images[:4 if name == "fixed" else 2].clone()
        shapes = None if name == "fixed" else ({0: torch.export.Dim("batch", min=1, max=512)},)
        if name == "any-size":
            shapes = ({0: torch.export.Dim("batch", min=1, max=512), 2: torch.export.Dim("height", min=4, max=64), 3: torch.export.Dim("width", min=4, max=64)},)
        net.train(name == "training")
        exported = copy.deepcopy(net).half() if name == "half" else net
        program = torch.export.export(exported, (example.half() if name == "half" else example,), dynamic_shapes=shapes)
        net.eval()
        if name == "decomposed":
            program = program.run_decompositions({})
        strip(program)
        torch.export.save(program, OUT / f"tiny-{name}.pt2")
        if name in ("plain", "views", "skip", "convhead", "fixed", "any-size", "decomposed"):
            with torch.no_grad():
                numpy.save(OUT / f"tiny-{name}.logits.npy", net(images).numpy())
    for name in ("plain", "two"):
        net.form = name
        save_script(net, OUT / f"tiny-{name}.torchscript.pt", images[:2].clone())
    gray = settle(Tiny(channels=1, classes=4), images)  # for the smoke benchmark at 8 x 8
    for gray.form in ("plain", "two"):
        save_script(gray, OUT / f"tiny-gray-{gray.form}.torchscript.pt", images[:2, :1].clone())


def whole_resnet18():
    """resnet18-graph.zip: torchvision's ResNet-18 for one channel, 48 x 48 images (its last maps are 2 x 2) and 4 classes, without its 45 MB of weights."""
    torch.manual_seed(2)
    net = resnet.resnet18(num_classes=4)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    save(net.eval(), OUT / "resnet18.pt2", torch.zeros(2, 1, 48, 48))
    with zipfile.ZipFile(OUT / "resnet18.pt2") as whole, zipfile.ZipFile(OUT / "resnet18-graph.zip", "w", zipfile.ZIP_DEFLATED) as graph:
        for name in whole.namelist():
            inner = name.split("/", 1)[1]
            if "/weight_" not in name and "sample_inputs" not in name:
                graph.writestr(zipfile.ZipInfo(inner, (1980, 1, 1, 0, 0, 0)), whole.read(name), zipfile.ZIP_DEFLATED)
    (OUT / "resnet18.pt2").unlink()


def strip(program):
    for node in program.graph.nodes:
        for key in ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node"):
            node.meta.pop(key, None)


def settle(net, images):
    """Weights that tell apart every part of a network: no norm at one and zero, no head at zero."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() <= 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif parameter.abs().max() < 0.1:
                parameter.copy_(0.1 * torch.randn_like(parameter))
    return net.eval()


def save(net, file, images):
    program = torch.export.export(net, (images[:2].clone(),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=512)},))
    strip(program)
    torch.export.save(program, file)


def results(net, images):
    images = images.clone().requires_grad_(True)
    logits = net(images)
    logits.logsumexp(1).sum().backward()
    return logits.detach(), images.grad


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images = torch.randn(7, 3, 32, 32)
    numpy.save(OUT / "inputs.npy", images.numpy())
    for name, net in families():
        settle(net, images)
        save(net, OUT / f"{name}.pt2", images)
        rows = [results(net, images), results(net, images[:1])]
        numpy.save(OUT / f"{name}.logits.npy", torch.cat([row[0] for row in rows]).numpy())
        numpy.save(OUT / f"{name}.grad.npy", torch.cat([row[1] for row in rows]).numpy())
        print(name, sum(p.numel() for p in net.parameters()), (OUT / f"{name}.pt2").stat().st_size, float(rows[0][0].abs().max()))
    cases(images[:, :, :8, :8].clone())
    whole_resnet18()


if __name__ == "__main__":
    main()
