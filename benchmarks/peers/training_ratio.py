#!/usr/bin/env python3
"""How many times faster an epoch of cross-entropy on images of CIFAR's size is here than in OpenOOD's pattern of a trainer.

The peer: ResNet-18 for 32 x 32, Pillow images of a Dataset through torchvision's transforms (flip, RandomCrop(32, 4), ToTensor, Normalize)
and a DataLoader with workers, float32 in NCHW, SGD with momentum 0.9, Nesterov, weight decay 5e-4, the loss read after every step.
Ours: train_timer, the step that a run does: augmentation, forward, loss, backward, update. float32, and bfloat16 where the processor
computes in it (the goal is for that). The workers of the peer's loader share the processors with its step, as they do for people.

Needs torch, torchvision and Pillow; benchmarks/peers/requirements.txt has the versions.
"""

import subprocess
import sys
from pathlib import Path

import pairs
import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision import transforms

from openood_calls import ResNet18

BATCH, GOAL = 128, 2.3


CHANGE = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, 4), transforms.ToTensor(),
                             transforms.Normalize((0.5,) * 3, (0.25,) * 3)])  # fmt: skip


class Images(torch.utils.data.Dataset):
    def __init__(self, count):
        self.pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, i):
        return CHANGE(Image.fromarray(self.pixels[i])), i % 10


class Trainer:
    def __init__(self, steps):
        torch.manual_seed(0)
        self.net, self.average = ResNet18(), 0.0
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
        self.loader = torch.utils.data.DataLoader(Images(BATCH * steps), BATCH, shuffle=True, num_workers=pairs.THREADS, persistent_workers=True)

    def epoch(self):
        for x, y in self.loader:
            loss = F.cross_entropy(self.net(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                self.average = self.average * 0.8 + float(loss) * 0.2


class Ours(pairs.Ours):
    def __init__(self, build, steps, dtype):
        command = [build / "bench/train_timer", build / "lib/nearfar/plugins", str(BATCH), str(steps), dtype]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def epoch(self):
        return self.ask("epoch")


def has_bfloat16():
    flags = Path("/proc/cpuinfo").read_text()
    return any(f" {name}" in flags for name in ("avx512_bf16", "amx_bf16", "avx_ne_convert"))


def main():
    arguments = pairs.parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(pairs.THREADS)
    print(pairs.machine_line())
    steps, number = (1, 2) if arguments.quick else (4, 3)
    fast, rows = has_bfloat16(), []
    for dtype in ("float32", *(("bfloat16",) if fast else ())):
        judged = not arguments.quick and dtype == "bfloat16"
        note = "" if fast else "this processor has no bfloat16, which the goal of 2.3 is for"
        peer = Trainer(steps)
        peer.epoch()  # warm; and its workers start before there is a pipe to our side, which they would hold open
        with Ours(arguments.build, steps, dtype) as ours:
            ours.epoch()
            result = pairs.compare(lambda: pairs.clock(peer.epoch), ours.epoch, number)
        rows.append(pairs.Row("train ce", f"{steps} x {BATCH}, {dtype}", f"torch {torch.__version__.split('+')[0]}, DataLoader",
                              goal=GOAL if judged else 0, note=note, **result))  # fmt: skip
        print(f"  {rows[-1]}", flush=True)
    return pairs.finish(rows, arguments.json)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
