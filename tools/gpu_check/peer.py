"""The same training step in PyTorch on the same card, to compare with: one JSON line a row.

openood   its trainer's pattern: float32 (TF32 convolutions, PyTorch's default), NCHW, torch.optim.SGD, cudnn.benchmark,
          the loss read at every step; with the batch on the card already, and with its loader (8 workers, PIL
          transforms) in front
tuned     channels_last, bfloat16, fused SGD, a CUDA graph; deterministic as nearfar is, and not
"""
import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        same = stride == 1 and width_in == width
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


def resnet18():
    shapes = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
    return nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), *[Block(*shape) for shape in shapes],
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)).cuda()


def row(**values):
    print(json.dumps(values), flush=True)


def timed(step, count):
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    start = time.time()
    for _ in range(count):
        step()
    torch.cuda.synchronize()
    return time.time() - start


def openood(batch):
    torch.backends.cudnn.benchmark = True
    net = resnet18()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    average = 0.0

    def step(x, y):
        nonlocal average
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average = average * 0.8 + float(loss) * 0.2

    x, y = torch.randn(batch, 3, 32, 32, device="cuda"), torch.zeros(batch, dtype=torch.long, device="cuda")
    row(peer="openood, no loader", batch=batch, images_per_second=batch * 50 / timed(lambda: step(x, y), 50))
    try:
        import numpy
        import PIL.Image
        from torchvision import transforms
    except ImportError as error:
        return row(peer="openood with its loader", batch=batch, why=str(error))
    pixels = numpy.random.default_rng(0).integers(0, 256, (10000, 32, 32, 3), dtype=numpy.uint8)
    change = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, 4), transforms.ToTensor(),
                                 transforms.Normalize((0.5,) * 3, (0.25,) * 3)])

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(pixels)

        def __getitem__(self, i):
            return change(PIL.Image.fromarray(pixels[i])), i % 10

    def epoch():
        images = 0
        for x, y in torch.utils.data.DataLoader(Images(), batch, shuffle=True, num_workers=8):
            step(x.cuda(), y.cuda())
            images += len(y)
        return images

    epoch()
    torch.cuda.synchronize()
    start = time.time()
    images = epoch()
    torch.cuda.synchronize()
    row(peer="openood with its loader (10,000 images in memory)", batch=batch, images_per_second=images / (time.time() - start))


def supcon(z, labels, temperature=0.1, base_temperature=0.07):
    labels = labels.view(-1, 1)
    mask = torch.eq(labels, labels.T).to(z.dtype)
    logits = z @ z.T / temperature
    logits = logits - logits.max(1, keepdim=True)[0].detach()
    others = torch.scatter(torch.ones_like(mask), 1, torch.arange(len(z), device=z.device).view(-1, 1), 0)
    mask = mask * others
    log_probability = logits - torch.log((torch.exp(logits) * others).sum(1, keepdim=True))
    return (-(temperature / base_temperature) * (mask * log_probability).sum(1) / mask.sum(1).clamp_min(1)).mean()


def reweightood(z, labels, tau=0.1, m_b=5, c_b=4, m_w=2, c_w=1):
    similarity = z @ z.T
    same, other = (labels[:, None] == labels[None, :]).triu(1), (labels[:, None] != labels[None, :]).triu(1)
    within, between = similarity[same], similarity[other]
    pull = torch.logsumexp(-torch.sigmoid(-(m_w * within.detach() - c_w)) * within / tau, 0)
    push = torch.logsumexp(torch.sigmoid(m_b * between.detach() - c_b) * between / tau, 0)
    return F.elu(pull + push)


def pairs_of_rows():
    """The losses of pairs as the trainers' code has them: whole matrices, masks, selections."""
    for name, loss in (("supcon", supcon), ("reweightood", reweightood)):
        for rows in (1024, 2048, 4096):
            z = F.normalize(torch.randn(rows, 128, device="cuda")).requires_grad_()
            labels = torch.randint(0, 100, (rows,), device="cuda")

            def step(z=z, labels=labels, loss=loss):
                z.grad = None
                loss(z, labels).backward()

            row(peer=f"{name} of {rows} rows of 128, value and gradient", milliseconds=timed(step, 20) / 20 * 1e3)


def tuned(batch, deterministic, bf16=True, graph=True):
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = False
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    net = resnet18().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), torch.tensor(0.05, device="cuda"), 0.9, weight_decay=5e-4, nesterov=True, fused=True)
    x = torch.randn(batch, 3, 32, 32, device="cuda").to(memory_format=torch.channels_last)
    y = torch.zeros(batch, dtype=torch.long, device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=bf16, cache_enabled=False):
            loss = F.cross_entropy(net(x).float(), y)
        loss.backward()
        optimizer.step()

    run = step
    if graph:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded):
            step()
        run = recorded.replay
    row(peer="tuned", batch=batch, bf16=bf16, graph=graph, deterministic=deterministic, images_per_second=batch * 30 / timed(run, 30))


pairs_of_rows()
openood(128)
for size in (128, 512, 1024):
    for deterministic in (True, False):
        tuned(size, deterministic)
tuned(128, True, bf16=True, graph=False)
tuned(128, True, bf16=False, graph=False)
