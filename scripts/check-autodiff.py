"""Exports one network of torchvision with seeded weights and records its gradients, for check-autodiff.mjs.

    check-autodiff.py NETWORK OPSET SIZE FOLDER

Writes model.onnx, reference.json and little-endian float32 files: the input, the cotangent of the scores, and for the
input and a few inner tensors the float64 gradient of PyTorch's autograd. `noise` is the relative error of PyTorch's own
float32 gradient of the input. A ReLU within rounding distance of 0 opens or shuts by chance, and deep networks have some
on most pictures; so of several pictures those two are taken that PyTorch's float32 and float64 agree on best.
"""

import copy
import json
import sys
import warnings
from pathlib import Path

import torch
import torchvision

warnings.filterwarnings("ignore")


def network(name):
    torch.manual_seed(0)
    options = {"init_weights": True} if name in ("inception_v3", "googlenet") else {}
    net = getattr(torchvision.models, name)(weights=None, **options)
    for key, parameter in net.named_parameters():
        # A head of zeros (ViT) and layer scales of 1e-6 (ConvNeXt) would leave nothing to compare.
        if parameter.abs().max() == 0 and "weight" in key or "layer_scale" in key:
            torch.nn.init.normal_(parameter, std=0.3 if "layer_scale" in key else 0.05)
    return net


def settled(net):
    """In evaluation mode, with activations that leave their inputs for the hooks to see."""
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net.eval()


def gradients(net, x, cotangent):
    """The scores, and each module's output with its gradient."""
    outputs = {}
    def keep(_, __, output):
        if isinstance(output, torch.Tensor) and output.requires_grad and output.dim() in (3, 4) and id(output) not in outputs:
            output.retain_grad()
            outputs[id(output)] = output
    hooks = [module.register_forward_hook(keep) for module in net.modules()]
    x = x.clone().requires_grad_()
    scores = net(x)
    scores.backward(cotangent)
    for hook in hooks:
        hook.remove()
    return scores, x.grad, list(outputs.values())


def main(name, opset, size, folder):
    folder = Path(folder)
    net = settled(network(name))
    double = copy.deepcopy(net).double()
    count = 6 if size <= 128 else 2
    x, cotangent = torch.randn(count, 3, size, size), torch.randn(count, 1000)
    singles, exacts = [torch.cat([gradients(m, a[None], c[None])[1] for a, c in zip(x.type(t), cotangent.type(t))]) for m, t in ((net, torch.float32), (double, torch.float64))]
    differences = (singles.double() - exacts).flatten(1).norm(dim=1) / exacts.flatten(1).norm(dim=1)
    best = differences.argsort()[:2]
    x, cotangent = x[best], cotangent[best]
    torch.onnx.export(
        net, x, folder / "model.onnx", opset_version=opset, input_names=["input"], output_names=["scores"],
        dynamic_axes={"input": {0: "batch"}, "scores": {0: "batch"}},
    )
    _, single, _ = gradients(net, x, cotangent)
    scores, exact, inner = gradients(double, x.double(), cotangent.double())
    picked = [inner[int(i * (len(inner) - 1) / 9)] for i in range(10)]
    tensors = {"input": x, "cotangent": cotangent, "scores": scores, "input_grad": exact}
    for i, tensor in enumerate(picked):
        tensors[f"inner{i}"], tensors[f"inner{i}_grad"] = tensor, tensor.grad
    for key, tensor in tensors.items():
        (folder / f"{key}.f32").write_bytes(tensor.detach().float().contiguous().numpy().astype("<f4").tobytes())
    noise = (single.double() - exact).norm() / exact.norm()
    shapes = {key: list(tensor.shape) for key, tensor in tensors.items()}
    (folder / "reference.json").write_text(json.dumps({"noise": noise.item(), "shapes": shapes, "inner": len(picked)}))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
