#!/usr/bin/env python3
"""Every postprocessor's scores against OpenOOD's calls on networks, sizes of images and numbers of classes that have no golden numbers:
torchvision's ResNet-18, ResNet-50 and Swin-T with random weights, made images, OpenOOD's parameter searches.

The methods whose single images the last place of float32 decides (docs/decisions/0008) are compared twice: as they are, where a few images may
be apart, and with both networks in float64, where none may.

usage: .deps/peers/bin/python benchmarks/peers/other_networks.py [--only resnet18_224x224] [--images N]
Exit 2 where a method differs. Took 40 minutes on two cores with another job beside it, 3 of them ResNet-18.
"""

import copy
import sys
import tempfile
from pathlib import Path

import pairs
import evaluation_ratio
import numpy as np
import openood_calls
import openood_network_calls
import torch
from torchvision.models import resnet, swin_transformer

sys.path.append(str(pairs.ROOT / "tools"))
import fidelity

DECIDED_BY_FLOAT32 = set(fidelity.AGAIN)
FEW = 0.05  # of the images of those. Set when 3 of 90 had been seen (adascale-l on ResNet-18; PyTorch's float32 has 1 there beyond its own float64)
LOOK_AT_MAPS = {"gram", "mds-ensemble", "rankfeat"}
NULL_SPACE = {"vim", "residual"}  # not determined by fewer images than dimensions


class ResNet(resnet.ResNet):
    def maps(self, x):
        """The stem's output behind the pooling and each stage's."""
        found = [self.maxpool(self.relu(self.bn1(self.conv1(x))))]
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            found.append(stage(found[-1]))
        return found

    def features(self, x):
        return self.maps(x)[-1].mean((2, 3))


class Swin(swin_transformer.SwinTransformer):
    @property
    def fc(self):
        return self.head

    def features(self, x):  # hides the module of this name
        return self.flatten(self.avgpool(self.permute(self.norm(self._modules["features"](x)))))


def swin_t(classes):
    net = Swin([4, 4], 96, [2, 2, 6, 2], [3, 6, 12, 24], [7, 7], stochastic_depth_prob=0.0, num_classes=classes)
    torch.nn.init.normal_(net.head.weight, 0, 0.05)  # its own start makes all logits alike
    return net


NETWORKS = {
    "resnet18_224x224": (lambda: ResNet(resnet.BasicBlock, [2, 2, 2, 2], num_classes=20), set()),
    "resnet50": (lambda: ResNet(resnet.Bottleneck, [3, 4, 6, 3], num_classes=12), NULL_SPACE),
    "swin_t": (lambda: swin_t(12), NULL_SPACE | LOOK_AT_MAPS),
}  # fmt: skip
SIZE = 64


class Runner(openood_calls.Runner):
    """Images in the dtype of the network; in float64, where the batch is of no weight, a few at once, for memory."""

    def loaded(self, name):
        for images, labels in super().loaded(name):
            at_once = 25 if self.weight.dtype == torch.float64 else len(images)
            yield from zip(images.to(self.weight.dtype).split(at_once), labels.split(at_once))


def wrong(runner, names, ours, chosen, label, few):
    """Prints a line for each method; the names of those that differ, or that have no scores."""
    bad = [name for name in names if name not in ours]
    for name, mine, theirs in evaluation_ratio.both(runner, ours, chosen):
        allowed = fidelity.LIMITS.get(name, fidelity.USUAL)[0]
        apart = np.abs(mine - theirs) / max(np.abs(theirs).max(), 1e-300)
        beyond = int((~(apart <= allowed)).sum())  # NaN is beyond
        if beyond > (few * len(apart) if name in DECIDED_BY_FLOAT32 else 0):
            bad.append(name)
        verdict = f"{beyond} of {len(apart)} images beyond{', DIFFERS' if name in bad else ''}" if beyond else ""
        print(f"  {name:<13} {label:<8} {apart.max():.1e} of {allowed:.0e}  {verdict:<10} {chosen[name]}".rstrip(), flush=True)
    return bad


def compare(build, name, images):
    make_net, without = NETWORKS[name]
    torch.manual_seed(0)
    net = make_net().eval()
    counts = evaluation_ratio.counts_of(images)
    names = [each for each in openood_network_calls.ALL_METHODS if each not in without]
    print(f"{name}, {net.fc.out_features} classes, {SIZE} x {SIZE}, {sum(counts.values())} images, {len(names)} methods", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sets = evaluation_ratio.make(folder, counts, net, SIZE)

        def differing(peer, names, label, few, *overrides):
            out = folder / f"out {label}"
            evaluation_ratio.run_ours(build, folder, names, out, *overrides)
            return wrong(Runner(peer, sets), names, *evaluation_ratio.our_answers(build, folder, out), label, few)

        bad = differing(net, names, "", FEW)
        names = [each for each in names if each in DECIDED_BY_FLOAT32]
        return bad + differing(copy.deepcopy(net).double(), names, "float64", 0, *[f"postprocessor.{each}.precision=float64" for each in names])


def main():
    made = pairs.parser(__doc__.splitlines()[0])
    made.add_argument("--images", type=int, default=30, help="of each of the six sets but train, which has three times as many and at least 300")
    arguments = made.parse_args()
    torch.set_num_threads(pairs.THREADS)
    bad, networks = [], [name for name in NETWORKS if arguments.only in name]
    if not networks:
        pairs.give_up(f"--only {arguments.only}: no such network; there are {', '.join(NETWORKS)}")
    for name in networks:
        bad += [f"{name} {method}" for method in compare(arguments.build, name, 20 if arguments.quick else arguments.images)]
    print(f"differ: {', '.join(bad)}" if bad else "all methods give OpenOOD's scores")
    return 2 if bad else 0


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
