"""The demo transformer: a ViT with a class token and a token for every 16×16 pixels, embedded by a few convolutions."""

import torch
from torch import nn
from torch.nn import functional as F

from network import CLASSES

GRID = 14
WIDTH, DEPTH, HEADS = 128, 6, 4
# Channels of the convolutions that embed patches: those of demo-cnn up to its map of 14 cells a side.
STEM = ((3, 16, 2), (16, 24, 2), (24, 48, 2), (48, 48, 1), (48, 96, 2), (96, 96, 1))


class Stem(nn.Module):
    """3×3 convolutions with ReLU, with a shortcut where the shape stays."""

    def __init__(self):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(inputs, outputs, 3, stride, 1) for inputs, outputs, stride in STEM])

    def forward(self, x):
        for conv in self.convolutions:
            y = conv(x)
            x = torch.relu(x + y if conv.stride[0] == 1 else y)
        return x


class Block(nn.Module):
    """Attention, then two layers with GELU, each normalised before and added to what came in."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        n, length, _ = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attention = torch.softmax(q @ k.transpose(-2, -1) * (WIDTH // HEADS) ** -0.5, dim=-1)
        x = x + self.proj((attention @ v).transpose(1, 2).reshape(n, length, WIDTH))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)))), attention


class DemoVit(nn.Module):
    """1 + 14×14 tokens of 128 values, six blocks of four heads, a linear layer; 1.40 M parameters.

    The linear layer reads non-negative features of the tokens: half of the class token's and half of the patches' mean. So
    the patches of the last block have a say, as in a convolutional network with global average pooling.
    """

    def __init__(self):
        super().__init__()
        self.stem = Stem()
        self.embedding = nn.Conv2d(STEM[-1][1], WIDTH, 1)
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + GRID * GRID, WIDTH))
        self.blocks = nn.ModuleList([Block() for _ in range(DEPTH)])
        self.norm = nn.LayerNorm(WIDTH)
        self.features = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def tokens(self, maps, keep=None):
        """The tokens after each block, and the last block's attention; `keep` [n, k] lists the patches that enter."""
        x = self.embedding(maps).flatten(2).transpose(1, 2) + self.positions[:, 1:]
        if keep is not None:
            x = x.gather(1, keep.unsqueeze(2).expand(-1, -1, WIDTH))
        start = (self.class_token + self.positions[:, :1]).expand(x.shape[0], -1, -1)
        x = torch.cat([start, x], dim=1)
        after = []
        for block in self.blocks:
            x, attention = block(x)
            after.append(x)
        return after, attention

    def read(self, tokens):
        """The features [n, tokens, 128] that the linear layer reads."""
        return torch.relu(self.features(self.norm(tokens)))

    def classify(self, features):
        return self.head(0.5 * (features[:, 0] + features[:, 1:].mean(1)))

    def forward(self, x):
        return self.classify(self.read(self.tokens(self.stem(x))[0][-1]))
