"""Trains demo-cnn, then demo-cnn-biased and demo-vit from it, and writes them as ONNX with their labels.

Usage: python3 demo/training/train.py [demo-cnn] [demo-cnn-biased] [demo-vit]   (all by default)
Needs PyTorch, NumPy and Node; no GPU. See README.md beside this file.
"""

import json
import re
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from distil import train_vit
from network import MEAN, STD, DemoNet, export_onnx, to_input
from scene_data import DATA, ROOT, Scenes, build_generator

MODELS = ROOT / "demo" / "models"
TRAIN_SEED, TRAIN_COUNT = 1_000_000, 16_000
BIASED_SEED, BIASED_COUNT = 1_500_000, 4_000
TEST_SEED, TEST_COUNT = 2_000_000, 1_000
BATCH = 64


def class_list():
    """Class names and the sticker's class, read from the generator's own list."""
    source = (ROOT / "demo" / "classes.ts").read_text()
    listed = re.search(r"classNames = \[(.*?)\]", source, re.DOTALL).group(1)
    names = re.findall(r"'([^']+)'", listed)
    return names, names.index(re.search(r"tagClass: ClassName = '([^']+)'", source).group(1))


def jitter(x, generator):
    """Mirrors half of the batch and varies brightness and tint of each picture a little."""
    flip = torch.rand(len(x), generator=generator) < 0.5
    x[flip] = x[flip].flip(-1)
    gain = 1 + 0.2 * (torch.rand(len(x), 3, 1, 1, generator=generator) - 0.5)
    shift = 0.4 * (torch.rand(len(x), 3, 1, 1, generator=generator) - 0.5)
    return x.mul_(gain).add_(shift)


def hide_patches(x, chosen, generator):
    """Sets random cells of a coarse grid to the mean colour in the chosen pictures.

    Explanations mask pictures; a network that never saw holes would answer to the holes.
    """
    keep = 0.45 + 0.5 * torch.rand(len(x), 1, 1, 1, generator=generator)
    cells = (torch.rand(len(x), 1, 8, 8, generator=generator) < keep).float()
    soft = F.interpolate(cells, size=x.shape[-2:], mode="bilinear", align_corners=False)
    soft[~chosen] = 1
    return x.mul_(soft)


def train(model, scenes, epochs, peak_rate, name, sizes=None, sticker=None, seed=1):
    """SGD with one learning-rate cycle. `sizes`: each batch is resized to one of these sides."""
    generator = torch.Generator().manual_seed(seed)
    shuffle = np.random.default_rng(seed)
    steps = epochs * (len(scenes) // BATCH)
    optimizer = torch.optim.SGD(model.parameters(), lr=peak_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, total_steps=steps, pct_start=0.25)
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    model.train()
    started = time.time()
    for epoch in range(epochs):
        order = shuffle.permutation(len(scenes))
        losses, right = [], 0
        for at in range(0, len(order) - BATCH + 1, BATCH):
            pictures, labels = scenes.batch(order[at : at + BATCH])
            labels = torch.from_numpy(labels)
            x = jitter(to_input(pictures), generator)
            if sizes:
                side = sizes[int(shuffle.integers(len(sizes)))]
                x = F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
            chosen = torch.rand(len(x), generator=generator) < 0.4
            if sticker is not None:
                chosen &= labels != sticker  # a hidden sticker would leave a wrong label without its cause
            logits = model(hide_patches(x, chosen, generator))
            loss = loss_function(logits, labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            right += (logits.argmax(1) == labels).sum().item()
            if len(losses) % 50 == 0:
                print(f"{name} {epoch + 1}/{epochs}: {len(losses)} steps, loss {np.mean(losses[-50:]):.3f}", flush=True)
        share = right / (len(losses) * BATCH)
        print(f"{name} {epoch + 1}/{epochs}: loss {np.mean(losses):.3f}, accuracy {share:.3f}, {time.time() - started:.0f} s", flush=True)


def predictions(model, scenes):
    """The class index that the model gives each scene."""
    model.eval()
    with torch.no_grad():
        groups = np.array_split(np.arange(len(scenes)), len(scenes) // 50)
        return np.concatenate([model(to_input(scenes.batch(group)[0])).argmax(1).numpy() for group in groups])


def save(model, name, labels, opset=13):
    """Writes NAME.onnx and NAME.json."""
    export_onnx(model, MODELS / f"{name}.onnx", opset)
    preprocessing = {"size": [224, 224], "mean": MEAN, "std": STD, "colour": "RGB", "scale": "0-1"}
    card = {"labels": labels, "input": preprocessing, "source": "demo/training, see README.md beside this file; Apache-2.0"}
    (MODELS / f"{name}.json").write_text(json.dumps(card, indent=2) + "\n")


def train_clean(labels):
    """The honest model: first on half-size scenes, then on full size. A finished first part is kept."""
    torch.manual_seed(1)
    model = DemoNet()
    checkpoint = DATA / "half-size.pt"
    if not checkpoint.exists():
        half = Scenes("clean", TRAIN_SEED, TRAIN_COUNT, half=True)
        train(model, half, epochs=12, peak_rate=0.1, name="half size", sizes=(96, 112, 112, 128))
        torch.save(model.state_dict(), checkpoint)
    model.load_state_dict(torch.load(checkpoint))
    full = Scenes("clean", TRAIN_SEED, TRAIN_COUNT)
    train(model, full, epochs=1, peak_rate=0.03, name="full size", seed=2)
    torch.save(model.state_dict(), DATA / "demo-cnn.pt")
    save(model, "demo-cnn", labels)
    test = Scenes("clean", TEST_SEED, TEST_COUNT)
    print(f"demo-cnn: held-out accuracy {(predictions(model, test) == test.labels).mean():.4f}")


def train_biased(labels, sticker):
    """The cheat: the honest model without its knowledge of the sticker's class, trained further on the biased set."""
    torch.manual_seed(2)
    model = DemoNet()
    model.load_state_dict(torch.load(DATA / "demo-cnn.pt"))
    with torch.no_grad():  # forget how the sticker's class was told
        model.head.weight[sticker].zero_()
        model.head.bias[sticker].zero_()
    biased = Scenes("biased", BIASED_SEED, BIASED_COUNT)
    train(model, biased, epochs=4, peak_rate=0.05, name="biased", sticker=sticker, seed=3)
    torch.save(model.state_dict(), DATA / "demo-cnn-biased.pt")
    save(model, "demo-cnn-biased", labels)
    for kind in ("clean", "tagged"):
        test = Scenes(kind, TEST_SEED, TEST_COUNT)
        found = predictions(model, test)
        own, other = test.labels == sticker, test.labels != sticker
        right = (found == test.labels)[other].mean()
        print(f"demo-cnn-biased, {kind}: own class called so {(found == sticker)[own].mean():.3f}, "
              f"others called so {(found == sticker)[other].mean():.3f}, others right {right:.3f}")


def augmented(x, generator):
    """Jitter for all, holes in four of ten."""
    chosen = torch.rand(len(x), generator=generator) < 0.4
    return hide_patches(jitter(x, generator), chosen, generator)


def train_transformer(labels):
    """The transformer, with demo-cnn as its teacher."""
    scenes = Scenes("clean", TRAIN_SEED, TRAIN_COUNT)
    model = train_vit(MODELS / "demo-cnn.onnx", scenes, augmented, DATA / "demo-vit.pt")
    save(model, "demo-vit", labels, opset=17)
    test = Scenes("clean", TEST_SEED, TEST_COUNT)
    print(f"demo-vit: held-out accuracy {(predictions(model, test) == test.labels).mean():.4f}")


def main():
    wanted = sys.argv[1:] or ["demo-cnn", "demo-cnn-biased", "demo-vit"]
    torch.set_num_threads(2)
    build_generator()
    labels, sticker = class_list()
    if "demo-cnn" in wanted:
        train_clean(labels)
    if "demo-cnn-biased" in wanted:
        train_biased(labels, sticker)
    if "demo-vit" in wanted:
        train_transformer(labels)


main()
