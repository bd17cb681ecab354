"""Exports one network of torchvision with seeded weights and records its gradients, for
check-autodiff.mjs.

    check-autodiff.py NETWORK OPSET[,OPSET...] SIZE FOLDER [PICTURES]

NETWORK is a name of torchvision or of SMALL. NETWORK+elu has ELU in place of every ReLU.

Writes model-OPSET.onnx, reference.json and little-endian float32 files. The files contain the
input, the cotangent of the scores, and the float64 gradients of PyTorch's autograd for the input
and a few inner tensors. `noise` is the relative error of PyTorch's own float32 gradient of the
input.

If the input of a ReLU is within rounding distance of 0, rounding decides whether its gate is open
or shut. Deep networks have such gates on most pictures. So the script tries several pictures and
takes the two pictures on which PyTorch's float32 and float64 agree best. If PICTURES is given, it
takes that many pictures without selection, and `noises` are PyTorch's errors for each picture.
"""

import copy
import json
import sys
import warnings
from pathlib import Path

import torch
import torchvision
from torchvision.models import swin_transformer as swin
from torchvision.models.convnext import CNBlockConfig

warnings.filterwarnings("ignore")


def without_gates(module):
    """Replaces every ReLU by ELU. The derivative of ELU is continuous, so a rounding error of its
    input changes the gradient only by about as much."""
    for key, child in module.named_children():
        if isinstance(child, torch.nn.ReLU):
            setattr(module, key, torch.nn.ELU())
        without_gates(child)


def small_vgg():
    net = torchvision.models.vgg11(weights=None, init_weights=False)
    net.avgpool = torch.nn.Identity()
    net.classifier = torch.nn.Sequential(torch.nn.Linear(512 * 2 * 2, 16), torch.nn.ReLU(),
        torch.nn.Linear(16, 1000))
    return net


# Small versions, for pictures of 64 × 64, of architectures whose smallest network in torchvision
# is large.
SMALL = {
    "vgg": small_vgg,
    "vit": lambda: torchvision.models.VisionTransformer(64, 16, 2, 2, 32, 64),
    "swin": lambda: torchvision.models.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4]),
    "swin_v2": lambda: torchvision.models.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4],
        block=swin.SwinTransformerBlockV2, downsample_layer=swin.PatchMergingV2),
    "convnext": lambda: torchvision.models.ConvNeXt(
        [CNBlockConfig(16, 32, 1), CNBlockConfig(32, None, 1)]),
    "maxvit": lambda: torchvision.models.MaxVit((64, 64), 16, 2, [16, 16], [1, 1], 8, 0.0),
}


def network(name):
    torch.manual_seed(0)
    name, _, variant = name.partition("+")
    options = {"init_weights": True} if name in ("inception_v3", "googlenet") else {}
    if name in SMALL:
        net = SMALL[name]()
    else:
        net = getattr(torchvision.models, name)(weights=None, **options)
    for key, parameter in net.named_parameters():
        # With a head of zeros (ViT) or layer scales of 1e-6 (ConvNeXt) the gradients would be too
        # small to compare.
        if parameter.abs().max() == 0 and "weight" in key or "layer_scale" in key:
            torch.nn.init.normal_(parameter, std=0.3 if "layer_scale" in key else 0.05)
    if variant == "elu":
        torch.nn.functional.relu = lambda v, inplace=False: torch.nn.functional.elu(v)
        without_gates(net)
    return net


def settled(net):
    """Sets evaluation mode, and makes activations not in place, so that they do not overwrite
    tensors that the hooks keep."""
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net.eval()


def gradients(net, x, cotangent):
    """The scores, the gradient of the input, and the outputs of all modules, with gradients."""
    outputs = {}
    def keep(_, __, output):
        is_new = isinstance(output, torch.Tensor) and id(output) not in outputs
        if is_new and output.requires_grad and output.dim() in (3, 4):
            output.retain_grad()
            outputs[id(output)] = output
    hooks = [module.register_forward_hook(keep) for module in net.modules()]
    x = x.clone().requires_grad_()
    scores = net(x)
    scores.backward(cotangent)
    for hook in hooks:
        hook.remove()
    return scores, x.grad, list(outputs.values())


def export(net, x, opsets, folder):
    """Writes model-OPSET.onnx for each opset and returns the opsets that PyTorch can export."""
    done = []
    for opset in opsets:
        path = folder / f"model-{opset}.onnx"
        try:
            torch.onnx.export(
                net, x, path, opset_version=opset, input_names=["input"], output_names=["scores"],
                dynamic_axes={"input": {0: "batch"}, "scores": {0: "batch"}},
            )
            done.append(opset)
        except Exception as error:
            path.unlink(missing_ok=True)
            if len(opsets) == 1:
                raise SystemExit(f"PyTorch does not export it: {str(error).splitlines()[0]}")
    return done


def main(name, opsets, size, folder, pictures):
    folder = Path(folder)
    net = settled(network(name))
    double = copy.deepcopy(net).double()
    count = pictures or (6 if size <= 128 else 2)
    x, cotangent = torch.randn(count, 3, size, size), torch.randn(count, 1000)
    singles, exacts = [
        torch.cat([gradients(m, a[None], c[None])[1] for a, c in zip(x.type(t), cotangent.type(t))])
        for m, t in ((net, torch.float32), (double, torch.float64))
    ]
    differences = (singles.double() - exacts).flatten(1).norm(dim=1) / exacts.flatten(1).norm(dim=1)
    if not pictures:
        best = differences.argsort()[:2]
        x, cotangent = x[best], cotangent[best]
    exported = export(net, x, opsets, folder)
    _, single, _ = gradients(net, x, cotangent)
    scores, exact, inner = gradients(double, x.double(), cotangent.double())
    picked = [inner[int(i * (len(inner) - 1) / 9)] for i in range(10)]
    tensors = {"input": x, "cotangent": cotangent, "scores": scores, "input_grad": exact}
    for i, tensor in enumerate(picked):
        tensors[f"inner{i}"], tensors[f"inner{i}_grad"] = tensor, tensor.grad
    for key, tensor in tensors.items():
        values = tensor.detach().float().contiguous().numpy().astype("<f4")
        (folder / f"{key}.f32").write_bytes(values.tobytes())
    noise = (single.double() - exact).norm() / exact.norm()
    shapes = {key: list(tensor.shape) for key, tensor in tensors.items()}
    reference = {"noise": noise.item(), "noises": differences.tolist(), "exported": exported,
        "shapes": shapes, "inner": len(picked)}
    (folder / "reference.json").write_text(json.dumps(reference))


main(sys.argv[1], [int(opset) for opset in sys.argv[2].split(",")], int(sys.argv[3]), sys.argv[4],
    int(sys.argv[5]) if len(sys.argv) > 5 else 0)
