"""Exports tiny networks of torchvision's architectures and records their gradients, for the tests
of src/autodiff.

Run from the repository root with Debian's python3-torch, python3-torchvision and python3-onnx:

    /usr/bin/python3 scripts/make-autodiff-networks.py

Writes NAME.onnx and NAME.json in src/autodiff/fixtures/networks/. The input is
x[i] = sin(0.7 i + sin(0.01 i)), and the cotangent of the scores is cos(i). The JSON file contains
the scores and PyTorch's float64 gradient of the input, as base64 of little-endian float32.
"""

import base64
import copy
import json
import warnings
from functools import partial
from pathlib import Path

import torch
from torchvision.models import densenet, mobilenetv2, mobilenetv3, regnet, shufflenetv2
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.maxvit import MaxVit
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer

warnings.filterwarnings("ignore")
FOLDER = Path(__file__).resolve().parent.parent / "src/autodiff/fixtures/networks"
LIMIT = 300_000


def small_mobilenet_v3():
    block = partial(mobilenetv3.InvertedResidualConfig, width_mult=1.0)
    return mobilenetv3.MobileNetV3([block(16, 3, 16, 16, True, "RE", 2, 1),
        block(16, 5, 24, 16, True, "HS", 1, 1)], 32, num_classes=5)


networks = {
    "mobilenet-v2": (10, 32, lambda: mobilenetv2.MobileNetV2(num_classes=5, width_mult=0.25,
        inverted_residual_setting=[[1, 8, 1, 1], [3, 8, 2, 2]])),
    "mobilenet-v3": (14, 32, small_mobilenet_v3),
    "densenet": (11, 32, lambda: densenet.DenseNet(growth_rate=4, block_config=(2, 2),
        num_init_features=8, bn_size=2, num_classes=5)),
    "shufflenet": (12, 32, lambda: shufflenetv2.ShuffleNetV2([2, 2, 2], [8, 8, 16, 32, 32],
        num_classes=5)),
    "regnet": (13, 32, lambda: regnet.RegNet(regnet.BlockParams.from_init_params(depth=4, w_0=8,
        w_a=8, w_m=2.0, group_width=4, se_ratio=0.25), num_classes=5, stem_width=8)),
    "vit": (14, 32, lambda: VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)),
    "vit-16": (16, 32, lambda: VisionTransformer(32, 16, 1, 2, 16, 32, num_classes=5)),
    "convnext": (14, 32, lambda: ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)],
        layer_scale=0.5, num_classes=5)),
    "swin": (14, 32, lambda: SwinTransformer([4, 4], 8, [1, 2], [1, 2], [4, 4], num_classes=5)),
    "maxvit": (16, 32, lambda: MaxVit((32, 32), 8, 2, [8, 8], [1, 1], 4, 0.0, num_classes=5)),
}


def text(tensor):
    return base64.b64encode(tensor.detach().contiguous().numpy().astype("<f4").tobytes()).decode()


def settled(net, size):
    """Sets every weight and statistic to a value that affects the result."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    for parameter in net.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.2)
    with torch.no_grad():
        net.train()(torch.randn(4, 3, size, size))
    return net.eval()


def record(name, opset, size, make):
    torch.manual_seed(0)
    net = settled(make(), size)
    i = torch.arange(2 * 3 * size * size, dtype=torch.float64)
    x = (0.7 * i + (0.01 * i).sin()).sin().float().reshape(2, 3, size, size)
    cotangent = torch.arange(10, dtype=torch.float64).cos().float().reshape(2, 5)
    path = FOLDER / f"{name}.onnx"
    dynamic = {"input": {0: "batch"}, "scores": {0: "batch"}}
    torch.onnx.export(net, x, path, opset_version=opset, input_names=["input"],
        output_names=["scores"], dynamic_axes=dynamic)
    if path.stat().st_size > LIMIT:
        path.unlink()
        print(name, "is too large")
        return
    exact = x.double().requires_grad_()
    scores = copy.deepcopy(net).double()(exact)
    scores.backward(cotangent.double())
    print(name, path.stat().st_size)
    reference = {"opset": opset, "shape": list(x.shape), "scores": text(scores),
        "gradient": text(exact.grad)}
    (FOLDER / f"{name}.json").write_text(json.dumps(reference) + "\n")


FOLDER.mkdir(parents=True, exist_ok=True)
for name, (opset, size, make) in networks.items():
    record(name, opset, size, make)
