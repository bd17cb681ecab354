"""Scenes from the one generator (src/demo/scenes.ts), streamed by Node and kept in files."""

import shutil
import subprocess
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".cache" / "training-build"
DATA = ROOT / ".cache" / "training-data"
SIDE = 224
RECORD = 1 + SIDE * SIDE * 3
PRODUCERS = 2


def build_generator():
    """Compiles the generator to JavaScript and puts the sprites beside it."""
    subprocess.run(["npx", "tsc", "-p", "demo/training"], cwd=ROOT, check=True)
    shutil.copytree(ROOT / "src" / "demo" / "assets", BUILD / "src" / "demo" / "assets", dirs_exist_ok=True)


def _produce(kind, first, count, path):
    """Starts a Node process that writes scenes to a file; None if the file is there already."""
    if path.exists() and path.stat().st_size == count * RECORD:
        return None
    script = BUILD / "demo" / "training" / "stream-scenes.js"
    with open(path, "wb") as out:
        return subprocess.Popen(["node", str(script), str(first), str(count), kind], stdout=out)


def load_scenes(kind, first, count):
    """Pictures uint8 [count, 224, 224, 3] (a list of memory-mapped parts) and labels int64 [count]."""
    DATA.mkdir(parents=True, exist_ok=True)
    share = count // PRODUCERS
    ranges = [(first + i * share, share) for i in range(PRODUCERS)]
    paths = [DATA / f"{kind}-{start}-{size}.bin" for start, size in ranges]
    running = [_produce(kind, start, size, path) for (start, size), path in zip(ranges, paths)]
    for process in running:
        if process and process.wait() != 0:
            raise RuntimeError("the scene generator failed")
    parts = [np.memmap(path, np.uint8, "r").reshape(-1, RECORD) for path in paths]
    labels = np.concatenate([part[:, 0] for part in parts]).astype(np.int64)
    return [part[:, 1:].reshape(-1, SIDE, SIDE, 3) for part in parts], labels


class Scenes:
    """Scenes by index, over all parts, at full or half size."""

    def __init__(self, kind, first, count, half=False):
        self.parts, self.labels = load_scenes(kind, first, count)
        if half:
            self.parts = [_halved(part) for part in self.parts]

    def __len__(self):
        return len(self.labels)

    def batch(self, indices):
        """uint8 [n, side, side, 3] and labels [n]."""
        size = len(self.parts[0])
        pictures = np.stack([self.parts[i // size][i % size] for i in indices])
        return pictures, self.labels[indices]


def _halved(part):
    """2×2 means, in chunks so that little memory is used at a time."""
    out = np.empty((len(part), SIDE // 2, SIDE // 2, 3), np.uint8)
    for at in range(0, len(part), 256):
        chunk = part[at : at + 256].astype(np.uint16)
        rows = chunk[:, 0::2] + chunk[:, 1::2]
        out[at : at + 256] = (rows[:, :, 0::2] + rows[:, :, 1::2] + 2) >> 2
    return out
