#!/usr/bin/env python3
"""Writes harness/models/known_networks.cpp: fingerprints of networks that people have and nearfar has not, so that a refusal can name them.

Needs torch 2.11, torchvision 0.26 and timm 1.0. Usage: tools/make_known_networks.py; then ./run format. Nothing is downloaded.

A fingerprint does not depend on the number of classes or the order of a file: how many tensors there are without the counters (those
without dimensions), the CRC-32 of their sorted names, each followed by a newline, and the sum of their elements per row (all but the first
dimension).
"""
import math
import zlib
from pathlib import Path

import timm
import torch
import torchvision

OURS = {"resnet18", "resnet34", "resnet50", "resnet101", "densenet121", "convnext_tiny", "vit_b_16", "swin_t"}
TIMM = """vit_tiny_patch16_224 vit_small_patch16_224 vit_base_patch16_384 vit_base_patch32_224 vit_base_patch8_224 vit_large_patch16_224
vit_small_patch14_dinov2 vit_base_patch14_dinov2 vit_large_patch14_dinov2 vit_base_patch16_clip_224 vit_base_patch32_clip_224
deit_base_distilled_patch16_224 deit3_base_patch16_224 beit_base_patch16_224 beitv2_base_patch16_224 eva02_base_patch14_224
convnext_tiny convnext_small convnext_base convnext_large convnextv2_tiny convnextv2_base swin_tiny_patch4_window7_224
swin_small_patch4_window7_224 swin_base_patch4_window7_224 swinv2_tiny_window8_256 efficientnet_b0 efficientnet_b1 efficientnet_b2
efficientnet_b3 efficientnet_b4 tf_efficientnetv2_s mobilenetv2_100 mobilenetv3_small_100 mobilenetv3_large_100 resnetv2_50x1_bit
resnetv2_101x1_bit resnet26 resnet50d resnet101d seresnet50 ecaresnet50d mixer_b16_224 regnety_016 regnety_160 maxvit_tiny_tf_224
xception41 inception_v3 vgg16 densenet161""".split()

HEAD = """/// Made by tools/make_known_networks.py; not edited by hand.
#include "models/known_networks.h"

namespace nearfar {
namespace {

constexpr KnownNetwork kNetworks[] = {
"""
TAIL = """};

}  // namespace

std::span<const KnownNetwork> known_networks() { return kNetworks; }

}  // namespace nearfar
"""


def fingerprint(net: torch.nn.Module) -> tuple:
    tensors = {name: tensor for name, tensor in net.state_dict().items() if tensor.dim() > 0}
    names = "".join(name + "\n" for name in sorted(tensors))
    return len(tensors), zlib.crc32(names.encode()), sum(math.prod(tensor.shape[1:]) for tensor in tensors.values())


def made(make, name: str) -> torch.nn.Module:
    try:
        with torch.device("meta"):  # shapes are enough, and some networks are large
            return make(name)
    except RuntimeError:  # it looks at values while it is made
        return make(name)


def main():
    rows = {}
    of_torchvision, of_timm = torchvision.models.get_model, timm.create_model
    for name in torchvision.models.list_models(module=torchvision.models):
        if name not in OURS:
            rows.setdefault(fingerprint(made(of_torchvision, name)), f"torchvision's {name}")
    ours = {fingerprint(made(of_torchvision, name)) for name in OURS} | {fingerprint(made(of_timm, "vit_base_patch16_224"))}
    for name in TIMM:
        rows.setdefault(fingerprint(made(of_timm, name)), f"timm's {name}")
    lines = [f'    {{"{name}", {count}, 0x{crc:08x}, {elements}}},\n' for (count, crc, elements), name in rows.items()
             if (count, crc, elements) not in ours]
    target = Path(__file__).resolve().parents[1] / "harness/models/known_networks.cpp"
    target.write_text(HEAD + "".join(lines) + TAIL)


if __name__ == "__main__":
    main()
