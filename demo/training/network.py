"""The demo network: a small residual CNN with one linear layer after global average pooling."""

import torch
from torch import nn

CLASSES = 32
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
WIDTHS = (16, 24, 48, 96, 160)


class Unit(nn.Module):
    """3×3 convolution, batch norm, ReLU; with a shortcut where the shape stays."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.norm(self.conv(x))
        return torch.relu(x + y if self.residual else y)


class DemoNet(nn.Module):
    """Maps of 112, 56, 28, 14 and 7 pixels a side for a picture of 224; about 0.53 M parameters."""

    def __init__(self):
        super().__init__()
        a, b, c, d, e = WIDTHS
        units = [(3, a, 2), (a, b, 2), (b, c, 2), (c, c, 1), (c, d, 2), (d, d, 1), (d, e, 2), (e, e, 1)]
        self.features = nn.Sequential(*[Unit(*unit) for unit in units])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(e, CLASSES)

    def forward(self, x):
        return self.head(torch.flatten(self.pool(self.features(x)), 1))


def to_input(pictures):
    """uint8 [n, h, w, 3] (NumPy) to the normalised float32 [n, 3, h, w] that the network takes."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return x.sub_(mean).div_(std).contiguous()


def export_onnx(model, path, opset):
    """Writes the model with batch norm folded into the convolutions and a free batch size."""
    model.eval()
    torch.onnx.export(
        model,
        torch.zeros(1, 3, 224, 224),
        str(path),
        opset_version=opset,
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
    )
