"""Trains demo-vit with demo-cnn as its teacher: a transformer learns little from few pictures by itself.

Patches are embedded by the first convolutions of demo-cnn, which stay as they are. The network is to give demo-cnn's answer as
well as the label; the tokens of one block are to tell what demo-cnn's last feature map holds at their cells; and, as in token
labelling (Jiang et al., All Tokens Matter, NeurIPS 2021), each token before and after the last block is to give by itself, through
the layers that read the whole, the logits that demo-cnn has at its place, and the class token the label. The class token is to look
where demo-cnn sees the class, for else it rests on tokens in a corner in the last block, as it has seen enough by then.
"""

import math
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

from network import to_input
from vit import DEPTH, GRID, WIDTH, DemoVit

BATCH = 64
# After this block (from 0) the tokens imitate the teacher's last map.
TAP = 3
# From this one on they give the teacher's logits: what goes into the last block, and what comes out.
NAMED = DEPTH - 2
STEPS = 640
LEAST_RATE = 1e-5


class Teacher(nn.Module):
    """demo-cnn from its ONNX file: convolutions with batch norm folded in, and the linear layer."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(str(path)).graph
        weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
        self.convolutions = [[weights[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
        (self.head,) = [[weights[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Gemm"]

    def forward(self, x):
        """The maps of 14 and of 7 cells a side, and the logits."""
        maps = {}
        for weight, bias in self.convolutions:
            stride = 1 if weight.shape[0] == weight.shape[1] else 2
            y = F.conv2d(x, weight, bias, stride, 1)
            x = torch.relu(x + y if stride == 1 else y)
            maps[x.shape[-1]] = x
        return maps[GRID], maps[GRID // 2], F.linear(x.mean((2, 3)), *self.head)


def at_patches(maps):
    """Maps [n, c, 7, 7] at the patches [n, 14 · 14, c]."""
    return F.interpolate(maps, size=(GRID, GRID), mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)


def standardised(maps):
    """Each channel of [n, c, h, w] with mean 0 and deviation 1 over the batch."""
    mean, deviation = maps.mean((0, 2, 3), keepdim=True), maps.std((0, 2, 3), keepdim=True)
    return (maps - mean) / (deviation + 1e-3)


class Student(nn.Module):
    """The transformer with the linear layer that reads the teacher's last map off its tokens."""

    def __init__(self, teacher):
        super().__init__()
        self.vit = DemoVit()
        for conv, (weight, bias) in zip(self.vit.stem.convolutions, teacher.convolutions):
            conv.weight.data.copy_(weight)
            conv.bias.data.copy_(bias)
        self.vit.stem.requires_grad_(False)
        self.reader = nn.Linear(WIDTH, teacher.head[0].shape[1])


def kept(tokens, keep):
    """The tokens [n, k, c] of the patches that entered."""
    return tokens if keep is None else tokens.gather(1, keep.unsqueeze(2).expand(-1, -1, tokens.shape[2]))


def losses(student, teacher, x, labels, keep):
    """The sum of all losses, and the logits.

    On the label, of the whole and of the class token alone; on the teacher's answer, its last map and its logits at each place;
    and on where the class token looks in the last block: where the teacher sees the class.
    """
    with torch.no_grad():
        maps, last, answer = teacher(x)
        cells = F.linear(kept(at_patches(last), keep), *teacher.head)
        wanted = kept(at_patches(standardised(last)), keep)
        place = cells.gather(2, labels[:, None, None].expand(-1, cells.shape[1], 1)).squeeze(2).softmax(1)
    after, attention = student.vit.tokens(maps, keep)
    read = [student.vit.read(tokens) for tokens in after[NAMED:]]
    named = [student.vit.head(features) for features in read]
    logits = student.vit.classify(read[-1])
    loss = F.kl_div(F.log_softmax(logits, 1), F.softmax(answer, 1), reduction="batchmean")
    for each in (logits, named[-1][:, 0]):
        loss = loss + F.cross_entropy(each, labels, label_smoothing=0.05)
    loss = loss + F.smooth_l1_loss(student.reader(after[TAP][:, 1:]), wanted)
    for each in named:
        loss = loss + 3 * F.mse_loss(each[:, 1:], cells) / cells.var()
    looks = attention[:, :, 0, 1:].mean(1)
    return loss + F.kl_div(torch.log(looks + 1e-6), place, reduction="batchmean"), logits


def rate_at(step, steps, warm_up, peak):
    """Linear warm-up, then half a cosine."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    share = (step - warm_up) / max(1, steps - warm_up)
    return LEAST_RATE + (peak - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * share))


def optimizer_of(model):
    """AdamW, with weight decay on matrices alone."""
    learned = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in learned if p.ndim > 1 and "positions" not in name and "token" not in name]
    chosen = {id(p) for p in matrices}
    others = [p for _, p in learned if id(p) not in chosen]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0}])


def fit(model, losses_of, scenes, augment, checkpoint, steps, whole, warm_up, peak_rate, seed):
    """`steps` steps, the last `whole` of them with all patches, before that with a random half of them.

    The state is kept in the file `checkpoint` every 20 steps, and taken up again from there.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    shuffle = np.random.default_rng(seed)
    optimizer = optimizer_of(model)
    started, order, recent, right, first = time.time(), np.empty(0, np.int64), [], 0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
        generator.manual_seed(seed + first)
    model.train()
    for step in range(first, steps):
        if len(order) < BATCH:
            order = shuffle.permutation(len(scenes))
        pictures, labels = scenes.batch(order[:BATCH])
        order = order[BATCH:]
        x = augment(to_input(pictures), generator)
        keep = None
        if step < steps - whole:
            keep = torch.rand(BATCH, GRID * GRID, generator=generator).argsort(1)[:, : GRID * GRID // 2]
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, warm_up, peak_rate)
        loss, logits = losses_of(x, torch.from_numpy(labels), keep)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(loss.item())
        right += (logits.argmax(1).numpy() == labels).sum()
        if (step + 1) % 20 == 0:
            print(f"{checkpoint.stem} {step + 1}/{steps}: loss {np.mean(recent):.3f}, accuracy {right / (20 * BATCH):.3f}, {time.time() - started:.0f} s", flush=True)
            recent, right = [], 0
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}, checkpoint)


def train_vit(teacher_path, scenes, augment, checkpoint):
    """The transformer, taught by demo-cnn."""
    torch.manual_seed(4)
    teacher = Teacher(teacher_path)
    student = Student(teacher)
    losses_of = lambda x, labels, keep: losses(student, teacher, x, labels, keep)
    fit(student, losses_of, scenes, augment, checkpoint, steps=STEPS, whole=20, warm_up=60, peak_rate=1e-3, seed=4)
    return student.vit
