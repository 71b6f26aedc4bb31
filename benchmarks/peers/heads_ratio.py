#!/usr/bin/env python3
"""How many times faster our heads are than OpenOOD v1.5's, on the same cached features and logits.

OpenOOD's package cannot be installed from a registry, so its pattern of calls is written down here again, from its formulas: batches of 200;
MDS and RMDS class by class with a 200 x 200 product of which the diagonal is read, KL matching by scikit-learn's pairwise distances with a
Python metric, GradNorm image by image through autograd, DICE by a [200, C, D] temporary, ViM's null space by the eigenvectors of a
non-symmetric solver. What is timed is scoring (ViM: set-up), with everything in memory on both sides.

Needs torch, scikit-learn, scipy and numpy; benchmarks/peers/requirements.txt has the versions.
"""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pairs
import numpy as np
import sklearn
import torch
from scipy.stats import entropy
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import pairwise_distances_argmin_min
from torch import nn

BATCH, FEW = 200, 10
VIM_DIM = {512: 256, 2048: 1000}  # of the principal space, as OpenOOD chooses it for these widths


@dataclass
class Data:
    """One model's features and logits, float32, on the disk and here."""

    folder: Path
    train: np.ndarray
    labels: np.ndarray
    val: np.ndarray  # logits
    test: np.ndarray
    logits: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    @property
    def classes(self):
        return len(self.weight)

    @property
    def width(self):
        return self.train.shape[1]


def make(folder, width, classes, train_rows, test_rows):
    """Features behind a ReLU around class centres, under a covariance of condition 1e4 and some shared directions; a random head."""
    random = np.random.default_rng(7)
    centres = random.normal(0, 1, (classes, width))
    scales, shared = 10 ** (-2 * np.arange(width) / width), random.normal(0, 0.3, (16, width))

    def features(labels):
        noise = random.standard_normal((len(labels), width)) * scales + random.standard_normal((len(labels), 16)) @ shared
        return np.maximum(centres[labels] + noise + 0.5, 0).astype(np.float32)

    labels = np.arange(train_rows) % classes
    weight = (random.normal(0, 1, (classes, width)) / np.sqrt(width) + 0.05 * centres).astype(np.float32)
    bias = random.normal(0, 0.1, classes).astype(np.float32)
    train, val, test = features(labels), features(np.arange(max(2000, 2 * classes)) % classes), features(random.integers(0, classes, test_rows))
    arrays = {"head/weight": weight, "head/bias": bias}
    for name, rows, its_labels in (("train", train, labels), ("val", val, np.arange(len(val)) % classes), ("test", test, None), ("near/few", test[:FEW], None)):
        arrays[f"{name}/features"], arrays[f"{name}/logits"] = rows, rows @ weight.T + bias
        if its_labels is not None:
            arrays[f"{name}/labels"] = its_labels
    for name, array in arrays.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", array)
    return Data(folder, train, labels, arrays["val/logits"], test, arrays["test/logits"], weight, bias)


def softmax64(logits):
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


class Mds:
    """Class by class; `relative`: RMDS."""

    def __init__(self, data, relative=False):
        features, labels, self.relative = torch.from_numpy(data.train), torch.from_numpy(data.labels), relative
        self.features = torch.from_numpy(data.test)
        self.means, centred = [], []
        for c in range(data.classes):
            own = features[labels.eq(c)]
            self.means.append(own.mean(0))
            centred.append(own - self.means[-1])
        self.means = torch.stack(self.means)
        self.precision = self.inverse(torch.cat(centred))
        if relative:
            self.whole = features.mean(0)
            self.whole_precision = self.inverse(features - self.whole)

    @staticmethod
    def inverse(rows):
        fitted = EmpiricalCovariance(assume_centered=False).fit(rows.numpy().astype(np.float32))
        return torch.from_numpy(fitted.precision_).float()

    def batch(self, features):
        scores = torch.zeros((len(features), len(self.means)))
        if self.relative:
            away = features - self.whole
            background = -torch.matmul(torch.matmul(away, self.whole_precision), away.t()).diag()
        for c in range(len(self.means)):
            away = features.cpu() - self.means[c]
            scores[:, c] = -torch.matmul(torch.matmul(away, self.precision), away.t()).diag()
        if self.relative:
            scores = scores - background.view(-1, 1)
        return torch.max(scores, dim=1)[0]

    def scores(self):
        return -torch.cat([self.batch(part) for part in self.features.split(BATCH)]).numpy()

    def exact(self, data):
        """float64, by a solve with the covariance's Cholesky factor."""

        def distances(rows, centred, means):
            centred = centred - centred.mean(0)
            factor = np.linalg.cholesky(centred.T @ centred / len(centred))
            whiten = np.linalg.inv(factor).T
            z, m = (rows - means.mean(0)) @ whiten, (means - means.mean(0)) @ whiten
            return np.stack([((z - mean) ** 2).sum(1) for mean in m], 1)

        train, test = data.train.astype(np.float64), data.test.astype(np.float64)
        means = np.stack([train[data.labels == c].mean(0) for c in range(data.classes)])
        nearest = distances(test, train - means[data.labels], means).min(1)
        return nearest - distances(test, train - train.mean(0), train.mean(0)[None])[:, 0] if self.relative else nearest


class Rmds(Mds):
    def __init__(self, data):
        super().__init__(data, relative=True)


class Klm:
    def __init__(self, data):
        p, self.logits = torch.softmax(torch.from_numpy(data.val), 1).numpy(), torch.from_numpy(data.logits)
        predicted = data.val.argmax(1)
        present = [c for c in range(data.classes) if (predicted == c).any()]
        one_hot = np.eye(data.classes)
        self.templates = np.array([p[predicted == c].mean(0) if c in present else one_hot[c] for c in range(data.classes)])

    def scores(self):
        found = []
        for part in self.logits.split(BATCH):
            p = torch.softmax(part, 1).numpy()
            found.append(pairwise_distances_argmin_min(p, self.templates, metric=lambda a, b: entropy(a, b))[1])
        return np.concatenate(found)

    def exact(self, data):
        p, q = softmax64(data.logits), softmax64(data.val)
        predicted = data.val.argmax(1)
        log_templates = np.full((data.classes, data.classes), -1e30)
        for c in range(data.classes):
            if (predicted == c).any():
                log_templates[c] = np.log(np.maximum(q[predicted == c].mean(0), 1e-300))
        return (p * np.log(np.maximum(p, 1e-300))).sum(1) - (p @ log_templates.T).max(1)


class GradNorm:
    def __init__(self, data):
        self.features, self.weight, self.bias = torch.from_numpy(data.test), data.weight, data.bias

    def batch(self, features):
        head = nn.Linear(*self.weight.shape[::-1])
        head.weight.data[...], head.bias.data[...] = torch.from_numpy(self.weight), torch.from_numpy(self.bias)
        targets, norms = torch.ones((1, len(self.weight))), []
        for image in features:
            head.zero_grad()
            loss = torch.mean(torch.sum(-targets * nn.functional.log_softmax(head(image[None]), dim=1), dim=-1))
            loss.backward()
            norms.append(torch.sum(torch.abs(head.weight.grad.data)).numpy())
        return np.array(norms)

    def scores(self):
        return -np.concatenate([self.batch(part) for part in self.features.split(BATCH)])

    def exact(self, data):
        features = data.test.astype(np.float64)
        p = softmax64(features @ data.weight.T.astype(np.float64) + data.bias)
        return -np.abs(data.classes * p - 1).sum(1) * np.abs(features).sum(1)


class Dice:
    P = 90

    def __init__(self, data):
        contribution = data.train.mean(0)[None, :] * data.weight
        mask = torch.Tensor(contribution > np.percentile(contribution, self.P))
        self.masked, self.bias = torch.from_numpy(data.weight) * mask, torch.from_numpy(data.bias)
        self.features = torch.from_numpy(data.test)

    def batch(self, features):
        votes = features[:, None, :] * self.masked
        return torch.logsumexp(votes.sum(2) + self.bias, dim=1)

    def scores(self):
        return -torch.cat([self.batch(part) for part in self.features.split(BATCH)]).numpy()

    def exact(self, data):
        logits = data.test.astype(np.float64) @ self.masked.numpy().T.astype(np.float64) + data.bias
        top = logits.max(1)
        return -(top + np.log(np.exp(logits - top[:, None]).sum(1)))


class Vim:
    """Set-up only."""

    def __init__(self, data):
        self.data = data

    def fit(self):
        data, dim = self.data, VIM_DIM[self.data.width]
        logits = data.train @ data.weight.T + data.bias
        self.origin = -np.matmul(np.linalg.pinv(data.weight), data.bias)
        fitted = EmpiricalCovariance(assume_centered=True).fit(data.train - self.origin)
        values, vectors = np.linalg.eig(fitted.covariance_)
        self.null = np.ascontiguousarray((vectors.T[np.argsort(values * -1)[dim:]]).T)
        self.alpha = logits.max(axis=-1).mean() / self.residual(data.train).mean()

    def residual(self, features):
        return np.linalg.norm(np.matmul(features - self.origin, self.null), axis=-1)

    def scores(self):
        logits = torch.from_numpy(self.data.test @ self.data.weight.T + self.data.bias)
        return self.residual(self.data.test) * self.alpha - torch.logsumexp(logits, -1).numpy()

    def exact(self, data):
        weight, train, test = (a.astype(np.float64) for a in (data.weight, data.train, data.test))
        origin = -np.linalg.pinv(weight) @ data.bias
        _, vectors = np.linalg.eigh((train - origin).T @ (train - origin) / len(train))
        null = vectors[:, : data.width - VIM_DIM[data.width]]
        residual = lambda rows: np.linalg.norm((rows - origin) @ null, axis=1)  # noqa: E731
        alpha = (train @ weight.T + data.bias).max(1).mean() / residual(train).mean()
        logits = test @ weight.T + data.bias
        return residual(test) * alpha - (logits.max(1) + np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)))


# name: peer, relative error allowed, goal by number of classes
HEADS = {
    "mds": (Mds, 1e-5, {10: 50, 100: 200, 1000: 200}),
    "rmds": (Rmds, 1e-5, {10: 50, 100: 200, 1000: 200}),
    "klm": (Klm, 1e-5, {10: 300, 100: 300, 1000: 300}),
    "gradnorm": (GradNorm, 1e-5, {10: 100, 100: 100, 1000: 100}),
    "dice": (Dice, 1e-5, {100: 30, 1000: 30}),
    "vim": (Vim, 1e-3, {1000: 4}),
}
SIZES = ((512, 10, 10_000, 2_000), (512, 100, 10_000, 1_000), (2048, 1000, 12_000, 200))  # width, classes, train rows, test rows
QUICK = ((512, 10, 3_000, 400), (512, 100, 3_000, 200))


def work_ratio(name, width, classes):
    """MDS and RMDS: the peer's floating-point operations over ours, ours counted twice since float64 runs at half speed; what a peer that
    multiplies at full speed leaves to be gained. 0 for other heads."""
    forms = {"mds": (classes, classes), "rmds": (classes + 1, classes + 1 + width)}  # theirs: quadratic forms; ours: columns after whitening
    if name not in forms:
        return 0
    theirs, columns = forms[name]
    return theirs * (2 * width**2 + 2 * BATCH * width) / (2 * (2 * width**2 + 2 * width * columns))


def compare(build, name, data, quick):
    peer, allowed, goals = HEADS[name]
    scored = "test"
    if name == "klm" and data.classes > 100:  # half a millisecond for each pair of image and class: a batch would take minutes
        scored, data = "near/few", replace(data, test=data.test[:FEW], logits=data.logits[:FEW])
    size = f"{data.width}, C={data.classes}, {len(data.test)} rows"
    theirs = peer(data)
    parameters = {"dim": VIM_DIM[data.width]} if name == "vim" else {}
    with pairs.Ours(build, name, data.folder, **parameters) as ours:
        first = pairs.clock(theirs.fit)[0] if name == "vim" else 0
        ours.fit()
        exact, found = theirs.exact(data), []
        first = max(first, pairs.clock(lambda: found.append(theirs.scores()))[0])  # also warms up
        pairs.gate(f"{name} {size}", pairs.relative_error(ours.scores(data.folder, scored), exact), pairs.relative_error(found[0], exact), allowed)
        count = 2 if quick else 3 if first > 8 else 5
        if name == "vim":
            result, size = pairs.compare(lambda: pairs.clock(theirs.fit), ours.fit, count), f"{data.width}, {len(data.train)} rows"
        else:
            ours.score(scored)
            result = pairs.compare(lambda: pairs.clock(theirs.scores), lambda: ours.score(scored), count)
    stage, work = f"{name} set-up" if name == "vim" else name, work_ratio(name, data.width, data.classes)
    note = f"by work alone, float32 to float64: {work:.0f}" if work else ""
    row = pairs.Row(stage, size, "OpenOOD's calls, batch 200", goal=0 if quick else goals[data.classes], note=note, **result)
    print(f"  {row}", flush=True)
    return row


def main():
    arguments = pairs.parser(__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(pairs.THREADS)
    print(pairs.machine_line())
    print(f"theirs: torch {torch.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}")
    rows = []
    for width, classes, train_rows, test_rows in QUICK if arguments.quick else SIZES:
        names = [name for name, (*_, goals) in HEADS.items() if classes in goals and arguments.only in f"{name} {width} {classes}"]
        if not names:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            data = make(Path(temporary), width, classes, train_rows, test_rows)
            for name in names:
                rows.append(compare(arguments.build, name, data, arguments.quick))
                pairs.store(rows[-1:], arguments.json)  # at once: a later head that fails costs no row that is measured
    return pairs.finish(rows, None)


if __name__ == "__main__":
    sys.exit(pairs.guarded(main))
