"""OpenOOD v1.5's methods that look inside the network, as calls: gradients by backward() (the weights' too, as there), maps by hooks.

Unlike the original Gram keeps its columns as tensors, not as lists of single images, and AdaSCALE sums the largest features of all images of a
batch at once.
"""

import random

import numpy as np
import torch
from openood_calls import DEVIATION, METHODS, Method, energy
from torch import nn
from torch.nn import functional


class NetworkMethod(Method):
    """Scores images, with passes of its own."""

    def conf_of(self, images):
        raise NotImplementedError

    def scores(self, name):
        return -np.concatenate([self.conf_of(images).detach().numpy().astype(np.float64).reshape(-1) for images, _ in self.runner.loaded(name)])


def signs(gradient):
    return (torch.ge(gradient, 0).float() - 0.5) * 2


class Odin(NetworkMethod):
    grid = {"temperature": [1, 10, 100, 1000], "noise": [0.0014, 0.0028]}

    def step(self, gradient):
        return signs(gradient) / torch.tensor(DEVIATION)[None, :, None, None]

    def conf_of(self, images):
        images.requires_grad = True
        logits = self.runner.passed(images)[1]
        functional.cross_entropy(logits / self.temperature, logits.detach().argmax(1)).backward()
        changed = images.detach() - self.noise * self.step(images.grad.detach())
        logits = self.runner.passed(changed)[1].detach() / self.temperature
        p = torch.exp(logits - logits.max(1, keepdim=True)[0])
        return (p / p.sum(1, keepdim=True)).max(1)[0]


class Iodin(Odin):
    def step(self, gradient):
        sizes = gradient.abs().flatten(1)
        return super().step(gradient) * torch.zeros_like(sizes).scatter_(1, sizes.argmax(1, keepdim=True), 1).view_as(gradient)


class MdsEnsemble(NetworkMethod):
    """Its configuration has one layer, the stem. The pass goes through the whole network, as there."""

    NOISE = 0.0014

    def means_of(self, images):
        self.runner.images += len(images)
        return self.runner.net.maps(images)[0].mean((2, 3))

    def set_up(self):
        with torch.no_grad():
            parts = [(self.means_of(images), labels) for images, labels in self.runner.loaded("train")]
        rows, labels = (torch.cat(column).numpy() for column in zip(*parts))
        rows = rows.astype(np.float64)
        means = [rows[labels == c].mean(0) for c in range(len(self.runner.weight))]
        centred = np.concatenate([rows[labels == c] - mean for c, mean in enumerate(means)])
        self.means = torch.from_numpy(np.stack(means)).float()
        self.precision = torch.from_numpy(np.linalg.inv(centred.T @ centred / len(centred))).float()

    def half_distances(self, rows):
        found = []
        for mean in self.means:
            away = rows - mean
            found.append(-0.5 * torch.matmul(torch.matmul(away, self.precision), away.t()).diag())
        return torch.stack(found, 1)

    def conf_of(self, images):
        images.requires_grad = True
        rows = self.means_of(images)
        nearest = self.means.index_select(0, self.half_distances(rows.detach()).argmax(1))
        away = rows - nearest
        torch.mean(0.5 * torch.matmul(torch.matmul(away, self.precision), away.t()).diag()).backward()
        with torch.no_grad():
            return self.half_distances(self.means_of(images - self.NOISE * signs(images.grad) / 0.5)).max(1)[0]


class Gram(NetworkMethod):
    POWERS = (1, 2, 3, 4, 5)
    HELD_OUT = 0.1

    def columns(self, images):
        """Of each layer [B,powers,channels], and the logits. Layers are convolutions and, where they are modules, ReLUs."""
        maps, layers = [], [m for m in self.runner.net.modules() if isinstance(m, (nn.Conv2d, nn.ReLU))]
        hooks = [m.register_forward_hook(lambda _, __, out: maps.append(out)) for m in layers]
        with torch.no_grad():
            logits = self.runner.passed(images)[1]
            layers = []
            for found in maps:
                powers = []
                for q in self.POWERS:
                    rows = (found**q).flatten(2)
                    sums = torch.matmul(rows, rows.transpose(2, 1)).sum(2)
                    powers.append(sums.sign() * torch.abs(sums) ** (1 / q))
                layers.append(torch.stack(powers, 1))
        for hook in hooks:
            hook.remove()
        return layers, logits

    @staticmethod
    def deviations(layer, low, high):
        below, above = functional.relu(low - layer) / torch.abs(low + 1e-6), functional.relu(layer - high) / torch.abs(high + 1e-6)
        return (below + above).flatten(1).sum(1)

    def set_up(self):
        parts = [(*self.columns(images)[0], labels) for images, labels in self.runner.loaded("train")]
        *layers, labels = (torch.cat(column) for column in zip(*parts))
        draw, held = random.Random(0), torch.zeros(len(labels), dtype=torch.bool)
        for c in dict.fromkeys(labels.tolist()):
            rows = labels.eq(c).nonzero().squeeze(1)
            held[rows[draw.sample(range(len(rows)), int(len(rows) * self.HELD_OUT))]] = True
        classes = range(len(self.runner.weight))
        self.low = [torch.stack([layer[labels.eq(c) & ~held].amin(0) for c in classes]) for layer in layers]
        self.high = [torch.stack([layer[labels.eq(c) & ~held].amax(0) for c in classes]) for layer in layers]
        own = labels[held]
        self.usual = [self.deviations(a[held], low[own], high[own]).mean() for a, low, high in zip(layers, self.low, self.high)]

    def conf_of(self, images):
        layers, logits = self.columns(images)
        predicted = logits.argmax(1)
        total = sum(self.deviations(a, b[predicted], c[predicted]) / usual for a, b, c, usual in zip(layers, self.low, self.high, self.usual))
        return -total / torch.softmax(logits, 1).max(1)[0]


class RankFeat(NetworkMethod):
    @staticmethod
    def without_largest(maps):
        rows = maps.flatten(2)
        u, s, v = torch.linalg.svd(rows, full_matrices=False)
        return (rows - s[:, :1, None] * u[:, :, :1].matmul(v[:, :1])).view_as(maps)

    def conf_of(self, images):
        net = self.runner.net
        with torch.no_grad():
            self.runner.images += len(images)
            *_, third, fourth = net.maps(images)
            total = net.fc(self.without_largest(fourth).mean((2, 3))) + net.fc(net.layer4(self.without_largest(third)).mean((2, 3)))
            return energy(total / 2)


EDGES = (60, 65, 70, 75, 80, 85, 90, 95, 99)


class AdaScaleA(NetworkMethod):
    grid = {"percentile": [(a, b) for i, a in enumerate(EDGES) for b in EDGES[i + 1 :]]}
    K1, K2, WEIGHT, SHARE, STEP = 5, 1, 10, 0.05, 0.5

    def statistic(self, images):
        """How stable the image is [B], and its features and logits."""
        images.requires_grad = True
        features, logits = self.runner.passed(images)
        logits.gather(1, logits.detach().argmax(1, keepdim=True)).sum().backward()
        gradient = images.grad.flatten(1)
        least = torch.topk(gradient.abs(), int(gradient.shape[1] * self.SHARE), 1, largest=False)[1]
        step = torch.zeros_like(gradient).scatter_(1, least, 1) * gradient.sign() * self.STEP
        with torch.no_grad():
            changed = self.runner.passed(images + step.view_as(images))[0]
        features, width = features.detach(), features.shape[1]
        largest = [torch.topk(features, int(width * share / 100), 1)[1] for share in (self.K1, self.K2)]
        kept = torch.relu(changed).gather(1, largest[0]).sum(1)
        return kept + self.WEIGHT * (features - changed).abs().gather(1, largest[1]).sum(1), features, logits.detach()

    def set_up(self):
        self.ranked = np.sort(np.concatenate([self.statistic(images)[0].numpy() for images, _ in self.runner.loaded("val")]))

    def conf_of(self, images):
        statistic, features, logits = self.statistic(images)
        n, width, (low, high) = len(self.ranked), features.shape[1], self.percentile
        steps = np.concatenate(([0], np.linspace(1 / n, 1, n)))
        share = torch.from_numpy(1 - steps[np.searchsorted(self.ranked, statistic.numpy(), side="right")])
        kept = width - torch.round(width * (low + share * (high - low)) / 100).long()
        positive = torch.relu(features)
        largest = positive.sort(1, descending=True)[0].cumsum(1).gather(1, kept[:, None] - 1)
        return self.scaled(features, logits, positive.sum(1, keepdim=True) / largest)

    def scaled(self, features, logits, ratio):
        return energy(self.runner.head(features * torch.exp(ratio)))


class AdaScaleL(AdaScaleA):
    def scaled(self, features, logits, ratio):
        return energy(logits * ratio**2)


NETWORK_METHODS = {
    "odin": Odin, "iodin": Iodin, "mds-ensemble": MdsEnsemble, "gram": Gram, "rankfeat": RankFeat, "adascale-a": AdaScaleA, "adascale-l": AdaScaleL,
}  # fmt: skip
ALL_METHODS = METHODS | NETWORK_METHODS


def evaluate(runner, names, sets):
    """Name -> set -> scores, by OpenOOD's calls."""
    found = {}
    for name in names:
        method = ALL_METHODS[name](runner)
        method.set_up()
        if method.grid:
            method.search()
        found[name] = {set_name: method.scores(set_name) for set_name in sets}
    return found
