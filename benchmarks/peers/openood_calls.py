"""OpenOOD v1.5's evaluation of one checkpoint, as calls: for every postprocessor its own passes of the network over the image sets.

Written again from its formulas and its order of calls, since no registry has the package. As there: batches of 200, a pass over the train or
validation images where the method is set up with them, a pass over both validation sets for every combination that the method's own search
tries, then one over the test set and every OOD set. Kinder than the original in three things: images are loaded in this process (no workers
to start at each pass) and transformed once, and all methods run in one Python process (there, one each).

Here are the methods that score from features and logits; openood_network_calls.py has those that look inside the network.

Features [B,D], logits [B,C]; `conf`: higher is in-distribution.
"""

import itertools

import faiss
import heads_ratio
import numpy as np
import torch
from PIL import Image
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional
from torchvision import transforms

BATCH = 200
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Block(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 for 32 x 32 images, with OpenOOD's names of weights (resnet18_32x32)."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for stage in (1, 2, 3, 4):
            stride = 1 if stage == 1 else 2
            blocks = (Block(widths[stage - 1], widths[stage], stride), Block(widths[stage], widths[stage], 1))
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, classes)

    def stem(self, x):
        return functional.relu(self.bn1(self.conv1(x)))

    def maps(self, x):
        """The stem's output and each stage's."""
        found = [self.stem(x)]
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            found.append(stage(found[-1]))
        return found

    def features(self, x):
        return self.maps(x)[-1].mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


class Images(torch.utils.data.Dataset):
    """A list of files; what an item costs is what it costs there: open, decode, resize, crop, to tensor, normalise."""

    def __init__(self, files, labels, size=32):
        self.files, self.labels = files, labels
        steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)]
        self.transform = transforms.Compose(steps)

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.transform(Image.open(self.files[index]).convert("RGB")), self.labels[index]


class Runner:
    """The network, the sets, and the count of images that went through."""

    def __init__(self, net, sets):
        self.net, self.sets, self.images = net.eval(), sets, 0
        self.weight, self.bias = (t.detach().clone() for t in (net.fc.weight, net.fc.bias))

    def loaded(self, name):
        """Images and labels of a batch."""
        yield from torch.utils.data.DataLoader(self.sets[name], batch_size=BATCH)

    def passed(self, images):
        """Features and logits."""
        self.images += len(images)
        features = self.net.features(images)
        return features, self.net.fc(features)

    def batches(self, name):
        """Features, logits and labels of a batch."""
        for images, labels in self.loaded(name):
            with torch.no_grad():
                features, logits = self.passed(images)
            yield features, logits, labels

    def whole(self, name):
        parts = list(self.batches(name))
        return tuple(torch.cat(column) for column in zip(*parts))

    def head(self, features):
        return features @ self.weight.t() + self.bias


class Method:
    """One postprocessor: `grid` is what its own search tries."""

    grid = {}

    def __init__(self, runner):
        self.runner = runner
        self.use(**{name: values[0] for name, values in self.grid.items()})

    def use(self, **parameters):
        self.__dict__.update(parameters)

    def set_up(self):
        """Passes over train or validation images, if any."""

    def conf(self, features, logits):
        raise NotImplementedError

    def scores(self, name):
        """Ours: higher is OOD."""
        return -np.concatenate([np.asarray(self.conf(f, z), np.float64).reshape(-1) for f, z, _ in self.runner.batches(name)])

    def search(self):
        """The first of the best combinations by AUROC on the validation sets; the first parameter varies fastest."""
        best = None
        for parameters in points(self.grid):
            self.use(**parameters)
            sides = [self.scores(name) for name in ("val", "ood_val")]
            auroc = roc_auc_score(np.repeat([0, 1], [len(side) for side in sides]), np.concatenate(sides))
            if best is None or auroc > best[0]:
                best = auroc, parameters
        self.use(**best[1])


def points(grid):
    """All combinations, the first parameter varying fastest; one, empty, for no grid."""
    names = list(grid)
    for values in itertools.product(*(grid[name] for name in reversed(names))):
        yield dict(zip(names, reversed(values)))


def softmax(logits):
    return torch.softmax(logits, 1)


def energy(logits):
    return torch.logsumexp(logits, 1)


class Msp(Method):
    def conf(self, features, logits):
        return softmax(logits).max(1)[0]


class Mcm(Msp):  # tau = 1
    pass


class Mls(Method):
    def conf(self, features, logits):
        return logits.max(1)[0]


class Ebo(Method):
    def conf(self, features, logits):
        return energy(logits)


class TempScaling(Method):
    def set_up(self):
        _, logits, labels = self.runner.whole("val")
        t = nn.Parameter(torch.ones(1) * 1.5)
        optimizer = torch.optim.LBFGS([t], lr=0.01, max_iter=50)

        def closure():
            optimizer.zero_grad()
            loss = functional.cross_entropy(logits / t, labels)
            loss.backward()
            return loss

        optimizer.step(closure)
        self.t = t.detach()

    def conf(self, features, logits):
        return softmax(logits / self.t).max(1)[0]


class Gen(Method):
    grid = {"gamma": [0.01, 0.1, 0.5, 1, 2, 5, 10], "m": [10, 50, 100, 200, 500, 1000]}

    def conf(self, features, logits):
        p = torch.sort(softmax(logits), 1)[0][:, -self.m :]
        return -torch.sum(p**self.gamma * (1 - p) ** self.gamma, 1)


class Heads(Method):
    """The heads of heads_ratio.py: they are made from arrays and score the features in hand."""

    @staticmethod
    def rows(features):
        return features

    def set_up(self):
        train, labels = self.runner.whole("train")[::2]
        train = self.rows(train)
        weight, bias = self.runner.weight.numpy(), self.runner.bias.numpy()
        empty = np.zeros((0, 1), np.float32)
        data = heads_ratio.Data(None, train.numpy(), labels.numpy(), None, empty, empty, weight, bias)
        self.head = self.made(data)

    def conf(self, features, logits):
        return self.head.batch(self.rows(features))


class Mds(Heads):
    made = heads_ratio.Mds


class ReweightOod(Mds):
    rows = staticmethod(functional.normalize)


class Rmds(Heads):
    made = heads_ratio.Rmds


class GradNorm(Heads):
    made = heads_ratio.GradNorm

    def set_up(self):
        data = heads_ratio.Data(None, None, None, None, np.zeros((0, 1)), None, self.runner.weight.numpy(), self.runner.bias.numpy())
        self.head = self.made(data)


class Dice(Heads):
    made = heads_ratio.Dice


class Klm(Heads):
    made = heads_ratio.Klm

    def set_up(self):
        val = self.runner.whole("val")[1].numpy()
        empty = np.zeros((0, 1), np.float32)
        self.head = self.made(heads_ratio.Data(None, None, None, val, empty, empty, self.runner.weight.numpy(), None))

    def conf(self, features, logits):
        self.head.logits = logits
        return -self.head.scores()


class Vim(Heads):
    made = heads_ratio.Vim

    def set_up(self):
        super().set_up()
        self.head.fit()

    def conf(self, features, logits):
        return energy(logits).numpy() - self.head.residual(features.numpy()) * self.head.alpha


class Residual(Method):
    """Fitted on validation images; 512 directions of 512-wide features are taken off, as the method's own configuration has it: nothing is left."""

    DIM = 512

    def set_up(self):
        features = self.runner.whole("val")[0].numpy()
        self.origin = -np.matmul(np.linalg.pinv(self.runner.weight.numpy()), self.runner.bias.numpy())
        values, vectors = np.linalg.eig(EmpiricalCovariance(assume_centered=True).fit(features - self.origin).covariance_)
        self.null = np.ascontiguousarray((vectors.T[np.argsort(values * -1)[self.DIM :]]).T)

    def conf(self, features, logits):
        return -np.linalg.norm(np.matmul(features.numpy() - self.origin, self.null), axis=-1)


class T2fNorm(Method):
    def conf(self, features, logits):
        return softmax(self.runner.head(features / 0.1)).max(1)[0]


class Knn(Method):
    grid = {"k": [50, 100, 200, 500, 1000]}

    @staticmethod
    def unit(features):
        return features / np.linalg.norm(features, axis=-1, keepdims=True) + 1e-10

    def set_up(self):
        bank = self.unit(self.runner.whole("train")[0].numpy())
        self.index = faiss.IndexFlatL2(bank.shape[1])
        self.index.add(bank)

    def conf(self, features, logits):
        return -self.index.search(self.unit(features.numpy()), self.k)[0][:, -1]


class Cider(Knn):
    @staticmethod
    def unit(features):
        return functional.normalize(torch.from_numpy(features)).numpy()


class NnGuide(Method):
    K, SHARE = 100, 0.01

    def set_up(self):
        total, bank = len(self.runner.sets["train"]), []
        for features, logits, _ in self.runner.batches("train"):  # the loop goes on to the end of the set in OpenOOD, too
            if sum(map(len, bank)) <= int(total * self.SHARE):
                bank.append(Knn.unit(features.numpy()) * energy(logits).numpy()[:, None])
        self.bank = np.concatenate(bank)

    def conf(self, features, logits):
        index = faiss.IndexFlatIP(self.bank.shape[1])
        index.add(self.bank)
        return index.search(Knn.unit(features.numpy()), self.K)[0].mean(1) * energy(logits).numpy()


class React(Method):
    grid = {"percentile": [85, 90, 95, 99]}

    def set_up(self):
        self.values = self.runner.whole("val")[0].numpy().flatten()

    def use(self, **parameters):
        super().use(**parameters)
        if hasattr(self, "values"):
            self.most = np.percentile(self.values, self.percentile)

    def conf(self, features, logits):
        return energy(self.runner.head(features.clip(max=float(self.most))))


class Vra(React):
    grid = {"percentile_high": [85, 90, 95, 99], "percentile_low": [1, 5, 10, 15]}

    def use(self, **parameters):
        Method.use(self, **parameters)
        if hasattr(self, "values"):
            self.most, self.least = (np.percentile(self.values, q) for q in (self.percentile_high, self.percentile_low))

    def conf(self, features, logits):
        return energy(self.runner.head(features.clip(float(self.least), float(self.most))))


class Ash(Method):
    grid = {"percentile": [65, 70, 75, 80, 85, 90, 95]}

    def kept(self, features):
        width = features.shape[1]
        return torch.topk(features, width - int(np.round(width * self.percentile / 100.0)), 1)

    def conf(self, features, logits):
        values, indices = self.kept(features)
        fill = (features.sum(1, keepdim=True) / values.shape[1]).expand(values.shape)
        return energy(self.runner.head(torch.zeros_like(features).scatter_(1, indices, fill)))


class Scale(Ash):
    def conf(self, features, logits):
        ratio = features.sum(1, keepdim=True) / self.kept(features)[0].sum(1, keepdim=True)
        return energy(self.runner.head(features * torch.exp(ratio)))


class She(Method):
    def set_up(self):
        features, logits, labels = self.runner.whole("train")
        right = logits.argmax(1).eq(labels)
        none = torch.zeros(features.shape[1])
        means = [features[right & labels.eq(c)] for c in range(logits.shape[1])]
        self.means = torch.stack([own.mean(0) if len(own) else none for own in means])

    def conf(self, features, logits):
        return torch.sum(features * self.means[logits.argmax(1)], 1)


class Relation(Method):
    grid = {"pow": [1, 2, 4, 6, 8]}

    @staticmethod
    def unit(features):
        return features / torch.sqrt((features**2).sum(1, keepdim=True) + 1e-10)

    def set_up(self):
        features, logits, _ = self.runner.whole("train")
        self.train, self.p = self.unit(features), softmax(logits)

    def conf(self, features, logits):
        total = []
        for f, z in zip(features.split(50), logits.split(50)):
            kernel = (self.unit(f) @ self.train.t()).clamp(min=0) * (softmax(z) @ self.p.t())
            total.append(torch.where(kernel.abs() > 0.03, kernel**self.pow, 0).sum(1))
        return torch.cat(total)


class Fdbd(Method):
    grid = {"distance_as_normalizer": [True, False]}

    def set_up(self):
        self.mean = self.runner.whole("train")[0].mean(0)
        w = self.runner.weight.numpy().astype(np.float64)
        self.between = np.linalg.norm(w[:, None] - w[None], axis=2) + np.eye(len(w))

    def conf(self, features, logits):
        gaps = np.abs((logits - logits.max(1, keepdim=True)[0]).numpy()) / self.between[logits.argmax(1).numpy()]
        return gaps.sum(1) / np.linalg.norm((features - self.mean if self.distance_as_normalizer else features).numpy(), axis=1)


class Nci(Method):
    grid = {"alpha": [1e-4, 1e-3, 1e-2, 1e-1]}

    def set_up(self):
        self.mean = self.runner.whole("train")[0].mean(0)

    def conf(self, features, logits):
        away = features - self.mean
        along = torch.sum(self.runner.weight[logits.argmax(1)] * away, 1) / torch.norm(away, dim=1)
        return along + self.alpha * torch.norm(features, p=1, dim=1)


METHODS = {
    "msp": Msp, "mls": Mls, "ebo": Ebo, "mcm": Mcm, "temp-scaling": TempScaling, "gen": Gen, "klm": Klm, "mds": Mds, "rmds": Rmds, "knn": Knn,
    "residual": Residual, "t2fnorm": T2fNorm, "cider": Cider, "reweightood": ReweightOod, "nnguide": NnGuide, "react": React, "vra": Vra, "dice": Dice, "ash": Ash, "scale": Scale, "she": She, "vim": Vim, "relation": Relation,
    "gradnorm": GradNorm, "fdbd": Fdbd, "nci": Nci,
}  # fmt: skip

