#!/usr/bin/env python3
"""How many times faster a contrastive loss with its gradient is here than in the Python code it comes from, on the same embeddings.

The peers are written down again from their formulas, in the operators that the original trainers use: ReweightOOD by a mask of equal labels,
two triangles and two selections by mask; SupCon in the form of HobbitLong's SupContrast, with its mask of logits and its matrix of
log-probabilities. A step is forward and backward. Batches of 512 and 1024 images with two views are 1024 and 2048 rows.

Also the memory of a step of 32,768 rows, which no goal of speed is attached to: the peer would need 4 GiB for each of its matrices.

Needs torch and numpy; benchmarks/peers/requirements.txt has the versions.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pairs
import numpy as np
import torch

WIDTH, CLASSES, GOAL = 128, 100, 5
SIZES, QUICK = (1024, 2048), (256,)
MANY, MOST = 32_768, 1 << 30  # rows, and bytes that their step may take


def reweightood(z, labels, tau=0.1, m_b=5, c_b=4, m_w=2, c_w=1):
    similarity = z @ z.T
    same = (labels[:, None] == labels[None, :]).triu(1)
    other = (labels[:, None] != labels[None, :]).triu(1)
    within, between = similarity[same], similarity[other]
    pull = torch.logsumexp(-torch.sigmoid(-(m_w * within.detach() - c_w)) * within / tau, 0)
    push = torch.logsumexp(torch.sigmoid(m_b * between.detach() - c_b) * between / tau, 0)
    return torch.nn.functional.elu(pull + push)


def supcon(z, labels, temperature=0.1, base_temperature=0.07):
    labels = labels.view(-1, 1)
    mask = torch.eq(labels, labels.T).to(z.dtype)
    logits = z @ z.T / temperature
    logits = logits - logits.max(1, keepdim=True)[0].detach()
    others = torch.scatter(torch.ones_like(mask), 1, torch.arange(len(z)).view(-1, 1), 0)
    mask = mask * others
    log_probability = logits - torch.log((torch.exp(logits) * others).sum(1, keepdim=True))
    number = mask.sum(1)
    number = torch.where(number < 1e-6, torch.ones_like(number), number)
    return (-(temperature / base_temperature) * (mask * log_probability).sum(1) / number).mean()


PEERS = {"supcon": supcon, "reweightood": reweightood}


class Ours(pairs.Ours):
    """The program loss_timer: it times itself, without its start."""

    def __init__(self, build, plugin, folder):
        command = [build / "bench/loss_timer", build / f"lib/nearfar/plugins/{plugin}.so", folder / "z.npy", folder / "y.npy"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step(self):
        return self.ask("step")

    def answer(self, folder):
        value = self.ask("save", folder / "gradient.npy")[0]
        return value, np.load(folder / "gradient.npy")


def make(folder, rows):
    """Two views of images in clusters, as a network under training makes them: unit rows."""
    random = np.random.default_rng(5)
    labels = np.tile(random.integers(0, CLASSES, rows // 2), 2)
    z = random.normal(0, 1, (CLASSES, WIDTH))[labels] + random.normal(0, 1, (rows, WIDTH))
    z = (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)
    np.save(folder / "z.npy", z)
    np.save(folder / "y.npy", labels)
    return torch.from_numpy(z), torch.from_numpy(labels)


def answer(loss, z, labels):
    leaf = z.clone().requires_grad_()
    value = loss(leaf, labels)
    value.backward()
    return value.item(), leaf.grad.numpy()


def run(build, name, rows, number, judged):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        z, labels = make(folder, rows)
        with Ours(build, name, folder) as ours:
            value, gradient = answer(PEERS[name], z.double(), labels)
            found, theirs = ours.answer(folder), answer(PEERS[name], z, labels)
            what = f"{name} {rows} rows"
            pairs.gate(f"{what}, value", abs(found[0] - value) / abs(value), abs(theirs[0] - value) / abs(value), 1e-6)
            pairs.gate(f"{what}, gradient", *(pairs.relative_error(side[1], gradient) for side in (found, theirs)), 1e-5)

            def peer():
                leaf = z.requires_grad_()
                leaf.grad = None
                PEERS[name](leaf, labels).backward()

            for _ in range(3):  # both warm
                peer(), ours.step()
            result = pairs.compare(lambda: pairs.clock(peer), ours.step, number)
            note = "" if not judged or result["ratio"] >= GOAL else "more than half of our time are the products themselves"
            peer_name = f"torch {torch.__version__.split('+')[0]}"
            return pairs.Row(name, f"{rows} x {WIDTH}", peer_name, goal=GOAL if judged else 0, note=note, **result)


def memory(build, name):
    """One step of many rows: its seconds and the most memory of its process."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, MANY)
        with Ours(build, name, folder) as ours:
            before, (wall, _), peak = ours.ask("peak")[0], ours.step(), ours.ask("peak")[0]
    verdict = "hit" if peak <= MOST else "MISS"
    print(f"  {name} {MANY} x {WIDTH}: {wall:.1f} s a step, {peak / 2**30:.2f} GiB at most ({before / 2**30:.2f} before it); goal 1 GiB: {verdict}", flush=True)
    return peak <= MOST


def main():
    arguments = pairs.parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(pairs.THREADS)
    print(pairs.machine_line())
    names = [name for name in PEERS if arguments.only in name or arguments.only in "contrastive_ratio"]
    sizes, number = (QUICK, 2) if arguments.quick else (SIZES, 21)
    rows = []
    for name in names:
        for size in sizes:
            rows.append(run(arguments.build, name, size, number, not arguments.quick))
            print(f"  {rows[-1]}", flush=True)
    small = arguments.quick or all([memory(arguments.build, name) for name in names])
    return max(pairs.finish(rows, arguments.json), 0 if small else 1)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
